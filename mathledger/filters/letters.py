"""Tell what a single letter or a run of capitals is: a name, a factor, points or an article."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text.chars import BACKSLASH, DOLLAR, ROUND_RIGHT, SPACE, is_digit, is_letter
from mathledger.text.tokens import (
    BEFORE_COLON,
    BEGIN,
    BEGINS_SENTENCE,
    END,
    FLAGS,
    FROM,
    KIND,
    NUMBER,
    POINTS,
    TO,
    WORD,
)

_MARKS = tuple(b",.;:)?-")
MAX_LABEL = 4  # Longest name of a figure in capitals, as in ABCD.


@borrowing
def _is_upper(data: Any, at: int) -> bool:
    return bool(at < len(data) and 65 <= data[at] <= 90)


@borrowing
def is_pronoun_or_article(tok: Any, at: int, count: int, letter: Any, data: Any) -> bool:
    """Return True if a single letter is "a" or "I" in prose, or follows an apostrophe or a link."""
    begin = tok[at, BEGIN]
    before = data[begin - 1] if begin > 0 else 32
    if before == 39 or before == 93 or (before == 0x99 and data[begin - 2] == 0x80):  # Tom's
        return True
    letter = np.uint8(letter | 32)
    if letter not in (97, 105) or (letter == 105 and data[begin] == 105):
        return False
    if data[begin] == 65 and begin > 1 and not tok[at, FLAGS] & BEGINS_SENTENCE:
        is_name = is_letter(data[begin - 2]) or is_digit(data[begin - 2])  # As in "box A was".
        if is_name:
            return False
    is_free = before in (32, 10, 40, 34) and not _ends_formula(tok, at, count, data)
    is_before_word = at + 1 < count and (
        (tok[at + 1, KIND] == WORD and tok[at + 1, TO] - tok[at + 1, FROM] > 1)
        or tok[at + 1, KIND] == NUMBER
    )
    return is_free and is_before_word and begin + 1 < len(data) and data[begin + 1] in (32, 10)


@borrowing
def _ends_formula(tok: Any, at: int, count: int, data: Any) -> bool:
    """Return True if a formula ends before the next token: "$ a $ and", but not "a $10 bill"."""
    end = tok[at + 1, BEGIN] if at + 1 < count else len(data)
    for place in range(tok[at, END], end - 1):
        after = data[place + 1]
        if data[place] == DOLLAR and (after <= SPACE or after in _MARKS):
            return True
        if data[place] == BACKSLASH and after == ROUND_RIGHT:
            return True
    return False


@borrowing
def is_label(tok: Any, at: int, data: Any) -> bool:
    """Return True for the names of up to four points, as in ABC, but not for GCD and NOTE:."""
    size, begin = tok[at, TO] - tok[at, FROM], tok[at, BEGIN]
    if tok[at, FLAGS] & BEFORE_COLON or not (
        1 < size <= MAX_LABEL and _is_upper(data, begin) and _is_upper(data, begin + 1)
    ):
        return False
    return bool(tok[at, FLAGS] & POINTS != 0 or not _is_upper(data, tok[at, END] - 1))


@borrowing
def is_factor(tok: Any, at: int, data: Any) -> bool:
    """Return True if no comma and no word is between two names, as in a product."""
    if at == 0 or tok[at - 1, KIND] != WORD or tok[at - 1, TO] - tok[at - 1, FROM] != 1:
        return False
    for place in range(tok[at - 1, END], tok[at, BEGIN]):
        if data[place] in (44, 59, 46, 40, 41):  # , ; . ( )
            return False
    return True
