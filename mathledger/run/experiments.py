"""What keeps experiments that run at once from harming each other, or doing the same work twice.

`dvc queue start -j N` runs N experiments beside each other, each in a copy of the project, with one
DVC cache and one `.scratch/` (that of the checkout they were queued in, DVC_ROOT) for all. DVC
itself neither shares a stage that two of them lack, nor gives them GPUs, nor knows that a
`dvc repro` in the checkout suffers when an experiment is queued there: docs/experiments.md.
"""

import contextlib
import fcntl
import json
import logging
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from mathledger.core.errors import InputError
from mathledger.core.hashing import content_id

WORKER = re.compile(r"dvc-exp-[0-9a-f]+-(\d+)@localhost")  # as DVC names the worker's process
GPUS_PER_WORKER = "GPUS_PER_WORKER"
COMMIT_S = 600  # the longest that DVC may take to put a stage's outs into its cache


# --- The checkout ---------------------------------------------------------------------------------


@contextlib.contextmanager
def checkout_in_use(stage: str) -> Iterator[None]:
    """While a stage runs in this folder, DVC refuses to start or queue an experiment from it.

    For that, `dvc exp run` stashes all edits and resets the files, those of a running stage as
    well. It looks for an owner of "workspace" in DVC's table of locks first; here is one. Several
    stages may be.

    Raises:
        InputError: an experiment has been starting for a minute.
    """
    from dvc.fs import localfs
    from dvc.lock import LockError
    from dvc.rwlock import rwlock

    folder = Path(".dvc/tmp/exps").resolve()
    if not Path(".dvc").is_dir():  # no checkout; what reads the stage's deps says so
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    why = f"stage {stage} is running in this checkout, and would lose its files: wait for its end, "
    why += "or run the experiment from another clone"
    end = time.monotonic() + 60
    while True:
        lock = rwlock(str(folder), localfs, why, ["workspace"], [], False)
        try:
            lock.__enter__()
            break
        except LockError as error:
            if time.monotonic() > end:
                raise InputError(f"the checkout is in use: {error}") from None
            time.sleep(0.2)
    try:
        yield
    finally:
        with contextlib.suppress(LockError):  # DVC itself forgets an owner that has ended
            lock.__exit__(None, None, None)


# --- The same stage in two experiments ------------------------------------------------------------


class Turn:
    """The right to run a stage on these very inputs: one process on this machine has it at a time.

    The lock's file names the DVC that ran the stage last, and how far it came. What a stage wrote
    is DVC's to put into the cache after the stage has ended, which may take a while.
    """

    def __init__(self, stage: str, inputs: Any) -> None:
        self.stage = stage
        name = f"{stage}-{content_id(json.dumps([stage, inputs], sort_keys=True))}"
        self._file = (_locks() / name).open("a+")

    def wait(self) -> bool:
        """Wait for the turn; then whether the outs are there: another experiment made them."""
        found = self._wait()
        if file := _rendezvous_file():
            file.write_text("skip" if found else "run")
        return found

    def _wait(self) -> bool:
        waited = False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{self.stage}: another experiment runs it on the same inputs; waiting for it")
            fcntl.flock(self._file, fcntl.LOCK_EX)
            waited = True
        owner, is_done = self._read()
        can_skip = _num_processes() == 1 or _rendezvous_file() is not None
        if can_skip and owner and is_done and owner != _dvc() and (waited or _is_alive(owner)):
            end = time.monotonic() + COMMIT_S
            while time.monotonic() < end:
                was_alive = _is_alive(owner)
                if restored(self.stage):
                    print(f"{self.stage}: taken from the experiment that ran it meanwhile")
                    return True
                if not was_alive:
                    break
                time.sleep(0.5)
        self._write(is_done=False)
        return False

    def done(self) -> None:
        """The outs are written; the turn ends with the process."""
        self._write(is_done=True)

    def end(self) -> None:
        self._file.close()

    def _read(self) -> tuple[list[float] | None, bool]:
        self._file.seek(0)
        text = self._file.read()
        found: dict[str, Any] = json.loads(text) if text else {}
        return found.get("dvc"), bool(found.get("is_done"))

    def _write(self, is_done: bool) -> None:
        self._file.seek(0)
        self._file.truncate()
        json.dump({"dvc": _dvc(), "is_done": is_done}, self._file)
        self._file.flush()


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
        found = psutil.Process(int(pid))
        return bool(found.create_time() == started and found.status() != psutil.STATUS_ZOMBIE)
    return False


def restored(stage: str) -> bool:
    """Whether DVC's run cache had the stage's outs for what it now reads; they are then in place.

    DVC looks before it starts a stage, but not again when the stage begins. Its own restore cannot
    be called here, since it would wait for the lock on the outs that this stage's DVC holds.
    """
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.WARNING)
    with Repo() as repo:
        (found,) = repo.stage.collect(stage)
        found.save_deps()
        entry = repo.stage_cache._load(found)
        if not entry:
            return False
        cached = repo.stage_cache._create_stage(entry, wdir=found.wdir)
        if not cached.outs_cached():
            return False
        for out in cached.outs:
            out.checkout(force=True)
    return True


# --- GPUs -----------------------------------------------------------------------------------------


def assign_gpus() -> None:
    """Show a queue's worker its own GPUs alone: worker 1 the first GPUS_PER_WORKER, and so on.

    Of those that CUDA_VISIBLE_DEVICES names where the queue was started, else of all. CUDA reads it
    when it is first used, so that this must come before.

    Raises:
        InputError: there are fewer than all workers want.
    """
    number = worker()
    gpus = visible_gpus() if number else []
    if not number or not gpus:
        return
    text = os.environ.get(GPUS_PER_WORKER, "1")
    if not text.isdigit() or not int(text):
        raise InputError(f"{GPUS_PER_WORKER}={text} is not a number of 1 or more")
    share = int(text)
    own = gpus[(number - 1) * share : number * share]
    if len(own) < share:
        raise InputError(
            f"worker {number} of the queue has no GPUs left: {share} for each worker, and there "
            f"are {len(gpus)}: `dvc queue start -j {len(gpus) // share}`, or a lower "
            f"{GPUS_PER_WORKER}"
        )
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(own)


def worker() -> int | None:
    """The number of the queue's worker that runs this stage, from 1; null outside a queue."""
    for parent in psutil.Process().parents():
        with contextlib.suppress(psutil.Error):
            if found := WORKER.search(" ".join(parent.cmdline())):
                return int(found[1])
    return None


def visible_gpus() -> list[str]:
    """GPUs as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [each.strip() for each in named.split(",") if each.strip() not in ("", "-1")]
    try:
        command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
        listed = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return listed.stdout.split() if listed.returncode == 0 else []
