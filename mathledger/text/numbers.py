"""Read numbers with their thousands separators and decimals."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars
from mathledger.text.bars import append
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
from mathledger.text.commas import decimal_comma, list_end
from mathledger.text.hashing import hash_span, signed
from mathledger.text.shapes import SCRIPTS, is_in
from mathledger.text.state import emit
from mathledger.text.tokens import (
    BEGIN,
    END,
    FLAGS,
    FROM,
    FUNCTION,
    HASH,
    KIND,
    NUMBER,
    OPERATOR,
    STAR_HASH,
    TO,
    UNDERSCORE_HASH,
    WORD,
    write_pieces,
)

_BANG_HASH = int(signed(b"!")[0])

# Macros of an operand.
OPERANDS = ("frac", "dfrac", "tfrac", "sqrt", "left", "big", "pi", "alpha", "beta", "theta")
_OPERANDS = np.frombuffer("".join(OPERANDS).encode(), np.uint8)
_OPERAND_ENDS = np.cumsum([0, *map(len, OPERANDS)])
_TEN, _AND, _OF = (np.frombuffer(each, np.uint8) for each in (b"* 10 ^", b"and ", b"of "))
_OVERLINE = np.frombuffer(rb"\overline", np.uint8)
_SCRIPTS = chars.CARET, chars.UNDERSCORE
_E = ord("e")
# Letters that between two numbers are no names, as in 9C4, 9P4 and 3e5.
AFTER_NUMBERS = "cpe"
_AFTER_NUMBERS = signed(*(letter.encode() for letter in AFTER_NUMBERS))


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

    1,000, 1{,}000 and 1 000 are spelled 1000; .50 is spelled 0.5; 3.2e5 is 3.2 * 10 ^ 5.
    """
    text, spellings = scratch.text, scratch.spellings
    index, end, owed = state.index, state.num_spelled, state.owed[state.depth]
    is_list, power = False, 0
    if state.is_glued and state.num_tokens > 0:
        _multiply_factorial(state, scratch)
        if owed == 0 and _follows_name(state, scratch.tokens):
            append(state, scratch, chars.UNDERSCORE, UNDERSCORE_HASH, OPERATOR, state.index - 1)
        end = state.num_spelled
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
        width = int(text[index] == chars.FULL_STOP and is_digit(text[index + 1]))
        if width == 0 and not is_list and state.index >= state.rows_end:
            width = decimal_comma(text, state.index, index, state.size)
        if width > 0:
            spellings[end] = chars.FULL_STOP
            index, end = _copy_digits(text, index + width, spellings, end + 1)
            while spellings[end - 1] == chars.ZERO:
                end -= 1
            if spellings[end - 1] == chars.FULL_STOP:
                end -= 1
            power = _power_of_ten(text, index)
    value = hash_span(spellings, state.num_spelled, end)
    emit(state, scratch, value, NUMBER, end, index, state.sentence)
    state.sentence = 0
    if power > 0:
        write_pieces(state, scratch, _TEN, 0, len(_TEN), (index, power))
    if owed > 0:
        state.owed[state.depth] = owed - 1
        end_argument(state, scratch)


@borrowing
def _multiply_factorial(state: Any, scratch: Any) -> None:
    """Write the product sign of 3!5! if the last token, right before the number, is a factorial."""
    if scratch.tokens[state.num_tokens - 1, HASH] == _BANG_HASH:
        append(state, scratch, chars.STAR, STAR_HASH, OPERATOR, state.index - 1)


@borrowing
def _follows_name(state: Any, tokens: Any) -> bool:
    """Return True right after a name, as in x1 + x2, but not in x^n2, 9C4 and 3e5."""
    last = state.num_tokens - 1
    token = tokens[last]
    if token[KIND] != WORD or token[TO] - token[FROM] != 1 or token[END] != state.index:
        return False
    if token[END] - token[BEGIN] != 1 or last == 0:
        return bool(token[END] - token[BEGIN] == 1)
    if tokens[last - 1, HASH] in SCRIPTS:
        return False
    return not (tokens[last - 1, KIND] == NUMBER and is_in(token[HASH], _AFTER_NUMBERS))


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
    if not is_list and is_digit(text[index + 1]) and text[index] in (chars.SPACE, chars.FULL_STOP):
        stop = index
        if state.index >= state.rows_end and state.matrices == 0:
            stop = _spaced_end(text, state.index, index, state.size)
        for at in range(index + 1, stop):
            if (at - index) % 4 > 0:
                spellings[end] = text[at]
                end += 1
        return stop, end, is_list
    while not is_list:
        width = _separator(text, index)
        if width == 0:
            break
        if width == 1 and text[index] == chars.COMMA and not is_checked:
            found = list_end(text, state.index, state.size)
            is_checked, is_list = True, found > 0
            if is_list:
                state.list_end = found
                break
        for step in range(width, width + 3):
            spellings[end] = text[index + step]
            end += 1
        index += width + 3
    return index, end, is_list


@borrowing
def _spaced_end(text: Any, start: int, index: int, size: int) -> int:
    """Return the end of a number with blanks or points between its thousands, or `index`.

    Points need two groups, as in 12.500.000. Blanks need a group that begins with a zero, or a word
    after the number, as in 12 000 and 45 600 books; 12 350 may be two numbers.
    """
    if index - start > 3:
        return index
    mark, at, has_zero = text[index], index, False
    while text[at] == mark and _has_three(text, at + 1):
        has_zero |= text[at + 1] == chars.ZERO
        at += 4
    if mark == chars.FULL_STOP:
        return at if at > index + 4 else index
    before = skip_delimiters_back(text, start - 1)
    if text[at] == chars.SLASH:
        return index
    if before >= 0 and (is_digit(text[before]) or text[before] in _SCRIPTS):
        return index
    after = skip_delimiters(text, at, size)
    is_noun = after > at and not matches(text, after, _AND)
    for step in range(3):
        is_noun = is_noun and is_letter(text[after + step])
    is_noun |= after > at and matches(text, after, _OF)
    return at if has_zero or is_noun else index


@borrowing
def _power_of_ten(text: Any, index: int) -> int:
    """Return where the exponent of a number such as 3.2e5 and 4.5E-3 begins, or 0."""
    if text[index] | 0x20 != _E:
        return 0
    sign = text[index + 1]
    first = index + 1 + int(sign == chars.PLUS)
    at = first + int(sign == chars.HYPHEN)
    end = at
    while is_digit(text[end]):
        end += 1
    return first if 0 < end - at < 4 and not is_letter(text[end]) else 0


@borrowing
def _separator(text: Any, at: int) -> int:
    r"""Return the length of a thousands separator before exactly three digits, or 0.

    The separators are , ' {,} \, \! ,\! {\,} and, in JSON, ,\\!
    """
    one, two, three = text[at], text[at + 1], text[at + 2]
    width = 0
    if two == chars.BACKSLASH and three == chars.BACKSLASH and one == chars.COMMA:
        is_doubled = text[at + 3] == chars.BANG and _has_three(text, at + 4)
        return 4 if is_doubled else 0
    if one == chars.APOSTROPHE:
        width = 1
    elif one == chars.COMMA:
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


@borrowing
def read_repeating(state: Any, scratch: Any) -> bool:
    r"""Read the digits in brackets after the decimal point here: 0.(36) is 0.\overline{36}."""
    text, index = scratch.text, state.index
    first = end = index + 2
    if index == 0 or not is_digit(text[index - 1]):
        return False
    while is_digit(text[end]):
        end += 1
    if end == first or text[end] != chars.ROUND_RIGHT:
        return False
    write_pieces(state, scratch, _OVERLINE, 0, len(_OVERLINE), (index, first))
    write_pieces(state, scratch, text, first, end, (first, end))
    state.index = end + 1
    return True
