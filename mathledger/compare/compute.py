"""Compare each experiment with the baseline by benchmark, also split by overlap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mathledger.compare.groups import Group, groups
from mathledger.compare.load import Experiment, Outcomes, Responses
from mathledger.core.errors import InputError
from mathledger.evaluation import statistics
from mathledger.evaluation.statistics import FamilyTest, Interval


@dataclass(frozen=True)
class Part:
    """The score on a part of the items."""

    num_items: int
    num_samples: int
    num_correct: int
    accuracy: float
    low: float
    high: float
    difference: Interval | None  # difference from the baseline; null for the baseline


@dataclass(frozen=True)
class Split:
    """The scores on the items that the baseline's corpora hold, and on the others."""

    items_with_overlap: Part
    items_without_overlap: Part


@dataclass(frozen=True)
class Result:
    """The result of an experiment on a benchmark."""

    responses: Responses
    test: FamilyTest | None  # null for the baseline, or if `not_tested` gives a reason
    not_tested: str | None
    by_overlap: Split | None  # null if all items are of one kind, or differ from the baseline's


@dataclass(frozen=True)
class Row:
    """An experiment with its result on each benchmark."""

    experiment: Experiment
    results: dict[str, Result]


@dataclass(frozen=True)
class Comparison:
    """The baseline and the experiments that are compared with it."""

    baseline: Row
    others: list[Row]
    num_tests: int
    groups: list[Group]

    @property
    def rows(self) -> list[Row]:
        return [self.baseline, *self.others]


def compare(experiments: Sequence[Experiment], overlapping: Mapping[str, set[str]]) -> Comparison:
    """Compare each experiment with the first one, which is the baseline.

    Args:
        overlapping: for each benchmark, the items that the baseline's corpora hold.
    """
    baseline, *others = experiments
    tests = _tests(baseline, others)

    def result(number: int, benchmark: str, own: Responses) -> Result:
        if reason := why_not_tested(baseline, benchmark, own):
            return Result(own, None, reason, None)
        before = baseline.responses[benchmark].outcomes
        split = by_overlap(own.outcomes, before, overlapping.get(benchmark, set()))
        return Result(own, tests[number, benchmark], None, split)

    first = {
        name: Result(own, None, None, by_overlap(own.outcomes, None, overlapping.get(name, set())))
        for name, own in baseline.responses.items()
    }
    rows = [
        Row(other, {name: result(number, name, own) for name, own in other.responses.items()})
        for number, other in enumerate(others)
    ]
    return Comparison(Row(baseline, first), rows, len(tests), groups(experiments))


def _tests(baseline: Experiment, others: Sequence[Experiment]) -> dict[tuple[int, str], FamilyTest]:
    """Test each number that can be paired, keyed by the experiment's index and the benchmark."""
    pairs = {
        (number, benchmark): pair(baseline.responses[benchmark], own, benchmark, other.name)
        for number, other in enumerate(others)
        for benchmark, own in other.responses.items()
        if not why_not_tested(baseline, benchmark, own)
    }
    return statistics.compare_all(pairs)


def why_not_tested(baseline: Experiment, benchmark: str, own: Responses) -> str | None:
    """Return the reason why a score cannot be paired with the baseline's, or None if it can."""
    before = baseline.responses.get(benchmark)
    if before is None:
        return "the baseline has no responses to this benchmark"
    if before.items_digest != own.items_digest:
        return "the baseline answered different items"
    return None


def pair(
    before: Responses, after: Responses, benchmark: str, name: str
) -> tuple[list[list[bool]], list[list[bool]]]:
    """Pair two models' outcomes on the same items.

    Raises:
        InputError: the responses are to different items.
    """
    if before.outcomes.keys() != after.outcomes.keys():
        raise InputError(
            f"{benchmark} has the same items_digest in the baseline and in {name}, but responses "
            "to different items: run `mathledger verify` on both"
        )
    items = sorted(before.outcomes)
    return [before.outcomes[item] for item in items], [after.outcomes[item] for item in items]


def by_overlap(own: Outcomes, before: Outcomes | None, overlapping: set[str]) -> Split | None:
    """Score the overlapping items and the others, with their differences from the baseline.

    Args:
        before: the baseline's responses to the same items; None for the baseline itself.

    Returns:
        The two scores, or None if all items are of one kind.
    """
    items = sorted(own.keys() & overlapping), sorted(own.keys() - overlapping)
    if not all(items):
        return None
    return Split(*(_part(own, before, each) for each in items))


def _part(own: Outcomes, before: Outcomes | None, items: list[str]) -> Part:
    right = [own[item] for item in items]
    accuracy = statistics.accuracy(right)
    return Part(
        len(items),
        sum(map(len, right)),
        sum(map(sum, right)),
        accuracy.value,
        accuracy.low,
        accuracy.high,
        statistics.compare([before[item] for item in items], right).difference if before else None,
    )
