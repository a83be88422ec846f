"""Render audits as one HTML page: a row per card that opens to its report."""

from functools import cache
from typing import Any

from mathledger.audit import batch, report
from mathledger.audit.types import Audit
from mathledger.card.templating import environment


@cache
def _template() -> Any:
    return environment("mathledger.audit", writes="html").get_template("page.html.jinja")


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
    return str(text)
