"""Rows are grouped by hashes and problems by families, and a coin depends only on its key."""

import numpy as np
import pyarrow as pa
import pytest

from mathledger.text import groups


def test_first_of_agrees_with_a_dictionary() -> None:
    keys = np.random.default_rng(0).integers(0, 30, (2000, 2), np.uint64)
    first: dict[tuple[int, ...], int] = {}
    expected = [first.setdefault(tuple(key), row) for row, key in enumerate(keys.tolist())]
    assert groups.first_of(keys).tolist() == expected
    assert len(first) > 500


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("A hen lays 3 eggs in 2 days.", "A hen lays 15 eggs in 0.5 days.", True),
        (r"Find $\frac{1}{2} + 3$.", r"find $\dfrac{7}{10}+1{,}000$", True),
        ("A hen lays 3 eggs.", "A hen lays 3 or 4 eggs.", False),
        ("Find $x + 3$.", "Find $x - 3$.", False),
        ("A hen lays 3 eggs.", "A duck lays 3 eggs.", False),
    ],
)
def test_a_family_differs_in_numbers_alone(one: str, other: str, alike: bool) -> None:
    left, right = groups.templates(pa.array([one, other])).tolist()
    assert (left == right) == alike


def test_coins_are_uniform_and_the_keys_own() -> None:
    names = pa.array([f"row {number}" for number in range(4000)])
    coins = groups.coins(names, seed=7)
    assert ((coins >= 0) & (coins < 1)).all()
    counts, _ = np.histogram(coins, bins=10, range=(0, 1))
    assert counts.min() > 330 and counts.max() < 470
    assert (groups.coins(names[1000:2000], seed=7) == coins[1000:2000]).all()
    assert abs(np.corrcoef(coins, groups.coins(names, seed=8))[0, 1]) < 0.06


def test_hashes_have_coins_as_well() -> None:
    keys = np.arange(8, dtype=np.uint64).reshape(4, 2)
    coins = groups.coins(keys, seed=7)
    assert len(set(coins.tolist())) == 4
    assert (groups.coins(keys[2:], seed=7) == coins[2:]).all()
