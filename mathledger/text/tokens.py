"""Define a token in compiled code: a row of integers with hash, kind, spelling, place and flags."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, inlined
from mathledger.text.hashing import signed

# Kinds of token.
WORD, NUMBER, OPERATOR, MACRO, GROUP = range(5)
# Columns of a token. Its spelling is spellings[FROM:TO] and its place is text[BEGIN:END].
HASH, KIND, FROM, TO, BEGIN, END, FLAGS = range(7)
NUM_COLUMNS = 7

# Flags of a token.
BEGINS_SENTENCE = 1
SINGLE_CAPITAL = 2  # The token is one capital letter.
CAPITALISED = 4  # The token is a longer word that begins with a capital.
OPENS_ARGUMENT = 8  # The token is a bracket that replaces an argument's brace.
TAKES_UNIT = 16  # The token is a ten (twenty), to which a word may add a unit (five).
BEFORE_STOP = 32  # A full stop follows.
OPENS_PHRASE = 64  # A boilerplate phrase may begin with this word.

CARET_HASH, UNDERSCORE_HASH, APOSTROPHE_HASH, DEGREE_HASH, ROUND_LEFT_HASH, ROUND_RIGHT_HASH = (
    int(value) for value in signed(b"^", b"_", b"'", "°".encode(), b"(", b")")
)


@inlined
def write(
    tokens: Any, at: int, value: Any, kind: int, spelling: tuple[int, int], place: tuple[int, int],
    flags: int,
) -> None:  # fmt: skip
    tokens[at, HASH] = np.int64(value)
    tokens[at, KIND] = kind
    tokens[at, FROM], tokens[at, TO] = spelling
    tokens[at, BEGIN], tokens[at, END] = place
    tokens[at, FLAGS] = flags


@borrowing
def move(tokens: Any, at: int, to: int) -> None:
    for column in range(NUM_COLUMNS):
        tokens[to, column] = tokens[at, column]
