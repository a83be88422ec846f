"""The links from the responses to the card are checked."""

import contextlib
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathledger.chain.chain import Chain
from mathledger.core.files import json_text, write_json, write_text
from mathledger.core.tables import BENCHMARK_ITEM, Row, write_rows
from mathledger.evaluation.engines.engine import Request, Response
from mathledger.evaluation.samples import SAMPLE, grade_responses
from mathledger.verify import results
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Project

SECRET = "a solution that must not be shown"
SAMPLES = Path("data/evaluate/tuned-exam/samples.parquet")
ITEMS = [
    {
        "id": name, "problem": "?", "answer": answer, "answer_type": "integer", "solution": None,
        "subsets": [],
    }
    for name, answer in (("1", "4"), ("2", "5"), ("3", "6"))
]  # fmt: skip


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    """Write a benchmark and two responses to each item, and return the rows of the responses."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mathledger.run.params.load", lambda *_: SimpleNamespace(harness=None))
    write_rows(Path("data/download_benchmark/exam/items.parquet"), ITEMS, BENCHMARK_ITEM)
    receipt(is_private=False)
    requests = [Request(each["id"], n, [], "", [], n) for each in ITEMS for n in (0, 1)]
    said = Response(f"{SECRET}: \\boxed{{4}}", 5, "stop", 0.0)
    return grade_responses(requests, {each.key: said for each in requests}, ITEMS, None)


def receipt(is_private: bool) -> None:
    write_json(Path("data/download_benchmark/exam/receipt.json"), {"private": is_private})


def reasons(rows: list[Row], is_private: bool = False) -> list[str]:
    """Store rows, and return what the link says of them."""
    write_rows(SAMPLES, rows, SAMPLE)
    project = Project(Chain("workspace", None, Path()), VerifyOptions())
    source = {"kind": "local", "private": is_private}
    stated: dict[str, Any] = {"evaluated_models": ["tuned"]}
    project.__dict__["settings"] = stated | {"benchmark": {"exam": {"source": source}}}
    return list(results.responses(project))


@pytest.mark.parametrize("of_receipt", [True, False])
@pytest.mark.parametrize("of_params", [True, False])
def test_a_text_is_shown_only_where_neither_receipt_nor_params_say_private(
    of_receipt: bool, of_params: bool, rows: list[Row]
) -> None:
    """The params may have changed since the benchmark was downloaded."""
    receipt(of_receipt)
    rows[0]["extracted_answer"] = SECRET
    (reason,) = reasons(rows, of_params)
    assert "row 0 (item_id 1): extracted_answer " in reason
    assert (SECRET in reason) == (not of_receipt and not of_params)


@settings(deadline=None, max_examples=30, suppress_health_check=[*HealthCheck])
@given(st.data())
def test_rows_other_than_one_for_each_response_in_their_order_are_named(
    rows: list[Row], data: st.DataObject
) -> None:
    """A right response that is counted twice would raise the score."""
    drawn = data.draw(st.lists(st.sampled_from(range(len(rows))), min_size=1, max_size=9))
    told = [rows[number] for number in drawn]
    assert bool(reasons(told)) == (drawn != sorted({*drawn}))


@pytest.mark.parametrize(
    ("column", "value"),
    [("num_tokens", 0), ("num_tokens", -1), ("finish_reason", "won"), ("num_thinking_tokens", 9)],
)
def test_an_impossible_response_is_named(column: str, value: Any, rows: list[Row]) -> None:
    assert reasons(rows) == []
    rows[3][column] = value
    assert any("item 2, repeat 1" in each for each in reasons(rows))


def test_a_file_next_to_the_responses_is_named(rows: list[Row]) -> None:
    assert reasons(rows) == []
    SAMPLES.with_name("checked.json").write_text("{}")
    assert "checked.json is not made by its stage: remove it" in reasons(rows)[0]


LOSSES = {
    "first_loss": 2.5, "last_loss": 1.5, "first_validation_loss": 2.0, "last_validation_loss": 1.0,
}  # fmt: skip
CURVE = "step,loss,validation_loss\n0,,2.0\n1,2.5,\n2,1.5,1.0\n"


@pytest.mark.slow
@given(st.sampled_from(sorted(LOSSES)), st.booleans(), st.floats(0, 9))
def test_a_loss_that_stands_twice_is_named(key: str, is_first: bool, loss: float) -> None:
    """Python reads the last of two equal keys, and another reader may read the first."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        write_json(Path("metrics/train.json"), LOSSES)
        write_text(Path("plots/train/loss.csv"), CURVE)
        project = Project(Chain("workspace", None, Path()), VerifyOptions())
        assert list(results.losses(project)) == []
        own = json_text(LOSSES)
        line = f'  "{key}": {loss},\n'
        told = own.replace("{\n", "{\n" + line) if is_first else own.replace("\n", "\n\n", 1)
        write_text(Path("metrics/train.json"), told)
        (reason,) = results.losses(project)
        assert reason == "metrics/train.json is not formatted as its stage writes it"


@given(st.integers(1, 99), st.integers(1, 99), st.sampled_from(["stop", "length"]), st.booleans())
def test_a_response_cut_at_another_limit_is_named(
    count: int, limit: int, reason: str, is_local: bool
) -> None:
    """A forger who states a larger limit could say that the model had more room."""
    row = {"num_tokens": count, "finish_reason": reason}
    said = results.other_limit(row, limit, "hf" if is_local else "local-completions")
    is_cut_early = reason == "length" and count < limit and is_local
    assert bool(said) == (count > limit or is_cut_early)
