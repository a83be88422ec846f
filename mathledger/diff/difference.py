"""Collect the differences between two sides: numbers, their causes, and the consequences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mathledger.chain import facts
from mathledger.core.errors import InputError
from mathledger.core.keys import differences, flatten
from mathledger.diff import attribution, causes, numbers, rows
from mathledger.diff.attribution import Attribution
from mathledger.diff.numbers import NumberDifference
from mathledger.diff.rows import RowsDifference
from mathledger.diff.sides import Number, Side


@dataclass(frozen=True)
class Values:
    """A value that differs; a side without the key has ABSENT."""

    key: str
    a: Any
    b: Any


@dataclass(frozen=True)
class Weights:
    """A model whose weights differ, with DVC's digests; null if the side lacks the model."""

    model: str
    a: str | None
    b: str | None


@dataclass(frozen=True)
class Difference:
    """All differences between two sides."""

    a: Side
    b: Side
    numbers: list[NumberDifference]  # numbers that both sides have
    only_in_a: list[Number]
    only_in_b: list[Number]
    attribution: Attribution
    rows: list[RowsDifference]
    funnel: list[Values]  # rows after each stage, by corpus
    training: list[Values]
    weights: list[Weights]


def compare(a: Side, b: Side, name: str | None = None) -> Difference:
    """Return all differences between two sides.

    Args:
        name: BENCHMARK or BENCHMARK@MODEL, to restrict the comparison.

    Raises:
        InputError: a side lacks the number, or a file is not in the cache.
    """
    in_a, in_b = _asked(a, name), _asked(b, name)
    shared = [number for number in in_a if number in in_b]
    compared = numbers.compare(a, b, shared)
    ran = causes.upstream(a, shared) & causes.upstream(b, shared)
    is_trained = "train" in ran and bool(shared)
    return Difference(
        a,
        b,
        compared,
        [number for number in in_a if number not in in_b],
        [number for number in in_b if number not in in_a],
        attribution.attribute(a, b, compared),
        list(_rows(a, b, ran)),
        _values(a.ledger.funnel, b.ledger.funnel) if is_trained else [],
        _values(_training(a), _training(b)) if is_trained else [],
        list(_weights(a, b, shared)),
    )


def _asked(side: Side, name: str | None) -> list[Number]:
    """Return the requested numbers of a side.

    Raises:
        InputError: the side has no such number.
    """
    if name is None:
        return list(side.numbers)
    benchmark, _, model = name.partition("@")
    asked = [
        number
        for number in side.numbers
        if number.benchmark == benchmark and model in ("", number.model)
    ]
    if not asked:
        known = [number.name for number in side.numbers] if model else list(side.benchmarks)
        raise InputError(
            f"{side.label} has no number for {name}; it has {', '.join(known) or 'none'}"
        )
    return asked


def _rows(a: Side, b: Side, ran: set[str]) -> Iterator[RowsDifference]:
    """Yield the rows that data stages gained and lost; cards have no rows to compare."""
    is_private = any(
        facts.is_private(side.ledger.params, name) for side in (a, b) for name in side.benchmarks
    )
    if a.chain and b.chain:
        for stage in a.runs:
            if stage in ran:
                yield from rows.differences(a.chain, b.chain, stage, is_private)


def _weights(a: Side, b: Side, shared: Sequence[Number]) -> Iterator[Weights]:
    """Yield the models whose weights differ."""
    answered = {number.model: number for number in reversed(shared)}
    for model in dict.fromkeys(number.model for number in shared):
        digests = [_model_md5(side, answered[model]) for side in (a, b)]
        if digests[0] != digests[1]:
            yield Weights(model, *digests)


def _model_md5(side: Side, number: Number) -> str | None:
    """Return the digest of the model behind a number."""
    run = side.runs.get(number.stage)
    return run.inputs.get(f"data/model/{number.model}") if run else None


def _training(side: Side) -> dict[str, Any]:
    """Return the ledger's record of the training, by dotted key."""
    ledger = side.ledger
    sections = {"training": ledger.training.content()}
    if ledger.reinforcement:
        sections["reinforcement"] = ledger.reinforcement.content()
    return flatten(sections)


def _values(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Values]:
    return [Values(*each) for each in differences(old, new)]
