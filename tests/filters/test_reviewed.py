"""A person's verdict about a pair overrides the rule, and is counted."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mathledger.core.errors import InputError
from mathledger.core.tables import EXAMPLE, Row, read_rows, write_rows
from mathledger.filters import decontaminate, deduplicate, overlap, reviewed
from mathledger.filters.decision import Match
from mathledger.filters.items import Item
from mathledger.run import params
from tests.test_deduplicate import REWORDED, STORY

SETTINGS = replace(params.load("decontaminate", decontaminate.Params), canaries_per_benchmark=1)
COPIES = params.load("deduplicate", deduplicate.Params)
WORDS = ("apples", "pears", "plums", "figs", "limes", "dates")
ITEMS = [
    Item("quiz", "rev", None, str(n), f"Eve buys {n + 2} {word} and gives {n + 3} away.", False)
    for n, word in enumerate(WORDS)
]
OTHER = "A train leaves Lyon at noon and drives 300 km. When does it arrive?"
RETOLD = "Of her plums, four in number, Eve hands on five."


def line(own: str, other: str, verdict: str, **changes: Any) -> str:
    content = {
        "pair": reviewed.pair(own, other),
        "place": "problem",
        "verdict": verdict,
        "reason": "read it",
        "by": "Ada",
        "date": "2026-11-29",
        "row": "web/1",
        "against": "quiz/0",
    }
    return json.dumps({**content, **changes})


def run(
    folder: Path, problems: list[str], *lines: str
) -> tuple[dict[str, Any], list[Row], list[str]]:
    """Filter problems with these verdicts; return the metrics, the evidence and the kept ids."""
    rows = [
        dict.fromkeys(EXAMPLE.names, "")
        | {"id": str(n), "corpus": "web", "source": "forum", "problem": each, "origin_row": n}
        for n, each in enumerate(problems)
    ]
    write_rows(folder / "rows.parquet", rows, EXAMPLE)
    (folder / "reviewed.jsonl").write_text("\n".join(lines))
    verdicts = reviewed.read(folder / "reviewed.jsonl")
    out = folder / "out"
    metrics = decontaminate.filter_rows(folder / "rows.parquet", ITEMS, out, SETTINGS, verdicts)
    kept = [row["id"] for row in read_rows(out / "kept.parquet")]
    return metrics, read_rows(out / "evidence.parquet"), kept


def test_a_pair_judged_different_is_not_contamination(tmp_path: Path) -> None:
    text = f"Problem 1. {ITEMS[0].problem}".upper()
    metrics, evidence, kept = run(
        tmp_path, [ITEMS[0].problem, ITEMS[1].problem, OTHER], line(text, text, "different")
    )
    assert kept == ["0", "2"]
    (own,) = [row for row in evidence if row["id"] == "0" and row["item_id"] == "0"]
    assert own["class"] == "different" and own["rule_class"] == "same" and own["action"] == "kept"
    assert own["decided_by"] == "person" and own["note"] == "Ada, 2026-11-29: read it"
    assert metrics["num_items_hit"] == 1 and metrics["hits_by_class"]["different"] == 1
    assert {cell["class"] for cell in metrics["contamination"]} <= {"same", "variant", "sibling"}
    assert metrics["reviewed"] == {
        "num_overruled": 1, "num_same": 0, "num_different": 1, "num_stale": 0, "stale": [],
    }  # fmt: skip


def test_a_pair_judged_same_is_contamination_whatever_the_rule_says(tmp_path: Path) -> None:
    verdict = line(RETOLD, ITEMS[2].problem, "same", against="quiz/2")
    metrics, evidence, kept = run(tmp_path, [OTHER, RETOLD], verdict)
    assert kept == ["0"] and metrics["removed_by_reason"] == {"same": 1}
    (own,) = [row for row in evidence if row["item_id"] == "2"]
    assert own["class"] == "same" and own["decided_by"] == "person" and own["action"] == "removed"
    assert own["rule_class"] not in ("same", "contained", "rephrase")
    assert metrics["reviewed"]["num_overruled"] == 1
    assert run(tmp_path, [OTHER, RETOLD])[2] == ["0", "1"], "without the verdict the row stays"


def test_a_verdict_about_a_solution_holds_in_solutions_only(tmp_path: Path) -> None:
    verdict = line(RETOLD, ITEMS[2].problem, "same", place="solution")
    metrics, _, kept = run(tmp_path, [OTHER, RETOLD], verdict)
    assert kept == ["0", "1"] and metrics["reviewed"]["num_stale"] == 1


@pytest.mark.parametrize(("verdict", "kind"), [("same", "solution"), ("different", "different")])
def test_a_copied_solution_is_judged_next_to_the_items_solution(verdict: str, kind: str) -> None:
    item = replace(ITEMS[0], solution="Two minus three is minus one, so she has a debt of one.")
    own = f"We see: {item.solution}"
    content = json.loads(line(own, str(item.solution), verdict, place="solution"))
    overlay = reviewed.Overlay([reviewed.Verdict.read(content, "line")], [item])
    match = Match(0, overlap.SOLUTION, "solution", 0.9, 0.9, 0.9)
    key = reviewed.keys(pa.array([own]))[0]
    assert [each.name for each in overlay.apply("solution", key, [match])] == [kind]
    assert overlay.counts()["num_stale"] == 0
    assert overlay.counts()["num_overruled"] == (verdict == "different")


def test_a_verdict_that_agrees_with_the_rule_overrules_nothing(tmp_path: Path) -> None:
    problem = ITEMS[0].problem
    metrics, _, kept = run(tmp_path, [problem, OTHER], line(problem, problem, "same"))
    assert kept == ["1"] and metrics["reviewed"]["num_same"] == 1
    assert metrics["reviewed"]["num_overruled"] == 0


@pytest.mark.parametrize(
    ("text", "item", "missing"),
    [
        ("A row that is gone", ITEMS[0].problem, "row web/1"),
        (OTHER, "An item that is gone", "quiz/0"),
        ("A row that is gone", "An item that is gone", "row web/1 and quiz/0"),
    ],
)
def test_a_stale_verdict_is_counted_and_named(
    text: str, item: str, missing: str, tmp_path: Path
) -> None:
    metrics, _, _ = run(tmp_path, [OTHER], line(text, item, "same"))
    assert metrics["reviewed"]["num_stale"] == 1 and metrics["reviewed"]["num_same"] == 0
    assert metrics["reviewed"]["stale"] == [f"{reviewed.pair(text, item)}: no text of {missing}"]


GOOD = line("a", "b", "same")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{"], "reviewed.jsonl:1 is not JSON"),
        ([GOOD, "[1]"], "reviewed.jsonl:2 is not a JSON object"),
        ([line("a", "b", "maybe")], "reviewed.jsonl:1: verdict: .*'maybe'"),
        ([line("a", "b", "same", by=" ")], "reviewed.jsonl:1: by: "),
        ([line("a", "b", "same", by=7)], "reviewed.jsonl:1: by: .*7"),
        ([line("a", "b", "same", pair="0f")], "reviewed.jsonl:1: pair: "),
        ([line("a", "b", "same", date="29.11.2026")], "reviewed.jsonl:1: date: "),
        ([line("a", "b", "same", place="answer")], "reviewed.jsonl:1: place: "),
        ([line("a", "b", "same", colour="red")], "reviewed.jsonl:1: colour: unknown key"),
        ([GOOD, "", line("a", "b", "different", by="Bob")], "lines 1 and 3 contradict each other"),
    ],
)
def test_a_malformed_or_contradictory_file_is_an_error_of_one_line(
    lines: list[str], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "reviewed.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=message) as error:
        reviewed.read(path)
    assert "\n" not in str(error.value)


def test_two_people_may_agree_and_a_missing_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "reviewed.jsonl"
    path.write_text(f"# read by eye\n{GOOD}\n\n{line('a', 'b', 'same', by='Bob')}\n")
    assert len(reviewed.read(path)) == 2
    path.unlink()
    with pytest.raises(InputError, match="is missing: `touch"):
        reviewed.read(path)


def test_the_repositorys_own_file_reads() -> None:
    reviewed.read(reviewed.FILES["decontaminate"])


def test_copies_and_other_problems_are_what_people_judged(tmp_path: Path) -> None:
    """One near copy is judged to be another problem, and one retold problem to be a copy."""
    problems = [STORY, REWORDED, "How old is Tom in 8 years?", "In 8 years, Tom is?"]
    rows = [
        dict.fromkeys(EXAMPLE.names, "")
        | {"id": str(number), "corpus": "web", "problem": problem, "origin_row": number}
        for number, problem in enumerate(problems)
    ]
    path = tmp_path / "web/kept.parquet"
    write_rows(path, rows, EXAMPLE)

    def removed(*verdicts: reviewed.Verdict) -> tuple[set[tuple[str, str]], dict[str, Any]]:
        settings = replace(COPIES, max_removed_rate=1.0)
        metrics = deduplicate.filter_rows([path], tmp_path / "out", settings, [*verdicts])
        gone = read_rows(tmp_path / "out/removed.parquet")
        assert all(row["evidence"]["jaccard"] is None for row in gone if row["id"] == "3")
        return {(row["id"], row["evidence"]["kept_id"]) for row in gone}, metrics["reviewed"]

    def judged(one: str, other: str, verdict: str) -> reviewed.Verdict:
        content = {"pair": reviewed.pair(one, other), "verdict": verdict, "by": "Ada"}
        content |= {"place": "problem", "reason": "", "date": "2026-11-29"}
        return reviewed.Verdict.read({**content, "row": "1", "against": "0"}, "line")

    assert removed()[0] == {("1", "0")}
    verdicts = judged(problems[1], problems[0], "different"), judged(*problems[2:], "same")
    assert removed(*verdicts)[0] == {("3", "2")}
    stale = judged("gone", problems[0], "same")
    pairs, counts = removed(stale)
    assert pairs == {("1", "0")} and counts["num_stale"] == 1 and counts["num_same"] == 0


def test_a_reason_may_hold_any_character(tmp_path: Path) -> None:
    reason = "one\u2028two\x85three\x0bfour"
    path = tmp_path / "reviewed.jsonl"
    written = json.loads(line("a text of one problem", "another text", "same", reason=reason))
    path.write_text(json.dumps(written, ensure_ascii=False).replace("\x0b", "\\u000b") + "\r\n")
    (verdict,) = reviewed.read(path)
    assert verdict.reason == reason
