"""Let one model answer one benchmark through lm-evaluation-harness, and grade every response.

Reads   data/model/<model>/, data/download_benchmark/<benchmark>/; conf: evaluate,
        benchmark.<benchmark>.task
Writes  data/evaluate/<model>-<benchmark>/samples.parquet (SAMPLE)
        lineage/evaluate/<model>-<benchmark>.csv: the seconds that each response took
Metrics metrics/evaluate/<model>-<benchmark>.json: accuracy, its 95% interval, what explains it

    python -m stages.evaluate base champ                  what DVC runs, through evaluate.launch
    python -m stages.evaluate base champ --spot-check 8   generate 8 of its responses anew, compare

Greedy decoding in float32 gives the same responses at any batch size. Times go to lineage/, so that
the samples are the same bytes on every run.
"""

import argparse
import dataclasses
import hashlib
import logging
import os
import random
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_json, write_text
from mathledger.core.hashing import content_id
from mathledger.core.tables import Row, read_rows, write_rows
from mathledger.evaluation import generation, harness, statistics
from mathledger.grading import grades as grading
from mathledger.grading.judges import Judges
from mathledger.model import prompts
from mathledger.model.launch import initialise_ranks
from mathledger.model.scratch import scratch_folder
from mathledger.run import params
from mathledger.run.tracking import hardware, is_main_process, stage_run

MODELS = Path("data/model")
BENCHMARKS = Path("data/download_benchmark")
OUT = Path("data/evaluate")
METRICS = Path("metrics/evaluate")
SECONDS = Path("lineage/evaluate")
GRADING_S = 5  # CPU seconds for one comparison

SAMPLE = pa.schema(
    [
        pa.field("item_id", pa.string()),
        pa.field("repeat", pa.int32()),
        pa.field("seed", pa.int64()),  # null: greedy
        pa.field("prompt_sha256", pa.string()),  # of the text after the chat template
        pa.field("response", pa.string()),
        pa.field("extracted_answer", pa.string()),
        pa.field("reference", pa.string()),
        pa.field("verdict", pa.string()),  # correct, wrong or no_answer
        pa.field("correct", pa.bool_()),
        pa.field("harness_correct", pa.bool_()),  # by the harness's own task, where there is one
        pa.field("grader", pa.string()),
        pa.field("num_tokens", pa.int32()),  # generated, the end of turn included
        # stop, length (cut at max_gen_toks), or too_long: not asked, for the prompt does not fit
        pa.field("finish_reason", pa.string()),
    ]
)


@dataclasses.dataclass(frozen=True)
class Work:
    """What is to be done, as params.yaml, the benchmark and the model's tokenizer say."""

    settings: generation.Params
    task: harness.Task
    items: list[Row]
    tokenizer: Any
    asked: list[generation.Request]
    fitting: list[generation.Request]  # of these, those that fit the model's context
    is_private: bool  # the benchmark's text is not to be shown

    @property
    def limits(self) -> generation.Limits:
        return generation.Limits(self.task.max_gen_toks, self.task.until)


def read_work(model: str, benchmark: str) -> Work:
    """Read and render everything that one model is to be asked of one benchmark."""
    settings = params.load("evaluate", generation.Params)
    task = params.load(f"benchmark.{benchmark}.task", harness.Task)
    items = read_rows(BENCHMARKS / benchmark / "items.parquet")
    tokenizer = prompts.load_tokenizer(MODELS / model)
    asked = requests(benchmark, items, task, settings, tokenizer)
    config = read_json(MODELS / model / "config.json")
    context = config.get("max_position_embeddings")
    fitting = those_that_fit(asked, context, task.max_gen_toks, settings.max_too_long_rate)
    is_private = read_json(BENCHMARKS / benchmark / "receipt.json")["private"]
    return Work(settings, task, items, tokenizer, asked, fitting, is_private)


def requests(
    name: str, items: list[Row], task: harness.Task, settings: generation.Params, tokenizer: Any
) -> list[generation.Request]:
    """What is to be asked, by item and repeat. Each sampled response has a seed of its own."""
    found = []
    for item, messages in zip(items, harness.turns(name, items, task), strict=True):
        prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        if not settings.temperature:
            found.append(generation.Request(item["id"], 0, messages, prompt, ids, None))
            continue
        for repeat in range(task.repeats):
            # 31 bits, which every server takes.
            seed = int(content_id(str(settings.seed), item["id"], str(repeat))[:8], 16) >> 1
            found.append(generation.Request(item["id"], repeat, messages, prompt, ids, seed))
    return found


def those_that_fit(
    asked: list[generation.Request], context: int | None, max_gen_toks: int, max_rate: float
) -> list[generation.Request]:
    """The requests that fit the model's context with their response.

    Raises:
        InputError: more than max_rate of them do not.
    """
    if context is None:
        return asked
    fits = [each for each in asked if len(each.prompt_ids) + max_gen_toks <= context]
    num_long = len(asked) - len(fits)
    if num_long > max_rate * len(asked):
        longest = max(asked, key=lambda each: len(each.prompt_ids))
        raise InputError(
            f"{num_long} of {len(asked)} prompts exceed the model's context of {context} tokens "
            f"with max_gen_toks={max_gen_toks} (the longest, item {longest.item_id}, has "
            f"{len(longest.prompt_ids)}): lower task.max_gen_toks, or let "
            "evaluate.max_too_long_rate of them count as wrong"
        )
    return fits


def samples(
    asked: list[generation.Request],
    responses: dict[tuple[str, int], generation.Response],
    items: list[Row],
    own: harness.OwnTask | None,
) -> list[Row]:
    """Grade: one SAMPLE for each request, sorted by item and repeat."""
    by_id = {item["id"]: item for item in items}
    not_asked = generation.Response("", 0, "too_long", 0.0)
    given = [responses.get((each.item_id, each.repeat), not_asked) for each in asked]
    # A response is text that a file can hold: a server may send half a surrogate pair.
    texts = [each.text.encode("utf-8", "replace").decode() for each in given]
    item_of = [by_id[each.item_id] for each in asked]
    with Judges(GRADING_S) as judges:
        grades = judges.grade(
            [
                (text, item["answer"], item["answer_type"])
                for text, item in zip(texts, item_of, strict=True)
            ]
        )
    others: list[Any] = harness.own_verdicts(own, item_of, texts) if own else [None] * len(asked)
    rows = [
        {
            "item_id": request.item_id,
            "repeat": request.repeat,
            "seed": request.seed,
            "prompt_sha256": hashlib.sha256(request.prompt.encode()).hexdigest(),
            "response": text,
            "extracted_answer": grade.extracted,
            "reference": item["answer"],
            "verdict": grade.verdict,
            "correct": grade.verdict == "correct",
            "harness_correct": other,
            "grader": grading.VERSION,
            "num_tokens": response.num_tokens,
            "finish_reason": response.finish_reason,
        }
        for request, text, grade, item, other, response in zip(
            asked, texts, grades, item_of, others, given, strict=True
        )
    ]
    return sorted(rows, key=lambda row: (row["item_id"], row["repeat"]))


def summary(rows: list[Row]) -> dict[str, Any]:
    """The metrics of one model on one benchmark; rates are in 0..1."""
    items: dict[str, list[bool]] = {}
    for row in rows:
        items.setdefault(row["item_id"], []).append(row["correct"])
    score = statistics.accuracy(list(items.values()))
    ends = Counter(row["finish_reason"] for row in rows)
    disagreeing = [row["harness_correct"] != row["correct"] for row in rows]
    has_other = rows[0]["harness_correct"] is not None
    return {
        "num_items": len(items),
        "num_samples": len(rows),
        "num_repeats": len(rows) // len(items),
        "num_correct": sum(row["correct"] for row in rows),
        "accuracy": round(score.value, 4),
        "accuracy_low": round(score.low, 4),
        "accuracy_high": round(score.high, 4),
        "truncated_rate": round(ends["length"] / len(rows), 4),
        "too_long_rate": round(ends["too_long"] / len(rows), 4),
        "no_answer_rate": round(sum(r["verdict"] == "no_answer" for r in rows) / len(rows), 4),
        "mean_num_tokens": round(sum(row["num_tokens"] for row in rows) / len(rows), 1),
        "num_harness_disagreements": sum(disagreeing) if has_other else None,
    }


def decides(model: str, deps: dict[str, str], params: dict[str, Any]) -> dict[str, Any]:
    """All that decides a response but the prompt, its seed and its limits: see generation.py."""
    facts = hardware()
    return {
        "model": deps.get(str(MODELS / model)),
        "code": deps.get("mathledger/evaluation/generation.py"),
        "settings": {k: v for k, v in params.items() if k.startswith("evaluate.")},
        "hardware": [facts["cpu"], facts.get("gpus")],
    }


def seconds_text(
    asked: list[generation.Request], responses: dict[tuple[str, int], generation.Response]
) -> str:
    """CSV of what each response took; of a batch, each response's share."""
    lines = ["item_id,repeat,seconds"]
    for each in sorted(asked, key=lambda each: (each.item_id, each.repeat)):
        if response := responses.get((each.item_id, each.repeat)):
            lines.append(f'"{each.item_id}",{each.repeat},{response.seconds:.3f}')
    return "\n".join(lines) + "\n"


def same_characters(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def spot_check(engine: generation.Engine, work: Work, stored: list[Row], number: int) -> int:
    """Generate some responses again, chosen by chance; print each that differs, return how many."""
    kept = {(row["item_id"], row["repeat"]): row for row in stored}
    chosen = random.sample(work.fitting, min(number, len(work.fitting)))
    again: list[tuple[generation.Request, generation.Response]] = []
    size = engine.num_at_once or len(chosen)
    for at in range(0, len(chosen), size):
        engine.answer(chosen[at : at + size], work.limits, again.extend)
    num_different = 0
    for request, response in sorted(again, key=lambda pair: (pair[0].item_id, pair[0].repeat)):
        row = kept.get((request.item_id, request.repeat))
        where = f"item {request.item_id}, repeat {request.repeat}"
        if row is None:
            found = "is not in the stored samples"
        elif row["prompt_sha256"] != hashlib.sha256(request.prompt.encode()).hexdigest():
            found = "was asked with another prompt"
        elif row["response"] != response.text:
            at = same_characters(row["response"], response.text)
            found = f"differs from character {at} on"
            if not work.is_private:
                found += f"\n  stored {row['response'][at : at + 60]!r}"
                found += f"\n  now    {response.text[at : at + 60]!r}"
        else:
            print(f"{where} is the same")
            continue
        num_different += 1
        print(f"{where} {found}")
    print(f"{len(chosen) - num_different} of {len(chosen)} responses are the same")
    return num_different


def quiet() -> None:
    """Without the libraries' own bars and warnings: the stage has one bar."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("lm_eval").setLevel(logging.CRITICAL)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("benchmark")
    parser.add_argument("--spot-check", type=int, metavar="N")
    options = parser.parse_args()
    item, folder = f"{options.model}-{options.benchmark}", MODELS / options.model
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    quiet()
    if options.spot_check:
        try:
            work = read_work(options.model, options.benchmark)
            stored = read_rows(OUT / item / "samples.parquet")
            engine = generation.open_engine(folder, work.tokenizer, work.settings)
            differs = spot_check(engine, work, stored, options.spot_check)
        except InputError as error:
            sys.exit(f"error: {item}: {error}")
        sys.exit(1 if differs else 0)
    with stage_run("evaluate", item, partial(decides, options.model)) as run:
        settings = params.load("evaluate", generation.Params)
        initialise_ranks(settings.launch, fills_gpus=settings.backend != "hf")
        work = read_work(options.model, options.benchmark)
        engine = generation.open_engine(folder, work.tokenizer, work.settings)
        scratch = scratch_folder(f"evaluate/{item}", run)
        found = generation.respond(engine, work.fitting, work.limits, scratch)
        if not is_main_process():
            return
        responses = {
            (request.item_id, request.repeat): response
            for request, response in zip(work.fitting, found, strict=True)
        }
        rows = samples(work.asked, responses, work.items, work.task.harness)
        write_rows(OUT / item / "samples.parquet", rows, SAMPLE)
        write_text(SECONDS / f"{item}.csv", seconds_text(work.fitting, responses))
        metrics = {
            **summary(rows),
            "batch_size": work.settings.batch_size,
            "dtype": engine.facts["dtype"],
            "backend": work.settings.backend,
            "task_version": work.task.version,
        }
        write_json(METRICS / f"{item}.json", metrics)
        run.log_metrics(metrics)
        seconds = sum(response.seconds for response in found)
        run.facts = {
            **engine.facts,
            "num_processes": work.settings.launch.num_processes,
            "generate_seconds": round(seconds, 1),
            "tokens_per_second": round(sum(e.num_tokens for e in found) / (seconds or 1), 1),
        }
        print(
            f"{item}: {metrics['num_correct']} of {len(rows)} correct, {metrics['accuracy']:.1%} "
            f"[{metrics['accuracy_low']:.1%}, {metrics['accuracy_high']:.1%}], {seconds:.0f} s"
        )


if __name__ == "__main__":
    main()
