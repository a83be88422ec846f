"""Intervals and tests agree with published values and closed forms and have their coverage."""

import itertools
import time
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, bootstrap, multinomial, norm, permutation_test

from mathledger.evaluation import statistics

Z2 = 1.959964**2


def draws(num_items: int, num_repeats: int, mean: float, seed: int) -> np.ndarray:
    """Draw outcomes of items with difficulties from nearly never to nearly always right."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(mean, 1 - mean, size=(num_items, 1))
    return rng.random((num_items, num_repeats)) < chance


def test_the_interval_of_a_perfect_aime() -> None:
    """30 of 30 gives [88.4, 100]; no score over 30 items can show more."""
    score = statistics.accuracy([True] * 30)
    assert (score.value, round(score.low, 3), score.high) == (1.0, 0.884, 1.0)


def test_the_interval_of_none_in_ten() -> None:
    """With this chance of a right item, ten are wrong in 2.5% of evaluations."""
    assert statistics.accuracy([False] * 10).high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_the_interval_as_newcombe_gives_it() -> None:
    """The cases are 81 of 263 and 15 of 148 (Newcombe 1998, 17:857, table I, method 5)."""
    many = statistics.accuracy([True] * 81 + [False] * 182)
    few = statistics.accuracy([True] * 15 + [False] * 133)
    assert (round(many.low, 4), round(many.high, 4)) == (0.2527, 0.3676)
    assert (round(few.low, 4), round(few.high, 4)) == (0.0578, 0.1617)


def test_one_repeat_is_not_a_repeat() -> None:
    """Shapes (items,) and (items, 1) give the same result in every statistic."""
    flat = draws(40, 1, 0.4, seed=1)[:, 0]
    column, answers = flat[:, None], [["x"]] * 40
    other = draws(40, 1, 0.6, seed=2)
    alone = statistics.accuracy(flat)
    assert alone == statistics.accuracy(column) == statistics.pass_at(column, 1)
    assert alone == statistics.majority(column, answers)
    assert statistics.compare(flat, other[:, 0]) == statistics.compare(column, other)


@pytest.mark.parametrize("mean", [0.05, 0.5, 0.95])
def test_copied_repeats_tell_no_more_than_one(mean: float) -> None:
    """Eight copies of a response give about the interval of one, not that of 8 n items."""
    once = draws(60, 1, mean, seed=3)
    single, copied = statistics.accuracy(once), statistics.accuracy(np.repeat(once, 8, axis=1))
    assert copied.value == single.value
    assert (copied.low, copied.high) == pytest.approx((single.low, single.high), abs=0.035)
    pooled = statistics.accuracy(np.repeat(once, 8, axis=1).ravel())
    assert copied.high - copied.low > 2 * (pooled.high - pooled.low)


@pytest.mark.parametrize("is_right", [True, False])
def test_all_alike_is_not_certain(is_right: bool) -> None:
    """If 4 repeats agree on 30 items, the interval is that of 30 single responses."""
    score = statistics.accuracy(np.full((30, 4), is_right))
    assert score.value == float(is_right)
    once = statistics.accuracy([is_right] * 30)
    assert (score.low, score.high) == pytest.approx((once.low, once.high))


@pytest.mark.parametrize("mean", [0.03, 0.3, 0.9])
def test_the_interval_over_repeats_covers(mean: float) -> None:
    """Of 300 evaluations of 30 items with 4 repeats, at least 91% cover the true mean.

    The plain bootstrap covers a mean of 0.03 in only 72%.
    """
    found = [statistics.accuracy(draws(30, 4, mean, seed)) for seed in range(300)]
    assert np.mean([each.low <= mean <= each.high for each in found]) > 0.91


def test_intervals_do_not_depend_on_the_order_of_the_items() -> None:
    before, after = draws(50, 4, 0.3, seed=4), draws(50, 4, 0.5, seed=5)
    order = np.random.default_rng(6).permutation(50)
    assert statistics.accuracy(before) == statistics.accuracy(before[order])
    assert statistics.compare(before, after) == statistics.compare(before[order], after[order])


def test_intervals_hold_their_value_and_stay_in_range() -> None:
    for seed, (size, repeats) in enumerate(itertools.product([1, 2, 7, 40], [1, 2, 5])):
        one, two = draws(size, repeats, 0.2, seed), draws(size, repeats, 0.7, seed + 100)
        for score in (statistics.accuracy(one), statistics.pass_at(two, repeats)):
            assert 0 <= score.low <= score.value <= score.high <= 1
            assert score.low < score.high
        difference = statistics.compare(one, two).difference
        assert -1 <= difference.low <= difference.value <= difference.high <= 1
        assert difference.low < difference.high


def test_no_items_are_an_error() -> None:
    with pytest.raises(ValueError, match="no items"):
        statistics.accuracy([])


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_pass_at_k_is_the_share_of_all_choices_of_k_that_hold_a_right_one(k: int) -> None:
    """Enumeration confirms it; this is the unbiased estimate of Chen et al. 2021."""
    table = draws(8, 5, 0.4, seed=7)
    shares = [
        np.mean([any(chosen) for chosen in itertools.combinations(row, k)])
        for row in table.tolist()
    ]
    assert statistics.pass_at(table, k).value == pytest.approx(np.mean(shares))


def test_pass_at_k_is_unbiased_where_plugging_in_is_not() -> None:
    """With 10 repeats right with chance 0.1, pass@5 is 1 - 0.9^5; the plug-in is lower."""
    table = np.random.default_rng(8).random((20_000, 10)) < 0.1
    scores = 1 - np.array([comb(10 - c, 5) for c in table.sum(axis=1)]) / comb(10, 5)
    truth = 1 - 0.9**5
    assert statistics.pass_at(table[:500], 5).value == pytest.approx(scores[:500].mean())
    assert scores.mean() == pytest.approx(truth, abs=0.01)
    assert abs((1 - (1 - table.mean(axis=1)) ** 5).mean() - truth) > 0.02


def test_pass_at_k_rises_with_k_from_the_accuracy_to_any_right() -> None:
    table = draws(30, 8, 0.3, seed=9)
    values = [statistics.pass_at(table, k).value for k in range(1, 9)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(statistics.accuracy(table).value)
    assert values[-1] == pytest.approx(table.any(axis=1).mean())


def test_pass_at_more_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="pass@3 needs 3 repeats, but there are 2"):
        statistics.pass_at([[True, False]], 3)


def test_majority_counts_right_answers_as_one_however_written() -> None:
    rows = [[True, True, False, False], [False, False, True, False]]
    answers = [["1/2", "0.5", "7", "7"], ["3", "3", "2", "2"]]
    # First a tie of two answers, then "3" twice against one right and one wrong "2".
    assert statistics.majority(rows, answers).value == (0.5 + 0) / 2


def test_a_tie_counts_as_its_expected_value() -> None:
    """Choosing at random among the most frequent answers gives the same mean."""
    rng = np.random.default_rng(10)
    correct, said = [True, False, False, True, False], ["4", "5", "6", "4", "5"]
    chosen = [rng.choice(["4", "5"]) == "4" for _ in range(4000)]
    assert statistics.majority_share(correct, said) == pytest.approx(np.mean(chosen), abs=0.03)


def test_a_response_without_answer_does_not_vote() -> None:
    assert statistics.majority_share([True, False, False], ["4", None, None]) == 1.0
    assert statistics.majority_share([False, False], [None, None]) == 0.0


def test_majority_gains_over_the_average_where_the_right_answer_is_the_likeliest() -> None:
    """Condorcet's case: each of 15 responses is right with chance 0.6, else the same wrong."""
    table = np.random.default_rng(11).random((200, 15)) < 0.6
    answers = [["7" if right else "8" for right in row] for row in table.tolist()]
    found = statistics.majority(table, answers)
    assert found.value == pytest.approx(binom.sf(7, 15, 0.6), abs=0.06)
    assert found.low > 0.6


@pytest.mark.parametrize(
    ("gained", "lost", "num_items", "low", "high", "p_value"),
    [
        # From Fagerland, Lydersen and Laake 2017, chapter 8: Cavo et al. 2012, Bentur et al. 2009.
        (6, 16, 161, -0.1240, -0.0054, 0.052479),
        (1, 7, 21, -0.5172, -0.0260, 0.0703),
        # From R's PropCIs::scoreci.mp(20, 60, 1000).
        (60, 20, 1000, 0.0231, 0.0584, None),
    ],
)
def test_paired_interval_and_test_as_published(
    gained: int, lost: int, num_items: int, low: float, high: float, p_value: float | None
) -> None:
    same = num_items - gained - lost
    base = [False] * gained + [True] * lost + [True] * same
    tuned = [True] * gained + [False] * lost + [True] * same
    found = statistics.compare(base, tuned)
    assert (found.num_gained, found.num_lost) == (gained, lost)
    assert (round(found.difference.low, 4), round(found.difference.high, 4)) == (low, high)
    if p_value:
        assert found.p_value == pytest.approx(p_value, abs=5e-5)


def test_equal_answers_show_no_difference_but_not_with_certainty() -> None:
    """If no item changed, the interval is +-z^2 / (n + z^2), as for a share of 0 in n."""
    found = statistics.compare([True, False] * 12, [True, False] * 12)
    assert (found.p_value, found.difference.value) == (1.0, 0.0)
    bound = Z2 / (24 + Z2)
    assert (found.difference.low, found.difference.high) == pytest.approx((-bound, bound))
    repeated = statistics.compare(np.ones((24, 4)), np.ones((24, 4))).difference
    assert repeated.low < -0.5 * bound and repeated.high > 0.5 * bound


def test_models_that_change_places_change_the_sign() -> None:
    for repeats in (1, 4):
        one, two = draws(30, repeats, 0.3, seed=12), draws(30, repeats, 0.6, seed=13)
        there, back = statistics.compare(one, two), statistics.compare(two, one)
        assert there.p_value == pytest.approx(back.p_value)
        assert there.difference.value == pytest.approx(-back.difference.value)
        assert there.difference.low == pytest.approx(-back.difference.high, abs=0.01)
        assert (there.num_gained, there.num_lost) == (back.num_lost, back.num_gained)


@pytest.mark.parametrize(("up", "down"), [(0.0, 0.0), (0.1, 0.0), (0.3, 0.1), (0.45, 0.45)])
def test_the_paired_interval_covers(up: float, down: float) -> None:
    """The coverage is exact, over all outcomes of 24 items gained or lost with these chances."""
    covered = 0.0
    for gained in range(25):
        for lost in range(25 - gained):
            chance = multinomial.pmf(
                [gained, lost, 24 - gained - lost], 24, [up, down, 1 - up - down]
            )
            if chance > 1e-9:
                found = statistics.paired_difference(gained, lost, 24)
                covered += chance * (found.low <= up - down <= found.high)
    assert covered > 0.93


@pytest.mark.slow
@pytest.mark.parametrize(("moved", "repeats"), [(0.3, 4), (0.3, 64), (0.05, 64)])
def test_the_paired_interval_over_repeats_covers(moved: float, repeats: int) -> None:
    """Of 400 pairs of evaluations at least 93% cover the true difference, also a rare one."""
    held = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        chance = rng.beta(0.3, 0.7, size=(24, 1))
        better = np.where(rng.random((24, 1)) < moved, 1 - (1 - chance) * 0.2, chance)
        before, after = (rng.random((24, repeats)) < each for each in (chance, better))
        found = statistics.compare(before, after).difference
        held.append(found.low <= moved * 0.8 * 0.7 <= found.high)
    assert np.mean(held) > 0.93


def test_sign_flip_is_mcnemars_exact_test_for_single_runs() -> None:
    for gained, lost in itertools.product(range(0, 40, 3), range(0, 25, 4)):
        steps = np.array([1] * gained + [-1] * lost + [0] * 9)
        wanted = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
        assert statistics.sign_flip_p(steps) == pytest.approx(wanted)


def test_sign_flip_is_the_exact_permutation_test() -> None:
    """scipy enumerates every sign pattern of 10 items."""
    steps = np.array([3, -1, 2, 2, 0, -4, 1, 1, 3, 2])
    wanted = permutation_test(
        (steps, np.zeros(10)),
        lambda x, y, axis: (x - y).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue
    assert statistics.sign_flip_p(steps) == pytest.approx(wanted)


def exact_sign_flip(steps: list[int]) -> float:
    """Count the sign assignments in whole numbers."""
    ways = {0: 1}
    for size in map(abs, steps):
        more: dict[int, int] = {}
        for total, count in ways.items():
            for moved in (total + size, total - size):
                more[moved] = more.get(moved, 0) + count
        ways = more
    far = sum(count for total, count in ways.items() if abs(total) >= abs(sum(steps)))
    return far / 2 ** len(steps)


@settings(max_examples=80, deadline=None, database=None)
@given(st.lists(st.integers(-9, 64), max_size=40), st.integers(1, 3))
def test_sign_flip_has_all_digits_of_a_count_in_whole_numbers(steps: list[int], unit: int) -> None:
    steps = [unit * each for each in steps]
    found = statistics.sign_flip_p(np.array(steps, dtype=np.int64))
    assert found == pytest.approx(exact_sign_flip(steps), rel=1e-10)


def test_sign_flip_of_5000_items_with_64_repeats_takes_less_than_a_second() -> None:
    rng = np.random.default_rng(17)
    for shift in (0, 2, 30):
        steps = np.clip(rng.integers(-64, 65, 5000) + shift, -64, 64)
        started = time.process_time()
        found = statistics.sign_flip_p(steps)
        assert time.process_time() - started < 1
        # So many items make the sum normal, except far out in its tails.
        normal = 2 * norm.sf((abs(steps.sum()) - 0.5) / np.sqrt((steps**2).sum()))
        assert (normal > 1e-6 and found == pytest.approx(normal, rel=0.01)) or found < 1e-6


@pytest.mark.slow
def test_sign_flip_finds_no_more_than_5_percent_where_there_is_nothing() -> None:
    rates = []
    for seed in range(400):
        chance = np.random.default_rng(seed).beta(0.5, 0.5, size=(40, 1))
        one, two = (np.random.default_rng([seed, n]).random((40, 4)) < chance for n in range(2))
        rates.append(statistics.compare(one, two).p_value < 0.05)
    assert 0.01 < np.mean(rates) < 0.075


@pytest.mark.parametrize("num_items", [24, 64, 300])
@pytest.mark.parametrize("disagreement", [0.0, 0.1, 0.4])
def test_the_exact_test_finds_the_detectable_difference_in_80_percent(
    num_items: int, disagreement: float
) -> None:
    """The power of the test as it is run, over all outcomes at the stated difference, is 80%."""
    difference = statistics.minimum_detectable(disagreement, num_items)
    assert difference
    changing = max(disagreement, difference)
    gain = (changing + difference) / 2 / changing
    power = 0.0
    for changed in range(num_items + 1):
        ups = np.arange(changed + 1)
        p_values = np.minimum(1, 2 * binom.cdf(np.minimum(ups, changed - ups), changed, 0.5))
        found = binom.pmf(ups, changed, gain)[p_values < 0.05].sum()
        power += binom.pmf(changed, num_items, changing) * found
    assert power == pytest.approx(0.8, abs=1e-6)


def test_the_detectable_difference_is_millers_for_repeats_and_many_items() -> None:
    """It is (z + z_power) sd / sqrt(n) if the models disagree often (Miller 2024, section 5)."""
    found = statistics.minimum_detectable(0.125, 5000)
    assert found == pytest.approx((1.96 + 0.8416) * np.sqrt(0.125 / 5000), rel=0.03)


def test_too_few_items_show_no_difference() -> None:
    """Five items that all change give p = 2 / 32, and six give p = 2 / 64."""
    assert statistics.compare([False] * 5, [True] * 5).p_value > 0.05
    assert statistics.compare([False] * 6, [True] * 6).p_value < 0.05
    assert statistics.minimum_detectable(0.5, 5) is None
    assert statistics.minimum_detectable(0.5, 6) is not None


def test_the_gap_of_two_groups_as_newcombe_gives_it() -> None:
    """The cases are 56/70 - 48/80 and 9/10 - 3/10 (Newcombe 1998, 17:873, table II)."""

    def wilson(right: int, num: int) -> statistics.Interval:
        ends = binomtest(right, num).proportion_ci(0.95, method="wilson")
        return statistics.Interval(right / num, ends.low, ends.high)

    found = statistics.gap(wilson(56, 70), wilson(48, 80))
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    found = statistics.gap(wilson(9, 10), wilson(3, 10))
    assert (round(found.low, 4), round(found.high, 4)) == (0.1705, 0.8090)


def test_holms_worked_example() -> None:
    """At 5% overall the first two pass: 4, 3, 2 and 1 times p are compared with 0.05."""
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_keeps_one_test_as_it_is_and_the_order_of_many() -> None:
    assert statistics.holm([0.04]) == [0.04] and statistics.holm([]) == []
    p_values = np.random.default_rng(14).random(20) ** 4
    adjusted = np.array(statistics.holm(p_values.tolist()))
    assert (adjusted >= p_values).all() and adjusted.max() <= 1
    assert (np.diff(adjusted[np.argsort(p_values)]) >= 0).all()


def test_a_family_of_tests_is_its_tests_with_their_p_adjusted() -> None:
    pairs = {n: (draws(40, 1, 0.4, n), draws(40, 1, 0.4 + n / 10, n + 9)) for n in (1, 2, 4)}
    family = statistics.compare_all(pairs)
    assert list(family) == list(pairs)
    alone = [statistics.compare(*pair) for pair in pairs.values()]
    assert [each.p_holm for each in family.values()] == statistics.holm([t.p_value for t in alone])
    for test, single in zip(family.values(), alone, strict=True):
        assert vars(test) == vars(single) | {"p_holm": test.p_holm}
        assert test.is_significant == (test.p_holm < 0.05)
    assert statistics.compare_all({}) == {}


def test_holm_lets_pass_one_family_in_twenty() -> None:
    """Of families of 20 null tests, two in three pass one at 5%, one in twenty with Holm."""
    families = np.random.default_rng(15).random((1000, 20))
    plain = np.mean([min(each) < 0.05 for each in families])
    held = np.mean([min(statistics.holm(each.tolist())) < 0.05 for each in families])
    assert plain > 0.55 and held < 0.07


def test_for_many_items_the_interval_is_the_bootstraps() -> None:
    table = draws(2000, 4, 0.5, seed=16)
    wanted = bootstrap((table.mean(axis=1),), np.mean, n_resamples=2000, rng=1).confidence_interval
    found = statistics.accuracy(table)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=0.003)
