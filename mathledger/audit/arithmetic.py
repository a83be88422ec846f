"""Compute which scores k of n items can give (GRIM, Brown and Heathers 2017) and Wilson intervals.

A printed percentage stands for every number that rounds to it. 97% can be 29 of 30 items, because
96.67 rounds to 97; no k of 30 gives 98%. The test is exact: it uses fractions, not floats.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist

MAX_DECIMALS = 9  # Further digits come from a float, not from a measurement.
MAX_PASSES = 100  # Largest number of passes tried.


@dataclass(frozen=True)
class Printed:
    """A printed percentage, or a range if low < high, with both ends printed alike."""

    low: Fraction
    high: Fraction
    decimals: int
    zeros: int = 0  # Trailing zeros: 81.60 may be 81.6, padded.

    @property
    def half(self) -> Fraction:
        """Half a unit of the last printed digit."""
        return Fraction(10) ** -self.decimals / 2

    @property
    def known_half(self) -> Fraction:
        """Half a unit of the last nonzero digit, because trailing zeros may be padding."""
        return Fraction(10) ** (self.zeros - self.decimals) / 2

    @property
    def is_range(self) -> bool:
        return self.low < self.high


def printed(low: str, high: str | None = None, *, share: bool = False) -> Printed:
    """Parse the digits of a percentage or, with `share`, of a share of 1 (two decimals fewer).

    >>> printed("96.7").decimals, printed("0.967", share=True) == printed("96.7")
    (1, True)
    """
    factor, places = (100, 2) if share else (1, 0)
    ends = [low] if high is None else [low, high]
    decimals = max(len(end.partition(".")[2]) for end in ends) - places
    values = [Fraction(end) * factor for end in ends]
    zeros = 0
    if high is None and decimals > 0:
        tail = low.partition(".")[2][places:]
        zeros = len(tail) - len(tail.rstrip("0"))
    return Printed(values[0], values[-1], min(decimals, MAX_DECIMALS), min(zeros, MAX_DECIMALS))


def counts(low: Fraction, high: Fraction, n: int) -> range:
    """Return every k with low <= 100 k / n <= high.

    >>> [*counts(Fraction(95), Fraction(99), 30)]
    [29]
    """
    first = max(0, math.ceil(low * n / 100))
    return range(first, min(n, math.floor(high * n / 100)) + 1)


@dataclass(frozen=True)
class Fit:
    """The k of n that a printed percentage can stand for, with each item asked `passes` times."""

    n: int
    passes: int
    rounded: range  # Each k of n x passes that rounds to it or lies in the range.
    cut: range  # Each k that prints as it with digits cut off, not rounded.
    ends: tuple[range, range]  # Each k that rounds to the lower and the upper end.
    fewest_passes: int | None  # Fewest passes that give a k, if `passes` do not.

    @property
    def total(self) -> int:
        return self.n * self.passes

    @property
    def possible(self) -> range:
        return self.rounded or self.cut


@lru_cache(maxsize=20_000)
def fit(value: Printed, n: int, passes: int = 1) -> Fit:
    """Return the k of n items, over `passes`, that a printed percentage can stand for.

    >>> fit(printed("97"), 30).rounded, fit(printed("98"), 30).fewest_passes
    (range(29, 30), 2)
    >>> fit(printed("95", "99"), 30).rounded, fit(printed("96.6"), 30).cut
    (range(29, 30), range(29, 30))
    """

    def within(total: int) -> range:
        if value.is_range:
            return counts(value.low, value.high, total)
        halves = [value.half, value.known_half]
        if passes > 1:
            halves.append(2 * value.half)  # Each run may have been rounded before the mean.
        found = (counts(value.low - half, value.high + half, total) for half in halves)
        return next((ks for ks in found if ks), range(0))

    total = n * passes
    rounded = within(total)
    several = range(passes + 1, MAX_PASSES + 1)
    fewest = None if rounded else next((p for p in several if within(n * p)), None)
    below_next = value.high + 2 * value.known_half - Fraction(1, 10**15)
    cut = range(0) if value.is_range else counts(value.low, below_next, total)
    lower, upper = (counts(e - value.half, e + value.half, total) for e in (value.low, value.high))
    return Fit(n, passes, rounded, cut, (lower, upper), fewest)


def passes_to_be_exact(value: Fraction, n: int) -> int:
    """Return the fewest passes over n items that give exactly this percentage.

    >>> passes_to_be_exact(Fraction(97), 30)
    10
    """
    return (value * n / 100).denominator


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95% Wilson score interval (Wilson 1927) of a share of n items, as shares.

    It is computed in closed form because importing scipy takes longer than the whole audit.
    """
    z = NormalDist().inv_cdf(0.975)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    return max(0.0, middle - reach), min(1.0, middle + reach)
