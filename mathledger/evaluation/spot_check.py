"""Generate some stored responses again, and see whether they come out the same."""

import hashlib
import random

from mathledger.core.tables import Row
from mathledger.evaluation.engines.engine import Engine, Request, Response
from mathledger.evaluation.questions import Questions


def same_characters(one: str, other: str) -> int:
    """Return how many characters two texts begin with in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def spot_check(engine: Engine, questions: Questions, stored: list[Row], number: int) -> int:
    """Generate some responses again, chosen by chance; print each, return how many differ."""
    kept = {(row["item_id"], row["repeat"]): row for row in stored}
    chosen = random.sample(questions.fitting, min(number, len(questions.fitting)))
    again: list[tuple[Request, Response]] = []
    size = engine.num_at_once or len(chosen)
    for at in range(0, len(chosen), size):
        engine.answer(chosen[at : at + size], questions.limits, again.extend)
    num_different = 0
    for request, response in sorted(again, key=lambda pair: pair[0].key):
        row = kept.get(request.key)
        where = f"item {request.item_id}, repeat {request.repeat}"
        if row is None:
            difference = "is not in the stored samples"
        elif row["prompt_sha256"] != hashlib.sha256(request.prompt.encode()).hexdigest():
            difference = "was asked with another prompt"
        elif row["response"] != response.text:
            at = same_characters(row["response"], response.text)
            difference = f"differs from character {at} on"
            if not questions.is_private:
                difference += f"\n  stored {row['response'][at : at + 60]!r}"
                difference += f"\n  now    {response.text[at : at + 60]!r}"
        else:
            print(f"{where} is the same")
            continue
        num_different += 1
        print(f"{where} {difference}")
    print(f"{len(chosen) - num_different} of {len(chosen)} responses are the same")
    return num_different
