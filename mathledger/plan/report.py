"""Format a plan as two columns of text."""

from mathledger.plan.totals import Evaluation, disk
from mathledger.training import sft
from mathledger.training.estimate import GPUS, Estimate
from mathledger.training.lengths import Rows
from mathledger.training.size import Size


def render(
    settings: sft.Params,
    size: Size,
    rows: Rows | None,
    plan: Estimate,
    gpu: str,
    utilisation: float,
) -> list[tuple[str, str]]:
    """Return the lines on training, as name and value."""
    launch, capacity, peak = settings.launch, *GPUS[gpu]
    bound = "" if rows else "at most "
    unknown = "unknown until `dvc repro mix`"
    method = "all weights"
    if settings.lora:
        method = f"LoRA, rank {settings.lora.r}"
        if settings.lora.load_in_4bit:
            method += ", frozen weights in nf4"
    tokens, epochs, hours = unknown, unknown, unknown
    if plan.num_steps and plan.seconds:
        tokens = f"{bound}{plan.num_steps * plan.tokens_per_step:,.0f}"
        gpu_hours = launch.num_processes * plan.seconds / 3600
        hours = f"{bound}{plan.seconds / 3600:,.1f} ({gpu_hours:,.1f} GPU hours) at "
        hours += f"{utilisation:.0%} of {peak / 1e12:.0f} TFLOP/s, without evaluation"
    if rows and plan.epochs:
        epochs = f"{plan.epochs:.3g} of {rows.num:,} rows, mean {rows.mean:.0f} tokens, longest "
        epochs += f"{rows.longest}; {rows.num_too_long} do not fit {settings.max_length}"
    needed = sum(plan.memory.values())
    return [
        ("parameters", f"{size.total:,}, {size.trainable:,} of them trained ({method})"),
        (
            "processes",
            f"{launch.num_processes} x {gpu} (`{launch.command}`, {launch.sharding})",
        ),
        (
            "batch",
            f"{plan.batch} = {settings.per_device_train_batch_size} per GPU x "
            f"{settings.gradient_accumulation_steps} accumulated x {launch.num_processes} "
            f"GPU{'s' * (launch.num_processes != 1)}, "
            f"{'packed' if settings.packing else 'padded'}",
        ),
        ("tokens per step", f"{bound}{plan.tokens_per_step:,.0f}"),
        ("steps", f"{plan.num_steps:,}" if plan.num_steps else unknown),
        ("total tokens", tokens),
        ("epochs", epochs),
        ("memory per GPU", ""),
        *((f"  {name}", f"{each:8.2f} GiB") for name, each in plan.memory.items()),
        (
            "  total",
            f"{needed:8.2f} GiB of {capacity}, of which {plan.free_memory:.0f} are available",
        ),
        ("fits", "yes" if plan.fits else f"no; {advice(plan)}"),
        ("hours", hours),
    ]


def advice(plan: Estimate) -> str:
    """Return advice on how to make a run fit."""
    if not plan.change:
        return "try train=lora, train=qlora or a smaller batch"
    more = "" if "checkpointing" in plan.change else " with activation checkpointing"
    return f"it would fit with {plan.change}{more}; or try train=lora or train=qlora"


def render_totals(
    settings: sft.Params,
    size: Size,
    plan: Estimate,
    asked: Evaluation,
    tokens_per_second: float,
    dollars: float | None,
) -> list[tuple[str, str]]:
    """Return the lines on evaluation, disk and, if a price is given, money."""
    answering = asked.seconds(tokens_per_second)
    more = f"; {asked.num_unknown} benchmarks not counted" if asked.num_unknown else ""
    parts = disk(size)
    rows = [
        (
            "evaluation",
            f"{asked.num_responses:,} responses of {asked.num_models} models, at most "
            f"{asked.max_tokens:,} tokens{more}",
        ),
        (
            "",
            f"at most {answering / 3600:,.1f} hours at {tokens_per_second:,.0f} tokens a second "
            f"on each of {asked.num_processes} GPUs",
        ),
        (
            "disk",
            f"{sum(parts.values()) / 1e9:,.0f} GB: "
            + ", ".join(f"{name} {each / 1e9:,.1f}" for name, each in parts.items()),
        ),
    ]
    if dollars is not None:
        price = "unknown until `dvc repro mix`"
        if plan.seconds:
            busy = settings.launch.num_processes * plan.seconds + asked.num_processes * answering
            price = f"at most {busy / 3600 * dollars:,.0f} dollars at {dollars:g} a GPU hour"
        rows.append(("money", price))
    return rows


def columns(rows: list[tuple[str, str]]) -> str:
    """Lay out the lines that `mathledger plan` prints."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {value}".rstrip() for name, value in rows)
