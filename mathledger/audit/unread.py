"""Count the lines that an audit leaves out: images, comments and unclaimed numbers."""

import re

from mathledger.audit.axes import OTHER, is_about_data, is_number
from mathledger.audit.blocks import Table
from mathledger.audit.card import Card
from mathledger.audit.types import Claim, Unread

_DECORATION = re.compile(
    r"(?i)shields\.io|badge|logo|banner|avatar|icon|colab|discord|twitter|wechat|licen[cs]e|visitor"
)
_RESULTS = re.compile(
    r"(?i)result|bench|eval|scores?\b|perf|chart|plot|compar|\bacc|aime|math|gsm|fig|leaderboard"
    r"|radar|curve|table|metric|pass|downstream"
)


def count(card: Card, claims: list[Claim], left_out: Unread) -> None:
    """Add images that may hold results, comments with numbers, and silent table rows."""
    for line, name, section in card.body.images:
        title = " ".join(section.titles[-1:])
        if not _DECORATION.search(name) and (_RESULTS.search(name) or _RESULTS.search(title)):
            left_out.add("an image that may hold results", line)
    for line in card.body.hidden:
        left_out.add("numbers in a comment, which a reader does not see", line)
    if card.body.beyond:
        left_out.add("lines beyond the reading limit", card.body.beyond)
    told = {claim.line for claim in claims} | set(left_out.all_lines)
    for block in card.body.blocks:
        if isinstance(block, Table) and not is_about_data(block):
            for line in _silent_rows(block, told):
                left_out.add("numbers under a name that the audit does not know", line)


def _silent_rows(table: Table, told: set[int]) -> list[int]:
    """Return the lines of rows that hold score-like numbers but gave no claim."""
    heads = [cell.text for cell in table.rows[0].cells]
    lines = []
    for row in table.rows[1:]:
        if row.line in told or OTHER.match(row.cells[0].text or "a row"):
            continue
        for at, cell in enumerate(row.cells[1:], 1):
            is_score = is_number(cell) and re.search(r"\.\d|%", cell.text)
            if is_score and not OTHER.match(heads[at] or "a column"):
                lines.append(row.line)
                break
    return lines
