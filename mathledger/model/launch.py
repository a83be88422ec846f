"""Launch a stage as one process or several, and let its ranks work together.

`<stage>.launch.command` starts the stage, alone or once for each GPU (torchrun, accelerate). All
ranks work; rank 0 also reports and writes the outputs.
"""

import os
from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError


@dataclass(frozen=True, config=STRICT)
class Launch:
    command: str = Field(description="What dvc.yaml puts before `-m stages.<stage>`.")
    num_processes: int = Field(
        description="Processes that the command starts, on all nodes together."
    )
    sharding: Literal["none", "fsdp2"] = Field(
        description="none: each process holds the whole model (DDP)."
    )


def check_launch(launch: Launch, num_gpus: int) -> None:
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


def initialise_ranks(launch: Launch, fills_gpus: bool = False) -> None:
    """Check the launch and start the process group; on a CPU, divide the cores among the ranks.

    Args:
        fills_gpus: one process uses all GPUs that it sees, as vLLM does, or needs none.
    """
    import torch
    from accelerate import PartialState

    check_launch(launch, 0 if fills_gpus else torch.cuda.device_count())
    PartialState(cpu=not torch.cuda.is_available())
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if here > 1 and not torch.cuda.is_available():  # torchrun gives each process one thread
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // here))


def broadcast(value: Any) -> Any:
    """Return rank 0's value on every rank."""
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]


def barrier() -> None:
    """Wait until every rank is here. (`broadcast` makes the others wait for rank 0 only.)"""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def any_rank(*flags: bool) -> list[bool]:
    """Return for each flag whether any rank sets it: all must save, or stop, at the same step."""
    import torch

    if not torch.distributed.is_initialized():
        return list(flags)
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    votes = torch.tensor(flags, dtype=torch.int32, device=device)
    torch.distributed.all_reduce(votes, op=torch.distributed.ReduceOp.MAX)
    return [bool(vote) for vote in votes.tolist()]
