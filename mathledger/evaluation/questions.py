"""Render the requests of one model on one benchmark: one for each item and repeat."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.hashing import content_id
from mathledger.core.receipts import is_private
from mathledger.core.tables import Row, read_rows
from mathledger.evaluation import harness, served
from mathledger.evaluation.engines.engine import Limits, Request
from mathledger.evaluation.settings import Params
from mathledger.model import conversations, prompts, templates


@dataclass(frozen=True)
class Questions:
    """The requests of one model on one benchmark, and the inputs they were rendered from."""

    settings: Params
    task: harness.Task
    items: list[Row]
    tokenizer: Any  # None if only the model's server is known
    requests: list[Request]
    fitting: list[Request]  # the requests that fit the model's context
    is_private: bool  # True if the benchmark's text must not be shown

    @property
    def limits(self) -> Limits:
        return Limits(self.settings.max_gen_toks or self.task.max_gen_toks, self.task.until)


def read_questions(model: Path, benchmark: Path, settings: Params, task: harness.Task) -> Questions:
    """Read a benchmark and render every request to a model.

    Args:
        model: the model's folder, as `from_pretrained` takes it.
        benchmark: the folder that `download_benchmark` wrote.

    Raises:
        InputError: the tokenizer has no chat template, or too many requests exceed the context.
    """
    items = read_items(benchmark)
    served.expect_near(model, benchmark, settings)
    if served.server_of(model):
        requests = render(benchmark.name, items, task, settings, None)
        private = is_private(benchmark)
        return Questions(settings, task, items, None, requests, requests, private)
    tokenizer = prompts.load_tokenizer(model)
    requests = render(benchmark.name, items, task, settings, tokenizer)
    context = read_json(model / "config.json").get("max_position_embeddings")
    limit = settings.max_gen_toks or task.max_gen_toks
    fitting = those_that_fit(requests, context, limit, settings.max_too_long_rate)
    private = is_private(benchmark)
    return Questions(settings, task, items, tokenizer, requests, fitting, private)


def read_items(benchmark: Path) -> list[Row]:
    """Return a benchmark's items, with the harness's document and conversation if it has them."""
    items = read_rows(benchmark / "items.parquet")
    own = benchmark / "docs.jsonl"
    if not own.exists():
        return items
    lines = own.read_text(encoding="utf-8").splitlines()
    by_id = {row["id"]: row for row in map(json.loads, lines)}
    return [item | by_id[item["id"]] for item in items]


def render(
    name: str, items: list[Row], task: harness.Task, settings: Params, tokenizer: Any
) -> list[Request]:
    """Render a request for each item and repeat; each sampled response gets its own seed.

    Args:
        tokenizer: the model's, or None if only its server is known.
    """
    requests = []
    turns = harness.turns(name, items, task)
    expect_other_examples(items, turns)
    system, variables = settings.system_prompt, settings.chat_template_kwargs
    if system:
        turns = harness.with_system_prompt(system, turns, task)
    if tokenizer:
        templates.expect_variables(tokenizer, variables)
        rendered = conversations.render(tokenizer, turns, True, **variables)
        templates.expect_system_turns(rendered, turns)
    else:
        rendered = served.render(turns, variables)
    for item, messages, asked in zip(items, turns, rendered, strict=True):
        prompt, ids = asked.text, asked.ids
        if not settings.temperature:
            requests.append(Request(item["id"], 0, messages, prompt, ids, None))
            continue
        for repeat in range(task.repeats):
            # Keep 31 bits, because some servers reject larger seeds.
            seed = int(content_id(str(settings.seed), item["id"], str(repeat))[:8], 16) >> 1
            requests.append(Request(item["id"], repeat, messages, prompt, ids, seed))
    return requests


def expect_other_examples(items: list[Row], turns: list[list[dict[str, str]]]) -> None:
    """Raise InputError if an example in a prompt is an item's problem, as the filters decide it.

    Args:
        turns: the conversation of each item, whose last turn asks the item.
    """
    shown: dict[str, int] = {}  # The number of each example.
    for own in turns:
        users = [turn["content"] for turn in own[:-1] if turn["role"] == "user"]
        for number, text in enumerate(users, 1):
            shown.setdefault(text, number)
    if not shown:
        return
    from mathledger.text.canonical import keys  # Compiled code, which takes seconds to load.

    texts = [*shown, *(own[-1]["content"] for own in turns)]
    hashes = [tuple(row) for row in keys(pa.array(texts)).tolist()]
    examples = dict(zip(hashes, shown.values(), strict=False))
    for item, key in zip(items, hashes[len(shown) :], strict=True):
        if key in examples:
            raise InputError(
                f"item {item['id']} is also example {examples[key]} of the prompt: remove it from "
                "task.fewshot_config, or choose examples of another split"
            )


def those_that_fit(
    requests: list[Request], context: int | None, max_gen_toks: int, max_rate: float
) -> list[Request]:
    """Return the requests that fit the model's context together with their response.

    Raises:
        InputError: more than max_rate of the requests do not fit.
    """
    if context is None:
        return requests
    fits = [each for each in requests if len(each.prompt_ids) + max_gen_toks <= context]
    num_long = len(requests) - len(fits)
    if num_long > max_rate * len(requests):
        longest = max(requests, key=lambda each: len(each.prompt_ids))
        raise InputError(
            f"{num_long} of {len(requests)} prompts exceed the model's context of {context} tokens "
            f"with max_gen_toks={max_gen_toks} (the longest, item {longest.item_id}, has "
            f"{len(longest.prompt_ids)}): lower max_gen_toks, in the benchmark's task or in "
            "evaluate, or raise evaluate.max_too_long_rate, the share that may be scored as wrong"
        )
    return fits


def silence_libraries() -> None:
    """Turn off the libraries' progress bars and warnings, so that the stage shows one bar."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("lm_eval").setLevel(logging.CRITICAL)
