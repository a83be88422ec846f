"""A stage that several experiments lack is run once; the others take its outs from DVC's cache."""

import fcntl
import json
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from mathledger.core.hashing import content_id
from mathledger.run import turns
from tests.conftest import clean_environment


def left(dvc: list[float], is_done: bool = True, inputs: object = ("inputs",)) -> dict[str, Any]:
    """What the run of a stage leaves in its lock's file."""
    digest = content_id(json.dumps(["train", inputs]))
    return {"dvc": dvc, "inputs": digest, "outs": {"data/train": "digest"} if is_done else None}


def turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object = None) -> Any:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    found = turns.Turn("train", "fingerprint", ["inputs"])
    if content:
        found._file.write(json.dumps(content))
        found._file.flush()
    return found


def test_a_stage_that_is_run_again_on_purpose_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by `dvc repro --force`: the one that ran it has long ended."""
    monkeypatch.setattr(turns, "restored", lambda *_: pytest.fail("was looked up"))
    ended = left([2**22 + 1, 1.0])
    assert not turn(tmp_path, monkeypatch, ended).wait()


@pytest.mark.parametrize("is_done", [True, False])
def test_who_waited_for_a_stage_that_left_nothing_runs_it(
    is_done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other has failed, or its DVC was killed before it had put the outs into the cache."""
    monkeypatch.setattr(turns, "restored", lambda *_: False)
    first = turn(tmp_path, monkeypatch, left([2**22 + 1, 1.0], is_done))
    fcntl.flock(first._file, fcntl.LOCK_EX)
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(turn(tmp_path, monkeypatch).wait()))
    waiting.start()
    time.sleep(0.2)
    assert not found
    first.end()
    waiting.join(10)
    assert found == [False]


def test_all_processes_of_a_launcher_leave_a_stage_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(turns, "restored", lambda *_: True)
    myself = psutil.Process()
    own = left([myself.pid, myself.create_time()])  # one that is alive
    assert turn(tmp_path, monkeypatch, own).wait()
    assert turns.rank_0_skips()


def test_a_run_on_other_inputs_is_waited_for_but_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two evaluations that share their responses may grade them by other code."""
    monkeypatch.setattr(turns, "restored", lambda *_: pytest.fail("was looked up"))
    myself = psutil.Process()
    other = left([myself.pid, myself.create_time()], inputs=("others",))
    assert not turn(tmp_path, monkeypatch, other).wait()


def test_processes_on_several_machines_run_each_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(turns, "restored", lambda *_: True)
    myself = psutil.Process()
    own = left([myself.pid, myself.create_time()])
    assert not turn(tmp_path, monkeypatch, own).wait()
    assert not turns.rank_0_skips()


PIPELINE = """\
stages:
  make:
    cmd: mkdir -p folder && tee folder/one folder/two file.json < source.txt
    deps: [source.txt]
    outs: [folder]
    metrics: [file.json: {cache: false}]
"""


def test_outs_are_taken_from_the_cache_once_it_has_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("source.txt").write_text("[1]")
    Path("dvc.yaml").write_text(PIPELINE)
    for command in (
        ["git", "init", "--quiet"],
        ["dvc", "init", "--quiet"],
        ["dvc", "config", "cache.type", "symlink"],
        ["dvc", "repro"],
    ):
        subprocess.run(command, check=True, capture_output=True, env=clean_environment())
    from dvc.repo import Repo

    with Repo() as repo:
        (stage,) = repo.stage.collect("make")
        digests = {out.def_path: out.hash_info.value for out in stage.outs}
    shutil.rmtree("folder")
    Path("file.json").write_text("unfinished")
    Path("dvc.lock").unlink()  # as in an experiment that has not run the stage

    assert not turns.restored("make", {"folder": digests["folder"]})
    assert not turns.restored("make", digests | {"file.json": "0" * 32})
    assert not Path("folder").exists() and Path("file.json").read_text() == "unfinished"
    assert turns.restored("make", digests)
    texts = [Path(name).read_text() for name in ("folder/one", "folder/two", "file.json")]
    assert texts == ["[1]"] * 3

    assert Path("folder/one").is_symlink() and not Path("file.json").is_symlink()
    Path("folder/one").resolve().unlink()
    assert not turns.restored("make", digests)
