r"""Write brackets and the bars of fractions: {a + b \over c} is ( a + b ) / c."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars, shapes
from mathledger.text.state import ARGUMENT
from mathledger.text.tokens import (
    BEGIN,
    FROM,
    GROUP,
    HASH,
    KIND,
    MACRO,
    NUM_COLUMNS,
    OPERATOR,
    ROUND_LEFT_HASH,
    ROUND_RIGHT_HASH,
    SLASH_HASH,
    TO,
    write,
    write_pieces,
)

_BINOM = np.frombuffer(b"\\binom", np.uint8)


@borrowing
def append(state: Any, scratch: Any, byte: int, value: int, kind: int, begin: int) -> None:
    first = state.num_spelled
    scratch.spellings[first] = byte
    spelling, place = (first, first + 1), (begin, begin + 1)
    write(scratch.tokens, state.num_tokens, value, kind, spelling, place, 0)
    state.num_spelled += 1
    state.num_tokens += 1


@borrowing
def respell(state: Any, scratch: Any, at: int, macro: Any, value: int) -> None:
    """Make the token at `at` a macro with this spelling and this hash."""
    tokens, first = scratch.tokens, state.num_spelled
    for step in range(len(macro)):
        scratch.spellings[first + step] = macro[step]
    state.num_spelled = first + len(macro)
    tokens[at, HASH], tokens[at, KIND] = value, MACRO
    tokens[at, FROM], tokens[at, TO] = first, state.num_spelled


@borrowing
def bar(state: Any, scratch: Any, is_choice: bool) -> None:
    r"""Read \over or \choose: bracket the first part of the group and write / or \binom."""
    first = 0
    if state.depth > 0:
        depth = state.depth - 1
        first = state.brackets[depth]
        if state.groups[depth] >= ARGUMENT:
            first += 1
        state.bars[depth] = 0
    enclose(state, scratch, first, shapes.ATOM if is_choice else shapes.PRODUCT)
    if is_choice:
        index = state.index
        write_pieces(state, scratch, _BINOM, 0, len(_BINOM), (index, index + 1))
        rotate(scratch.tokens, first, state.num_tokens - 1)
        state.index = index
    else:
        append(state, scratch, chars.SLASH, SLASH_HASH, OPERATOR, state.index)
    if state.depth > 0:
        state.bars[state.depth - 1] = 2 * state.num_tokens + int(is_choice)


@borrowing
def rotate(tokens: Any, first: int, last: int) -> None:
    """Move the last token before the token at `first`."""
    for at in range(last, first, -1):
        for column in range(NUM_COLUMNS):
            value = tokens[at, column]
            tokens[at, column] = tokens[at - 1, column]
            tokens[at - 1, column] = value


@borrowing
def enclose(state: Any, scratch: Any, first: int, limit: int) -> None:
    """Put brackets around the tokens from `first` on if they bind less than the limit."""
    count = state.num_tokens
    if count - first > 1 and shapes.shape(scratch.tokens, first, count) > limit:
        _insert_left(state, scratch, first)
        append(state, scratch, chars.ROUND_RIGHT, ROUND_RIGHT_HASH, GROUP, state.index)


@borrowing
def _insert_left(state: Any, scratch: Any, first: int) -> None:
    """Insert a left bracket before the token at `first`."""
    begin = scratch.tokens[first, BEGIN]
    append(state, scratch, chars.ROUND_LEFT, ROUND_LEFT_HASH, GROUP, begin)
    rotate(scratch.tokens, first, state.num_tokens - 1)
