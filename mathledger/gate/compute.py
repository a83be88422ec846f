"""Decide whether a rule holds, is broken, or cannot be decided from these items."""

from dataclasses import dataclass
from typing import Literal

from mathledger.core.errors import InputError
from mathledger.evaluation import statistics
from mathledger.evaluation.statistics import Interval
from mathledger.gate.load import Measured, Scores
from mathledger.gate.policy import Rule

Verdict = Literal["holds", "broken", "unsure"]


@dataclass(frozen=True)
class Finding:
    """The verdict on one rule."""

    rule: Rule
    now: float
    against: float
    difference: Interval  # its ends are one-sided bounds at the rule's confidence
    how: str  # what the interval rests on
    verdict: Verdict

    @property
    def passes(self) -> bool:
        return self.verdict == "holds" or (self.verdict == "unsure" and self.rule.passes_unsure)


def judge(rule: Rule, scores: Scores) -> Finding:
    """Return the verdict on a rule.

    Raises:
        InputError: the confidence is too high for the intervals of a ledger alone.
    """
    now = scores.now.score.accuracy
    if scores.base is None:
        against = float(rule.value or 0) / 100
        own, how = _score(scores.now, rule)
        difference = Interval(now - against, own.low - against, own.high - against)
    else:
        against = scores.base.score.accuracy
        difference, how = _difference(scores.base, scores.now, rule)
    return Finding(rule, now, against, difference, how, verdict(rule, difference))


def verdict(rule: Rule, difference: Interval) -> Verdict:
    """Compare a difference with the rule's margin.

    `not_lower` is broken if a fall by more than the margin is shown, and holds if the items rule it
    out. `higher` holds if a rise by more than the margin is shown.
    """
    if rule.direction == "not_lower":
        least = -rule.margin / 100
        return (
            "holds"
            if difference.low >= least
            else "broken"
            if difference.high < least
            else "unsure"
        )
    least = rule.margin / 100
    return "holds" if difference.low > least else "broken" if difference.high <= least else "unsure"


def _level(rule: Rule) -> float:
    """Return the level of a two-sided interval whose ends are one-sided bounds."""
    return 2 * (1 - rule.confidence)


def _score(measured: Measured, rule: Rule) -> tuple[Interval, str]:
    if measured.outcomes is not None:
        own = statistics.accuracy(list(measured.outcomes.values()), _level(rule))
        return own, "responses"
    return _of_ledger(measured, rule)


def _of_ledger(measured: Measured, rule: Rule) -> tuple[Interval, str]:
    """Return an interval from the counts, or the ledger's 95% interval if items have repeats."""
    score = measured.score
    if score.num_samples == score.num_items:
        right = [True] * score.num_correct + [False] * (score.num_items - score.num_correct)
        return statistics.accuracy(right, _level(rule)), "counts"
    if rule.confidence > 1 - statistics.LEVEL / 2:
        raise InputError(
            f"{rule.metric}: confidence {rule.confidence:g} needs the responses, which are not in "
            "the cache: run `dvc pull`, or lower it to 0.975"
        )
    return Interval(score.accuracy, score.low, score.high), "95% intervals of the ledgers"


def _difference(base: Measured, now: Measured, rule: Rule) -> tuple[Interval, str]:
    is_paired = base.items_digest == now.items_digest
    if is_paired and base.score.samples_sha256 == now.score.samples_sha256:
        return Interval(0.0, 0.0, 0.0), "same responses"
    before, after = base.outcomes, now.outcomes
    if is_paired and before and after and before.keys() == after.keys():
        items = sorted(before)
        pairs = [before[item] for item in items], [after[item] for item in items]
        return statistics.compare(*pairs, _level(rule)).difference, "paired by item"
    (first, _), (second, how) = _score(base, rule), _score(now, rule)
    reason = "other items" if not is_paired else how
    return statistics.gap(second, first), f"not paired: {reason}"
