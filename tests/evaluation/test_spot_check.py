"""People read a spot check from its lines, and `verify` reads it from its file."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.evaluation import reruns
from mathledger.evaluation.engines.engine import Response
from mathledger.evaluation.reruns import Rerun
from mathledger.evaluation.spot_check import SpotCheck, check_some, report

PROMPT = "1 + 1 ="


class Engine:
    """Answers every request with "two"."""

    num_at_once, dtype = None, "float32"

    def answer(self, requests: list[Any], limits: Any, done: Any) -> None:
        done([(each, Response("two", 1, "stop", 0.0)) for each in requests])


def check(is_private: bool) -> SpotCheck:
    """Check four items: the same, another response, another prompt, and one never stored."""
    fitting = [
        SimpleNamespace(item_id=item, repeat=0, seed=None, prompt=PROMPT, key=(item, 0))
        for item in "abcd"
    ]
    items = [{"id": item, "answer": "2", "answer_type": "integer"} for item in "abcd"]
    questions = SimpleNamespace(
        fitting=fitting, limits=None, is_private=is_private, items=items, tokenizer=None
    )
    asked = hashlib.sha256(PROMPT.encode()).hexdigest()
    kept = [("a", asked, "two", "no_answer"), ("b", asked, "two!", "correct")]
    kept.append(("c", "0" * 64, "two", "no_answer"))
    keys = ("item_id", "prompt_sha256", "response", "verdict")
    same = {"repeat": 0, "thinking": None, "num_tokens": 1, "finish_reason": "stop"}
    stored = [{**same, **dict(zip(keys, each, strict=True))} for each in kept]
    checker: Any = check_some
    made: SpotCheck = checker(Engine(), questions, stored, fitting)
    return made


def test_a_check_is_printed_and_its_file_says_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = check(is_private=False)
    assert report(made, tmp_path / "check.json") == 3
    assert capsys.readouterr().out.splitlines() == [
        "item a, repeat 0 is the same",
        "item b, repeat 0 differs from character 3 on, with another verdict",
        "  stored '!'",
        "  now    ''",
        "item c, repeat 0 was stored for a different prompt",
        "item d, repeat 0 is not in the stored samples",
        "1 of 4 responses are the same",
        "9 of 10 characters precede a difference; verdicts flipped: 1",
    ]
    assert SpotCheck.read(read_json(tmp_path / "check.json"), "check.json") == made


def test_no_text_of_a_private_benchmark_is_in_it() -> None:
    made = check(is_private=True)
    assert made.num_different == 3 and not any(each.excerpts for each in made.responses)


def rerun(batch_size: int, samples: str, num_flipped: int = 0) -> Rerun:
    counts = {"num_responses": 4, "num_same": 4 - num_flipped, "num_flipped": num_flipped}
    counts |= {"num_characters": 40, "num_same_characters": 40 - num_flipped}
    return Rerun(
        model="tuned",
        benchmark="exam",
        samples_sha256=samples * 64,
        backend="hf",
        dtype="float32",
        batch_size=batch_size,
        cpu="CPU",
        gpus=[],
        **counts,
    )


def test_a_recorded_check_replaces_older_responses_and_the_same_conditions(tmp_path: Path) -> None:
    file = tmp_path / "reruns.jsonl"
    for each in (rerun(1, "a"), rerun(64, "b"), rerun(1, "b"), rerun(1, "b", num_flipped=1)):
        reruns.record(file, each)
    found = reruns.read(file)
    assert {(each.batch_size, each.num_flipped) for each in found} == {(64, 0), (1, 1)}
    assert {each.samples_sha256 for each in found} == {"b" * 64}
    file.write_text("{")
    with pytest.raises(InputError, match=r"reruns\.jsonl:1 is not a JSON object"):
        reruns.read(file)
