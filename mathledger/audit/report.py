"""Render an audit as Markdown (summary, claims, findings, sources) or as JSON."""

import re
from fractions import Fraction
from typing import Any

from mathledger.audit import known
from mathledger.audit.arithmetic import wilson
from mathledger.audit.evidence import KINDS
from mathledger.audit.fits import fits, sizes_of
from mathledger.audit.methods import is_vote
from mathledger.audit.types import Audit, Claim
from mathledger.audit.words import benchmark_of, span, whose

SCHEMA_VERSION = 2
MAX_POINTS = 20  # Points shown per finding.
COLUMNS = ["line", "whose", "benchmark", "value", "k of n", "95% interval", "stated with it"]


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def one_pass(claim: Claim) -> str:
    """Describe the k of n that the value can stand for."""
    if claim.value is None:
        return (
            f"{claim.count[0]:,} of {claim.count[1]:,}" if claim.count else "not a share of items"
        )
    if claim.is_about:
        return "approximate"
    if claim.is_normalised:
        return "rescaled by a leaderboard"
    if claim.is_repeated:
        return "may be a mean over passes"
    candidates = fits(claim)
    if not candidates and (is_vote(claim.metric) or re.match(r"(?i)pass\s?@", claim.metric or "")):
        return f"{claim.metric}: not one pass"
    if not candidates:
        is_mean = claim.benchmark and known.benchmarks()[claim.benchmark].is_mean
        return "a mean over parts" if is_mean else "n not known"
    return "; ".join(
        f"{span(fit.possible)} of {fit.total:,}" if fit.possible else f"none of {fit.total:,}"
        for _, fit in candidates
    )


def interval(claim: Claim) -> str:
    """Format the 95% Wilson interval of the value over the first known number of items."""
    sizes = sizes_of(claim)
    if not sizes or (claim.value is None and claim.count is None):
        return ""
    n = sizes[0].n
    if claim.count:
        ends = [Fraction(100 * claim.count[0], claim.count[1])]
    else:
        assert claim.value
        ends = [claim.value.low, claim.value.high]
    low, high = wilson(float(ends[0]) / 100, n)[0], wilson(float(ends[-1]) / 100, n)[1]
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def markdown(audit: Audit) -> str:
    return "\n".join([*_summary(audit), *_claims(audit), *_findings(audit), *_end(audit)]) + "\n"


_COUNTS = {
    "contradiction": ("contradiction", "contradictions"),
    "question": ("question", "questions"),
    "missing": ("missing point", "missing points"),
}
HEADINGS = {
    "contradiction": "Contradictions",
    "question": "Questions",
    "missing": "Missing",
}
MEANINGS = {
    "contradiction": "The card's own words and arithmetic exclude these.",
    "question": "The author could settle each of these; some name an assumption that they rest on.",
    "missing": "A reader would need these to check the scores.",
}


STRENGTHS = tuple(_COUNTS)


def num_of(audit: Audit, strength: str) -> int:
    """Count the findings of one strength; each point counts."""
    return sum(finding.num for finding in audit.findings if finding.strength == strength)


def tally(audit: Audit) -> str:
    """Say how many contradictions, questions and missing points there are."""
    parts = []
    for strength, (one, many) in _COUNTS.items():
        count = num_of(audit, strength)
        parts.append(f"{count or 'no'} {one if count == 1 else many}")
    return f"{parts[0]}, {parts[1]}, {parts[2]}"


def whose_counts(audit: Audit) -> str:
    """Say how many claims there are and whose they are."""
    counts = {
        whose: sum(claim.whose == whose for claim in audit.claims)
        for whose in ("this", "family", "other", "unclear")
    }
    text = f"{len(audit.claims):,} numeric claim{'' if len(audit.claims) == 1 else 's'}: "
    text += f"{counts['this']:,} about this model"
    text += f", {counts['family']:,} about others of its family" if counts["family"] else ""
    text += f", {counts['other']:,} about other models"
    return text + (f", {counts['unclear']:,} about an unclear model" if counts["unclear"] else "")


def _summary(audit: Audit) -> list[str]:
    lines = [
        f"# Audit of {audit.title}",
        "",
        f"sha256 `{audit.card.sha256}`, {audit.card.num_lines:,} lines.",
    ]
    if audit.note:
        lines.append(audit.note)
    if audit.commit:
        lines.append(f"Commit `{audit.commit}` of {audit.identity.id} on the Hugging Face hub.")
    lines += ["", "## Summary", ""]
    if not audit.claims:
        lines.append("The card makes no numeric claim that this audit can read.")
    else:
        lines.append(f"{whose_counts(audit)}.")
    lines += ["", f"{tally(audit).capitalize()}.", ""]
    if audit.licences:
        said = "; ".join(f"{one.text} (line {one.line})" for one in audit.licences[:6])
        lines += [f"Licence as stated in the card: {said}.", ""]
    for number, finding in enumerate(audit.findings, 1):
        where = f" ({_lines(finding.lines)})" if finding.lines else ""
        lines.append(
            f"{number}. {_COUNTS[finding.strength][0].capitalize()}: {finding.title}{where}"
        )
    if audit.findings:
        lines.append("")
    lines += [*_unread(audit), "No line of this report says that a number is false."]
    return lines


def unread_lines(audit: Audit) -> list[str]:
    """List the lines that were not read, grouped by reason."""
    told = []
    for reason, where in sorted(audit.unread.lines.items()):
        if where:
            count = f"{len(where):,} line{'' if len(where) == 1 else 's'}"
            told.append(f"{reason}: {count} ({_lines(sorted(where))})")
    return told


def _unread(audit: Audit) -> list[str]:
    told = unread_lines(audit)
    if not told:
        return []
    return ["Not read, and therefore not judged:", "", *(f"- {line}" for line in told), ""]


def _lines(lines: list[int]) -> str:
    if len(lines) == 1:
        return f"line {lines[0]}"
    shown = ", ".join(str(line) for line in lines[:12])
    return f"lines {shown}{', ...' if len(lines) > 12 else ''}"


def claim_row(claim: Claim) -> list[str]:
    """Return a claim as a row with the columns COLUMNS."""
    name = benchmark_of(claim) + ("" if claim.benchmark else " (unknown)")
    metric = f", {claim.metric}" if claim.metric and claim.metric not in claim.text else ""
    stated = "; ".join(dict.fromkeys(claim.stated.values())) or "nothing"
    where = f"{claim.file}:{claim.line}" if claim.file else str(claim.line)
    return [
        where,
        whose(claim),
        name + metric,
        claim.text,
        one_pass(claim),
        interval(claim),
        stated,
    ]


def _claims(audit: Audit) -> list[str]:
    if not audit.claims:
        return []
    lines = [
        "",
        "## Claims",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---:|---|---|---:|---|---|---|",
    ]
    for claim in audit.claims:
        lines.append("| " + " | ".join(cell(part) for part in claim_row(claim)) + " |")
    lines += [
        "",
        "*k of n* lists the scores of one pass over the benchmark's items that print as this value "
        "or lie in this range, for each usual number of items. *95% interval* is Wilson's, "
        "assuming one pass over the first of these numbers of items.",
    ]
    if audit.is_cut:
        lines += ["", f"The card has more claims; the first {len(audit.claims):,} are listed."]
    return lines


def _findings(audit: Audit) -> list[str]:
    lines: list[str] = []
    strength = ""
    for number, finding in enumerate(audit.findings, 1):
        if finding.strength != strength:
            strength = finding.strength
            lines += ["", f"## {HEADINGS[strength]}", "", MEANINGS[strength]]
        lines += ["", f"### {number}. {finding.title}", ""]
        lines += [f"- {point}" for point in finding.points[:MAX_POINTS]]
        if len(finding.points) > MAX_POINTS:
            lines.append(f"- {len(finding.points) - MAX_POINTS} more are in the output of --json.")
        lines += ["", f"**Would settle it:** {finding.settles}"]
    return lines


def _end(audit: Audit) -> list[str]:
    sources = list(dict.fromkeys(s for finding in audit.findings for s in finding.sources))
    if not sources:
        return []
    return ["", "## Sources", "", *(f"- <{source}>" for source in sources)]


def as_json(audit: Audit) -> dict[str, Any]:
    """Return the audit as the JSON object that docs/audit.schema.json describes."""
    return {
        "schema_version": SCHEMA_VERSION,
        "card": audit.card.path.name,
        "model": audit.identity.id,
        "commit": audit.commit,
        "sha256": audit.card.sha256,
        "claims": [_claim_json(claim) for claim in audit.claims],
        "findings": [vars(finding) for finding in audit.findings],
        "unread_lines": audit.unread.all_lines,
        "unread": [
            {"reason": reason, "lines": sorted(lines)}
            for reason, lines in sorted(audit.unread.lines.items())
            if lines
        ],
        "licences": [
            {
                "text": one.text,
                "line": one.line,
                "licence": one.licence.key if one.licence else None,
            }
            for one in audit.licences
        ],
        "is_cut": audit.is_cut,
    }


def _claim_json(claim: Claim) -> dict[str, Any]:
    value = claim.value
    return {
        "line": claim.line,
        "where": claim.where,
        "file": claim.file,
        "whose": claim.whose,
        "model": claim.model,
        "label": claim.label,
        "benchmark": claim.benchmark,
        "subset": claim.subset,
        "metric": claim.metric,
        "text": claim.text,
        "unit": "percent" if value or claim.count else "other",
        "low": float(value.low) if value else None,
        "high": float(value.high) if value else None,
        "decimals": value.decimals if value else None,
        "is_about": claim.is_about,
        "count": list(claim.count) if claim.count else None,
        "passes": claim.passes,
        "is_repeated": claim.is_repeated,
        "is_normalised": claim.is_normalised,
        "fits": [
            {
                "n": one.n,
                "of": size.of,
                "source": size.source,
                "passes": one.passes,
                "rounded": [one.rounded[0], one.rounded[-1]] if one.rounded else None,
                "cut_off": [one.cut[0], one.cut[-1]] if one.cut else None,
                "fewest_passes": one.fewest_passes,
            }
            for size, one in fits(claim)
        ],
        "stated": claim.stated,
        "missing": [kind for kind in KINDS if kind not in claim.stated],
    }
