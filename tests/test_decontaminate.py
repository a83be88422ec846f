"""Benchmark items are found in training problems, and items with other numbers are variants."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mathledger.core.errors import InputError
from mathledger.core.tables import read_rows
from mathledger.data.canary_forms import CONTROLS, COPIES
from mathledger.filters import canaries, decontaminate, overlap, overlap_index, spelling
from mathledger.filters.decision import Match, evidence
from mathledger.filters.items import Item, read_items
from mathledger.run import params
from tests.conftest import Workspace

pytestmark = pytest.mark.kernels

SETTINGS = params.load("decontaminate", decontaminate.Params)
ITEM = (
    "Let $x$ and $y$ be positive integers with $x^2 - y^2 = 2024$. Find the number of ordered "
    "pairs $(x, y)$ for which $x + y < 600$."
)
# Ordinary problems, so that n-grams have a rarity.
OTHERS = [
    f"Let $a$ and $b$ be positive integers with $a + {n}b = {n * n + 3}$. Find the number of "
    "ordered pairs $(a, b)$."
    for n in range(2, 40)
]


def classes(problem: str, *items: str) -> list[str]:
    """Return the classes of a problem's pairs with these items (default: ITEM)."""
    index = overlap_index.build(
        pa.array(items or [ITEM]),
        pa.array([*OTHERS, problem]),
        SETTINGS.thresholds,
    )
    return [overlap.CLASSES[kind] for kind in overlap.match(pa.array([problem]), index).classes]


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (ITEM, ["same"]),
        (
            ITEM.replace("$x^2 - y^2", r"$\left. x^2 \right. - y^2").replace(" be ", "  be\n"),
            ["same"],
        ),
        (ITEM.upper().replace("X", "x").replace("Y", "y"), ["same"]),
        (f"Problem 7. {ITEM} Justify your answer.", ["contained"]),
        (ITEM.replace("2024", "2028"), ["variant"]),
        (ITEM.replace("x^2 - y^2", "x^2 + y^2"), ["variant"]),
        (ITEM.replace("600", "60.0"), ["variant"]),
        (OTHERS[0], []),
        ("How many apples are in 3 boxes of 12?", []),
    ],
)
def test_class_of_a_problem(problem: str, expected: list[str]) -> None:
    assert classes(problem) == expected


@pytest.mark.parametrize("item", ["Compute 7!.", "What is 2+2?", "Evaluate $\\sin 30^\\circ$."])
def test_short_items_are_found(item: str) -> None:
    assert classes(item, item) == ["same"]
    assert classes(f"Tom has seven apples. {item}", item) == ["contained"]


def test_all_items_that_a_problem_holds_are_reported() -> None:
    assert classes(ITEM, ITEM, f"{ITEM} ") == ["same", "same"]


def test_a_solution_that_holds_a_whole_item_is_found() -> None:
    index = overlap_index.build(pa.array([ITEM]), pa.array(OTHERS), SETTINGS.thresholds)
    solutions = pa.array([f"We first recall: {ITEM} Now factor.", "We factor $x^2 - y^2$."])
    matches = overlap.match(solutions, index, solutions=True)
    assert matches.rows.tolist() == [0] and matches.classes.tolist() == [overlap.CONTAINED]


def test_spans_are_what_both_texts_share() -> None:
    problem = "Problem 7. " + ITEM.replace(" for which", ", 7 at most, for which")
    own, other = spelling.spelled(problem), spelling.spelled(ITEM)
    shown = [problem[span["start"] : span["end"]] for span in spelling.spans(own, other, 5)]
    assert shown == [
        ITEM[: ITEM.index("$(x, y)$") + len("$(x, y)")],
        "for which $x + y < 600",
    ]


def test_an_item_without_a_token_is_an_error(smoke_copy: Workspace) -> None:
    path = smoke_copy.path / "data/download_benchmark/tiny_chain_sum/all_items.parquet"
    rows = read_rows(path)
    rows[0]["problem"] = "?"
    path.unlink()
    pq.write_table(pa.Table.from_pylist(rows), path)
    shown = smoke_copy.python("-m", "stages.decontaminate", ok=False)
    assert f"item {rows[0]['id']} has no tokens" in shown and "Traceback" not in shown


def test_a_torn_file_is_an_error(smoke_copy: Workspace) -> None:
    path = smoke_copy.path / "data/deduplicate/kept.parquet"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: len(data) // 2])
    shown = smoke_copy.python("-m", "stages.decontaminate", ok=False)
    assert "data/deduplicate/kept.parquet is not a readable parquet file" in shown
    assert "Traceback" not in shown


def test_a_filter_that_misses_its_canaries_fails() -> None:
    counts = {"verbatim": {"num": 20, "num_found": 20}, "rewrapped": {"num": 20, "num_found": 17}}
    with pytest.raises(InputError, match=r"found 17 of 20 canaries \(rewrapped\)"):
        canaries.stop_at_low_recall(counts, 0.9)


def test_canaries_are_measured_and_none_is_trained_on(smoke: Workspace) -> None:
    metrics = json.loads((smoke.path / "metrics/decontaminate.json").read_text())
    for form in ("verbatim", "reformatted", "rewrapped", "embedded"):
        assert metrics["canaries"][form] == {"num": 6, "num_found": 6}
    for control in ("number_changed", "sign_changed"):
        assert metrics["canaries"][control]["num"] >= 5
        assert metrics["canaries"][control]["num_found"] == 0
    assert set(metrics["canaries"]) <= {*COPIES, *CONTROLS}
    assert metrics["leaks"]["num_both"] == 2 and metrics["leaks"]["remaining"] is None
    origins = {
        row["origin_file"] for row in read_rows(smoke.path / "data/decontaminate/kept.parquet")
    }
    assert origins == {"train.jsonl"}


def test_a_private_item_leaves_no_text_in_the_evidence() -> None:
    item = Item("secret", "rev", None, "1", ITEM, private=True)
    match = Match(0, overlap.SAME, "problem", 1.0, 1.0, 1.0)
    row = evidence(match, item, ITEM, 5)
    assert row["item_problem"] is None
    assert not any(row[name] for name in row if name.endswith(("_spans", "_numbers", "_operators")))


def test_planted_leaks_are_removed_with_evidence(smoke: Workspace) -> None:
    folder = smoke.path / "data/decontaminate"
    kept, removed = (read_rows(folder / f"{part}.parquet") for part in ("kept", "removed"))
    before = read_rows(smoke.path / "data/deduplicate/kept.parquet")
    assert sorted(row["id"] for row in kept + removed) == [row["id"] for row in before]
    assert not [row for row in kept if row["source"] == "planted_leak"]
    assert len([row for row in removed if row["source"] == "planted_leak"]) == 2
    for row in removed:
        evidence = row["evidence"]
        folder = smoke.path / "data/download_benchmark" / evidence["benchmark"]
        problem = {item["id"]: item["problem"] for item in read_rows(folder / "items.parquet")}
        assert problem[evidence["item_id"]] == evidence["item_problem"]
        assert evidence["row_spans"] and evidence["missing_numbers"] == []


def test_flag_keeps_the_rows_and_the_evidence(smoke_copy: Workspace) -> None:
    before = read_rows(smoke_copy.path / "data/decontaminate/evidence.parquet")
    smoke_copy.run(
        "dvc", "exp", "run", "-S", "experiment=smoke", "-S", "decontaminate.action=flag",
        "decontaminate",
    )  # fmt: skip
    metrics = json.loads((smoke_copy.path / "metrics/decontaminate.json").read_text())
    assert metrics["num_removed"] == 0 and metrics["num_kept"] == metrics["num_in"]
    after = read_rows(smoke_copy.path / "data/decontaminate/evidence.parquet")
    assert {row["action"] for row in after} == {"flagged"}
    assert [row | {"action": ""} for row in after] == [row | {"action": ""} for row in before]


def test_a_missing_benchmark_is_an_error(smoke: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(smoke.path)
    with pytest.raises(InputError, match=r"aime/receipt\.json is missing"):
        read_items(Path("data/download_benchmark"), ["tiny_chain_sum", "aime"])
