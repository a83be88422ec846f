"""Properties of the intervals and tests over generated outcomes, checked by scipy if possible."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, binomtest, permutation_test

from mathledger.evaluation import statistics
from mathledger.evaluation.statistics import Interval

FAST = settings(max_examples=60, deadline=None, database=None)
SINGLE = st.lists(st.booleans(), min_size=1, max_size=60)
Table = list[list[bool]]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Outcomes of several repeats for each item."""
    repeats = draw(st.integers(2, 6))
    row = st.lists(st.booleans(), min_size=repeats, max_size=repeats)
    return draw(st.lists(row, min_size=1, max_size=12))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[bool], list[bool]]:
    both = draw(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
    return [one for one, _ in both], [other for _, other in both]


def expect_sound(found: Interval) -> None:
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high, "no finite sample gives certainty"


@FAST
@given(SINGLE)
def test_an_interval_holds_its_estimate(outcomes: list[bool]) -> None:
    found = statistics.accuracy(outcomes)
    expect_sound(found)
    assert found.value == pytest.approx(sum(outcomes) / len(outcomes))


@settings(FAST, max_examples=15)
@given(tables())
def test_an_interval_over_repeats_holds_its_estimate(table: Table) -> None:
    expect_sound(statistics.accuracy(table))


@FAST
@given(SINGLE)
def test_one_repeat_has_clopper_and_pearsons_interval(outcomes: list[bool]) -> None:
    found = statistics.accuracy(outcomes)
    exact = binomtest(sum(outcomes), len(outcomes)).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


@FAST
@given(tables())
def test_repeats_never_widen_the_interval_of_as_many_items(table: Table) -> None:
    """The interval of equal repeats is that of single responses, and others are narrower."""
    once = [row[0] for row in table]
    copied = statistics.accuracy([[value] * 5 for value in once])
    assert copied == statistics.accuracy(once)
    found, mean = statistics.accuracy(table), np.mean(table)
    low = beta.ppf(0.025, mean * len(table), (1 - mean) * len(table) + 1) if mean else 0
    assert found.low >= low - 1e-9


@settings(FAST, max_examples=15)
@given(tables())
def test_pass_at_k_rises_with_k_and_so_do_its_ends(table: Table) -> None:
    found = [statistics.pass_at(table, k) for k in range(1, len(table[0]) + 1)]
    values = [each.value for each in found]
    assert values == sorted(values)
    assert values[0] == pytest.approx(np.mean(table))
    assert values[-1] == pytest.approx(np.mean(np.any(table, axis=1)))


@FAST
@given(st.integers(1, 40), st.data())
def test_a_right_answer_more_moves_the_interval_up(num: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, num - 1))
    one, more = (
        statistics.accuracy([True] * count + [False] * (num - count))
        for count in (right, right + 1)
    )
    assert one.low < more.low or one.low == more.low == 0
    assert one.high < more.high or one.high == more.high == 1


@pytest.mark.parametrize("num_items", [5, 10, 30])
def test_the_interval_covers_small_benchmarks(num_items: int) -> None:
    """The coverage of each accuracy, computed exactly, is at least 95%."""
    counts = np.arange(num_items + 1)
    intervals = [statistics.accuracy(np.arange(num_items) < count) for count in counts]
    coverage = []
    for truth in np.linspace(0.02, 0.98, 49):
        holds = np.array([each.low <= truth <= each.high for each in intervals])
        coverage.append(binom.pmf(counts, num_items, truth)[holds].sum())
    assert min(coverage) >= 0.95 and np.mean(coverage) < 0.995


@FAST
@given(pairs())
def test_a_paired_test_is_symmetric(both: tuple[list[bool], list[bool]]) -> None:
    there, back = statistics.compare(*both), statistics.compare(*both[::-1])
    assert there.p_value == back.p_value
    assert (there.num_gained, there.num_lost) == (back.num_lost, back.num_gained)
    assert there.minimum_detectable == back.minimum_detectable
    mirrored = (-back.difference.value, -back.difference.high, -back.difference.low)
    own = (there.difference.value, there.difference.low, there.difference.high)
    assert own == pytest.approx(mirrored, abs=1e-6)


@FAST
@given(pairs())
def test_a_paired_interval_holds_the_difference_and_agrees_with_mcnemar(
    both: tuple[list[bool], list[bool]],
) -> None:
    found = statistics.compare(*both)
    difference = found.difference
    assert -1 <= difference.low <= difference.value <= difference.high <= 1
    changed = found.num_gained + found.num_lost
    exact = binomtest(found.num_gained, changed).pvalue if changed else 1.0
    assert found.p_value == pytest.approx(exact)


@settings(FAST, max_examples=20)
@given(st.lists(st.integers(-3, 3), min_size=2, max_size=8))
def test_the_sign_flip_test_is_scipys_permutation_test(steps: list[int]) -> None:
    mean = permutation_test(
        (steps,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert statistics.sign_flip_p(np.array(steps)) == pytest.approx(mean.pvalue)


@FAST
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_and_keeps_their_order(values: list[float]) -> None:
    adjusted = statistics.holm(values)
    assert all(p <= new <= 1 for p, new in zip(values, adjusted, strict=True))
    assert [values[at] for at in np.argsort(adjusted, kind="stable")] == sorted(values) or len(
        set(adjusted)
    ) < len(adjusted)


@FAST
@given(st.integers(6, 400), st.floats(0.0, 1.0))
def test_more_items_detect_smaller_differences(num_items: int, mean_square: float) -> None:
    one = statistics.minimum_detectable(mean_square, num_items)
    more = statistics.minimum_detectable(mean_square, 2 * num_items)
    assert one is not None and more is not None and 0 < more < one <= 1


@FAST
@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(1, 8))
def test_pass_at_k_counts_the_choices_of_k(outcomes: list[bool], k: int) -> None:
    num = len(outcomes)
    if k > num:
        with pytest.raises(ValueError, match=f"pass@{k} needs {k} repeats"):
            statistics.pass_at([outcomes], k)
        return
    wrong = num - sum(outcomes)
    expected = 1 - comb(wrong, k) / comb(num, k)
    assert statistics.pass_at([outcomes, outcomes], k).value == pytest.approx(expected)
