"""Whatever the machine does to a run, nothing is lost and no number is wrong.

`python -m bench.faults` runs the tests that are marked with `fault`, here and elsewhere, and prints
a table of them.
"""

import contextlib
import os
import shlex
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import faults
from tests.conftest import ROOT, Workspace, clean_environment, killable_environment

pytestmark = pytest.mark.kernels

FILTERS = ("deduplicate", "mix")
ALONE = ("unshare", "--mount", "--map-root-user")  # with mounts that nobody else sees
# Imported by every Python that finds it first: after a second, the clock is an hour back.
CLOCK = """
import time
now, start = time.time, time.monotonic()
time.time = lambda: now() - 3600 * (time.monotonic() > start + 1)
"""
# The network file system loses each file that a stage renames.
STALE = """
import errno, os
rename = os.rename
def lose(old, new, **options):
    if "data/mix/" in str(new):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(new))
    return rename(old, new, **options)
os.rename = lose
"""


@pytest.mark.fault("stage or DVC killed, interrupted or terminated")
@pytest.mark.parametrize("seed", [6])
def test_disturbed_filters_give_the_same_bytes(smoke_copy: Workspace, seed: int) -> None:
    """DVC is killed while one stage works, and another run is interrupted after its stage."""
    folder = smoke_copy.path
    expected, seconds = faults.results(folder), faults.stage_seconds(folder)
    hit = {name: each for name, each in seconds.items() if name.split("@")[0] in FILTERS}
    faults.forget(folder, *FILTERS)
    hits = faults.disturbed(folder, hit, seed, killable_environment(), "mix")
    assert {each.stage for each in hits} == hit.keys()
    assert faults.results(folder) == expected


@dataclass(frozen=True)
class Mix:
    """A finished run without the outputs of `mix`, so that `dvc repro mix` runs that stage."""

    workspace: Workspace

    @property
    def folder(self) -> Path:
        return self.workspace.path

    @property
    def store(self) -> Path:
        return self.folder / "mlflow.db"

    def run(self, *command: str, ok: bool, **environment: str) -> str:
        """Run a command without the tests' fork server, whose processes no fault would reach."""
        path = clean_environment()["PATH"]
        return self.workspace.run(*command, ok=ok, PATH=path, **environment)

    def patched(self, code: str, *command: str, ok: bool) -> str:
        """Run a command in which every Python runs this code first."""
        own = self.folder.parent / "patch"
        own.mkdir()
        (own / "sitecustomize.py").write_text(code)
        return self.run(*command, ok=ok, PYTHONPATH=str(own))

    def statuses(self) -> list[str]:
        """Return the status of each MLflow run of the stage."""
        with contextlib.closing(sqlite3.connect(self.store)) as database:
            return [row[0] for row in database.execute("SELECT status FROM runs WHERE name='mix'")]


@pytest.fixture
def mix(smoke_copy: Workspace) -> Iterator[Mix]:
    """Whatever a test does, the stage gives the same results afterwards."""
    folder = smoke_copy.path
    expected = faults.results(folder)
    faults.forget(folder, "mix")
    made = Mix(smoke_copy)
    yield made
    made.workspace.repro("mix")  # the fault is over, so the tests' fork server may run the stage
    assert faults.results(folder) == expected
    faults.expect_whole_cache(folder)
    assert made.statuses()[-1] == "FINISHED"


@pytest.fixture
def mounts() -> None:
    if subprocess.run([*ALONE, "true"], capture_output=True).returncode:
        pytest.skip("this system lets no user mount a folder")


@pytest.mark.fault("full disk")
@pytest.mark.usefixtures("mounts")
def test_a_small_disk_ends_the_stage_in_one_line(mix: Mix) -> None:
    (mix.folder / "data/mix").mkdir()
    small = "mount -t tmpfs -o size=4k tmpfs data/mix && exec python -m stages.mix"
    shown = mix.run(*ALONE, "sh", "-ec", small, ok=False)
    assert "error: mix: the disk is full" in shown and "Traceback" not in shown
    assert mix.statuses() == ["FINISHED", "FAILED"]


@pytest.mark.fault("read-only cache")
@pytest.mark.usefixtures("mounts")
def test_a_cache_that_is_read_only_leaves_the_lock_as_it_was(mix: Mix) -> None:
    lock = (mix.folder / "dvc.lock").read_bytes()
    read_only = (
        "mount --bind .dvc/cache .dvc/cache && mount -o remount,ro,bind .dvc/cache && "
        "exec dvc repro --single-item mix"
    )
    assert "Read-only file system" in mix.run(*ALONE, "sh", "-ec", read_only, ok=False)
    assert (mix.folder / "dvc.lock").read_bytes() == lock


@pytest.mark.fault("clock set back")
def test_a_clock_that_is_set_back_changes_no_result(mix: Mix) -> None:
    mix.patched(CLOCK, "dvc", "repro", "--single-item", "mix", ok=True)
    assert 0 <= faults.stage_seconds(mix.folder)["mix"] < 600


@pytest.mark.fault("stale handles of a network file system")
def test_a_file_that_the_network_lost_ends_the_stage_in_one_line(mix: Mix) -> None:
    shown = mix.patched(STALE, "python", "-m", "stages.mix", ok=False)
    assert "error: mix: the network file system lost the file" in shown
    assert "Traceback" not in shown and not list((mix.folder / "data/mix").glob("*.parquet"))


@pytest.mark.fault("two repros at once")
def test_two_repros_at_once_run_the_stage_once(mix: Mix) -> None:
    both = [mix.workspace.popen("dvc", "repro", "mix", forks=True) for _ in range(2)]
    shown = [each.communicate(timeout=300)[0] for each in both]
    assert 0 in [each.returncode for each in both], shown
    refused = [text for each, text in zip(both, shown, strict=True) if each.returncode]
    assert all("lock" in text for text in refused)
    assert mix.statuses() == ["FINISHED", "FINISHED"]  # of before, and of one of these


@pytest.mark.fault("SQLite locked")
def test_a_store_that_another_process_locks_is_waited_for(mix: Mix) -> None:
    other = sqlite3.connect(mix.store, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    threading.Timer(10, other.rollback).start()
    mix.workspace.repro("--single-item", "mix")
    other.close()
    assert mix.statuses() == ["FINISHED", "FINISHED"]


@pytest.mark.fault("SQLite corrupt")
def test_a_torn_store_names_the_command_that_writes_it_again(mix: Mix) -> None:
    mix.store.write_bytes(mix.store.read_bytes()[:5000])
    shown = mix.workspace.repro("--single-item", "mix", ok=False)
    assert "Traceback" not in shown
    moved = f"mv {shlex.quote(str(mix.store))} {shlex.quote(str(mix.store))}.damaged"
    assert f"run `{moved} && mathledger sync-mlflow`" in shown
    mix.run("sh", "-ec", moved, ok=True)


@pytest.mark.parametrize(("free_pages", "writes"), [(100, False), (1 << 20, True)])
def test_a_full_disk_is_left_without_torn_bytecode(free_pages: int, writes: bool) -> None:
    """A torn .pyc would stop every later run, even when the disk has room again."""
    code = (
        "import os, sys, types\n"
        f"os.statvfs = lambda _: types.SimpleNamespace(f_bavail={free_pages}, f_frsize=4096)\n"
        "import mathledger\nprint(not sys.dont_write_bytecode)"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout == f"{writes}\n", done.stderr
