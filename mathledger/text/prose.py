"""Distinguish the hyphens, slashes and bullets of prose from the signs of formulas."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.chars import LOWER, is_letter

_ENDINGS = np.array([list(each) for each in (b"th", b"st", b"nd", b"rd", b"by")], np.uint8)
_BY, _Y = b"by"
# The words before a slash that means "or".
EITHER = ("and", "he", "his", "him", "she", "her")
_EITHER = np.frombuffer("".join(EITHER).encode(), np.uint8)
_EITHER_ENDS = np.cumsum([0, *map(len, EITHER)])


@borrowing
def is_in_word(text: Any, index: int) -> bool:
    """Return True if a word of three or more letters touches the byte at index.

    The word's second and third letters must be lower case.
    """
    count, at = 0, index + 1
    while is_letter(text[at]) and count < 3:
        if not _continues_letter(text[at]):
            if count > 0 and text[at] < chars.SMALL_A:
                break
            count += 1
        at += 1
    if count == 3:
        return True
    count, at = 0, index - 1
    while at >= 0 and is_letter(text[at]) and count < 3:
        if not _continues_letter(text[at]):
            count += 1
            if count < 3 and text[at] < chars.SMALL_A:
                break
        at -= 1
    if count < 3:
        return False
    while at >= 0 and is_letter(text[at]):
        at -= 1
    return at < 0 or text[at] != chars.BACKSLASH  # As in \\frac-12.


@borrowing
def _continues_letter(byte: Any) -> bool:
    """Return True for every byte of a UTF-8 code point except the first."""
    return bool(byte & 0xC0 == 0x80)


@borrowing
def is_compound(text: Any, index: int) -> bool:
    """Return True at the hyphen of n-th and at both hyphens of 8-by-8."""
    one, two = LOWER[text[index + 1]], LOWER[text[index + 2]]
    if not is_letter(text[index + 3]):
        for ending in _ENDINGS:
            is_followed = ending[0] != _BY or text[index + 3] == chars.HYPHEN
            if one == ending[0] and two == ending[1] and is_followed:
                return True
    if index < 3 or text[index - 3] != chars.HYPHEN:
        return False
    return bool(LOWER[text[index - 2]] == _BY and LOWER[text[index - 1]] == _Y)


@borrowing
def is_either(text: Any, index: int) -> bool:
    """Return True at the slash of and/or, he/she, his/her and the like."""
    begin = index
    while begin > 0 and is_letter(text[begin - 1]):
        begin -= 1
    for first in range(len(_EITHER_ENDS) - 1):
        low, high = _EITHER_ENDS[first], _EITHER_ENDS[first + 1]
        if high - low == index - begin and is_letter(text[index + 1]):
            step = 0
            while low + step < high and LOWER[text[begin + step]] == _EITHER[low + step]:
                step += 1
            if low + step == high:
                return True
    return False


@borrowing
def is_bullet(text: Any, index: int) -> bool:
    """Return True if the sign begins a list item and not a continued line of a formula."""
    at = index - 1
    if at < 0 or text[at] != chars.NEWLINE:
        return at < 0
    if at == 0 or text[at - 1] == chars.NEWLINE:
        return True
    while at > 0 and text[at] <= chars.SPACE:
        at -= 1
    if text[at] <= chars.SPACE or text[at] in (
        chars.FULL_STOP,
        chars.COLON,
        chars.SEMICOLON,
        chars.QUESTION,
        chars.BANG,
        chars.DOLLAR,
    ):
        return True
    end = at
    while at >= 0 and is_letter(text[at]):
        at -= 1
    return end - at > 2 and (at < 0 or text[at] != chars.BACKSLASH)
