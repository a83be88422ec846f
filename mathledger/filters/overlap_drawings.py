"""Compare two drawings whose code differs: one is an edited copy, or both draw the same thing."""

from typing import Any

from mathledger.core.kernels import kernel
from mathledger.filters.overlap_features import num_missing
from mathledger.filters.overlap_units import QUANTITY
from mathledger.text.chars import is_digit, is_letter
from mathledger.text.hashing import hash_span

MAX_PARTS = 4096  # Words and numbers of a text's drawings that are compared.
# Two drawings with at most this many differences, or this share, have one source.
MAX_EDITS, MAX_EDITED = 2, 0.12
# A text of this size identifies the problem even if the drawing is missing or drawn in another way.
MIN_UNITS_WITHOUT_DRAWING, MIN_UNITS_TO_REDRAW, MIN_NUMBERS_TO_REDRAW = 15, 20, 3


@kernel
def drawing_parts(scratch: Any, out: Any) -> int:
    """Write the sorted hashes of the parts of the last text's drawings; return their number."""
    text, size = scratch.text, 0
    for number in range(scratch.state[0].num_drawings):
        at, end = scratch.drawings[number]
        while at < end and size < len(out):
            stop = at
            while stop < end and (
                is_letter(text[stop]) or is_digit(text[stop]) or text[stop] == 46
            ):
                stop += 1
            if stop > at:
                out[size] = hash_span(text, at, stop)
                size += 1
            at = stop + 1
    out[:size].sort()
    return size


@kernel
def is_edited(parts: Any, others: Any) -> bool:
    """Return True if two drawings are so similar that one was made from the other."""
    edits = max(num_missing(parts, others), num_missing(others, parts))
    return bool(edits <= max(MAX_EDITS, MAX_EDITED * max(len(parts), len(others))))


@kernel
def says_the_same(one: Any, other: Any, units: Any, parts: Any, others: Any) -> bool:
    """Return True if two drawings are equal, or if the item's text identifies the problem alone."""
    if one == other:
        return True
    size, num_numbers = len(units.values), 0
    for at in range(size):
        num_numbers += units.kinds[at] == QUANTITY
    if one == 0 or other == 0:
        return bool(size >= MIN_UNITS_WITHOUT_DRAWING)
    if is_edited(parts, others):
        return False
    is_told = size >= MIN_UNITS_WITHOUT_DRAWING and num_numbers >= MIN_NUMBERS_TO_REDRAW
    return bool(size >= MIN_UNITS_TO_REDRAW or is_told)
