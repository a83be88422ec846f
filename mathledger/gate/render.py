"""Format the verdicts on a policy as text, Markdown or JSON."""

from collections.abc import Sequence
from typing import Any

from mathledger.card.markdown import table
from mathledger.gate.compute import Finding

STYLES = {r"\bBROKEN\b|\bfails\b": "bold red", r"\bholds\b|\bpasses\b": "green"}
HEAD = ["metric", "now", "against", "difference, points", "rule", "rests on", "verdict"]


def cells(finding: Finding, base: str | None) -> list[str]:
    rule, step = finding.rule, finding.difference
    other = f"{rule.value:g}" if rule.value is not None else f"{100 * finding.against:.1f} ({base})"
    change = "not lower" if rule.direction == "not_lower" else "higher"
    by = f" by more than {rule.margin:g}" if rule.margin else ""
    return [
        rule.metric,
        f"{100 * finding.now:.1f}",
        other,
        f"{100 * step.value:+z.1f} [{100 * step.low:z.1f}, {100 * step.high:z.1f}]",
        f"{change}{by}, {100 * rule.confidence:g}%",
        finding.how,
        verdict(finding),
    ]


def verdict(finding: Finding) -> str:
    if finding.verdict == "unsure":
        return "cannot tell: " + ("passes" if finding.passes else "fails")
    return "holds" if finding.verdict == "holds" else "BROKEN"


def text(findings: Sequence[Finding], base: str | None) -> str:
    """Return a table for a terminal or a log, and a last line that counts the broken rules."""
    lines = [HEAD, *(cells(each, base) for each in findings)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEAD))]
    shown = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return "\n".join([*shown, "", last_line(findings)]) + "\n"


def markdown(findings: Sequence[Finding], base: str | None) -> str:
    rows = [cells(each, base) for each in findings]
    return f"{table(HEAD, rows, len(HEAD))}\n{last_line(findings)}\n"


def last_line(findings: Sequence[Finding]) -> str:
    num_failed = sum(not each.passes for each in findings)
    of = f"{len(findings)} rule{'s' * (len(findings) > 1)}"
    return f"{num_failed} of {of} failed." if num_failed else f"No failure among {of}."


def content(findings: Sequence[Finding], base: str | None) -> dict[str, Any]:
    """Return the verdicts as `--json` prints them."""
    return {
        "base": base,
        "passes": all(each.passes for each in findings),
        "rules": [
            {
                **each.rule.content(),
                "now": each.now,
                "against": each.against,
                "difference": vars(each.difference),
                "rests_on": each.how,
                "verdict": each.verdict,
                "passes": each.passes,
            }
            for each in findings
        ],
    }
