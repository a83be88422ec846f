"""Show one model parts of benchmark problems, and see whether it knows the rest or the answer.

Reads   data/model/<model>/, data/download_benchmark/, data/mix/validation.parquet;
        conf: probe, prompt, evaluate, benchmark
Writes  data/probe/<model>/completions.parquet (COMPLETION), parts.parquet (PART),
        left_out.json (items that are not completed, and reasons)
Metrics metrics/probe/<model>.json: for each benchmark, how many problems were continued verbatim
        and how many answered from a part, with 95% intervals; completions also of held-out texts

The model continues half a problem as raw text (evaluation/probe.py), and is asked a part as
`evaluate` asks the whole (evaluation/part_probe.py). In float32 neither depends on the batch size.
For a private benchmark only numbers are written.
"""

import gc
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from mathledger.core.files import write_json
from mathledger.core.receipts import is_private
from mathledger.core.tables import Row, read_rows, write_rows
from mathledger.evaluation import part_probe, probe
from mathledger.evaluation.completers import open_completer
from mathledger.evaluation.engines.backends import open_engine
from mathledger.evaluation.harness import Task
from mathledger.evaluation.questions import silence_libraries
from mathledger.evaluation.served import expect_near, server_of, settings_for
from mathledger.evaluation.settings import Params as Evaluation
from mathledger.evaluation.store_key import decides
from mathledger.model import prompts
from mathledger.model.scratch import scratch_folder
from mathledger.run import arguments, params
from mathledger.run.leaving import run_and_leave
from mathledger.run.tracking import Run, stage_run

MODELS = Path("data/model")
BENCHMARKS = Path("data/download_benchmark")
VALIDATION = Path("data/mix/validation.parquet")
OUT = Path("data/probe")
METRICS = Path("metrics/probe")


def main() -> None:
    name = arguments.only_item("probe", "model", "evaluated_models", __doc__)
    with stage_run("probe", name, partial(decides, MODELS / name)) as run:
        settings = params.load("probe", probe.Params)
        silence_libraries()
        names = sorted(params.load("benchmark", dict))
        evaluation = settings_for(MODELS / name, params.load("evaluate", Evaluation))
        for each in names:
            expect_near(MODELS / name, BENCHMARKS / each, evaluation)
        items = {each: read_rows(BENCHMARKS / each / "items.parquet") for each in names}
        completed = complete(name, items, settings, run)
        gc.collect()  # the engine loads the model again
        answered = answer(name, items, settings, run)
        metrics = {key: completed.get(key, {}) | {"parts": own} for key, own in answered.items()}
        write_json(METRICS / f"{name}.json", metrics)
        run.log_metrics(metrics)


def complete(
    name: str, items: dict[str, list[Row]], settings: probe.Params, run: Run
) -> dict[str, dict[str, Any]]:
    """Let the model complete problems, and return the metrics of each benchmark."""
    completed, left_out, metrics = [], {}, {}
    completer = open_completer(MODELS / name, settings)
    if completer:
        prompt = params.load("prompt", prompts.Params)
        tokenizer, context = completer.tokenizer, completer.context
        held_out = probe.held_out_problems(VALIDATION, prompt)
        pool, _ = probe.usable(tokenizer, held_out, settings.min_tokens, context)
        texts = {
            key: probe.choose(tokenizer, own, pool, settings, context) for key, own in items.items()
        }
        every = [each for own in texts.values() for each in [*own.items, *own.controls]]
        completions = completer.complete(every)
        for benchmark, own in texts.items():
            rows = probe.completion_rows(benchmark, own.items, completions, False)
            if is_private(BENCHMARKS / benchmark):
                rows = probe.without_text(rows)
            rows += probe.completion_rows(benchmark, own.controls, completions, True)
            summary = probe.summarise(rows, own.left_out)
            metrics[benchmark] = asdict(summary)
            completed += rows
            left_out[benchmark] = [*map(vars, own.left_out)]
            print(f"{name} continues {probe.in_words(summary)} of {benchmark} verbatim")
        run.facts = completer.facts
    write_rows(OUT / name / "completions.parquet", completed, probe.COMPLETION)
    write_json(OUT / name / "left_out.json", left_out)
    return metrics


def answer(
    name: str, items: dict[str, list[Row]], settings: probe.Params, run: Run
) -> dict[str, dict[str, Any]]:
    """Ask the model parts of problems, and return the metrics of each benchmark."""
    model = MODELS / name
    evaluation = settings_for(model, params.load("evaluate", Evaluation))
    tokenizer = None if server_of(model) else prompts.load_tokenizer(model)
    engine = open_engine(model, tokenizer, evaluation)
    scratch, answered, metrics = scratch_folder(f"probe/{name}", run), [], {}
    for benchmark, own in items.items():
        task = params.load(f"benchmark.{benchmark}.task", Task)
        asked = part_probe.ask(model, benchmark, own, task, evaluation, settings, tokenizer)
        rows = part_probe.answered(benchmark, asked, engine, scratch)
        if is_private(BENCHMARKS / benchmark):
            rows = part_probe.without_text(rows)
        summary = part_probe.summarise(rows, asked.left_out)
        print(f"{name} answers {part_probe.in_words(summary)} of {benchmark}")
        answered += rows
        metrics[benchmark] = asdict(summary)
    write_rows(OUT / name / "parts.parquet", answered, part_probe.PART)
    return metrics


if __name__ == "__main__":
    run_and_leave(main)
