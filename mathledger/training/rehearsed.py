"""What the steps of a rehearsal took, beside what the plan estimates."""

from dataclasses import dataclass
from typing import Any

from mathledger.training import hardware, sft
from mathledger.training.estimate import GPUS, effective_batch, estimate, known_gpu
from mathledger.training.lengths import Rows
from mathledger.training.memory import GIB, memory
from mathledger.training.size import Size, flops_per_token

UTILISATION = 0.4  # the share of a GPU's peak that `mathledger plan` assumes by default


@dataclass(frozen=True)
class Rehearsal:
    """The figures of a rehearsal; memory is that of the process that needed most."""

    device: str
    precision: str
    num_processes: int
    attn_implementation: str
    method: str  # full, lora or qlora
    is_random: bool  # random weights, and made-up rows of max_length tokens
    num_parameters: int
    num_trainable_parameters: int
    batch: int  # rows, or packed sequences, of a step
    longest_tokens: int  # in a row or sequence that was used
    step_seconds: list[float]
    tokens_per_second: float  # of all processes, without the first step and without padding
    tflops: float  # 10^12 operations per second of one process, as the plan counts them
    gpu: str | None  # the card's name for `mathledger plan --gpu`
    utilisation: float | None  # share of the card's peak
    memory_gib: float  # peak; on a CPU, what was added to the process before the model was loaded
    memory_reserved_gib: float | None  # peak with what torch's allocator held back
    memory_available_gib: float | None  # on the card
    memory_planned_gib: float
    memory_planned: dict[str, float]  # GiB by part
    num_steps: int | None  # of the whole run; None if it follows from rows that were not read
    mean_tokens: float  # in a row or sequence of the whole run
    hours: float | None  # of the whole run, without evaluation and checkpoints
    hours_at_most: float | None  # the same if each row were as long as the longest
    hours_planned: float | None  # by the plan, if the card is known


def planned_memory(settings: sft.Params, size: Size, longest: int) -> dict[str, float]:
    """Return the memory in GiB that the plan counts for micro-batches of rows of this length."""
    tokens = settings.per_device_train_batch_size * longest
    return memory(settings, size, tokens, on_gpu=hardware.bf16_is_native())


def compare(
    settings: sft.Params,
    size: Size,
    rows: Rows | None,
    clock: Any,
    used: hardware.Memory,
    longest: int,
    facts: dict[str, Any],
) -> Rehearsal:
    """Extrapolate the whole run from the timed steps, and set it beside the plan.

    Args:
        rows: the lengths of the training rows; None if the rows were made up.
        clock: the seconds and tokens of each step, a callbacks.StepClock.
        longest: the number of tokens in the longest row or sequence.
        facts: see hardware.hardware_facts.
    """
    batch, lora = effective_batch(settings), settings.lora
    steps, tokens, seconds = len(clock.seconds) - 1, sum(clock.tokens[1:]), sum(clock.seconds[1:])
    speed = tokens / seconds
    flops = flops_per_token(size, tokens / (steps * batch), bool(lora)) * speed
    flops /= settings.launch.num_processes
    device, available = hardware.device()
    gpu = known_gpu(device, available) if available else None
    plan = estimate(settings, size, rows, gpu or next(iter(GPUS)), UTILISATION)
    parts = planned_memory(settings, size, longest)
    hours = at_most = None
    if plan.num_steps:
        hours = round(plan.num_steps * plan.tokens_per_step / speed / 3600, 4)
        at_most = round(plan.num_steps * seconds / steps / 3600, 4)
    return Rehearsal(
        device=device,
        precision=facts["precision"],
        num_processes=facts["num_processes"],
        attn_implementation=settings.attn_implementation,
        method="full" if not lora else "qlora" if lora.load_in_4bit else "lora",
        is_random=rows is None,
        num_parameters=size.total,
        num_trainable_parameters=size.trainable,
        batch=batch,
        longest_tokens=longest,
        step_seconds=[round(each, 3) for each in clock.seconds],
        tokens_per_second=round(speed, 1),
        tflops=round(flops / 1e12, 4),
        gpu=gpu,
        utilisation=round(flops / GPUS[gpu][1], 3) if gpu else None,
        memory_gib=round(used.peak / GIB, 2),
        memory_reserved_gib=round(used.reserved / GIB, 2) if used.reserved else None,
        memory_available_gib=round(available, 1) if available else None,
        memory_planned_gib=round(sum(parts.values()), 2),
        memory_planned={name: round(each, 3) for name, each in parts.items()},
        num_steps=plan.num_steps,
        mean_tokens=round(plan.tokens_per_step / batch, 1),
        hours=hours,
        hours_at_most=at_most,
        hours_planned=round(plan.seconds / 3600, 4) if gpu and plan.seconds else None,
    )


def render(done: Rehearsal) -> list[tuple[str, str]]:
    """Return the lines that the stage prints, as name and value."""
    processes = f"{done.num_processes} process{'es' * (done.num_processes != 1)}"
    what = "random weights, " if done.is_random else ""
    first, *others = done.step_seconds
    lines = [
        ("device", f"{done.device}, {done.precision}, {done.attn_implementation}, {processes}"),
        (
            "parameters",
            f"{done.num_parameters:,}, {done.num_trainable_parameters:,} of them trained "
            f"({what}{done.method})",
        ),
        (
            "steps taken",
            f"{1 + len(others)} of {done.batch} rows; the longest has {done.longest_tokens} tokens",
        ),
        (
            "seconds per step",
            f"{sum(others) / len(others):.2f} (the first {first:.2f}, which is not counted below)",
        ),
        ("tokens per second", f"{done.tokens_per_second:,.0f}"),
        ("operations", _operations(done)),
        ("peak memory", _memory(done)),
        ("planned memory", f"{done.memory_planned_gib:.2f} GiB"),
    ]
    if done.num_steps is None or done.hours is None:
        return [*lines, ("hours", "unknown: the number of steps follows from data/mix")]
    bound = "at most " if done.is_random else ""
    hours = f"{bound}{done.hours:,.2f} for {done.num_steps:,} steps of {done.batch} rows, mean "
    hours += f"{done.mean_tokens:.0f} tokens, without evaluation"
    if not done.is_random:
        hours += f"; at most {done.hours_at_most:,.2f} if all rows were as long as the longest"
    lines.append(("hours", hours))
    if done.hours_planned is not None:
        planned = f"{bound}{done.hours_planned:,.2f} at {UTILISATION:.0%} of the card's peak"
        lines.append(("planned hours", planned))
    return lines


def _operations(done: Rehearsal) -> str:
    text = f"{done.tflops:,.3g} TFLOP/s per process"
    if done.gpu is None or done.utilisation is None:
        return text
    shown = f"mathledger plan --gpu {done.gpu} --utilisation {done.utilisation:.2f}"
    return f"{text}, {done.utilisation:.0%} of the card's peak: `{shown}`"


def _memory(done: Rehearsal) -> str:
    if done.memory_available_gib is None or done.memory_reserved_gib is None:
        return f"{done.memory_gib:.2f} GiB on top of the process without model"
    return (
        f"{done.memory_gib:.2f} GiB, {done.memory_reserved_gib:.2f} with the allocator's reserve, "
        f"of {done.memory_available_gib:.1f}"
    )
