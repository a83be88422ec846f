"""Every count in the metrics of the filters is a number of rows of a parquet file."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mathledger.card import funnel
from mathledger.card.outputs import Outputs
from mathledger.card.overlap import holds_item
from mathledger.core.hashing import content_id
from mathledger.core.tables import EXAMPLE, Row, read_rows, write_rows
from mathledger.filters import decontaminate, deduplicate
from mathledger.filters.items import Item
from mathledger.run import params

NAMES = ("Ann", "Bob", "Cem", "Dan", "Eva", "Fay")
STORY = "{} buys {} red tiles and {} blue ones at the market. How many tiles are that in the end?"
PROBLEMS = [STORY.format(name, 11 + n, 31 + n) for n, name in enumerate(NAMES)]
SOLUTION = (
    "{} has the red tiles and the blue ones, so we add the two numbers: {} + {} = {} tiles in all. "
    "That is the number of tiles that we were asked for. The answer is $\\boxed{{{}}}$."
)
SOLUTIONS = [
    SOLUTION.format(name, 11 + n, 31 + n, 42 + 2 * n, 42 + 2 * n) for n, name in enumerate(NAMES)
]
# Two benchmarks share an item, and the first has an item twice, so that rows have several hits.
ITEMS = [
    Item("one", "rev", "test", "a", PROBLEMS[0], False, SOLUTIONS[0]),
    Item("one", "rev", "test", "again", PROBLEMS[0], False, SOLUTIONS[0]),
    Item("one", "rev", "test", "b", PROBLEMS[1], False, None),
    Item("two", "rev", "test", "a", PROBLEMS[0], False, SOLUTIONS[0]),
    Item("two", "rev", "test", "c", PROBLEMS[2], False, SOLUTIONS[2]),
]
PAIRS = [
    ("first", PROBLEMS[0], "It is 42."),
    ("first", PROBLEMS[1], "It is 44."),
    ("first", PROBLEMS[1].replace("tiles", "$tiles$", 1), "It is 44."),  # An exact copy.
    ("first", f"Hello. {PROBLEMS[2]} Thank you.", "It is 46."),
    ("second", PROBLEMS[0].replace("at the end", "in the end"), "Add: 42."),
    ("second", "So how many of the tiles did Bob buy? " + PROBLEMS[3], SOLUTIONS[0]),
    ("second", "Which number is asked for in this story?", SOLUTIONS[2].replace("we add", "add")),
    ("second", PROBLEMS[0].replace("11", "17"), "It is 48."),
    *(
        ("second", f"{name} counts {n + 50} stars. Why?", "For joy.")
        for n, name in enumerate(NAMES)
    ),
]


def write_prepared(folder: Path) -> list[Path]:
    paths = []
    for corpus in ("first", "second"):
        rows: list[Row] = [
            {
                "id": content_id(corpus, problem, solution),
                "corpus": corpus,
                "source": f"source of {corpus} {len(problem) % 2}",
                "problem": problem,
                "solution": solution,
                "answer": None,
                "origin_file": "f",
                "origin_row": number,
            }
            for number, (own, problem, solution) in enumerate(PAIRS)
            if own == corpus
        ]
        paths.append(folder / corpus / "kept.parquet")
        paths[-1].parent.mkdir(parents=True)
        write_rows(paths[-1], sorted(rows, key=lambda row: str(row["id"])), EXAMPLE)
    return paths


def count(rows: list[Row], key: str) -> dict[str, int]:
    return dict(sorted(Counter(row[key] for row in rows).items()))


def check_deduplicate(folder: Path, metrics: dict[str, Any]) -> None:
    kept, removed, families = (
        read_rows(folder / f"{name}.parquet") for name in ("kept", "removed", "families")
    )
    copies: dict[str, dict[str, int]] = {}
    for corpus in sorted({row["corpus"] for row in removed}):
        own = [row["evidence"] for row in removed if row["corpus"] == corpus]
        copies[corpus] = count(own, "kept_corpus")
    assert metrics["num_in"] == len(kept) + len(removed)
    assert (metrics["num_kept"], metrics["num_removed"]) == (len(kept), len(removed))
    assert metrics["kept_by_corpus"] == count(kept, "corpus")
    assert metrics["removed_by_reason"] == count(removed, "reason")
    assert metrics["removed_by_source"] == count(removed, "source")
    assert metrics["removed_by_kept_corpus"] == copies
    assert metrics["num_families"] == len(families)


def check_decontaminate(folder: Path, metrics: dict[str, Any]) -> None:
    kept, removed, hits = (
        read_rows(folder / f"{name}.parquet") for name in ("kept", "removed", "evidence")
    )
    assert metrics["num_in"] == len(kept) + len(removed)
    assert (metrics["num_kept"], metrics["num_removed"]) == (len(kept), len(removed))
    assert metrics["kept_by_corpus"] == count(kept, "corpus")
    assert metrics["removed_by_reason"] == count(removed, "reason")
    assert metrics["removed_by_source"] == count(removed, "source")
    assert metrics["hits_by_class"] == count(hits, "class")
    held = [hit for hit in hits if holds_item(hit)]
    rows = {(hit["benchmark"], hit["id"]) for hit in held}
    assert metrics["contaminated_rows_by_benchmark"] == dict(
        sorted(Counter(benchmark for benchmark, _ in rows).items())
    )
    assert metrics["num_items_hit"] == len({(hit["benchmark"], hit["item_id"]) for hit in held})
    cells = Counter(
        tuple(cell[key] for key in ("corpus", "source", "benchmark"))
        for cell in metrics["contamination"]
        for _ in range(cell["num_rows"])
    )
    judged = {
        (hit["corpus"], hit["source"], hit["benchmark"], hit["id"])
        for hit in hits
        if hit["class"] != "different"
    }
    assert cells == Counter(key[:3] for key in judged)


def test_the_metrics_count_rows(tmp_path: Path) -> None:
    paths = write_prepared(tmp_path / "prepare")
    copies = params.load("deduplicate", deduplicate.Params)
    found = deduplicate.filter_rows(paths, tmp_path / "deduplicate", copies, [])
    check_deduplicate(tmp_path / "deduplicate", found)
    assert found["removed_by_reason"] == {"exact_duplicate": 1}
    search = params.load("decontaminate", decontaminate.Params)
    source, out = tmp_path / "deduplicate/kept.parquet", tmp_path / "decontaminate"
    found = decontaminate.filter_rows(source, ITEMS, out, search, [])
    check_decontaminate(out, found)
    # Two rows hold the shared item, and one has its solution.
    assert found["contaminated_rows_by_benchmark"] == {"one": 4, "two": 5}
    assert found["hits_by_class"]["solution"] > 3
    reasons = {row["solution"]: row["reason"] for row in read_rows(out / "removed.parquet")}
    assert reasons[SOLUTIONS[0]] == "solution"


def test_the_card_counts_rows(smoke: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(smoke.path)
    outputs, corpora = Outputs(Path()), [*params.read()["corpus"]]
    check_deduplicate(Path("data/deduplicate"), outputs.metrics("deduplicate"))
    check_decontaminate(Path("data/decontaminate"), outputs.metrics("decontaminate"))
    stages = (
        [f"data/prepare/{corpus}/kept.parquet" for corpus in corpora],
        ["data/deduplicate/kept.parquet"],
        ["data/decontaminate/kept.parquet"],
        ["data/mix/train.parquet"],
    )
    steps = [
        count([row for path in own for row in read_rows(Path(path))], "corpus") for own in stages
    ]
    for corpus, numbers in funnel.by_corpus(outputs, corpora).items():
        assert numbers[1:] == [step.get(corpus, 0) for step in steps]
        gone = read_rows(Path(f"data/prepare/{corpus}/removed.parquet"))
        assert numbers[0] == numbers[1] + len(gone)
    for removal in funnel.removals(outputs, corpora):
        names = [f"prepare/{name}" for name in corpora] if removal.stage == "prepare" else []
        rows = [
            row
            for name in names or [removal.stage]
            for row in read_rows(Path(f"data/{name}/removed.parquet"))
        ]
        assert removal.num_rows == count(rows, "reason")[removal.reason]
    hits = read_rows(Path("data/decontaminate/evidence.parquet"))
    benchmarks = [*params.read()["benchmark"]]
    for cell in funnel.contamination(outputs, corpora, benchmarks):
        corpus, source = cell.source.split(" / ")
        own = [
            hit
            for hit in hits
            if (hit["corpus"], hit["source"], hit["benchmark"]) == (corpus, source, cell.benchmark)
        ]
        assert cell.num_rows == len({hit["id"] for hit in own if holds_item(hit)})
