"""What the seed recipe takes on one node of 8 H100s: hours, memory, storage, money; by arithmetic.

    python -m bench.cost [HUB]

Nothing of it was run. What goes in:

- the recipe, compiled from conf/ with OVERRIDES, which are those of the jobs in jobs/;
- the model's shape, SHAPE; `mathledger plan` reads it from the hub, and has the same count of
  operations and memory (mathledger/plan/);
- lengths and bytes of rows: of samples of the corpora in HUB, a folder laid out as the hub is
  (HUB/datasets/AI-MO/NuminaMath-CoT/...), in tokens of data/model/base; without HUB those measured
  last, bench/results/cost.json;
- the data stages' speed as it was measured: bench/results/pipeline-*.json, evaluation.json;
- CASES, which are assumptions.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from omegaconf import OmegaConf

from bench.measure import RESULTS, circumstances, write_result
from mathledger.card.outputs import Outputs
from mathledger.core import configuration
from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.model import prompts
from mathledger.plan.estimate import GPUS
from mathledger.plan.memory import memory
from mathledger.plan.size import Size, flops_per_token, size_of
from mathledger.run.compose import compose
from mathledger.training import sft

OVERRIDES = [
    "experiment=deepseek_math_7b",
    "train/launch=fsdp2",
    "train.per_device_train_batch_size=4",
    "train.gradient_accumulation_steps=1",
    "evaluate=sampled",
    "train/launch@evaluate.launch=ddp",
]
PIN = ["model.source.revision=" + "0" * 40, "model.source.files={config.json: null}"]  # any
# Of deepseek-ai/deepseek-math-7b-rl, from its config.json.
SHAPE = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 30,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 102400,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}
GPU = "H100-80GB"
NVLINK = 450e9  # bytes a second from a GPU to the others: half of what its data sheet sums up
OPENMATHINSTRUCT2_WHOLE = 13_972_791  # rows of its split train; the recipe takes 1,000,000
DOLLARS_A_GB_MONTH = 0.023  # of object storage
NUM_STEPS_SAMPLED = 1000

Lengths = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """What is assumed: nobody has measured it for this recipe."""

    utilisation: float  # MFU of training
    tokens_per_second: float  # generated, by one GPU
    dollars: float  # a GPU hour
    whole_length: bool  # rows of max_length, responses up to their limit: the upper bound


CASES = {
    "low": Case(0.5, 5000, 2.0, whole_length=False),
    "assumed": Case(0.4, 1000, 3.0, whole_length=False),
    "high": Case(0.2, 500, 5.0, whole_length=True),
}


@dataclass(frozen=True)
class Recipe:
    content: dict[str, Any]  # params.yaml
    settings: sft.Params
    size: Size

    @property
    def batch(self) -> int:
        rows = self.settings.per_device_train_batch_size * self.settings.gradient_accumulation_steps
        return rows * self.settings.launch.num_processes

    @property
    def num_rows(self) -> dict[str, int]:
        return {name: each["source"]["num_rows"] for name, each in self.content["corpus"].items()}

    def row_tokens(self, measured: dict[str, Any]) -> float:
        """Of a row of the mix on average: all rows of the corpora."""
        means = {name: each["mean_tokens"] for name, each in measured["corpora"].items()}
        total = sum(num * means[name] for name, num in self.num_rows.items())
        return float(total / sum(self.num_rows.values()))


def recipe() -> Recipe:
    from transformers import LlamaConfig

    content: Any = OmegaConf.to_container(OmegaConf.create(compose(OVERRIDES + PIN)))
    settings = configuration.check("train", content["train"], sft.Params)
    return Recipe(content, settings, size_of(LlamaConfig(**SHAPE), settings.lora))


# --- Measured -------------------------------------------------------------------------------------


def measure(hub: Path, of: Recipe) -> dict[str, Any]:
    """Tokens and bytes of the corpora's rows, and the longest row of a step, in samples."""
    corpora, lengths, limit = {}, {}, of.settings.max_length
    for name, corpus in of.content["corpus"].items():
        files = sorted((hub / "datasets" / corpus["source"]["repo"]).rglob("*.parquet"))
        if not files:
            raise InputError(f"{hub} has no parquet file of {corpus['source']['repo']}")
        found = lengths_of(files, corpus["mapping"], of.content["prompt"])
        lengths[name] = found[found <= limit]
        corpora[name] = {
            "num_sampled": len(found),
            "mean_tokens": round(float(lengths[name].mean()), 1),
            "num_too_long": int((found > limit).sum()),
            "bytes_a_row": round(sum(file.stat().st_size for file in files) / len(found), 1),
        }
    step = longest_of_a_step(lengths, of.num_rows, of.batch)
    return {"corpora": corpora, "step_tokens": step}


def lengths_of(files: list[Path], mapping: dict[str, str], prompt: dict[str, Any]) -> Lengths:
    """Tokens of every row, as the stage `train` makes them."""
    tokenizer, found = prompts.load_tokenizer(Outputs(Path()).model("base")), []
    for file in files:
        table = pq.read_table(file, columns=[mapping["problem"], mapping["solution"]])
        for batch in table.to_batches(max_chunksize=2000):
            texts = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            rows = [
                prompts.training_row(prompts.Params(**prompt), problem, solution)
                for problem, solution in texts
            ]
            columns = {key: [row[key] for row in rows] for key in ("prompt", "completion")}
            tokens = sft.tokenise({"id": [""] * len(rows), **columns}, tokenizer)
            found += tokens["length"]
    return np.array(found)


def longest_of_a_step(lengths: dict[str, Lengths], num_rows: dict[str, int], batch: int) -> float:
    """The mean over steps in the trainer's order: all processes wait for the one that has it."""
    import torch
    from transformers.trainer_pt_utils import get_length_grouped_indices

    random, total = np.random.default_rng(0), sum(num_rows.values())
    wanted = NUM_STEPS_SAMPLED * batch
    drawn = np.concatenate(
        [random.choice(of, round(wanted * num_rows[name] / total)) for name, of in lengths.items()]
    )
    order = get_length_grouped_indices(
        drawn.tolist(), batch, generator=torch.Generator().manual_seed(0)
    )
    steps = drawn[order][: len(drawn) // batch * batch].reshape(-1, batch)
    return round(float(steps.max(axis=1).mean()), 1)


# --- Counted --------------------------------------------------------------------------------------


def evaluation(of: Recipe, case: Case, row_tokens: float) -> tuple[int, float]:
    """Responses of all models, and their tokens: up to the limit, or as long as training rows."""
    responses, tokens = 0, 0.0
    for benchmark in of.content["benchmark"].values():
        task, source = benchmark["task"], benchmark["source"]
        items = benchmark["mapping"]["max_items"] or source.get("num_rows") or source["num_items"]
        repeats = task["repeats"] if of.content["evaluate"]["temperature"] else 1
        num, limit = items * repeats * len(of.content["evaluated_models"]), task["max_gen_toks"]
        responses += num
        tokens += num * (limit if case.whole_length else min(limit, row_tokens))
    return responses, tokens


def hours_table(of: Recipe, measured: dict[str, Any]) -> list[str]:
    """Tokens, hours, GPU hours and money in each case."""
    num_gpus, (_, peak) = of.settings.launch.num_processes, GPUS[GPU]
    num_steps, num_models = of.settings.max_steps or 0, len(of.content["evaluated_models"])
    # Of each step: bf16 weights gathered forward and backward, float32 gradients scattered.
    moving = (num_gpus - 1) / num_gpus * (2 * 2 + 4) * of.size.total / NVLINK
    columns: list[list[str]] = []
    for case in CASES.values():
        length = of.settings.max_length if case.whole_length else measured["step_tokens"]
        tokens = num_steps * of.batch * length
        flops = tokens * flops_per_token(of.size, length, lora=False)
        training = flops / (num_gpus * peak * case.utilisation)
        responses, generated = evaluation(of, case, of.row_tokens(measured))
        answering = generated / (num_gpus * case.tokens_per_second)
        gpu_hours = num_gpus * (training + answering) / 3600
        columns.append(
            [
                f"{case.utilisation:.0%}",
                f"{case.tokens_per_second:,.0f}",
                f"{case.dollars:.0f}",
                f"{length:,.0f}",
                f"{tokens / 1e6:,.0f} million",
                f"{training / num_steps:.2f} s",
                f"{training / 3600:.2f} h",
                f"{responses:,}",
                f"{generated / 1e6:.1f} million",
                f"{answering / 3600:.2f} h",
                f"**{gpu_hours:.1f}**",
                f"**{gpu_hours * case.dollars:,.0f}**",
            ]
        )
    names = [
        "*assumed:* share of the peak that training reaches (MFU)",
        "*assumed:* tokens a second that a GPU generates",
        "*assumed:* dollars a GPU hour",
        "tokens of a training row, padded to the longest of its step",
        f"training: tokens of {num_steps:,} steps of {of.batch} rows",
        f"a step; moving weights and gradients takes at least {moving:.2f} s of it",
        f"training on {num_gpus} GPUs",
        f"evaluation: responses of {num_models} models",
        "evaluation: their tokens",
        f"evaluation on {num_gpus} GPUs",
        "GPU hours",
        "dollars",
    ]
    return [
        f"| | {' | '.join(CASES)} |",
        "|---|" + "---:|" * len(CASES),
        *(f"| {' | '.join(row)} |" for row in zip(names, *columns, strict=True)),
    ]


def memory_table(of: Recipe) -> list[str]:
    """GiB of each GPU, at rows of max_length."""
    tokens = of.settings.per_device_train_batch_size * of.settings.max_length
    parts = memory(of.settings, of.size, tokens, on_gpu=True)
    return [
        f"| memory of a GPU, of {GPUS[GPU][0]} GiB | GiB |",
        "|---|---:|",
        *(f"| {name} | {value:.1f} |" for name, value in parts.items()),
        f"| all | {sum(parts.values()):.1f} |",
    ]


def storage_table(of: Recipe, measured: dict[str, Any]) -> list[str]:
    """GB = 1e9 bytes, by where it lies."""
    bytes_a_row = {name: each["bytes_a_row"] for name, each in measured["corpora"].items()}
    texts = sum(num * bytes_a_row[name] for name, num in of.num_rows.items())
    tokens = sum(of.num_rows.values()) * of.row_tokens(measured)
    shared = {
        "base model, bf16 as published": 2 * of.size.total,
        "tuned model, float32": 4 * of.size.total,
        "texts: raw, prepare, deduplicate, decontaminate, mix": 5 * texts,
    }
    scratch = {
        "two checkpoints: weights and AdamW's moments, float32": 2 * 12 * of.size.total,
        "a third while it is written": 12 * of.size.total,
        "the rows' tokens, 12 bytes each": 12 * tokens,
    }
    kept = sum(shared.values()) / 1e9
    disk, month = 2 * kept + sum(scratch.values()) / 1e9, kept * DOLLARS_A_GB_MONTH
    places = {"workspace, cache, remote": shared, "`.scratch/`": scratch}
    return [
        "| storage | GB | where |",
        "|---|---:|---|",
        *(
            f"| {name} | {each / 1e9:.0f} | {place} |"
            for place, parts in places.items()
            for name, each in parts.items()
        ),
        f"| all on the node's disk | **{disk:.0f}** | |",
        f"| all in the remote, {month:.1f} dollars a month | **{kept:.0f}** | |",
    ]


def data_table(of: Recipe) -> list[str]:
    """The data stages on two cores, from the next larger size that was measured."""
    results = sorted(
        (read_json(path) for path in RESULTS.glob("pipeline-*.json")),
        key=lambda result: result["num_rows"],
    )
    rate = read_json(RESULTS / "evaluation.json")["grading"]["answers_per_second"]
    lines = [
        "| data stages on two cores | rows | minutes | with every answer compared | memory |",
        "|---|---:|---:|---:|---:|",
    ]
    for label, with_answers in (
        ("the recipe", of.num_rows["openmathinstruct2"]),
        ("OpenMathInstruct-2 whole", OPENMATHINSTRUCT2_WHOLE),
    ):
        num = of.num_rows["numinamath_cot"] + with_answers
        like = next(result for result in results if result["num_rows"] >= num)
        minutes = num * like["seconds"] / like["num_rows"] / 60
        lines.append(
            f"| {label} | {num:,} | {minutes:.0f} | {minutes + with_answers / rate / 60:.0f} | "
            f"{like['peak_rss_mb'] / 1000:.1f} GB |"
        )
    return lines


def table(result: dict[str, Any]) -> str:
    """All of it as Markdown."""
    of = recipe()
    sampled = "; ".join(
        f"{name}, {each['num_sampled']:,} rows, {each['mean_tokens']:.0f} tokens on average, "
        f"{each['num_too_long']} longer than the limit"
        for name, each in result["corpora"].items()
    )
    parts = [
        hours_table(of, result),
        memory_table(of),
        storage_table(of, result),
        data_table(of),
        [f"Lengths, measured in samples: {sampled}."],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("hub", type=Path, nargs="?")
    hub = parser.parse_args().hub
    if hub:
        write_result("cost", {**circumstances(), **measure(hub, recipe())})
    print(table(read_json(RESULTS / "cost.json")))


if __name__ == "__main__":
    main()
