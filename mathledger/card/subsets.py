"""Decide which subsets of a benchmark have an order: levels and years do, subjects do not."""

import re
from collections.abc import Collection, Iterable

MAX_LEVELS = 12  # more levels do not fit in a panel, so only the table shows them


def are_levels(values: Collection[str]) -> bool:
    """Return True if a subset's values can be drawn in order: 2 to MAX_LEVELS numbers.

    >>> are_levels(["1", "2"]), are_levels(["Algebra", "Geometry"]), are_levels(["2024"])
    (True, False, False)
    """
    return 1 < len(values) <= MAX_LEVELS and are_numbers(values)


def are_numbers(values: Iterable[str]) -> bool:
    """Return True if all values are numbers, as levels and years are."""
    return all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in values)
