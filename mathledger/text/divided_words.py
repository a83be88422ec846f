"""Find words that a hyphen divides at the end of a line, as in the text of a PDF."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text.chars import (
    BACKSLASH,
    HYPHEN,
    LOWER,
    NEWLINE,
    RETURN,
    SMALL_A,
    SPACE,
    is_ascii_letter,
)
from mathledger.text.hashing import PRIME, SEED, mix, signed

_BLANKS_AND_BREAKS = SPACE, NEWLINE, RETURN
_MIN_PART = 2  # Letters of each part of a divided word.
# After one of these words, a hyphen at the end of a line is a part of the word: two-digit.
BEFORE_HYPHEN = (
    "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty "
    "seventy eighty ninety half third right left well self high low long short same equal full "
    "first second one"
)
_BEFORE_HYPHEN = signed(*BEFORE_HYPHEN.encode().split())


@borrowing
def divided_until(data: Any, index: int) -> int:
    """Return where a word goes on that a hyphen at `index` divides at the end of a line, or 0.

    A hyphen after a word such as two, or after another hyphen, is a part of the word.
    """
    size, at = len(data), index + 1
    if data[index] != HYPHEN or index < _MIN_PART:
        return 0
    while at < size and data[at] in _BLANKS_AND_BREAKS:
        at += 1
    has_break = index + 1 < size and (
        data[index + 1] == NEWLINE or (data[index + 1] == RETURN and index + 2 < size)
    )
    if not has_break or at + _MIN_PART > size:
        return 0
    for step in range(_MIN_PART):
        if not (_is_small(data[index - 1 - step]) and _is_small(data[at + step])):
            return 0
    first = index
    while first > 0 and is_ascii_letter(data[first - 1]):
        first -= 1
    if first > 0 and data[first - 1] in (HYPHEN, BACKSLASH):
        return 0
    value = SEED
    for place in range(first, index):
        value = (value ^ LOWER[data[place]]) * PRIME
    hashed = np.int64(mix(value))
    for word in _BEFORE_HYPHEN:
        if hashed == word:
            return 0
    return at


@borrowing
def _is_small(byte: Any) -> bool:
    return bool(SMALL_A <= byte < SMALL_A + 26)


@borrowing
def has_divided_word(data: Any) -> bool:
    for at in range(len(data)):  # noqa: SIM110  (numba compiles no generator)
        if data[at] == HYPHEN and divided_until(data, at) > 0:
            return True
    return False
