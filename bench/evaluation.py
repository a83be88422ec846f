"""Compare the evaluation stage with a bare loop over `generate`, and time the grading.

    python -m bench.evaluation SCRATCH [--items 48] [--repeats 3] [--rows NUMINAMATH_COT.parquet]

Makes a clone of the project's HEAD in SCRATCH/evaluation with the quickstart's base model (if it is
not there), then runs there, each in a process of its own and by turns:

stage     `stages.evaluate.main`, from its first line to the last response
bare      the same items and batches, the longest first, with transformers and nothing else

Tokens are those of the responses, to their end of turn. Grading is timed on those responses and,
where rows are given (columns problem and solution), on real solutions: each against its own final
answer and against another's.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from bench.measure import circumstances, clone, medians, peak_mib, run_in_clone, write_result
from mathledger.core.errors import InputError

BENCHMARK = "gsm_symbolic"
MODEL = Path("data/model/base")
BATCH = 16
NUM_GRADED = 4000


def finish(measured: dict[str, float]) -> NoReturn:
    """Hand the numbers over and end at once: what the stage does then is not compared."""
    print("RESULT " + json.dumps(measured), flush=True)
    os._exit(0)


def run_stage() -> None:
    """The stage, stopped after its last response."""
    import datasets  # noqa: F401
    import lm_eval.api.task
    import lm_eval.models.huggingface  # noqa: F401
    import torch  # noqa: F401

    from mathledger.evaluation.engines.engine import Engine, Limits, Request, Response
    from mathledger.evaluation.responses import respond
    from stages import evaluate

    started = time.monotonic()

    def timed(
        engine: Engine,
        requests: list[Request],
        limits: Limits,
        folder: Path,
    ) -> list[Response]:
        ready = time.monotonic()
        found = respond(engine, requests, limits, folder)
        finish(
            {
                "ready_seconds": ready - started,
                "seconds": time.monotonic() - ready,
                "tokens": sum(each.num_tokens for each in found),
                "peak_mib": peak_mib(),
            }
        )

    vars(evaluate)["respond"] = timed  # the name by which the stage calls it
    sys.argv = ["stages.evaluate", "base", BENCHMARK]
    evaluate.main()


def run_bare() -> None:
    """What one writes with transformers alone, for the same items."""
    import pyarrow.parquet as pq
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained  # noqa: B018  its modules are imported on first use
    started = time.monotonic()
    items = pq.read_table(f"data/download_benchmark/{BENCHMARK}/items.parquet").to_pylist()
    tokenizer = AutoTokenizer.from_pretrained(MODEL, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    text = "{problem}\nWork step by step and put the final answer in \\boxed{{}}."
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": text.format(problem=item["problem"])}],
            tokenize=False,
            add_generation_prompt=True,
        )
        for item in items
    ]
    prompts.sort(key=lambda prompt: -len(tokenizer(prompt)["input_ids"]))
    ready, num_tokens = time.monotonic(), 0
    responses = []
    for at in range(0, len(prompts), BATCH):
        batch = tokenizer(prompts[at : at + BATCH], padding=True, return_tensors="pt")
        with torch.inference_mode():
            output = model.generate(**batch, max_new_tokens=160, do_sample=False)
        for row in output[:, batch["input_ids"].shape[1] :].tolist():
            end = tokenizer.eos_token_id
            num_tokens += row.index(end) + 1 if end in row else len(row)
            responses.append(tokenizer.decode(row, skip_special_tokens=True))
    finish(
        {
            "ready_seconds": ready - started,
            "seconds": time.monotonic() - ready,
            "tokens": num_tokens,
            "peak_mib": peak_mib(),
        }
    )


def grading_speed(rows: Path) -> dict[str, float]:
    """Answers graded a second: solutions against their own answer and another's, half and half."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from mathledger.grading.judges import Judges
    from mathledger.grading.solutions import final_answers

    solutions = pq.read_table(rows, columns=["solution"])["solution"].combine_chunks()
    answers = final_answers(solutions)
    stated = pc.is_valid(answers)
    texts = solutions.filter(stated).slice(0, NUM_GRADED // 2).to_pylist()
    gold = answers.filter(stated).slice(0, NUM_GRADED // 2).to_pylist()
    work = [(text, own, "expression") for text, own in zip(texts, gold, strict=True)]
    others = [*gold[1:], gold[0]]
    work += [(text, other, "expression") for text, other in zip(texts, others, strict=True)]
    started = time.monotonic()
    with Judges(5) as judges:
        grades = judges.grade(work)
    seconds = time.monotonic() - started
    right = [grade.verdict == "correct" for grade in grades]
    half = len(texts)
    return {
        "num_answers": len(work),
        "answers_per_second": len(work) / seconds,
        "own_rate": sum(right[:half]) / half,
        "other_rate": sum(right[half:]) / half,
    }


def table(result: dict[str, Any]) -> str:
    """Ratios of the stage to the bare loop; grading."""
    stage, bare = result["stage"], result["bare"]
    lines = [
        "| | tokens/s | peak memory, MiB | seconds from imports to the first prompt |",
        "|---|---:|---:|---:|",
        *(
            f"| {name} | {each['tokens_per_second']:.1f} | {each['peak_mib']:.0f} | "
            f"{each['ready_seconds']:.1f} |"
            for name, each in (("stage", stage), ("bare loop", bare))
        ),
        f"| ratio, difference | {result['speed_ratio']:.3f} | {result['memory_ratio']:.3f} | "
        f"{stage['ready_seconds'] - bare['ready_seconds']:+.1f} |",
        "",
        f"{result['num_items']} items of {BENCHMARK}, batch size {BATCH}, medians of "
        f"{result['repeats']} runs by turns.",
    ]
    if graded := result["grading"]:
        lines[-1] += (
            f" Grading: {graded['answers_per_second']:.0f} answers a second, processes started "
            f"included, on {graded['num_answers']:,.0f} pairs of a solution and an answer (its own "
            f"answer: {graded['own_rate']:.1%} called correct; another row's: "
            f"{graded['other_rate']:.1%}, some of them equal)."
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--items", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=Path)
    options = parser.parse_args()
    try:
        where = circumstances()
        folder = clone(
            options.scratch.resolve() / "evaluation",
            [
                f"benchmark.{BENCHMARK}.source.num_items={options.items}",
                f"evaluate.batch_size={BATCH}",
            ],
            ["download_model", f"download_benchmark@{BENCHMARK}"],
        )
        runs: dict[str, list[dict[str, float]]] = {"stage": [], "bare": []}
        for _ in range(options.repeats):
            for name, found in runs.items():
                found.append(run_in_clone(folder, "bench.evaluation", name))
        graded = grading_speed(options.rows) if options.rows else {}
    except InputError as error:
        sys.exit(f"error: {error}")
    stage, bare = medians(runs["stage"]), medians(runs["bare"])
    result = {
        "benchmark": "evaluation",
        "num_items": options.items,
        "repeats": options.repeats,
        "stage": stage,
        "bare": bare,
        "speed_ratio": stage["tokens_per_second"] / bare["tokens_per_second"],
        "memory_ratio": stage["peak_mib"] / bare["peak_mib"],
        "grading": graded,
        **where,
    }
    write_result("evaluation", result)
    print(table(result))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["stage"]:
            run_stage()
        case ["bare"]:
            run_bare()
        case _:
            main()
