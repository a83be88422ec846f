"""The four probes of memorisation report evidence only when there is some."""

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from mathledger.card import card, memorisation
from mathledger.card.ledger_memorisation import (
    CompletionsRow,
    Difference,
    Memorisation,
    PartsRow,
    TwinsRow,
)
from mathledger.card.outputs import Outputs
from mathledger.core.files import write_json
from mathledger.core.tables import EXAMPLE, Row, removed_schema, write_rows
from mathledger.evaluation import part_probe
from mathledger.evaluation.parts import PARTS
from mathledger.evaluation.probe import COMPLETION, summarise
from mathledger.filters.decision import EVIDENCE
from mathledger.run import params
from tests.conftest import Workspace

IDS = [f"item-{number:02}" for number in range(20)]


def samples(num_correct: int, ids: list[str] = IDS) -> list[Row]:
    return [
        {"item_id": name, "repeat": 0, "correct": at < num_correct, "response": ""}
        | {"thinking": None}
        for at, name in enumerate(ids)
    ]


def drops(num_items: int, num_twins: int, hits: Any = None) -> TwinsRow:
    given = {("tuned", "b"): samples(num_items), ("tuned", "b_twins"): samples(num_twins)}
    (row,) = memorisation.twin_drops(given, {"b": "b_twins"}, hits or {})
    return row


def test_a_drop_from_items_to_twins_is_evidence_and_chance_is_not() -> None:
    row = drops(18, 6)
    assert (row.all.accuracy, row.all.accuracy_twins) == (0.9, 0.3)
    assert row.all.drop and row.all.drop.difference == 0.6
    assert row.all.drop.p_value == pytest.approx(2 / 2**12, abs=1e-8)  # 12 lost, 0 gained.
    assert memorisation.evidence([row])
    assert not memorisation.evidence([drops(10, 8)])
    assert not memorisation.evidence([drops(6, 18)])  # Better on the twins.


def test_items_with_overlap_are_compared_as_well_as_all_and_twins_with_overlap_not_at_all() -> None:
    hits = {"b": {name: {"row": True} for name in IDS[:9]}, "b_twins": {IDS[0]: {"row": True}}}
    row = drops(9, 0, hits)
    assert row.all.num_items == 19 and row.overlapping.num_items == 8
    assert row.overlapping.drop and row.overlapping.drop.difference == 1.0
    assert row.all.drop and row.all.drop.difference == round(8 / 19, 8)
    assert len(row.tests) == 2
    assert drops(9, 0).overlapping.content() == {
        "num_items": 0,
        "accuracy": None,
        "accuracy_twins": None,
        "drop": None,
    }


def test_several_responses_make_a_drop_no_surer_than_its_items() -> None:
    """Repeats that all agree carry no more evidence than one."""

    def repeated(num_correct: int) -> list[Row]:
        return [{**row, "repeat": at} for at in range(8) for row in samples(num_correct)]

    given = {("tuned", "b"): repeated(18), ("tuned", "t"): repeated(6)}
    (row,) = memorisation.twin_drops(given, {"b": "t"}, {})
    once = drops(18, 6).all.drop
    assert row.all.num_items == 20 and row.all.accuracy_twins == 0.3
    assert row.all.drop and once and row.all.drop.p_value == once.p_value


def completions(benchmark: str, num_verbatim: int, num_control: int = 0) -> list[Row]:
    """Return rows of COMPLETION for 20 items and 20 controls, of which these are verbatim."""
    return [
        {
            "benchmark": benchmark,
            "is_control": is_control,
            "id": name,
            "num_tokens": 30,
            "prompt": "a",
            "rest": "b",
            "completion": "c",
            "is_verbatim": at < count,
            "prefix_rate": float(at < count),
            "rouge_l": float(at < count),
        }
        for is_control, count in ((False, num_verbatim), (True, num_control))
        for at, name in enumerate(IDS)
    ]


def parts(benchmark: str, num_correct: int) -> list[Row]:
    """Return rows of PART in which the first items are answered from each part."""
    return [
        dict.fromkeys(part_probe.PART.names)
        | {"benchmark": benchmark, "part": part, "id": name, "correct": at < num_correct}
        for part in PARTS
        for at, name in enumerate(IDS)
    ]


def from_parts(base: int, tuned: int, twins: int = 0, hits: Any = None) -> list[PartsRow]:
    answered = {
        model: [*parts("b", count), *parts("b_twins", twins)]
        for model, count in (("base", base), ("tuned", tuned))
    }
    whole = {(model, name): samples(15) for model in answered for name in ("b", "b_twins")}
    return memorisation.answered_parts(answered, whole, {"b": "b_twins"}, hits or {})


def test_answers_from_a_part_are_judged_by_twins_base_model_and_items_free_of_overlap() -> None:
    rows = from_parts(0, 12)
    assert [(row.model, row.part) for row in rows] == [
        (model, part) for model in ("base", "tuned") for part in PARTS
    ]
    assert {row.whole_accuracy for row in rows} == {0.75}
    assert evidence(rows) == {("tuned", "the base model"), ("tuned", "the twins")}
    assert not evidence(from_parts(1, 2))
    assert not evidence(from_parts(12, 12, twins=12))  # parts that anyone can answer
    held = {"b": {name: {"row": False} for name in IDS[:12]}}
    rows = from_parts(12, 12, twins=12, hits=held)
    assert evidence(rows) == {(model, "items free of overlap") for model in ("base", "tuned")}
    assert rows[0].overlapping and rows[0].overlapping.num_correct == 12
    assert rows[0].others and (rows[0].others.num, rows[0].others.num_correct) == (8, 0)


def test_a_twin_that_a_corpus_holds_is_not_a_control_of_answers_from_a_part() -> None:
    held = {"b_twins": {name: {"row": True} for name in IDS[:5]}}
    row = from_parts(0, 12, hits=held)[3]
    assert row.twins and row.twins.num == 15
    (against,) = (test for test in row.tests if test.against == "the twins")
    assert against.difference == pytest.approx(7 / 15)


def continued(base: int, tuned: int, twins: int = 0, controls: int = 0) -> list[CompletionsRow]:
    rows = {
        model: [*completions("b", count, controls), *completions("b_twins", twins)]
        for model, count in (("base", base), ("tuned", tuned))
    }
    measured = {
        model: {
            name: asdict(summarise([row for row in own if row["benchmark"] == name], []))
            for name in ("b", "b_twins")
        }
        for model, own in rows.items()
    }
    return memorisation.continued_items(measured, rows, {"b": "b_twins"})


def evidence(rows: list[CompletionsRow] | list[PartsRow]) -> set[tuple[str, str]]:
    return {(one.model, one.against) for one in memorisation.evidence(rows)}


def test_verbatim_continuations_are_judged_by_every_control() -> None:
    """Only the tuned model knows text learned in training; both know text known before."""
    against_texts = {"held-out texts", "the twins"}
    assert evidence(continued(0, 12)) == {
        ("tuned", against) for against in against_texts | {"the base model"}
    }
    assert evidence(continued(12, 12)) == {
        (model, against) for model in ("base", "tuned") for against in against_texts
    }
    assert not evidence(continued(12, 12, twins=12, controls=12))
    assert not evidence(continued(0, 1))


def test_a_benchmark_of_twins_is_shown_only_next_to_its_original() -> None:
    rows = continued(0, 12, twins=3)
    assert [(row.benchmark, row.model) for row in rows] == [("b", "base"), ("b", "tuned")]
    assert {row.twins and row.twins.num_verbatim for row in rows} == {3}


def test_what_is_evidence_depends_on_the_number_of_tests() -> None:
    test = Difference(against="x", difference=0.5, p_value=0.02, is_higher=True)
    other = test.model_copy(update={"p_value": 0.9})

    def row(*tests: Difference) -> CompletionsRow:
        return CompletionsRow(
            benchmark="b",
            model="m",
            items=None,
            twins=None,
            controls=None,
            left_out={},
            tests=list(tests),
        )

    alone, among_others = [row(test)], [row(test, other), row(other, other)]
    assert memorisation.num_tests(alone) == 1 and len(memorisation.evidence(alone)) == 1
    assert memorisation.num_tests(among_others) == 4 and not memorisation.evidence(among_others)
    assert memorisation.num_tests([]) == 0 and not memorisation.evidence([])


BENCHMARKS = {
    "b": {"source": {"kind": "practice"}},
    "b_twins": {"source": {"kind": "practice", "twins_of": "b"}},
}
SOLUTION = "Each of the {n} hens lays two eggs a day so that we get {n} times two eggs in all."
SAMPLE = pa.schema(
    [
        pa.field("item_id", pa.string()),
        pa.field("repeat", pa.int32()),
        pa.field("correct", pa.bool_()),
        pa.field("response", pa.string()),
        pa.field("thinking", pa.string()),
    ]
)
ITEM = pa.schema([pa.field(name, pa.string()) for name in ("id", "problem", "solution")])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the stages' outputs for a tuned model that has memorised the first items of b."""
    monkeypatch.chdir(tmp_path)
    right = {("base", "b"): 5, ("base", "b_twins"): 5, ("tuned", "b"): 18, ("tuned", "b_twins"): 5}
    for (model, name), count in right.items():
        learned = model == "tuned" and name == "b"
        rows = [
            {**row, "response": SOLUTION.format(n=at) if learned and at < 10 else "It is " * 9}
            for at, row in enumerate(samples(count))
        ]
        write_rows(Path(f"data/evaluate/{model}-{name}/samples.parquet"), rows, SAMPLE)
    for name in BENCHMARKS:
        items = [
            {"id": key, "problem": f"{name}, {at}?", "solution": SOLUTION.format(n=at)}
            for at, key in enumerate(IDS)
        ]
        write_rows(Path(f"data/download_benchmark/{name}/items.parquet"), items, ITEM)
    for model, count in (("base", 0), ("tuned", 12)):
        rows = [*completions("b", count), *completions("b_twins", 0)]
        write_rows(Path(f"data/probe/{model}/completions.parquet"), rows, COMPLETION)
        measured = {
            name: asdict(summarise([row for row in rows if row["benchmark"] == name], []))
            | {"parts": {"left_out": {"too_short": 3}}}
            for name in BENCHMARKS
        }
        answered = [*parts("b", count), *parts("b_twins", 0)]
        write_rows(Path(f"data/probe/{model}/parts.parquet"), answered, part_probe.PART)
        write_json(Path(f"metrics/probe/{model}.json"), measured)

    def example(name: str, solution: str) -> Row:
        row = dict.fromkeys(EXAMPLE.names, "x") | {"id": name, "solution": solution}
        return row | {"origin_row": 0}

    gone = [
        {
            **example(f"row-{key}", SOLUTION.format(n=at)),
            "reason": "same",
            "evidence": {"class": ""},
        }
        for at, key in enumerate(IDS[:10])
    ]
    schema = removed_schema(pa.struct([pa.field("class", pa.string())]))
    write_rows(Path("data/decontaminate/removed.parquet"), gone, schema)
    other = [example("z", "nothing that anyone would ever say about hens in a solution of a sum")]
    write_rows(Path("data/decontaminate/kept.parquet"), other, EXAMPLE)
    hits = [
        dict.fromkeys(EVIDENCE.names)
        | {"id": f"row-{key}", "benchmark": "b", "item_id": key, "class": kind, "action": "removed"}
        for key, kind in [*((key, "same") for key in IDS[:10]), (IDS[19], "variant")]
    ]
    write_rows(Path("data/decontaminate/evidence.parquet"), hits, EVIDENCE)
    return tmp_path


def findings(benchmarks: dict[str, Any], models: list[str]) -> Memorisation:
    return memorisation.findings(Outputs(Path()), benchmarks, models)


def section(found: Memorisation) -> str:
    """Return the section of the card."""
    return card.render("memorisation", ledger=SimpleNamespace(memorisation=found))


def test_findings_hold_all_four_probes_of_a_model_that_knows_items_by_heart(project: Path) -> None:
    found = findings(BENCHMARKS, ["base", "tuned"])
    assert {one.model for one in found.twins.evidence} == {"tuned"}
    assert {one.model for one in found.completions.evidence} == {"tuned"}
    assert found.parts and {one.model for one in found.parts.evidence} == {"tuned"}
    assert found.responses.evidence[0].model == "tuned"
    rows = {row.model: row for row in found.responses.rows}
    assert rows["tuned"].num_items == 10  # The variant is a different problem.
    assert rows["tuned"].solutions_share == 1.0 and rows["tuned"].unrelated_share == 0.0
    assert rows["tuned"].others_reference_share == rows["base"].solutions_share == 0.0
    assert set(found.completions.completions_sha256) == {"base", "tuned"}
    assert findings(BENCHMARKS, ["base", "tuned"]) == found


def test_the_card_says_what_the_ledger_holds(project: Path) -> None:
    """The section is made from the ledger's JSON, and its findings match the numbers."""
    content = json.loads(json.dumps(findings(BENCHMARKS, ["base", "tuned"]).content()))
    shown = section(Memorisation.read(content, "ledger"))
    assert "| b | tuned | 90% of 20 items | 25% of 20 items | +65 [" in shown
    assert "| b | tuned | 12 of 20: 60% [36, 81] | 0 of 20: 0% [0, 17] |" in shown
    assert "| b | tuned | 10, 0 kept | 100% of 10 items | 0% of 10 items |" in shown
    assert (
        shown.count("There is evidence (") == 4
        and "**b**, tuned model, against the twins (p < 0.001)" in shown
    )
    assert shown.count("would mean that") == 4
    assert "| b | tuned | first 30% | 12 of 20: 60% [36, 81] | 0 of 20: 0% [0, 17] |" in shown
    assert "Items that were not asked in parts: b: 3 too short." in shown

    calm = findings(BENCHMARKS, ["base"])
    assert section(calm).count("There is no evidence beyond noise") == 4
    assert "Evidence (" not in section(calm)


def test_a_card_without_twins_or_overlap_says_so(project: Path) -> None:
    write_rows(Path("data/decontaminate/evidence.parquet"), [], EVIDENCE)
    found = findings({"b": BENCHMARKS["b"]}, ["base", "tuned"])
    shown = section(found)
    assert "No benchmark was evaluated together with its twins." in shown
    assert "The corpora hold no item, or no response to one is long enough." in shown
    assert "| b | tuned | 12 of 20: 60% [36, 81] | none | 0 of 20: 0% [0, 17] |" in shown


def test_what_the_stages_write_is_what_the_findings_read(
    smoke: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(smoke.path)
    content = params.read()
    found = findings(content["benchmark"], content["evaluated_models"])
    rows = found.completions.rows
    assert {(row.benchmark, row.model) for row in rows} == {
        ("tiny_chain_sum", model) for model in ("base", "tuned")
    }
    assert all(row.items and row.items.num + sum(row.left_out.values()) == 6 for row in rows)
    assert rows[0].items and rows[0].controls
    assert rows[0].items.num > 0 and rows[0].controls.num > 0
    shown = section(found)
    assert "| tiny_chain_sum | tuned | 0 of " in shown
