"""The links from the responses to the card are checked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mathledger.chain.chain import Chain
from mathledger.verify import results
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Project

SECRET = "a solution that must not be shown"


@pytest.mark.parametrize("of_receipt", [True, False])
@pytest.mark.parametrize("of_params", [True, False])
def test_a_text_is_shown_only_where_neither_receipt_nor_params_say_private(
    of_receipt: bool, of_params: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The params may have changed since the benchmark was downloaded."""
    stored = [
        {
            "item_id": "1",
            "repeat": 0,
            "response": SECRET,
            "num_tokens": 1,
            "finish_reason": "stop",
            "extracted": SECRET,
        }
    ]
    questions = SimpleNamespace(
        requests=[SimpleNamespace(key=("1", 0))],
        items=[],
        task=SimpleNamespace(harness=None),
        is_private=of_receipt,
    )
    graded = [{**stored[0], "extracted": "another"}]
    evaluation = "mathledger.evaluation"
    monkeypatch.setattr(f"{evaluation}.questions.read_questions", lambda *given: questions)
    monkeypatch.setattr(f"{evaluation}.samples.grade_responses", lambda *given: graded)
    monkeypatch.setattr("mathledger.core.tables.read_rows", lambda path: stored)
    monkeypatch.setattr("mathledger.run.params.load", lambda *given: None)
    project = Project(Chain("workspace", None, Path()), VerifyOptions())
    settings: dict[str, Any] = {
        "evaluated_models": ["tuned"],
        "benchmark": {"exam": {"source": {"kind": "local", "private": of_params}}},
    }
    project.__dict__["settings"] = settings
    (reason,) = results.responses(project)
    assert "item 1, repeat 0: extracted is " in reason
    assert (SECRET in reason) == (not of_receipt and not of_params)
