"""The git references of DVC's experiments are read from a bare-bones repository."""

import subprocess
from pathlib import Path

import pytest

from mathledger.chain.git import Experiment, experiments, git, resolve
from mathledger.compare.load import experiments_of_head
from mathledger.core.errors import InputError


def commit(at: Path, text: str, seconds: int) -> str:
    own = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    subprocess.run(
        ["git", *own, "commit", "-q", "--allow-empty", "-m", text],
        cwd=at,
        check=True,
        env={"PATH": "/usr/bin:/bin", "GIT_COMMITTER_DATE": f"{1_700_000_000 + seconds} +0000"},
    )
    return git("rev-parse", "HEAD", at=at)


def test_experiments_have_name_and_baseline_and_the_oldest_comes_first(tmp_path: Path) -> None:
    git("init", "-q", at=tmp_path)
    other = commit(tmp_path, "other", 0)
    head = commit(tmp_path, "head", 1)
    late, early = commit(tmp_path, "late", 9), commit(tmp_path, "early", 5)
    git("reset", "-q", "--hard", head, at=tmp_path)
    with pytest.raises(InputError, match="HEAD has no experiments"):
        experiments_of_head(tmp_path)
    for base, name, of in ((head, "a", late), (head, "b", early), (other, "a", early)):
        git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", of, at=tmp_path)
    git("update-ref", "refs/exps/stash", late, at=tmp_path)
    git("update-ref", f"refs/exps/celery/{head}/c", late, at=tmp_path)

    by_date = experiments(tmp_path)
    assert Experiment("b", early, head) in by_date and Experiment("a", early, other) in by_date
    assert by_date[-1] == Experiment("a", late, head)
    assert len(by_date) == 3
    assert [(each.name, each.commit) for each in experiments_of_head(tmp_path)] == [
        ("b", early),
        ("a", late),
    ]
    assert resolve("b", tmp_path) == early
    with pytest.raises(InputError, match="a names 2 experiments"):
        resolve("a", tmp_path)
