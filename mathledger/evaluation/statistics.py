"""Compute intervals and paired tests over graded responses.

Outcomes are True for a correct response. Their shape is (items, repeats), with the same number of
repeats for every item, or (items,) for one response per item. Intervals treat the items as the
sample, because repeats of an item carry information about that item alone. docs/statistics.md gives
every formula with its source and its measured coverage.

Every function is pure. The bootstrap is seeded and draws from sorted values, so that the order of
the items does not matter.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
Key = TypeVar("Key", bound=Hashable)

NUM_DRAWS = 9_999
SEED = 0
LEVEL = 0.05  # an adjusted p below this is significant
Z = 1.959963984540054  # normal quantile for two-sided 5%
Z_POWER = 0.8416212335729143  # normal quantile for 80% power
MIN_ITEMS = 6  # with five items, even five changes give p = 2 / 2**5 > 0.05
EDGE = 1e-9  # the root search keeps this distance from points where the score is 0 / 0


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedTest:
    """The result of comparing two models on the same items, paired by item."""

    difference: Interval  # accuracy of the second model minus accuracy of the first
    p_value: float
    num_gained: int  # items that the second model answers correctly more often
    num_lost: int
    minimum_detectable: float | None  # null if there are too few items to detect any difference


@dataclass(frozen=True)
class FamilyTest(PairedTest):
    """A paired test in a family of tests."""

    p_holm: float  # p adjusted for the number of tests in the family

    @property
    def is_significant(self) -> bool:
        return self.p_holm < LEVEL


def accuracy(outcomes: npt.ArrayLike) -> Interval:
    """Return the share of correct responses (avg@k with k repeats) with its 95% interval."""
    table = _table(outcomes)
    return _mean(table.mean(axis=1), is_single=table.shape[1] == 1)


def pass_at(outcomes: npt.ArrayLike, k: int) -> Interval:
    """Return pass@k, the chance that at least one of k responses is correct.

    The unbiased estimate of an item with c of n correct responses is 1 - C(n - c, k) / C(n, k)
    (Chen et al. 2021, arXiv 2107.03374, section 2.1).
    """
    from scipy.special import comb

    table = _table(outcomes)
    num_repeats = table.shape[1]
    if not 1 <= k <= num_repeats:
        raise ValueError(f"pass@{k} needs {k} repeats, but there are {num_repeats}")
    wrong = num_repeats - table.sum(axis=1)
    return _mean(1 - comb(wrong, k) / comb(num_repeats, k), is_single=num_repeats == 1)


def pass_ks(num_repeats: int) -> list[int]:
    """Return the values of k to report pass@k for: powers of two up to the number of repeats.

    >>> pass_ks(1), pass_ks(6)
    ([1], [1, 2, 4])
    """
    return [1 << power for power in range(num_repeats.bit_length())]


def majority(outcomes: npt.ArrayLike, answers: Sequence[Sequence[str | None]]) -> Interval:
    """Return maj@k, the share of items whose most frequent answer in k repeats is correct.

    The method is self-consistency (Wang et al. 2023, arXiv 2203.11171).

    Args:
        answers: the extracted answers, shape (items, repeats); None if a response has none.
    """
    table = _table(outcomes)
    shares = [
        majority_share(own.tolist(), said) for own, said in zip(table > 0, answers, strict=True)
    ]
    return _mean(np.array(shares), is_single=table.shape[1] == 1)


def majority_share(correct: Sequence[bool], answers: Sequence[str | None]) -> float:
    """Return the chance that the most frequent answer is correct if ties are broken at random.

    All correct responses count as the same answer. Two wrong responses count as the same answer if
    their extracted texts are equal. A response without an answer does not vote.

    >>> majority_share([True, True, False, False], ["1/2", "0.5", "2", None])
    1.0
    >>> majority_share([True, False, False], ["4", "5", "6"])
    0.3333333333333333
    """
    votes: Counter[str | bool] = Counter()
    for is_right, answer in zip(correct, answers, strict=True):
        if is_right or answer is not None:
            votes[True if is_right else str(answer)] += 1
    most = [answer for answer, count in votes.items() if count == max(votes.values())]
    return (True in most) / max(1, len(most))


def compare(first: npt.ArrayLike, second: npt.ArrayLike) -> PairedTest:
    """Test two models on the same items in the same order, paired by item.

    The p-value comes from the exact sign-flip test. The interval is Tango's score interval for one
    response per item, and a bootstrap over items for several.
    """
    before, after = _table(first), _table(second)
    if len(before) != len(after):
        raise ValueError(f"cannot pair {len(before)} items with {len(after)}")
    steps = after.mean(axis=1) - before.mean(axis=1)
    # Count in whole responses, so that sums are exact.
    counts = after.sum(axis=1) * before.shape[1] - before.sum(axis=1) * after.shape[1]
    gained, lost = int((counts > 0).sum()), int((counts < 0).sum())
    if before.shape[1] == after.shape[1] == 1:
        difference = paired_difference(gained, lost, len(steps))
    else:
        # Add two pseudo-items, one gained and one lost, as Bonett and Price 2012 do for single
        # runs. Each changes by the largest observed change, or by 1 if no item changed.
        most = float(np.abs(steps).max()) or 1.0
        difference = Interval(float(steps.mean()), *_bootstrap(steps, [-most, most]))
    return PairedTest(
        difference,
        sign_flip_p(counts.astype(np.int64)),
        gained,
        lost,
        minimum_detectable(float((steps**2).mean()), len(steps)),
    )


def compare_all(
    pairs: Mapping[Key, tuple[npt.ArrayLike, npt.ArrayLike]],
) -> dict[Key, FamilyTest]:
    """Compare each pair, and adjust the p-values for the number of pairs (`holm`)."""
    tests = {key: compare(*pair) for key, pair in pairs.items()}
    adjusted = holm([test.p_value for test in tests.values()])
    return {
        key: FamilyTest(**vars(test), p_holm=p_holm)
        for (key, test), p_holm in zip(tests.items(), adjusted, strict=True)
    }


def sign_flip_p(steps: npt.NDArray[np.int64]) -> float:
    """Return the exact two-sided p of the sign-flip test (Fisher 1935).

    The null hypothesis is that an item is as likely to gain as to lose. The p-value is the share of
    all sign assignments whose total is at least as far from 0 as the observed total. If all changes
    have one size, this is McNemar's exact test.

    >>> sign_flip_p(np.array([1, 1, 1, 1, 1, -1, 0]))
    0.21875
    """
    sizes = np.abs(steps[steps != 0])
    reach = int(sizes.sum())
    chances = np.zeros(reach + 1)  # chance of each sum of the positive changes
    chances[0] = 1.0
    for size in sizes.tolist():
        moved = np.zeros_like(chances)
        moved[size:] = chances[: len(chances) - size]
        chances = (chances + moved) / 2
    totals = 2 * np.arange(reach + 1) - reach
    return min(1.0, float(chances[np.abs(totals) >= abs(int(steps.sum()))].sum()))


def paired_difference(num_gained: int, num_lost: int, num_items: int) -> Interval:
    """Return the difference of two paired proportions with Tango's 95% score interval.

    The interval holds every difference that the score test does not reject, with the nuisance
    parameter at its restricted maximum likelihood (Tango 1998, Statistics in Medicine 17:891,
    equations 24 to 26). If no item changed, it is +-z^2 / (n + z^2).
    """
    from scipy.optimize import brentq

    value = (num_gained - num_lost) / num_items

    def deviation(difference: float) -> float:
        """Return the standard deviation of (gained - lost) if `difference` is the true one."""
        linear = -num_gained - num_lost + (2 * num_items - num_gained + num_lost) * difference
        constant = num_lost * difference * (1 - difference)
        root = np.sqrt(max(0.0, linear**2 + 8 * num_items * constant))
        lost_rate = (root - linear) / (4 * num_items)
        variance = 2 * lost_rate + difference * (1 - difference)
        return float(np.sqrt(max(0.0, num_items * variance)))

    def above(difference: float) -> float:
        return num_items * (value - difference) - Z * deviation(difference)

    def below(difference: float) -> float:
        return num_items * (value - difference) + Z * deviation(difference)

    low = -1.0 if value == -1 else brentq(above, -1 + EDGE, value - EDGE)
    high = 1.0 if value == 1 else brentq(below, value + EDGE, 1 - EDGE)
    return Interval(value, float(low), float(high))


def minimum_detectable(mean_square: float, num_items: int) -> float | None:
    """Return the smallest true difference that the paired test at 5% finds in 80% of evaluations.

    The difference d solves sqrt(n) d = z_0.975 sqrt(s) + z_0.8 sqrt(s - d^2): see Miller 2024
    (arXiv 2411.00640, section 5) for repeats, and Connett, Smith and McHugh 1987 for single runs.
    Here s is the observed mean square of the items' differences, but at least d, because no item
    changes by more than 1.

    Args:
        mean_square: mean square of the items' differences, in 0..1.
    """
    from scipy.optimize import brentq

    if num_items < MIN_ITEMS:
        return None

    def surplus(difference: float) -> float:
        square = max(mean_square, difference)
        spread = Z * np.sqrt(square) + Z_POWER * np.sqrt(max(0.0, square - difference**2))
        return float(np.sqrt(num_items) * difference - spread)

    return float(brentq(surplus, EDGE, 1.0))


def gap(first: Interval, second: Interval) -> Interval:
    """Return the difference, first minus second, of two scores on different items.

    The interval is the square-and-add interval (Newcombe 1998, Statistics in Medicine 17:873,
    method 10).
    """
    value = first.value - second.value
    low = np.hypot(first.value - first.low, second.high - second.value)
    high = np.hypot(first.high - first.value, second.value - second.low)
    return Interval(value, float(value - low), float(value + high))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for the number of tests (Holm 1979).

    Calling every adjusted p below 5% significant keeps the chance of any false positive below 5%.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def _table(outcomes: npt.ArrayLike) -> F64:
    """Return outcomes as numbers of shape (items, repeats)."""
    table = np.asarray(outcomes, dtype=np.float64)
    if table.size == 0 or table.ndim not in (1, 2):
        raise ValueError(f"outcomes of shape {table.shape} have no items, or not one or two axes")
    return table.reshape(len(table), -1)


def _mean(values: F64, is_single: bool) -> Interval:
    """Return the mean of the items' values in 0..1 with a 95% interval.

    The interval is Wilson's for one response per item, and a bootstrap for several. The bootstrap
    resamples the items plus four pseudo-items, two correct and two wrong (Agresti and Coull 1998);
    without them, items that all agree would give an interval of width 0.
    """
    from scipy.stats import binomtest

    if not is_single:
        return Interval(float(values.mean()), *_bootstrap(values, [0.0, 0.0, 1.0, 1.0]))
    wilson = binomtest(round(values.sum()), len(values)).proportion_ci(0.95, method="wilson")
    return Interval(float(values.mean()), float(wilson.low), float(wilson.high))


def _bootstrap(values: F64, pseudo: list[float]) -> tuple[float, float]:
    """Return the 95% percentile interval of the mean, resampling values and pseudo-values."""
    from scipy.stats import bootstrap

    average: Callable[..., Any] = np.mean
    interval = bootstrap(
        (np.sort(np.concatenate([values, pseudo])),),
        average,
        n_resamples=NUM_DRAWS,
        batch=max(1, 2_000_000 // len(values)),
        method="percentile",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(interval.low), float(interval.high)
