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
            "seed": None,
            "prompt_sha256": "",
            "response": SECRET,
            "thinking": None,
            "num_thinking_tokens": None,
            "num_tokens": 1,
            "finish_reason": "stop",
            "extracted": SECRET,
        }
    ]
    rows = {"samples": stored, "items": [{"id": "1"}]}
    graded = [{**stored[0], "extracted": "another"}]
    task = SimpleNamespace(harness=None)
    monkeypatch.setattr("mathledger.evaluation.samples.grade_responses", lambda *given: graded)
    monkeypatch.setattr(
        "mathledger.core.tables.read_rows", lambda path: rows.get(path.stem, stored)
    )
    monkeypatch.setattr("mathledger.core.receipts.is_private", lambda folder: of_receipt)
    monkeypatch.setattr("mathledger.run.params.load", lambda *given: task)
    project = Project(Chain("workspace", None, Path()), VerifyOptions())
    settings: dict[str, Any] = {
        "evaluated_models": ["tuned"],
        "benchmark": {"exam": {"source": {"kind": "local", "private": of_params}}},
    }
    project.__dict__["settings"] = settings
    (reason,) = results.responses(project)
    assert "item 1, repeat 0: extracted " in reason
    assert (SECRET in reason) == (not of_receipt and not of_params)
