"""The audit as a page that a person reads: summary, the claims, the findings, the sources."""

from fractions import Fraction
from typing import Any

from mathledger.audit import known
from mathledger.audit.arithmetic import wilson
from mathledger.audit.evidence import KINDS
from mathledger.audit.fits import fits, sizes_of
from mathledger.audit.types import Audit, Claim
from mathledger.audit.words import benchmark_of, span, whose

MAX_POINTS = 20  # of a finding that are shown
COLUMNS = ["line", "whose", "benchmark", "value", "k of n", "95% interval", "stated with it"]


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def one_pass(claim: Claim) -> str:
    """Which k of n the value can be, in the table's words."""
    if claim.value is None:
        return (
            f"{claim.count[0]:,} of {claim.count[1]:,}" if claim.count else "not a share of items"
        )
    if claim.is_about:
        return "approximate"
    candidates = fits(claim)
    if not candidates:
        is_mean = claim.benchmark and known.benchmarks()[claim.benchmark].is_mean
        return "a mean over parts" if is_mean else "n not known"
    return "; ".join(
        f"{span(fit.possible)} of {fit.total:,}" if fit.possible else f"none of {fit.total:,}"
        for _, fit in candidates
    )


def interval(claim: Claim) -> str:
    """95% Wilson interval of the value over the first known number of items."""
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


def _summary(audit: Audit) -> list[str]:
    claims = audit.claims
    own = [claim for claim in claims if claim.whose == "this"]
    other = [claim for claim in claims if claim.whose == "other"]
    unclear = [claim for claim in claims if claim.whose == "unclear"]
    lines = [
        f"# Audit of {audit.card.path.name}",
        "",
        f"sha256 `{audit.card.sha256}`, {audit.card.num_lines:,} lines.",
        "",
        "## Summary",
        "",
    ]
    if not claims:
        lines.append("The card makes no numeric claim that this audit can read.")
    else:
        text = f"{len(claims):,} numeric claims: {len(own)} about this model, {len(other)} about "
        lines.append(f"{text}others{f', {len(unclear)} unclear about whom' if unclear else ''}.")
    if own:
        states = {kind: sum(kind in claim.stated for claim in own) for kind in KINDS}
        full = [what for kind, what in KINDS.items() if states[kind] == len(own)]
        none = [what for kind, what in KINDS.items() if not states[kind]]
        if none:
            lines.append(f"Of those about this model none states {_and(none, 'or')}.")
        if full:
            lines.append(f"All of them state {_and(full)}.")
    lines.append("")
    for number, finding in enumerate(audit.findings, 1):
        where = f" ({_lines(finding.lines)})" if finding.lines else ""
        lines.append(f"{number}. {finding.title}{where}")
    if audit.findings:
        lines.append("")
    lines.append(
        "The findings say what this card does not support. They do not say that it is false."
    )
    return lines


def _and(items: list[str], word: str = "and") -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"


def _lines(lines: list[int]) -> str:
    if len(lines) == 1:
        return f"line {lines[0]}"
    shown = ", ".join(str(line) for line in lines[:12])
    return f"lines {shown}{', ...' if len(lines) > 12 else ''}"


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
        name = benchmark_of(claim) + ("" if claim.benchmark else " (unknown)")
        metric = f", {claim.metric}" if claim.metric and claim.metric not in claim.text else ""
        stated = "; ".join(dict.fromkeys(claim.stated.values())) or "nothing"
        row = [whose(claim), name + metric, claim.text, one_pass(claim), interval(claim), stated]
        lines.append(f"| {claim.line} | " + " | ".join(cell(part) for part in row) + " |")
    lines += [
        "",
        "*k of n*: the scores of one pass over the benchmark's items that print as this value (of "
        "a range: that lie in it), for each usual number of items. *95% interval*: Wilson's, if "
        "the value was measured in one pass over the first of these numbers of items.",
    ]
    if audit.is_cut:
        lines += ["", f"The card has more claims; the first {len(audit.claims):,} are listed."]
    if audit.unread:
        lines += ["", f"Numbers that could not be told apart: {_lines(audit.unread)}."]
    return lines


def _findings(audit: Audit) -> list[str]:
    lines = ["", "## Findings"] if audit.findings else []
    for number, finding in enumerate(audit.findings, 1):
        lines += ["", f"### {number}. {finding.title}", ""]
        lines += [f"- {point}" for point in finding.points[:MAX_POINTS]]
        if len(finding.points) > MAX_POINTS:
            lines.append(f"- And {len(finding.points) - MAX_POINTS} more; --json has them all.")
        lines += ["", f"**Would settle it:** {finding.settles}"]
    return lines


def _end(audit: Audit) -> list[str]:
    sources = list(dict.fromkeys(s for finding in audit.findings for s in finding.sources))
    if not sources:
        return []
    return ["", "## Sources", "", *(f"- <{source}>" for source in sources)]


def as_json(audit: Audit) -> dict[str, Any]:
    """The same for machines."""
    return {
        "card": audit.card.path.name,
        "sha256": audit.card.sha256,
        "claims": [_claim_json(claim) for claim in audit.claims],
        "findings": [vars(finding) for finding in audit.findings],
        "unread_lines": audit.unread,
        "is_cut": audit.is_cut,
    }


def _claim_json(claim: Claim) -> dict[str, Any]:
    value = claim.value
    return {
        "line": claim.line,
        "where": claim.where,
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
