"""What in a card does not fit together, or has no evidence: each with its lines and what settles it.

A finding says what the card does not support. It never says that a claim is false.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from ledger.audit import known
from ledger.audit.arithmetic import MAX_PASSES, Fit, Printed, counts, fit, passes_to_be_exact
from ledger.audit.claims import Claim
from ledger.audit.evidence import KINDS
from ledger.audit.inputs import Inputs, Number, TrainingSet
from ledger.audit.tables import part_of


@dataclass(frozen=True)
class Finding:
    kind: str
    title: str
    lines: list[int]
    points: list[str]
    settles: str
    sources: list[str] = field(default_factory=list)


def percent(value: Fraction | float, decimals: int = 2) -> str:
    """A percentage without needless zeros.

    >>> percent(Fraction(2900, 30)), percent(60)
    ('96.67', '60')
    """
    return f"{float(value):.{decimals}f}".rstrip("0").rstrip(".")


def benchmark_of(claim: Claim) -> str:
    name = known.benchmarks()[claim.benchmark].name if claim.benchmark else claim.label
    return f"{name}, {claim.subset}" if claim.subset else name


def whose(claim: Claim) -> str:
    if claim.whose == "this":
        return "this model"
    return str(claim.model) if claim.whose == "other" else f"unclear ({claim.model})"


def sizes_of(claim: Claim) -> list[known.Size]:
    """How many items the claim may be of: what the card says, else what is known."""
    if claim.count:
        return [known.Size(claim.count[1], "as the card says", "")]
    if not claim.benchmark or known.benchmarks()[claim.benchmark].is_mean:
        return []
    benchmark = known.benchmarks()[claim.benchmark]
    if claim.subset:
        n = part_of(claim.benchmark, claim.subset)
        return [known.Size(n, claim.subset, benchmark.sizes[0].source)] if n else []
    stated = re.search(r"\d+", claim.stated.get("n", ""))
    own = [size for size in benchmark.sizes if stated and size.n == int(stated[0])]
    return own or list(benchmark.sizes)


def fits(claim: Claim) -> list[tuple[known.Size, Fit]]:
    """The k of n that the claim can stand for, by number of items; nothing where it is vague."""
    if claim.value is None or claim.is_about:
        return []
    return [(size, fit(claim.value, size.n, claim.passes or 1)) for size in sizes_of(claim)]


def span(ks: range) -> str:
    return f"{ks[0]:,}" if len(ks) == 1 else f"{ks[0]:,} to {ks[-1]:,}"


def passes(number: int) -> str:
    return "one pass" if number == 1 else f"{number} passes"


def _lines(claims: list[Claim]) -> list[int]:
    return sorted({claim.line for claim in claims})


def _on(claims: list[Claim]) -> str:
    lines = _lines(claims)
    return f"{'line' if len(lines) == 1 else 'lines'} {', '.join(str(line) for line in lines)}"


def _brief(claims: list[Claim]) -> str:
    """The claims of a finding, for its title."""
    names = list(dict.fromkeys(f"{benchmark_of(claim)} {claim.text}" for claim in claims))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _urls(sources: list[str]) -> list[str]:
    return list(dict.fromkeys(source for source in sources if source.startswith("http")))


def impossible(claims: list[Claim]) -> Iterator[Finding]:
    """Values that no k of n gives, neither rounded nor cut off."""
    points, hit, sources = [], [], []
    for claim in claims:
        found = fits(claim)
        if not found or any(one.possible for _, one in found):
            continue
        size, one = found[0]
        text = (
            f"Line {claim.line}: {benchmark_of(claim)} {claim.text} ({whose(claim)}) is no score "
        )
        text += f"of {passes(one.passes)} over {one.n:,} items ({size.of})"
        text += "".join(f", nor over {other.n:,} ({small.of})" for small, other in found[1:])
        text += f". {_nearest(claim, one)}"
        if one.fewest_passes:
            total = one.n * one.fewest_passes
            k = fit(_value(claim), one.n, one.fewest_passes).rounded[0]
            text += f" A mean over {one.fewest_passes} passes can be it ({k:,} of {total:,})."
        else:
            text += f" Nor is it a mean over up to {MAX_PASSES} passes."
        hit.append(claim)
        points.append(text)
        sources += [size.source for size, _ in found]
    if points:
        yield Finding(
            "impossible",
            f"Values that no single run gives: {_brief(hit)}",
            _lines(hit),
            points,
            "which items, how many runs, and the k of n of each.",
            _urls(sources),
        )


def _value(claim: Claim) -> Printed:
    assert claim.value
    return claim.value


def _nearest(claim: Claim, one: Fit) -> str:
    below = counts(Fraction(0), _value(claim).low, one.total)[-1]
    near = [
        f"{k:,}/{one.total:,} = {percent(Fraction(100 * k, one.total))}%"
        for k in (below, below + 1)
        if k <= one.total
    ]
    return f"Nearest {'are' if len(near) > 1 else 'is'} {' and '.join(near)}."


def ranges(claims: list[Claim]) -> Iterator[Finding]:
    """Ranges where a score is one number, with the scores that lie in them."""
    hit = [
        claim for claim in claims if claim.value and claim.value.is_range and claim.whose == "this"
    ]
    points, sources = [], []
    for claim in hit:
        text = f"Line {claim.line}: {benchmark_of(claim)} {claim.text}."
        for size, one in fits(claim):
            text += f" Over {one.total:,} items ({size.of}) {_inside(claim, one)}."
            sources.append(size.source)
        points.append(text)
    if points:
        yield Finding(
            "range",
            f"Ranges where a score is one number: {_brief(hit)}",
            _lines(hit),
            points,
            "the runs behind both ends: how many, what differed between them, their mean and its "
            "interval.",
            _urls(sources),
        )


def _inside(claim: Claim, one: Fit) -> str:
    if not one.rounded:
        return "no score lies in it"
    text = f"the scores in it are those of {span(one.rounded)} right"
    if len(one.rounded) == 1:
        k = one.rounded[0]
        text = f"one score lies in it, {k}/{one.total} = {percent(Fraction(100 * k, one.total))}%"
    value = _value(claim)
    missing = [
        percent(e) for e, ks in zip((value.low, value.high), one.ends, strict=True) if not ks
    ]
    if len(missing) == 2:
        text += f"; neither {missing[0]}% nor {missing[1]}% is one"
    return text + (f"; {missing[0]}% is none" if len(missing) == 1 else "")


def rounding(claims: list[Claim]) -> Iterator[Finding]:
    """Values that one k of n gives when it is rounded or cut off, where most such values have none."""
    points, hit, sources = [], [], []
    for claim in claims:
        for size, one in fits(claim)[:1]:
            value = _value(claim)
            is_fine = Fraction(100, one.total) <= 2 * value.half
            if is_fine or value.is_range or claim.count or not one.possible:
                continue
            k = one.possible[0]
            exact = Fraction(100 * k, one.total)
            if exact == value.low:
                continue
            digits = percent(exact, max(2, value.decimals + 1))
            how = "rounded" if one.rounded else "cut off rather than rounded"
            text = f"Line {claim.line}: {benchmark_of(claim)} {claim.text} ({whose(claim)}), over "
            text += (
                f"{one.total:,} items ({size.of}), can only be {k}/{one.total} = {digits}%, {how}."
            )
            needed = passes_to_be_exact(value.low, one.n)
            if one.passes == 1 and needed <= MAX_PASSES:
                text += f" To be {percent(value.low)}% itself it would take {needed} passes."
            points.append(text)
            hit.append(claim)
            sources.append(size.source)
    if points:
        yield Finding(
            "rounding",
            f"Values that are a score of one pass only when it is rounded: {_brief(hit)}",
            _lines(hit),
            points,
            "the k of n, or one more digit.",
            _urls(sources),
        )


def miscounted(claims: list[Claim]) -> Iterator[Finding]:
    """A percentage beside a k of n that does not give it; a number of items that is not usual."""
    points, hit = [], []
    for claim in claims:
        if not claim.count:
            continue
        k, n = claim.count
        said = f"Line {claim.line}: {benchmark_of(claim)} {claim.text} ({whose(claim)})"
        if claim.value and k not in fit(claim.value, n).possible:
            points.append(f"{said}: {k} of {n} is {percent(Fraction(100 * k, n))}%.")
            hit.append(claim)
        usual = known.benchmarks()[claim.benchmark].sizes if claim.benchmark else ()
        if usual and not claim.subset and n not in [size.n for size in usual]:
            sizes = ", ".join(f"{size.n:,} ({size.of})" for size in usual)
            points.append(f"{said} is counted over {n:,} items; the usual sizes are {sizes}.")
            hit.append(claim)
    if points:
        yield Finding(
            "miscounted",
            f"Counts that do not fit: {_brief(hit)}",
            _lines(hit),
            points,
            "the list of the items that were scored.",
        )


def inconsistent(claims: list[Claim]) -> Iterator[Finding]:
    """Different values for one benchmark, this model and one way of measuring."""
    groups: dict[tuple[str | None, ...], list[Claim]] = defaultdict(list)
    for claim in claims:
        if claim.benchmark and claim.value and claim.whose == "this" and not claim.subset:
            how = [claim.stated.get(kind) for kind in ("prompt", "grader")]
            groups[claim.benchmark, claim.metric, str(claim.passes), *how].append(claim)
    apart = [group for group in groups.values() if not _agree(group)]
    hit = [claim for group in apart for claim in group]
    if hit:
        yield Finding(
            "inconsistent",
            f"Different values for one benchmark: {', '.join(benchmark_of(g[0]) for g in apart)}",
            _lines(hit),
            [
                f"{benchmark_of(group[0])}: "
                + ", ".join(f"{claim.text} (line {claim.line})" for claim in group)
                + "."
                for group in apart
            ],
            "which of them was measured, and how the others came about.",
        )


def _agree(claims: list[Claim]) -> bool:
    """Whether one number can be printed as all of them."""
    values = [_value(claim) for claim in claims]
    if len({(value.low, value.high) for value in values}) == 1:
        return True
    if any(value.is_range for value in values):
        return False
    return bool(max(v.low - v.half for v in values) <= min(v.high + v.half for v in values))


def private(claims: list[Claim]) -> Iterator[Finding]:
    """Scores on a benchmark that an outsider cannot run."""
    hit = [
        claim for claim in claims if claim.benchmark and known.benchmarks()[claim.benchmark].private
    ]
    reasons = dict.fromkeys(str(known.benchmarks()[str(claim.benchmark)].private) for claim in hit)
    if hit:
        points = [f"Line {c.line}: {benchmark_of(c)} {c.text} ({whose(c)})." for c in hit]
        points += [
            f"{reason[0].upper()}{reason[1:]}. The card does not say who ran it."
            for reason in reasons
        ]
        yield Finding(
            "private",
            f"Scores on a benchmark that is not public: {_brief(hit)}",
            _lines(hit),
            points,
            "who ran the evaluation, on which problems, and their word for it.",
        )


def overlap(claims: list[Claim], inputs: Inputs) -> Iterator[Finding]:
    """Training sets that are known, by their sources, to hold what is tested or its other half."""
    points, lines, sources, names = [], set(), [], []
    for training_set in inputs.sets:
        for held in training_set.corpus.overlaps if training_set.corpus else ():
            hit = [
                claim
                for claim in claims
                if claim.benchmark
                and claim.whose == "this"
                and any(known.related(claim.benchmark, key) for key in held.benchmarks)
            ]
            if hit:
                on = ", ".join(dict.fromkeys(benchmark_of(claim) for claim in hit))
                points.append(
                    f"{training_set.name} (line {training_set.line}): {held.how}. That bears on "
                    f"{on} ({_on(hit)})."
                )
                lines |= {training_set.line, *_lines(hit)}
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
            _urls(sources),
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
        points.append("The card states no licence.")
    lines += [one.line for one in stated]
    for name, line in inputs.base:
        model = known.model(name)
        lines.append(line)
        if model is None:
            points.append(f"The licence of {name} (line {line}) is not known here.")
            continue
        needs = known.licences()[model.licence]
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
        needs = known.licences()[training_set.corpus.licence]
        if needs.kind == "attribution":
            points.append(f"{where} is under {needs.name}, which asks for credit to its makers.")
        elif needs.kind in _BINDS and needs != own:
            points.append(
                f"{where} is under {needs.name}, which {_BINDS[needs.kind]}; whether that binds a "
                "model trained on it, the card does not say."
            )
        sources.append(training_set.corpus.licence_source)
    if points:
        yield Finding(
            "licence",
            f"The licence ({own.name if own else 'none known'}) against those of the inputs",
            sorted(set(lines)),
            points,
            "the licence of each input at the revision that was used. This is no legal advice.",
            _urls(sources),
        )


def training(inputs: Inputs) -> Iterator[Finding]:
    """Batch, steps and epochs against each other and against the rows that the card names."""
    facts = [*_batch(inputs), *_steps(inputs), *_sizes(inputs)]
    if facts:
        sets = [one.corpus for one in inputs.sets if one.corpus]
        yield Finding(
            "training",
            f"The arithmetic of the training: {facts[0][2]}",
            sorted({line for _, lines, _ in facts for line in lines}),
            [text for text, _, _ in facts],
            "the number of devices, whether rows were packed, and which rows were seen.",
            _urls([corpus.licence_source for corpus in sets]),
        )


Fact = tuple[str, list[int], str]  # what was found, its lines, the same in brief


def _batch(inputs: Inputs) -> Iterator[Fact]:
    """The effective batch against its factors."""
    effective, product = inputs.settings.get("effective"), _product(inputs)
    if effective is None or product is None or effective.value == product:
        return
    factors = [inputs.settings[key] for key in _FACTORS if key in inputs.settings]
    text = " x ".join(factor.text for factor in factors)
    says = (
        f"Line {effective.line} gives an effective batch of {effective.text}; {text} is {product}."
    )
    if "devices" not in inputs.settings and effective.value % product == 0:
        says += f" It fits {effective.value / product} devices, which the card does not name."
    lines = [effective.line, *(factor.line for factor in factors)]
    yield says, lines, f"effective batch {effective.text}, not {text}"


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
    yield text, [steps.line, rows.line], brief
    if epochs and epochs.value:
        expected = epochs.value * rows.value / per_step
        if not Fraction(9, 10) <= steps.value / expected <= Fraction(11, 10):
            text = f"{epochs.text} epochs (line {epochs.line}) of {rows.text} rows would take "
            yield f"{text}{int(expected):,} steps.", [epochs.line], "epochs against steps"


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
            yield f"{text} (line {inputs.total.line}).", [inputs.total.line], "the total of rows"
    for one, size in sized:
        published = one.corpus.rows if one.corpus else ()
        if published and not any(size.holds(rows) for rows in published):
            splits = ", ".join(f"{rows:,}" for rows in published)
            text = f"{one.name} is given {size.text} rows (line {one.line}); its published splits have "
            yield f"{text}{splits}.", [one.line], f"{one.name} with {size.text} rows"


def evidence(claims: list[Claim]) -> Iterator[Finding]:
    """What the claims about this model do not state."""
    own = [claim for claim in claims if claim.whose == "this"]
    points = []
    for kind, what in KINDS.items():
        without = [claim for claim in own if kind not in claim.stated]
        if without and len(without) == len(own):
            points.append(f"No claim states {what}.")
        elif without:
            points.append(
                f"{len(without)} of {len(own)} claims do not state {what}: {_on(without)}."
            )
    if points:
        yield Finding(
            "evidence",
            "What it takes to check the scores is not all there",
            _lines(own),
            points,
            "the predictions with their prompts, the commit of each benchmark, the harness with its "
            "version, the sampling settings, and an interval from n.",
        )


def approximate(claims: list[Claim]) -> Iterator[Finding]:
    """Values that are given roughly."""
    hit = [claim for claim in claims if claim.is_about]
    if hit:
        yield Finding(
            "approximate",
            f"Values that are given roughly: {_brief(hit)}",
            _lines(hit),
            [f"Line {c.line}: {benchmark_of(c)} {c.text} ({whose(c)})." for c in hit],
            "the source of each, with its conditions.",
        )


def all_of(claims: list[Claim], inputs: Inputs) -> list[Finding]:
    """Every finding that the card alone gives, in the order of a reader's interest."""
    return [
        *impossible(claims),
        *ranges(claims),
        *rounding(claims),
        *miscounted(claims),
        *inconsistent(claims),
        *private(claims),
        *overlap(claims, inputs),
        *training(inputs),
        *licence(inputs),
        *evidence(claims),
        *approximate(claims),
    ]
