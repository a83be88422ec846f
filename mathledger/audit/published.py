"""Compare the card's numbers for other models with published results (`--known FILE`)."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from mathledger import given
from mathledger.audit import known
from mathledger.audit.arithmetic import Printed, printed
from mathledger.audit.types import Claim, Finding
from mathledger.audit.words import benchmark_of
from mathledger.core.errors import InputError
from mathledger.core.parsing import expect_small

MAX_BYTES = 16 << 20  # Of a file of published results.


@dataclass(frozen=True)
class Result:
    """One entry of a file of published results."""

    names: tuple[str, ...]  # Names that the model goes by.
    benchmark: str
    value: Printed
    text: str  # The value as written in the file.
    condition: str  # How the value was measured; may be empty.
    source: str
    seen: str  # Day on which the source was read; may be empty.


def read(path: Path) -> list[Result]:
    """Read a list of {model, benchmark, value, source}.

    `model` may be a list of names. Two keys are optional: `condition` says how the value was
    measured, and `seen` when the source was read.

    Raises:
        InputError: If the file is missing, is not such a list, or names an unknown benchmark.
    """
    import yaml

    text = given.read_text(path, "name a YAML file of published results", MAX_BYTES)
    try:
        expect_small(yaml.parse(text, Loader=yaml.BaseLoader))
        # BaseLoader keeps a value's digits as they are written.
        rows = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(rows, list):
        raise InputError(f"{path} must be a list of model, benchmark, value and source")
    return [_result(row, f"{path}, entry {number}") for number, row in enumerate(rows, 1)]


def _result(row: Any, where: str) -> Result:
    needed, more = {"model", "benchmark", "value", "source"}, {"condition", "seen"}
    if not isinstance(row, dict) or not needed <= row.keys() <= needed | more:
        raise InputError(
            f"{where}: needs {', '.join(sorted(needed))}, may have condition and seen; "
            f"has {row!r:.80}"
        )
    names = row["model"] if isinstance(row["model"], list) else [row["model"]]
    named = known.mentions(str(row["benchmark"]))
    if len(named) != 1 or named[0].key is None:
        raise InputError(
            f"{where}: benchmark {row['benchmark']!r} is not one of "
            "mathledger/audit/benchmarks.yaml"
        )
    text = str(row["value"])
    try:
        value = printed(text.removesuffix("%").strip())
    except ValueError:
        raise InputError(f"{where}: value {text!r} is not a percentage such as 69.7") from None
    if not 0 <= value.low <= 100:
        raise InputError(f"{where}: value {text!r} is not a percentage from 0 to 100")
    return Result(
        tuple(str(name) for name in names),
        named[0].key,
        value,
        text,
        str(row.get("condition", "")),
        str(row["source"]),
        str(row.get("seen", "")),
    )


def compare(claims: list[Claim], results: list[Result]) -> Iterator[Finding]:
    """Find claims about other models that differ from some or all published results."""
    points, lines, sources = [], [], []
    for claim in claims:
        if claim.value is None or claim.subset or claim.whose != "other":
            continue
        own = [result for result in results if _is_of(claim, result)]
        own = [result for result in own if result.condition == claim.metric] or own
        agree = [result for result in own if _agrees(claim, result)]
        apart = [result for result in own if result not in agree]
        if not apart:
            continue
        text = f"Line {claim.line}: {benchmark_of(claim)} {claim.text} for {claim.model}. "
        if agree:
            text += f"That agrees with {_shown(agree)}, not with {_shown(apart)}."
        else:
            text += f"Published: {_shown(apart)}."
        points.append(text)
        lines.append(claim.line)
        sources += [result.source for result in own]
    if points:
        yield Finding(
            "published",
            "question",
            "Numbers of other models that do not match every published result",
            sorted(set(lines)),
            points,
            "the source of each number, with its conditions.",
            list(dict.fromkeys(sources)),
            len(points),
        )


def _is_of(claim: Claim, result: Result) -> bool:
    names = {known.words(name) for name in result.names}
    return bool(
        claim.model
        and known.words(claim.model) in names
        and claim.benchmark
        and known.related(claim.benchmark, result.benchmark)
    )


def _agrees(claim: Claim, result: Result) -> bool:
    assert claim.value
    slack = claim.value.half + result.value.half
    if claim.is_about:
        slack = last_place(claim.value) / 2 + result.value.half
    return claim.value.low - slack <= result.value.low <= claim.value.high + slack


def last_place(value: Printed) -> Fraction:
    """Return the place value of an approximate number's last nonzero digit.

    >>> [int(last_place(printed(text))) for text in ("80", "25", "100")]
    [10, 1, 100]
    """
    place = Fraction(10) ** -value.decimals
    ends = (value.low, value.high)
    while place < 100 and all(end % (place * 10) == 0 for end in ends):
        place *= 10
    return place


def _shown(results: list[Result]) -> str:
    names = [known.benchmarks()[result.benchmark].name for result in results]
    told = []
    for result, name in zip(results, names, strict=True):
        seen = f"read on {result.seen}" if result.seen else ""
        about = ", ".join(part for part in (name, result.condition, seen) if part)
        told.append(f"{result.text} ({about})")
    return " and ".join(dict.fromkeys(told))
