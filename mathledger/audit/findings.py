"""What in a card does not fit together or has no evidence, with lines and what would settle it.

A finding says what the card does not support. It never says that a claim is false.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from mathledger.audit import known
from mathledger.audit.arithmetic import MAX_PASSES, Fit, Printed, counts, fit, passes_to_be_exact
from mathledger.audit.claims import Claim
from mathledger.audit.evidence import KINDS

ORDER = (
    *("impossible", "range", "rounding", "miscounted", "inconsistent", "private", "published"),
    *("overlap", "measured", "training", "licence", "evidence", "approximate"),
)


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
    stated = re.fullmatch(r"(?i)n\s?=\s?(\d+)", claim.stated.get("n", ""))
    n = claim.count[1] if claim.count else int(stated[1]) if stated else 0
    if n:
        return [known.Size(n, "as the card says", "")]
    if not claim.benchmark or known.benchmarks()[claim.benchmark].is_mean:
        return []
    benchmark = known.benchmarks()[claim.benchmark]
    if claim.subset:
        n = benchmark.subsets[claim.subset]
        return [known.Size(n, claim.subset, benchmark.sizes[0].source)]
    said = re.match(r"\d+", claim.stated.get("n", ""))
    own = [size for size in benchmark.sizes if said and size.n == int(said[0])]
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


def lines_of(claims: list[Claim]) -> list[int]:
    return sorted({claim.line for claim in claims})


def on_lines(claims: list[Claim]) -> str:
    lines = lines_of(claims)
    return f"{'line' if len(lines) == 1 else 'lines'} {', '.join(str(line) for line in lines)}"


def _brief(claims: list[Claim]) -> str:
    """The claims of a finding, for its title."""
    names = list(dict.fromkeys(f"{benchmark_of(claim)} {claim.text}" for claim in claims))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def urls(sources: list[str]) -> list[str]:
    return list(dict.fromkeys(source for source in sources if source.startswith("http")))


def _said(claim: Claim) -> str:
    return f"Line {claim.line}: {benchmark_of(claim)} {claim.text} ({whose(claim)})"


def impossible(claims: list[Claim]) -> Iterator[Finding]:
    """Values that no k of n gives, neither rounded nor cut off."""
    points, hit, sources = [], [], []
    for claim in claims:
        found = fits(claim)
        if not found or _value(claim).is_range or any(one.possible for _, one in found):
            continue
        size, one = found[0]
        text = (
            f"{_said(claim)} is no score of {passes(one.passes)} over {one.n:,} items ({size.of})"
        )
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
            f"Values that no k of n gives: {_brief(hit)}",
            lines_of(hit),
            points,
            "which items, how many runs, and the k of n of each.",
            urls(sources),
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
            lines_of(hit),
            points,
            "the runs behind both ends: how many, what differed between them, their mean and its "
            "interval.",
            urls(sources),
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
    """Whole percentages, or digits cut off, that one k of n gives where most have none."""
    points, hit, sources = [], [], []
    for claim in claims:
        for size, one in fits(claim)[:1]:
            value = _value(claim)
            is_fine = Fraction(100, one.total) <= 2 * value.half
            is_usual = one.rounded and value.decimals > 0  # 66.7 for two thirds
            if is_fine or is_usual or value.is_range or claim.count or not one.possible:
                continue
            k = one.possible[0]
            exact = Fraction(100 * k, one.total)
            if exact == value.low:
                continue
            digits = percent(exact, max(2, value.decimals + 1))
            how = "rounded" if one.rounded else "cut off rather than rounded"
            text = f"{_said(claim)}, over {one.total:,} items ({size.of}), can only be "
            text += f"{k}/{one.total} = {digits}%, {how}."
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
            lines_of(hit),
            points,
            "the k of n, or one more digit.",
            urls(sources),
        )


def miscounted(claims: list[Claim]) -> Iterator[Finding]:
    """A percentage beside a k of n that does not give it; a number of items that is not usual."""
    points, hit = [], []
    for claim in claims:
        if not claim.count:
            continue
        k, n = claim.count
        said = _said(claim)
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
            lines_of(hit),
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
            lines_of(hit),
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
        points = [f"{_said(claim)}." for claim in hit]
        points += [f"{reason[0].upper()}{reason[1:]}." for reason in reasons]
        yield Finding(
            "private",
            f"Scores on a benchmark that is not public: {_brief(hit)}",
            lines_of(hit),
            points,
            "who ran the evaluation, on which problems, and their confirmation.",
        )


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
                f"{len(without)} of {len(own)} claims do not state {what}: {on_lines(without)}."
            )
    if points:
        yield Finding(
            "evidence",
            "What it takes to check the scores is not all there",
            lines_of(own),
            points,
            "the predictions with their prompts, the commit of each benchmark, the harness with "
            "its version, the sampling settings, and an interval from n.",
        )


def approximate(claims: list[Claim]) -> Iterator[Finding]:
    """Values that are given roughly."""
    hit = [claim for claim in claims if claim.is_about]
    if hit:
        yield Finding(
            "approximate",
            f"Values that are given roughly: {_brief(hit)}",
            lines_of(hit),
            [f"{_said(claim)}." for claim in hit],
            "the source of each, with its conditions.",
        )


def of_claims(claims: list[Claim]) -> Iterator[Finding]:
    """Every finding that the claims alone give."""
    yield from impossible(claims)
    yield from ranges(claims)
    yield from rounding(claims)
    yield from miscounted(claims)
    yield from inconsistent(claims)
    yield from private(claims)
    yield from evidence(claims)
    yield from approximate(claims)


def in_order(findings: list[Finding]) -> list[Finding]:
    """In the order of a reader's interest."""
    return sorted(findings, key=lambda finding: ORDER.index(finding.kind))
