"""Compare the cost of the stage `train` with a bare TRL script, and check its plan.

    python -m bench.training SCRATCH [--project .] [--steps 8]

PROJECT is a checkout whose pipeline has run. Two processes alternate in a copy of it: the stage,
from its first line to its last step, without evaluation and without saving the model; and a script
that only calls trl.SFTTrainer with the same data and settings, in the same batches. Tokens include
padding.

The passes, forward and backward, take the same code in both processes, and their speed varies by
some percent on the same machine. The table therefore also shows the seconds outside of them, in
which the stage does most of what it adds, and the CPU time of the passes.

The table ends with the memory that `mathledger plan` predicts for this CPU next to the measured
memory, and with the share of the machine's peak that the plan's count of operations gives.
"""

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import (
    alternate,
    compare,
    copy_of,
    finish,
    medians,
    options,
    report,
    run_main,
    run_part,
)


def peak_flops() -> float:
    """Return the operations per second of a large fp32 matrix product on this machine."""
    import torch

    size, best = 2048, 0.0
    one, other = torch.rand(size, size), torch.rand(size, size)
    for _ in range(5):
        started = time.perf_counter()
        one @ other
        best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best


def resident_mb() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss / 1e6)


class Passes:
    """Measures the wall and CPU seconds of a trainer's forward and backward passes."""

    def __init__(self, trainer: Any) -> None:
        self.seconds = self.cpu_seconds = 0.0
        self._run = trainer.training_step
        trainer.training_step = self

    def __call__(self, *arguments: Any) -> Any:
        started, cpu_started = time.perf_counter(), time.process_time()
        loss = self._run(*arguments)
        self.seconds += time.perf_counter() - started
        self.cpu_seconds += time.process_time() - cpu_started
        return loss


def measured(passes: Passes, seconds: float, tokens: int) -> dict[str, float]:
    """Return the numbers that both parts report about a training of so many seconds."""
    return {
        "seconds": seconds,
        "tokens": tokens,
        "outside_seconds": seconds - passes.seconds,
        "cpu_ms_per_token": 1000 * passes.cpu_seconds / tokens,
    }


def run_stage() -> None:
    """Run the stage and stop after its last step."""
    import trl
    from transformers import IntervalStrategy

    trl.SFTTrainer  # noqa: B018  its modules are imported on first use
    from mathledger.run.params import load
    from mathledger.training import loop, sft
    from mathledger.training.memory import memory
    from mathledger.training.size import flops_per_token, size_of
    from stages import train

    started, imported_mb = time.monotonic(), resident_mb()
    inner = loop.train_to_end

    def timed(trainer: Any, checkpoint: Path | None) -> float:
        trainer.args.eval_strategy, trainer.args.eval_on_start = IntervalStrategy.NO, False
        trainer.args.include_num_input_tokens_seen = "all"
        for each in list(trainer.callback_handler.callbacks):
            if type(each).__name__ == "HeldOutSamples":
                trainer.remove_callback(each)
        passes = Passes(trainer)
        ready = time.monotonic() - started
        seconds = inner(trainer, checkpoint)
        settings = load("train", sft.Params)
        size = size_of(trainer.model.config, settings.lora)
        lengths = trainer.train_dataset["length"]
        longest = max(lengths) * settings.per_device_train_batch_size
        tokens = int(trainer.state.num_input_tokens_seen)
        flops = flops_per_token(size, sum(lengths) / len(lengths), False) * tokens / seconds
        planned = sum(memory(settings, size, longest, on_gpu=False).values()) * 2**30 / 1e6
        finish(
            **measured(passes, seconds, tokens),
            ready_seconds=ready,
            imported_mb=imported_mb,
            planned_mb=planned,
            share_of_peak=flops / peak_flops(),
        )
        return seconds

    loop.train_to_end = timed
    sys.argv = ["stages.train"]
    train.main()


def run_bare() -> None:
    """Run a script written with TRL alone, for the same data and settings."""
    import datasets
    import torch
    import trl
    from transformers import AutoModelForCausalLM, AutoTokenizer

    trl.SFTTrainer  # noqa: B018
    from mathledger.run.params import load
    from mathledger.training import sft
    from mathledger.training.trainers import SeededSampler
    from stages.train import BASE, MIX

    class SameBatches(trl.SFTTrainer):  # type: ignore[misc]
        """TRL's trainer; a batch of other lengths would take another time per token."""

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return SeededSampler(self, [len(ids) for ids in self.train_dataset["input_ids"]])

    settings = load("train", sft.Params)
    started = time.monotonic()
    rows = datasets.Dataset.from_parquet(str(MIX / "train.parquet"), cache_dir=".bare")
    same = ["learning_rate", "lr_scheduler_type", "warmup_steps", "per_device_train_batch_size"]
    same += ["gradient_accumulation_steps", "activation_checkpointing", "max_length", "seed"]
    same += ["weight_decay", "max_grad_norm", "logging_steps"]
    trainer = SameBatches(
        model=AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32),
        args=trl.SFTConfig(
            **{name: getattr(settings, name) for name in same},
            output_dir=".bare/out",
            lr_scheduler_kwargs={"min_lr_rate": settings.min_lr_rate},
            max_steps=settings.max_steps or -1,
            data_seed=settings.seed,
            include_num_input_tokens_seen="all",
            save_strategy="no",
            bf16=False,
            use_cpu=True,
            report_to="none",
        ),
        train_dataset=rows.select_columns(["prompt", "completion"]),
        processing_class=AutoTokenizer.from_pretrained(BASE),
    )
    passes = Passes(trainer)
    ready = time.monotonic()
    trainer.train()
    seconds, tokens = time.monotonic() - ready, int(trainer.state.num_input_tokens_seen)
    finish(**measured(passes, seconds, tokens), ready_seconds=ready - started)


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(
        __doc__,
        arguments,
        ("scratch", {"type": Path}),
        ("--project", {"type": Path, "default": Path()}),
        ("--steps", {"type": int, "default": 8}),
    )
    folder = copy_of(chosen.project, chosen.scratch / "project", with_data=True)
    shorten(folder / "params.yaml", chosen.steps)
    parts = {name: partial(run_part, folder, "bench.training", name) for name in ("stage", "bare")}
    runs = alternate(parts, chosen.rounds)
    rows, head = compare(runs)
    stage, bare = medians(runs["stage"]), medians(runs["bare"])
    rows += [
        [f"{what}: stage, bare, ratio", stage[key], bare[key], stage[key] / bare[key]]
        for what, key in (
            ("seconds of training outside the passes", "outside_seconds"),
            ("CPU ms per token in the passes", "cpu_ms_per_token"),
        )
    ]
    used = stage["peak_mb"] - stage["imported_mb"]
    rows.append(["memory of the plan / measured, MB", stage["planned_mb"], used, ""])
    rows.append(["share of the machine's peak", stage["share_of_peak"], "", ""])
    n = f"{chosen.steps} steps on the mix and base model of {chosen.project.resolve().name}"
    report("training", chosen, n, ["", *head], rows, runs)


def shorten(file: Path, steps: int) -> None:
    """Make training end after this many steps."""
    from omegaconf import OmegaConf

    content = OmegaConf.load(file)
    content.train.max_steps = steps
    OmegaConf.save(content, file)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["stage"]:
            run_stage()
        case ["bare"]:
            run_bare()
        case _:
            run_main(main)
