"""Which scores k of n items can give (the GRIM test, Brown and Heathers 2017); Wilson intervals.

A printed percentage stands for every number that rounds to it. 97% is 29 of 30 items, since 96.67
rounds to 97; 98% is no k of 30, however it is rounded. All of it is exact: fractions, no floats.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist

MAX_DECIMALS = 9  # beyond, digits are those of a float, not of a measurement
MAX_PASSES = 100  # looked through for a mean over repeated passes


@dataclass(frozen=True)
class Printed:
    """A percentage as printed; a range where low < high, both ends printed alike."""

    low: Fraction
    high: Fraction
    decimals: int
    zeros: int = 0  # of the decimals, at the end: 81.60 may be 81.6, padded

    @property
    def half(self) -> Fraction:
        """Half of the last printed digit."""
        return Fraction(10) ** -self.decimals / 2

    @property
    def known_half(self) -> Fraction:
        """Half of the last digit that is sure to be known: zeros at the end may be padding."""
        return Fraction(10) ** (self.zeros - self.decimals) / 2

    @property
    def is_range(self) -> bool:
        return self.low < self.high


def printed(low: str, high: str | None = None, *, share: bool = False) -> Printed:
    """The percentage that these digits print; as a share of 1 they print two decimals less.

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
    """Every k with low <= 100 k / n <= high.

    >>> [*counts(Fraction(95), Fraction(99), 30)]
    [29]
    """
    first = max(0, math.ceil(low * n / 100))
    return range(first, min(n, math.floor(high * n / 100)) + 1)


@dataclass(frozen=True)
class Fit:
    """What a printed percentage can be, of n items asked `passes` times each."""

    n: int
    passes: int
    rounded: range  # the k of n x passes that round to it; of a range: that lie in it
    cut: range  # those that print as it when digits are cut off, not rounded
    ends: tuple[range, range]  # those that round to the lower and to the upper end of a range
    fewest_passes: int | None  # where so many passes give none, and at most MAX_PASSES do

    @property
    def total(self) -> int:
        return self.n * self.passes

    @property
    def possible(self) -> range:
        return self.rounded or self.cut


@lru_cache(maxsize=20_000)
def fit(value: Printed, n: int, passes: int = 1) -> Fit:
    """The k of n items, over so many passes, that a printed percentage can stand for.

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
            halves.append(2 * value.half)  # a mean of runs that were rounded one by one
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
    """The fewest passes over n items that can give this very percentage.

    >>> passes_to_be_exact(Fraction(97), 30)
    10
    """
    return (value * n / 100).denominator


def wilson(share: float, n: int) -> tuple[float, float]:
    """95% Wilson score interval (Wilson 1927) of a share of n items, as shares.

    In closed form, since importing scipy takes longer than the whole audit.
    """
    z = NormalDist().inv_cdf(0.975)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    return max(0.0, middle - reach), min(1.0, middle + reach)
