"""Estimate how many leaks remain, from the leaks that two proposers find (capture-recapture).

Every leak that the filter recognises was proposed as a pair to compare. One proposer sees shared
n-grams, which depend on the order of the words; the other sees numbers and word stems in any order
or, if one is configured, the meaning (an embedding model). If they find leaks independently, the
share of the second one's leaks that the first one finds too is the first one's recall.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from mathledger.filters import spelling
from mathledger.filters.decision import Match
from mathledger.filters.items import Item
from mathledger.filters.overlap_candidates import MAX_EXTRA_NUMBERS
from mathledger.filters.overlap_index import MIN_NUMBERS, Thresholds
from mathledger.text.tokens import NUMBER

Leak = tuple[str, int]  # A training problem's id and an item's number.

MIN_BOTH = 7  # Below this, the estimate is biased (Robson & Regier 1964).


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
    low: int
    high: int


def by_ngrams(match: Match, limits: Thresholds) -> bool:
    """Return True if the shared n-grams alone make an item a candidate."""
    return match.containment >= min(limits.contained, limits.variant)


def by_numbers_and_stems(match: Match, text: str, item: str, limits: Thresholds) -> bool:
    """Return True if the same numbers, or enough word stems, make an item a candidate."""
    if min(match.item_in_text, match.text_in_item) >= limits.variant:
        return True
    own, needed = (
        Counter(token.spelling for token in spelling.spelled(each) if token.kind == NUMBER)
        for each in (text, item)
    )
    num_extra = own.total() - needed.total()
    return needed.total() >= MIN_NUMBERS and needed <= own and num_extra <= MAX_EXTRA_NUMBERS


def count(
    texts: dict[str, str],
    matches: dict[str, list[Match]],
    items: list[Item],
    limits: Thresholds,
    similar: Iterable[Leak] | None,
) -> Found:
    """Count the leaks that the rule recognises by who proposes them.

    Args:
        texts: The problems that hold an item, by id.
        matches: The matches of each problem that has any, by id.
        similar: The leaks that an embedding model proposes; None without such a model.
    """
    leaks = {
        (name, match.item): match
        for name in texts
        for match in matches[name]
        if match.holds_item and match.ruling is None
    }
    first = {leak for leak, match in leaks.items() if by_ngrams(match, limits)}
    second = (
        {
            (name, number)
            for (name, number), match in leaks.items()
            if by_numbers_and_stems(match, texts[name], items[number].problem, limits)
        }
        if similar is None
        else leaks.keys() & set(similar)
    )
    return Found(len(first), len(second), len(first & second))


def estimate(found: Found) -> Estimate | None:
    """Return Chapman's estimate of what remains, or None if both proposers share too few leaks.

    The estimator is unbiased if both together are at least as many as all (Chapman 1951). The
    interval treats the number as Poisson, with a gamma-distributed mean whose relative variance is
    that of the product b * c / a (Woolf 1955); in simulations it holds the number in at least 95%.

    >>> estimate(Found(num_first=90, num_second=60, num_both=54))
    Estimate(value=3.9, low=0, high=11)
    >>> estimate(Found(num_first=5, num_second=5, num_both=5)) is None
    True
    """
    from scipy import stats

    both = found.num_both
    if both < MIN_BOTH:
        return None
    only_first, only_second = found.num_first - both, found.num_second - both
    value = round(only_first * only_second / (both + 1), 1)
    a, b, c = both + 0.5, only_first + 0.5, only_second + 0.5
    mean, shape = b * c / a, 1 / (1 / a + 1 / b + 1 / c)
    low, high = stats.nbinom.ppf([0.025, 0.975], shape, shape / (shape + mean))
    return Estimate(value, int(low), math.ceil(max(high, value)))


def metrics(found: Found, *, with_embeddings: bool) -> dict[str, Any]:
    """Return the counts and the estimate for metrics/decontaminate.json."""
    remaining = estimate(found)
    return {
        "first": "n-grams",
        "second": "embeddings" if with_embeddings else "numbers and word stems",
        **asdict(found),
        "remaining": asdict(remaining) if remaining else None,
    }
