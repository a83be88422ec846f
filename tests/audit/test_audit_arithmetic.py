"""The closed forms for k of n agree with brute force over every k."""

from collections import defaultdict
from decimal import ROUND_DOWN, ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from scipy.stats import binomtest

from mathledger.audit.arithmetic import fit, passes_to_be_exact, printed, wilson

ROUNDINGS = (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_HALF_DOWN)


def prints(total: int, decimals: int, roundings: tuple[str, ...]) -> dict[str, list[int]]:
    """Map each printed percentage to every k of total that some rounding prints like it."""
    found: dict[str, list[int]] = defaultdict(list)
    for k in range(total + 1):
        exact = Decimal(100 * k) / Decimal(total)
        for text in {f"{exact.quantize(Decimal(1).scaleb(-decimals), how):f}" for how in roundings}:
            found[text].append(k)
    return found


@pytest.mark.parametrize(
    ("n", "decimals"),
    [*((n, 0) for n in (*range(1, 41), 83, 500, 1319)), *((n, 1) for n in (15, 30, 83, 1319))],
)
def test_every_printed_percentage_has_the_counts_that_print_it(n: int, decimals: int) -> None:
    rounded, cut = prints(n, decimals, ROUNDINGS), prints(n, decimals, (ROUND_DOWN,))
    for step in range(100 * 10**decimals + 1):
        text = f"{Decimal(step).scaleb(-decimals):f}"
        found = fit(printed(text), n)
        if rounded[text] or not text.endswith("0") or not decimals:
            assert [*found.rounded] == rounded[text], text
        else:  # 97.0 may be 97, padded.
            assert [*found.rounded] == [*fit(printed(text[:-2]), n).rounded], text
        if not text.endswith("0") or not decimals:
            assert [*found.cut] == cut[text], text


@pytest.mark.parametrize("n", [15, 30])
def test_the_fewest_passes_are_the_first_that_give_the_value(n: int) -> None:
    by_passes = [prints(n * passes, 0, ROUNDINGS) for passes in range(1, 101)]
    for step in range(101):
        possible = [at for at, printing in enumerate(by_passes, 1) if printing[str(step)]]
        found = fit(printed(str(step)), n)
        assert (found.fewest_passes or 1) == possible[0], step


def test_one_pass_over_30_items_gives_31_values_and_never_98_or_99() -> None:
    """On AIME, 97% is 29 of 30, rounded; only multiples of 10/3 are exact."""
    possible = {step for step in range(101) if fit(printed(str(step)), 30).rounded}
    assert possible == {round(100 * k / 30) for k in range(31)}
    assert 97 in possible and not {98, 99} & possible
    assert [*fit(printed("96.7"), 30).rounded] == [*fit(printed("96.67"), 30).rounded] == [29]
    assert not fit(printed("97.1"), 30).possible
    assert [*fit(printed("97.0"), 30).rounded] == [29], "97, with a zero more"
    exact = [step for step in range(101) if passes_to_be_exact(Fraction(step), 30) == 1]
    assert exact == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


def test_a_range_holds_the_scores_between_its_ends() -> None:
    for n in (15, 25, 30, 83, 500):
        for low, high in (("95", "99"), ("96", "98"), ("90", "94"), ("0", "100")):
            inside = [k for k in range(n + 1) if int(low) <= Fraction(100 * k, n) <= int(high)]
            assert [*fit(printed(low, high), n).rounded] == inside


def test_digits_of_a_float_are_not_taken_for_precision() -> None:
    """JSON prints 100 * 960 / 1319 as 72.78241091736164."""
    assert [*fit(printed(repr(100 * 960 / 1319)), 1319).rounded] == [960]
    assert [*fit(printed(repr(960 / 1319), share=True), 1319).rounded] == [960]


@pytest.mark.parametrize(("k", "n"), [(0, 10), (29, 30), (30, 30), (1, 2), (700, 1319)])
def test_the_interval_is_scipys(k: int, n: int) -> None:
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)
