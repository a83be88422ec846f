r"""Read numbers in words: two hundred and five, 3.5 million, half a dozen, two thirds, third."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.chars import is_digit, is_letter, matches, skip_blanks
from mathledger.text.hashing import hash_span, signed
from mathledger.text.tokens import (
    ARTICLE,
    BEGIN,
    END,
    FLAGS,
    FROM,
    HASH,
    KIND,
    NUMBER,
    NUMBER_WORD,
    TO,
    move,
    write_pieces,
)

_MAX = 10**15
_AND, _ONE = (int(value) for value in signed(b"and", b"one"))
_DOZEN, _A, _HUNDRED = (np.frombuffer(word, np.uint8) for word in (b"dozen", b"a ", b"hundred"))
# Before one of these words, a third is a fraction.
AFTER_PART = "of as have are were"
_AFTER_PART = np.frombuffer("".join(f"{word} " for word in AFTER_PART.split()).encode(), np.uint8)
_AFTER_PART_ENDS = np.cumsum([0, *(len(word) + 1 for word in AFTER_PART.split())])
_HALF, _SIX, _TH, _BAR = (np.frombuffer(word, np.uint8) for word in (b"1 / 2", b"6", b"th", b"/ "))


@borrowing
def _is_joined(text: Any, end: int, begin: int) -> bool:
    """Return True if only blanks and hyphens are between two words."""
    for at in range(end, begin):
        if text[at] != chars.SPACE and text[at] != chars.HYPHEN:
            return False
    return True


@borrowing
def _value(token: Any, spellings: Any) -> int:
    """Return the value of a whole number, or -1 if it has decimals or is too large."""
    value = 0
    if token[TO] - token[FROM] > 15:
        return -1
    for at in range(token[FROM], token[TO]):
        if not is_digit(spellings[at]):
            return -1
        value = 10 * value + int(spellings[at]) - chars.ZERO
    return value


@borrowing
def _spell(digits: int, spellings: Any, first: int) -> int:
    """Write a number; return where it ends."""
    size, rest = 1, digits
    while rest > 9:
        rest //= 10
        size += 1
    for at in range(first + size - 1, first - 1, -1):
        spellings[at] = chars.ZERO + digits % 10
        digits //= 10
    return first + size


@borrowing
def _respell(state: Any, scratch: Any, at: int, value: int, index: int) -> None:
    """Make the token at `at` the last one, a number in words that ends before `index`."""
    tokens, first = scratch.tokens, state.num_spelled
    end = _spell(value, scratch.spellings, first)
    tokens[at, HASH] = np.int64(hash_span(scratch.spellings, first, end))
    tokens[at, KIND], tokens[at, FROM], tokens[at, TO] = NUMBER, first, end
    tokens[at, FLAGS] = (tokens[at, FLAGS] & ~ARTICLE) | NUMBER_WORD
    tokens[at, END] = index
    state.num_tokens, state.num_spelled = at + 1, end
    state.index, state.is_glued = index, True


@borrowing
def add(state: Any, scratch: Any, value: int, index: int) -> bool:
    """Add a number below 100 to the number word before it, as in two hundred and five."""
    tokens, text, at = scratch.tokens, scratch.text, state.num_tokens - 1
    if at < 0 or not _is_joined(text, tokens[at, END], state.index):
        return False
    is_after_and = at > 0 and tokens[at, HASH] == _AND
    if is_after_and:
        at -= 1
        if not _is_joined(text, tokens[at, END], tokens[at + 1, BEGIN]):
            return False
        if matches(text, skip_blanks(text, index, state.size), _HUNDRED):
            return False  # As in two hundred and five hundred.
    if not tokens[at, FLAGS] & NUMBER_WORD:
        return False
    old = _value(tokens[at], scratch.spellings)
    is_ten = not is_after_and and value < 10 and old % 100 > 10 and old % 10 == 0
    if old < 0 or not (is_ten or (old >= 100 and old % 100 == 0)):
        return False
    _respell(state, scratch, at, old + value, index)
    return True


@borrowing
def multiply(state: Any, scratch: Any, scale: int, index: int) -> bool:
    """Multiply the number before a scale, as in 3.5 million, two dozen and a hundred."""
    tokens, at = scratch.tokens, state.num_tokens - 1
    if at < 0 or not _is_joined(scratch.text, tokens[at, END], state.index):
        return False
    token = tokens[at]
    if token[HASH] == _ONE or token[FLAGS] & ARTICLE:
        _respell(state, scratch, at, scale, index)
        return True
    if token[KIND] != NUMBER:
        return False
    if not token[FLAGS] & NUMBER_WORD:
        product = _times(token, scratch.spellings, scale)
        if product < 0:
            return False
        _respell(state, scratch, at, product, index)
        tokens[at, FLAGS] &= ~NUMBER_WORD
        return True
    old = _value(token, scratch.spellings)
    part = old if scale == 12 else old % scale
    if part <= 0 or old > _MAX // scale:
        return False
    _respell(state, scratch, at, old - part + part * scale, index)
    return True


@borrowing
def _times(token: Any, spellings: Any, scale: int) -> int:
    """Return a number in digits times the scale, or -1 if that is not a whole number."""
    value, shift, in_decimals = 0, 1, False
    if token[TO] - token[FROM] > 8:
        return -1
    for at in range(token[FROM], token[TO]):
        if spellings[at] == chars.FULL_STOP:
            in_decimals = True
            continue
        value = 10 * value + int(spellings[at]) - chars.ZERO
        if in_decimals:
            shift *= 10
    return -1 if value * scale % shift or value == 0 else value * scale // shift


@borrowing
def half(state: Any, scratch: Any, index: int) -> bool:
    """Read "half" as 1/2, also after "and a", and half a dozen as 6; return False for half-open."""
    tokens, text = scratch.tokens, scratch.text
    begin, at = state.index, skip_blanks(text, index + int(text[index] == chars.HYPHEN), state.size)
    if matches(text, at, _A):
        at = skip_blanks(text, at + len(_A), state.size)
    if matches(text, at, _DOZEN) and not is_letter(text[at + len(_DOZEN)]):
        write_pieces(state, scratch, _SIX, 0, len(_SIX), (begin, at + len(_DOZEN)))
        return True
    if text[index] == chars.HYPHEN and is_letter(text[index + 1]):
        return False
    last = state.num_tokens - 1
    if last >= 0 and _is_joined(text, tokens[last, END], begin):
        is_a = tokens[last, FLAGS] & ARTICLE
        if tokens[last, HASH] == _ONE or is_a:
            state.num_tokens -= 1
            begin = tokens[last, BEGIN]
            is_sum = last > 1 and tokens[last - 1, HASH] == _AND
            if is_a and is_sum and tokens[last - 2, KIND] == NUMBER:
                state.num_tokens -= 1  # As in two and a half.
            elif is_a and is_sum and tokens[last - 2, HASH] == _ONE:
                _respell(state, scratch, last - 2, 1, index)
    write_pieces(state, scratch, _HALF, 0, len(_HALF), (begin, index))
    return True


@borrowing
def part(state: Any, scratch: Any, value: int, index: int, is_quarter: bool) -> bool:
    """Read a third as 1/3, two thirds as 2/3, twenty-third as 23 th and third as 3 th.

    A quarter is a coin unless "of", "as" or a hyphen makes it a fraction.
    """
    tokens, text, at = scratch.tokens, scratch.text, state.num_tokens - 1
    begin = state.index
    is_plural = text[index - 1] == _S
    after = skip_blanks(text, index, state.size)
    of_follows = after > index and _shows_part(text, after)
    of_follows = of_follows or (is_quarter and begin > 0 and text[begin - 1] == chars.HYPHEN)
    if not of_follows and not is_plural and _ends_mixed(tokens, at, text, begin):
        _respell(state, scratch, at, 1, index)  # As in three and a quarter.
        tokens[at, FLAGS] &= ~NUMBER_WORD
        move(tokens, at, at - 1)
        state.num_tokens -= 1
        _denominator(state, scratch, value, begin, index)
        return True
    if at >= 0 and _is_joined(text, tokens[at, END], begin) and (of_follows or not is_quarter):
        is_one = tokens[at, HASH] == _ONE or (tokens[at, FLAGS] & ARTICLE and of_follows)
        number = -1
        if tokens[at, KIND] == NUMBER:
            number = _value(tokens[at], scratch.spellings)
        if is_one and not is_plural:
            _respell(state, scratch, at, 1, index)
            number, is_plural = 1, True
        if number == 1 or (number > 0 and is_plural):
            _denominator(state, scratch, value, begin, index)
            return True
        is_ten = number % 100 > 10 and number % 10 == 0 and tokens[at, FLAGS] & NUMBER_WORD
        if is_ten and value < 10:
            _respell(state, scratch, at, number + value, index)
            write_pieces(state, scratch, _TH, 0, len(_TH), (begin, index))
            return True
    if is_quarter:
        return False
    first = state.num_spelled
    end = _spell(value, scratch.spellings, first)
    state.num_spelled = end
    write_pieces(state, scratch, scratch.spellings, first, end, (begin, index))
    write_pieces(state, scratch, _TH, 0, len(_TH), (begin, index))
    return True


_S = ord("s")


@borrowing
def _shows_part(text: Any, index: int) -> bool:
    for number in range(len(_AFTER_PART_ENDS) - 1):
        first, end = _AFTER_PART_ENDS[number], _AFTER_PART_ENDS[number + 1]
        if matches(text, index, _AFTER_PART[first:end]):
            return True
    return False


@borrowing
def _ends_mixed(tokens: Any, at: int, text: Any, begin: int) -> bool:
    """Return True if a number, the word and, and an article end before `begin`."""
    if at < 2 or not tokens[at, FLAGS] & ARTICLE or tokens[at - 1, HASH] != _AND:
        return False
    if tokens[at - 2, KIND] != NUMBER or not _is_joined(text, tokens[at, END], begin):
        return False
    return _is_joined(text, tokens[at - 2, END], tokens[at - 1, BEGIN])


@borrowing
def _denominator(state: Any, scratch: Any, value: int, begin: int, index: int) -> None:
    write_pieces(state, scratch, _BAR, 0, len(_BAR), (begin, index))
    first = state.num_spelled
    end = _spell(value, scratch.spellings, first)
    state.num_spelled = end
    write_pieces(state, scratch, scratch.spellings, first, end, (begin, index))
