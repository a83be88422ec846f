"""Find what a card's scores exclude or leave open, with line numbers and what would settle it.

A finding has one of three strengths. A contradiction rests on the card's own words and arithmetic.
A question names the assumption that it rests on. Missing lists what a reader would need. No finding
says that a claim is false.
"""

from collections.abc import Iterator
from fractions import Fraction

from mathledger.audit import checks, gains, known
from mathledger.audit.arithmetic import MAX_PASSES, Fit, Printed, counts, fit, passes_to_be_exact
from mathledger.audit.blocks import Body
from mathledger.audit.evidence import KINDS
from mathledger.audit.fits import fits, has_fixed_size
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
    titled,
    urls,
)

ORDER = (
    *("not_in_ledger", "impossible", "miscounted", "average", "headline", "gain", "training_sum"),
    *(
        "one_pass",
        "range",
        "rounding",
        "inconsistent",
        "average_if",
        "recounted",
        "leaderboard",
        "other_version",
        "private",
        "published",
    ),
    *("overlap", "measured", "training", "licence"),
    *("evidence", "approximate", "no_licence"),
)
SETTLED_BY = {
    "n": 'k of n in the table (467/500), or "accuracy over the 500 items of MATH-500",',
    "revision": "`revision:` of the dataset in the model-index, or the commit in the text,",
    "prompt": "the prompt, or `num_few_shot` in the model-index,",
    "sampling": '"greedy decoding", or "temperature 0.6, mean over 16 samples an item",',
    "grader": "the harness or grader with its version (lm-evaluation-harness 0.4.9)",
    "predictions": "a link to every response with its verdict",
    "interval": '"72.7 ± 1.2 (standard error)", or a 95% interval,',
}


def _testable(claim: Claim) -> bool:
    return bool(claim.value and not claim.value.is_range and claim.whose in ("this", "family"))


def _misfits(claims: list[Claim]) -> Iterator[tuple[Claim, list[tuple[known.Size, Fit]]]]:
    """Yield the claims about this model that no k of n gives, rounded or cut off."""
    for claim in claims:
        candidates = fits(claim) if _testable(claim) else []
        if candidates and not any(one.possible for _, one in candidates):
            yield claim, candidates


def impossible(claims: list[Claim]) -> Iterator[Finding]:
    """Find values that no k of n gives although n and the number of passes are certain."""
    points, hit, sources = [], [], []
    for claim, candidates in _misfits(claims):
        is_stated = claim.passes == 1 or claim.has_own_passes
        if not is_stated or claim.is_repeated or not has_fixed_size(claim):
            continue
        size, one = candidates[0]
        text = (
            f"{said(claim)} is not a possible score of {passes(one.passes)} over "
            f"{one.n:,} items ({size.of})"
        )
        text += "".join(f", nor over {other.n:,} ({small.of})" for small, other in candidates[1:])
        words = claim.stated.get("sampling")
        how = f"The card says: {words}." if words else "The card says one pass."
        points.append(f"{text}. {how} {_nearest(claim, one)}")
        hit.append(claim)
        sources += [size.source for size, _ in candidates]
    if points:
        yield Finding(
            "impossible",
            "contradiction",
            titled("No k of n gives", hit),
            lines_of(hit),
            points,
            "which items, how many runs, and the k of n of each.",
            urls(sources),
            len(hit),
        )


def one_pass(claims: list[Claim]) -> Iterator[Finding]:
    """Find values that one pass cannot give where the card states no number of passes."""
    points, hit, sources = [], [], []
    for claim, candidates in _misfits(claims):
        if claim.passes is not None or claim.is_repeated or not has_fixed_size(claim):
            continue
        size, one = candidates[0]
        text = f"{said(claim)}: if this is one pass over {one.n:,} items ({size.of}"
        text += "".join(f"; or {other.n:,}, {small.of}" for small, other in candidates[1:])
        text += f"), no number of right answers gives it. {_nearest(claim, one)}"
        if one.fewest_passes:
            total = one.n * one.fewest_passes
            k = fit(_value(claim), one.n, one.fewest_passes).rounded[0]
            text += f" A mean over {one.fewest_passes} passes can give it ({k:,} of {total:,})."
        hit.append(claim)
        points.append(text)
        sources += [size.source for size, _ in candidates]
    if points:
        yield Finding(
            "one_pass",
            "question",
            titled("Over how many passes? One pass would not give", hit),
            lines_of(hit),
            points,
            "the number of passes and of items, or the k of n.",
            urls(sources),
            len(hit),
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
    """Find ranges given for a score, and list the possible scores inside them."""
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
            "question",
            f"Ranges where one number is expected: {brief(hit)}",
            lines_of(hit),
            points,
            "the runs behind both ends: how many, what differed between them, their mean and its "
            "interval.",
            urls(sources),
            len(hit),
        )


def _inside(claim: Claim, one: Fit) -> str:
    if not one.rounded:
        return "no score lies in it"
    text = f"the scores in it are those of {span(one.rounded)} right answers"
    if len(one.rounded) == 1:
        k = one.rounded[0]
        text = f"one score lies in it, {k}/{one.total} = {percent(Fraction(100 * k, one.total))}%"
    value = _value(claim)
    missing = [
        percent(e) for e, ks in zip((value.low, value.high), one.ends, strict=True) if not ks
    ]
    if len(missing) == 2:
        text += f"; neither {missing[0]}% nor {missing[1]}% is one"
    return text + (f"; {missing[0]}% is not one" if len(missing) == 1 else "")


def rounding(claims: list[Claim]) -> Iterator[Finding]:
    """Find whole percentages over few items that a k of n gives only after rounding."""
    points, hit, sources = [], [], []
    for claim in claims:
        if (
            not _testable(claim)
            or not has_fixed_size(claim)
            or claim.passes is not None
            or claim.is_repeated
            or claim.count
        ):
            continue
        candidates = [(size, one) for size, one in fits(claim) if one.rounded]
        if len(candidates) != 1 or _value(claim).decimals > 0:
            continue
        size, one = candidates[0]
        exact = Fraction(100 * one.rounded[0], one.total)
        if Fraction(100, one.total) <= 1 or exact == _value(claim).low or len(one.rounded) > 1:
            continue
        text = f"{said(claim)}: if this is one pass over {one.total:,} items ({size.of}), it is "
        text += f"{one.rounded[0]}/{one.total} = {percent(exact)}%, rounded."
        needed = passes_to_be_exact(_value(claim).low, one.n)
        if needed <= MAX_PASSES:
            text += f" {percent(_value(claim).low)}% itself takes {needed} passes."
        points.append(text)
        hit.append(claim)
        sources.append(size.source)
    if points:
        yield Finding(
            "rounding",
            "question",
            titled("Rounded, or a mean over passes?", hit),
            lines_of(hit),
            points,
            "the k of n, or one more digit.",
            urls(sources),
            len(hit),
        )


def private(claims: list[Claim]) -> Iterator[Finding]:
    """Find scores on a benchmark that outsiders cannot run."""
    hit = [
        claim for claim in claims if claim.benchmark and known.benchmarks()[claim.benchmark].private
    ]
    own = [claim for claim in hit if claim.whose == "this"]
    if not own:
        return
    reasons = dict.fromkeys(str(known.benchmarks()[str(claim.benchmark)].private) for claim in hit)
    if hit:
        points = [f"{said(claim)}." for claim in hit]
        points += [f"{reason[0].upper()}{reason[1:]}." for reason in reasons]
        yield Finding(
            "private",
            "question",
            f"Scores on a benchmark that is not public: {brief(own)}",
            lines_of(hit),
            points,
            "who ran the evaluation, on which problems, and their confirmation.",
            num=len(own),
        )


def evidence(claims: list[Claim]) -> Iterator[Finding]:
    """Find what the claims about this model leave unstated."""
    own = [claim for claim in claims if claim.whose == "this"]
    points = []
    for kind, what in KINDS.items():
        without = [claim for claim in own if kind not in claim.stated]
        if without and len(without) == len(own):
            points.append(f"No claim states {what}; {SETTLED_BY[kind]} would be enough.")
        elif without:
            points.append(
                f"{len(without)} of {len(own)} claims do not state {what} ({on_lines(without)}); "
                f"{SETTLED_BY[kind]} would be enough."
            )
    if points:
        yield Finding(
            "evidence",
            "missing",
            "Some of what a reader needs to check the scores is missing",
            lines_of(own),
            points,
            "the predictions with their prompts, the commit of each benchmark, the harness with "
            "its version, the sampling settings, and an interval from n.",
            num=len(points),
        )


def approximate(claims: list[Claim]) -> Iterator[Finding]:
    """Find approximate values, such as ~80%."""
    hit = [claim for claim in claims if claim.is_about]
    own = [claim for claim in hit if claim.whose == "this"]
    if hit:
        title = "Approximate values"
        yield Finding(
            "approximate",
            "missing",
            f"{title}: {brief(own)}" if own else f"{title}, of other models",
            lines_of(hit),
            [f"{said(claim)}." for claim in hit],
            "the source of each, with its conditions.",
            num=len(hit),
        )


def of_claims(claims: list[Claim], body: Body) -> Iterator[Finding]:
    """Yield every finding that needs only the claims and the body of the card."""
    yield from impossible(claims)
    yield from checks.miscounted(claims)
    yield from checks.averages(claims)
    yield from checks.headline(body, claims)
    yield from gains.gains(body, claims)
    yield from one_pass(claims)
    yield from ranges(claims)
    yield from rounding(claims)
    yield from checks.inconsistent(claims, body)
    yield from checks.recounted(claims)
    yield from private(claims)
    yield from evidence(claims)
    yield from approximate(claims)


def in_order(findings: list[Finding]) -> list[Finding]:
    """Sort the findings by how much they matter to a reader."""
    return sorted(findings, key=lambda finding: ORDER.index(finding.kind))
