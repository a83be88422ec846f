"""The numbers, and the responses behind them: which flipped, and is the difference beyond noise.

Two states' responses to the same items are paired by item (docs/statistics.md): the exact sign-flip
test, its p adjusted by Holm for the numbers that were tested. Where the items are others, or the
responses of a card are not at hand, the two are compared as independent scores, by the interval of
their difference alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mathledger.card.ledger import ModelScore, Score
from mathledger.chain import facts
from mathledger.core.errors import InputError
from mathledger.core.tables import read_batches
from mathledger.diff.causes import is_same_run
from mathledger.diff.sides import Number, Side
from mathledger.evaluation import statistics

COLUMNS = ["item_id", "repeat", "prompt_sha256", "response", "extracted_answer", "reference"]
COLUMNS += ["verdict", "correct"]
LEVEL = 0.05


@dataclass(frozen=True)
class Response:
    """A graded response, its text as a hash."""

    text: int
    prompt_sha256: str
    extracted_answer: str | None
    reference: str
    verdict: str
    correct: bool


Responses = dict[str, dict[int, Response]]  # by item and repeat


def read(side: Side, number: Number) -> Responses:
    """The responses behind a number.

    Raises:
        InputError: they are not in the cache, or not those that the ledger speaks of.
    """
    assert side.chain
    benchmark, model = number
    path = facts.responses(side.chain, model, benchmark)
    found: Responses = {}
    for batch in read_batches(path, COLUMNS):
        for row in batch.to_pylist():
            item, repeat, text = row.pop("item_id"), row.pop("repeat"), hash(row.pop("response"))
            found.setdefault(item, {})[repeat] = Response(text, **row)
    return found


def compare(a: Side, b: Side, numbers: Sequence[Number]) -> list[dict[str, Any]]:
    """Each number on both sides, with a test where the model was asked anew."""
    found = [_number(a, b, number) for number in numbers]
    tests = [each["test"] for each in found if each["test"] and each["test"]["is_paired"]]
    adjusted = statistics.holm([test["p_value"] for test in tests])
    for test, p_value in zip(tests, adjusted, strict=True):
        test["p_holm"] = p_value
        test["is_beyond_noise"] = p_value < LEVEL
    return found


def _number(a: Side, b: Side, number: Number) -> dict[str, Any]:
    old, new = a.numbers[number], b.numbers[number]
    is_same = old.samples_sha256 == new.samples_sha256
    entry = {
        "benchmark": number[0],
        "model": number[1],
        "a": _score(old),
        "b": _score(new),
        "has_same_responses": is_same,
        "test": None,
        "responses": None,
    }
    if is_same and is_same_run(a, b, f"evaluate@{number[1]}-{number[0]}"):
        return entry
    digests = [side.benchmarks[number[0]].source.items_digest for side in (a, b)]
    if digests[0] != digests[1]:
        return entry | {"test": _unpaired(old, new, "the benchmark's items are not the same")}
    if not (a.chain and b.chain):
        if is_same:
            return entry
        return entry | {"test": _unpaired(old, new, "a card's responses are not at hand")}
    before, after = read(a, number), read(b, number)
    if set(before) != set(after):
        raise InputError(
            f"{number[0]} has one items_digest on both sides, and responses to other items: "
            "run `mathledger verify` on both"
        )
    is_private = any(facts.is_private(side.ledger.params, number[0]) for side in (a, b))
    return entry | {
        "test": _paired(before, after),
        "responses": None if is_same else _flips(before, after, is_private),
    }


def _score(score: ModelScore) -> dict[str, Any]:
    """What every score has, whatever it was computed from."""
    return {key: getattr(score, key) for key in Score.model_fields}


def _paired(before: Responses, after: Responses) -> dict[str, Any]:
    outcomes = [
        [[each.correct for each in side[item].values()] for item in sorted(before)]
        for side in (before, after)
    ]
    found = statistics.compare(*outcomes)
    return {
        "is_paired": True,
        "reason": None,
        "difference": _interval(found.difference),
        "p_value": found.p_value,
        "num_items_gained": found.num_gained,
        "num_items_lost": found.num_lost,
    }


def _unpaired(old: ModelScore, new: ModelScore, reason: str) -> dict[str, Any]:
    scores = [statistics.Interval(e.accuracy, e.low, e.high) for e in (new, old)]
    difference = statistics.gap(*scores)
    return {
        "is_paired": False,
        "reason": reason,
        "difference": _interval(difference),
        "is_beyond_noise": difference.low > 0 or difference.high < 0,
    }


def _interval(found: statistics.Interval) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}


def _flips(before: Responses, after: Responses, is_private: bool) -> dict[str, Any]:
    """The responses whose verdict went from right to not right, or back; by item and repeat."""
    both = [
        (item, repeat, old, after[item][repeat])
        for item in sorted(before)
        for repeat, old in sorted(before[item].items())
        if repeat in after[item]
    ]

    def said(response: Response) -> dict[str, Any]:
        text = {} if is_private else {"extracted_answer": response.extracted_answer}
        return {"verdict": response.verdict, **text}

    return {
        "num_compared": len(both),
        "num_prompts_changed": sum(o.prompt_sha256 != n.prompt_sha256 for _, _, o, n in both),
        "num_texts_changed": sum(old.text != new.text for _, _, old, new in both),
        "flips": [
            {
                "item_id": item,
                "repeat": repeat,
                "reference": None if is_private else old.reference,
                "is_same_text": old.text == new.text,
                "a": said(old),
                "b": said(new),
            }
            for item, repeat, old, new in both
            if old.correct != new.correct
        ],
    }
