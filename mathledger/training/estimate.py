"""Estimate the steps, tokens, memory and hours of a training run by arithmetic."""

from dataclasses import dataclass

import numpy as np

from mathledger.training import sft
from mathledger.training.lengths import Rows
from mathledger.training.memory import memory, smallest_change
from mathledger.training.size import Size, flops_per_token

# Memory in GiB and dense bf16 operations per second, from the vendors' data sheets.
GPUS = {
    "A100-40GB": (40, 312e12),
    "A100-80GB": (80, 312e12),
    "B200-180GB": (180, 2250e12),
    "H100-80GB": (80, 989e12),
    "H200-141GB": (141, 989e12),
    "L40S-48GB": (48, 362e12),
    "RTX4090-24GB": (24, 165e12),
}
FREE_SHARE = 0.1  # share of GPU memory for allocator, CUDA context and NCCL; a rule of thumb


@dataclass(frozen=True)
class Estimate:
    """The needs of a run, or upper bounds if the rows' lengths are unknown."""

    batch: int  # rows per step
    tokens_per_step: float
    num_steps: int | None  # None if it depends on rows that are not mixed yet
    epochs: float | None
    memory: dict[str, float]  # GiB on each GPU, by part
    free_memory: float  # GiB on each GPU that a run may use
    change: str | None  # overrides that would make the run fit, if it does not
    seconds: float | None

    @property
    def fits(self) -> bool:
        return sum(self.memory.values()) <= self.free_memory


def estimate(
    settings: sft.Params, size: Size, rows: Rows | None, gpu: str, utilisation: float
) -> Estimate:
    """Estimate the needs of a run on a kind of GPU.

    Args:
        utilisation: the share of the GPU's peak that the model's operations reach (MFU).
    """
    launch, capacity, peak = settings.launch, *GPUS[gpu]
    micro = settings.per_device_train_batch_size
    batch = effective_batch(settings)
    measured = rows if not settings.packing else None  # packed sequences have max_length
    length = measured.mean if measured else float(settings.max_length)
    longest = measured.longest if measured else settings.max_length
    num_steps, epochs = settings.max_steps, None
    if rows:
        num = num_sequences(settings, rows)
        num_steps = num_steps or max(1, round(settings.num_train_epochs * np.ceil(num / batch)))
        epochs = num_steps * batch / num
    tokens_per_step = batch * length
    seconds = None
    if num_steps:
        flops = num_steps * tokens_per_step * flops_per_token(size, length, bool(settings.lora))
        seconds = flops / (launch.num_processes * peak * utilisation)
    parts = memory(settings, size, micro * longest, on_gpu=True)
    free = capacity * (1 - FREE_SHARE)
    change = None
    if sum(parts.values()) > free:
        change = smallest_change(settings, size, micro * longest, free)
    return Estimate(batch, tokens_per_step, num_steps, epochs, parts, free, change, seconds)


def effective_batch(settings: sft.Params) -> int:
    """Return the rows, or packed sequences, of one optimizer step."""
    micro = settings.per_device_train_batch_size
    return micro * settings.gradient_accumulation_steps * settings.launch.num_processes


def num_sequences(settings: sft.Params, rows: Rows) -> float:
    """Return the number of rows, or of the full sequences that they are packed into."""
    return rows.num * rows.mean / settings.max_length if settings.packing else rows.num


def known_gpu(name: str, gib: float) -> str | None:
    """Return the GPU of the table that has a device's name; the memory tells variants apart.

    >>> known_gpu("NVIDIA A100-SXM4-80GB", 79.2), known_gpu("NVIDIA GeForce RTX 4090", 23.6)
    ('A100-80GB', 'RTX4090-24GB')
    >>> known_gpu("Tesla T4", 14.6) is None
    True
    """
    own = name.replace(" ", "")
    found = [key for key in GPUS if key.split("-")[0] in own]
    return min(found, key=lambda key: abs(GPUS[key][0] - gib), default=None)
