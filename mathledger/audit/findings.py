"""Claims that contradict each other or lack evidence, with lines and what would settle them.

A finding says what the card does not support. It never says that a claim is false.
"""

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction

from mathledger.audit import known
from mathledger.audit.arithmetic import MAX_PASSES, Fit, Printed, counts, fit, passes_to_be_exact
from mathledger.audit.evidence import KINDS
from mathledger.audit.fits import fits
from mathledger.audit.types import Claim, Finding
from mathledger.audit.words import (
    benchmark_of,
    brief,
    lines_of,
    on_lines,
    passes,
    percent,
    said,
    span,
    urls,
)

ORDER = (
    *("impossible", "range", "rounding", "miscounted", "inconsistent", "private", "published"),
    *("overlap", "measured", "training", "licence", "evidence", "approximate"),
)


def impossible(claims: list[Claim]) -> Iterator[Finding]:
    """Values that no k of n gives, neither rounded nor cut off."""
    points, hit, sources = [], [], []
    for claim in claims:
        candidates = fits(claim)
        if not candidates or _value(claim).is_range or any(one.possible for _, one in candidates):
            continue
        size, one = candidates[0]
        text = f"{said(claim)} is no score of {passes(one.passes)} over {one.n:,} items ({size.of})"
        text += "".join(f", nor over {other.n:,} ({small.of})" for small, other in candidates[1:])
        text += f". {_nearest(claim, one)}"
        if one.fewest_passes:
            total = one.n * one.fewest_passes
            k = fit(_value(claim), one.n, one.fewest_passes).rounded[0]
            text += f" A mean over {one.fewest_passes} passes can be it ({k:,} of {total:,})."
        else:
            text += f" Nor is it a mean over up to {MAX_PASSES} passes."
        hit.append(claim)
        points.append(text)
        sources += [size.source for size, _ in candidates]
    if points:
        yield Finding(
            "impossible",
            f"Values that no k of n gives: {brief(hit)}",
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
            f"Ranges where a score is one number: {brief(hit)}",
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
            text = f"{said(claim)}, over {one.total:,} items ({size.of}), can only be "
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
            f"Values that are a score of one pass only when it is rounded: {brief(hit)}",
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
        told = said(claim)
        if claim.value and k not in fit(claim.value, n).possible:
            points.append(f"{told}: {k} of {n} is {percent(Fraction(100 * k, n))}%.")
            hit.append(claim)
        usual = known.benchmarks()[claim.benchmark].sizes if claim.benchmark else ()
        if usual and not claim.subset and n not in [size.n for size in usual]:
            sizes = ", ".join(f"{size.n:,} ({size.of})" for size in usual)
            points.append(f"{told} is counted over {n:,} items; the usual sizes are {sizes}.")
            hit.append(claim)
    if points:
        yield Finding(
            "miscounted",
            f"Counts that do not fit: {brief(hit)}",
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
    """Return True if one number can be printed as all of them."""
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
        points = [f"{said(claim)}." for claim in hit]
        points += [f"{reason[0].upper()}{reason[1:]}." for reason in reasons]
        yield Finding(
            "private",
            f"Scores on a benchmark that is not public: {brief(hit)}",
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
            f"Values that are given roughly: {brief(hit)}",
            lines_of(hit),
            [f"{said(claim)}." for claim in hit],
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
