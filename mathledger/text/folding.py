"""Fold Unicode to the few characters that occur in the lexer's rules."""

import unicodedata
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import borrowing
from mathledger.text import chars

U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]

_UNICODE = {
    "−": "-", "–": "-", "‐": "-", "‑": "-", "—": " ", "×": "*", "·": "*", "⋅": "*", "∙": "*",
    "•": " ", "÷": "/", "∕": "/", "⁄": "/", "≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=", "≠": "!=",
    "°": "°", "º": "°", "∘": "°", "√": r" \sqrt ", "∞": r" \infty ", "…": "...", "⋯": "...",
    "‘": "'", "’": "'", "′": "'", "“": " ", "”": " ", "∈": r" \in ", "∉": r" \notin ",
    "∪": r" \cup ", "∩": r" \cap ", "⊂": r" \subset ", "⊆": r" \subseteq ", "∅": r" \emptyset ",
    "∑": r" \sum ", "∏": r" \prod ", "∫": r" \int ", "∠": r" \angle ", "△": r" \triangle ",
    "∆": r" \triangle ", "⊥": r" \perp ", "∥": r" \parallel ", "≡": r" \equiv ",
    "≅": r" \cong ", "≈": r" \approx ", "∼": r" \sim ", "→": r" \rightarrow ", "±": r" \pm ",
    "∀": r" \forall ", "∃": r" \exists ", "∣": "|", "￥": " ", "€": " ", "£": " ",
    "，": ",", "。": ". ", "？": "? ", "！": "! ", "：": ":", "；": ";", "（": "(", "）": ")",
}  # fmt: skip
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho "
    "sigma sigma tau upsilon phi chi psi omega"
)
_SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n", strict=True))
_SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))


FOLDED_BELOW = 0x20000  # Code points from here on are left as they are.
GROWTH = 11  # Largest factor by which folding lengthens a text in bytes; U+FDFA reaches it.


@cache
def fold_table() -> tuple[I32, U8]:
    """Return the folding of each code point: offsets (code points + 1,) and a pool of UTF-8."""
    pool, offsets = bytearray(), np.zeros(FOLDED_BELOW + 1, np.int32)
    for point in range(FOLDED_BELOW):
        pool += folded(chr(point)).encode("utf-8", "ignore")
        offsets[point + 1] = len(pool)
    return offsets, np.frombuffer(bytes(pool), np.uint8)


def folded(character: str) -> str:
    """Return the folding of a character below FOLDED_BELOW."""
    if character < "\x80":
        return character
    if character in _UNICODE:
        return _UNICODE[character]
    if character in _SUPERSCRIPTS:
        return "^" + _SUPERSCRIPTS[character]
    if character in _SUBSCRIPTS:
        return "_" + _SUBSCRIPTS[character]
    if "α" <= character <= "ω":
        return " \\" + _GREEK.split()[ord(character) - ord("α")] + " "
    if "Α" <= character <= "Ω":
        index = ord(character) - ord("Α")
        return " \\" + _GREEK.split()[index].capitalize() + " "
    plain = unicodedata.normalize("NFKD", character)
    plain = "".join(part for part in plain if not unicodedata.combining(part)).casefold()
    if len(plain) == 1 and plain >= "\x80" and not plain.isalnum():
        return " "
    return "".join(_UNICODE.get(part, part) for part in plain)


@borrowing
def fold(data: Any, text: Any, source: Any, points: Any, folded: Any) -> tuple[int, bool]:
    """Write the folding of every code point of data (UTF-8) to text, followed by 16 spaces.

    Returns:
        The number of bytes written, and whether data is ASCII. If it is not, `source` is filled
        with the position in data of each byte written.
    """
    size, all_bits = len(data), np.uint8(0)
    for at in range(size):
        text[at] = data[at]
        all_bits |= data[at]
    is_ascii = bool(all_bits < chars.NOT_ASCII)
    if not is_ascii:
        size = _fold_code_points(data, text, source, points, folded)
    for at in range(16):
        text[size + at] = chars.SPACE
    return size, is_ascii


@borrowing
def _fold_code_points(data: Any, text: Any, source: Any, points: Any, folded: Any) -> int:
    size, index = 0, 0
    while index < len(data):
        lead = data[index]
        if lead < chars.NOT_ASCII:
            text[size] = lead
            source[size] = index
            size += 1
            index += 1
            continue
        width = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        point = np.int64(lead) & (0x7F >> width)
        for step in range(1, width):
            point = (point << 6) | (np.int64(data[min(index + step, len(data) - 1)]) & 0x3F)
        if point < len(points) - 1:
            for at in range(points[point], points[point + 1]):
                text[size] = folded[at]
                source[size] = index
                size += 1
        else:
            for step in range(width):
                text[size] = data[min(index + step, len(data) - 1)]
                source[size] = index
                size += 1
        index += width
    return size
