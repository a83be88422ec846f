"""Attribute differing numbers to changes; list changes without effect and unexplained stages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mathledger.diff import causes
from mathledger.diff.causes import Change
from mathledger.diff.numbers import NumberDifference
from mathledger.diff.sides import Side

Identity = tuple[str, str, str, str]


@dataclass
class Cause:
    """A change with the stages where it happened and the numbers that it affects."""

    change: Change
    stages: list[str] = field(default_factory=list)  # empty for a card, which does not name them
    numbers: list[str] = field(default_factory=list)
    git_revisions: tuple[str | None, str | None] | None = None  # commits of both sides, for code

    def add(self, stages: Sequence[str], number: str | None = None) -> None:
        self.stages += [stage for stage in stages if stage not in self.stages]
        if number is not None and number not in self.numbers:
            self.numbers.append(number)


@dataclass(frozen=True)
class Unexplained:
    """A stage with a different output although its inputs and everything recorded are the same."""

    stage: str
    numbers: list[str]


@dataclass(frozen=True)
class Attribution:
    """The causes of differing numbers, the unexplained stages, and the changes without effect."""

    causes: list[Cause]  # upstream first
    unexplained: list[Unexplained]
    without_effect: list[Cause]


def attribute(a: Side, b: Side, numbers: Sequence[NumberDifference]) -> Attribution:
    """Trace each number that differs back to the changes that caused it."""
    order = list(dict.fromkeys([*a.runs, *b.runs]))
    active: dict[Identity, Cause] = {}
    unexplained: dict[str, list[str]] = {}
    reached: set[str] = set()
    for difference in numbers:
        route = _route(a, b, difference)
        if route is None:
            continue
        name = difference.number.name
        reached.update(route.stages)
        for stage in route.unexplained:
            unexplained.setdefault(stage, []).append(name)
        for change, stages in _on_route(a, b, route):
            active.setdefault(change.identity, Cause(change)).add(stages, name)
    idle = _idle(a, b, numbers, reached, active)
    for cause in (*active.values(), *idle.values()):
        if cause.change.kind == "code" and cause.stages:
            old, new = (side.runs[cause.stages[0]] for side in (a, b))
            cause.git_revisions = old.git_revision, new.git_revision

    def place(cause: Cause) -> int:
        return min(map(order.index, cause.stages), default=-1)

    return Attribution(
        sorted(active.values(), key=place),
        [Unexplained(stage, unexplained[stage]) for stage in order if stage in unexplained],
        sorted(idle.values(), key=place),
    )


def _route(a: Side, b: Side, difference: NumberDifference) -> causes.Route | None:
    """Return the stages that lead to a number that differs, or None if it does not differ."""
    if not difference.has_same_responses:
        return causes.trace(a, b, difference.number)
    if not difference.is_same:  # computed differently from the same responses
        return causes.Route(["model_card"], [])
    return None


def _on_route(a: Side, b: Side, route: causes.Route) -> Iterator[tuple[Change, list[str]]]:
    """Yield the changes at a route's stages, and changes in a card, which have no stages."""
    for stage in route.stages:
        for change in causes.own_changes(a, b, stage):
            yield change, [stage]
    for change in causes.unattributed(a, b):
        if causes.can_lead_to_numbers(change):
            yield change, []


def _idle(
    a: Side,
    b: Side,
    numbers: Sequence[NumberDifference],
    reached: set[str],
    active: dict[Identity, Cause],
) -> dict[Identity, Cause]:
    """Return the changes that affect no number, at stages upstream of the numbers."""
    idle: dict[Identity, Cause] = {}
    shared = [difference.number for difference in numbers]
    rested_on = causes.upstream(a, shared) | causes.upstream(b, shared)
    for stage in dict.fromkeys([*a.runs, *b.runs]):
        if stage in rested_on and stage not in reached:
            for change in causes.own_changes(a, b, stage):
                if change.identity not in active:
                    idle.setdefault(change.identity, Cause(change)).add([stage])
    for change in causes.unattributed(a, b):
        if change.identity not in active:
            idle.setdefault(change.identity, Cause(change))
    return idle
