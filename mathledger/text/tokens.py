"""What a token is: an integer row with its kind, hash, spelling, place and flags."""

from typing import Any

import numpy as np

from mathledger.core.kernels import kernel
from mathledger.text.hashing import signed

# Kinds of token.
WORD, NUMBER, OPERATOR, MACRO, GROUP = range(5)
# Columns of a token: hash of its spelling, kind, spelling (place in the pool), raw span, flags.
HASH, KIND, FROM, TO, BEGIN, END, FLAGS = range(7)


CARET_HASH, UNDERSCORE_HASH, APOSTROPHE_HASH, DEGREE_HASH, ROUND_LEFT_HASH, ROUND_RIGHT_HASH = (
    int(value) for value in signed(b"^", b"_", b"'", "°".encode(), b"(", b")")
)


# Flags of a token: it begins a sentence; a single capital; the bracket of an argument; a number
# that a digit may follow (twenty); followed by a full stop; a capitalised word; a word that opens
# a boilerplate phrase.
(
    BEGINS_SENTENCE,
    SINGLE_CAPITAL,
    ARGUMENT_BRACKET,
    TENS_FLAG,
    BEFORE_STOP,
    CAPITALISED,
    OPENS_PHRASE,
) = 1, 2, 4, 8, 16, 32, 64


@kernel
def emit(
    tok: Any, at: int, value: Any, kind: int, start: int, end: int, begin: int, stop: int, flag: int
) -> None:
    tok[at, HASH] = np.int64(value)
    tok[at, KIND] = kind
    tok[at, FROM] = start
    tok[at, TO] = end
    tok[at, BEGIN] = begin
    tok[at, END] = stop
    tok[at, FLAGS] = flag


@kernel
def move(tok: Any, at: int, to: int) -> None:
    for column in range(7):
        tok[to, column] = tok[at, column]
