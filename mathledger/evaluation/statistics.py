"""Compute intervals and paired tests over graded responses.

Outcomes are True for a correct response. Their shape is (items, repeats), with the same number of
repeats for every item, or (items,) for one response per item. Intervals treat the items as the
sample, because repeats of an item carry information about that item alone. docs/statistics.md gives
every formula with its source and its measured coverage.

Every function is pure and exact: nothing is sampled, so the order of the items does not matter.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
Key = TypeVar("Key", bound=Hashable)

LEVEL = 0.05  # an adjusted p below this is significant
POWER = 0.8
EVEN_ITEM = 0.25  # sum of squares of one item that is right in half of its responses
DIGITS = 8  # stored digits of a share: machines agree on these, and each is shown with fewer
WINDOW = 24  # standard deviations of a sum that the sign-flip test computes to each side
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


def accuracy(outcomes: npt.ArrayLike, level: float = LEVEL) -> Interval:
    """Return the share of correct responses (avg@k with k repeats) with its 95% interval."""
    table = _table(outcomes)
    return mean_share(table.mean(axis=1), level)


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
    return mean_share(1 - comb(wrong, k) / comb(num_repeats, k))


def pass_ks(num_repeats: int) -> list[int]:
    """Return the values of k to report pass@k for: powers of two up to the number of repeats.

    >>> pass_ks(1), pass_ks(6)
    ([1], [1, 2, 4])
    """
    return [1 << power for power in range(num_repeats.bit_length())]


def majority(outcomes: npt.ArrayLike, answers: Sequence[Sequence[str | None]]) -> Interval:
    """Return maj@k, the share of items whose most frequent answer in k repeats is correct.

    The method is self-consistency (Wang et al. 2023, arXiv 2203.11171), and answers merge by
    equality (`majority_share`).

    Args:
        answers: the extracted answers, shape (items, repeats); None if a response has none.
    """
    table = _table(outcomes)
    shares = [
        majority_share(own.tolist(), said) for own, said in zip(table > 0, answers, strict=True)
    ]
    return mean_share(np.array(shares))


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


def compare(first: npt.ArrayLike, second: npt.ArrayLike, level: float = LEVEL) -> PairedTest:
    """Test two models on the same items in the same order, paired by item.

    The p-value comes from the exact sign-flip test. The interval is Tango's score interval for one
    response per item, and a t interval over items for several (`mean_step`).

    Args:
        level: chance that the interval misses the difference, half of it on each side.
    """
    before, after = _table(first), _table(second)
    if len(before) != len(after):
        raise ValueError(f"cannot pair {len(before)} items with {len(after)}")
    steps = after.mean(axis=1) - before.mean(axis=1)
    # Count in whole responses, so that sums are exact.
    counts = after.sum(axis=1) * before.shape[1] - before.sum(axis=1) * after.shape[1]
    gained, lost = int((counts > 0).sum()), int((counts < 0).sum())
    is_single = before.shape[1] == after.shape[1] == 1
    return PairedTest(
        paired_difference(gained, lost, len(steps), level)
        if is_single
        else mean_step(steps, level),
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

    >>> round(sign_flip_p(np.array([1, 1, 1, 1, 1, -1, 0])), 12)
    0.21875
    """
    total = abs(int(steps.sum()))
    sizes, counts = np.unique(np.abs(steps[steps != 0]), return_counts=True)
    if total == 0:
        return 1.0
    unit = int(np.gcd.reduce(sizes))
    return min(1.0, 2 * _tail(sizes // unit, counts, total // unit))


def _tail(sizes: npt.NDArray[np.int64], counts: npt.NDArray[np.int64], total: int) -> float:
    """Return the chance that the sizes with random signs sum to `total` > 0 or more.

    The chances of the sums are the Fourier transform of a product with one factor for each size.
    The signs are tilted to the mean `total` first, and the tail is tilted back (Esscher 1932), so
    that a tiny chance has as many correct digits as a large one. Chances of sums beyond WINDOW
    standard deviations and 40 of the largest steps are below 1e-60, and are left out.
    """
    from scipy.fft import irfft, next_fast_len
    from scipy.optimize import brentq

    reach = int(sizes @ counts)
    if total == reach:
        return float(0.5 ** counts.sum())

    def mean_sum(tilt: float) -> float:
        return float((sizes * counts) @ np.tanh(tilt * sizes))

    highest = 1.0
    while mean_sum(highest) < total:
        highest *= 2
    tilt = brentq(lambda each: mean_sum(each) - total, 0.0, highest)
    positive = 1 / (1 + np.exp(-2 * tilt * sizes))  # tilted chance of a positive sign
    spread = np.sqrt(sizes**2 @ (counts * 4 * positive * (1 - positive)))
    # Sums have the parity of `reach`, so count (reach - sum) / 2, the sum of the negative sizes.
    wanted = (reach - total) // 2
    margin = int(WINDOW * spread) + 40 * int(sizes[-1])
    below = min(wanted, margin)
    num = int(next_fast_len(min(reach, below + margin) + 1, real=True))
    roots = np.exp(-2j * np.pi * np.arange(num) / num)
    places = np.arange(num // 2 + 1)
    product = np.ones(len(places), dtype=np.complex128)
    for size, count, chance in zip(sizes.tolist(), counts.tolist(), positive, strict=True):
        product *= (chance + (1 - chance) * roots[places * size % num]) ** count
    chances = irfft(product, num)
    steps_up = np.arange(below + 1)
    found = np.maximum(chances[(wanted - steps_up) % num], 0)
    scale = float(counts @ np.logaddexp(tilt * sizes, -tilt * sizes)) - tilt * total
    scale -= float(counts.sum()) * float(np.log(2))
    return float(np.exp(scale) * (found @ np.exp(-2 * tilt * steps_up)))


def paired_difference(
    num_gained: int, num_lost: int, num_items: int, level: float = LEVEL
) -> Interval:
    """Return the difference of two paired proportions with Tango's 95% score interval.

    The interval holds every difference that the score test does not reject, with the nuisance
    parameter at its restricted maximum likelihood (Tango 1998, Statistics in Medicine 17:891,
    equations 24 to 26). If no item changed, it is +-z^2 / (n + z^2).
    """
    from scipy.optimize import brentq
    from scipy.special import ndtri

    z = float(ndtri(1 - level / 2))
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
        return num_items * (value - difference) - z * deviation(difference)

    def below(difference: float) -> float:
        return num_items * (value - difference) + z * deviation(difference)

    low = -1.0 if value == -1 else brentq(above, -1 + EDGE, value - EDGE)
    high = 1.0 if value == 1 else brentq(below, value + EDGE, 1 - EDGE)
    return Interval(value, float(low), float(high))


def minimum_detectable(mean_square: float, num_items: int) -> float | None:
    """Return the smallest true difference that the exact test at 5% finds in 80% of evaluations.

    The power is exact: the chance, over all numbers of gained and lost items, that McNemar's exact
    test has p < 5%. A share s of the items changes, each fully: s is the observed mean square of
    the items' differences, which for single responses is the share of items that changed, and for
    repeats the share that varies as much. It is at least the true difference, because no item
    changes by more than 1 (Connett, Smith and McHugh 1987 use the same alternative).

    Args:
        mean_square: mean square of the items' differences, in 0..1.
    """
    from scipy.optimize import brentq
    from scipy.stats import binom

    if num_items < MIN_ITEMS:
        return None
    changed = np.arange(MIN_ITEMS, num_items + 1)
    # p is below 5% if fewer than this many of the changed items, gained or lost, are the fewer.
    critical = binom.ppf(LEVEL / 2, changed, 0.5)

    def missing(difference: float) -> float:
        changing = max(mean_square, difference)
        gain = min(1.0, (changing + difference) / (2 * changing))
        found = binom.cdf(critical - 1, changed, 1 - gain) + binom.cdf(critical - 1, changed, gain)
        return float(binom.pmf(changed, num_items, changing) @ found) - POWER

    return float(brentq(missing, EDGE, 1.0))


def gap(first: Interval, second: Interval) -> Interval:
    """Return the difference, first minus second, of two scores on different items.

    The interval is the square-and-add interval (Newcombe 1998, Statistics in Medicine 17:873,
    method 10), of the two scores' own intervals in place of Wilson's.
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


def stored(share: float) -> float:
    """Round a share as files hold it: alike on every machine, with digits to spare for display.

    A number that is rounded for display must not have been rounded to nearly as few digits before.

    >>> f"{0.3945:.1%}", f"{stored(0.39449):.1%}", f"{round(0.39449, 4):.1%}"
    ('39.5%', '39.4%', '39.5%')
    """
    return round(float(share), DIGITS)


def stored_p(p_value: float) -> float:
    """Round a p-value as files hold it, to significant digits.

    >>> stored_p(2 / 3 * 1e-9)
    6.6666667e-10
    """
    return float(f"{p_value:.{DIGITS}g}")


def _table(outcomes: npt.ArrayLike) -> F64:
    """Return outcomes as numbers of shape (items, repeats)."""
    table = np.asarray(outcomes, dtype=np.float64)
    if table.size == 0 or table.ndim not in (1, 2):
        raise ValueError(f"outcomes of shape {table.shape} have no items, or not one or two axes")
    return table.reshape(len(table), -1)


def mean_share(values: F64, level: float = LEVEL) -> Interval:
    """Return the mean of the items' values in 0..1 with a 95% interval.

    The interval is Clopper and Pearson's (1934) for an effective number of items: as many single
    responses would vary as much as the items do (Kish 1965; Korn and Graubard 1998 for the
    interval). Both sums of squares get one more item, evenly split, so that a few items that agree
    by chance do not count as many. For one response per item the effective number is that of the
    items. docs/statistics.md compares the coverage with other intervals.
    """
    values = np.sort(values)  # so that the order of the items does not change the last digit
    mean, num = float(values.mean()), len(values)
    most = num * mean * (1 - mean)  # sum of squares if each item were all right or all wrong
    own = float(((values - mean) ** 2).sum())
    effective = num * max(1.0, (most + EVEN_ITEM) / (own + EVEN_ITEM))
    return clopper_pearson(mean, effective, level)


def clopper_pearson(mean: float, num: float, level: float = LEVEL) -> Interval:
    """Return a share of `num` single responses, which need not be whole, with its interval."""
    from scipy.special import betaincinv

    right, wrong = mean * num, (1 - mean) * num
    low = betaincinv(right, wrong + 1, level / 2) if mean > 0 else 0.0
    high = betaincinv(right + 1, wrong, 1 - level / 2) if mean < 1 else 1.0
    return Interval(mean, float(low), float(high))


def mean_step(steps: F64, level: float = LEVEL) -> Interval:
    """Return the mean of the items' differences in -1..1 with a 95% t interval.

    The interval is that of the items and two pseudo-items, one fully gained and one fully lost, as
    Bonett and Price (2012) add to single responses. Without them, items that hardly changed would
    give an interval that misses rare large changes.
    """
    from scipy.special import stdtrit

    steps = np.sort(steps)  # so that the order of the items does not change the last digit
    padded = np.concatenate([steps, [-1.0, 1.0]])
    middle, value = float(padded.mean()), float(steps.mean())
    half = stdtrit(len(padded) - 1, 1 - level / 2) * padded.std(ddof=1) / np.sqrt(len(padded))
    low, high = float(max(-1.0, middle - half)), float(min(1.0, middle + half))
    return Interval(value, min(low, value), max(high, value))
