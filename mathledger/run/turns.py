"""Run a stage only once if several experiments need it at the same time.

`dvc queue start -j N` runs N experiments in parallel, each in its own copy of the project. All
share one DVC cache and one `.scratch/`, which is in the checkout where they were queued (DVC_ROOT).
DVC looks for a cache hit before it starts a stage, not when the stage begins, so two experiments
that need the same stage would both run it. docs/decisions/0005-stages-take-turns.md describes the
design.
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

COMMIT_S = 600  # seconds to wait for DVC to put a stage's outputs into its cache


class Turn:
    """The right to run a stage with a given fingerprint, held by one process of this machine.

    Next to the lock is a record of the last run: its DVC process, its inputs, and the digests of
    its outputs once they are written. DVC puts the outputs into its cache only after the stage has
    ended, which may take a while.
    """

    def __init__(self, stage: str, fingerprint: str, inputs: Any) -> None:
        """Create the turn without waiting for it.

        Args:
            stage: the stage's name, with its item.
            fingerprint: the name of the scratch folder, which one process may use at a time.
            inputs: everything that determines the outputs, as JSON; runs with the same inputs
                share one result.
        """
        self.stage = stage
        self._inputs = content_id(json.dumps([stage, inputs], sort_keys=True))
        name = f"{stage}-{fingerprint}"
        self._record = _locks() / f"{name}.json"
        # The operating system releases the lock when the process ends, even if it is killed.
        self._lock = FileLock(_locks() / f"{name}.lock", thread_local=False)

    def wait(self) -> bool:
        """Wait for the turn; return True if another experiment's outputs were restored."""
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
        elif (
            owner != dvc_process()
            and (waited or is_alive(owner))
            and self._is_restored(owner, outs)
        ):
            print(f"{self.stage}: restored from the experiment that ran it in the meantime")
            return True
        self._write(None)
        return False

    def _is_restored(self, owner: list[float], outs: dict[str, str]) -> bool:
        """Wait until the owner has cached the outputs; return True if they were restored."""
        end = time.monotonic() + COMMIT_S
        while time.monotonic() < end:
            was_alive = is_alive(owner)
            if restored(self.stage, outs):
                return True
            if not was_alive:
                return False
            time.sleep(0.5)
        return False

    def done(self, outs: dict[str, str]) -> None:
        """Record the digests of the outputs by path; the process still holds the turn."""
        self._write(outs)

    def end(self) -> None:
        """Release the lock."""
        self._lock.release()

    def _read(self) -> dict[str, Any]:
        """Return the record of the last run; nothing if there is none or a power cut tore it."""
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        owner, outs = (record.get(key) for key in ("dvc", "outs")) if _is_dict(record) else (0, 0)
        is_whole = isinstance(owner, list) and len(owner) == 2 and _is_dict(outs)
        return dict(record) if is_whole else {}

    def _write(self, outs: dict[str, str] | None) -> None:
        write_json(self._record, {"dvc": dvc_process(), "inputs": self._inputs, "outs": outs})


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def rank_0_skips() -> bool:
    """Return True on another rank if rank 0 restored the outputs from the cache."""
    file = _rendezvous_file()
    if file is None:
        return False
    while not file.exists() or not file.read_text():
        time.sleep(0.05)
    return file.read_text() == "skip"


def _rendezvous_file() -> Path | None:
    """Return the file in which rank 0 tells the other ranks whether to run.

    It is None for a single process, and for ranks on several machines, which always run.
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


def dvc_process() -> list[float] | None:
    """Return the process id and the start time of the DVC process that started this stage."""
    for parent in psutil.Process().parents():
        with contextlib.suppress(psutil.Error):
            if any(Path(word).name == "dvc" for word in parent.cmdline()[:3]):
                return [parent.pid, parent.create_time()]
    return None


def is_alive(process: list[float]) -> bool:
    """Return True if a process with this id and start time runs."""
    pid, started = process
    with contextlib.suppress(psutil.Error):
        running = psutil.Process(int(pid))
        return bool(running.create_time() == started and running.status() != psutil.STATUS_ZOMBIE)
    return False


def restored(stage: str, digests: dict[str, str]) -> bool:
    """Restore a stage's outputs from DVC's cache; return False if the cache lacks any of them.

    DVC's own restore would wait for the lock on the outputs, which this stage's DVC process holds.
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
            out.use_cache = True  # the run cache also holds outputs in git, such as metrics
        if any(out.changed_cache() for out in outs.values()):
            return False
        for path in outs.keys() - in_git:
            outs[path].checkout(force=True)
        repo.cache.local.cache_types = ["copy"]  # outputs in git must be files, not links
        for path in in_git:
            outs[path].checkout(force=True)
    return True
