"""A stage that several experiments need runs once; the others get its outputs from the cache."""

import json
import shutil
import subprocess
import sys
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
    """Return the record that a stage's run leaves next to its lock."""
    digest = content_id(json.dumps(["train", inputs]))
    return {"dvc": dvc, "inputs": digest, "outs": {"data/train": "digest"} if is_done else None}


def turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object = None) -> Any:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    found = turns.Turn("train", "fingerprint", ["inputs"])
    if content:
        found._record.write_text(json.dumps(content))
    return found


def test_a_stage_that_is_run_again_on_purpose_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `dvc repro --force`, the process that ran the stage before has ended."""
    monkeypatch.setattr(turns, "restored", lambda *_: pytest.fail("was looked up"))
    ended = left([2**22 + 1, 1.0])
    assert not turn(tmp_path, monkeypatch, ended).wait()


@pytest.mark.parametrize("is_done", [True, False])
def test_who_waited_for_a_stage_that_left_nothing_runs_it(
    is_done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process failed, or its DVC was killed before it cached the outputs."""
    monkeypatch.setattr(turns, "restored", lambda *_: False)
    first = turn(tmp_path, monkeypatch, left([2**22 + 1, 1.0], is_done))
    first._lock.acquire()
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(turn(tmp_path, monkeypatch).wait()))
    waiting.start()
    time.sleep(0.2)
    assert not found
    first.end()
    waiting.join(10)
    assert found == [False]


WAITER = """\
import sys
from mathledger.run.turns import Turn
turn = Turn("train", "fingerprint", ["inputs"])
turn.wait()
print("mine", flush=True)
if sys.argv[1:]:
    sys.stdin.read()  # works until it is killed
"""


@pytest.mark.fault("stage or DVC killed, interrupted or terminated")
def test_a_killed_run_gives_its_turn_away(tmp_path: Path) -> None:
    """One process holds the lock at a time, SIGKILL releases it, and the record stays whole."""
    environment = clean_environment() | {"DVC_ROOT": str(tmp_path)}

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", WAITER, *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    first = start("works")
    assert first.stdout and first.stdout.readline() == "mine\n"
    second = start()
    assert second.stdout
    assert second.stdout.readline() == "train: another experiment runs it; waiting for it\n"
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(0.5)
    first.kill()
    first.communicate()
    assert second.communicate(timeout=10)[0] == "mine\n" and second.returncode == 0
    (record,) = (tmp_path / ".scratch/locks").glob("*.json")
    assert json.loads(record.read_text())["outs"] is None


def test_all_processes_of_a_launcher_leave_a_stage_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setattr(turns, "restored", lambda *_: True)
    myself = psutil.Process()
    own = left([myself.pid, myself.create_time()])  # This process is alive.
    assert turn(tmp_path, monkeypatch, own).wait()
    assert turns.rank_0_skips()


def test_a_run_on_other_inputs_is_waited_for_but_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two evaluations that share responses may grade them with different code."""
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


@pytest.mark.slow
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
    Path("dvc.lock").unlink()  # The experiment has not run the stage.

    assert not turns.restored("make", {"folder": digests["folder"]})
    assert not turns.restored("make", digests | {"file.json": "0" * 32})
    assert not Path("folder").exists() and Path("file.json").read_text() == "unfinished"
    assert turns.restored("make", digests)
    texts = [Path(name).read_text() for name in ("folder/one", "folder/two", "file.json")]
    assert texts == ["[1]"] * 3

    assert Path("folder/one").is_symlink() and not Path("file.json").is_symlink()
    Path("folder/one").resolve().unlink()
    assert not turns.restored("make", digests)
