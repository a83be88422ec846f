"""Commits from before the rooms, with other paths, names and records, are traced and compared."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mathledger.chain.chain import Chain
from mathledger.cli import main
from mathledger.run.lineage import Lineage
from tests.conftest import ROOT
from tests.states import Project, State

GRADING = "stages/common/grading.py"


def old(state: State) -> None:
    state.is_old = True


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """HEAD is as stages write it now, and `before` is from when code was in stages/common."""
    made = Project(tmp_path_factory.mktemp("project"))
    made.git("init", "--quiet")
    shutil.copy(ROOT / "dvc.yaml", made.path)
    (made.path / ".gitignore").write_text(
        "data/\nlineage/*\n!lineage/model_card.json\n.dvc/cache/\n"
    )
    made.write(old)
    made.git("tag", "before")
    made.write()
    return made


@pytest.fixture
def found(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Return a command's JSON output."""
    monkeypatch.chdir(project.path)

    def run(*arguments: str) -> Any:
        assert main([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_a_number_of_an_old_commit_is_traced(found: Callable[..., Any]) -> None:
    trace = found("trace", "exam@tuned", "--rev", "before")
    assert trace["grader"]["code"].keys() == {GRADING}
    steps = {step["stage"]: step for step in trace["steps"]}
    assert {"evaluate@tuned-exam", "train", "mix", "decontaminate", "deduplicate"} <= set(steps)
    assert GRADING in steps["evaluate@tuned-exam"]["deps"]
    assert not any(
        path.startswith("mathledger/") for step in steps.values() for path in step["deps"]
    )
    (gone,) = [each for each in trace["remarks"] if "0000000000" in each]
    assert "this clone lacks commit" in gone


def test_an_old_commit_is_compared_with_a_new_one(found: Callable[..., Any]) -> None:
    """Code moved and a list in the params was renamed, but the numbers are the same."""
    diff = found("diff", "before", "HEAD")
    assert diff["numbers"] and all(each["has_same_responses"] for each in diff["numbers"])
    assert not diff["causes"] and not diff["unexplained"]
    idle = {each["key"] for each in diff["without_effect"] if each["kind"] == "code"}
    assert {GRADING, "mathledger/grading"} <= idle


def test_an_old_experiment_is_compared_with_a_new_one(found: Callable[..., Any]) -> None:
    old, new = found("compare", "before", "HEAD")["experiments"]
    assert old["scores"].keys() == new["scores"].keys() != set()
    tests = [score["against_baseline"] for score in new["scores"].values()]
    assert all(test["difference"]["value"] == 0 for test in tests)


def test_an_old_chain_has_its_ledger_its_stages_and_the_code_of_its_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.path)
    chain = Chain.open("before")
    assert "models" in chain.params and "evaluated_models" not in chain.params
    assert chain.ledger.params == chain.params
    stage = chain.stage("evaluate@tuned-exam")
    lineage = chain.lineage(stage)
    assert lineage.code is None
    assert lineage.code_files == {p: d for p, d in lineage.deps.items() if p.startswith("stages/")}
    assert chain.ledger.stages[stage.name] == stage.data_read


def test_a_lineage_from_before_what_is_recorded_today_is_read() -> None:
    """The first commits wrote lineage without some of today's fields."""
    content: dict[str, Any] = {
        "stage": "mix",
        "item": None,
        "experiment": None,
        "git_revision": "0" * 40,
        "code_is_dirty": True,
        "deps": {"stages/mix.py": "a" * 32, "stages/common/records.py": "b" * 32, "data/x": "c"},
        "params": {"mix.seed": 0},
        "mlflow_run_id": "1" * 32,
        "packages": {"torch": "2"},
        "hardware": {"cpu": "one", "num_cpus": 2, "of_another_version": True},
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 1,
        "of_another_version": [1],
    }
    lineage = Lineage.read(content, "lineage/mix.json")
    assert lineage.content() == content
    assert lineage.code_files == {"stages/mix.py": "a" * 32, "stages/common/records.py": "b" * 32}
    assert lineage.visible_gpus is None


@pytest.mark.skipif(
    not (ROOT / ".git").exists(),
    reason="no git checkout, so not checked: reading the card of an older commit",
)
def test_the_card_of_this_repositorys_own_history_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """This reads the commit before the rooms, which a shallow clone lacks."""
    monkeypatch.chdir(ROOT)
    from mathledger.chain.git import has_commit

    if not has_commit("50fdb84", Path(ROOT)):
        pytest.skip("a shallow clone, so not checked: reading the card of an older commit")
    chain = Chain.open("50fdb84")
    assert chain.ledger.benchmarks and chain.stage("train").deps
    lineage = chain.lineage(chain.stage("model_card"))
    assert "stages/common/card.py" in lineage.code_files
