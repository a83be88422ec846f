"""Compare two drawings whose code differs: one is an edited copy, or both draw the same thing."""

from typing import Any

import numpy as np

from mathledger.core.kernels import allocating, borrowing
from mathledger.filters.overlap_features import num_missing
from mathledger.filters.overlap_units import QUANTITY
from mathledger.text.chars import SEMICOLON, SPACE, is_digit, is_letter
from mathledger.text.hashing import PRIME, SEED, hash_span, mix

MAX_PARTS = 4096  # Words and numbers of a text's drawings that are compared.
# Two drawings with at most this many differences, or this share, have one source.
MAX_EDITS, MAX_EDITED = 2, 0.12
# A text of this size identifies the problem even if the drawing is missing or drawn in another way.
MIN_UNITS_WITHOUT_DRAWING, MIN_UNITS_TO_REDRAW, MIN_NUMBERS_TO_REDRAW = 15, 20, 3


@allocating
def drawing_parts(scratch: Any, out: Any) -> int:
    """Write the sorted hashes of the parts of the last text's drawings; return their number.

    The parts are words, numbers, and one hash of all statements in any order.
    """
    text, size, statements = scratch.text, 0, np.uint64(0)
    for number in range(scratch.state[0].num_drawings):
        at, end = scratch.drawings[number]
        statements += _hash_of_statements(text, at, end)
        while at < end and size < len(out) - 1:
            stop = at
            while stop < end and (
                is_letter(text[stop]) or is_digit(text[stop]) or text[stop] == 46
            ):
                stop += 1
            if stop > at:
                out[size] = hash_span(text, at, stop)
                size += 1
            at = stop + 1
    out[size] = statements
    out[: size + 1].sort()
    return size + 1


@borrowing
def _hash_of_statements(text: Any, at: int, end: int) -> Any:
    """Return a hash of the statements between semicolons, without blanks, in any order."""
    total, value = np.uint64(0), SEED
    while at < end:
        if text[at] == SEMICOLON:
            total += mix(value)
            value = SEED
        elif text[at] > SPACE:
            value = (value ^ text[at]) * PRIME
        at += 1
    return total + mix(value)


@borrowing
def num_edits(parts: Any, others: Any) -> int:
    """Count the parts that one drawing has and the other lacks; -1 if all statements are equal."""
    return max(num_missing(parts, others), num_missing(others, parts)) - 1


@borrowing
def says_the_same(one: Any, other: Any, units: Any, parts: Any, others: Any) -> bool:
    """Return True if two drawings are equal, or if the item's text identifies the problem alone."""
    if one == other:
        return True
    size, num_numbers = len(units.values), 0
    for at in range(size):
        num_numbers += units.kinds[at] == QUANTITY
    if one == 0 or other == 0:
        return bool(size >= MIN_UNITS_WITHOUT_DRAWING)
    edits = num_edits(parts, others)
    if edits <= max(MAX_EDITS, MAX_EDITED * (max(len(parts), len(others)) - 1)):
        return edits < 0
    is_told = size >= MIN_UNITS_WITHOUT_DRAWING and num_numbers >= MIN_NUMBERS_TO_REDRAW
    return bool(size >= MIN_UNITS_TO_REDRAW or is_told)
