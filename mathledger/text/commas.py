"""Decide what a comma between two digits is: a separator of thousands, of decimals or of a list."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.chars import (
    LOWER,
    is_degree,
    is_digit,
    is_letter,
    matches,
    skip_blanks,
    skip_delimiters,
    skip_delimiters_back,
)
from mathledger.text.hashing import PRIME, SEED, mix, signed
from mathledger.text.shapes import is_in

_BEFORE_LIST = chars.ROUND_LEFT, chars.SQUARE_LEFT, chars.CURLY_LEFT
_AFTER_LIST = chars.ROUND_RIGHT, chars.SQUARE_RIGHT, chars.CURLY_RIGHT, chars.BACKSLASH
_CLOSING = chars.ROUND_RIGHT, chars.SQUARE_RIGHT, chars.CURLY_RIGHT
_FAR = 64  # Bytes in which an open bracket is looked for.
_AND, _OR, _DOTS, _LDOTS, _RBRACE, _RIGHT = (
    np.frombuffer(word, np.uint8)
    for word in (b"and ", b"or ", b"...", b"\\ldots", b"\\rbrace", b"\\right")
)
_EQUALS, _ARE, _WERE = (np.frombuffer(word, np.uint8) for word in (b"equals", b"are", b"were"))
_S = ord("s")
_MAX_STEP = 100  # Numbers of three digits in equal steps of up to this are a list.
# After one of these words or before one of these signs, 7,5 is a number and not two.
UNITS = (
    "m cm mm km dm kg g mg t l ml dl h hr hrs min s sec meter meters metre metres centimeter "
    "centimeters centimetre centimetres millimeter millimeters kilometer kilometers kilometre "
    "kilometres kilogram kilograms gram grams ton tons tonne tonnes liter liters litre litres "
    "hour hours minute minutes second seconds day days week weeks month months year years euro "
    "euros dollar dollars cent cents pound pounds ounce ounces oz lb lbs inch inches foot feet ft "
    "yard yards mile miles degree degrees percent per times million billion thousand hundred"
)
_UNITS = signed(*UNITS.encode().split())
OPERATORS = "+*"  # not /, as in the list 1/4,1/8
_OPERATORS = tuple(OPERATORS.encode())
PRODUCTS = "times", "cdot", "div"
_TIMES, _CDOT, _DIV = (np.frombuffer(word.encode(), np.uint8) for word in PRODUCTS)
_TEXT, _MATHRM = (np.frombuffer(word, np.uint8) for word in (b"\\text{", b"\\mathrm{"))
_SPACING = tuple(b",; ")  # After a backslash, these are blanks.


@borrowing
def list_end(text: Any, start: int, size: int) -> int:
    """Return the end of a list of numbers such as {2,310} and 120,135,150; 0 if it is a number."""
    while start > 1 and text[start - 1] == chars.COMMA and is_digit(text[start - 2]):
        start -= 1  # The list began before.
        while start > 0 and is_digit(text[start - 1]):
            start -= 1
    at, last, before_last, num_groups = start, 0, 0, 0
    is_even, has_zero, is_regular = True, False, True
    while True:
        first, value = at, 0
        while is_digit(text[at]):
            value = (10 * value + int(text[at] - chars.ZERO)) % 1_000_000
            at += 1
        if num_groups > 0:
            has_zero |= text[first] == chars.ZERO
            is_regular &= at - first == 3
        elif at - first > 3:
            is_regular = False
        is_even &= num_groups < 2 or value - last == last - before_last
        before_last, last = last, value
        num_groups += 1
        if text[at] != chars.COMMA or not is_digit(text[at + 1]):
            break
        at += 1
    if not is_regular or text[start] == chars.ZERO:
        return int(at)
    if has_zero:
        return 0
    is_list = _is_bracketed(text, start, at, size)
    if not is_list and num_groups > 2 and is_digit(text[start + 2]):
        is_list = is_even and abs(last - before_last) <= _MAX_STEP
        is_list = (
            is_list or _continues(text, start, at, size) or _is_announced(text, start, at, size)
        )
    return int(at) if is_list else 0


@borrowing
def _is_bracketed(text: Any, start: int, end: int, size: int) -> bool:
    """Return True if the numbers are an element or all elements of a bracketed list."""
    before = _before(text, start)
    opens = before >= 0 and text[before] in _BEFORE_LIST
    if opens and text[before] == chars.CURLY_LEFT and before > 0:
        opens = not (
            is_letter(text[before - 1])
            or text[before - 1] in (chars.CURLY_RIGHT, chars.CARET, chars.UNDERSCORE)
        )
    follows = before > 0 and text[before] == chars.COMMA and is_digit(text[before - 1])
    end = skip_blanks(text, end, size)
    closes = text[end] in _AFTER_LIST
    if text[end] == chars.BACKSLASH:
        closes = text[end + 1] == chars.CURLY_RIGHT or matches(text, end, _RBRACE)
        closes |= matches(text, end, _RIGHT)
    return (opens and (closes or text[end] == chars.COMMA)) or (follows and closes)


@borrowing
def _before(text: Any, start: int) -> int:
    """Return the place of the byte before a number, without blanks, or -1."""
    at = start - 1
    while at >= 0 and text[at] == chars.SPACE:
        at -= 1
    return int(at)


@borrowing
def _continues(text: Any, start: int, end: int, size: int) -> bool:
    """Return True if another number of a list precedes or follows, as in 120,135,150 and 165."""
    before = _before(text, start)
    if before > 0 and text[before] == chars.COMMA and is_digit(text[before - 1]):
        return True
    at = end
    if text[at] == chars.COMMA:
        at += 1
    at = skip_blanks(text, at, size)
    is_joined = at > end and text[end] == chars.COMMA
    if matches(text, at, _AND) or matches(text, at, _OR):
        at += 3 if text[at] == _OR[0] else 4
        is_joined = True
    if not is_joined:
        return False
    if matches(text, at, _DOTS) or matches(text, at, _LDOTS):
        return True
    first = at
    while is_digit(text[at]):
        at += 1
    is_long = text[at] == chars.COMMA and is_digit(text[at + 1])
    return 0 < at - first < 4 and not is_long


@borrowing
def _is_announced(text: Any, start: int, end: int, size: int) -> bool:
    """Return True after a colon or a plural, unless a noun follows, as in the sides 300,400,500."""
    if is_letter(text[skip_delimiters(text, end, size)]):
        return False
    at = skip_delimiters_back(text, start - 1)
    if at < 0:
        return False
    if text[at] == chars.COLON:
        return True
    last = at
    while at >= 0 and is_letter(text[at]):
        at -= 1
    if matches(text, at + 1, _EQUALS):
        return False
    is_plural = text[last] == _S and last - at > 4
    return is_plural or (last - at < 5 and _is_verb(text, at + 1))


@borrowing
def _is_verb(text: Any, at: int) -> bool:
    return matches(text, at, _ARE) or matches(text, at, _WERE)


@borrowing
def decimal_comma(text: Any, start: int, index: int, size: int) -> int:
    """Return the length of a comma before decimals, as in 1,25 and 7{,}5, or 0.

    The comma of a list, a pair or an interval is none, nor is one before a single digit unless a
    unit or an operator shows that it is one number, as in 7,5 m and 2 + 7,5.
    """
    width = 0
    if text[index] == chars.COMMA:
        width = 1
    elif text[index] == chars.CURLY_LEFT and text[index + 1] == chars.COMMA:
        width = 3 * int(text[index + 2] == chars.CURLY_RIGHT)
    if width == 0 or index == start or not is_digit(text[index + width]):
        return 0
    end = index + width
    while is_digit(text[end]):
        end += 1
    is_zero = text[start] == chars.ZERO and index == start + 1
    if width == 3:
        return 3
    num_digits = end - index - 1
    if num_digits > 2 and not is_zero:
        return 0
    if text[end] == chars.COMMA or (text[end] == chars.FULL_STOP and is_digit(text[end + 1])):
        return 0
    before = _before(text, start)
    if before >= 0 and text[before] in (chars.COMMA, chars.EQUAL):
        return 0
    if _is_bracketed(text, start, end, size) or _continues(text, start, end, size):
        return 0
    if (
        num_digits == 1
        and not is_zero
        and not _has_unit(text, end, size)
        and (is_within_brackets(text, start) or not _has_operator(text, before, end, size))
    ):
        return 0
    return 1


@borrowing
def _has_unit(text: Any, at: int, size: int) -> bool:
    """Return True if a unit, a percent sign or a degree sign follows."""
    at = _skip_spacing(text, at, size)
    if matches(text, at, _TEXT):
        at = skip_blanks(text, at + len(_TEXT), size)
    elif matches(text, at, _MATHRM):
        at = skip_blanks(text, at + len(_MATHRM), size)
    if text[at] == chars.PERCENT or is_degree(text[at]):
        return True
    if text[at] == chars.BACKSLASH and text[at + 1] == chars.PERCENT:
        return True
    value, first = SEED, at
    while LOWER[text[at]] != 0:
        value = (value ^ LOWER[text[at]]) * PRIME
        at += 1
    return bool(at > first and is_in(np.int64(mix(value)), _UNITS))


@borrowing
def _skip_spacing(text: Any, at: int, size: int) -> int:
    while True:
        at = skip_delimiters(text, at, size)
        if text[at] == chars.BACKSLASH and text[at + 1] in _SPACING:
            at = min(at + 2, size)
        elif text[at] == chars.TILDE:
            at += 1
        else:
            return at


@borrowing
def is_within_brackets(text: Any, start: int) -> bool:
    """Return True if a bracket is open nearby, as in the point (a + 1,2)."""
    depth = 0
    for at in range(start - 1, max(-1, start - _FAR), -1):
        if text[at] in _BEFORE_LIST:
            depth += 1
        elif text[at] in _CLOSING:
            depth -= 1
        if depth > 0:
            return True
    return False


@borrowing
def _has_operator(text: Any, before: int, end: int, size: int) -> bool:
    """Return True if a sign of a sum or a product is right before or after a number."""
    if before >= 0 and text[before] in _OPERATORS:
        return True
    at = _skip_spacing(text, end, size)
    if text[at] in _OPERATORS:
        return True
    if text[at] == chars.HYPHEN:
        return bool(text[at + 1] == chars.SPACE)
    if text[at] != chars.BACKSLASH:
        return False
    return (
        matches(text, at + 1, _TIMES) or matches(text, at + 1, _CDOT) or matches(text, at + 1, _DIV)
    )
