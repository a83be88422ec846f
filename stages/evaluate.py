"""Have one model answer one benchmark through lm-evaluation-harness, and grade every response.

Reads   data/model/<model>/, data/download_benchmark/<benchmark>/; conf: evaluate,
        benchmark.<benchmark>.task
Writes  data/evaluate/<model>-<benchmark>/samples.parquet (SAMPLE)
Metrics metrics/evaluate/<model>-<benchmark>.json: accuracy, its 95% interval, counts behind it

    python -m stages.evaluate base champ                  evaluate, as DVC does through its launcher
    python -m stages.evaluate base champ --spot-check 8   regenerate 8 responses and compare them;
        --batch-size N changes the batch, and --record lets the card state the findings

Greedy decoding in float32 gives the same responses at any batch size. Times go to lineage/ and, for
each response, to the MLflow run, so that the samples are byte-identical on every run.
"""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.files import write_json
from mathledger.core.tables import write_rows
from mathledger.evaluation.apart import thinking_apart
from mathledger.evaluation.engines.backends import open_engine
from mathledger.evaluation.harness import Task
from mathledger.evaluation.questions import Questions, read_questions, silence_libraries
from mathledger.evaluation.responses import respond
from mathledger.evaluation.samples import SAMPLE, grade_responses, metrics, seconds_csv, summarise
from mathledger.evaluation.served import expect_same, server_facts, settings_for
from mathledger.evaluation.settings import Params
from mathledger.evaluation.spot_check import report, spot_check
from mathledger.evaluation.store_key import decides
from mathledger.evaluation.warm import begin
from mathledger.model.launch import initialise_ranks
from mathledger.model.scratch import scratch_folder
from mathledger.run import arguments, params
from mathledger.run.leaving import run_and_leave
from mathledger.run.tracking import is_main_process, stage_run

MODELS = Path("data/model")
BENCHMARKS = Path("data/download_benchmark")
OUT = Path("data/evaluate")
METRICS = Path("metrics/evaluate")


def main() -> None:
    parser = arguments.Parser("evaluate", __doc__)
    parser.add_argument("model")
    parser.add_argument("benchmark")
    parser.add_argument("--spot-check", type=int, metavar="N")
    parser.add_argument("--seed", help="draw the responses of a spot check by this text")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the spot check's findings")
    parser.add_argument("--batch-size", type=int, metavar="N", help="of the spot check")
    parser.add_argument("--record", action="store_true", help="let the card state the findings")
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    silence_libraries()
    if options.spot_check:
        check_again(options)
    else:
        evaluate(options.model, options.benchmark)


def evaluate(model: str, benchmark: str) -> None:
    item, folder = f"{model}-{benchmark}", MODELS / model
    with stage_run("evaluate", item, partial(decides, folder)) as run:
        settings = settings_for(folder, params.load("evaluate", Params))
        served = expect_same(folder)
        warm = begin(folder, settings, run.fingerprint, len(params.read()["benchmark"]))
        initialise_ranks(settings.launch, fills_gpus=settings.backend != "hf")
        asked = read(model, benchmark)
        engine = warm.engine() if warm else open_engine(folder, asked.tokenizer, settings)
        scratch = scratch_folder(f"evaluate/{item}", run)
        responses = respond(engine, asked.fitting, asked.limits, scratch)
        if not is_main_process():
            return
        responses = thinking_apart(responses, asked.fitting, asked.tokenizer)
        by_key = dict(zip((each.key for each in asked.fitting), responses, strict=True))
        rows = grade_responses(asked.requests, by_key, asked.items, asked.task.harness)
        write_rows(OUT / item / "samples.parquet", rows, SAMPLE)
        run.log_text(seconds_csv(by_key), "seconds.csv")
        score = summarise(rows)
        measured = metrics(rows, settings, asked.task, engine.dtype)
        write_json(METRICS / f"{item}.json", measured)
        run.log_metrics(measured)
        seconds = sum(each.seconds for each in responses)
        run.facts = engine.facts() | served | server_facts(settings)
        run.facts |= {
            "num_processes": settings.launch.num_processes,
            "generate_seconds": round(seconds, 1),
            "tokens_per_second": round(sum(e.num_tokens for e in responses) / (seconds or 1), 1),
        }
        print(
            f"{item}: {score.num_correct} of {len(rows)} correct, {score.accuracy:.1%} "
            f"[{score.accuracy_low:.1%}, {score.accuracy_high:.1%}], {seconds:.0f} s"
        )


def check_again(options: Any) -> None:
    model, benchmark = options.model, options.benchmark
    samples = OUT / f"{model}-{benchmark}" / "samples.parquet"
    try:
        asked = read(model, benchmark)
        check = spot_check(MODELS / model, benchmark, asked, samples, options)
    except InputError as error:
        sys.exit(f"error: {model}-{benchmark}: {error}")
    sys.exit(1 if report(check, options.json) else 0)


def read(model: str, benchmark: str) -> Questions:
    settings = settings_for(MODELS / model, params.load("evaluate", Params))
    task = params.load(f"benchmark.{benchmark}.task", Task)
    return read_questions(MODELS / model, BENCHMARKS / benchmark, settings, task)


if __name__ == "__main__":
    run_and_leave(main)
