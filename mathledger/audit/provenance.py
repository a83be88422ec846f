"""Findings on a card's inputs: overlap with benchmarks, licences, the arithmetic of training."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from mathledger.audit import known
from mathledger.audit.inputs import Inputs, Number, TrainingSet
from mathledger.audit.types import Claim, Finding
from mathledger.audit.words import benchmark_of, lines_of, on_lines, percent, urls
from mathledger.card.licences import Licence, licences


def of_inputs(claims: list[Claim], inputs: Inputs) -> Iterator[Finding]:
    """Every finding that the inputs give."""
    yield from overlap(claims, inputs)
    yield from training(inputs)
    yield from licence(inputs)


def overlap(claims: list[Claim], inputs: Inputs) -> Iterator[Finding]:
    """Training sets that are known, by their sources, to hold what is tested or its other half."""
    points, lines, sources, names = [], set(), [], []
    for training_set in inputs.sets:
        for held in training_set.corpus.overlaps if training_set.corpus else ():
            hit = [
                claim
                for claim in claims
                if claim.benchmark and claim.whose == "this" and held.bears_on(claim.benchmark)
            ]
            if hit:
                on = ", ".join(dict.fromkeys(benchmark_of(claim) for claim in hit))
                points.append(
                    f"{training_set.name} (line {training_set.line}): {held.how}. That bears on "
                    f"{on} ({on_lines(hit)})."
                )
                lines |= {training_set.line, *lines_of(hit)}
                sources.append(held.source)
                names.append(training_set.name)
    if points:
        yield Finding(
            "overlap",
            "Training sets known to hold what is tested, or its other half: "
            + ", ".join(dict.fromkeys(names)),
            sorted(lines),
            points,
            "the items of each benchmark found in the training rows, and the scores on the rest.",
            urls(sources),
        )


# What a licence binds derived work to, beyond credit.
_BINDS = {
    "share_alike": "asks that derived work goes under the same licence",
    "restricted": "limits use, and has every derived model carry the limits on",
    "noncommercial": "does not allow commercial use",
}


def licence(inputs: Inputs) -> Iterator[Finding]:
    """The card's licence against those of base model and training sets."""
    points: list[str] = []
    lines, sources = [], []
    stated = [one for one in inputs.licences if one.licence]
    own = stated[0].licence if stated else None
    for first, other in pairwise(stated):
        if first.licence != other.licence:
            points.append(f"Line {first.line} says {first.text}, line {other.line} {other.text}.")
            lines += [first.line, other.line]
    if not inputs.licences:
        points.append("The card does not say under which licence the model is.")
    lines += [one.line for one in stated]
    for name, line in inputs.base:
        model = known.model(name)
        lines.append(line)
        if model is None:
            points.append(f"The licence of {name} (line {line}) is not known here.")
            continue
        needs = licences()[model.licence]
        sources += [model.source, needs.source or ""]
        if needs == own:
            continue
        if needs.kind in _BINDS:
            points.append(
                f"The base {name} (line {line}) is under {needs.name}, which {_BINDS[needs.kind]}; "
                + (
                    f"the card gives {own.name}."
                    if own
                    else "no licence that is known here is given."
                )
            )
        for same in inputs.licences:
            if same.same_as_base and own:
                points.append(
                    f"Line {same.line} says {own.name}, and that it is the base model's licence: "
                    f"that is {needs.name}."
                )
    for training_set in inputs.sets:
        where = f"{training_set.name} (line {training_set.line})"
        lines.append(training_set.line)
        if training_set.corpus is None:
            points.append(f"The licence of {where} is not known here.")
            continue
        needs = licences()[training_set.corpus.licence]
        if needs.kind == "attribution":
            points.append(f"{where} is under {needs.name}, which asks for credit to its makers.")
        elif needs.kind in _BINDS and needs != own:
            points.append(
                f"{where} is under {needs.name}, which {_BINDS[needs.kind]}; whether that binds a "
                "model trained on it is open."
            )
        sources.append(training_set.corpus.licence_source)
    if points:
        yield Finding(
            "licence",
            _licence_title(inputs, own),
            sorted(set(lines)),
            points,
            "the model's licence, and that of each input at the revision that was used. This is no "
            "legal advice.",
            urls(sources),
        )


def _licence_title(inputs: Inputs, own: Licence | None) -> str:
    if not inputs.licences:
        return "No licence is stated"
    return f"The licence ({own.name if own else 'not known here'}) against those of the inputs"


def training(inputs: Inputs) -> Iterator[Finding]:
    """Batch, steps and epochs against each other and against the rows that the card names."""
    facts = [*_batch(inputs), *_steps(inputs), *_sizes(inputs)]
    if facts:
        sets = [one.corpus for one in inputs.sets if one.corpus]
        yield Finding(
            "training",
            f"The arithmetic of the training: {facts[0].brief}",
            sorted({line for fact in facts for line in fact.lines}),
            [fact.text for fact in facts],
            "the number of devices, whether rows were packed, and which rows were seen.",
            urls([corpus.licence_source for corpus in sets]),
        )


class Fact(NamedTuple):
    """What the arithmetic of the training gives."""

    text: str
    lines: list[int]
    brief: str


def _batch(inputs: Inputs) -> Iterator[Fact]:
    """The effective batch against its factors."""
    effective, product = inputs.settings.get("effective"), _product(inputs)
    if not effective or not product or effective.value == product:
        return
    factors = [inputs.settings[key] for key in _FACTORS if key in inputs.settings]
    text = " x ".join(factor.text for factor in factors)
    says = (
        f"Line {effective.line} gives an effective batch of {effective.text}; {text} is {product}."
    )
    if "devices" not in inputs.settings and effective.value % product == 0:
        says += f" It fits {effective.value / product} devices, which the card does not name."
    lines = [effective.line, *(factor.line for factor in factors)]
    yield Fact(says, lines, f"effective batch {effective.text}, not {text}")


_FACTORS = ("batch", "accumulation", "devices")


def _product(inputs: Inputs) -> Fraction | None:
    """Batch x accumulation x devices, as far as the card gives them."""
    if "batch" not in inputs.settings:
        return None
    product = Fraction(1)
    for key in _FACTORS:
        if key in inputs.settings:
            product *= inputs.settings[key].value
    return product


def _rows(inputs: Inputs) -> Number | None:
    """The training rows that the card names: its total, or the sum of its sets."""
    sizes = [one.size for one in inputs.sets if one.size]
    if inputs.total or not sizes:
        return inputs.total
    total = sum((size.value for size in sizes), Fraction(0))
    unit = max(size.unit for size in sizes)
    return Number(total, unit, f"{int(total):,}", sizes[0].line)


def _steps(inputs: Inputs) -> Iterator[Fact]:
    """How much of the rows so many steps can see, and so many epochs would take."""
    steps, epochs, rows = inputs.settings.get("steps"), inputs.settings.get("epochs"), _rows(inputs)
    effective = inputs.settings.get("effective")
    per_step = effective.value if effective else _product(inputs)
    if not steps or not per_step or not rows or not rows.value:
        return
    examples = steps.value * per_step
    share = percent(100 * examples / rows.value, 1)
    brief = f"{int(steps.value):,} steps of {int(per_step)} are {int(examples):,} examples, "
    brief += f"{share}% of {rows.text} rows"
    text = (
        f"{int(steps.value):,} steps (line {steps.line}) of {int(per_step)} are {int(examples):,} "
    )
    text += f"examples: {share}% of the {rows.text} rows that the card names (line {rows.line})."
    if examples < rows.value:
        text += " The others were not seen, unless rows were packed or more devices ran."
    yield Fact(text, [steps.line, rows.line], brief)
    if epochs and epochs.value:
        expected = epochs.value * rows.value / per_step
        if not Fraction(9, 10) <= steps.value / expected <= Fraction(11, 10):
            text = (
                f"{epochs.text} epochs (line {epochs.line}) of {rows.text} rows would take "
                f"{int(expected):,} steps."
            )
            yield Fact(text, [epochs.line], "epochs against steps")


def _sizes(inputs: Inputs) -> Iterator[Fact]:
    """The sets' sizes against their total, and against what is published."""
    sized: list[tuple[TrainingSet, Number]] = [(one, one.size) for one in inputs.sets if one.size]
    if inputs.total and len(sized) > 1:
        total = sum((size.value for _, size in sized), Fraction(0))
        slack = sum((size.unit for _, size in sized), inputs.total.unit)
        if abs(total - inputs.total.value) > slack:
            text = (
                f"The sets add up to {int(total):,} rows; the card's total is {inputs.total.text}"
            )
            line = inputs.total.line
            yield Fact(f"{text} (line {line}).", [line], "the total of rows")
    for one, size in sized:
        published = one.corpus.rows if one.corpus else ()
        if published and not any(size.holds(rows) for rows in published):
            splits = ", ".join(f"{rows:,}" for rows in published)
            text = f"{one.name} is given {size.text} rows (line {one.line}); its published splits "
            yield Fact(f"{text}have {splits}.", [one.line], f"{one.name} with {size.text} rows")
