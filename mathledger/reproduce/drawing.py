"""Draw the responses to generate again, so that the author of the results cannot prepare for it."""

import hashlib
from collections import Counter
from collections.abc import Iterable

from mathledger.evaluation.spot_check import place

Key = tuple[str, str, str, int]  # model, benchmark, item, repeat


def seed(ledger_sha256: str, commit: str, nonce: str) -> str:
    """Return the seed of the draw, from the ledger, the person's own commit and random digits."""
    return hashlib.sha256(f"{ledger_sha256}\n{commit}\n{nonce}".encode()).hexdigest()


def draw(keys: Iterable[Key], number: int, seed: str) -> Counter[tuple[str, str]]:
    """Return how many responses of each model and benchmark are in the draw.

    The stage draws the same ones, because the order of all responses gives that of each pair.
    """
    order = sorted(keys, key=lambda key: place(seed, key[0], key[1], key[2], str(key[3])))
    return Counter((model, benchmark) for model, benchmark, *_ in order[:number])
