"""Load the scores that a policy names, with the responses behind them where they are cached."""

from collections.abc import Sequence
from dataclasses import dataclass

from mathledger.card.ledger import ModelScore
from mathledger.card.outputs import responses_path
from mathledger.chain import facts
from mathledger.chain.chain import Chain
from mathledger.compare.load import Outcomes, outcomes
from mathledger.core.errors import InputError
from mathledger.diff.sides import Number, Side, open_side
from mathledger.gate.policy import Rule


@dataclass(frozen=True)
class Measured:
    """A score of one state."""

    score: ModelScore
    items_digest: str
    outcomes: Outcomes | None  # None if the responses are not in the cache


@dataclass(frozen=True)
class Scores:
    """The score that a rule is about, and the one that it is compared with."""

    now: Measured
    base: Measured | None  # None for a fixed value


def scores(revision: str, base: str | None, rules: Sequence[Rule]) -> list[Scores]:
    """Return the scores of each rule.

    Args:
        revision: a revision, an experiment, `workspace`, or a card with its ledger.

    Raises:
        InputError: a ledger has no such score, or a rule needs a base and there is none.
    """
    needs_base = [rule.metric for rule in rules if rule.value is None]
    if needs_base and base is None:
        raise InputError(
            f"{needs_base[0]} is compared with a base revision: name it with --base or `base:`, or "
            "give the rule a `value`"
        )
    now = open_side(revision)
    before = open_side(base) if base and needs_base else None
    return [
        Scores(
            measured(now, rule),
            measured(before, rule) if before and rule.value is None else None,
        )
        for rule in rules
    ]


def measured(side: Side, rule: Rule) -> Measured:
    """Return a score with its responses.

    Raises:
        InputError: the ledger has no such score.
    """
    score = side.numbers.get(Number(rule.benchmark, rule.model))
    if score is None:
        known = ", ".join(number.name for number in side.numbers)
        raise InputError(
            f"the ledger of {side.label} has no {rule.metric}; it has {known}: add the rule "
            "when both states have the score"
        )
    own = None
    if side.chain and is_cached(side.chain, rule):
        own = outcomes(facts.responses(side.chain, rule.model, rule.benchmark))
    return Measured(score, side.benchmarks[rule.benchmark].source.items_digest, own)


def is_cached(chain: Chain, rule: Rule) -> bool:
    """Return True if the responses are in the cache; a clone without `dvc pull` has none."""
    try:
        chain.cached(responses_path(rule.model, rule.benchmark))
    except InputError:
        return False
    return True
