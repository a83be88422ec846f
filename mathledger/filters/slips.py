"""Tell a misspelt word from another word: accumilated is accumulated, produce is not product."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, borrowing_kernel

# Letters of five bits each, the first one lowest; longer words have no slips.
MAX_LETTERS, _BITS, _MASK = 12, np.uint64(5), np.uint64(31)
KNOWN = np.uint64(1 << 60)  # The word lists have the word.
# In a shorter word, a letter more or less, another letter, or two slips often make another word:
# plan and plane, product and produce, hexagon and heptagon.
MIN_EXTRA, MIN_OTHER, MIN_TWO = 6, 8, 9
MIN_PART = 3  # Letters of the parts of a joined word.


@borrowing_kernel
def pack(spell: Any, start: int, end: int) -> Any:
    """Return the letters of a word in one number, or 0 if it is too long or has other signs."""
    packed, shift = np.uint64(0), np.uint64(0)
    if end - start > MAX_LETTERS:
        return packed
    for at in range(start, end):
        letter = spell[at] | np.uint8(32)
        if not 97 <= letter <= 122:
            return np.uint64(0)
        packed |= np.uint64(letter - np.uint8(96)) << shift
        shift += _BITS
    return packed


@borrowing
def _letter(packed: Any, at: int) -> Any:
    return packed >> (np.uint64(at) * _BITS) & _MASK


@borrowing
def _length(packed: Any) -> int:
    size = 0
    while size < MAX_LETTERS and _letter(packed, size) != 0:
        size += 1
    return size


@borrowing_kernel
def is_joined(one: Any, first: Any, second: Any) -> bool:
    """Return True if a word consists of two others, which have more than two letters each."""
    if one == 0 or first == 0 or second == 0:
        return False
    one, first, second = one & ~KNOWN, first & ~KNOWN, second & ~KNOWN
    size = _length(first)
    if size < MIN_PART or _length(second) < MIN_PART or size + _length(second) > MAX_LETTERS:
        return False
    return bool(one == first | second << np.uint64(size) * _BITS)


@borrowing_kernel
def is_slip(one: Any, other: Any) -> bool:
    """Return True if two words are one word, misspelt.

    The first letters must be equal, because a letter before a word often negates it. The words have
    one letter more or less, another one, two swapped ones, or two of these in a long word.
    """
    if one == 0 or other == 0 or (one & KNOWN != 0 and other & KNOWN != 0):
        return False
    left, right = _length(one), _length(other)
    if left < right:
        one, other, left, right = other, one, right, left
    if left < MIN_EXTRA or left - right > 2 or _letter(one, 0) != _letter(other, 0):
        return False
    edits, i, j = 0, 1, 1
    while i < left and j < right:
        if _letter(one, i) == _letter(other, j):
            i, j = i + 1, j + 1
            continue
        edits += 1
        is_swap = i + 1 < left and j + 1 < right
        is_swap = is_swap and _letter(one, i) == _letter(other, j + 1)
        if is_swap and _letter(one, i + 1) == _letter(other, j):
            i, j = i + 2, j + 2
        elif left - i > right - j:
            i += 1
        elif left - i < right - j:
            j += 1
        else:
            if left < MIN_OTHER:
                return False
            i, j = i + 1, j + 1
    edits += left - i + right - j
    return edits == 1 or (edits == 2 and right >= MIN_TWO)
