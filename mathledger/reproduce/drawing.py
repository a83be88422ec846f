"""Draw the responses to generate again, so that the author of the results cannot prepare for it."""

import hashlib
import math
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


def chance(num_all: int, num_drawn: int, num_forged: int) -> float:
    """Return the chance that none of the forged responses is drawn.

    >>> chance(100, 10, 0), round(chance(100, 10, 10), 4), chance(100, 95, 10)
    (1.0, 0.3305, 0.0)
    """
    honest = num_all - num_forged
    if honest < num_drawn:
        return 0.0
    return math.comb(honest, num_drawn) / math.comb(num_all, num_drawn)


def chances(num_all: int, num_drawn: int) -> dict[str, float]:
    """Return the chance for one forged response, and for 1, 5, 10 and 20% of all.

    >>> chances(200, 20)
    {'1': 0.9, '2': 0.8095, '10': 0.3398, '20': 0.1085, '40': 0.0089}
    """
    numbers = {1} | {math.ceil(num_all * share) for share in (0.01, 0.05, 0.1, 0.2)}
    return {
        str(number): round(chance(num_all, num_drawn, number), 4)
        for number in sorted(numbers)
        if number <= num_all
    }
