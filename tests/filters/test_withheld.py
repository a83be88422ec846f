"""A row that holds a benchmark item or overlaps a private one is never the problem that we show."""

from pathlib import Path
from typing import Any

import pytest

from mathledger.core.configuration import check
from mathledger.core.tables import EXAMPLE, read_rows, write_rows
from mathledger.filters import decontaminate, mix
from mathledger.filters.items import Item
from mathledger.run import params
from mathledger.training.held_out import problem_to_show

PUBLIC = "A farmer has 12 hens and sells 5 of them at the market. How many hens are left in total?"
SECRET = (
    "Let L be the lattice spanned by the vectors (5, 9) and (9, 17) over the integers; how many "
    "points of L lie within the closed disc of radius 42?"
)
ITEMS = [
    Item("quiz", "rev", None, "0", PUBLIC, private=False),
    Item("secret", "rev", None, "0", SECRET, private=True),
]
OTHER = "A train leaves Lyon at noon and drives 300 km. When does it arrive?"
PROBLEMS = {
    "public": PUBLIC,
    "private": SECRET,
    "variant of the private one": SECRET.replace("42", "57").replace("17", "19"),
    "variant of the public one": PUBLIC.replace("12", "31"),
    "other": OTHER,
}


@pytest.mark.parametrize("action", ["remove", "flag", "keep"])
def test_kept_rows_are_withheld_by_what_they_overlap(tmp_path: Path, action: str) -> None:
    rows = [
        dict.fromkeys(EXAMPLE.names, "")
        | {"id": name, "corpus": "web", "source": "x", "problem": problem, "origin_row": number}
        for number, (name, problem) in enumerate(PROBLEMS.items())
    ]
    write_rows(tmp_path / "rows.parquet", rows, EXAMPLE)
    content = params.read(Path(__file__).parents[2] / "params.yaml")["decontaminate"]
    content |= {"action": action, "embeddings": None, "judge": None, "min_canary_recall": 0.0}
    settings = check("decontaminate", content, decontaminate.Params)
    decontaminate.filter_rows(tmp_path / "rows.parquet", ITEMS, tmp_path / "out", settings, [])
    kept = {row["id"]: row["is_withheld"] for row in read_rows(tmp_path / "out/kept.parquet")}
    left = {"variant of the private one": True, "variant of the public one": False, "other": False}
    both = {"public": True, "private": True}
    assert kept == (left if action == "remove" else both | left)


def row(name: str, answer: str | None, is_withheld: bool | None) -> dict[str, Any]:
    turns = [{"role": "user", "content": name}]
    content: dict[str, Any] = dict.fromkeys(mix.TRAINING_ROW.names)
    return content | {
        "id": name, "answer": answer, "prompt": turns, "completion": turns,
        "is_withheld": is_withheld,
    }  # fmt: skip


def test_the_problem_to_show_is_the_first_that_is_not_withheld(tmp_path: Path) -> None:
    path = tmp_path / "validation.parquet"
    rows = [row("a", "1", True), row("b", None, False), row("c", "2", False)]
    write_rows(path, rows, mix.TRAINING_ROW)
    shown = problem_to_show(path), problem_to_show(path, needs_answer=True)
    assert [each and each["id"] for each in shown] == ["b", "c"]
    write_rows(path, rows[:1], mix.TRAINING_ROW)
    assert problem_to_show(path) is None
