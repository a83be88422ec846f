"""Make up the files of a finished pipeline that `model_card` reads, without running one.

A base and a tuned model have answered three benchmarks: `exam` (60 items with level and subject,
one response each, also judged by a harness task), `aime` (30 items, one of which is too long to
ask) and `secret` (240 items about which nothing is known). Items 0 to 9 of `exam` were in the
corpora.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from mathledger.card import statement
from mathledger.core.files import write_json, write_text
from mathledger.core.tables import BENCHMARK_ITEM, Row, write_rows
from mathledger.evaluation import part_probe, probe
from mathledger.evaluation.samples import SAMPLE
from mathledger.filters import mix
from mathledger.run.lineage import lineage_file
from tests.card.test_report import CORPORA, example, hit, write_data, write_metrics

SIZES = {"exam": 60, "aime": 30, "secret": 240}
LIMITS = {"exam": 100, "aime": 2048, "secret": 512}
SKILL = {"base": 0.25, "tuned": 0.45, "reinforced": 0.5}
SUBJECTS = ["Algebra", "Geometry", "Number theory"]
VERDICTS = ("num_overruled", "num_same", "num_different", "num_stale")
NUM_LEAKED = 10


def item(benchmark: str, number: int) -> Row:
    subsets = {"exam": {"level": str(number % 5 + 1), "subject": SUBJECTS[number % 3]}}
    return {
        "id": f"{benchmark}-{number:03}",
        "problem": "What is 2 + 2?",
        "answer": "4",
        "answer_type": "integer",
        "solution": None,
        "subsets": subsets.get(benchmark, {}),
    }


def samples(benchmark: str, model: str, num_repeats: int) -> list[Row]:
    """Return graded responses; an item is equally hard for all models, low levels are easier."""
    hardness = np.random.default_rng([*benchmark.encode()]).beta(0.6, 0.6, SIZES[benchmark])
    rng = np.random.default_rng([*f"{benchmark} {model}".encode()])
    rows = []
    for number in range(SIZES[benchmark]):
        chance = np.clip(SKILL[model] * 2 * (1 - hardness[number]) + 0.08 * (2 - number % 5), 0, 1)
        for repeat in range(num_repeats):
            is_right = bool(rng.random() < chance)
            num_tokens = min(LIMITS[benchmark], int(rng.gamma(3, LIMITS[benchmark] / 6)) + 1)
            is_cut = num_tokens == LIMITS[benchmark]
            row = {
                "item_id": f"{benchmark}-{number:03}",
                "repeat": repeat,
                "seed": 7 if num_repeats > 1 else None,
                "prompt_sha256": "0" * 64,
                "response": "...",
                "thinking": None,
                "num_thinking_tokens": None,
                "extracted_answer": "4" if is_right else str(rng.integers(5, 8)),
                "reference": "4",
                "verdict": "correct" if is_right else "wrong",
                "correct": is_right,
                "is_sure": is_right or number % 16 != 5,
                "harness_correct": is_right ^ (number == 3) if benchmark == "exam" else None,
                "grader": "1",
                "num_tokens": num_tokens,
                "finish_reason": "length" if is_cut else "stop",
            }
            if (benchmark, number) == ("aime", 29) or (is_cut and not is_right):
                row |= {"extracted_answer": None, "verdict": "no_answer", "correct": False}
            if (benchmark, number) == ("aime", 29):
                row |= {"num_tokens": 0, "finish_reason": "too_long"}
            rows.append(row)
    return rows


def write_evaluation(benchmark: str, models: list[str], num_repeats: int) -> None:
    folder = Path("data/download_benchmark") / benchmark
    items = [item(benchmark, number) for number in range(SIZES[benchmark])]
    write_rows(folder / "items.parquet", items, BENCHMARK_ITEM)
    source = {"name": f"org/{benchmark}", "revision": "0123abc", "licence": "MIT"}
    write_json(folder / "receipt.json", {**source, "items_digest": "d" * 32})
    for model in models:
        name = f"{model}-{benchmark}"
        rows = samples(benchmark, model, num_repeats)
        write_rows(Path(f"data/evaluate/{name}/samples.parquet"), rows, SAMPLE)
        facts = {"dtype": "bfloat16", "batch_size": 48, "backend": "hf", "task_version": 2}
        write_json(Path(f"metrics/evaluate/{name}.json"), facts)


def lineage(name: str, deps: dict[str, str]) -> dict[str, Any]:
    """Return what a stage records about its run.

    Args:
        name: DVC's name of the stage.
        deps: DVC's md5 by path.
    """
    stage, _, item = name.partition("@")
    return {
        "stage": stage,
        "item": item or None,
        "experiment": None,
        "git_revision": "0" * 40,
        "code_is_dirty": False,
        "deps": deps,
        "params": {},
        "mlflow_run_id": hashlib.md5(name.encode()).hexdigest(),
        "packages": {"torch": "2.13.0"},
        "hardware": {"cpu": "one"},
        "started": "2026-01-01T00:00:00+00:00",
        "seconds": 1.0,
    }


def write_project(
    settings: dict[str, Any], num_repeats: int, models: list[str] | None = None
) -> dict[str, Any]:
    """Write the files into the current folder and return the content of their params.yaml.

    Args:
        settings: The content of a params.yaml; some sections are replaced.
    """
    models = models or ["base", "tuned"]
    cell = {
        "corpus": "web",
        "source": "forum",
        "benchmark": "exam",
        "class": "same",
        "num_rows": 10,
    }
    hits: dict[str, Any] = {"num_items_checked": 330, "hits_by_class": {"same": 10, "variant": 3}}
    hits["leaks"] = {"first": "n-grams", "second": "numbers and word stems", "remaining": None}
    hits["leaks"] |= {"num_first": 3, "num_second": 2, "num_both": 2}
    hits["reviewed"] = dict.fromkeys(VERDICTS, 0) | {"stale": []}
    write_metrics(decontaminate={**hits, "contamination": [cell]}, mix={"num_validation": 7})
    row = example("r1", "What is 2 + 2?")
    leaks = [hit(row, "same", f"exam-{n:03}", "What is 2 + 2?") for n in range(NUM_LEAKED)]
    variant = hit(row, "variant", "aime-001", "What is 2 + 2?", benchmark="aime", action="kept")
    write_data([*leaks, variant], [row], [], [])
    for benchmark in SIZES:
        write_evaluation(benchmark, models, num_repeats)
    for model in models:
        unused: dict[str, Any] = {
            name: {"items": None, "controls": None, "left_out": {}, "parts": {"left_out": {}}}
            for name in SIZES
        }
        write_json(Path(f"metrics/probe/{model}.json"), unused)
        write_rows(Path(f"data/probe/{model}/completions.parquet"), [], probe.COMPLETION)
        write_rows(Path(f"data/probe/{model}/parts.parquet"), [], part_probe.PART)
    source = {"kind": "hub", "name": "org/corpus", "revision": "456def", "licence": "MIT"}
    for corpus in CORPORA:
        write_json(Path(f"data/download_corpus/{corpus}/receipt.json"), {**source, "files": {}})
    write_json(Path("data/model/base/receipt.json"), source)
    train = {"num_examples": 88, "num_trainable_parameters": 1234, "num_steps": 11}
    train |= {"effective_batch_size": 8, "num_tokens_seen": 4321, "num_too_long": 0}
    train |= {"num_sequences": 88, "num_tokens_per_epoch": 4321, "longest_row_tokens": 99}
    losses = {"first_loss": 2.5, "last_loss": 0.5}
    losses |= {"first_validation_loss": 1.5, "last_validation_loss": 0.75}
    write_json(Path("metrics/train.json"), {**train, **losses})
    turn = {"role": "user", "content": "What is 2 + 2?"}
    row = {"id": "held-out", "corpus": "web", "source": "", "repeat": 0, "answer": "4"}
    for split in ("train", "validation"):
        rows = [row | {"prompt": [turn], "completion": []}]
        write_rows(Path(f"data/mix/{split}.parquet"), rows, mix.TRAINING_ROW)
    for stage in ("train", "reinforce"):
        text = "id,step,response\nheld-out,0,What?\nheld-out,11,It is 4.\n"
        write_text(Path(f"data/{stage}/samples.csv"), text)
    write_text(Path("plots/train/loss.csv"), "step,loss,validation_loss\n1,2.5,\n2,2.0,1.5\n")
    temperature = 0.6 if num_repeats > 1 else 0.0
    content = settings | {
        "evaluated_models": models,
        "corpus": {corpus: {} for corpus in CORPORA},
        "benchmark": {
            name: {
                "source": {},
                "about": f"about {name}.",
                "task": {
                    "version": 2,
                    "max_gen_toks": limit,
                    "num_fewshot": 0,
                    "doc_to_text": settings["prompt"]["template"],
                },
            }
            for name, limit in LIMITS.items()
        },
        "evaluate": {"temperature": temperature, "top_p": 0.95, "seed": 5},
        "reinforce": {},
    }
    for stage in statement.stage_names(content):
        deps = {"data/some": "d" * 32, "stages/some.py": "c" * 32}
        if stage.startswith("evaluate@"):
            model, _, benchmark = stage.removeprefix("evaluate@").partition("-")
            deps |= {
                f"data/model/{model}": "a" * 32,
                f"data/download_benchmark/{benchmark}": "b" * 32,
            }
        write_json(lineage_file(stage), lineage(stage, deps))
    return content
