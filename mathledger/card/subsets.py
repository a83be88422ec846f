"""Which ways to divide a benchmark have an order: levels and years, not subjects."""

import re
from collections.abc import Collection, Iterable

MAX_LEVELS = 12  # more do not fit a panel, and stand in a table alone


def are_levels(values: Collection[str]) -> bool:
    """Return True if a subset's values can be drawn in order: numbers, several, not too many.

    >>> are_levels(["1", "2"]), are_levels(["Algebra", "Geometry"]), are_levels(["2024"])
    (True, False, False)
    """
    return 1 < len(values) <= MAX_LEVELS and are_numbers(values)


def are_numbers(values: Iterable[str]) -> bool:
    """Return True if all are numbers, as levels and years are."""
    return all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in values)
