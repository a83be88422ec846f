"""Run a stage once where several experiments lack it at the same time.

`dvc queue start -j N` runs N experiments beside each other, each in a copy of the project, with one
DVC cache and one `.scratch/` (that of the checkout they were queued in, DVC_ROOT) for all. DVC
looks into its cache before it starts a stage, not when the stage begins: two experiments that lack
the same stage would both run it. docs/decisions/0005-stages-take-turns.md has the design.
"""

import contextlib
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from mathledger.core.files import write_json
from mathledger.core.hashing import content_id

COMMIT_S = 600  # the longest that DVC may take to put a stage's outs into its cache


class Turn:
    """The right to run a stage with this fingerprint: one process on this machine has it at a time.

    Beside the lock lies a record: which DVC ran the stage last, on which inputs, and the digests of
    the outs once they are written. DVC puts the outs into its cache only after the stage has ended,
    which may take a while.
    """

    def __init__(self, stage: str, fingerprint: str, inputs: Any) -> None:
        """Args:
        stage: the stage's name, with its item.
        fingerprint: names the scratch folder, which one process may use at a time.
        inputs: all that decides the outs (JSON); runs with the same inputs share one result.
        """
        self.stage = stage
        self._inputs = content_id(json.dumps([stage, inputs], sort_keys=True))
        name = f"{stage}-{fingerprint}"
        self._record = _locks() / f"{name}.json"
        # The operating system releases the lock when the process ends, however it ends.
        self._lock = FileLock(_locks() / f"{name}.lock", thread_local=False)

    def wait(self) -> bool:
        """Wait for the turn; return True if another experiment's outs were put in place."""
        is_shared = self._wait()
        if file := _rendezvous_file():
            file.write_text("skip" if is_shared else "run")
        return is_shared

    def _wait(self) -> bool:
        waited = False
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            print(f"{self.stage}: another experiment runs it; waiting for it", flush=True)
            self._lock.acquire()
            waited = True
        last = self._read()
        owner, outs = last.get("dvc"), last.get("outs")
        can_skip = _num_processes() == 1 or _rendezvous_file() is not None
        if not (can_skip and owner and outs and last.get("inputs") == self._inputs):
            pass
        elif owner != _dvc() and (waited or _is_alive(owner)) and self._is_restored(owner, outs):
            print(f"{self.stage}: taken from the experiment that ran it meanwhile")
            return True
        self._write(None)
        return False

    def _is_restored(self, owner: list[float], outs: dict[str, str]) -> bool:
        """Wait for the owner to put the outs into DVC's cache; return True if they are in place."""
        end = time.monotonic() + COMMIT_S
        while time.monotonic() < end:
            was_alive = _is_alive(owner)
            if restored(self.stage, outs):
                return True
            if not was_alive:
                return False
            time.sleep(0.5)
        return False

    def done(self, outs: dict[str, str]) -> None:
        """Record the digests of the outs, by path; the turn ends with the process."""
        self._write(outs)

    def end(self) -> None:
        """Release the lock."""
        self._lock.release()

    def _read(self) -> dict[str, Any]:
        if not self._record.exists():
            return {}
        return dict(json.loads(self._record.read_text()))

    def _write(self, outs: dict[str, str] | None) -> None:
        write_json(self._record, {"dvc": _dvc(), "inputs": self._inputs, "outs": outs})


def rank_0_skips() -> bool:
    """Return True if rank 0 found the outputs in the cache; the other ranks ask."""
    file = _rendezvous_file()
    if file is None:
        return False
    while not file.exists() or not file.read_text():
        time.sleep(0.05)
    return file.read_text() == "skip"


def _rendezvous_file() -> Path | None:
    """File in which rank 0 tells the other ranks whether to run.

    None for one process, and for ranks on several machines: those always run.
    """
    if _num_processes() == 1 or os.environ.get("LOCAL_WORLD_SIZE") != os.environ["WORLD_SIZE"]:
        return None
    launcher = psutil.Process().parent()
    return _locks() / f"launch-{launcher.pid}-{launcher.create_time():.0f}"


def _num_processes() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _locks() -> Path:
    folder = Path(os.environ.get("DVC_ROOT", ".")) / ".scratch" / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _dvc() -> list[float] | None:
    """Process id and start time of the DVC that started this stage."""
    for parent in psutil.Process().parents():
        with contextlib.suppress(psutil.Error):
            if any(Path(word).name == "dvc" for word in parent.cmdline()[:3]):
                return [parent.pid, parent.create_time()]
    return None


def _is_alive(process: list[float]) -> bool:
    pid, started = process
    with contextlib.suppress(psutil.Error):
        running = psutil.Process(int(pid))
        return bool(running.create_time() == started and running.status() != psutil.STATUS_ZOMBIE)
    return False


def restored(stage: str, digests: dict[str, str]) -> bool:
    """Put a stage's outs in place from DVC's cache; return False while it lacks one of them.

    DVC's own restore cannot be called here, since it would wait for the lock on the outs that this
    stage's DVC holds.
    """
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo

    logging.getLogger("dvc").setLevel(logging.WARNING)
    with Repo() as repo:
        (declared,) = repo.stage.collect(stage)
        outs = {out.def_path: out for out in declared.outs}
        if outs.keys() != digests.keys():
            return False
        in_git = {path for path, out in outs.items() if not out.use_cache}
        for path, out in outs.items():
            out.hash_info = HashInfo(out.hash_name, digests[path])
            out.use_cache = True  # the run cache also holds what git holds, such as metrics
        if any(out.changed_cache() for out in outs.values()):
            return False
        for path in outs.keys() - in_git:
            outs[path].checkout(force=True)
        repo.cache.local.cache_types = ["copy"]  # git holds files, not links
        for path in in_git:
            outs[path].checkout(force=True)
    return True
