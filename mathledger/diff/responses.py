"""Compare the responses behind a number: differing texts and flipped verdicts."""

from dataclasses import dataclass

from mathledger.chain import facts
from mathledger.core.tables import read_batches
from mathledger.diff.sides import Number, Side

COLUMNS = ["item_id", "repeat", "prompt_sha256", "response", "extracted_answer", "reference"]
COLUMNS += ["verdict", "correct", "thinking"]


@dataclass(frozen=True)
class Response:
    """A graded response, with its thinking and its answer as one hash."""

    text: int
    prompt_sha256: str
    extracted_answer: str | None
    reference: str
    verdict: str
    correct: bool


Responses = dict[str, dict[int, Response]]  # keyed by item and repeat


def read(side: Side, number: Number) -> Responses:
    """Read the responses behind a number.

    Raises:
        InputError: they are not in the cache, or are not the responses in the ledger.
    """
    assert side.chain
    benchmark, model = number
    path = facts.responses(side.chain, model, benchmark)
    responses: Responses = {}
    for batch in read_batches(path, COLUMNS):
        for row in batch.to_pylist():
            item, repeat = row.pop("item_id"), row.pop("repeat")
            # Samples of older commits have no column `thinking`.
            text = hash((row.pop("thinking", None), row.pop("response")))
            responses.setdefault(item, {})[repeat] = Response(text, **row)
    return responses


@dataclass(frozen=True)
class Answers:
    """The extracted answers on both sides, and the reference."""

    reference: str
    a: str | None
    b: str | None


@dataclass(frozen=True)
class Flip:
    """A response whose verdict changed between correct and not correct."""

    item_id: str
    repeat: int
    is_same_text: bool
    verdicts: tuple[str, str]
    answers: Answers | None  # null if the benchmark is private


@dataclass(frozen=True)
class Changes:
    """The differences between two states' responses to the same items."""

    num_compared: int
    num_prompts_changed: int
    num_texts_changed: int
    flips: list[Flip]  # in order of item and repeat


def compare(before: Responses, after: Responses, is_private: bool) -> Changes:
    both = [
        (item, repeat, old, after[item][repeat])
        for item in sorted(before)
        for repeat, old in sorted(before[item].items())
        if repeat in after[item]
    ]
    return Changes(
        len(both),
        sum(old.prompt_sha256 != new.prompt_sha256 for _, _, old, new in both),
        sum(old.text != new.text for _, _, old, new in both),
        [
            _flip(item, repeat, old, new, is_private)
            for item, repeat, old, new in both
            if old.correct != new.correct
        ],
    )


def _flip(item: str, repeat: int, old: Response, new: Response, is_private: bool) -> Flip:
    answers = Answers(old.reference, old.extracted_answer, new.extracted_answer)
    return Flip(
        item,
        repeat,
        old.text == new.text,
        (old.verdict, new.verdict),
        None if is_private else answers,
    )
