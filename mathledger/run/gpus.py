"""Give each worker of `dvc queue start -j N` its own GPUs: docs/experiments.md."""

import contextlib
import os
import re
import subprocess

import psutil

from mathledger.core.errors import InputError

WORKER = re.compile(r"dvc-exp-[0-9a-f]+-(\d+)@localhost")  # DVC's name of a worker process
GPUS_PER_WORKER = "GPUS_PER_WORKER"


def assign_gpus() -> None:
    """Make only its own GPUs visible to a queue worker: the first GPUS_PER_WORKER to worker 1, etc.

    The GPUs are those in CUDA_VISIBLE_DEVICES when the queue was started, or all. Call this before
    CUDA is first used, because CUDA reads the variable then.

    Raises:
        InputError: there are not enough GPUs for this worker.
    """
    number = worker()
    gpus = visible_gpus() if number else []
    if not number or not gpus:
        return
    text = os.environ.get(GPUS_PER_WORKER, "1")
    if not text.isdigit() or not int(text):
        raise InputError(f"{GPUS_PER_WORKER}={text} must be a whole number of 1 or more")
    share = int(text)
    own = gpus[(number - 1) * share : number * share]
    if len(own) < share:
        raise InputError(
            f"no GPUs are left for worker {number} of the queue ({share} per worker, {len(gpus)} "
            f"in all): run `dvc queue start -j {len(gpus) // share}`, or lower {GPUS_PER_WORKER}"
        )
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(own)


def worker() -> int | None:
    """Return the number, from 1, of the queue worker that runs this stage; None outside a queue."""
    for parent in psutil.Process().parents():
        with contextlib.suppress(psutil.Error):
            if match := WORKER.search(" ".join(parent.cmdline())):
                return int(match[1])
    return None


def visible_gpus() -> list[str]:
    """Return the visible GPUs under the names that CUDA_VISIBLE_DEVICES takes."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [each.strip() for each in named.split(",") if each.strip() not in ("", "-1")]
    try:
        command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
        listed = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return listed.stdout.split() if listed.returncode == 0 else []
