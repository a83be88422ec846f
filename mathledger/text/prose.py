"""Distinguish the hyphens, slashes and bullets of prose from the signs of formulas."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.chars import LOWER, is_ascii_letter, is_digit, is_letter, matches

_ENDINGS = np.array([list(each) for each in (b"th", b"st", b"nd", b"rd", b"by")], np.uint8)
_BY, _Y = b"by"
# The words before a slash that means "or".
EITHER = ("and", "he", "his", "him", "she", "her")
_EITHER = np.frombuffer("".join(EITHER).encode(), np.uint8)
_EITHER_ENDS = np.cumsum([0, *map(len, EITHER)])

_AFTER_NAME = tuple(b" \n),.;:")
_MAX_NAME = 3  # Letters of a name in italics.
_BEFORE_EMPHASIS, _AFTER_EMPHASIS = tuple(b" \n(\"'"), tuple(b" \n),.;:!?\"'")
# Functions before which a hyphen is a minus, and what may follow their names.
FUNCTIONS = (
    "sqrt", "cbrt", "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "exp", "abs", "floor",
    "ceil", "max", "min", "gcd", "lcm", "arcsin", "arccos", "arctan",
    "ctg", "arctg", "arcctg",
)  # fmt: skip
_FUNCTIONS = np.frombuffer("".join(FUNCTIONS).encode(), np.uint8)
_FUNCTION_ENDS = np.cumsum([0, *map(len, FUNCTIONS)])
_ARGUMENTS = chars.ROUND_LEFT, chars.CURLY_LEFT, chars.CARET, chars.UNDERSCORE


@borrowing
def _begins_call(text: Any, index: int) -> bool:
    """Return True at the name of a function before its argument, as in 5-sqrt(11)."""
    for number in range(len(_FUNCTION_ENDS) - 1):
        first, end = _FUNCTION_ENDS[number], _FUNCTION_ENDS[number + 1]
        after = index + end - first
        if text[after] in _ARGUMENTS and matches(text, index, _FUNCTIONS[first:end]):
            return True
    return False


@borrowing
def begins_function(text: Any, index: int) -> bool:
    """Return True at the name of a function, as in sin and cos(."""
    for number in range(len(_FUNCTION_ENDS) - 1):
        first, end = _FUNCTION_ENDS[number], _FUNCTION_ENDS[number + 1]
        is_whole = not is_letter(text[index + end - first])
        if is_whole and matches(text, index, _FUNCTIONS[first:end]):
            return True
    return False


@borrowing
def is_in_word(text: Any, index: int) -> bool:
    """Return True if a word of three or more letters touches the byte at index.

    The word's second and third letters must be lower case.
    """
    if _begins_call(text, index + 1):
        return False
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
def is_emphasis(text: Any, index: int, size: int) -> bool:
    """Return True at a mark of Markdown that touches a word of three letters, as in *lucky*."""
    before = text[index - 1] if index > 0 else chars.SPACE
    if before in _BEFORE_EMPHASIS and _is_word(text, index + 1, 1):
        return True
    after = text[index + 1] if index + 1 < size else chars.SPACE
    return bool(after in _AFTER_EMPHASIS and index > 2 and _is_word(text, index - 1, -1))


@borrowing
def is_around_name(text: Any, index: int) -> bool:
    """Return True at both stars of a name in italics, as in *x* and *ab*^2."""
    first, end = index + 1, index + 1
    if index > 0 and is_ascii_letter(text[index - 1]):
        first, end = index - 1, index
        while first > 0 and is_ascii_letter(text[first - 1]):
            first -= 1
    while is_ascii_letter(text[end]):
        end += 1
    if (
        first == 0
        or not 0 < end - first <= _MAX_NAME
        or text[end] != chars.STAR
        or text[first - 1] != chars.STAR
    ):
        return False
    before = text[first - 2] if first > 1 else chars.SPACE
    after = text[end + 1]
    if after in _AFTER_NAME:
        return True  # As in 8*xy* + 2, where no factor follows.
    is_operand = is_letter(after) or is_digit(after) or after in (chars.ROUND_LEFT, chars.STAR)
    return bool(before in _BEFORE_EMPHASIS and not is_operand)


@borrowing
def _is_word(text: Any, at: int, step: int) -> bool:
    """Return True if three letters of ASCII begin or end here."""
    for _ in range(3):
        if not is_ascii_letter(text[at]):
            return False
        at += step
    return True


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
    while at >= 0 and text[at] == chars.SPACE:
        at -= 1
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
        chars.COMMA,
    ):
        return True
    end = at
    while at >= 0 and is_letter(text[at]):
        at -= 1
    return end - at > 2 and (at < 0 or text[at] != chars.BACKSLASH)
