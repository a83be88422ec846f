"""Regenerate some stored responses and compare."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field

from mathledger.core.files import write_json
from mathledger.core.hashing import sha256
from mathledger.core.tables import Row, read_rows
from mathledger.core.typed import Record
from mathledger.evaluation import reruns
from mathledger.evaluation.apart import thinking_apart, whole
from mathledger.evaluation.engines.backends import open_engine
from mathledger.evaluation.engines.engine import Engine, Request, Response
from mathledger.evaluation.questions import Questions
from mathledger.evaluation.reruns import Rerun
from mathledger.evaluation.samples import grade_responses
from mathledger.evaluation.settings import Params
from mathledger.run.environment import hardware


def same_characters(one: str, other: str) -> int:
    """Return the length of the longest common prefix of two texts.

    >>> same_characters("36 eggs", "36 hens")
    3
    """
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


class Recheck(Record):
    """A stored response compared with a regenerated one."""

    item_id: str
    repeat: int
    difference: str | None  # null if both are the same
    excerpts: list[str] = Field(default_factory=list)  # stored and new text from the difference on
    num_characters: int = 0  # of the stored response
    num_same_characters: int = 0  # before the first difference
    verdict: str | None = None  # stored; null if the response is not stored
    verdict_again: str | None = None  # of the regenerated response
    is_flipped: bool = False  # True if the verdict is another one

    @property
    def text(self) -> str:
        """Return one line that does not quote the responses."""
        flip = ", with another verdict" if self.is_flipped else ""
        return f"item {self.item_id}, repeat {self.repeat} {self.difference or 'is the same'}{flip}"


class SpotCheck(Record):
    """The report of `python -m stages.evaluate MODEL BENCHMARK --spot-check N --json FILE`."""

    responses: list[Recheck]
    dtype: str | None = Field(default=None, description="Precision in which the model ran.")

    @property
    def num_different(self) -> int:
        return sum(each.difference is not None for each in self.responses)

    def lines(self) -> list[str]:
        """Return lines to print: one or more for each response, then how many are the same."""
        lines = []
        for each in self.responses:
            lines.append(each.text)
            excerpts = zip(("stored", "now"), each.excerpts, strict=False)
            lines += [f"  {name:6} {excerpt!r}" for name, excerpt in excerpts]
        num_same = len(self.responses) - self.num_different
        lines.append(f"{num_same} of {len(self.responses)} responses are the same")
        return [*lines, self.noise]

    @property
    def noise(self) -> str:
        """Return in words how much a rerun changes: characters and verdicts."""
        num, same = (
            sum(getattr(each, key) for each in self.responses)
            for key in ("num_characters", "num_same_characters")
        )
        flipped = sum(each.is_flipped for each in self.responses)
        return f"{same:,} of {num:,} characters precede a difference; verdicts flipped: {flipped}"


def spot_check(
    folder: Path, benchmark: str, questions: Questions, samples: Path, options: Any
) -> SpotCheck:
    """Regenerate some responses of the model in a folder, and record the findings if asked to.

    Args:
        options: the stage's; spot_check is the number of responses, and seed draws them.
    """
    size = options.batch_size or questions.settings.batch_size
    settings = replace(questions.settings, batch_size=size)
    engine = open_engine(folder, questions.tokenizer, settings)
    pair = (folder.name, benchmark)
    chosen = draw(questions.fitting, options.spot_check, pair, options.seed)
    check = check_some(engine, questions, read_rows(samples), chosen)
    if options.record:
        found = rerun(check, folder.name, benchmark, samples, engine, settings)
        reruns.record(reruns.FILE, found)
    return check


def place(seed: str, *parts: str) -> str:
    """Return a response's place in the order of a draw, which nobody can choose."""
    return hashlib.sha256("\n".join([seed, *parts]).encode()).hexdigest()


def draw(
    requests: Sequence[Request], number: int, pair: tuple[str, str], seed: str | None
) -> list[Request]:
    """Draw some requests at random, or the first ones in the order that a seed gives.

    Args:
        pair: the names of model and benchmark, which enter the order.
    """
    if seed is None:
        return random.sample(requests, min(number, len(requests)))
    keyed = {place(seed, *pair, each.item_id, str(each.repeat)): each for each in requests}
    return [keyed[key] for key in sorted(keyed)[:number]]


def check_some(
    engine: Engine, questions: Questions, stored: list[Row], chosen: list[Request]
) -> SpotCheck:
    """Regenerate the responses to some requests, and compare each with the stored one."""
    kept = {(row["item_id"], row["repeat"]): row for row in stored}
    again: list[tuple[Request, Response]] = []
    size = engine.num_at_once or len(chosen)
    for at in range(0, len(chosen), size):
        engine.answer(chosen[at : at + size], questions.limits, again.extend)
    again.sort(key=lambda pair: pair[0].key)
    requests, raw = [request for request, _ in again], [response for _, response in again]
    apart = thinking_apart(raw, requests, questions.tokenizer)
    by_key = {request.key: response for request, response in zip(requests, apart, strict=True)}
    graded = grade_responses(requests, by_key, questions.items, None)
    verdicts = {(row["item_id"], row["repeat"]): row["verdict"] for row in graded}
    responses = [
        _compare(kept.get(request.key), request, response, verdicts[request.key], questions)
        for request, response in zip(requests, apart, strict=True)
    ]
    return SpotCheck(responses=responses, dtype=engine.dtype)


def _compare(
    row: Row | None, request: Request, response: Response, verdict: str, questions: Questions
) -> Recheck:
    difference, excerpts = None, []
    stored = whole(row.get("thinking"), row["response"]) if row else ""
    found = whole(response.thinking, response.text)
    if row is None:
        difference = "is not in the stored samples"
    elif row["prompt_sha256"] != hashlib.sha256(request.prompt.encode()).hexdigest():
        difference = "was stored for a different prompt"
    elif stored != found:
        at = same_characters(stored, found)
        difference = f"differs from character {at} on"
        if not questions.is_private:
            excerpts = [text[at : at + 60] for text in (stored, found)]
    elif (row["num_tokens"], row["finish_reason"]) != (response.num_tokens, response.finish_reason):
        difference = (
            f"is stored with {row['num_tokens']} tokens and {row['finish_reason']}, and has "
            f"{response.num_tokens} and {response.finish_reason}"
        )
    return Recheck(
        item_id=request.item_id,
        repeat=request.repeat,
        difference=difference,
        excerpts=excerpts,
        num_characters=len(stored),
        num_same_characters=same_characters(stored, found),
        verdict=row["verdict"] if row else None,
        verdict_again=verdict,
        is_flipped=row is not None and row["verdict"] != verdict,
    )


def rerun(
    check: SpotCheck, model: str, benchmark: str, samples: Path, engine: Engine, settings: Params
) -> Rerun:
    """Return what the card states of a check."""
    machine = hardware()
    return Rerun(
        model=model,
        benchmark=benchmark,
        samples_sha256=sha256(samples),
        backend=settings.backend,
        dtype=engine.dtype,
        batch_size=settings.batch_size,
        cpu=machine["cpu"],
        gpus=machine.get("gpus", []),
        num_responses=len(check.responses),
        num_same=len(check.responses) - check.num_different,
        num_characters=sum(each.num_characters for each in check.responses),
        num_same_characters=sum(each.num_same_characters for each in check.responses),
        num_flipped=sum(each.is_flipped for each in check.responses),
    )


def report(check: SpotCheck, file: Path | None) -> int:
    """Print a check, write it to `file` as JSON if one is given, and return how many differ."""
    print("\n".join(check.lines()))
    if file:
        write_json(file, check.content())
    return check.num_different
