"""What the stages that run in several processes share: launching, meeting, and scratch folders.

`<stage>.launch.command` starts the stage, alone or once for each GPU (torchrun, accelerate). The
first process, RANK 0, reports and writes the outs; all of them work.
"""

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.records import content_id
from mathledger.run import tracking


@dataclass(frozen=True, config=STRICT)
class Launch:
    command: str  # what dvc.yaml puts before `-m stages.<stage>`
    num_processes: int  # that this command starts, on all nodes together
    sharding: Literal["none", "fsdp2"]  # none: each process holds the whole model (DDP)


def expect_processes(launch: Launch, num_gpus: int) -> None:
    """Raise InputError unless the launcher started what the configuration says, on enough GPUs."""
    started = int(os.environ.get("WORLD_SIZE", "1"))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if started != launch.num_processes:
        raise InputError(
            f"`{launch.command}` started {started} processes, and launch.num_processes is "
            f"{launch.num_processes}: make them agree"
        )
    if num_gpus and here > num_gpus:
        raise InputError(
            f"{here} processes on this machine, but {num_gpus} GPUs: lower launch.num_processes"
        )
    if num_gpus > 1 and started == 1:
        raise InputError(
            f"{num_gpus} GPUs are visible and one process was started: choose train/launch=ddp or "
            "fsdp2, or make one GPU visible with CUDA_VISIBLE_DEVICES"
        )
    if launch.sharding != "none" and started == 1:
        raise InputError(f"sharding={launch.sharding} needs several processes: choose a launcher")


def join(launch: Launch, fills_gpus: bool = False) -> None:
    """Meet the other processes; on a CPU, share its cores with them.

    Args:
        fills_gpus: one process is enough for all GPUs that it sees, as with vLLM, or needs none.
    """
    import torch
    from accelerate import PartialState

    expect_processes(launch, 0 if fills_gpus else torch.cuda.device_count())
    PartialState(cpu=not torch.cuda.is_available())
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if here > 1 and not torch.cuda.is_available():  # torchrun gives each process one thread
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // here))


def from_main(value: Any) -> Any:
    """The first process's value, in every process."""
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]


def wait_for_all() -> None:
    """Go on when every process has come here. (from_main holds up the others alone.)"""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def any_process(*flags: bool) -> list[bool]:
    """For each flag whether it is set in any process: all must save, or stop, at the same step."""
    import torch

    if not torch.distributed.is_initialized():
        return list(flags)
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    votes = torch.tensor(flags, dtype=torch.int32, device=device)
    torch.distributed.all_reduce(votes, op=torch.distributed.ReduceOp.MAX)
    return [bool(vote) for vote in votes.tolist()]


@contextlib.contextmanager
def scratch_folder(name: str, decides: Any) -> Iterator[Path]:
    """.scratch/<name>/<fingerprint>/, for one process group at a time.

    The fingerprint covers the package versions and what else decides the content (JSON), so that
    no other configuration picks it up. A second run of the same (a queued experiment, or a
    `dvc repro` beside a stage that is still saving) waits until the first has ended.
    """
    versions = {name: tracking.version(name) for name in tracking.PACKAGES}
    key = content_id(json.dumps([decides, versions], sort_keys=True))
    root = Path(os.environ.get("DVC_ROOT", ".")) / ".scratch"
    folder = root / name / str(from_main(key))
    locks = root / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / f"{name.replace('/', '-')}-{folder.name}").open("w") as lock:
        if tracking.is_main_process():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("another process does the same; waiting for it", file=sys.stderr)
                fcntl.flock(lock, fcntl.LOCK_EX)
        from_main(None)
        yield folder
