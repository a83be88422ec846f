"""Intervals and paired tests, from scipy: no score without its uncertainty."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    difference: Interval  # of the accuracies, tuned minus base
    p_value: float
    num_gained: int  # items wrong before, right after
    num_lost: int


def accuracy(correct: list[bool]) -> Interval:
    """Share correct with its 95% Wilson score interval (Wilson 1927)."""
    from scipy.stats import binomtest

    result = binomtest(sum(correct), len(correct)).proportion_ci(0.95, method="wilson")
    return Interval(sum(correct) / len(correct), float(result.low), float(result.high))


def score(outcomes: list[list[bool]]) -> Interval:
    return accuracy([all(each) for each in outcomes])


def compare(base: list[bool], tuned: list[bool]) -> Comparison:
    """Paired on the items: exact McNemar p, 95% percentile bootstrap interval (9,999 draws)."""
    import numpy as np
    from scipy.stats import binomtest, bootstrap

    gained = sum(after and not before for before, after in zip(base, tuned, strict=True))
    lost = sum(before and not after for before, after in zip(base, tuned, strict=True))
    p_value = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    steps = np.array(tuned, dtype=float) - np.array(base, dtype=float)
    interval = bootstrap(
        (steps,), np.mean, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return Comparison(
        Interval(float(steps.mean()), float(interval.low), float(interval.high)),
        float(p_value),
        gained,
        lost,
    )
