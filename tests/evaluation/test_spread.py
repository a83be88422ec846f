"""The spread over trainings covers the truth, and a single seed does not claim to."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathledger.evaluation import spread, statistics

TABLES = st.integers(1, 6).flatmap(
    lambda items: st.lists(
        st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=items, max_size=items),
        min_size=1,
        max_size=7,
    )
)


def simulated(
    trainings: int, items: int, of_item: float, of_training: float, rng: np.random.Generator
) -> np.ndarray:
    logits = of_item * rng.standard_normal(items)
    logits = logits + of_training * rng.standard_normal((trainings, 1))
    return rng.random((trainings, items)) < 1 / (1 + np.exp(-logits))


@given(TABLES)
def test_a_spread_is_that_of_numpy_and_its_interval_is_sound(table: list[list[float]]) -> None:
    found = spread.over_trainings(table)
    scores = np.mean(table, axis=1)
    assert found.mean == pytest.approx(scores.mean())
    assert found.sd == (None if len(table) == 1 else pytest.approx(scores.std(ddof=1)))
    assert (found.interval is None) == (len(table) < 3 or len(table[0]) < 2)
    if found.interval:
        assert 0 <= found.interval.low <= found.mean <= found.interval.high <= 1
        assert found.interval.low < found.interval.high


@given(TABLES, st.randoms(use_true_random=False))
def test_the_order_of_trainings_and_items_does_not_matter(
    table: list[list[float]], random: object
) -> None:
    one = spread.over_trainings(table)
    other = spread.over_trainings([row[::-1] for row in table[::-1]])
    assert one.mean == pytest.approx(other.mean)
    if one.interval and other.interval:
        assert one.interval.low == pytest.approx(other.interval.low, abs=1e-9)
        assert one.interval.high == pytest.approx(other.interval.high, abs=1e-9)


@pytest.mark.parametrize(("of_item", "of_training"), [(0.0, 0.5), (3.0, 0.5), (3.0, 0.0)])
def test_the_interval_covers_where_that_of_one_training_does_not(
    of_item: float, of_training: float
) -> None:
    """The true mean is one half. Of 300 experiments of five trainings, at least 92% cover it."""
    held, single = [], []
    for seed in range(300):
        table = simulated(5, 60, of_item, of_training, np.random.default_rng(seed))
        found = spread.over_trainings(table).interval
        one = statistics.accuracy(table[0])
        assert found
        held.append(found.low <= 0.5 <= found.high)
        single.append(one.low <= 0.5 <= one.high)
    assert np.mean(held) > 0.92
    if of_training and not of_item:
        assert np.mean(single) < 0.85


def test_the_difference_of_two_settings_covers() -> None:
    """Of 300 pairs of settings without a difference, at least 92% cover 0."""
    held = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        of_item = 2 * rng.standard_normal(60)
        tables = [
            rng.random((5, 60)) < 1 / (1 + np.exp(-of_item - 0.5 * rng.standard_normal((5, 1))))
            for _ in range(2)
        ]
        found = spread.difference(*tables)
        assert found
        held.append(found.low <= 0 <= found.high)
    assert np.mean(held) > 0.92


def test_fewer_than_three_trainings_show_no_difference() -> None:
    table = np.ones((3, 4))
    assert spread.difference(table[:2], table) is None
    assert spread.difference(table, table[:1]) is None
    found = spread.difference(table, table)
    assert found and found.low < 0 == found.value < found.high
