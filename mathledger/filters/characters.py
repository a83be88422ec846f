r"""Count the letters, digits, foreign-script, broken, visible and all characters of texts.

>>> count(pa.array(["Find $x^2$.", "求 x 的值"]))[:, FOREIGN].tolist()
[0, 3]
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.core.kernels import kernel
from mathledger.core.strings import U8, text_bytes

# The columns of the array that `count` returns.
LETTERS, DIGITS, FOREIGN, BROKEN, VISIBLE, ALL = range(6)
# Classes of characters. A _FOREIGN letter, neither Latin nor Greek, also counts under LETTERS.
_OTHER, _LETTER, _DIGIT, _FOREIGN, _BROKEN, _BLANK = range(6)
_NUM_CODES = 0x110000
# Counts are packed into one integer, with these bits for each class but _OTHER.
_BITS = 12
_MAX_PACKED = (1 << _BITS) - 1
_ONE = np.array([0, *(1 << _BITS * place for place in range(5))])

# Matches a printed Python or JSON structure in place of a plain text.
PRINTED = r"""^(?:\[\s*)?\{\s*(?:'[A-Za-z_]+'|"[A-Za-z_]+")\s*:\s*['"\[{\d](?s:.*)\}(?:\s*\])?$"""


@cache
def _classes() -> U8:
    """Return the class of each code point, shape (0x110000,)."""
    classes = np.full(_NUM_CODES, _OTHER, np.uint8)
    for code in range(0xC0, 0x32400):
        if chr(code).isalpha():
            classes[code] = _FOREIGN
    latin_greek = [(0xC0, 0x400), (0x1D00, 0x1DC0), (0x1E00, 0x2000), (0xA720, 0xA800)]
    latin_greek += [(0xAB30, 0xAB70), (0xFB00, 0xFB07), (0xFF21, 0xFF5B)]
    signs = [(0x2000, 0x3000), (0x1D400, 0x1D800)]  # Mathematical symbols.
    for low, high in latin_greek + signs:
        span = classes[low:high]
        span[span == _FOREIGN] = _LETTER
    for code in range(128):
        if chr(code).isalpha():
            classes[code] = _LETTER
    classes[ord("0") : ord("9") + 1] = _DIGIT
    classes[[*range(0x20), *range(0x7F, 0xA0), 0xFFFD]] = _BROKEN
    classes[[*b"\t\n\r ", 0xA0, 0x3000]] = _BLANK
    return classes


@kernel
def _count(data: Any, offsets: Any, classes: Any, counts: Any) -> None:
    """Add up the classes of up to _MAX_PACKED characters in one register."""
    by_class = np.empty(len(_ONE), np.int64)
    for row in range(len(counts)):
        at, last, num_chars = offsets[row], offsets[row + 1], 0
        by_class[:] = 0
        while at < last:
            start, packed = num_chars, np.int64(0)
            while at < last and num_chars < start + _MAX_PACKED:
                code = np.int64(data[at])
                at += 1
                if code >= 0xC0:
                    size = 1 if code < 0xE0 else 2 if code < 0xF0 else 3
                    code &= 0x3F >> size
                    for byte in data[at : min(at + size, last)]:
                        code = code << 6 | byte & 0x3F
                    at += size
                packed += _ONE[classes[code]]
                num_chars += 1
            for each in range(1, len(_ONE)):
                by_class[each] += packed >> _BITS * (each - 1) & _MAX_PACKED
        counts[row, LETTERS] = by_class[_LETTER] + by_class[_FOREIGN]
        counts[row, DIGITS] = by_class[_DIGIT]
        counts[row, FOREIGN] = by_class[_FOREIGN]
        counts[row, BROKEN] = by_class[_BROKEN]
        counts[row, ALL] = num_chars
        counts[row, VISIBLE] = num_chars - by_class[_BLANK]


def count(texts: pa.StringArray) -> npt.NDArray[np.int32]:
    """Count the characters of each text (no nulls) by kind, shape (texts, 6).

    The columns are LETTERS (of any script), DIGITS, FOREIGN (letters neither Latin nor Greek),
    BROKEN (control and replacement characters), VISIBLE (all but white space) and ALL.
    """
    data, offsets = text_bytes(texts)
    counts = np.empty((len(texts), 6), np.int32)
    _count(data, offsets, _classes(), counts)
    return counts
