"""Probe whether a model can complete the second half of a problem from the first.

The model gets raw text without a chat template, and continues it greedily for as many tokens as
the rest has. This is the partial-prompt completion of Wu et al. 2025 (arXiv 2507.10532), after
Carlini et al. 2023 (arXiv 2202.07646) and Golchin and Surdeanu 2024 (arXiv 2308.08493). In float32
the result does not depend on the batch size.

We cannot use the engines of evaluation/engines: they answer a chat, share one limit among all
requests, and return text that begins after the prompt. A continuation has its own length, does not
stop at an end of turn, and must be decoded together with its prompt to keep a leading space.
"""

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
from mathledger.core.hashing import uniform
from mathledger.core.tables import Row, read_batches
from mathledger.evaluation import rouge, statistics
from mathledger.evaluation.engines.engine import choose_dtype
from mathledger.model import prompts
from mathledger.model.conversations import spells_control
from mathledger.model.loading import load_weights
from mathledger.text import canonical

COMPLETION = pa.schema(
    [
        pa.field("benchmark", pa.string()),
        pa.field("is_control", pa.bool_()),  # held-out training problem of an item's length
        pa.field("id", pa.string()),  # id of the item, or of the validation row
        pa.field("num_tokens", pa.int32()),  # length of the rest in the model's tokens
        pa.field("prompt", pa.string()),  # these three are null if the benchmark is private
        pa.field("rest", pa.string()),
        pa.field("completion", pa.string()),
        pa.field("is_verbatim", pa.bool_()),  # the completion has every canonical token of the rest
        pa.field("prefix_rate", pa.float64()),  # share of these tokens before the first difference
        pa.field("rouge_l", pa.float64()),  # F-measure of the longest common subsequence of words
    ]
)
# A control may be this many times longer or shorter than its item, because the chance to complete
# an unseen text depends on its length.
MAX_LENGTH_RATIO = 1.2
MAX_POOL = 10_000  # controls are drawn from about this many validation rows


@dataclass(frozen=True, config=STRICT)
class Params:
    max_items: int = Field(
        ge=1, description="Number of items of each benchmark, chosen by stable hash."
    )
    min_tokens: int = Field(
        ge=1,
        description=(
            "Least number of canonical tokens in a problem's second half; a shorter one could be "
            "guessed."
        ),
    )
    batch_size: int = Field(ge=1, description="Number of prompts in a batch.")
    max_gen_toks: int | None = Field(
        ge=1,
        description=(
            "Limit of tokens in the answer to a part of a problem, if it is lower than the "
            "benchmark's; null for the benchmark's."
        ),
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        description="Precision of the model; auto is bfloat16 if the accelerator has it, else "
        "float32."
    )


@plain_dataclass(frozen=True)
class Halves:
    """A problem cut in two."""

    id: str
    problem: str
    prompt: str  # first half of the problem
    num_tokens: int  # number of tokens in the rest

    @property
    def rest(self) -> str:
        return self.problem[len(self.prompt) :]


@plain_dataclass(frozen=True)
class LeftOut:
    """An item that is not probed, with the reason."""

    id: str
    reason: str  # control_token (it spells one of the model's), too_short, too_long, or max_items


@plain_dataclass(frozen=True)
class Texts:
    """The problems that the model completes for one benchmark, and the items that are left out."""

    items: list[Halves]
    controls: list[Halves]
    left_out: list[LeftOut]


@plain_dataclass(frozen=True)
class Likeness:
    """The similarity of a completion to the rest of its problem."""

    is_verbatim: bool
    prefix_rate: float
    rouge_l: float


@plain_dataclass(frozen=True)
class Rate:
    """The rate of verbatim completions in a group, and the mean similarities."""

    num: int
    num_verbatim: int
    verbatim_rate: float
    verbatim_low: float  # lower bound of the 95% interval
    verbatim_high: float
    mean_prefix_rate: float
    mean_rouge_l: float


@plain_dataclass(frozen=True)
class Summary:
    """The metrics of one benchmark."""

    items: Rate | None  # null if there are none
    controls: Rate | None
    left_out: dict[str, int]  # reason -> number of items


def halve(tokenizer: Any, name: str, problem: str) -> Halves | None:
    """Cut a problem at the first word that begins at or after the middle of its tokens.

    The space before that word belongs to the rest, as in most tokenizers.

    Returns:
        The halves, or None if no word begins in the second half.
    """
    encoded = tokenizer(problem, add_special_tokens=False, return_offsets_mapping=True)
    starts = [start for start, _ in encoded["offset_mapping"]]
    for start in starts[(len(starts) + 1) // 2 :]:
        if problem[start].isspace() or problem[start - 1].isspace():
            prompt = problem[:start].rstrip()
            given = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
            return Halves(name, problem, prompt, len(starts) - given)
    return None


def canonical_rest(halves: Halves, whole: str) -> canonical.U64:
    """Return hashes of the canonical tokens that begin after the first half of the problem.

    Tokenize the whole text, because tokens depend on the text before them.
    """
    tokens = canonical.tokenize(pa.array([whole]))
    return tokens.hashes[tokens.begins >= len(halves.prompt.encode())]


def usable(
    tokenizer: Any, problems: Iterable[tuple[str, str]], min_tokens: int, context: int
) -> tuple[list[Halves], list[LeftOut]]:
    """Halve the problems (id, text) that qualify, and return the others with the reason.

    The halves are ordered by a hash of the id, so that an item and its twin, which share an id,
    also share a place in the order.
    """
    halved, left_out = [], []
    for name, problem in sorted(problems, key=lambda each: (uniform(0, each[0]), each)):
        if spells_control(tokenizer, problem):
            left_out.append(LeftOut(name, "control_token"))
            continue
        halves = halve(tokenizer, name, problem)
        if halves is None or len(canonical_rest(halves, problem)) < min_tokens:
            left_out.append(LeftOut(name, "too_short"))
        elif len(tokenizer(problem)["input_ids"]) > context:
            left_out.append(LeftOut(name, "too_long"))
        else:
            halved.append(halves)
    return halved, left_out


def choose(
    tokenizer: Any, items: list[Row], pool: list[Halves], settings: Params, context: int
) -> Texts:
    """Choose items of a benchmark and their controls.

    Args:
        pool: held-out problems, which may serve several benchmarks as controls.
    """
    problems = [(item["id"], item["problem"]) for item in items]
    halved, left_out = usable(tokenizer, problems, settings.min_tokens, context)
    chosen, beyond = halved[: settings.max_items], halved[settings.max_items :]
    left_out += [LeftOut(each.id, "max_items") for each in beyond]
    controls = match_controls(chosen, pool)
    return Texts(chosen, controls, sorted(left_out, key=lambda each: each.id))


def match_controls(items: list[Halves], pool: list[Halves]) -> list[Halves]:
    """Match each item with the unused held-out problem of nearest length, if one is near enough.

    A model completes unseen text verbatim by chance; the chance shrinks with length.
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


def held_out_problems(validation: Path, prompt: prompts.Params) -> list[tuple[str, str]]:
    """Read the ids and problems of the first validation rows, which are sorted by a hash.

    The rows hold prompts, so the text of the prompt template is removed.
    """
    pieces = prompts.user_text(prompt, "\0").split("\0")
    problems: dict[str, str] = {}  # problem -> id of its first row
    for batch in read_batches(validation, ["id", "prompt"]):
        for row in batch.to_pylist():
            asked = row["prompt"][0]["content"]
            length = (len(asked) - sum(map(len, pieces))) // (len(pieces) - 1)
            problems.setdefault(asked[len(pieces[0]) :][:length], row["id"])
        if len(problems) >= MAX_POOL:
            break
    return [(name, problem) for problem, name in problems.items()]


def load_model(folder: Path, dtype: str) -> tuple[Any, Any]:
    """Load model and tokenizer for greedy completion.

    The folder's own settings for sampling, penalties and lengths are ignored.
    """
    import torch
    from transformers import GenerationConfig

    tokenizer = prompts.load_tokenizer(folder, padding_side="left")
    model = load_weights(folder, dtype=choose_dtype(dtype))
    model.generation_config = GenerationConfig(
        do_sample=False,
        eos_token_id=model.generation_config.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer


def complete(model: Any, tokenizer: Any, texts: list[Halves], batch_size: int) -> dict[str, str]:
    """Complete the first half of each problem with as many tokens as its rest has.

    Returns:
        A completion for each problem.
    """
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
                # Decoding without the prompt may drop a leading space of the first word.
                head, whole = (
                    tokenizer.decode(part, skip_special_tokens=True)
                    for part in (ids[:given], ids[: given + each.num_tokens])
                )
                completions[each.problem] = whole.removeprefix(head)
            bar.update(sum(each.num_tokens for each in batch))
    return completions


def measure(halves: Halves, completion: str) -> Likeness:
    """Compare a completion with the rest of its problem, in canonical tokens and by ROUGE-L."""
    rest = canonical_rest(halves, halves.problem)
    own = canonical_rest(halves, halves.prompt + completion)
    shared = min(len(rest), len(own))
    differs = np.flatnonzero(rest[:shared] != own[:shared])
    num_common = int(differs[0]) if len(differs) else shared
    rouge_l = rouge.rouge_l(halves.rest, completion)
    return Likeness(num_common == len(rest), num_common / len(rest), rouge_l)


def completion_rows(
    benchmark: str, texts: list[Halves], completions: dict[str, str], is_control: bool
) -> list[Row]:
    """Return a row of COMPLETION for each problem, sorted by id."""
    return [
        {
            "benchmark": benchmark,
            "is_control": is_control,
            "id": each.id,
            "num_tokens": each.num_tokens,
            "prompt": each.prompt,
            "rest": each.rest,
            "completion": completions[each.problem],
            **vars(measure(each, completions[each.problem])),
        }
        for each in sorted(texts, key=lambda each: each.id)
    ]


def without_text(rows: list[Row]) -> list[Row]:
    """Return the rows without their texts, which a private benchmark must not reveal."""
    return [{**row, "prompt": None, "rest": None, "completion": None} for row in rows]


def rate(rows: list[Row]) -> Rate | None:
    """Summarise some rows of COMPLETION; None if there are none."""
    if not rows:
        return None
    flags = [row["is_verbatim"] for row in rows]
    interval = statistics.accuracy(flags)
    return Rate(
        num=len(rows),
        num_verbatim=sum(flags),
        verbatim_rate=statistics.stored(interval.value),
        verbatim_low=statistics.stored(interval.low),
        verbatim_high=statistics.stored(interval.high),
        mean_prefix_rate=statistics.stored(sum(row["prefix_rate"] for row in rows) / len(rows)),
        mean_rouge_l=statistics.stored(sum(row["rouge_l"] for row in rows) / len(rows)),
    )


def summarise(rows: list[Row], left_out: list[LeftOut]) -> Summary:
    """Compute the metrics of one benchmark from its rows of COMPLETION."""
    return Summary(
        rate([row for row in rows if not row["is_control"]]),
        rate([row for row in rows if row["is_control"]]),
        dict(sorted(Counter(each.reason for each in left_out).items())),
    )


def in_words(summary: Summary) -> str:
    """Describe the metrics of one benchmark as `1 of 9 items, no controls`."""
    groups = {"items": summary.items, "controls": summary.controls}
    return ", ".join(
        f"{own.num_verbatim} of {own.num} {kind}" if own else f"no {kind}"
        for kind, own in groups.items()
    )
