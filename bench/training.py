"""Compare the training stage with a bare TRL script, and the plan with what is then measured.

    python -m bench.training SCRATCH [--steps 8] [--repeats 3] [--rows NUMINAMATH_COT.parquet]

Makes a clone of the project's HEAD in SCRATCH/training with the quickstart's model and training set
(if it is not there), then runs there, each in a process of its own and by turns:

stage     `stages.train.main`, from its first line to the last step; evaluation is left out, and the
          model is not saved
bare      the same data and settings, with trl.SFTTrainer and nothing else

Tokens are those that the model works on, padding included, over the whole training loop: which rows
meet in a batch is chance, and the same work is compared. Both see the same rows once. Memory is the
process's peak.
Where rows are given (columns problem and solution), it also trains a small model on their lengths,
padded in random order, padded in the stage's order, and packed.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bench.measure import circumstances, clone, medians, peak_mib, run_in_clone, write_result
from mathledger.core.errors import InputError

PACKED_LENGTH = 1024
NUM_PACKED_ROWS = 192
BATCH = 8


def peak_flops() -> float:
    """Operations a second of a large product of fp32 matrices: what this machine can do."""
    import torch

    size, best = 2048, 0.0
    one, other = torch.rand(size, size), torch.rand(size, size)
    for _ in range(5):
        started = time.perf_counter()
        one @ other
        best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best


def run_stage() -> None:
    """The stage, stopped after its last step."""
    import codecarbon  # noqa: F401
    import datasets  # noqa: F401
    import trl
    from transformers import IntervalStrategy

    trl.SFTTrainer  # noqa: B018  its modules are imported on first use
    from mathledger.plan.memory import memory
    from mathledger.plan.size import flops_per_token, size_of
    from mathledger.run.params import load
    from mathledger.training import loop, sft
    from stages import train

    started, before = time.monotonic(), peak_mib()
    inner = loop.train_to_end

    def timed(trainer: Any, checkpoint: Path | None) -> float:
        trainer.args.eval_strategy, trainer.args.eval_on_start = IntervalStrategy.NO, False
        trainer.args.include_num_input_tokens_seen = "all"
        for each in list(trainer.callback_handler.callbacks):
            if type(each).__name__ == "HeldOutSamples":
                trainer.remove_callback(each)
        ready = time.monotonic() - started
        seconds = inner(trainer, checkpoint)
        settings = load("train", sft.Params)
        size = size_of(trainer.model.config, settings.lora)
        lengths = trainer.train_dataset["length"]
        tokens = max(lengths) * settings.per_device_train_batch_size
        planned = memory(settings, size, tokens, on_gpu=False)
        seen = int(trainer.state.num_input_tokens_seen)
        mean = sum(lengths) / len(lengths)
        measured = {
            "ready_seconds": ready,
            "seconds": seconds,
            "tokens": seen,
            "peak_mib": peak_mib(),
            "memory_mib": peak_mib() - before,
            "planned_memory_mib": sum(planned.values()) * 1024,
            "flops_per_second": flops_per_token(size, mean, False) * seen / seconds,
            "peak_flops_per_second": peak_flops(),
        }
        print("RESULT " + json.dumps(measured), flush=True)
        os._exit(0)  # without saving, which the bare script does not do either

    loop.train_to_end = timed
    train.main()


def run_bare() -> None:
    """What one writes with TRL alone, for the same data and settings."""
    import datasets
    import torch
    import trl
    from transformers import AutoModelForCausalLM, AutoTokenizer

    trl.SFTTrainer  # noqa: B018
    from mathledger.run.params import load
    from mathledger.training import sft
    from stages.train import BASE, MIX

    settings = load("train", sft.Params)
    started = time.monotonic()
    rows = datasets.Dataset.from_parquet(str(MIX / "train.parquet"), cache_dir=".bare")
    trainer = trl.SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32),
        args=trl.SFTConfig(
            output_dir=".bare/out",
            learning_rate=settings.learning_rate,
            lr_scheduler_type=settings.lr_scheduler_type,
            lr_scheduler_kwargs={"min_lr_rate": settings.min_lr_rate},
            warmup_steps=settings.warmup_steps,
            max_steps=settings.max_steps or -1,
            per_device_train_batch_size=settings.per_device_train_batch_size,
            gradient_accumulation_steps=settings.gradient_accumulation_steps,
            activation_checkpointing=settings.activation_checkpointing,
            max_length=settings.max_length,
            weight_decay=settings.weight_decay,
            max_grad_norm=settings.max_grad_norm,
            train_sampling_strategy="group_by_length",
            include_num_input_tokens_seen="all",
            logging_steps=settings.logging_steps,
            save_strategy="no",
            bf16=False,
            use_cpu=True,
            report_to="none",
            seed=settings.seed,
        ),
        train_dataset=rows.select_columns(["prompt", "completion"]),
        processing_class=AutoTokenizer.from_pretrained(BASE),
    )
    ready = time.monotonic() - started
    started = time.monotonic()
    trainer.train()
    measured = {
        "ready_seconds": ready,
        "seconds": time.monotonic() - started,
        "tokens": int(trainer.state.num_input_tokens_seen),
        "peak_mib": peak_mib(),
    }
    print("RESULT " + json.dumps(measured), flush=True)
    os._exit(0)


def run_lengths(how: str, rows: Path) -> None:
    """One pass over some rows: `padded`, `grouped` (the stage's order) or `packed`."""
    import datasets
    import torch
    import trl
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from mathledger.model import prompts
    from mathledger.run import params
    from mathledger.training import sft
    from mathledger.training.trainers import SFTTrainer
    from stages.train import BASE

    tokenizer = AutoTokenizer.from_pretrained(BASE)
    prompt = params.load("prompt", prompts.Params)
    table = datasets.Dataset.from_parquet(str(rows), cache_dir=".bare")
    chosen = table.shuffle(seed=0).select(range(4 * NUM_PACKED_ROWS))
    tokens = chosen.map(
        lambda row: prompts.training_row(prompt, row["problem"], row["solution"]) | {"id": "-"},
        remove_columns=chosen.column_names,
    ).map(sft.tokenise, batched=True, fn_kwargs={"tokenizer": tokenizer})
    tokens = tokens.filter(lambda row: row["length"] <= PACKED_LENGTH)
    tokens = tokens.select(range(NUM_PACKED_ROWS)).remove_columns(["prompt", "completion"])
    if how != "grouped":
        lengths = tokens["length"]
        tokens = tokens.remove_columns(["length"])
    else:
        lengths = tokens["length"]
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=256,
            intermediate_size=1024,
            num_hidden_layers=8,
            num_attention_heads=8,
            tie_word_embeddings=True,
        )
    )
    packed = how == "packed"
    trainer = SFTTrainer(
        model=model,
        args=trl.SFTConfig(
            output_dir=".bare/out",
            num_train_epochs=1,
            # A packed sequence is as long as the longest row may be, and alone in its batch.
            per_device_train_batch_size=1 if packed else BATCH,
            gradient_accumulation_steps=BATCH if packed else 1,
            max_length=PACKED_LENGTH,
            packing=packed,
            activation_checkpointing=False,
            save_strategy="no",
            bf16=False,
            use_cpu=True,
            report_to="none",
            data_seed=0,
        ),
        train_dataset=tokens,
        processing_class=tokenizer,
    )
    started = time.monotonic()
    trainer.train()
    measured = {
        "seconds": time.monotonic() - started,
        "tokens": sum(lengths),
        "mean_length": statistics.mean(lengths),
        "num_rows": len(lengths),
    }
    print("RESULT " + json.dumps(measured), flush=True)
    os._exit(0)


def project(scratch: Path, steps: int) -> Path:
    """A clone of HEAD with model and mix, the latter cut to an epoch of so many steps."""
    folder = clone(scratch / "training", [f"train.max_steps={steps}"], ["mix"])
    mix, whole = folder / "data/mix/train.parquet", folder / "whole.parquet"
    if not whole.exists():
        shutil.copy(mix, whole)
    pq.write_table(pq.read_table(whole).slice(0, steps * BATCH), mix)
    return folder


def table(result: dict[str, Any]) -> str:
    """Ratios of the stage to the bare script; the plan's figures; packing."""
    stage, bare = result["stage"], result["bare"]
    lines = [
        "| | tokens/s | peak memory, MiB | seconds from imports to the first step |",
        "|---|---:|---:|---:|",
        *(
            f"| {name} | {each['tokens_per_second']:.1f} | {each['peak_mib']:.0f} | "
            f"{each['ready_seconds']:.1f} |"
            for name, each in (("stage", stage), ("bare TRL", bare))
        ),
        f"| ratio, difference | {result['speed_ratio']:.3f} | {result['memory_ratio']:.3f} | "
        f"{stage['ready_seconds'] - bare['ready_seconds']:+.1f} |",
        "",
        f"{result['steps']} steps, medians of {result['repeats']} runs by turns. The plan says "
        f"{stage['planned_memory_mib']:.0f} MiB beyond the imports; measured were "
        f"{stage['memory_mib']:.0f}. By its count of operations the stage reached "
        f"{stage['flops_per_second'] / 1e9:.0f} GFLOP/s, "
        f"{stage['flops_per_second'] / stage['peak_flops_per_second']:.0%} of what a product of "
        f"large matrices reaches here ({stage['peak_flops_per_second'] / 1e9:.0f}).",
    ]
    if lengths := result["lengths"]:
        padded = lengths["padded"]
        lines += [
            "",
            "| rows | tokens/s | against random order |",
            "|---|---:|---:|",
            *(
                f"| {name} | {each['tokens_per_second']:.0f} | "
                f"{each['tokens_per_second'] / padded['tokens_per_second']:.2f} |"
                for name, each in lengths.items()
            ),
            "",
            f"{padded['num_rows']:.0f} rows, {padded['mean_length']:.0f} tokens on average, up to "
            f"{PACKED_LENGTH}; a model of 19 million parameters.",
        ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=Path)
    options = parser.parse_args()
    try:
        where = circumstances()
        folder = project(options.scratch.resolve(), options.steps)
        runs: dict[str, list[dict[str, float]]] = {"stage": [], "bare": []}
        for _ in range(options.repeats):
            for name, found in runs.items():
                found.append(run_in_clone(folder, "bench.training", name))
        lengths = {}
        if options.rows:
            for how in ("padded", "grouped", "packed"):
                found = [run_in_clone(folder, "bench.training", how, str(options.rows.resolve()))]
                lengths[how] = medians(found)
    except InputError as error:
        sys.exit(f"error: {error}")
    stage, bare = medians(runs["stage"]), medians(runs["bare"])
    result = {
        "benchmark": "training",
        "steps": options.steps,
        "repeats": options.repeats,
        "stage": stage,
        "bare": bare,
        "speed_ratio": stage["tokens_per_second"] / bare["tokens_per_second"],
        "memory_ratio": stage["peak_mib"] / bare["peak_mib"],
        "lengths": lengths,
        **where,
    }
    write_result("training", result)
    print(table(result))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["stage"]:
            run_stage()
        case ["bare"]:
            run_bare()
        case ["padded" | "grouped" | "packed" as how, rows]:
            run_lengths(how, Path(rows))
        case _:
            main()
