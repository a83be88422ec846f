"""Give one model the first half of each benchmark problem and check whether it knows the rest.

Reads   data/model/<model>/, data/download_benchmark/, data/mix/validation.parquet;
        conf: probe, prompt, benchmark (the names)
Writes  data/probe/<model>/completions.parquet (COMPLETION), left_out.json (items and reasons)
Metrics metrics/probe/<model>.json: for each benchmark, how many problems were continued verbatim,
        with a 95% interval; the same for texts held out from training, as a control

The model gets raw text without a chat template and continues it greedily for as many tokens as the
second half has. This is the partial-prompt completion of Wu et al. 2025 (arXiv 2507.10532), after
Carlini et al. 2023 (arXiv 2202.07646) and Golchin and Surdeanu 2024 (arXiv 2308.08493). In float32
the result does not depend on the batch size. For a private benchmark only numbers are written.
"""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mathledger.core.files import write_json
from mathledger.core.receipts import is_private
from mathledger.core.tables import read_rows, write_rows
from mathledger.evaluation import probe, probe_server
from mathledger.evaluation.served import server_of
from mathledger.model import prompts
from mathledger.run import arguments, params
from mathledger.run.tracking import stage_run

MODELS = Path("data/model")
BENCHMARKS = Path("data/download_benchmark")
VALIDATION = Path("data/mix/validation.parquet")
OUT = Path("data/probe")
METRICS = Path("metrics/probe")


def main() -> None:
    name = arguments.only_item("probe", "model", "evaluated_models", __doc__)
    with stage_run("probe", name) as run:
        served = bool(server_of(MODELS / name))
        if served and not probe_server.completes_text(MODELS / name):
            write_rows(OUT / name / "completions.parquet", [], probe.COMPLETION)
            write_json(OUT / name / "left_out.json", {})
            write_json(METRICS / f"{name}.json", {})
            print(f"{name} is not probed: only its server's chat is known")
            return
        settings = params.load("probe", probe.Params)
        prompt = params.load("prompt", prompts.Params)
        benchmarks = list(params.load("benchmark", dict))

        model: Any = None
        tokenizer: Any = probe_server.Words()
        context = sys.maxsize
        if not served:
            import transformers

            transformers.utils.logging.disable_progress_bar()
            model, tokenizer = probe.load_model(MODELS / name, settings.dtype)
            context = model.config.max_position_embeddings
        held_out = probe.held_out_problems(VALIDATION, prompt)
        pool, _ = probe.usable(tokenizer, held_out, settings.min_tokens, context)
        texts = {
            benchmark: probe.choose(
                tokenizer,
                read_rows(BENCHMARKS / benchmark / "items.parquet"),
                pool,
                settings,
                context,
            )
            for benchmark in benchmarks
        }
        every = [each for own in texts.values() for each in own.items]
        every += [each for own in texts.values() for each in own.controls]
        if served:
            completions = probe_server.complete(MODELS / name, every)
        else:
            completions = probe.complete(model, tokenizer, every, settings.batch_size)
        completed, summaries = [], {}
        for benchmark, own in sorted(texts.items()):
            rows = probe.completion_rows(benchmark, own.items, completions, False)
            if is_private(BENCHMARKS / benchmark):
                rows = probe.without_text(rows)
            rows += probe.completion_rows(benchmark, own.controls, completions, True)
            summaries[benchmark] = probe.summarise(rows, own.left_out)
            completed += rows
        write_rows(OUT / name / "completions.parquet", completed, probe.COMPLETION)
        left_out = {key: list(map(vars, own.left_out)) for key, own in texts.items()}
        write_json(OUT / name / "left_out.json", left_out)
        metrics = {key: asdict(each) for key, each in summaries.items()}
        write_json(METRICS / f"{name}.json", metrics)
        run.log_metrics(metrics)
        run.facts = {"device": "as served", "dtype": "as served"}
        if not served:
            run.facts = {"device": str(model.device), "dtype": str(model.dtype).split(".")[-1]}
        for benchmark, summary in summaries.items():
            shown = [
                f"{part.num_verbatim} of {part.num} {kind}" if part else f"no {kind}"
                for kind, part in (("items", summary.items), ("controls", summary.controls))
            ]
            print(f"{name} continues {', '.join(shown)} of {benchmark} verbatim")


if __name__ == "__main__":
    main()
