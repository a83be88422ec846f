"""Render a benchmark's prompts and judge responses with lm-evaluation-harness."""

import contextlib
import io
import json
from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core import harness_tasks
from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.tables import Row
from mathledger.model import prompts


@dataclass(frozen=True, config=STRICT)
class Example:
    problem: str = Field(description="Text of the user's turn.")
    solution: str = Field(description="Text of the model's turn.")


@dataclass(frozen=True, config=STRICT)
class Fewshot:
    samples: list[Example] = Field(description="Examples that precede the item as turns.")


@dataclass(frozen=True, config=STRICT)
class OwnTask:
    """The harness's own task for a benchmark; we store its verdicts next to ours."""

    file: str = Field(description="Path of the task's file in lm_eval/tasks/.")
    filter: str = Field(
        description="Filter in its filter_list that extracts the answer; none if it has no list."
    )
    doc: dict[str, str] | None = Field(
        description=(
            "For each column of the task's document, our column that fills it; null for a source "
            "of kind lm_eval, which has the documents."
        ),
    )
    metric: str = Field(
        default="exact_match", description="The task's metric that is 1 for a right response."
    )
    reads: Literal["response", "answer"] = Field(
        default="response",
        description=(
            "What the task judges: the response, or the answer that we extracted, between $ signs, "
            "so that only its equality is the harness's."
        ),
    )


@dataclass(frozen=True, config=STRICT)
class Task:
    """The prompts and the grading of a benchmark, in the harness's terms."""

    version: int = Field(
        description="Version of the task; raise it when the prompts or the grading change."
    )
    doc_to_text: prompts.Template = Field(
        description=(
            "A str.format template with one field, {problem}; the default is the template of the "
            "training prompts."
        ),
    )
    num_fewshot: int = Field(description="Number of examples before the item.")
    fewshot_config: Fewshot | None = Field(
        description="Pool of examples; the prompt shows the first num_fewshot. Null for none."
    )
    max_gen_toks: int = Field(description="Limit of tokens in a response; a longer one is cut.")
    until: list[str] = Field(
        description="Strings that end a response, in addition to the model's end-of-turn token."
    )
    repeats: int = Field(description="Responses to each item if evaluate.temperature > 0.")
    harness: OwnTask | None = Field(
        description=(
            "The harness's own task for the benchmark, which gives a second verdict on each "
            "response; null for none."
        ),
    )

    def __post_init__(self) -> None:
        given = len(self.fewshot_config.samples) if self.fewshot_config else 0
        if self.num_fewshot > given:
            raise ValueError(
                f"num_fewshot={self.num_fewshot}, but fewshot_config has {given} samples"
            )
        if min(self.max_gen_toks, self.repeats) < 1:
            raise ValueError("max_gen_toks and repeats must be at least 1")


def turns(name: str, items: list[Row], task: Task) -> list[list[dict[str, str]]]:
    """Render each item as a conversation: worked examples as turns, then the item.

    An item of a source of kind lm_eval has the harness's own conversation.
    """
    if task.harness and task.harness.doc is None:
        return _own_turns(items, task)
    from datasets import Dataset
    from lm_eval.api.task import ConfigurableTask

    prompt = prompts.Params(task.doc_to_text)
    samples = task.fewshot_config.samples if task.fewshot_config else []
    problems = Dataset.from_list([{"problem": item["problem"], "solution": ""} for item in items])
    built = ConfigurableTask(
        config={
            "task": name,
            "custom_dataset": lambda **_: {"test": problems},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": lambda doc: prompts.user_text(prompt, doc["problem"]),
            "doc_to_target": "{{solution}}",
            "num_fewshot": task.num_fewshot,
            "fewshot_config": {
                "sampler": "first_n",
                "samples": [{"problem": s.problem, "solution": s.solution} for s in samples],
            }
            if samples
            else None,
            "generation_kwargs": {"until": task.until, "max_gen_toks": task.max_gen_toks},
        }
    )

    def as_json(chat: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return json.dumps(chat)

    with contextlib.redirect_stderr(io.StringIO()):  # hides a progress bar that is over at once
        built.build_all_requests(
            apply_chat_template=True, fewshot_as_multiturn=True, chat_template=as_json
        )
    return [json.loads(instance.args[0]) for instance in built.instances]


def _own_turns(items: list[Row], task: Task) -> list[list[dict[str, str]]]:
    if task.num_fewshot or task.fewshot_config:
        raise InputError(
            "task.num_fewshot and task.fewshot_config do not apply to a source of kind lm_eval, "
            "whose examples are the harness's: remove them"
        )
    if any("messages" not in item for item in items):
        raise InputError("task.harness.doc: null is for a source of kind lm_eval; map the columns")
    return [item["messages"] for item in items]


def with_system_prompt(
    system: str, conversations: list[list[dict[str, str]]], task: Task
) -> list[list[dict[str, str]]]:
    """Begin each conversation with a system turn.

    The harness joins its task's own description to the prompt in one turn, as we do.
    """
    from lm_eval.api.utils import maybe_delimit

    is_own = task.harness is not None and task.harness.doc is None
    config = harness_tasks.config_of(task.harness.file) if task.harness and is_own else {}
    delimiter = config.get("fewshot_delimiter", "\n\n")
    joined = []
    for first, *others in conversations:
        if first["role"] == "system":
            text = maybe_delimit(system, first["content"], delimiter)
            joined.append([{"role": "system", "content": text}, *others])
        else:
            joined.append([{"role": "system", "content": system}, first, *others])
    return joined


def judge(own_task: OwnTask, items: list[Row], responses: list[str]) -> list[bool]:
    """Return for each response whether the harness's own task calls it right.

    Args:
        items: the item of each response.

    Raises:
        InputError: the harness lacks the task, the filter or the metric, the metric is more than
            right or wrong, or an item lacks a column.
    """
    from lm_eval.api.instance import Instance

    mapped = own_task.doc
    columns = {column for item in items[:1] for column in item}
    if mapped is not None and (unknown := set(mapped.values()) - columns):
        raise InputError(f"task.harness.doc: items have no column {', '.join(sorted(unknown))}")
    docs = [
        item["doc"] if mapped is None else {theirs: item[ours] for theirs, ours in mapped.items()}
        for item in items
    ]
    changes: dict[str, Any] = {"num_fewshot": 0, "fewshot_config": None}
    if mapped is None:
        changes["process_docs"] = None  # The documents were processed when they were downloaded.
    task = harness_tasks.build(own_task.file, docs, **changes)
    instances = [
        Instance("generate_until", doc, ("", {}), number, resps=[response])
        for number, (doc, response) in enumerate(zip(task.test_docs(), responses, strict=True))
    ]
    task._instances = instances
    task.apply_filters()
    if instances and own_task.filter not in instances[0].filtered_resps:
        has = ", ".join(instances[0].filtered_resps)
        raise InputError(
            f"task.harness.filter: {own_task.file} has no filter {own_task.filter}, only {has}"
        )
    return [_outcome(own_task, task, instance) for instance in instances]


def _outcome(own_task: OwnTask, task: Any, instance: Any) -> bool:
    """Return True if the harness's metric counts one response as correct."""
    answers = instance.filtered_resps[own_task.filter]
    result = task.process_results(instance.doc, answers if isinstance(answers, list) else [answers])
    if own_task.metric not in result:
        raise InputError(
            f"task.harness.metric: {own_task.file} has no metric {own_task.metric}, only "
            f"{', '.join(result)}"
        )
    value = result[own_task.metric]
    if isinstance(value, list | tuple | dict) or float(value) not in (0.0, 1.0):
        raise InputError(
            f"task.harness.metric: {own_task.metric} of {own_task.file} is not 0 or 1 for a "
            "response; choose a metric that is"
        )
    return bool(value)
