r"""Read braces: around an argument of several tokens they become brackets, otherwise nothing.

x^{2} becomes x ^ 2, and x^{n+1} becomes x ^ ( n + 1 ).
"""

from typing import Any

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars
from mathledger.text.state import MAX_DEPTH
from mathledger.text.tokens import (
    CARET_HASH,
    DEGREE_HASH,
    FLAGS,
    GROUP,
    HASH,
    OPENS_ARGUMENT,
    ROUND_LEFT_HASH,
    ROUND_RIGHT_HASH,
    UNDERSCORE_HASH,
    move,
    write,
)


@inlined
def open_brace(state: Any, scratch: Any) -> None:
    r"""Read { as a bracket if it opens an argument of a macro, an exponent or an index."""
    depth = state.depth
    is_argument = state.owed[depth] > 0
    if is_argument:
        state.owed[depth] -= 1
    elif state.num_tokens > 0:
        last = scratch.tokens[state.num_tokens - 1, HASH]
        is_argument = last in (CARET_HASH, UNDERSCORE_HASH)
    if depth < MAX_DEPTH:
        state.brackets[depth] = -1
        if is_argument and not state.opens_look:
            state.brackets[depth] = state.num_tokens
            _append_bracket(state, scratch, chars.ROUND_LEFT, ROUND_LEFT_HASH, OPENS_ARGUMENT)
        state.depth = depth + 1
        state.owed[depth + 1] = 0
    state.index += 1
    state.opens_look = False


@inlined
def close_brace(state: Any, scratch: Any) -> None:
    """Read } as a closing bracket, or remove the opening one if they enclose at most one token."""
    if state.depth > 0:
        state.depth -= 1
        opened = state.brackets[state.depth]
        if 0 <= opened < state.num_tokens:
            if state.num_tokens - opened > 2:
                _append_bracket(state, scratch, chars.ROUND_RIGHT, ROUND_RIGHT_HASH, 0)
            else:
                state.num_tokens = _unwrap(scratch.tokens, opened, state.num_tokens)
    state.index += 1
    state.is_glued = True


@inlined
def _append_bracket(state: Any, scratch: Any, byte: int, value: int, flags: int) -> None:
    first, begin = state.num_spelled, state.index
    scratch.spellings[first] = byte
    spelling, place = (first, first + 1), (begin, begin + 1)
    write(scratch.tokens, state.num_tokens, value, GROUP, spelling, place, flags)
    state.num_spelled += 1
    state.num_tokens += 1


@borrowing
def _unwrap(tokens: Any, opened: int, count: int) -> int:
    r"""Remove the bracket of an argument with at most one token; return the number of tokens.

    ^{\circ} becomes just the degree sign; ^{} and _{} disappear.
    """
    if count - opened == 2:
        move(tokens, opened + 1, opened)
        count -= 1
        if (
            opened > 0
            and tokens[opened, HASH] == DEGREE_HASH
            and tokens[opened - 1, HASH] == CARET_HASH
        ):
            move(tokens, opened, opened - 1)
            count -= 1
        return count
    count -= 1
    last = tokens[count - 1, HASH] if count > 0 else 0
    return count - 1 if last in (CARET_HASH, UNDERSCORE_HASH) else count


@borrowing
def drop_unclosed(state: Any, tokens: Any) -> None:
    """Remove the brackets of braces that were never closed, which are formatting errors."""
    while state.depth > 0:
        state.depth -= 1
        opened = state.brackets[state.depth]
        if 0 <= opened < state.num_tokens and tokens[opened, FLAGS] & OPENS_ARGUMENT:
            for at in range(opened, state.num_tokens - 1):
                move(tokens, at + 1, at)
            state.num_tokens -= 1
