"""Probe whether a model answers a problem after seeing only part of it.

The model is asked as in the evaluation: through its chat template, with the benchmark's prompt, by
the engine and the settings of `evaluate`, one response to each part. The benchmark's judge grades
the response against the answer to the whole problem. A part seldom determines the answer, so a
model that often gives it has learned it with the problem.

Wu et al. 2025 (arXiv 2507.10532) measure this as the answer accuracy of partial prompts. The probe
needs no training data, and finds a model that learned answers alone, which the completion probe
cannot (evaluation/probe.py).
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from mathledger.core.files import read_json
from mathledger.core.hashing import uniform
from mathledger.core.tables import Row
from mathledger.evaluation import harness, questions
from mathledger.evaluation.apart import thinking_apart
from mathledger.evaluation.engines.engine import Engine, Limits, Request
from mathledger.evaluation.parts import CUTS, LABELS, PARTS, Part, Right, right
from mathledger.evaluation.probe import LeftOut, Params
from mathledger.evaluation.responses import respond
from mathledger.evaluation.samples import SAMPLE, Responses, grade_responses
from mathledger.evaluation.settings import Params as Evaluation
from mathledger.model.conversations import spells_control
from mathledger.text import canonical

# These columns are null if the benchmark is private.
TEXTS = ("shown", "response", "thinking", "extracted_answer", "reference")
GRADED = (
    *("prompt_sha256", "seed", "response", "thinking", "extracted_answer", "reference"),
    *("verdict", "correct", "is_sure", "num_tokens", "num_thinking_tokens", "finish_reason"),
)
PART = pa.schema(
    [
        pa.field("benchmark", pa.string()),
        pa.field("part", pa.string()),  # one of PARTS
        pa.field("id", pa.string()),  # id of the item
        pa.field("shown", pa.string()),  # the part of the problem that the model was asked
        *(SAMPLE.field(name) for name in GRADED),
    ]
)


@dataclass(frozen=True)
class Cut:
    """A problem with the parts of it that the model is shown."""

    id: str
    shown: dict[Part, str]


@dataclass(frozen=True)
class Choice:
    """The items of a benchmark that are asked in parts, and those that are left out."""

    cuts: list[Cut]
    left_out: list[LeftOut]


@dataclass(frozen=True)
class Asked:
    """The parts of a benchmark's problems as items, whose ids name the part, and the requests."""

    parts: list[Row]
    requests: list[Request]
    fitting: list[Request]  # the requests that fit the model's context
    limits: Limits
    left_out: list[LeftOut]
    tokenizer: Any  # None if only the model's server is known


@dataclass(frozen=True)
class Summary:
    """The metrics of one benchmark; a part is null if no item is asked."""

    first_half: Right | None
    first_30: Right | None
    last_half: Right | None
    left_out: dict[str, int]  # reason -> number of items


def cut(name: str, problem: str, min_tokens: int) -> Cut | None:
    """Cut a problem into its parts, each before a word; they are the same for every model.

    Returns:
        The parts, or None if one of them withholds fewer than min_tokens canonical tokens.
    """
    begins = canonical.tokenize(pa.array([problem])).begins
    starts = [word.start() for word in re.finditer(r"\S+", problem)]
    shown: dict[Part, str] = {}
    for part in PARTS:
        number = -(-len(starts) * CUTS[part] // 100)
        if not 0 < number < len(starts):
            return None
        start, is_last = starts[number], part == "last_half"
        at = len(problem[:start].encode())
        if int((begins < at if is_last else begins >= at).sum()) < min_tokens:
            return None
        shown[part] = problem[start:] if is_last else problem[:start].rstrip()
    return Cut(name, shown)


def choose(tokenizer: Any, items: Iterable[Row], settings: Params) -> Choice:
    """Choose items in the order of a hash of the id, which an item and its twin share.

    Args:
        tokenizer: the model's, or None if only its server is known.
    """
    cuts: list[Cut] = []
    left_out: list[LeftOut] = []
    for item in sorted(items, key=lambda each: (uniform(0, each["id"]), each["id"])):
        if tokenizer and spells_control(tokenizer, item["problem"]):
            left_out.append(LeftOut(item["id"], "control_token"))
        elif not (parts := cut(item["id"], item["problem"], settings.min_tokens)):
            left_out.append(LeftOut(item["id"], "too_short"))
        elif len(cuts) == settings.max_items:
            left_out.append(LeftOut(item["id"], "max_items"))
        else:
            cuts.append(parts)
    return Choice(cuts, sorted(left_out, key=lambda each: each.id))


def ask(
    model: Path,
    benchmark: str,
    items: list[Row],
    task: harness.Task,
    evaluation: Evaluation,
    settings: Params,
    tokenizer: Any,
) -> Asked:
    """Choose items and render a request for each part of them.

    Args:
        model: the model's folder, as `from_pretrained` takes it, or that of a server's receipt.
        tokenizer: the model's, or None if only its server is known.
    """
    limit = evaluation.max_gen_toks or task.max_gen_toks
    max_gen_toks = min(limit, settings.max_gen_toks or limit)
    limits = Limits(max_gen_toks, task.until)
    chosen = choose(tokenizer, items, settings)
    if not chosen.cuts:
        return Asked([], [], [], limits, chosen.left_out, tokenizer)
    by_id = {item["id"]: item for item in items}
    parts: list[Row] = [
        {**by_id[each.id], "id": f"{part}/{each.id}", "problem": each.shown[part]}
        for part in PARTS
        for each in chosen.cuts
    ]
    once = dataclasses.replace(task, repeats=1)
    requests = questions.render(benchmark, parts, once, evaluation, tokenizer)
    if not tokenizer:
        return Asked(parts, requests, requests, limits, chosen.left_out, tokenizer)
    context = read_json(model / "config.json").get("max_position_embeddings")
    fitting = questions.those_that_fit(
        requests, context, max_gen_toks, evaluation.max_too_long_rate
    )
    return Asked(parts, requests, fitting, limits, chosen.left_out, tokenizer)


def answered(benchmark: str, asked: Asked, engine: Engine, scratch: Path) -> list[Row]:
    """Ask the model, and return the graded answers as rows of PART.

    Args:
        scratch: the folder that stores the responses (evaluation/responses.py).
    """
    given = respond(engine, asked.fitting, asked.limits, scratch)
    given = thinking_apart(given, asked.fitting, asked.tokenizer)
    keys = (each.key for each in asked.fitting)
    return part_rows(benchmark, asked, dict(zip(keys, given, strict=True)))


def part_rows(benchmark: str, asked: Asked, responses: Responses) -> list[Row]:
    """Grade the responses into rows of PART, sorted by part and item."""
    if not asked.parts:
        return []
    shown = {each["id"]: each["problem"] for each in asked.parts}
    rows = []
    for row in grade_responses(asked.requests, responses, asked.parts, None):
        part, _, name = row["item_id"].partition("/")
        own = {"benchmark": benchmark, "part": part, "id": name, "shown": shown[row["item_id"]]}
        rows.append(own | {key: row[key] for key in GRADED})
    return rows


def without_text(rows: list[Row]) -> list[Row]:
    """Return the rows without their texts, which a private benchmark must not reveal."""
    return [{**row, **dict.fromkeys(TEXTS)} for row in rows]


def summarise(rows: list[Row], left_out: Iterable[LeftOut]) -> Summary:
    """Compute the metrics of one benchmark from its rows of PART."""
    groups = {part: right([r["correct"] for r in rows if r["part"] == part]) for part in PARTS}
    reasons = Counter(each.reason for each in left_out)
    return Summary(**groups, left_out=dict(sorted(reasons.items())))


def in_words(summary: Summary) -> str:
    """Describe the metrics of one benchmark as `1 of 9 problems from their first half, ...`."""
    groups = {LABELS[part]: getattr(summary, part) for part in PARTS}
    described = [
        f"{own.num_correct} of {own.num} problems from their {label}"
        for label, own in groups.items()
        if own
    ]
    return ", ".join(described) or "no problem from a part"
