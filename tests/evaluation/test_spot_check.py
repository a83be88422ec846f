"""People read a spot check from its lines, and `verify` reads it from its file."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mathledger.core.files import read_json
from mathledger.evaluation.engines.engine import Response
from mathledger.evaluation.spot_check import SpotCheck, report, spot_check

PROMPT = "1 + 1 ="


class Engine:
    """Answers every request with "two"."""

    num_at_once = None

    def answer(self, requests: list[Any], limits: Any, done: Any) -> None:
        done([(each, Response("two", 1, "stop", 0.0)) for each in requests])


def check(is_private: bool) -> SpotCheck:
    """Check four items: the same, another response, another prompt, and one never stored."""
    fitting = [
        SimpleNamespace(item_id=item, repeat=0, prompt=PROMPT, key=(item, 0)) for item in "abcd"
    ]
    questions = SimpleNamespace(fitting=fitting, limits=None, is_private=is_private)
    asked = hashlib.sha256(PROMPT.encode()).hexdigest()
    stored = [
        {"item_id": "a", "repeat": 0, "prompt_sha256": asked, "response": "two"},
        {"item_id": "b", "repeat": 0, "prompt_sha256": asked, "response": "two!"},
        {"item_id": "c", "repeat": 0, "prompt_sha256": "0" * 64, "response": "two"},
    ]
    checker: Any = spot_check
    made: SpotCheck = checker(Engine(), questions, stored, 9)
    return made


def test_a_check_is_printed_and_its_file_says_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = check(is_private=False)
    assert report(made, tmp_path / "check.json") == 3
    assert capsys.readouterr().out.splitlines() == [
        "item a, repeat 0 is the same",
        "item b, repeat 0 differs from character 3 on",
        "  stored '!'",
        "  now    ''",
        "item c, repeat 0 was stored for a different prompt",
        "item d, repeat 0 is not in the stored samples",
        "1 of 4 responses are the same",
    ]
    assert SpotCheck.read(read_json(tmp_path / "check.json"), "check.json") == made


def test_no_text_of_a_private_benchmark_is_in_it() -> None:
    made = check(is_private=True)
    assert made.num_different == 3 and not any(each.excerpts for each in made.responses)
