"""Give each worker of `dvc queue start -j N` GPUs of its own: docs/experiments.md."""

import contextlib
import os
import re
import subprocess

import psutil

from mathledger.core.errors import InputError

WORKER = re.compile(r"dvc-exp-[0-9a-f]+-(\d+)@localhost")  # as DVC names the worker's process
GPUS_PER_WORKER = "GPUS_PER_WORKER"


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
            if match := WORKER.search(" ".join(parent.cmdline())):
                return int(match[1])
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
