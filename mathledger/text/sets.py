r"""Read sets: {1, 2, 3} in plain text, and one sign for the bar or colon of {n | n > 3}."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.chars import is_digit, is_letter, matches, skip_blanks
from mathledger.text.hashing import signed
from mathledger.text.tokens import HASH, write_pieces

CURLY_LEFT_HASH, CURLY_RIGHT_HASH, _BAR_HASH, _COLON_HASH = (
    int(value) for value in signed(b"{", b"}", b"|", b":")
)
_OPENERS = signed(b"(", b"[", b"{")
_MAX_SET = 200  # Bytes.
MAX_ELEMENT = 8  # Tokens of an element before the bar.
MAX_DOMAIN = 40  # Bytes of its domain, as in {x \\in \\mathbb{Z} : x > 3}.
_BEFORE_SET = tuple(b" \n\t$=(,:")
_NOT_IN_SET = tuple(b"{\\$^_\n")
_DIVIDERS = chars.COLON, chars.BAR
_IN, _MID, _COLON = (np.frombuffer(word, np.uint8) for word in (b"\\in", b"\\mid", b":"))


@borrowing
def divides_set(state: Any, tokens: Any) -> bool:
    """Return True if the element of a set was just read, so that a bar or colon follows it."""
    at, first = state.num_tokens - 1, max(0, state.num_tokens - 1 - MAX_ELEMENT)
    if at < 0 or tokens[at, HASH] in (_OPENERS[0], _OPENERS[1], _OPENERS[2]):
        return False
    is_even = True
    while at >= first:
        own = tokens[at, HASH]
        if own == CURLY_LEFT_HASH:
            return is_even
        if own in (CURLY_RIGHT_HASH, _COLON_HASH):
            return False
        if own == _BAR_HASH:
            is_even = not is_even
        at -= 1
    return False


@borrowing
def divide_set(state: Any, scratch: Any, index: int) -> bool:
    """Write a colon if a bar or colon, which ends at `index`, divides a set; else return False."""
    if not divides_set(state, scratch.tokens):
        return False
    write_pieces(state, scratch, _COLON, 0, 1, (state.index, index))
    return True


@borrowing
def begins_set(text: Any, index: int, size: int) -> bool:
    """Return True if a brace begins a set in plain text, as in {1, 2, 3} and {n | n > 3}."""
    if index > 0 and text[index - 1] not in _BEFORE_SET:
        return False
    first = skip_blanks(text, index + 1, size)
    if text[first] == chars.HYPHEN:
        first += 1
    if not is_digit(text[first]) and not is_letter(text[first]):
        return False
    has_comma = False
    for at in range(first, min(size, first + _MAX_SET)):
        byte = text[at]
        if byte == chars.CURLY_RIGHT:
            return has_comma or _is_divided(text, first, size)
        if byte in _NOT_IN_SET:
            return _is_divided(text, first, size)
        has_comma |= byte == chars.COMMA
    return False


@borrowing
def _is_divided(text: Any, first: int, size: int) -> bool:
    r"""Return True if a letter, perhaps with its domain, and a bar or colon begin here."""
    if not is_letter(text[first]) or is_letter(text[first + 1]):
        return False
    at = skip_blanks(text, first + 1, size)
    if matches(text, at, _IN):
        end = min(size, at + MAX_DOMAIN)
        while at < end and text[at] not in _DIVIDERS and not matches(text, at, _MID):
            at += 1
    return bool(at < size and (text[at] in _DIVIDERS or matches(text, at, _MID)))
