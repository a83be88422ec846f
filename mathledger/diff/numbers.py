"""Compare the numbers of two states, and test whether their difference is beyond noise.

Responses to the same items are compared by a paired test (docs/statistics.md): the exact sign-flip
test, with Holm's adjustment for all tested numbers. If the items differ, or a card has no
responses, the scores are compared as independent ones, by the interval of their difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mathledger.card.ledger import ModelScore
from mathledger.chain import facts
from mathledger.core.errors import InputError
from mathledger.diff import responses
from mathledger.diff.causes import is_same_run
from mathledger.diff.responses import Changes, Responses
from mathledger.diff.sides import Number, Side
from mathledger.evaluation import statistics
from mathledger.evaluation.statistics import FamilyTest, Interval

Outcomes = list[list[bool]]  # for each item, whether each response is correct
Pairs = dict[Number, tuple[Outcomes, Outcomes]]


@dataclass(frozen=True)
class UnpairedTest:
    """A comparison of both sides as independent scores."""

    difference: Interval
    reason: str  # reason why they cannot be paired

    @property
    def is_significant(self) -> bool:
        return self.difference.low > 0 or self.difference.high < 0


@dataclass(frozen=True)
class NumberDifference:
    """A number that both sides have."""

    number: Number
    a: ModelScore
    b: ModelScore
    has_same_responses: bool
    test: FamilyTest | UnpairedTest | None  # null if both sides share one evaluation run
    responses: Changes | None

    @property
    def is_same(self) -> bool:
        """Return True if neither the responses nor the scores differ."""
        return self.has_same_responses and self.a.statistics() == self.b.statistics()


def compare(a: Side, b: Side, numbers: Sequence[Number]) -> list[NumberDifference]:
    """Compare each number on both sides, with a test if the model was evaluated again."""
    pairs: Pairs = {}
    differences = [_compare(a, b, number, pairs) for number in numbers]
    tests = statistics.compare_all(pairs)
    return [
        replace(each, test=tests[each.number]) if each.number in tests else each
        for each in differences
    ]


def _compare(a: Side, b: Side, number: Number, pairs: Pairs) -> NumberDifference:
    """Compare a number, and add its outcomes to `pairs` if they need a paired test."""
    old, new = a.numbers[number], b.numbers[number]
    is_same = old.samples_sha256 == new.samples_sha256
    untested = NumberDifference(number, old, new, is_same, None, None)
    if is_same and is_same_run(a, b, number.stage):
        return untested
    digests = [side.benchmarks[number.benchmark].source.items_digest for side in (a, b)]
    if digests[0] != digests[1]:
        test = _unpaired(old, new, "the benchmark's items are not the same")
        return replace(untested, test=test)
    if not (a.chain and b.chain):
        if is_same:
            return untested
        return replace(untested, test=_unpaired(old, new, "a card holds no responses"))
    before, after = responses.read(a, number), responses.read(b, number)
    if set(before) != set(after):
        raise InputError(
            f"{number.benchmark} has the same items_digest on both sides, but responses to "
            "different items: run `mathledger verify` on both"
        )
    is_private = any(facts.is_private(side.ledger.params, number.benchmark) for side in (a, b))
    changes = None if is_same else responses.compare(before, after, is_private)
    pairs[number] = _outcomes(before), _outcomes(after)
    return replace(untested, responses=changes)


def _outcomes(responses: Responses) -> Outcomes:
    return [[each.correct for each in responses[item].values()] for item in sorted(responses)]


def _unpaired(old: ModelScore, new: ModelScore, reason: str) -> UnpairedTest:
    scores = [Interval(each.accuracy or 0, each.low or 0, each.high or 0) for each in (new, old)]
    return UnpairedTest(statistics.gap(*scores), reason)
