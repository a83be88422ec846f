"""Let one model answer one benchmark through lm-evaluation-harness, and grade every response.

Reads   data/model/<model>/, data/download_benchmark/<benchmark>/; conf: evaluate, prompt,
        benchmark.<benchmark>.task
Writes  data/evaluate/<model>-<benchmark>/samples.parquet (SAMPLE)
Metrics metrics/evaluate/<model>-<benchmark>.json: accuracy, its 95% interval, what explains it

Greedy decoding in float32 gives the same responses at any batch size. Times go to lineage/, so that
the samples are the same bytes on every run.
"""

import hashlib
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic.dataclasses import dataclass

from stages import params
from stages.common import extraction, grading, prompts, statistics
from stages.common.errors import InputError
from stages.common.records import Row, read_rows, write_json, write_rows
from stages.common.tracking import stage_run

MODELS = Path("data/model")
BENCHMARKS = Path("data/download_benchmark")
OUT = Path("data/evaluate")
METRICS = Path("metrics/evaluate")

SAMPLE = pa.schema(
    [
        pa.field("item_id", pa.string()),
        pa.field("repeat", pa.int32()),
        pa.field("prompt_sha256", pa.string()),  # of the text after the chat template
        pa.field("response", pa.string()),
        pa.field("extracted_answer", pa.string()),
        pa.field("reference", pa.string()),
        pa.field("correct", pa.bool_()),
        pa.field("num_tokens", pa.int32()),  # generated, the end-of-turn token included
        pa.field("finish_reason", pa.string()),  # stop, or length: cut at max_gen_toks
    ]
)


@dataclass(frozen=True, config=params.STRICT)
class Params:
    batch_size: int
    dtype: Literal["auto", "float32", "bfloat16"]
    seed: int


@dataclass(frozen=True, config=params.STRICT)
class Task:
    """What lm-evaluation-harness calls a task: version and generation length."""

    version: int
    max_gen_toks: int


def choose_dtype(wanted: str) -> str:
    """auto: bfloat16 where an accelerator has it, else float32."""
    import torch

    if wanted != "auto":
        return wanted
    return "bfloat16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "float32"


def load_model(folder: Path, settings: Params) -> Any:
    """The harness's transformers model, which also keeps each response's length and end."""
    import torch
    from lm_eval.models.huggingface import HFLM

    class RecordingLM(HFLM):  # type: ignore[misc]
        """HFLM hands back text alone. It reports each finished response to its cache hook, in the
        order of the batch that it generated last: that joins a prompt to its tokens."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.cache_hook = self
            self.batch: list[list[int]] = []
            self.ends: dict[str, tuple[int, str]] = {}  # prompt -> num_tokens, finish_reason

        def _model_generate(self, context: Any, *arguments: Any, **options: Any) -> Any:
            output = super()._model_generate(context, *arguments, **options)
            self.batch = output[:, context.shape[1] :].tolist()
            return output

        def add_partial(self, method: str, request: tuple[str, Any], response: str) -> None:
            token_ids = self.batch.pop(0)
            if self.eot_token_id in token_ids:
                self.ends[request[0]] = token_ids.index(self.eot_token_id) + 1, "stop"
            else:
                self.ends[request[0]] = len(token_ids), "length"

    return RecordingLM(
        pretrained=str(folder),
        dtype=choose_dtype(settings.dtype),
        device="cuda" if torch.cuda.is_available() else "cpu",
        batch_size=settings.batch_size,
    )


def harness_task(name: str, items: list[Row], prompt: prompts.Params, task: Task) -> Any:
    """The benchmark as a harness task: our prompt, greedy decoding to the end of the turn."""
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask

    def rows(**_: Any) -> dict[str, Any]:
        return {"test": Dataset.from_list(items)}

    def ask(item: Row) -> str:
        return prompts.user_text(prompt, item["problem"])

    def grade(item: Row, responses: list[str]) -> dict[str, float]:
        return {
            "correct": float(
                grading.grade(responses[0], item["answer"], "expression").verdict == "correct"
            )
        }

    return ConfigurableTask(
        config={
            "task": name,
            "custom_dataset": rows,
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": ask,
            "doc_to_target": "{{answer}}",
            "process_results": grade,
            "metric_list": [{"metric": "correct", "aggregation": "mean", "higher_is_better": True}],
            "generation_kwargs": {
                "until": [],
                "do_sample": False,
                "max_gen_toks": task.max_gen_toks,
            },
        }
    )


def expect_fit(model: Any, items: list[Row], prompt: prompts.Params, max_gen_toks: int) -> None:
    """Raise InputError where prompt and response exceed the context: the harness would cut it."""
    for item in items:
        turn = {"role": "user", "content": prompts.user_text(prompt, item["problem"])}
        length = len(model.tok_encode(model.apply_chat_template([turn])))
        if length + max_gen_toks > model.max_length:
            raise InputError(
                f"item {item['id']}: {length} prompt tokens and max_gen_toks={max_gen_toks} exceed "
                f"the model's context of {model.max_length}"
            )


def samples(name: str, model: Any, task: Any, settings: Params) -> list[Row]:
    """Generate and grade: one SAMPLE for each item, sorted by item."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    results = simple_evaluate(
        model=model,
        tasks=[task],
        task_manager=TaskManager(include_defaults=False),
        apply_chat_template=True,
        bootstrap_iters=0,
        random_seed=settings.seed,
        numpy_random_seed=settings.seed,
        torch_random_seed=settings.seed,
    )
    rows = []
    for sample in results["samples"][name]:
        prompt, response = sample["arguments"][0][0], sample["resps"][0][0]
        num_tokens, finish_reason = model.ends[prompt]
        rows.append(
            {
                "item_id": sample["doc"]["id"],
                "repeat": 0,
                "prompt_sha256": hashlib.sha256(prompt.encode()).hexdigest(),
                "response": response,
                "extracted_answer": extraction.extract(response, "expression"),
                "reference": sample["doc"]["answer"],
                "correct": sample["correct"] == 1.0,
                "num_tokens": num_tokens,
                "finish_reason": finish_reason,
            }
        )
    return sorted(rows, key=lambda row: row["item_id"])


def summary(rows: list[Row]) -> dict[str, Any]:
    """The metrics of one model on one benchmark; rates are in 0..1."""
    score = statistics.accuracy([row["correct"] for row in rows])
    return {
        "num_items": len(rows),
        "num_correct": sum(row["correct"] for row in rows),
        "accuracy": round(score.value, 4),
        "accuracy_low": round(score.low, 4),
        "accuracy_high": round(score.high, 4),
        "truncated_rate": round(sum(r["finish_reason"] == "length" for r in rows) / len(rows), 4),
        "no_answer_rate": round(sum(r["extracted_answer"] is None for r in rows) / len(rows), 4),
        "mean_num_tokens": round(sum(row["num_tokens"] for row in rows) / len(rows), 1),
    }


def main() -> None:
    name, benchmark = sys.argv[1:]
    item = f"{name}-{benchmark}"
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    with stage_run("evaluate", item) as run:
        settings = params.load("evaluate", Params)
        prompt = params.load("prompt", prompts.Params)
        task = params.load(f"benchmark.{benchmark}.task", Task)
        items = read_rows(BENCHMARKS / benchmark / "items.parquet")

        import datasets
        import transformers

        datasets.disable_progress_bars()
        transformers.utils.logging.disable_progress_bar()
        logging.getLogger("lm_eval").setLevel(logging.ERROR)
        model = load_model(MODELS / name, settings)
        prompts.require_chat_template(model.tokenizer, MODELS / name)
        expect_fit(model, items, prompt, task.max_gen_toks)
        started = time.monotonic()
        rows = samples(benchmark, model, harness_task(benchmark, items, prompt, task), settings)
        seconds = time.monotonic() - started
        if {row["item_id"] for row in rows} != {row["id"] for row in items}:
            raise RuntimeError(f"the harness gave {len(rows)} samples for {len(items)} items")

        write_rows(OUT / item / "samples.parquet", rows, SAMPLE)
        metrics = {
            **summary(rows),
            "batch_size": settings.batch_size,
            "dtype": str(model.model.dtype).removeprefix("torch."),
            "task_version": task.version,
        }
        write_json(METRICS / f"{item}.json", metrics)
        run.log_metrics(metrics)
        run.facts = {
            "device": str(model.device),
            "generate_seconds": round(seconds, 1),
            "tokens_per_second": round(sum(row["num_tokens"] for row in rows) / seconds, 1),
        }
        print(
            f"{item}: {metrics['num_correct']} of {len(rows)} correct, {metrics['accuracy']:.1%} "
            f"[{metrics['accuracy_low']:.1%}, {metrics['accuracy_high']:.1%}], {seconds:.0f} s"
        )


if __name__ == "__main__":
    main()
