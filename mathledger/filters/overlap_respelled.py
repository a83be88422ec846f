"""Match words that the text spells in another way: with a slip, or as two words."""

from typing import Any

from mathledger.core.kernels import borrowing
from mathledger.filters.overlap_align import has, place_of
from mathledger.filters.slips import is_joined, is_slip


@borrowing
def match_slips(item: Any, text: Any, work: Any) -> None:
    """Match a word with a misspelling in its place, if neither text has the other one elsewhere."""
    partner, back = work.partner[: len(item.values)], work.back
    for i in range(len(item.values)):
        if partner[i] >= 0 or item.letters[i] == 0:
            continue
        start, end = place_of(i, partner, len(text.values))
        for j in range(start, end):
            if back[j] >= 0 or not is_slip(item.letters[i], text.letters[j]):
                continue
            if not has(item, text.values[j]) and not has(text, item.values[i]):
                partner[i], back[j] = j, i
                break


@borrowing
def match_joined(item: Any, text: Any, work: Any) -> None:
    """Match one word with two that make it, in its place: nighttime and night time."""
    partner, back = work.partner[: len(item.values)], work.back
    for i in range(len(item.values)):
        start, end = place_of(i, partner, len(text.values))
        for j in range(start, end):
            if partner[i] >= 0 or back[j] >= 0:
                continue
            if j + 1 < end and _makes(i, item, partner, j, text, back):
                partner[i] = j
                back[j] = back[j + 1] = i
            elif i + 1 < len(item.values) and _makes(j, text, back, i, item, partner):
                partner[i] = partner[i + 1] = j
                back[j] = i


@borrowing
def _makes(at: int, own: Any, partner: Any, first: int, other: Any, back: Any) -> bool:
    """Return True if two words of the other side, which have no partners, make a word."""
    if partner[at] >= 0 or back[first] >= 0 or back[first + 1] >= 0:
        return False
    return bool(is_joined(own.letters[at], other.letters[first], other.letters[first + 1]))
