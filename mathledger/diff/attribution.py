"""Which numbers each change leads to, which changes lead to none, and what nothing explains."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mathledger.diff import causes
from mathledger.diff.causes import Change
from mathledger.diff.numbers import NumberDifference
from mathledger.diff.sides import Side

Identity = tuple[str, str, str, str]


@dataclass
class Cause:
    """A change, with its stages and the numbers that it leads to."""

    change: Change
    stages: list[str] = field(default_factory=list)  # empty: a card does not say which read it
    numbers: list[str] = field(default_factory=list)
    git_revisions: tuple[str | None, str | None] | None = None  # of code: at which both sides ran

    def add(self, stages: Sequence[str], number: str | None = None) -> None:
        self.stages += [stage for stage in stages if stage not in self.stages]
        if number is not None and number not in self.numbers:
            self.numbers.append(number)


@dataclass(frozen=True)
class Unexplained:
    """A stage whose output differs, with the same inputs and nothing recorded to have changed."""

    stage: str
    numbers: list[str]


@dataclass(frozen=True)
class Attribution:
    causes: list[Cause]  # upstream first
    unexplained: list[Unexplained]
    without_effect: list[Cause]


def attribute(a: Side, b: Side, numbers: Sequence[NumberDifference]) -> Attribution:
    """Follow each number that differs back to what changed."""
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
    """Return the stages that lead to a number that differs; None if it does not."""
    if not difference.has_same_responses:
        return causes.trace(a, b, difference.number)
    if not difference.is_same:  # computed otherwise from the same responses
        return causes.Route(["model_card"], [])
    return None


def _on_route(a: Side, b: Side, route: causes.Route) -> Iterator[tuple[Change, list[str]]]:
    """Yield the changes at a route's stages, and those of a card, which names no stages."""
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
    """Collect the changes that lead to no number, at the stages that the numbers rest on."""
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
