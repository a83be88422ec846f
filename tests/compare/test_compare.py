"""The table says what it could not test, and what its numbers leave out."""

from pathlib import Path
from typing import Any

import pytest

from mathledger import compare
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.evaluation import statistics


def row(name: str, scores: dict[str, str], **facts: Any) -> compare.Row:
    """Scores by benchmark, given as a text of 1 (right) and 0; "items:1100" names the items."""
    found: dict[str, Any] = {}
    for benchmark, text in scores.items():
        items, _, outcomes = text.rpartition(":")
        right = outcomes.count("1")
        interval = statistics.accuracy([each == "1" for each in outcomes])
        found[benchmark] = {
            "num_items": len(outcomes),
            "num_samples": len(outcomes),
            "num_correct": right,
            "accuracy": interval.value,
            "low": interval.low,
            "high": interval.high,
            "items_digest": items,
            "outcomes": outcomes,
        }
    cost = {"num_rows_trained_on": 1234, "train_seconds": 61.2, "energy_kwh": 0.0123}
    about = {"changed": [], "is_resumed": False, "device": "CPU", "model": "tuned", "commit": name}
    return {"name": name, "scores": found, **cost, **about, **facts}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Any:
    """compare() over rows as above, in place of those that commits hold."""

    def made(*rows: compare.Row, overlapping: dict[str, set[str]] | None = None) -> compare.Row:
        by_name = {each["name"]: each for each in rows}
        monkeypatch.setattr(compare, "overlapping_items", lambda _: overlapping or {})
        monkeypatch.setattr(compare, "describe", lambda chain, _: by_name[chain.name])
        monkeypatch.setattr(
            compare,
            "responses",
            lambda _, own: {
                benchmark: {str(n): [each == "1"] for n, each in enumerate(score.pop("outcomes"))}
                for benchmark, score in own["scores"].items()
            },
        )
        first, *others = (Chain(each["name"], each["name"], Path()) for each in rows)
        return compare.compare(first, others)

    return made


def cells(found: compare.Row, sheet: int) -> dict[str, dict[str, str]]:
    _, _, head, lines = list(compare.sheets(found))[sheet]
    return {line[0]: dict(zip(head[1:], line[1:], strict=True)) for line in lines}


def test_p_is_adjusted_for_all_tests_of_the_table(table: Any) -> None:
    zeros, ones = "0" * 8, "1" * 8
    found = table(
        row("base", {"a": zeros, "b": zeros}),
        row("x", {"a": ones, "b": zeros}),
        row("y", {"a": "11111100", "b": "10000000"}),
    )
    assert found["num_tests"] == 4
    tests = [
        score["against_baseline"]
        for each in found["experiments"][1:]
        for score in each["scores"].values()
    ]
    expected = statistics.holm([2 / 2**8, 1.0, 2 / 2**6, 1.0])
    assert [test["p_holm"] for test in tests] == pytest.approx(expected)
    assert [test["is_significant"] for test in tests] == [True, False, False, False]
    assert cells(found, 1)["x"]["a"].endswith(", 0.031*")
    assert "4 exact tests" in compare.notes(found)


def test_what_cannot_be_paired_is_not_tested_and_says_why(table: Any) -> None:
    found = table(
        row("base", {"a": "v1:1100"}),
        row("x", {"a": "v2:1100", "b": "1111"}),
    )
    assert found["num_tests"] == 0
    assert cells(found, 1)["x"] == {"changed": "nothing", "a": "-", "b": "-"}
    assert cells(found, 0)["base"]["b"] == "-"
    notes = compare.notes(found)
    assert "Not tested: the baseline answered other items." in notes
    assert "Not tested: the baseline has not answered it." in notes


def test_cost_says_where_it_is_not_whole_or_not_comparable(table: Any) -> None:
    found = table(
        row("base", {"a": "1100"}),
        row("x", {"a": "1100"}, is_resumed=True, device="H100", energy_kwh=1234.5),
        row("y", {"a": "1100"}, energy_kwh=None),
    )
    costs = cells(found, 0)
    assert costs["base"]["train s"] == "61" and costs["base"]["kWh"] == "0.012"
    assert costs["x"]["train s"] == "61+" and costs["x"]["kWh"] == "1,234+"
    assert costs["y"]["kWh"] == "-"  # it could not be estimated
    notes = " ".join(compare.notes(found).split())
    assert "+ marks a training that went on from a checkpoint" in notes
    assert "Trained on different machines, so times do not compare: CPU; H100" in notes


def test_a_leak_shows_on_the_items_that_overlap(table: Any) -> None:
    found = table(
        row("base", {"a": "1000" + "1" * 6, "b": "1111"}),
        row("leaky", {"a": "1111" + "1" * 5 + "0", "b": "1111"}),
        row("other", {"a": "v2:" + "1" * 10}),
        overlapping={"a": {"0", "1", "2", "3"}},
    )
    base, leaky, other = (each["scores"]["a"]["by_overlap"] for each in found["experiments"])
    assert other is None  # it answered other items
    assert [part["num_correct"] for part in base.values()] == [1, 6]
    assert [part["num_correct"] for part in leaky.values()] == [4, 5]
    changes = [part["difference"]["value"] for part in leaky.values()]
    assert changes == pytest.approx([3 / 4, -1 / 6])
    assert found["experiments"][0]["scores"]["b"]["by_overlap"] is None  # no item overlaps

    title, _, _, lines = list(compare.sheets(found))[2]
    assert "the corpora of base" in title
    assert [line[:2] for line in lines] == [["a", "base"], ["a", "leaky"]]
    assert lines[1][2].startswith("4 of 4: 100 [") and lines[1][3].startswith("+75 [")


def test_one_items_digest_with_other_items_is_an_error() -> None:
    with pytest.raises(InputError, match="exam has one items_digest in the baseline and in x"):
        compare.paired({"1": [True]}, {"2": [True]}, "exam", "x")
