"""Derive trainer arguments and facts for the lineage from the hardware and the launcher."""

import resource
import sys
from dataclasses import dataclass
from typing import Any

import psutil

from mathledger.model.launch import Launch


def bf16_is_native() -> bool:
    """Return True on a GPU with bf16; a CPU without bf16 units would be many times slower."""
    import torch

    return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported())


def peak_memory_mib() -> int:
    """Return this process's peak memory so far: on the GPU if there is one, else in RAM."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated()) >> 20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak >> (20 if sys.platform == "darwin" else 10)  # macOS counts bytes, Linux KiB


@dataclass(frozen=True)
class Memory:
    """Peak bytes since a moment, of the process that needed most."""

    peak: int
    reserved: int | None  # with what torch's allocator holds back; None on a CPU


def start_measuring_memory() -> int:
    """Return the resident bytes now; on a GPU, forget its peaks so far."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    return int(psutil.Process().memory_info().rss)


def memory_since(resident: int) -> Memory:
    """Return the peak memory since `start_measuring_memory`; all ranks must call this."""
    import torch
    from accelerate.utils import gather_object

    if torch.cuda.is_available():
        own = [(torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved())]
        peak, reserved = (max(each) for each in zip(*gather_object(own), strict=True))
        return Memory(peak, reserved)
    grown = (peak_memory_mib() << 20) - resident
    return Memory(max(gather_object([grown])), None)


def device() -> tuple[str, float | None]:
    """Return the GPU's name and its memory in GiB, or ("CPU", None)."""
    import torch

    if not torch.cuda.is_available():
        return "CPU", None
    found = torch.cuda.get_device_properties(torch.cuda.current_device())
    return str(found.name), found.total_memory / 2**30


def trainer_arguments(launch: Launch) -> dict[str, Any]:
    """Return the trainer's arguments that follow from the launcher and the hardware."""
    import torch

    arguments: dict[str, Any] = {
        "bf16": bf16_is_native(),
        "use_cpu": not torch.cuda.is_available(),
        "dataloader_pin_memory": torch.cuda.is_available(),
        "ddp_find_unused_parameters": False,
        "include_num_input_tokens_seen": "non_padding",
        "logging_nan_inf_filter": False,  # trainers.StopAtNonFinite must see these values
        "save_strategy": "no",  # callbacks.Checkpointing saves at time intervals
        "save_total_limit": 2,
        "report_to": "none",
    }
    if launch.sharding == "fsdp2":
        arguments["fsdp"] = True
        arguments["fsdp_config"] = {
            "version": 2,
            "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "reshard_after_forward": True,
            "state_dict_type": "SHARDED_STATE_DICT",  # for checkpoints; save_model gathers
        }
    return arguments


def allow_sharding_on_cpu(launch: Launch) -> None:
    """Make accelerate shard on a CPU; call it after the arguments are built, before the trainer.

    accelerate shards on accelerators only, and silently falls back to DDP on a CPU.
    """
    from accelerate import PartialState
    from accelerate.utils import DistributedType

    if launch.sharding != "none" and PartialState().distributed_type == DistributedType.MULTI_CPU:
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU


def hardware_facts(trainer: Any) -> dict[str, Any]:
    """Return the device, the precision, the numbers of processes and threads, and peak memory."""
    import torch

    return {
        "device": str(trainer.args.device),
        "precision": "bfloat16" if trainer.args.bf16 else "float32",
        "num_processes": trainer.args.world_size,
        "num_threads": torch.get_num_threads(),
        "peak_memory_mib": peak_memory_mib(),
    }
