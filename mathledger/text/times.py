"""Read the halves of a day: 9:15 a.m. is 9:15 AM."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.chars import is_letter
from mathledger.text.tokens import KIND, NUMBER, write_pieces

_M, _P = b"mp"
_HALVES = np.frombuffer(b"ampm", np.uint8)


@borrowing
def read_time(state: Any, scratch: Any) -> bool:
    """Read a.m. or p.m. after a number; return False if neither is here."""
    text, index, last = scratch.text, state.index, state.num_tokens - 1
    letter = text[index] | 0x20
    if last < 0 or scratch.tokens[last, KIND] != NUMBER or letter not in (chars.SMALL_A, _P):
        return False
    if text[index + 2] | 0x20 != _M or is_letter(text[index + 3]):
        return False
    first = 0 if letter == chars.SMALL_A else 2
    end = min(index + 3 + int(_goes_on(text, index + 3)), state.size)
    write_pieces(state, scratch, _HALVES, first, first + 2, (index, end))
    return True


@borrowing
def _goes_on(text: Any, index: int) -> bool:
    """Return True at a full stop if the sentence goes on with a small letter."""
    if text[index] != chars.FULL_STOP or text[index + 1] != chars.SPACE:
        return False
    return bool(chars.SMALL_A <= text[index + 2] < chars.SMALL_A + 26)
