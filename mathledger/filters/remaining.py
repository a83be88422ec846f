"""Estimate how many leaks remain, from the leaks that two proposers find (capture-recapture).

Every leak that the filter recognises was proposed as a pair to compare. One proposer sees shared
n-grams, which depend on the order of the words; the other sees numbers and word stems in any order
or, if one is configured, the meaning (an embedding model). If they find leaks independently, the
share of the second one's leaks that the first one finds too is the first one's recall.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

MIN_BOTH = 7  # Below this, the estimate is biased (Robson & Regier 1964).
Z = 1.96


@dataclass(frozen=True)
class Found:
    """Numbers of distinct leaks by who proposes them."""

    num_first: int
    num_second: int
    num_both: int


@dataclass(frozen=True)
class Estimate:
    """Number of leaks that neither proposer finds, with its 95% interval."""

    value: float
    low: float
    high: float

    def content(self) -> dict[str, float]:
        return {key: round(value, 1) for key, value in asdict(self).items()}


def estimate(found: Found) -> Estimate | None:
    """Return Chapman's estimate of what remains, or None if both proposers share too few leaks.

    The estimator is unbiased if both together are at least as many as all (Chapman 1951). The
    interval is the transformed logit interval, which holds for small numbers (Sadinle 2009).

    >>> estimate(Found(num_first=90, num_second=60, num_both=54)).content()
    {'value': 3.9, 'low': 0.7, 'high': 15.2}
    >>> estimate(Found(num_first=5, num_second=5, num_both=5)) is None
    True
    """
    both = found.num_both
    if both < MIN_BOTH:
        return None
    only_first, only_second = found.num_first - both, found.num_second - both
    value = only_first * only_second / (both + 1)
    a, b, c = both + 0.5, only_first + 0.5, only_second + 0.5
    spread = math.exp(Z * math.sqrt(1 / a + 1 / b + 1 / c + a / (b * c)))
    low, high = b * c / a / spread - 0.5, b * c / a * spread - 0.5
    return Estimate(value, max(0.0, low), max(value, high))


def metrics(found: Found, second: str) -> dict[str, Any]:
    """Return the counts and the estimate for metrics/decontaminate.json.

    Args:
        second: The second proposer; the first one is always the n-grams.
    """
    remaining = estimate(found)
    return {
        "first": "n-grams",
        "second": second,
        **asdict(found),
        "remaining": remaining.content() if remaining else None,
    }
