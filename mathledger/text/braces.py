r"""Read groups: braces around an argument, and round brackets where an argument is expected.

An argument keeps its brackets only if they change the meaning, so that \frac{a}{b}, a/b and (a)/b
have the same tokens: x^{2} becomes x ^ 2 and x^{n+1} becomes x ^ ( n + 1 ).
"""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars, shapes
from mathledger.text.bars import append, enclose
from mathledger.text.chars import skip_blanks
from mathledger.text.hashing import signed
from mathledger.text.prose import begins_function
from mathledger.text.sets import CURLY_LEFT_HASH, CURLY_RIGHT_HASH, begins_set
from mathledger.text.state import (
    ARGUMENT,
    AUTOMATIC,
    CALL,
    LOOK,
    MAX_DEPTH,
    PLAIN,
    ROUND,
    ROUND_ARGUMENT,
    SET,
    SILENT,
)
from mathledger.text.tokens import (
    APOSTROPHE_HASH,
    BEGIN,
    CARET_HASH,
    DEGREE_HASH,
    END,
    FLAGS,
    FROM,
    FUNCTION,
    GROUP,
    HASH,
    KIND,
    OPERATOR,
    ROUND_LEFT_HASH,
    ROUND_RIGHT_HASH,
    SLASH_HASH,
    STAR_HASH,
    UNDERSCORE_HASH,
    move,
    write_pieces,
)

# Functions that are brackets, and their brackets.
CALLS = {
    "abs": ("|", "|"),
    "floor": (r"\lfloor", r"\rfloor"),
    "ceil": (r"\lceil", r"\rceil"),
    "ceiling": (r"\lceil", r"\rceil"),
}
_MINUS = int(signed(b"-")[0])
_CALLS = signed(*(name.encode() for name in CALLS))
_CALL_OPEN, _CALL_CLOSE = (
    np.frombuffer("".join(pair[part] for pair in CALLS.values()).encode(), np.uint8)
    for part in range(2)
)
_CALL_BEGINS, _CALL_ENDS = (
    np.cumsum([0, *(len(pair[part]) for pair in CALLS.values())]) for part in range(2)
)


@borrowing
def push(state: Any, kind: int, opened: int) -> None:
    depth = state.depth
    if depth < MAX_DEPTH:
        state.groups[depth] = kind
        state.brackets[depth] = opened
        state.bars[depth] = -1
        state.depth = depth + 1
        state.owed[depth + 1] = 0
        state.fractions[depth + 1] = 0


@inlined
def open_brace(state: Any, scratch: Any) -> None:
    r"""Read { as a bracket if it opens an argument of a macro, an exponent or an index."""
    is_argument = takes_argument(state, scratch.tokens)
    if is_argument and not state.opens_look and state.depth < MAX_DEPTH:
        append(state, scratch, chars.ROUND_LEFT, ROUND_LEFT_HASH, GROUP, state.index)
        push(state, ARGUMENT, state.num_tokens - 1)
    else:
        kind = PLAIN
        if is_argument:
            kind = LOOK
        elif not state.opens_look and begins_set(scratch.text, state.index, state.size):
            kind = SET
            append(state, scratch, chars.CURLY_LEFT, CURLY_LEFT_HASH, GROUP, state.index)
        push(state, kind, state.num_tokens)
    state.index += 1
    state.opens_look = False


@borrowing
def takes_argument(state: Any, tokens: Any) -> bool:
    """Return True if an argument is expected here, and count it as read."""
    depth = state.depth
    if state.owed[depth] > 0:
        state.owed[depth] -= 1
        return True
    if state.num_tokens == 0:
        return False
    last = tokens[state.num_tokens - 1, HASH]
    return bool(last in (CARET_HASH, UNDERSCORE_HASH))


@inlined
def follows_function(tokens: Any, end: int) -> bool:
    """Return True if the tokens up to `end` are a function that may have an exponent or an index.

    Examples are log_2 and sin^{-1}.
    """
    last = end - 1
    if last > 2 and tokens[last - 1, HASH] == _MINUS and tokens[last - 2, HASH] == CARET_HASH:
        last -= 3
    elif last > 1 and tokens[last - 1, HASH] in (CARET_HASH, UNDERSCORE_HASH):
        last -= 2
    return bool(last >= 0 and tokens[last, FLAGS] & FUNCTION != 0)


@borrowing
def open_fraction(state: Any, scratch: Any) -> None:
    r"""Expect the two arguments of \frac; a group encloses them if they are an argument.

    A fraction after a function is its argument: \sin \frac{x}{2} is sin(x/2), not sin(x)/2.
    """
    tokens = scratch.tokens
    is_argument = takes_argument(state, tokens) or follows_function(tokens, state.num_tokens)
    if is_argument and state.depth < MAX_DEPTH:
        append(state, scratch, chars.ROUND_LEFT, ROUND_LEFT_HASH, GROUP, state.index)
        push(state, AUTOMATIC, state.num_tokens - 1)
    state.owed[state.depth] = 2
    state.fractions[state.depth] = 1


@borrowing
def open_round(state: Any, scratch: Any) -> None:
    """Push the round bracket that was just read; `owed` still counts it as an argument."""
    tokens, opened = scratch.tokens, state.num_tokens - 1
    kind = ROUND
    if state.owed[state.depth] > 0:
        state.owed[state.depth] -= 1
        kind = ROUND_ARGUMENT
    elif opened > 0:
        last = tokens[opened - 1]
        if last[HASH] in (CARET_HASH, UNDERSCORE_HASH, SLASH_HASH):
            kind = ROUND_ARGUMENT
        elif shapes.is_in(last[HASH], _CALLS):
            kind = _open_call(state, scratch, opened)
            opened = state.num_tokens - 1
        elif follows_function(tokens, opened):
            kind = CALL
    push(state, kind, opened)


@borrowing
def expect_bracket(state: Any, text: Any, index: int) -> None:
    """Expect an argument in brackets, as after sqrt; a number is read as a whole."""
    after = text[skip_blanks(text, index, state.size)]
    if after in (chars.ROUND_LEFT, chars.CURLY_LEFT):
        state.owed[state.depth] = 1


@inlined
def close_brace(state: Any, scratch: Any) -> None:
    """Read } as the end of the innermost brace."""
    while state.depth > 0 and state.groups[state.depth - 1] >= AUTOMATIC:
        _pop(state, scratch)
    if state.depth > 0:
        _pop(state, scratch)
        if state.groups[state.depth] == SET:
            append(state, scratch, chars.CURLY_RIGHT, CURLY_RIGHT_HASH, GROUP, state.index)
        elif state.groups[state.depth] != PLAIN:
            end_argument(state, scratch)
    state.index += 1
    state.is_glued = True


@borrowing
def close_round(state: Any, scratch: Any) -> bool:
    """Read ) as the end of a round bracket; return False if its token must be written."""
    if state.depth == 0 or state.groups[state.depth - 1] < ROUND:
        return False
    depth = state.depth - 1
    opened, kind = state.brackets[depth], state.groups[depth]
    state.depth, state.star = depth, -1
    if kind >= SILENT:
        if kind > SILENT:
            first, end = _CALL_ENDS[kind - SILENT - 1], _CALL_ENDS[kind - SILENT]
            place = (state.index, state.index + 1)
            write_pieces(state, scratch, _CALL_CLOSE, first, end, place)
        else:
            state.index += 1
        return True
    is_empty = kind == ROUND and opened + 1 == state.num_tokens  # A blank to fill: x = ( ).
    if is_empty or _is_needless(state, scratch, opened, kind):
        state.num_tokens = drop_bracket(scratch.tokens, opened, state.num_tokens)
    elif kind == ROUND and shapes.is_second_factor(
        scratch.tokens, opened, state.num_tokens, scratch.text, state.index, state.size
    ):
        scratch.tokens[opened, HASH], scratch.tokens[opened, KIND] = STAR_HASH, OPERATOR
        scratch.spellings[scratch.tokens[opened, FROM]] = chars.STAR
    else:
        append(state, scratch, chars.ROUND_RIGHT, ROUND_RIGHT_HASH, GROUP, state.index)
    if kind == ROUND_ARGUMENT:
        end_argument(state, scratch)
    state.index += 1
    state.is_glued = True
    return True


@borrowing
def end_argument(state: Any, scratch: Any) -> None:
    """Write the bar of a fraction after its numerator, and end what its denominator ends."""
    while state.fractions[state.depth] > 0:
        if state.owed[state.depth] == 1:
            last = state.num_tokens - 1
            place = scratch.tokens[last, END] - 1 if last >= 0 else 0
            append(state, scratch, chars.SLASH, SLASH_HASH, OPERATOR, place)
        elif state.owed[state.depth] == 0:
            state.fractions[state.depth] = 0
            if state.depth > 0 and state.groups[state.depth - 1] == AUTOMATIC:
                _pop(state, scratch)
                continue
        return


@borrowing
def _pop(state: Any, scratch: Any) -> None:
    """End the innermost group: close or remove its bracket."""
    state.depth -= 1
    depth = state.depth
    state.star = -1
    opened, bar = state.brackets[depth], state.bars[depth]
    if bar >= 0:
        enclose(state, scratch, bar // 2, shapes.ATOM if bar % 2 else shapes.FACTOR)
    if state.groups[depth] not in (ARGUMENT, AUTOMATIC) or opened >= state.num_tokens:
        return
    if _is_needless(state, scratch, opened, ARGUMENT):
        state.num_tokens = drop_bracket(scratch.tokens, opened, state.num_tokens)
    else:
        place = state.index
        if state.groups[depth] == AUTOMATIC:
            place = scratch.tokens[state.num_tokens - 1, END] - 1
        append(state, scratch, chars.ROUND_RIGHT, ROUND_RIGHT_HASH, GROUP, place)


@borrowing
def _is_needless(state: Any, scratch: Any, opened: int, kind: int) -> bool:
    """Return True if the tokens after the bracket at `opened` mean the same without brackets."""
    tokens, first, end = scratch.tokens, opened + 1, state.num_tokens
    if kind == ROUND:
        if shapes.is_lone(tokens, opened, end, scratch.text, state.index, state.size):
            return True
        after = skip_blanks(scratch.text, state.index + 1, state.size)
        if scratch.text[after] != chars.SLASH:
            return False
        if end == first:
            return False
        if opened > 0 and shapes.ends_operand(tokens[opened - 1]):
            return False
        return shapes.shape(tokens, first, end) <= shapes.PRODUCT
    if kind == CALL:
        return shapes.is_call(tokens, first, end) and not _begins_operand(scratch.text, state.index)
    if end - first <= 1:
        return kind == ARGUMENT or end > first
    found = shapes.shape(tokens, first, end)
    if kind == ROUND_ARGUMENT and tokens[opened - 1, HASH] == SLASH_HASH:
        return found <= shapes.FACTOR
    if state.fractions[state.depth] > 0:
        owed = state.owed[state.depth]
        return found <= (shapes.PRODUCT if owed == 1 else shapes.FACTOR)
    return found == shapes.ATOM


@borrowing
def _begins_operand(text: Any, index: int) -> bool:
    """Return True if a factor may follow the closing bracket at `index`, and not a function."""
    byte = text[index + 1]
    if begins_function(text, index + 1 + int(byte == chars.BACKSLASH)):
        return False
    return bool(
        chars.is_letter(byte)
        or chars.is_digit(byte)
        or byte in (chars.ROUND_LEFT, chars.BACKSLASH, chars.CURLY_LEFT, chars.CARET)
    )


@borrowing
def _open_call(state: Any, scratch: Any, opened: int) -> int:
    """Write the bracket of abs(, floor( or ceil( instead of the word and return its kind."""
    tokens, kind = scratch.tokens, SILENT + 1
    for number in range(len(_CALLS)):
        if tokens[opened - 1, HASH] == _CALLS[number]:
            kind = SILENT + 1 + number
            break
    place = (tokens[opened - 1, BEGIN], tokens[opened, END])
    first, end = _CALL_BEGINS[kind - SILENT - 1], _CALL_BEGINS[kind - SILENT]
    index = state.index
    state.num_tokens = opened - 1
    write_pieces(state, scratch, _CALL_OPEN, first, end, place)
    state.index = index
    return int(kind)


@borrowing
def drop_exponent(state: Any, tokens: Any) -> bool:
    r"""Leave out ^ and its brace if the brace was just opened, as in n^{\text{th}}."""
    last, depth = state.num_tokens - 1, state.depth - 1
    while depth >= 0 and state.brackets[depth] > last:
        depth -= 1
    if depth < 0 or state.brackets[depth] != last or state.groups[depth] != ARGUMENT:
        return False
    if tokens[last - 1, HASH] != CARET_HASH:
        return False
    state.num_tokens = last - 1
    for at in range(depth, state.depth):
        state.groups[at], state.brackets[at] = PLAIN, state.num_tokens
    return True


@borrowing
def drop_open_bracket(state: Any) -> bool:
    """Leave out the round bracket that was just opened, and its partner; or return False."""
    depth, last = state.depth - 1, state.num_tokens - 1
    while depth >= 0 and state.groups[depth] == PLAIN and state.brackets[depth] > last:
        depth -= 1  # As in (\text{mod} 5).
    if depth < 0 or last < 0 or state.groups[depth] != ROUND or state.brackets[depth] != last:
        return False
    state.groups[depth] = SILENT
    state.num_tokens = last
    for at in range(depth + 1, state.depth):
        state.brackets[at] = last
    return True


@borrowing
def drop_bracket(tokens: Any, opened: int, count: int) -> int:
    r"""Remove the bracket at `opened`; return the number of tokens.

    ^{\circ} becomes just the degree sign; ^{} and _{} disappear, and so does ^ in n^{th}.
    """
    for at in range(opened + 1, count):
        move(tokens, at, at - 1)
    count -= 1
    if opened == 0 or tokens[opened - 1, HASH] not in (CARET_HASH, UNDERSCORE_HASH):
        return count
    if count == opened:
        return count - 1
    if tokens[opened - 1, HASH] == CARET_HASH and (
        tokens[opened, HASH] in (DEGREE_HASH, APOSTROPHE_HASH)
        or shapes.is_ordinal_ending(tokens, opened)
    ):
        for at in range(opened, count):
            move(tokens, at, at - 1)
        count -= 1
    return count


@borrowing
def drop_unclosed(state: Any, tokens: Any) -> None:
    """Remove the brackets of braces that were never closed, which are formatting errors."""
    while state.depth > 0:
        state.depth -= 1
        opened = state.brackets[state.depth]
        is_written = state.groups[state.depth] in (ARGUMENT, AUTOMATIC)
        if is_written and opened < state.num_tokens:
            for at in range(opened + 1, state.num_tokens):
                move(tokens, at, at - 1)
            state.num_tokens -= 1
