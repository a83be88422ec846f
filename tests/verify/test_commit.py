"""The link `commit` separates results that were made here from changes that nothing explains."""

import contextlib
import shutil
from pathlib import Path

import pytest
import yaml

from mathledger.chain.chain import Chain
from mathledger.verify.commit import commit
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import New, Project
from tests import states
from tests.conftest import ROOT

METRIC = "metrics/evaluate/tuned-exam.json"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Create a committed project whose lock lists a metric that git holds."""
    made = states.Project(tmp_path_factory.mktemp("project"))
    made.git("init", "--quiet")
    shutil.copy(ROOT / "dvc.yaml", made.path)
    (made.path / ".gitignore").write_text("data/\nlineage/*\n!lineage/model_card.json\n.dvc/\n")
    for file in ("Makefile", "conf/mix/all.yaml", "mathledger/text/lexer.py", "stages/mix.py"):
        (made.path / file).parent.mkdir(parents=True, exist_ok=True)
        (made.path / file).write_text("1\n")
    made.write()
    lock = yaml.safe_load((made.path / "dvc.lock").read_text())
    name = next(name for name in lock["stages"] if name.startswith("evaluate@"))
    lock["stages"][name]["outs"].append({"path": METRIC, "md5": "0" * 32})
    (made.path / "dvc.lock").write_text(yaml.safe_dump(lock))
    (made.path / METRIC).parent.mkdir(parents=True, exist_ok=True)
    (made.path / METRIC).write_text("{}\n")
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", "metric")
    return made.path


def reasons(path: Path) -> list[str]:
    with contextlib.chdir(path):
        return list(commit(Project(Chain.open(), VerifyOptions())))


BOUND = [METRIC, "dvc.lock", "dvc.yaml", "params.yaml", "lineage/model_card.json"]
BOUND += ["conf/mix/all.yaml", "mathledger/text/lexer.py", "stages/mix.py"]


def test_a_changed_file_that_other_links_check_is_new(path: Path) -> None:
    assert reasons(path) == []
    for file in BOUND:
        with (path / file).open("a") as opened:
            opened.write("\n")
        (reason,) = reasons(path)
        assert isinstance(reason, New) and reason == f"{file} differs from the commit"
        states.Project(path).git("checkout", file)


def test_any_other_changed_file_breaks_the_link(path: Path) -> None:
    (path / "Makefile").write_text("2\n")
    (reason,) = reasons(path)
    assert not isinstance(reason, New)
    assert reason == "Makefile differs from the commit: see `git diff Makefile`"
    states.Project(path).git("checkout", "Makefile")


def test_a_missing_file_breaks_the_link(path: Path) -> None:
    for file in (METRIC, "Makefile"):
        (path / file).unlink()
        (reason,) = reasons(path)
        assert not isinstance(reason, New) and reason.startswith(f"{file} is missing: run ")
        states.Project(path).git("checkout", file)


def test_a_result_or_code_that_git_does_not_have_is_new(path: Path) -> None:
    states.Project(path).git("rm", "--quiet", "--cached", METRIC)
    states.Project(path).git("commit", "--quiet", "--message", "without")
    (path / "conf/mix/half.yaml").write_text("2\n")
    (path / "stages/extra.py").write_text("")
    found = {reason: isinstance(reason, New) for reason in reasons(path)}
    assert found == {
        f"{METRIC} is not in the commit": True,
        "conf/mix/half.yaml is not in the commit": True,
        "stages/extra.py is not in the commit: commit it, or remove it": False,
    }
