"""Make items from a task of lm-evaluation-harness, with its prompts, examples and answers."""

import json
from pathlib import Path
from typing import Any

from mathledger.core import harness_tasks
from mathledger.core.errors import InputError
from mathledger.core.tables import Row
from mathledger.data import formats
from mathledger.data.sources import HarnessTask
from mathledger.grading import solutions

DOCS = "docs.jsonl"  # The harness's document and the conversation of each item.


def items(source: HarnessTask, files: list[Path]) -> list[Row]:
    """Return the items of a task, each with its document and its conversation.

    Args:
        files: The source's files, then the files of the examples.

    Raises:
        InputError: The task does not fit: it is not generative, prefills the response or needs
            examples, or the files lack what it reads.
    """
    config = harness_tasks.config_of(source.file)
    expect_generative(source.file, config)
    number = len(source.files)
    try:
        task = harness_tasks.build(source.file, _rows(files[:number]), _rows(files[number:]))
        docs = list(task.test_docs())
        turns = conversations(task, len(docs))
        problems = [task.doc_to_text(doc) for doc in docs]
        targets = [task.doc_to_target(doc) for doc in docs]
    except InputError:
        raise
    except Exception as error:  # Code of the task, which may raise anything.
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(
            f"{source.file} of lm-evaluation-harness cannot read these files: {said}; check "
            "source.files and source.examples"
        ) from None
    return [
        {
            "id": str(place),
            "problem": str(problem).strip(),
            "answer": _answer(target),
            "solution": str(target) if _answer(target) != str(target) else None,
            "subsets": {},
            "doc": doc,
            "messages": messages,
        }
        for place, (doc, messages, problem, target) in enumerate(
            zip(docs, turns, problems, targets, strict=True)
        )
    ]


def expect_generative(file: str, config: dict[str, Any]) -> None:
    """Raise InputError if a task cannot be asked in a conversation."""
    kind = config.get("output_type", "generate_until")
    if kind != "generate_until":
        raise InputError(
            f"{file} of lm-evaluation-harness is of type {kind}, which compares likelihoods: "
            "choose a task of type generate_until"
        )
    if config.get("gen_prefix"):
        raise InputError(
            f"{file} of lm-evaluation-harness begins the response itself: not supported"
        )


def conversations(task: Any, number: int) -> list[list[dict[str, str]]]:
    """Return the conversation of each document as the harness renders it, examples as turns."""
    import contextlib
    import io

    def as_json(chat: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return json.dumps(chat)

    with contextlib.redirect_stderr(io.StringIO()):  # Hides a progress bar.
        task.build_all_requests(
            apply_chat_template=True, fewshot_as_multiturn=True, chat_template=as_json
        )
    by_doc = {instance.doc_id: json.loads(instance.args[0]) for instance in task.instances}
    return [by_doc[place] for place in range(number)]


def docs_jsonl(rows: list[Row]) -> str:
    """Return the documents and conversations of items as JSONL.

    It is ASCII, because a text may hold a separator of lines, or half of a surrogate pair.
    """
    lines = [
        json.dumps({key: row[key] for key in ("id", "doc", "messages")})
        for row in sorted(rows, key=lambda row: row["id"])
    ]
    return "".join(f"{line}\n" for line in lines)


def _rows(files: list[Path]) -> list[Row]:
    return [row for file in files for row in formats.raw_rows(file)]


def _answer(target: Any) -> str:
    """Return the final answer of a target, which may be a worked solution or a list."""
    if isinstance(target, list | tuple):
        target = target[0] if target else ""
    text = str(target).strip()
    return (solutions.final_answer(text) or text) if len(text.split()) > 1 else text
