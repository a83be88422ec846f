"""A result keeps the committed record of the run that made it first."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mathledger.core.files import write_json, write_text
from mathledger.run import repeats
from mathledger.run.lineage import Lineage
from tests import evaluated
from tests.conftest import clean_environment

DEPS, CODE, PARAMS = {"data/mix": "a" * 32}, {"stages/train.py": "b" * 32}, {"train.seed": 1}
OUTS = {"data/model/tuned": "c" * 32, "metrics/train.json": "d" * 32, "lineage/train.csv": "e" * 32}


def git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], env=clean_environment(), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def lineage(name: str, result: str, **changes: Any) -> Lineage:
    content = evaluated.lineage(name, DEPS) | {"code": CODE, "params": PARAMS, "result": result}
    return Lineage.read(content | changes, name)


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lineage:
    """Return the committed lineage of a training in the current folder, a new repository."""
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "code")
    revision = git("rev-parse", "HEAD")
    result = repeats.result_id(DEPS, CODE, PARAMS, OUTS)
    made = lineage("train", result, git_revision=revision, seconds=1.5, mlflow_run_id="1" * 32)
    card = lineage("model_card", "card", git_revision=revision, runs={"train": made.own_facts()})
    write_json(Path("lineage/model_card.json"), card.content())
    write_text(Path("lineage/train.csv"), "step,tokens_per_second\n1,5.0\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "results")
    return made


def again(result: str | None = None) -> Lineage:
    """Return the lineage of a second run on other hardware."""
    result = result or repeats.result_id(DEPS, CODE, PARAMS, OUTS)
    hardware = {"cpu": "another"}
    return lineage("train", result, seconds=9.0, mlflow_run_id="2" * 32, hardware=hardware)


def test_the_same_result_has_the_first_record_byte_for_byte(first: Lineage) -> None:
    found = repeats.first_record(again())
    assert found and json.dumps(found.content()) == json.dumps(first.content())
    Path("lineage/train.csv").write_text("step,tokens_per_second\n1,7.0\n")
    repeats.restore_records(["lineage/train.csv", "lineage/new.csv"])
    assert git("status", "--porcelain") == ""


def test_the_result_covers_what_was_read_and_made_but_no_lineage(first: Lineage) -> None:
    result = repeats.result_id(DEPS, CODE, PARAMS, OUTS)
    assert result == repeats.result_id(DEPS, CODE, PARAMS, OUTS | {"lineage/train.csv": "0" * 32})
    others = [
        repeats.result_id({"data/mix": "0" * 32}, CODE, PARAMS, OUTS),
        repeats.result_id(DEPS, {"stages/train.py": "0" * 32}, PARAMS, OUTS),
        repeats.result_id(DEPS, CODE, {"train.seed": 2}, OUTS),
        repeats.result_id(DEPS, CODE, PARAMS, OUTS | {"data/model/tuned": "0" * 32}),
    ]
    assert len({result, *others}) == 5
    for other in others:
        assert repeats.first_record(again(result=other)) is None


def test_a_record_that_cannot_be_verified_does_not_count(first: Lineage) -> None:
    content = json.loads(Path("lineage/model_card.json").read_text())
    content["runs"]["train"]["git_revision"] = "0" * 40
    write_json(Path("lineage/model_card.json"), content)
    git("commit", "--quiet", "--all", "--message", "another history")
    assert repeats.first_record(again()) is None
    for text in ("{", "[]", '{"runs": 1}', json.dumps({**content, "runs": {"train": {"x": 1}}})):
        write_text(Path("lineage/model_card.json"), text)
        git("commit", "--quiet", "--all", "--message", "damaged")
        assert repeats.first_record(again()) is None
    git("rm", "--quiet", "lineage/model_card.json")
    git("commit", "--quiet", "--message", "none")
    assert repeats.first_record(again()) is None


@pytest.mark.parametrize("was_dirty", [True, False])
@pytest.mark.parametrize("is_dirty", [True, False])
def test_a_clean_run_replaces_the_record_of_uncommitted_code(
    first: Lineage, was_dirty: bool, is_dirty: bool
) -> None:
    content = json.loads(Path("lineage/model_card.json").read_text())
    content["runs"]["train"]["code_is_dirty"] = was_dirty
    write_json(Path("lineage/model_card.json"), content)
    git("commit", "--quiet", "--all", "--allow-empty", "--message", "results")
    ran = Lineage.read(again().content() | {"code_is_dirty": is_dirty}, "train")
    assert (repeats.first_record(ran) is None) == (was_dirty and not is_dirty)
