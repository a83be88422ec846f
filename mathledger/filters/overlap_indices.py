"""Write the index of an expression before its exponent, in whichever order a text has them."""

from typing import Any

import numpy as np

from mathledger.core.kernels import allocating, borrowing
from mathledger.text.hashing import hash_bytes

POWER, _INDEX, _OPENING, CLOSING = (
    np.uint64(hash_bytes(each)) for each in (b"^", b"_", b"(", b")")
)


@borrowing
def put_indices_first(units: Any, size: int) -> None:
    r"""Write an index before the exponent: \sum^9_{k=1} as \sum_{k=1}^9."""
    values = units.values
    for at in range(2, size):
        if values[at] != _INDEX:
            continue
        start = at - 2
        if values[at - 1] == CLOSING:
            while start > 0 and values[start] != _OPENING:
                start -= 1
            start -= 1
        end = at + 2
        if start < 0 or values[start] != POWER or end > size:
            continue
        if values[at + 1] == _OPENING:
            while end < size and values[end - 1] != CLOSING:
                end += 1
        by = at - start
        _rotate(values[start:end], by)
        _rotate(units.kinds[start:end], by)
        _rotate(units.begins[start:end], by)
        _rotate(units.asks[start:end], by)
        _rotate(units.letters[start:end], by)


@allocating
def _rotate(values: Any, by: int) -> None:
    """Move the first values to the end, in place."""
    turned = np.concatenate((values[by:], values[:by]))
    values[:] = turned
