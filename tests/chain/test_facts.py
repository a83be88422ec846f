"""Ledger, lock, lineage and responses of a state must match; the error names what does not."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from mathledger.chain import facts
from mathledger.chain.chain import LEDGER, Chain
from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_json
from tests import states
from tests.conftest import ROOT

EXAM = "evaluate@tuned-exam"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> states.Project:
    project = states.Project(tmp_path_factory.mktemp("project"))
    project.git("init", "--quiet")
    shutil.copy(ROOT / "dvc.yaml", project.path)
    (project.path / ".gitignore").write_text("data/\nlineage/*\n.dvc/cache/\n")
    project.write()
    return project


@pytest.fixture
def project(made: states.Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the project as it was written; a test changes the files in git."""
    made.git("checkout", "--quiet", "--force", "HEAD", "--", ".")
    monkeypatch.chdir(made.path)
    return made.path


def test_what_was_written_together_belongs_together(project: Path) -> None:
    chain = Chain.open()
    facts.expect_ledger_of_lock(chain)
    for name in chain.ledger.stages:
        facts.expect_ledger_of_run(chain, name)
        stage = chain.stage(name)
        lineage = chain.lineage(stage)
        assert facts.changed_deps(stage, lineage) == facts.changed_params(stage, lineage) == []
    assert facts.responses(chain, "tuned", "exam").is_file()


def test_a_stage_that_ran_again_is_named(project: Path) -> None:
    """After `dvc repro evaluate@tuned-exam` the lock is new and the ledger is not."""
    path = project / "dvc.lock"
    lock = yaml.safe_load(path.read_text())
    for dep in lock["stages"][EXAM]["deps"]:
        if dep["path"] == "data/model/tuned":
            dep["md5"] = "e" * 32 + ".dir"
    lock["stages"][EXAM]["params"]["params.yaml"]["evaluate"]["seed"] = 99
    path.write_text(yaml.safe_dump(lock))
    chain = Chain.open()
    with pytest.raises(InputError, match=rf"belongs to another run of {EXAM} than dvc\.lock: stop"):
        facts.expect_ledger_of_lock(chain, "stop")
    stage = chain.stage(EXAM)
    lineage = chain.lineage(stage)
    assert facts.changed_deps(stage, lineage) == ["data/model/tuned"]
    assert facts.changed_params(stage, lineage) == ["evaluate.seed"]
    facts.expect_ledger_of_run(chain, EXAM)  # It matches the run in lineage/.


def test_a_ledger_of_other_data_code_or_responses_is_refused(project: Path) -> None:
    path = project / LEDGER
    content = read_json(path)
    ledger = content["predicate"]
    data, code = ledger["stages"][EXAM], ledger["code"]
    score = next(each for each in ledger["benchmarks"] if each["benchmark"] == "exam")
    for place, key in (
        (data, "data/model/tuned"),
        (code, next(path for path in Chain.open().stage(EXAM).deps if path in code)),
    ):
        kept, place[key] = place[key], "f" * 32
        write_json(path, content)
        with pytest.raises(InputError, match=f"another run of {EXAM}"):
            facts.expect_ledger_of_run(Chain.open(), EXAM)
        place[key] = kept
    score["models"]["tuned"]["samples_sha256"] = "f" * 64
    write_json(path, content)
    name = re.escape(facts.responses_path("tuned", "exam"))
    with pytest.raises(InputError, match=f"belongs to other responses than {name}"):
        facts.responses(Chain.open(), "tuned", "exam")


def test_records_that_are_wrong_are_one_line_with_file_and_key(project: Path) -> None:
    path = project / "lineage/mix.json"
    content = read_json(path)
    stage = Chain.open().stage("mix")
    cached = Chain.open().cached("lineage/mix.json")
    try:
        write_json(cached, {**content, "seconds": "three", "git_revision": None})
        with pytest.raises(InputError) as refused:
            Chain.open().lineage(stage)
    finally:
        write_json(cached, content)
    text = str(refused.value)
    assert "lineage/mix.json of workspace: git_revision: " in text and "\n" not in text
    assert "lineage/mix.json of workspace: seconds: " in text and "'three'" in text


def test_params_say_whether_a_benchmark_is_private() -> None:
    params = {"benchmark": {"a": {"source": {"kind": "local", "private": True}}, "b": {}}}
    assert facts.is_private(params, "a")
    assert not facts.is_private(params, "b") and not facts.is_private(params, "none")
