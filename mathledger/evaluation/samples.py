"""Grade responses into one row for each item and repeat, and compute the metrics."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from mathledger.core.escaping import csv_text
from mathledger.core.tables import Row
from mathledger.evaluation import harness, statistics
from mathledger.evaluation.engines.engine import Request, Response
from mathledger.evaluation.settings import Params
from mathledger.grading.grades import VERSION
from mathledger.grading.judges import Asked, Judges

GRADING_S = 5  # CPU seconds allowed for one comparison

SAMPLE = pa.schema(
    [
        pa.field("item_id", pa.string()),
        pa.field("repeat", pa.int32()),
        pa.field("seed", pa.int64()),  # null if greedy
        pa.field("prompt_sha256", pa.string()),  # hash of the prompt that the template rendered
        pa.field("response", pa.string()),  # without the thinking; the grader sees this alone
        pa.field("thinking", pa.string()),  # null if the response has none
        pa.field("extracted_answer", pa.string()),
        pa.field("reference", pa.string()),
        pa.field("verdict", pa.string()),  # correct, wrong or no_answer
        pa.field("correct", pa.bool_()),
        pa.field("is_sure", pa.bool_()),  # false if the grader could not read or compare the answer
        pa.field("harness_correct", pa.bool_()),  # null if the harness has no task of its own
        pa.field("grader", pa.string()),
        pa.field("num_tokens", pa.int32()),  # generated tokens, including the end of turn
        pa.field("num_thinking_tokens", pa.int32()),  # of num_tokens; null if there is none
        # stop, length (cut at max_gen_toks), or too_long (not sent: the prompt does not fit)
        pa.field("finish_reason", pa.string()),
    ]
)

Responses = dict[tuple[str, int], Response]  # keyed by item and repeat


@dataclass(frozen=True)
class Summary:
    """The metrics of one model on one benchmark; rates are in 0..1."""

    num_items: int
    num_samples: int
    num_repeats: int
    num_correct: int
    accuracy: float
    accuracy_low: float  # lower bound of the 95% interval
    accuracy_high: float
    truncated_rate: float  # share of responses that were cut at max_gen_toks
    too_long_rate: float  # share of requests that were not sent because they exceed the context
    no_answer_rate: float
    unsure_rate: float  # share of responses that the grader could not judge; they count as wrong
    mean_num_tokens: float
    num_harness_disagreements: int | None  # null if the harness has no task of its own


def grade_responses(
    requests: list[Request],
    responses: Responses,
    items: list[Row],
    own_task: harness.OwnTask | None,
) -> list[Row]:
    """Return one SAMPLE for each request, sorted by item and repeat.

    Args:
        responses: the responses, with their thinking apart (evaluation/apart.py); a request without
            one was too long to send.
    """
    by_id = {item["id"]: item for item in items}
    not_asked = Response("", 0, "too_long", 0.0)
    given = [responses.get(each.key, not_asked) for each in requests]
    texts = [_writable(each.text) for each in given]
    item_of = [by_id[each.item_id] for each in requests]
    with Judges(GRADING_S) as judges:
        grades = judges.grade(
            [
                Asked(text, item["answer"], item["answer_type"], response.finish_reason == "length")
                for text, item, response in zip(texts, item_of, given, strict=True)
            ]
        )
    harness_correct: Sequence[bool | None] = [None] * len(requests)
    if own_task:
        read = texts
        if own_task.reads == "answer":
            read = [f"${grade.extracted}$" if grade.extracted else "" for grade in grades]
        harness_correct = harness.judge(own_task, item_of, read)
    rows = [
        {
            "item_id": request.item_id,
            "repeat": request.repeat,
            "seed": request.seed,
            "prompt_sha256": prompt_sha256(request.prompt),
            "response": text,
            "thinking": None if response.thinking is None else _writable(response.thinking),
            "extracted_answer": grade.extracted,
            "reference": item["answer"],
            "verdict": grade.verdict,
            "correct": grade.verdict == "correct",
            "is_sure": grade.is_sure,
            "harness_correct": by_harness,
            "grader": VERSION,
            "num_tokens": response.num_tokens,
            "num_thinking_tokens": response.num_thinking_tokens,
            "finish_reason": response.finish_reason,
        }
        for request, text, grade, item, by_harness, response in zip(
            requests, texts, grades, item_of, harness_correct, given, strict=True
        )
    ]
    return sorted(rows, key=lambda row: (row["item_id"], row["repeat"]))


def _writable(text: str) -> str:
    """Replace half a surrogate pair, which a server may send and no file can hold."""
    return text.encode("utf-8", "replace").decode()


def prompt_sha256(prompt: str) -> str:
    """Return the digest that a SAMPLE records of its prompt."""
    return hashlib.sha256(prompt.encode()).hexdigest()


def summarise(rows: list[Row]) -> Summary:
    """Compute the metrics of one model on one benchmark from its SAMPLEs."""
    items: dict[str, list[bool]] = {}
    for row in rows:
        items.setdefault(row["item_id"], []).append(row["correct"])
    score = statistics.accuracy(list(items.values()))
    ends = Counter(row["finish_reason"] for row in rows)
    num_without_answer = sum(row["verdict"] == "no_answer" for row in rows)
    num_disagreements = sum(row["harness_correct"] != row["correct"] for row in rows)
    is_judged_by_harness = rows[0]["harness_correct"] is not None
    return Summary(
        num_items=len(items),
        num_samples=len(rows),
        num_repeats=len(rows) // len(items),
        num_correct=sum(row["correct"] for row in rows),
        accuracy=statistics.stored(score.value),
        accuracy_low=statistics.stored(score.low),
        accuracy_high=statistics.stored(score.high),
        truncated_rate=statistics.stored(ends["length"] / len(rows)),
        too_long_rate=statistics.stored(ends["too_long"] / len(rows)),
        no_answer_rate=statistics.stored(num_without_answer / len(rows)),
        unsure_rate=statistics.stored(sum(not row["is_sure"] for row in rows) / len(rows)),
        mean_num_tokens=round(sum(row["num_tokens"] for row in rows) / len(rows), 1),
        num_harness_disagreements=num_disagreements if is_judged_by_harness else None,
    )


def metrics(
    rows: list[Row], settings: Params, task: harness.Task, dtype: str | None
) -> dict[str, Any]:
    """Return the content of a metrics file, metrics/evaluate/<model>-<benchmark>.json."""
    return {
        **asdict(summarise(rows)),
        "batch_size": settings.batch_size,
        "dtype": dtype,
        "backend": settings.backend,
        "task_version": task.version,
    }


def seconds_csv(responses: Responses) -> str:
    """Return the seconds of each response as CSV; responses of a batch share its time equally."""
    rows = [
        {"item_id": item, "repeat": repeat, "seconds": f"{response.seconds:.3f}"}
        for (item, repeat), response in sorted(responses.items())
    ]
    return csv_text(["item_id", "repeat", "seconds"], rows)
