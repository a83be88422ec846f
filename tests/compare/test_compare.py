"""The table says which tests are missing and what its numbers leave out."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest

from mathledger.card.ledger import Score
from mathledger.compare import compute, render
from mathledger.compare.compute import Comparison
from mathledger.compare.load import Cost, Experiment, Responses
from mathledger.core.errors import InputError
from mathledger.evaluation import statistics


def responses(text: str) -> Responses:
    """Return responses given as 1 (right) and 0; "v1:1100" names the items v1."""
    items, _, outcomes = text.rpartition(":")
    right = [each == "1" for each in outcomes]
    interval = statistics.accuracy(right)
    score = Score(
        num_items=len(right),
        num_samples=len(right),
        num_correct=sum(right),
        accuracy=interval.value,
        low=interval.low,
        high=interval.high,
    )
    return Responses(
        score,
        items,
        {str(number): [each] for number, each in enumerate(right)},
    )


def experiment(name: str, scores: dict[str, str], **cost: Any) -> Experiment:
    """Return an experiment with responses by benchmark, each written as for `responses`."""
    costs = {"train_seconds": 61.2, "energy_kwh": 0.0123, "is_resumed": False, "device": "CPU"}
    by_benchmark = {benchmark: responses(text) for benchmark, text in scores.items()}
    return Experiment(name, name, [], 1234, Cost(**costs | cost), "tuned", by_benchmark)


def table(*rows: Experiment, overlapping: dict[str, set[str]] | None = None) -> Comparison:
    return compute.compare(rows, overlapping or {})


def cells(comparison: Comparison, sheet: int) -> dict[str, dict[str, str]]:
    own = list(render.sheets(comparison))[sheet]
    return {line[0]: dict(zip(own.head[1:], line[1:], strict=True)) for line in own.lines}


def test_p_is_adjusted_for_all_tests_of_the_table() -> None:
    zeros, ones = "0" * 8, "1" * 8
    comparison = table(
        experiment("base", {"a": zeros, "b": zeros}),
        experiment("x", {"a": ones, "b": zeros}),
        experiment("y", {"a": "11111100", "b": "10000000"}),
    )
    assert comparison.num_tests == 4
    tests = [result.test for row in comparison.others for result in row.results.values()]
    assert all(tests)
    expected = statistics.holm([2 / 2**8, 1.0, 2 / 2**6, 1.0])
    assert [test.p_holm for test in tests if test] == pytest.approx(expected)
    assert [test.is_significant for test in tests if test] == [True, False, False, False]
    assert cells(comparison, 1)["x"]["a"].endswith(", 0.031*")
    assert "The exact tests (4)" in render.notes(comparison)


def test_what_cannot_be_paired_is_not_tested_and_says_why() -> None:
    comparison = table(
        experiment("base", {"a": "v1:1100"}),
        experiment("x", {"a": "v2:1100", "b": "1111"}),
    )
    assert comparison.num_tests == 0
    assert cells(comparison, 1)["x"] == {"changed": "nothing", "a": "-", "b": "-"}
    assert cells(comparison, 0)["base"]["b"] == "-"
    notes = " ".join(render.notes(comparison).split())
    assert "not tested: the baseline answered different items." in notes
    assert "not tested: the baseline has no responses to this benchmark." in notes


def test_cost_says_where_it_is_not_whole_or_not_comparable() -> None:
    comparison = table(
        experiment("base", {"a": "1100"}),
        experiment("x", {"a": "1100"}, is_resumed=True, device="H100", energy_kwh=1234.5),
        experiment("y", {"a": "1100"}, energy_kwh=None),
    )
    costs = cells(comparison, 0)
    assert costs["base"]["train s"] == "61" and costs["base"]["kWh"] == "0.012"
    assert costs["x"]["train s"] == "61+" and costs["x"]["kWh"] == "1,234+"
    assert costs["y"]["kWh"] == "-"  # It could not be estimated.
    notes = " ".join(render.notes(comparison).split())
    assert "+ marks a resumed training" in notes
    assert "because training ran on different machines: CPU; H100" in notes


def test_a_leak_shows_on_the_items_that_overlap() -> None:
    comparison = table(
        experiment("base", {"a": "1000" + "1" * 6, "b": "1111"}),
        experiment("leaky", {"a": "1111" + "1" * 5 + "0", "b": "1111"}),
        experiment("other", {"a": "v2:" + "1" * 10}),
        overlapping={"a": {"0", "1", "2", "3"}},
    )
    base, leaky, other = (row.results["a"].by_overlap for row in comparison.rows)
    assert other is None  # It answered other items.
    assert base and leaky
    assert (base.items_with_overlap.num_correct, base.items_without_overlap.num_correct) == (1, 6)
    parts = (leaky.items_with_overlap, leaky.items_without_overlap)
    assert [part.num_correct for part in parts] == [4, 5]
    changes = [part.difference.value for part in parts if part.difference]
    assert changes == pytest.approx([3 / 4, -1 / 6])
    assert comparison.baseline.results["b"].by_overlap is None  # No item overlaps.

    sheet = list(render.sheets(comparison))[2]
    assert "the corpora of base" in sheet.title
    assert [line[:2] for line in sheet.lines] == [["a", "base"], ["a", "leaky"]]
    assert sheet.lines[1][2].startswith("4 of 4: 100 [")
    assert sheet.lines[1][3].startswith("+75 [")


def test_csv_and_json_have_all_digits() -> None:
    comparison = table(
        experiment("base", {"a": "0" * 8}), experiment("x", {"a": "11111100", "b": "11"})
    )
    lines = list(csv.DictReader(io.StringIO(render.csv_text(comparison))))
    assert [(line["name"], line["benchmark"]) for line in lines] == [
        ("base", "a"),
        ("x", "a"),
        ("x", "b"),
    ]
    assert [line["p_holm"] for line in lines] == ["", str(2 / 2**6), ""]
    base, other = render.content(comparison)["experiments"]
    assert "against_baseline" not in base["scores"]["a"]
    test = other["scores"]["a"]["against_baseline"]
    assert (test["num_items_gained"], test["p_holm"]) == (6, 2 / 2**6)
    assert test["difference"].keys() == {"value", "low", "high"}
    assert other["scores"]["b"]["not_tested"] == "the baseline has no responses to this benchmark"


def test_one_items_digest_with_other_items_is_an_error() -> None:
    with pytest.raises(InputError, match="exam has the same items_digest in the baseline and in x"):
        compute.pair(responses("1"), responses("11"), "exam", "x")


def replica(name: str, setting: str, seed: int, right: str) -> Experiment:
    return replace(experiment(name, {"a": right}), setting=setting, seeds=(seed,))


def test_trainings_that_differ_by_seeds_alone_are_one_setting() -> None:
    comparison = table(
        replica("base", "s", 1, "11110000"),
        replica("base-1", "s", 2, "11100000"),
        replica("base-2", "s", 3, "11111000"),
        replica("base-3", "s", 3, "11111111"),  # The same seed is the same training.
        replica("lora", "t", 1, "11111100"),
    )
    base, lora = comparison.groups
    assert [each.name for each in base.trainings] == ["base", "base-1", "base-2"]
    assert base.spreads["a"].scores == (4 / 8, 3 / 8, 5 / 8)
    assert lora.spreads["a"].sd is None and lora.differences["a"] is None
    shown = cells(comparison, 2)
    assert shown["base and 2 more"]["trainings"] == "3"
    assert shown["base and 2 more"]["a"].startswith("50 [")
    assert shown["base and 2 more"]["a"].endswith(", sd 12.5")
    assert shown["lora"]["a"] == "75, sd unknown"
    notes = " ".join(render.notes(comparison).split())
    assert "One training cannot tell how much of a difference its seeds made: lora." in notes
    settings = render.content(comparison)["settings"]
    assert [each["trainings"] for each in settings] == [["base", "base-1", "base-2"], ["lora"]]


def test_two_settings_with_three_trainings_each_are_compared() -> None:
    comparison = table(
        *(replica(f"base-{n}", "s", n, "1111000000000000") for n in range(3)),
        *(replica(f"lora-{n}", "t", n, "1111111111111110") for n in range(3)),
    )
    step = comparison.groups[1].differences["a"]
    assert step and step.value == pytest.approx(11 / 16) and step.low > 0
    assert "; +69 [" in cells(comparison, 2)["lora-0 and 2 more"]["a"]
    assert "One training cannot tell" not in render.notes(comparison)
