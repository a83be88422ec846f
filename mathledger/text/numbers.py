"""Read numbers with their thousands separators and decimals."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars
from mathledger.text.braces import end_argument
from mathledger.text.chars import (
    is_degree,
    is_digit,
    is_letter,
    matches,
    skip_blanks,
    skip_delimiters,
    skip_delimiters_back,
)
from mathledger.text.hashing import hash_span
from mathledger.text.shapes import SCRIPTS
from mathledger.text.state import emit
from mathledger.text.tokens import FLAGS, FUNCTION, HASH, NUMBER

_BEFORE_LIST = chars.ROUND_LEFT, chars.SQUARE_LEFT, chars.CURLY_LEFT
_AFTER_LIST = chars.ROUND_RIGHT, chars.SQUARE_RIGHT, chars.CURLY_RIGHT, chars.BACKSLASH
_AND, _OR, _DOTS, _LDOTS, _RBRACE = (
    np.frombuffer(word, np.uint8) for word in (b"and ", b"or ", b"...", b"\\ldots", b"\\rbrace")
)
_EQUALS, _ARE, _WERE = (np.frombuffer(word, np.uint8) for word in (b"equals", b"are", b"were"))
_S = ord("s")
# Macros of an operand.
OPERANDS = ("frac", "dfrac", "tfrac", "sqrt", "left", "big", "pi", "alpha", "beta", "theta")
_OPERANDS = np.frombuffer("".join(OPERANDS).encode(), np.uint8)
_OPERAND_ENDS = np.cumsum([0, *map(len, OPERANDS)])
_MAX_STEP = 100  # Numbers of three digits in equal steps of up to this are a list.


@inlined
def begins_number(text: Any, index: int, byte_class: Any) -> bool:
    """Return True at a digit, and at a point before a digit unless it ends another number."""
    if byte_class == chars.DIGIT:
        return True
    if byte_class != chars.POINT or not is_digit(text[index + 1]):
        return False
    return index == 0 or not (is_digit(text[index - 1]) or text[index - 1] == chars.FULL_STOP)


@inlined
def read_number(state: Any, scratch: Any, byte: Any, byte_class: Any) -> None:
    r"""Read the number that begins with this byte; a macro's argument without braces is one digit.

    1,000 and 1{,}000 are spelled 1000; .50 is spelled 0.5.
    """
    text, spellings = scratch.text, scratch.spellings
    index, end, owed = state.index, state.num_spelled, state.owed[state.depth]
    is_list = False
    if byte_class == chars.POINT:
        spellings[end] = chars.ZERO
        end += 1
    elif owed > 0 or _is_one_digit(state, scratch.tokens, text):  # As in \frac12 and \log_264.
        spellings[end] = byte
        end += 1
        index += 1
    else:
        index, end = _copy_digits(text, index, spellings, end)
        if byte != chars.ZERO:
            index, end, is_list = _read_thousands(state, text, index, spellings, end)
    if byte_class == chars.POINT or (owed == 0 and not is_digit(text[index])):
        mark = index
        if _is_decimal_comma(text, state.index, index, state.size) and not is_list:
            mark = -1
        if mark < 0 or (text[index] == chars.FULL_STOP and is_digit(text[index + 1])):
            spellings[end] = chars.FULL_STOP
            index, end = _copy_digits(text, index + 1, spellings, end + 1)
            while spellings[end - 1] == chars.ZERO:
                end -= 1
            if spellings[end - 1] == chars.FULL_STOP:
                end -= 1
    value = hash_span(spellings, state.num_spelled, end)
    emit(state, scratch, value, NUMBER, end, index, state.sentence)
    state.sentence = 0
    if owed > 0:
        state.owed[state.depth] = owed - 1
        end_argument(state, scratch)


@borrowing
def _is_one_digit(state: Any, tokens: Any, text: Any) -> bool:
    r"""Return True where one digit is the index or exponent of a function, as in \log_264.

    In log_10 x and log_10(x), which have an operand, all digits are.
    """
    last, at = state.num_tokens - 1, state.index
    if last < 1 or not state.is_glued or not tokens[last - 1, FLAGS] & FUNCTION:
        return False
    if tokens[last, HASH] not in SCRIPTS:
        return False
    while is_digit(text[at]):
        at += 1
    if at - state.index < 2 or (text[at] == chars.FULL_STOP and is_digit(text[at + 1])):
        return False
    at = skip_blanks(text, at, state.size)
    if text[at] != chars.BACKSLASH:
        return not (
            is_digit(text[at])
            or (is_letter(text[at]) and not is_degree(text[at]))
            or text[at] in (chars.ROUND_LEFT, chars.CURLY_LEFT)
        )
    for number in range(len(_OPERAND_ENDS) - 1):
        first, end = _OPERAND_ENDS[number], _OPERAND_ENDS[number + 1]
        if matches(text, at + 1, _OPERANDS[first:end]):
            return False
    return True


@borrowing
def _copy_digits(text: Any, index: int, spellings: Any, end: int) -> tuple[int, int]:
    while is_digit(text[index]):
        spellings[end] = text[index]
        end += 1
        index += 1
    return index, end


@inlined
def _read_thousands(
    state: Any, text: Any, index: int, spellings: Any, end: int
) -> tuple[int, int, bool]:
    """Continue a number across thousands separators.

    Returns:
        The ends in text and in spellings, and whether a list of numbers begins here instead.
    """
    is_list, is_checked = index < state.list_end, False
    while not is_list:
        width = _separator(text, index)
        if width == 0:
            break
        if width == 1 and not is_checked:
            list_end = _list_end(text, state.index, state.size)
            is_checked, is_list = True, list_end > 0
            if is_list:
                state.list_end = list_end
                break
        for step in range(width, width + 3):
            spellings[end] = text[index + step]
            end += 1
        index += width + 3
    return index, end, is_list


@borrowing
def _list_end(text: Any, start: int, size: int) -> int:
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


@inlined
def _is_decimal_comma(text: Any, start: int, index: int, size: int) -> bool:
    """Return True at the comma of a decimal, as in 1,25, but not in a list or a pair."""
    if text[index] != chars.COMMA or index == start:
        return False
    end = index + 1
    while is_digit(text[end]):
        end += 1
    is_zero = text[start] == chars.ZERO and index == start + 1
    if end - index != 3 and not (is_zero and end - index > 1):
        return False
    if text[end] == chars.COMMA or (text[end] == chars.FULL_STOP and is_digit(text[end + 1])):
        return False
    before = _before(text, start)
    if before >= 0 and text[before] in (chars.COMMA, chars.EQUAL):
        return False
    if _is_bracketed(text, start, end, size):
        return False
    return not _continues(text, start, end, size)


@borrowing
def _separator(text: Any, at: int) -> int:
    r"""Return the length of a thousands separator before exactly three digits, or 0.

    The separators are , {,} \, \! ,\! {\,} and, in JSON, ,\\!
    """
    one, two, three = text[at], text[at + 1], text[at + 2]
    width = 0
    if two == chars.BACKSLASH and three == chars.BACKSLASH and one == chars.COMMA:
        is_doubled = text[at + 3] == chars.BANG and _has_three(text, at + 4)
        return 4 if is_doubled else 0
    if one == chars.COMMA:
        width = 3 if two == chars.BACKSLASH and three == chars.BANG else 1
    elif one == chars.BACKSLASH and two in (chars.COMMA, chars.BANG):
        width = 2
    elif one == chars.CURLY_LEFT:
        if two == chars.COMMA and three == chars.CURLY_RIGHT:
            width = 3
        elif two == chars.BACKSLASH and three == chars.COMMA and text[at + 3] == chars.CURLY_RIGHT:
            width = 4
    if width == 0:
        return 0
    return width if _has_three(text, at + width) else 0


@borrowing
def _has_three(text: Any, at: int) -> bool:
    """Return True if exactly three digits begin here."""
    for step in range(3):
        if not is_digit(text[at + step]):
            return False
    return not is_digit(text[at + 3])
