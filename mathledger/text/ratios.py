r"""Distinguish a ratio (3 : 4, a:b) from a colon that ends a clause or belongs to f: A \\to B."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.chars import (
    is_digit,
    is_letter,
    matches,
    skip_delimiters,
    skip_delimiters_back,
)

_TO, _ARROW, _MAPS = (
    np.frombuffer(word, np.uint8) for word in (b"\\to", b"\\rightarrow", b"\\mapsto")
)


@borrowing
def is_ratio(text: Any, left: int, right: int, size: int, of_names: bool) -> bool:
    """Return True if the colon between two bytes of the text separates numbers or names.

    Args:
        left: Place of the byte before the colon, or -1.
        right: Place of the byte after the colon.
        size: Length of the text.
        of_names: Whether names may be meant; then blanks are on both sides or on neither.
    """
    begin, end = left, right
    left, right = skip_delimiters_back(text, left), skip_delimiters(text, right, size)
    has_left, has_right = left < begin, right > end
    if left < 0:
        return False
    if is_digit(text[left]):
        return is_digit(text[right])
    if not of_names or has_left != has_right:
        return False
    if not is_letter(text[left]) or not is_letter(text[right]):
        return False
    if _is_long_word(text, left, -1) or _is_long_word(text, right, 1):
        return False
    while is_letter(text[right]):
        right += 1
    right = skip_delimiters(text, right, size)
    return not (
        matches(text, right, _TO) or matches(text, right, _ARROW) or matches(text, right, _MAPS)
    )


@borrowing
def _is_long_word(text: Any, at: int, step: int) -> bool:
    """Return True if the run of letters that begins or ends here is not a name like a or AB."""
    count, num_small = 0, 0
    while at >= 0 and is_letter(text[at]):
        count += 1
        num_small += int(text[at] >= chars.SMALL_A)
        at += step
    return num_small > 0 and count > 1
