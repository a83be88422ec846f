"""What changed between the numbers of two states: `mathledger diff A B [BENCHMARK[@MODEL]]`.

sides -> causes (what changed and leads to a number) -> rows and responses (what that did) ->
report. What a person changed is told apart from what followed; where nothing recorded explains a
difference, that is said.
"""

import argparse
import sys
from typing import Any

from mathledger.chain import facts
from mathledger.core import terminal
from mathledger.core.errors import InputError
from mathledger.core.keys import ABSENT, differences, flatten
from mathledger.diff import causes, report, responses, rows
from mathledger.diff.sides import Number, Side, open_side


def difference(a: Side, b: Side, name: str | None = None) -> dict[str, Any]:
    """All that differs, as `--json` prints it.

    Args:
        name: BENCHMARK or BENCHMARK@MODEL, to which the comparison is restricted.

    Raises:
        InputError: a side lacks it, or what is needed is not in the cache.
    """
    asked = [_asked(side, name) for side in (a, b)]
    shared = [number for number in asked[0] if number in asked[1]]
    numbers = responses.compare(a, b, shared)
    found = _causes(a, b, shared, numbers)
    return {
        "a": _described(a),
        "b": _described(b),
        "numbers": numbers,
        "only_in_a": [_name(number) for number in asked[0] if number not in asked[1]],
        "only_in_b": [_name(number) for number in asked[1] if number not in asked[0]],
        **found,
        **_effects(a, b, shared),
    }


def _asked(side: Side, name: str | None) -> list[Number]:
    """The numbers of a side that are compared.

    Raises:
        InputError: there is none of this name.
    """
    if name is None:
        return list(side.numbers)
    benchmark, _, model = name.partition("@")
    found = [n for n in side.numbers if n[0] == benchmark and model in ("", n[1])]
    if not found:
        known = list(map(_name, side.numbers)) if model else list(side.benchmarks)
        raise InputError(
            f"{side.label} has no number for {name}; it has {', '.join(known) or 'none'}"
        )
    return found


def _name(number: Number) -> str:
    return "@".join(number)


def _described(side: Side) -> dict[str, Any]:
    commit = side.chain.commit if side.chain else None
    return {"name": side.label, "commit": commit, "is_card": side.chain is None}


def _causes(
    a: Side, b: Side, shared: list[Number], numbers: list[dict[str, Any]]
) -> dict[str, Any]:
    """The changes that lead to a number, those that lead to none, and what nothing explains."""
    order = list(dict.fromkeys([*a.runs, *b.runs]))
    loose = causes.unattributed(a, b)
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    unexplained: dict[str, list[str]] = {}
    reached: set[str] = set()
    for number, score in zip(shared, numbers, strict=True):
        if not score["has_same_responses"]:
            route = causes.trace(a, b, number)
        elif score["a"] != score["b"]:  # computed otherwise from the same responses
            route = causes.Route(["model_card"], [])
        else:
            continue
        reached.update(route.stages)
        for stage in route.unexplained:
            unexplained.setdefault(stage, []).append(_name(number))
        own = [
            (each, [stage]) for stage in route.stages for each in causes.own_changes(a, b, stage)
        ]
        own += [(each, []) for each in loose if causes.can_lead_to_numbers(each)]
        for change, at in own:
            known = found.setdefault(change.identity, _entry(change))
            _add(known["stages"], *at)
            _add(known["numbers"], _name(number))
    idle: dict[tuple[str, ...], dict[str, Any]] = {}
    rested_on = causes.upstream(a, shared) | causes.upstream(b, shared)
    for stage in order:
        if stage in rested_on and stage not in reached:
            for change in causes.own_changes(a, b, stage):
                if change.identity not in found:
                    _add(idle.setdefault(change.identity, _entry(change))["stages"], stage)
    for change in loose:
        if change.identity not in found:
            idle.setdefault(change.identity, _entry(change))

    for entry in (*found.values(), *idle.values()):
        if entry["kind"] == "code" and entry["stages"]:
            runs = [side.runs[entry["stages"][0]] for side in (a, b)]
            entry["git_revisions"] = [run.git_revision for run in runs]

    def place(entry: dict[str, Any]) -> int:
        return min(map(order.index, entry["stages"]), default=-1)

    return {
        "causes": sorted(found.values(), key=place),
        "unexplained": [
            {"stage": stage, "numbers": own}
            for stage, own in sorted(unexplained.items(), key=lambda each: order.index(each[0]))
        ],
        "without_effect": [
            {key: value for key, value in entry.items() if key != "numbers"}
            for entry in sorted(idle.values(), key=place)
        ],
    }


def _entry(change: causes.Change) -> dict[str, Any]:
    """A change for JSON: a side that does not have the key has no value."""
    values = {"a": change.a, "b": change.b}
    return {
        "kind": change.kind,
        "key": change.key,
        **{side: value for side, value in values.items() if value is not ABSENT},
        "stages": [],
        "numbers": [],
    }


def _add(names: list[str], *others: str) -> None:
    names += [name for name in others if name not in names]


def _effects(a: Side, b: Side, shared: list[Number]) -> dict[str, Any]:
    """What differs beside the numbers and was not changed by a person."""
    ran = causes.upstream(a, shared) & causes.upstream(b, shared)
    is_private = any(
        facts.is_private(side.ledger.params, name) for side in (a, b) for name in side.benchmarks
    )
    of_rows: list[dict[str, Any]] = []
    if a.chain and b.chain:
        for stage in (stage for stage in a.runs if stage in ran):
            of_rows += rows.differences(a.chain, b.chain, stage, is_private)
    models = dict.fromkeys(model for _, model in shared)
    weights = [
        {"model": model, **dict(zip("ab", digests, strict=True))}
        for model in models
        if len(set(digests := [_weights(side, model, shared) for side in (a, b)])) > 1
    ]
    is_trained = any("train" in ran for _ in models)
    return {
        "rows": of_rows,
        "funnel": _pairs(a.ledger.funnel, b.ledger.funnel) if is_trained else [],
        "training": _pairs(*(_training(side) for side in (a, b))) if is_trained else [],
        "weights": weights,
    }


def _weights(side: Side, model: str, shared: list[Number]) -> str | None:
    """The digest of the model that answered."""
    benchmark = next(benchmark for benchmark, other in shared if other == model)
    run = side.runs.get(f"evaluate@{model}-{benchmark}")
    return run.inputs.get(f"data/model/{model}") if run else None


def _training(side: Side) -> dict[str, Any]:
    """What the ledger says of the training, by dotted key."""
    ledger = side.ledger
    sections = {"training": ledger.training.content()}
    if ledger.reinforcement:
        sections["reinforcement"] = ledger.reinforcement.content()
    return flatten(sections)


def _pairs(old: dict[str, Any], new: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, **{s: v for s, v in (("a", a), ("b", b)) if v is not ABSENT}}
        for key, a, b in differences(old, new)
    ]


def run(arguments: argparse.Namespace) -> int:
    """The command: print the differences. The exit status is 0 whatever they are."""
    a, b = open_side(arguments.a), open_side(arguments.b)
    found = difference(a, b, arguments.benchmark)
    if arguments.json:
        print(terminal.json_text(found, 2))
    else:
        sys.stdout.write(terminal.printable(report.text(found)))
    return 0
