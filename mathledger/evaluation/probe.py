"""Give one model the first half of each benchmark problem, and see whether it knows the rest.

Reads   data/model/<model>/, data/download_benchmark/, data/mix/validation.parquet;
        conf: probe, prompt, benchmark (the names)
Writes  data/probe/<model>/completions.parquet (COMPLETION), left_out.json (items and reasons)
Metrics metrics/probe/<model>.json: of each benchmark how many problems were continued verbatim,
        with its 95% interval, beside texts that were held out from training

The model gets raw text, no chat template, and continues it greedily for as many tokens as the rest
has: the partial-prompt completion of Wu et al. 2025 (arXiv 2507.10532), after Carlini et al. 2023
(arXiv 2202.07646) and Golchin and Surdeanu 2024 (arXiv 2308.08493). In float32 the result does not
depend on the batch size. Of a private benchmark numbers are kept, no text.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field
from pydantic.dataclasses import dataclass
from tqdm import tqdm  # type: ignore[import-untyped]

from mathledger.core.configuration import STRICT
from mathledger.core.files import read_json, write_json
from mathledger.core.hashing import uniform
from mathledger.core.tables import Row, read_batches, read_rows, write_rows
from mathledger.evaluation import generation, statistics
from mathledger.model import prompts
from mathledger.run import params
from mathledger.run.tracking import stage_run
from mathledger.text import canonical

MODELS = Path("data/model")
BENCHMARKS = Path("data/download_benchmark")
VALIDATION = Path("data/mix/validation.parquet")
OUT = Path("data/probe")
METRICS = Path("metrics/probe")

COMPLETION = pa.schema(
    [
        pa.field("benchmark", pa.string()),
        pa.field("is_control", pa.bool_()),  # a held-out training problem, of an item's length
        pa.field("id", pa.string()),  # of the item, or of the validation row
        pa.field("num_tokens", pa.int32()),  # of the rest, by the model's tokenizer
        pa.field("prompt", pa.string()),  # these three null where the benchmark is private
        pa.field("rest", pa.string()),
        pa.field("completion", pa.string()),
        pa.field("is_verbatim", pa.bool_()),  # all canonical tokens of the rest
        pa.field("prefix_rate", pa.float64()),  # of them, those before the first that differs
        pa.field("rouge_l", pa.float64()),  # F-measure of the longest common subsequence of words
    ]
)
# An item's control may be this much shorter or longer. Length decides what is continued by chance.
MAX_LENGTH_RATIO = 1.2
MAX_POOL = 10_000  # validation rows that controls are looked for in, about


@dataclass(frozen=True, config=STRICT)
class Params:
    max_items: int = Field(ge=1, description="Items of each benchmark, chosen by stable hash.")
    min_tokens: int = Field(
        ge=1,
        description="Canonical tokens of a problem's second half; a shorter rest could be guessed.",
    )
    batch_size: int = Field(ge=1, description="Prompts at a time.")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        description="auto: bfloat16 if the accelerator has it, else float32."
    )


@plain_dataclass(frozen=True)
class Halves:
    id: str
    problem: str
    prompt: str  # the problem's first half
    num_tokens: int  # of its rest

    @property
    def rest(self) -> str:
        return self.problem[len(self.prompt) :]


def halve(tokenizer: Any, name: str, problem: str) -> Halves | None:
    """A problem cut where the first word begins that is not before the middle of its tokens; None
    where no word begins there. The space before that word is the rest's, as in most tokenizers."""
    encoded = tokenizer(problem, add_special_tokens=False, return_offsets_mapping=True)
    starts = [start for start, _ in encoded["offset_mapping"]]
    for start in starts[(len(starts) + 1) // 2 :]:
        if problem[start].isspace() or problem[start - 1].isspace():
            prompt = problem[:start].rstrip()
            given = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
            return Halves(name, problem, prompt, len(starts) - given)
    return None


def canonical_rest(halves: Halves, whole: str) -> canonical.U64:
    """Hashes of the canonical tokens of a text that begin behind the first half of the problem.

    The text is read whole, since what a token is depends on what stands before it.
    """
    tokens = canonical.tokenize(pa.array([whole]))
    return tokens.hashes[tokens.begins >= len(halves.prompt.encode())]


def usable(
    tokenizer: Any, problems: Iterable[tuple[str, str]], min_tokens: int, context: int
) -> tuple[list[Halves], list[Row]]:
    """Problems (id, text), halved, in the order of a hash of the id; and those that cannot be used,
    with the reason. An item and its twin have one id, and so one place in the order."""
    found, left_out = [], []
    for name, problem in sorted(problems, key=lambda each: (uniform(0, each[0]), each)):
        halves = halve(tokenizer, name, problem)
        reason = None
        if halves is None or len(canonical_rest(halves, problem)) < min_tokens:
            reason = "too_short"
        elif len(tokenizer(problem)["input_ids"]) > context:
            reason = "too_long"
        if halves and not reason:
            found.append(halves)
        else:
            left_out.append({"id": name, "reason": reason})
    return found, left_out


def match_controls(items: list[Halves], pool: list[Halves]) -> list[Halves]:
    """For each item the held-out text of nearest length, each used once; none where none is near.

    Text that was never seen is continued verbatim by chance, and less often the longer it is.
    """
    lengths = np.array([each.num_tokens for each in pool], dtype=float)
    chosen = []
    for item in items:
        ratios = np.maximum(lengths, item.num_tokens) / np.minimum(lengths, item.num_tokens)
        if len(pool) and ratios.min() <= MAX_LENGTH_RATIO:
            nearest = int(ratios.argmin())
            chosen.append(pool[nearest])
            lengths[nearest] = np.inf
    return chosen


def held_out_problems(prompt: prompts.Params) -> list[tuple[str, str]]:
    """Id and problem of the first validation rows; their order is that of a hash. The prompt's
    template is taken off again."""
    pieces = prompts.user_text(prompt, "\0").split("\0")
    problems: dict[str, str] = {}  # problem -> id of its first row
    for batch in read_batches(VALIDATION, ["id", "prompt"]):
        for row in batch.to_pylist():
            asked = row["prompt"][0]["content"]
            length = (len(asked) - sum(map(len, pieces))) // (len(pieces) - 1)
            problems.setdefault(asked[len(pieces[0]) :][:length], row["id"])
        if len(problems) >= MAX_POOL:
            break
    return [(name, problem) for problem, name in problems.items()]


def load_model(folder: Path, dtype: str) -> tuple[Any, Any]:
    """Model and tokenizer for greedy continuation: nothing that the folder says of sampling,
    penalties or lengths is left."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    prompts.require_chat_template(tokenizer, folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=generation.choose_dtype(dtype))
    model.generation_config = GenerationConfig(
        do_sample=False,
        eos_token_id=model.generation_config.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer


def complete(model: Any, tokenizer: Any, texts: list[Halves], batch_size: int) -> dict[str, str]:
    """Problem -> the greedy continuation of its first half, as long as its rest in tokens."""
    import torch

    distinct = {each.problem: each for each in texts}.values()
    order = sorted(distinct, key=lambda each: (-len(each.prompt), -each.num_tokens, each.problem))
    completions = {}
    with (
        torch.inference_mode(),
        tqdm(total=sum(each.num_tokens for each in order), unit=" tokens", disable=None) as bar,
    ):
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            inputs = tokenizer([each.prompt for each in batch], padding=True, return_tensors="pt")
            inputs = {key: inputs[key].to(model.device) for key in ("input_ids", "attention_mask")}
            longest = max(each.num_tokens for each in batch)
            given = inputs["input_ids"].shape[1]
            output = model.generate(**inputs, max_new_tokens=longest).tolist()
            for each, ids in zip(batch, output, strict=True):
                # With its prompt, for a word's leading space may be lost where a text begins.
                head, whole = (
                    tokenizer.decode(part, skip_special_tokens=True)
                    for part in (ids[:given], ids[: given + each.num_tokens])
                )
                completions[each.problem] = whole.removeprefix(head)
            bar.update(sum(each.num_tokens for each in batch))
    return completions


def measure(halves: Halves, completion: str, scorer: Any) -> dict[str, Any]:
    """How much of the rest a continuation has, in canonical tokens, and its ROUGE-L."""
    rest = canonical_rest(halves, halves.problem)
    own = canonical_rest(halves, halves.prompt + completion)
    shared = min(len(rest), len(own))
    differs = np.flatnonzero(rest[:shared] != own[:shared])
    num_common = int(differs[0]) if len(differs) else shared
    return {
        "is_verbatim": num_common == len(rest),
        "prefix_rate": num_common / len(rest),
        "rouge_l": float(scorer.score(halves.rest, completion)["rougeL"].fmeasure),
    }


def completion_rows(
    benchmark: str, texts: list[Halves], completions: dict[str, str], is_control: bool, scorer: Any
) -> list[Row]:
    """What became of each text: rows of COMPLETION."""
    return [
        {
            "benchmark": benchmark,
            "is_control": is_control,
            "id": each.id,
            "num_tokens": each.num_tokens,
            "prompt": each.prompt,
            "rest": each.rest,
            "completion": completions[each.problem],
            **measure(each, completions[each.problem], scorer),
        }
        for each in sorted(texts, key=lambda each: each.id)
    ]


def rate(rows: list[Row]) -> dict[str, Any] | None:
    """Of some completions how many are verbatim, and how near the others come; null for none."""
    if not rows:
        return None
    flags = [row["is_verbatim"] for row in rows]
    interval = statistics.accuracy(flags)
    return {
        "num": len(rows),
        "num_verbatim": sum(flags),
        "verbatim_rate": round(interval.value, 4),
        "verbatim_low": round(interval.low, 4),
        "verbatim_high": round(interval.high, 4),
        "mean_prefix_rate": round(sum(row["prefix_rate"] for row in rows) / len(rows), 4),
        "mean_rouge_l": round(sum(row["rouge_l"] for row in rows) / len(rows), 4),
    }


def summary(rows: list[Row], left_out: list[Row]) -> dict[str, Any]:
    """The metrics of one benchmark."""
    return {
        "items": rate([row for row in rows if not row["is_control"]]),
        "controls": rate([row for row in rows if row["is_control"]]),
        "left_out": dict(sorted(Counter(row["reason"] for row in left_out).items())),
    }


def main() -> None:
    (name,) = sys.argv[1:]
    with stage_run("probe", name) as run:
        settings = params.load("probe", Params)
        prompt = params.load("prompt", prompts.Params)
        benchmarks = list(params.read()["benchmark"])

        import transformers
        from rouge_score.rouge_scorer import RougeScorer

        transformers.utils.logging.disable_progress_bar()
        model, tokenizer = load_model(MODELS / name, settings.dtype)
        context = model.config.max_position_embeddings
        pool, _ = usable(tokenizer, held_out_problems(prompt), settings.min_tokens, context)
        items, controls, left_out = {}, {}, {}
        for benchmark in benchmarks:
            rows = read_rows(BENCHMARKS / benchmark / "items.parquet")
            problems = [(row["id"], row["problem"]) for row in rows]
            found, unused = usable(tokenizer, problems, settings.min_tokens, context)
            items[benchmark], beyond = found[: settings.max_items], found[settings.max_items :]
            controls[benchmark] = match_controls(items[benchmark], pool)
            unused += [{"id": each.id, "reason": "max_items"} for each in beyond]
            left_out[benchmark] = sorted(unused, key=lambda row: str(row["id"]))

        texts = [each for part in (items, controls) for own in part.values() for each in own]
        completions = complete(model, tokenizer, texts, settings.batch_size)
        scorer = RougeScorer(["rougeL"])
        everything, metrics = [], {}
        for benchmark in sorted(benchmarks):
            rows = completion_rows(benchmark, items[benchmark], completions, False, scorer)
            if read_json(BENCHMARKS / benchmark / "receipt.json")["private"]:
                rows = [{**row, "prompt": None, "rest": None, "completion": None} for row in rows]
            rows += completion_rows(benchmark, controls[benchmark], completions, True, scorer)
            metrics[benchmark] = summary(rows, left_out[benchmark])
            everything += rows
        write_rows(OUT / name / "completions.parquet", everything, COMPLETION)
        write_json(OUT / name / "left_out.json", left_out)
        write_json(METRICS / f"{name}.json", metrics)
        run.log_metrics(metrics)
        run.facts = {"device": str(model.device), "dtype": str(model.dtype).split(".")[-1]}
        for benchmark, measured in metrics.items():
            shown = [
                f"{part['num_verbatim']} of {part['num']} {kind}" if part else f"no {kind}"
                for kind, part in (("items", measured["items"]), ("controls", measured["controls"]))
            ]
            print(f"{name} continues {', '.join(shown)} of {benchmark} verbatim")


if __name__ == "__main__":
    main()
