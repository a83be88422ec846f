"""`verify` reads the code that a stage ran with, file by file, from old and new records."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mathledger.chain.chain import Chain
from mathledger.chain.lock import Out, Stage, folder_md5
from mathledger.core.files import write_json
from mathledger.verify import records
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Project

ROOM = ("mathledger/text/__init__.py", "mathledger/text/lexer.py")
STAGE = "stages/mix.py"
OLD = ("stages/mix.py", "stages/common/text.py")


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@dataclass
class Repository:
    """A repository with one stage, `mix`; a test edits its code and records runs."""

    at: Path

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        command = ["git", *identity, *arguments]
        return subprocess.run(
            command, cwd=self.at, check=True, capture_output=True, text=True
        ).stdout.strip()

    def write(self, texts: dict[str, str]) -> None:
        """Write files by path."""
        for name, text in texts.items():
            path = self.at / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "code")
        return self.git("rev-parse", "HEAD")

    def code(self) -> dict[str, str]:
        """Return the md5 of every code file."""
        paths = [path for path in self.at.rglob("*.py") if path.is_file()]
        return {path.relative_to(self.at).as_posix(): md5(path.read_text()) for path in paths}

    def reasons(
        self,
        revision: str,
        code: dict[str, str] | None,
        deps: dict[str, str],
        *,
        is_dirty: bool = False,
    ) -> list[str]:
        """Return the reasons that the link `history` gives for a run.

        Args:
            code: what its lineage lists of code; None for a record from before there was one.
            deps: the code among its dependencies, as lineage and lock both have it.
        """
        content: dict[str, Any] = {
            "stage": "mix",
            "item": None,
            "experiment": None,
            "git_revision": revision,
            "code_is_dirty": is_dirty,
            "deps": {"data/decontaminate": "0" * 32 + ".dir", **deps},
            "params": {},
            "mlflow_run_id": "1" * 32,
            "packages": {},
            "hardware": {"cpu": "one"},
            "started": "2026-01-01T00:00:00+00:00",
            "seconds": 1.0,
        }
        if code is not None:
            content["code"] = code
        write_json(self.at / "lineage/mix.json", content)
        outs = {path: Out(path, digest, 1, None) for path, digest in content["deps"].items()}
        chain = Chain("workspace", None, self.at)
        chain.__dict__["stages"] = {"mix": Stage("mix", "python -m stages.mix", outs, {}, {})}
        return list(records.history(Project(chain, VerifyOptions())))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    made = Repository(tmp_path)
    made.git("init", "--quiet")
    made.write({ROOM[0]: "", ROOM[1]: "A = 1\n", STAGE: "B = 1\n"})
    return made


def rooms(code: dict[str, str]) -> dict[str, str]:
    """Return the lock's dependencies: the stage's file and the folder of the room."""
    inside = {
        path.removeprefix("mathledger/text/"): digest
        for path, digest in code.items()
        if path.startswith("mathledger/text/")
    }
    return {STAGE: code[STAGE], "mathledger/text": folder_md5(inside)}


def test_a_run_with_the_code_of_its_commit_holds(repository: Repository) -> None:
    commit, code = repository.commit(), repository.code()
    assert set(code) == {*ROOM, STAGE}
    assert repository.reasons(commit, code, rooms(code)) == []


def test_a_file_of_a_room_that_is_edited_after_the_run_changes_nothing(
    repository: Repository,
) -> None:
    commit, code = repository.commit(), repository.code()
    repository.write({ROOM[1]: "A = 2\n"})
    assert repository.reasons(commit, code, rooms(code)) == []
    repository.commit()
    assert repository.reasons(commit, code, rooms(code)) == []


def test_a_run_with_code_that_its_commit_does_not_have_must_say_so(repository: Repository) -> None:
    commit = repository.commit()
    repository.write({ROOM[1]: "A = 2\n"})
    code = repository.code()
    (reason,) = repository.reasons(commit, code, rooms(code))
    assert "the code that ran differs from" in reason and reason.endswith(ROOM[1])
    assert repository.reasons(commit, code, rooms(code), is_dirty=True) == []


@pytest.mark.parametrize("forgery", ["another digest", "a file left out", "a file added", "empty"])
@pytest.mark.parametrize("is_dirty", [True, False])
def test_a_forged_list_of_code_is_not_what_the_lock_has(
    repository: Repository, forgery: str, is_dirty: bool
) -> None:
    """The record omits the code that ran, but dvc.lock still has the room's digest."""
    commit, committed = repository.commit(), repository.code()
    repository.write({ROOM[1]: "A = 2\n", "mathledger/text/more.py": "C = 3\n"})
    ran = repository.code()
    forged = {
        "another digest": {**ran, ROOM[1]: committed[ROOM[1]]},
        "a file left out": committed,
        "a file added": {**ran, "mathledger/text/none.py": md5("")},
        "empty": {},
    }[forgery]
    reasons = repository.reasons(commit, forged, rooms(ran), is_dirty=is_dirty)
    assert any("mathledger/text in `code` differs from dvc.lock" in r for r in reasons)


def test_a_record_from_before_there_were_rooms_is_checked_too(repository: Repository) -> None:
    """Its stages depended on single code files, which only `deps` lists."""
    repository.git("rm", "-r", "--quiet", "--cached", "--ignore-unmatch", "mathledger")
    for path in ROOM:
        (repository.at / path).unlink()
    repository.write({OLD[1]: "D = 4\n"})
    commit, code = repository.commit(), repository.code()
    assert set(code) == set(OLD)
    assert repository.reasons(commit, None, code) == []
    forged = {**code, OLD[1]: md5("D = 5\n")}
    (reason,) = repository.reasons(commit, None, forged)
    assert "the code that ran differs from" in reason and reason.endswith(OLD[1])
    assert repository.reasons(commit, None, forged, is_dirty=True) == []
