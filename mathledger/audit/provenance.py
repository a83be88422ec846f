"""Check a card's inputs: overlap with benchmarks, licences and the arithmetic of training."""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from mathledger.audit import known
from mathledger.audit.inputs import Inputs, Number
from mathledger.audit.types import Claim, Finding, Strength
from mathledger.audit.words import benchmark_of, lines_of, on_lines, percent, urls
from mathledger.card.licences import Licence, licences


def of_inputs(claims: list[Claim], inputs: Inputs) -> Iterator[Finding]:
    """Yield every finding about the inputs."""
    yield from overlap(claims, inputs)
    yield from training(inputs)
    yield from licence(inputs)


def overlap(claims: list[Claim], inputs: Inputs) -> Iterator[Finding]:
    """Find training sets whose sources may hold items of the claimed benchmarks.

    Training on a benchmark's training half is what that half is for. Such a set is listed next to
    the others but raises no question by itself.
    """
    points, lines, sources, names = [], set(), [], []
    is_asked = False
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
                    f"{training_set.name} (line {training_set.line}): {held.how}. This concerns "
                    f"{on} ({on_lines(hit)})."
                )
                lines |= {training_set.line, *lines_of(hit)}
                sources.append(held.source)
                if not held.is_training_half:
                    is_asked = True
                    names.append(training_set.name)
    if is_asked:
        yield Finding(
            "overlap",
            "question",
            "Were benchmark items in the training data? Training sets whose sources hold such "
            f"problems: {', '.join(dict.fromkeys(names))}",
            sorted(lines),
            points,
            "the benchmark items that the training rows hold, and the scores on the other items.",
            urls(sources),
        )


_NC = re.compile(r"(?i)non[- ]?commercial|research[- ]only")
# What each kind of licence asks of derived work, beyond credit.
_BINDS = {
    "share_alike": "asks that derived work be under the same licence",
    "restricted": "limits use and requires derived models to carry the limits on",
    "noncommercial": "does not allow commercial use",
}


def licence(inputs: Inputs) -> Iterator[Finding]:
    """Compare the stated licence with the terms of the base model and the data."""
    if not inputs.licences:
        yield Finding(
            "no_licence",
            "missing",
            "No licence was recognised",
            [],
            ["No licence was recognised in the front matter or in the text."],
            "`license:` in the front matter.",
        )
        return
    told = [*_licences_apart(inputs), *_terms_of_bases(inputs), *_terms_of_sets(inputs)]
    own = _own_licence(inputs)
    if told:
        made_of = "and the terms of what the model was made from"
        yield Finding(
            "licence",
            "question",
            f"The licence ({own.name if own else inputs.licences[0].text}) {made_of}"
            if any(fact.brief for fact in told)
            else "Two licences are given",
            sorted({line for fact in told for line in fact.lines}),
            [fact.text for fact in told],
            "the model's licence, and that of each input at the revision that was used. This is "
            "not legal advice.",
            urls([fact.brief for fact in told]),
            len(told),
        )


def _own_licence(inputs: Inputs) -> Licence | None:
    return next((one.licence for one in inputs.licences if one.is_of_model and one.licence), None)


def _licences_apart(inputs: Inputs) -> Iterator["Fact"]:
    """Yield pairs of different licences that the card gives for the model."""
    own = [one for one in inputs.licences if one.is_of_model and one.licence]
    pairs = [(own[0], other) for other in own[1:] if other.licence != own[0].licence]
    for one in inputs.licences:
        if _NC.search(one.text) and not one.licence:
            free = [each for each in inputs.licences if each.licence]
            pairs += [(one, o) for o in free if o.licence and o.licence.kind == "permissive"]
    for first, other in pairs:
        if first.line != other.line:
            yield Fact(
                f"Line {first.line} gives {first.text}, line {other.line} {other.text}: which of "
                "them applies to the weights?",
                [first.line, other.line],
                "",
            )


def _terms_of_bases(inputs: Inputs) -> Iterator["Fact"]:
    """Yield terms of the base model that the card neither carries on nor names."""
    own = _own_licence(inputs)
    named = {one.licence.key for one in inputs.licences if one.licence} | inputs.mentioned
    for name, line in inputs.base if own else ():
        model = known.model(name)
        needs = licences()[model.licence] if model else None
        if not (model and needs and own) or needs == own or needs.kind not in _BINDS:
            continue
        if needs.key in named:
            continue
        first = inputs.licences[0]
        yield Fact(
            f"The base {name} (line {line}) is under {needs.name}, which {_BINDS[needs.kind]}; "
            f"line {first.line} gives {own.name}, and the card does not name the base's terms.",
            [line, first.line],
            needs.source or model.source,
        )
        for same in (one for one in inputs.licences if one.same_as_base):
            yield Fact(
                f"Line {same.line} says that {own.name} is the base model's licence; the base is "
                f"published under {needs.name}.",
                [same.line],
                model.source,
            )


def _terms_of_sets(inputs: Inputs) -> Iterator["Fact"]:
    """Yield terms of training sets that bind derived work."""
    own = _own_licence(inputs)
    named = {one.licence.key for one in inputs.licences if one.licence}
    for training_set in inputs.sets if own else ():
        corpus = training_set.corpus
        if corpus is None:
            continue
        needs = licences()[corpus.licence]
        if needs.kind in _BINDS and needs != own and needs.key not in named:
            yield Fact(
                f"{training_set.name} (line {training_set.line}) is under {needs.name}, which "
                f"{_BINDS[needs.kind]}; whether that binds a model trained on it is open.",
                [training_set.line, inputs.licences[0].line],
                corpus.licence_source,
            )


def training(inputs: Inputs) -> Iterator[Finding]:
    """Compare batch size, steps and epochs with each other and with the stated rows."""
    certain = [*_batch(inputs), *_totals(inputs)]
    if certain:
        yield _of_facts("training_sum", "contradiction", "Training numbers that", certain)
    asked = [*_steps(inputs), *_sizes(inputs)]
    if asked:
        yield _of_facts("training", "question", "Training arithmetic:", asked)


def _of_facts(kind: str, strength: Strength, lead: str, facts: list["Fact"]) -> Finding:
    return Finding(
        kind,
        strength,
        f"{lead} {facts[0].brief}",
        sorted({line for fact in facts for line in fact.lines}),
        [fact.text for fact in facts],
        "the number of devices, whether rows were packed, and which rows were seen.",
        num=len(facts),
    )


class Fact(NamedTuple):
    """One point of a finding, with its lines and a short form for the title."""

    text: str
    lines: list[int]
    brief: str


def _batch(inputs: Inputs) -> Iterator[Fact]:
    """Yield an effective batch that is neither a multiple nor a divisor of its factors' product.

    A multiple may come from devices that the card does not mention, a divisor from devices that
    share one example.
    """
    effective, product = inputs.settings.get("effective"), _product(inputs)
    if not effective or not product or effective.value == product:
        return
    factors = [inputs.settings[key] for key in _FACTORS if key in inputs.settings]
    text = " x ".join(factor.text for factor in factors)
    is_multiple = effective.value % product == 0 or (
        effective.value > 0 and product % effective.value == 0
    )
    if len(factors) < 2 or is_multiple:
        return
    says = (
        f"Line {effective.line} gives an effective batch of {effective.text}; {text} is {product}."
    )
    says += " No whole number of devices explains the difference."
    lines = [effective.line, *(factor.line for factor in factors)]
    yield Fact(says, lines, f"do not multiply: effective batch {effective.text}, and {text}")


_FACTORS = ("batch", "accumulation", "devices")


def _product(inputs: Inputs) -> Fraction | None:
    """Return batch x accumulation x devices, using the factors that the card states."""
    if "batch" not in inputs.settings:
        return None
    product = Fraction(1)
    for key in _FACTORS:
        if key in inputs.settings:
            product *= inputs.settings[key].value
    return product


def _rows(inputs: Inputs) -> Number | None:
    """Return the stated total of training rows, or the sum of the sets."""
    sizes = [one.size for one in inputs.sets if one.size]
    if inputs.total or not sizes:
        return inputs.total
    total = sum((size.value for size in sizes), Fraction(0))
    unit = max(size.unit for size in sizes)
    return Number(total, unit, f"{int(total):,}", sizes[0].line)


def _steps(inputs: Inputs) -> Iterator[Fact]:
    """Yield the share of rows that the steps cover, and the steps that the epochs would take."""
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
        text += " Without packing or more devices, the other rows were not seen."
    expected = epochs.value * rows.value / per_step if epochs else Fraction(0)
    is_apart = bool(expected) and not 9 * expected <= 10 * steps.value <= 11 * expected
    if is_apart or (not expected and 100 * examples < 98 * rows.value):
        yield Fact(text, [steps.line, rows.line], brief)
    if epochs and is_apart:
        text = f"{epochs.text} epochs (line {epochs.line}) of {rows.text} rows would take "
        yield Fact(f"{text}{int(expected):,} steps.", [epochs.line], "epochs against steps")


def _totals(inputs: Inputs) -> Iterator[Fact]:
    """Yield a stated total that is not the sum of the sets."""
    if not inputs.total or len(inputs.parts) < 2:
        return
    total = sum((size.value for size in inputs.parts), Fraction(0))
    slack = sum((size.unit for size in inputs.parts), inputs.total.unit)
    if abs(total - inputs.total.value) > slack:
        text = f"The sets add up to {int(total):,} rows; the card's total is {inputs.total.text}"
        line = inputs.total.line
        yield Fact(f"{text} (line {line}).", [line], "do not add up: the total of rows")


def _sizes(inputs: Inputs) -> Iterator[Fact]:
    """Yield sets whose stated size is not that of a published split."""
    for one in inputs.sets:
        published = one.corpus.rows if one.corpus else ()
        if one.size and published and not any(one.size.holds(rows) for rows in published):
            splits = ", ".join(f"{rows:,}" for rows in published)
            text = (
                f"The card gives {one.name} {one.size.text} rows (line {one.line}); its published "
            )
            text += f"splits have {splits}. Was it filtered, or is this another version?"
            yield Fact(text, [one.line], f"{one.name} with {one.size.text} rows")
