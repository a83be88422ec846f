"""Render audits as one HTML page: a row per card that opens to its report."""

from functools import cache
from typing import Any

from mathledger import terminal
from mathledger.audit import batch, report
from mathledger.audit.types import Audit


@cache
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mathledger.audit", "."), autoescape=True, trim_blocks=True
    )
    return environment.get_template("page.html.jinja")


def html(entries: list[tuple[str, Audit | None, str | None]]) -> str:
    """Render the page of (name, audit, error) entries; an entry has an audit or an error."""
    shown = [
        {
            "row": batch.row(batch.Entry(name, audit, error)),
            "audit": audit,
            "tally": report.tally(audit) if audit else "",
            "whose": report.whose_counts(audit) if audit else "",
            "claims": [report.claim_row(claim) for claim in audit.claims] if audit else [],
            "unread": report.unread_lines(audit) if audit else [],
        }
        for name, audit, error in entries
    ]
    text = _template().render(
        cards=shown,
        columns=batch.COLUMNS,
        claim_columns=report.COLUMNS,
        strengths=report.HEADINGS,
        meanings=report.MEANINGS,
        max_points=report.MAX_POINTS,
        twice=batch.differing([batch.Entry(*entry) for entry in entries]),
    )
    return terminal.printable(str(text))
