"""Read numbers with their thousands separators and decimals."""

from typing import Any

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars
from mathledger.text.chars import is_digit
from mathledger.text.hashing import hash_span
from mathledger.text.state import emit
from mathledger.text.tokens import NUMBER

_LEFT_BRACKETS = chars.ROUND_LEFT, chars.SQUARE_LEFT
_RIGHT_BRACKETS = chars.ROUND_RIGHT, chars.SQUARE_RIGHT


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
    if byte_class == chars.POINT:
        spellings[end] = chars.ZERO
        end += 1
    elif owed > 0:  # As in \frac12.
        spellings[end] = byte
        end += 1
        index += 1
    else:
        index, end = _copy_digits(text, index, spellings, end)
        if byte != chars.ZERO:
            index, end = _read_thousands(text, state.index, index, spellings, end)
    if owed > 0:
        state.owed[state.depth] = owed - 1
    elif text[index] == chars.FULL_STOP and is_digit(text[index + 1]):
        spellings[end] = chars.FULL_STOP
        index, end = _copy_digits(text, index + 1, spellings, end + 1)
        while spellings[end - 1] == chars.ZERO:
            end -= 1
        if spellings[end - 1] == chars.FULL_STOP:
            end -= 1
    value = hash_span(spellings, state.num_spelled, end)
    emit(state, scratch, value, NUMBER, end, index, state.sentence)
    state.sentence = 0


@borrowing
def _copy_digits(text: Any, index: int, spellings: Any, end: int) -> tuple[int, int]:
    while is_digit(text[index]):
        spellings[end] = text[index]
        end += 1
        index += 1
    return index, end


@borrowing
def _read_thousands(text: Any, start: int, index: int, spellings: Any, end: int) -> tuple[int, int]:
    """Continue the number that began at `start` across thousands separators."""
    while True:
        width = _separator(text, index)
        if width == 0:
            break
        if width == 1 and start > 0:  # In brackets, as in (100,200), the comma separates a pair.
            before, after = text[start - 1], text[index + 4]
            if before in _LEFT_BRACKETS and after in _RIGHT_BRACKETS:
                break
        for step in range(width, width + 3):
            spellings[end] = text[index + step]
            end += 1
        index += width + 3
    return index, end


@borrowing
def _separator(text: Any, at: int) -> int:
    r"""Return the length of a thousands separator before exactly three digits, or 0.

    The separators are , {,} \, \! ,\! and {\,}.
    """
    one, two, three = text[at], text[at + 1], text[at + 2]
    width = 0
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
    for step in range(3):
        if not is_digit(text[at + width + step]):
            return 0
    return 0 if is_digit(text[at + width + 3]) else width
