"""Compute the chance that a forger of some responses passes the draw of a sample."""

import math


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
