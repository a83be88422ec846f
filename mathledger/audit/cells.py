"""Read a table cell: one score, or two scores by two metrics or on two benchmarks."""

import re
from collections.abc import Iterator
from dataclasses import replace

from mathledger.audit import known
from mathledger.audit.axes import OWN_ROW, Column, Grid, is_number
from mathledger.audit.blocks import Cell, Row
from mathledger.audit.claims import claim_of, words_of
from mathledger.audit.methods import METRIC, metrics_in
from mathledger.audit.owners import Identity, name_of
from mathledger.audit.scores import Score, pair_of, rejoined, score_of
from mathledger.audit.types import Owner, Unread, Unscaled

_TWO = re.compile(
    r"(?i)(?P<a>(?:pass|maj1?|avg|cons|majority|mean)@\s?\d+)(?:[^.;\n]{0,40}?)(?P<how>\(|/|\band\b|,)\s?"
    r"(?P<b>(?:pass|maj1?|avg|cons|majority|mean)@\s?\d+)"
)


def two_metrics(context: str, grid: Grid) -> tuple[str, str] | None:
    heads = " ".join(column.text for column in grid.columns)
    match = _TWO.search(heads) or _TWO.search(context)
    return (match["a"], match["b"]) if match else None


_ERRORS = re.compile(
    r"(?i)\b(?:standard|std|stderr|errors?)\b[^.;\n]{0,40}\b(?:brackets?|parenthes\w+)"
    r"|\b(?:brackets?|parenthes\w+)\b[^.;\n]{0,40}\b(?:standard|std|stderr|errors?)\b"
)


class CellReader:
    """Turns the cells of one table into claims."""

    def __init__(
        self, grid: Grid, number: int, unread: Unread, two: tuple[str, str] | None
    ) -> None:
        self.grid, self.number, self.unread, self.two = grid, number, unread, two
        self.section = grid.table.section
        said = " ".join([grid.table.before, *grid.table.after])
        self.has_errors = bool(_ERRORS.search(said))

    def ours(self, row: Row, own: Identity) -> Owner | None:
        """Return whose a row is if a column next to its label says "Ours"."""
        label = row.cells[self.grid.label].text
        cells = (row.cells[at].text for at in self.grid.labels if at != self.grid.label)
        if not any(re.fullmatch(r"(?i)\W*ours?\W*", text) for text in cells):
            return None
        sizes = {size for name in own.names for size in name.sizes}
        is_sized = not sizes or not name_of(label).sizes or sizes & {*name_of(label).sizes}
        return ("this" if is_sized else "family"), label

    def left_out(self) -> list[Unscaled]:
        """Count the rows of a table that holds no scores."""
        for row in self.grid.rows:
            if any(is_number(row.cells[column.at]) for column in self.grid.columns[1:]):
                self.unread.add("numbers of something that is not known by name", row.line)
        return []

    def two_benchmarks(self, row: Row, column: Column, cell: Cell, owner: Owner) -> list[Unscaled]:
        """Return the claims of a cell such as 71.2 / 33.4 below a header such as GSM8K / MATH."""
        named = [each for each in known.mentions(column.text) if each.key]
        pair = pair_of(cell.text) if len(named) == 2 and column.mention is None else None
        return [
            Unscaled(claim_of(row.line, "table", mention, owner, score, self.section), score)
            for mention, score in zip(named, pair[:2] if pair else (), strict=False)
        ]

    def conditions(self, row: Row, column: Column, mention: known.Mention, used: int) -> str:
        """Return the words of a row and column beyond benchmark and model."""
        texts = [
            cell.text for at, cell in enumerate(row.cells) if at in self.grid.labels and at != used
        ]
        inside = re.findall(r"\(([^()]{0,60})\)", row.cells[used].text)
        return " ".join([*texts, *inside, column.text.replace(mention.label, " ")])

    def whole_number(self, row: Row, head: re.Pattern[str]) -> int | None:
        """Return the whole number of a row in the column with such a header, if there is one."""
        cells = (row.cells[c.at].text.strip() for c in self.grid.columns if head.match(c.text))
        return next((int(cell) for cell in cells if cell.isdecimal()), None)

    def cell(
        self,
        row: Row,
        column: Column,
        cell: Cell,
        mention: known.Mention,
        owner: Owner,
        context: str,
        number: int,
    ) -> Iterator[Unscaled]:
        """Yield the claims of a cell: one score, or two by two metrics."""
        text = rejoined(cell.text)
        pair, score = pair_of(text), score_of(text)
        found: list[tuple[Score, str | None]] = []
        if pair and self.two:
            found = [(pair[0], self.two[0]), (pair[1], self.two[1])]
        elif score is not None:
            found = [(score, None)]
            if pair and pair[2] and self.has_errors:
                found = [(replace(score, spread=pair[1].text), None)]
            elif pair and pair[2]:
                self.unread.add("a second number in a cell", row.line)
        if not found:
            self.unread.add("a cell that does not hold one score", row.line)
        for each, metric in found:
            named = context
            if metric:
                named = METRIC.sub(" ", context)
            claim = claim_of(
                row.line,
                "table",
                mention,
                owner,
                each,
                self.section,
                f"{metric or ''} {named}",
                metric,
            )
            head = metrics_in(column.text)
            if not metric and len(head) == 1:
                claim.metric = head[0]
            claim.conditions = _words(named, mention)
            claim.place, claim.axis = (self.number, number, column.at), self.grid.axis
            if gain := _GAIN.search(text):
                claim.gain = gain[1]
            claim.stated = words_of(f"{context} {cell.text}")
            yield Unscaled(claim, each)


_GAIN = re.compile(r"\(\s?([+−-]\s?\d{1,3}(?:\.\d{1,3})?)\s?(?:%|pp|pts?|points?)?\s?\)")
_IGNORED_WORDS = """
the of on a in our ours this model accuracy acc score value result results
"""
_IGNORED = frozenset(_IGNORED_WORDS.split())


def _words(context: str, mention: known.Mention) -> frozenset[str]:
    text = context.replace(mention.label, " ")
    return frozenset(re.findall(r"[a-z]+@?\d*|\d+", text.lower())) - _IGNORED


def count_of(k: str, n: str) -> tuple[int, int] | None:
    if k.isdecimal() and n.isdecimal() and int(k) <= int(n) and int(n):
        return int(k), int(n)
    return None


def part_of(mention: known.Mention | None, label: str, is_part: bool = False) -> str | None:
    """Return the part of a benchmark that a label names; a bare 5 is level 5.

    Args:
        is_part: The label is a part even if nobody lists it, unless it says that it is the whole.
    """
    if mention is None or mention.key is None:
        return None
    named = known.words(label.replace("&", "and"))
    parts = {known.words(name): name for name in known.benchmarks()[mention.key].subsets}
    part = parts.get(named) or parts.get(("level", *named))
    return part or (label if is_part and not OWN_ROW.match(label) else None) or None
