"""Compute how a score varies over trainings that differ only in their seeds.

Every training is asked the same items, so items and trainings are crossed: a score varies with the
items, with the training as a whole, and with what a training happens to do to single items.
docs/statistics.md gives the coverage of the interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mathledger.evaluation.statistics import EVEN_ITEM, LEVEL, Interval, clopper_pearson

F64 = npt.NDArray[np.float64]
MIN_TRAININGS = 3  # with two, 36 of 216 simulated intervals cover less than 93%


@dataclass(frozen=True)
class Spread:
    """The mean score over trainings and its variation."""

    scores: tuple[float, ...]  # of each training
    mean: float
    sd: float | None  # standard deviation over trainings; None for one
    interval: Interval | None  # over items and trainings; None below MIN_TRAININGS


def over_trainings(values: Sequence[npt.ArrayLike]) -> Spread:
    """Return the spread of a score over trainings.

    Args:
        values: for each training, each item's share of correct responses, in the same order.
    """
    table = np.array([np.asarray(each, dtype=np.float64) for each in values])
    scores = table.mean(axis=1)
    sd = float(scores.std(ddof=1)) if len(scores) > 1 else None
    interval = _interval(table) if len(scores) >= MIN_TRAININGS and table.shape[1] > 1 else None
    return Spread(tuple(map(float, scores)), float(scores.mean()), sd, interval)


def _interval(table: F64) -> Interval:
    """Return the mean of a table (trainings, items) with its 95% interval.

    The variance is that of two crossed random factors by analysis of variance (Scheffe 1959,
    chapter 7), at least as large as either factor alone gives, with Satterthwaite's degrees of
    freedom. The interval is Clopper and Pearson's for the number of single responses that vary as
    much, shrunk for the few degrees of freedom as Korn and Graubard (1998) do.
    """
    from scipy.special import ndtri, stdtrit

    num_trainings, num_items = table.shape
    mean = float(table.mean())
    of_training, of_item = table.mean(axis=1) - mean, table.mean(axis=0) - mean
    rest = table - mean - of_training[:, None] - of_item[None, :]
    degrees = np.array([num_trainings - 1, num_items - 1, (num_trainings - 1) * (num_items - 1)])
    squares = [num_items * of_training @ of_training, num_trainings * of_item @ of_item]
    means = np.array([*squares, (rest**2).sum()]) / degrees / table.size
    variance = float(max(means[0] + means[1] - means[2], means[0], means[1]))
    parts = float((means**2 / degrees).sum())
    freedom = max(1.0, variance**2 / parts) if parts > 0 else num_items - 1.0
    most = num_items * mean * (1 - mean)
    effective = num_items * (most + EVEN_ITEM) / (variance * num_items**2 + EVEN_ITEM)
    shrunk = (float(ndtri(1 - LEVEL / 2)) / float(stdtrit(freedom, 1 - LEVEL / 2))) ** 2
    return clopper_pearson(mean, effective * shrunk)


def difference(first: Sequence[npt.ArrayLike], second: Sequence[npt.ArrayLike]) -> Interval | None:
    """Return the mean score of the second trainings minus that of the first, on the same items.

    The 95% interval is over items, which both share, and over the trainings of each. The variance
    over items has two pseudo-items, as `statistics.mean_step` has, and each setting adds what its
    trainings differ by beyond single answers.

    Returns:
        The difference, or None if a setting has fewer than MIN_TRAININGS.
    """
    from scipy.special import stdtrit

    if min(len(first), len(second)) < MIN_TRAININGS:
        return None
    tables = [
        np.array([np.asarray(each, dtype=np.float64) for each in own]) for own in (first, second)
    ]
    steps = tables[1].mean(axis=0) - tables[0].mean(axis=0)
    padded = np.concatenate([steps, [-1.0, 1.0]])
    parts = [(float(padded.var(ddof=1)) / len(padded), len(padded) - 1)]
    for table in tables:
        scores = table.mean(axis=1)
        rest = table - scores[:, None] - table.mean(axis=0)[None, :] + table.mean()
        degrees = (len(scores) - 1) * max(1, table.shape[1] - 1)
        beyond = float(scores.var(ddof=1)) - float((rest**2).sum()) / degrees / table.shape[1]
        parts.append((max(0.0, beyond) / len(scores), len(scores) - 1))
    variance = sum(part for part, _ in parts)
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    value, middle = float(steps.mean()), float(padded.mean())
    half = float(stdtrit(freedom, 1 - LEVEL / 2)) * float(np.sqrt(variance))
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    return Interval(value, min(low, value), max(high, value))
