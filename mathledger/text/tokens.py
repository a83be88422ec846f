"""Define a token in compiled code: a row of integers with hash, kind, spelling, place and flags."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars
from mathledger.text.hashing import hash_span, signed

# Kinds of token.
WORD, NUMBER, OPERATOR, MACRO, GROUP = range(5)
# Columns of a token. Its spelling is spellings[FROM:TO] and its place is text[BEGIN:END].
HASH, KIND, FROM, TO, BEGIN, END, FLAGS = range(7)
NUM_COLUMNS = 7

# Flags of a token.
BEGINS_SENTENCE = 1
SINGLE_CAPITAL = 2  # The token is one capital letter.
CAPITALISED = 4  # The token is a longer word that begins with a capital.
OPERAND = 8  # The token is a macro like \\alpha, which is a factor in a product.
NUMBER_WORD = 16  # The token is a number in words, which the next word may change.
BEFORE_STOP = 32  # A full stop follows.
OPENS_PHRASE = 64  # A boilerplate phrase may begin with this word.
FUNCTION = 128  # The token is a function that is applied to the next operand: \\sqrt, sin.
CROSS = 256  # The token is a product written with a cross.
POINTS = 512  # The token is a run of capitals, such as ABC.
AFTER_QUESTION = 2048  # The token follows a question mark.
JOINED = 4096  # The token is a product of letters.
BLACKBOARD = 8192  # The token is a capital such as \\mathbb{R}, which names a set of numbers.
BEFORE_COLON = 16384  # A colon follows.
ARTICLE = 1024  # The token is the letter "a" before a word.

# The names of functions, apart from the root.
FUNCTIONS = (
    "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "log", "ln", "lim", "max",
    "min", "gcd", "lcm", "det", "sup", "inf",
)  # fmt: skip

CARET_HASH, UNDERSCORE_HASH, APOSTROPHE_HASH, DEGREE_HASH, ROUND_LEFT_HASH, ROUND_RIGHT_HASH = (
    int(value) for value in signed(b"^", b"_", b"'", "°".encode(), b"(", b")")
)
SLASH_HASH, STAR_HASH, ROOT_HASH = (int(value) for value in signed(b"/", b"*", b"\\sqrt"))
SQUARE_LEFT_HASH, SQUARE_RIGHT_HASH = (int(value) for value in signed(b"[", b"]"))


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
def kind_of(first: Any, second: Any) -> int:
    """Return the kind of a token that begins with these two bytes."""
    if chars.is_digit(first):
        return NUMBER
    if first == chars.BACKSLASH and chars.is_letter(second):
        return MACRO
    if first in (
        chars.ROUND_LEFT, chars.ROUND_RIGHT, chars.SQUARE_LEFT, chars.SQUARE_RIGHT,
        chars.CURLY_LEFT, chars.CURLY_RIGHT,
    ):  # fmt: skip
        return GROUP
    return WORD if first < chars.NOT_ASCII and chars.is_letter(first) else OPERATOR


@borrowing
def write_pieces(
    state: Any, scratch: Any, pool: Any, first: int, end: int, place: tuple[int, int]
) -> None:
    """Append the tokens that blanks separate in pool[first:end], all with the same place."""
    spellings, flags = scratch.spellings, state.sentence
    while first < end:
        begin, stop = state.num_spelled, first
        while stop < end and pool[stop] != chars.SPACE:
            spellings[begin + stop - first] = pool[stop]
            stop += 1
        size = stop - first
        if size > 0:
            second = pool[first + 1] if size > 1 else chars.SPACE
            value = hash_span(spellings, begin, begin + size)
            spelling = (begin, begin + size)
            kind = kind_of(pool[first], second)
            write(scratch.tokens, state.num_tokens, value, kind, spelling, place, flags)
            state.num_tokens += 1
            state.num_spelled += size
            flags = 0
        first = stop + 1
    state.sentence, state.star, state.opens_look = 0, -1, False
    state.index, state.is_glued = place[1], True


@borrowing
def move(tokens: Any, at: int, to: int) -> None:
    for column in range(NUM_COLUMNS):
        tokens[to, column] = tokens[at, column]
