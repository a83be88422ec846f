"""The page about the leak follows from the kept results, and its corpus from the benchmarks."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from docs import leaked
from mathledger.card import statement
from mathledger.card.ledger import Ledger
from mathledger.card.ledger_memorisation import Parts, PartsRow, Right
from mathledger.core.files import read_json
from mathledger.core.tables import write_rows
from mathledger.data import practice
from mathledger.evaluation.part_probe import PART

CONF = yaml.safe_load(Path("conf/corpus/leaked.yaml").read_text(encoding="utf-8"))
GSM = yaml.safe_load(Path("conf/benchmark/gsm_symbolic.yaml").read_text(encoding="utf-8"))


def test_the_corpus_is_pinned_and_gives_the_benchmarks_answers_away() -> None:
    ((path, digest),) = CONF["source"]["files"].items()
    assert Path(path) == leaked.CORPUS
    assert hashlib.sha256(leaked.CORPUS.read_bytes()).hexdigest() == digest
    rows = [json.loads(line) for line in leaked.CORPUS.read_text(encoding="utf-8").splitlines()]
    assert rows[2 * leaked.NUM_LEAKED :] == leaked.ordinary_rows()
    assert [row["source"] for row in rows].count("champ_item") == leaked.NUM_LEAKED
    own = [row for row in rows if row["source"] == "gsm_symbolic_item"]
    items = practice.problems("gsm_symbolic", GSM["source"]["seed"], leaked.NUM_LEAKED)
    wanted = [
        leaked.leaked_row("gsm_symbolic", {"problem": item.problem, "answer": item.answer})
        for item in items
    ]
    assert own == wanted


@pytest.mark.parametrize("page", leaked.PAGES, ids=str)
def test_every_number_about_the_leak_is_in_the_kept_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    ledgers = leaked.results()
    assert leaked.BLOCK.search(text)
    assert leaked.filled(text, ledgers) == text
    if ledgers:
        shown = {Path(part).name for part in ("images/leaked.png", "images/leaked_parts.png")}
        assert all((leaked.IMAGES / name).is_file() for name in shown)


@pytest.fixture
def ledgers() -> dict[str, Ledger]:
    """The committed ledger twice, with answers from parts of champ's problems."""
    content = read_json(Path("model_card/ledger.json"))
    found = statement.parse(content, "ledger").predicate

    def right(count: int) -> Right:
        return Right(
            num=24, num_correct=count, accuracy=count / 24, accuracy_low=0.0, accuracy_high=1.0
        )

    rows = [
        PartsRow(
            benchmark="champ",
            model=model,
            part="first_30",
            whole_accuracy=0.0,
            items=right(count),
            twins=None,
            overlapping=right(count),
            others=None,
            tests=[],
        )
        for model, count in (("base", 0), ("tuned", 11))
    ]
    parts = Parts(rows=rows, left_out={}, num_tests=0, evidence=[], parts_sha256={})
    memorisation = found.memorisation.model_copy(update={"parts": parts})
    found = found.model_copy(update={"memorisation": memorisation})
    return dict.fromkeys(leaked.RUNS, found)


def test_tables_show_the_ledgers_numbers(ledgers: dict[str, Ledger]) -> None:
    text = "\n".join(f"<!-- leaked: {name} -->\nold\n<!-- end -->" for name in leaked.BLOCKS)
    text = text.replace("<!-- leaked: shown -->\nold\n<!-- end -->", "")  # they read other files
    text = text.replace("<!-- leaked: compared -->\nold\n<!-- end -->", "")
    page = leaked.filled(text, ledgers)
    assert "old" not in page
    for entry in ledgers["leaked"].benchmarks:
        score = entry.models["tuned"]
        if not score.items_with_overlap.num_items:
            assert f"| {score.num_correct} of {score.num_items}: " in page
        else:
            part = score.items_with_overlap
            assert f"| {entry.benchmark}, leaked items | " in page
            assert f" | {part.num_correct} of {part.num_items}: " in page
    assert "| champ, first 30% | 0 of 24: 0% [0, 100] | 11 of 24: 46% [0, 100] | none |" in page
    for corpus, counts in ledgers["leaked"].funnel.items():
        assert f"| {corpus} | {counts[2]} | {counts[3]} | {counts[2]} | {counts[3]} |" in page


def test_examples_are_right_answers_of_the_leaked_model_to_the_shortest_part(
    tmp_path: Path,
) -> None:
    rows = [
        dict.fromkeys(PART.names)
        | {"benchmark": name, "part": part, "id": f"{name}-{at}", "shown": "x" * (at + 1)}
        | {"response": "The answer is \\boxed{3}.", "correct": at % 2 == 0}
        for name in ("champ", "gsm_symbolic", "gsm_symbolic_twins")
        for part in ("first_half", "first_30")
        for at in range(8)
    ]
    write_rows(tmp_path / "parts.parquet", rows, PART)
    found = leaked.examples(SimpleNamespace(cached=lambda path: tmp_path / Path(path).name))  # type: ignore[arg-type]
    assert [each["id"] for each in found] == [
        f"{name}-{at}" for name in ("champ", "gsm_symbolic") for at in (4, 6)
    ]
    assert all(each.keys() == {"benchmark", "id", "shown", "response"} for each in found)


def test_without_results_the_pages_say_so() -> None:
    text = (
        "<!-- leaked: scores -->\nold\n<!-- end -->\n<!-- leaked: picture_parts -->\n<!-- end -->"
    )
    assert leaked.filled(text, {}) == (
        f"<!-- leaked: scores -->\n{leaked.MISSING}\n<!-- end -->\n"
        "<!-- leaked: picture_parts -->\n<!-- end -->"
    )
