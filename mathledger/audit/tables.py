"""Read claims from tables with benchmarks in columns, in rows, or named by the text."""

import re
from collections.abc import Iterator

from mathledger.audit import known
from mathledger.audit.axes import (
    BENCH_HEAD,
    MEAN_HEAD,
    MODEL_HEAD,
    OWN_ROW,
    PASSES_HEAD,
    RUN_HEAD,
    SETTING_WORDS,
    SHOTS_HEAD,
    SOLVED_HEAD,
    SPREAD_HEAD,
    TOTAL_HEAD,
    VALUE_HEAD,
    Column,
    Grid,
    grids,
    is_about_data,
    is_number,
    is_other,
    sole,
)
from mathledger.audit.blocks import Cell, Row, Table
from mathledger.audit.cells import CellReader, count_of, part_of, two_metrics
from mathledger.audit.claims import (
    NORMALISED,
    claim_of,
    in_percent,
    is_accuracy,
    unnamed,
)
from mathledger.audit.methods import METRIC
from mathledger.audit.owners import Identity, is_model_name, name_of
from mathledger.audit.prose import SCORE_WORDS
from mathledger.audit.scores import score_of, scores
from mathledger.audit.types import Claim, Owner, Unread, Unscaled


def table_claims(
    table: Table, number: int, own: Identity, unread: Unread, notes: str
) -> list[Claim]:
    """Yield the claims of a table of any shape; count numbers that are left out.

    Args:
        notes: What the card's text says about its metrics, for cells that hold two values.
    """
    for line in table.too_long:
        unread.add("a row with more cells than its table has columns", line)
    context = " ".join([table.before, *table.after, table.section.title, notes])
    claims: list[Claim] = []
    for grid in grids(table):
        reader = _TableReader(grid, number, own, unread, two_metrics(context, grid))
        claims += in_percent([*reader.read()])
    heads = " ".join(cell.text for cell in table.rows[0].cells)
    titles = " ".join(table.section.titles[-2:])
    if NORMALISED.search(f"{heads} {titles} {table.before}"):
        for claim in claims:
            claim.is_normalised = True
    return claims


class _TableReader(CellReader):
    def __init__(
        self,
        grid: Grid,
        number: int,
        own: Identity,
        unread: Unread,
        two: tuple[str, str] | None,
    ) -> None:
        super().__init__(grid, number, unread, two)
        self.own = own
        self.owners = {column.at: self.owner_of_column(column) for column in grid.columns}
        self.last: Owner | None = None
        self.last_label = ""
        self.emphasised: bool | None = None
        self.about = self.subject()
        self.is_read = not is_about_data(grid.table)

    def subject(self) -> Owner:
        """Return the owner of numbers in a table that names no model: this one, or the text's."""
        text = f"{self.section.title}"
        named = self.own.in_text(text)
        whose = {each[2] for each in named}
        if named and "this" not in whose:
            return named[0][2], named[0][3]
        named = self.own.in_text(self.grid.table.before[-200:])
        if named and "this" not in {each[2] for each in named}:
            return "unclear", named[0][3]
        return "this", None

    def owner_of_column(self, column: Column) -> Owner | None:
        """Return the model that a column header names; None if it names none."""
        for part in reversed(column.parts):
            if not part or sole(part) or VALUE_HEAD.match(part):
                continue
            bare = METRIC.sub(" ", part)
            if not re.search(r"\w", bare) or SETTING_WORDS.match(bare):
                continue
            whose, name = self.own.of_label(bare, raw=column.raw)
            if whose != "unclear":
                return whose, name
        return None

    def read(self) -> Iterator[Unscaled]:
        if self.grid.axis == "columns":
            yield from self.by_column()
        elif self.grid.axis == "rows":
            yield from self.by_row() if self.is_read else self.left_out()
        elif self.grid.axis == "none":
            yield from self.of_one()

    def label_owner(self, row: Row, at: int) -> Owner | None:
        """Return the model that a row label names; None if it names none."""
        cell = row.cells[at]
        label = cell.text
        if label.startswith("+"):
            named = [each for each in self.own.in_text(label) if each[2] == "this"]
            return ("this", named[0][3]) if named else self.last
        if not re.search(r"\w", label):
            return self.last
        bare = METRIC.sub(" ", label)
        if not re.search(r"\w", bare) or (OWN_ROW.match(label) and "our" not in label.lower()):
            return self.last if self.last_is_model() else None
        size = row.cells[self.grid.size].text if self.grid.size is not None else ""
        if re.fullmatch(r"\d+(?:\.\d+)?", size):
            size += "b"
        if size and is_model_name(size) and not name_of(size).sizes:
            size = ""
        whose, name = self.own.of_label(bare, size, cell.raw)
        if whose == "unclear":
            if SETTING_WORDS.match(label):
                return self.last if self.last_is_model() else None
            if self.is_own_by_emphasis(cell, at):
                whose = "this"
            elif self.grid.columns[at].text and re.search(
                r"(?i)model|method|system|llm", self.grid.columns[at].text
            ):
                whose = "other"
        if whose == "other" and not self.own.names and self.is_own_by_emphasis(cell, at):
            whose = "this"
        if whose in ("this", "family") and size and name and not name_of(name).sizes:
            name = f"{name} {size}"
        return whose, name

    def last_is_model(self) -> bool:
        return self.last is not None

    def is_own_by_emphasis(self, cell: Cell, at: int) -> bool:
        """Return True for the only bold label of a table in which no label names this model."""
        if not cell.is_bold:
            return False
        if self.emphasised is None:
            labels = [row.cells[at] for row in self.grid.rows]
            others = [self.own.of_label(label.text)[0] for label in labels]
            self.emphasised = (
                not {"this", "family"} & {*others}
                and others.count("other") >= 2
                and sum(label.is_bold for label in labels) == 1
            )
        return self.emphasised

    def by_column(self) -> Iterator[Unscaled]:
        """Read benchmarks from the header; a row is a model, a metric or a part of one."""
        grid = self.grid
        for number, row in enumerate(grid.rows):
            label = row.cells[grid.label].text
            owner = self.ours(row, self.own) or self.label_owner(row, grid.label)
            if owner and not label.startswith("+") and label:
                self.last = owner
            group = self.owner_of_group(number)
            for column in grid.columns:
                cell = row.cells[column.at]
                if column.at == grid.label or not column.is_value or not is_number(cell):
                    continue
                two = self.two_benchmarks(row, column, cell, owner or self.about)
                yield from two
                mention = column.mention or (None if two else self.unknown(column, cell, row))
                if mention is None:
                    continue
                part = part_of(mention, label)
                whose = None if part else owner
                if whose is None or (whose[0] == "unclear" and (self.owners[column.at] or group)):
                    whose = self.owners[column.at] or group or whose or self.about
                context = f"{column.text} {label} " + self.conditions(
                    row, column, mention, grid.label
                )
                for unscaled in self.cell(row, column, cell, mention, whose, context, number):
                    unscaled.claim.subset = part
                    yield unscaled

    def owner_of_group(self, number: int) -> Owner | None:
        group = self.grid.groups.get(number, "")
        if not group or not is_model_name(group):
            return None
        whose, name = self.own.of_label(group)
        return (whose, name) if whose in ("this", "family", "other") else None

    def unknown(self, column: Column, cell: Cell, row: Row) -> known.Mention | None:
        """Return a mention of an unknown benchmark if the number is a score."""
        score, label = score_of(cell.text), column.text
        if not self.is_read or score is None or is_other(label or "n"):
            return None
        if score.is_plain and not self.has_scores(column):
            self.unread.add("numbers under a name that the audit does not know", row.line)
            return None
        return unnamed(label)

    def has_scores(self, column: Column) -> bool:
        """Return True if some number of a column looks like a score: 72.7, 73%."""
        read = (score_of(row.cells[column.at].text) for row in self.grid.rows[:50])
        return any(score is not None and not score.is_plain for score in read)

    def by_row(self) -> Iterator[Unscaled]:
        """Read benchmarks from the rows; a column is a model, or a value or its details.

        A row without a name continues the benchmark above it.
        """
        grid = self.grid
        mention: known.Mention | None = None
        has_value = any(VALUE_HEAD.match(column.text) for column in grid.columns)
        for number, row in enumerate(grid.rows):
            label = row.cells[grid.label].text
            at = next((at for at in grid.labels[:4] if sole(row.cells[at].text)), None)
            if at is not None:
                mention = sole(row.cells[at].text)
            elif label:
                mention = unnamed(label)
            elif grid.groups.get(number) and sole(grid.groups[number]):
                mention = sole(grid.groups[number])
            if mention is None or (at is None and is_other(label or "a row")):
                continue
            yield from self.benchmark_row(row, number, mention, at, has_value)

    def benchmark_row(
        self, row: Row, number: int, mention: known.Mention, at: int | None, has_value: bool
    ) -> Iterator[Unscaled]:
        grid = self.grid
        first: Unscaled | None = None
        shots = self.whole_number(row, SHOTS_HEAD)
        passes = self.whole_number(row, PASSES_HEAD)
        for column in grid.columns:
            cell = row.cells[column.at]
            if column.at in (grid.label, at):
                continue
            if SPREAD_HEAD.match(column.text) and first:
                first.claim.spread = first.claim.spread or cell.text.lstrip("±+/- ") or None
                continue
            if column.at in grid.labels or not column.is_value:
                yield from self.remark(row, cell, mention)
                continue
            owner = self.owners[column.at]
            if not is_number(cell) or (not column.text and has_value):
                yield from self.remark(row, cell, mention)
                continue
            owner = owner or self.owner_in_row(row, column, number)
            is_unsure = owner is None or (mention.key is None and owner[0] == "unclear")
            if owner is None or is_unsure or (mention.key is None and not self.is_read):
                self.unread.add("numbers under a name that the audit does not know", row.line)
                continue
            used = at if at is not None else grid.label
            context = f"{column.text} {row.cells[used].text} "
            context += self.conditions(row, column, mention, used)
            for unscaled in self.cell(row, column, cell, mention, owner, context, number):
                claim = unscaled.claim
                if shots is not None:
                    claim.stated["prompt"] = f"{shots}-shot"
                if MEAN_HEAD.match(column.text) and not claim.passes:  # Not over benchmarks.
                    claim.passes, claim.is_repeated = passes, not passes
                first = unscaled
                yield unscaled

    def owner_in_row(self, row: Row, column: Column, number: int) -> Owner | None:
        """Return the owner of a number below a header without a model; None for a non-score."""
        head = column.text
        bare = METRIC.sub(" ", head)
        is_score = not re.search(r"\w", bare) or bool(SETTING_WORDS.match(head))
        is_mean = MEAN_HEAD.match(head) and not any(self.owners.values())  # Not over models.
        if is_score or is_mean or VALUE_HEAD.match(head):
            model_at = self.model_column()
            own = self.label_owner(row, model_at) if model_at is not None else None
            return own or self.owner_of_group(number) or self.about
        return ("unclear", head) if re.search(r"[A-Z\d]", head) else None

    def model_column(self) -> int | None:
        """Return the label column that names models next to the one that names benchmarks."""
        labels = [at for at in self.grid.labels if at != self.grid.label]
        return next((at for at in labels if MODEL_HEAD.match(self.grid.columns[at].text)), None)

    def remark(self, row: Row, cell: Cell, mention: known.Mention) -> Iterator[Unscaled]:
        """Yield scores in a remark, each of a model named there: Exceeds GPT-4 (~25-30%)."""
        if not re.search(r"\d\s?%", cell.text):
            return
        named = self.own.in_text(cell.text)
        for score in scores(cell.text):
            before = [each for each in named if each[1] <= score.start]
            if score.is_percent and before and before[-1][2] == "other":
                owner: Owner = (before[-1][2], before[-1][3])
                yield Unscaled(
                    claim_of(row.line, "table", mention, owner, score, self.section), score
                )

    def of_one(self) -> Iterator[Unscaled]:
        """Read a table whose one benchmark the heading or surrounding text names, if known."""
        grid = self.grid
        columns = grid.columns
        mention = self.named_around()
        solved = next((c.at for c in columns if SOLVED_HEAD.match(c.text)), None)
        total = next((c.at for c in columns if TOTAL_HEAD.match(c.text)), None)
        has_models = any(self.owners[column.at] for column in columns if column.is_value)
        head = columns[grid.label].text
        names_tasks = bool(BENCH_HEAD.match(head)) and not MODEL_HEAD.match(head)
        for number, row in enumerate(grid.rows):
            label = row.cells[grid.label].text or (
                self.last_label if names_tasks or grid.has_parts else ""
            )
            self.last_label = label
            part = part_of(mention, label, grid.has_parts)
            is_own = grid.is_log or names_tasks or grid.has_parts or part
            owner = None if is_own else self.label_owner(row, grid.label)
            if owner and owner[0] != "unclear" and not label.startswith("+"):
                self.last = owner
            for column in columns:
                cell = row.cells[column.at]
                if not column.is_value or column.at in (grid.label, solved, total):
                    continue
                if not is_number(cell):
                    continue
                in_column = self.owners[column.at]
                name = mention or self.stranger(row, column, owner, label)
                if name is None and not grid.is_log:
                    self.unread.add("numbers under a name that the audit does not know", row.line)
                if name is None:
                    continue
                whose = in_column or (None if part else owner)
                if whose is None or (whose[0] == "unclear" and not has_models):
                    is_named = re.search(r"(?i)model|method|system", columns[grid.label].text)
                    whose = whose if whose and is_named else self.about
                context = f"{column.text} {label} " + self.conditions(row, column, name, grid.label)
                for unscaled in self.cell(row, column, cell, name, whose, context, number):
                    claim = unscaled.claim
                    claim.subset = part
                    claim.caption = grid.table.before[-200:] if mention is None else ""
                    if RUN_HEAD.match(columns[grid.label].text):
                        claim.metric = f"run {label}"
                    if solved is not None and total is not None:
                        claim.count = count_of(row.cells[solved].text, row.cells[total].text)
                    yield unscaled

    def named_around(self) -> known.Mention | None:
        table = self.grid.table
        for title in reversed(table.section.topics):
            if title and (mention := sole(title)):
                return mention
        for text in (table.before[-160:], *table.after[:2]):
            mention = sole(text)
            if mention and (text is table.before[-160:] or METRIC.search(text)):
                return mention
        return None

    def stranger(
        self, row: Row, column: Column, owner: Owner | None, label: str
    ) -> known.Mention | None:
        """Return a mention of an unknown benchmark if the number is certain to be a score."""
        if self.grid.is_log:
            is_score = VALUE_HEAD.match(column.text) and "loss" not in column.text.lower()
            return unnamed(column.text) if is_score else None
        score = score_of(row.cells[column.at].text)
        has_parts = self.grid.has_parts
        if not self.is_read or score is None or score.is_plain:
            return None
        if is_other(label or "x") and not has_parts:
            return None
        head = column.text
        in_column = self.owners[column.at]
        is_model_row = bool(owner and owner[0] in ("this", "family", "other"))
        about = f"{self.section.title} {self.grid.table.before[-120:]}"
        is_results = re.search(r"(?i)eval|benchmark|result|performance|accura|score", about)
        if in_column and in_column[0] != "unclear" and (is_results or score.is_percent):
            caption = self.grid.table.before[-60:].strip()
            is_bare = (label.isdigit() or has_parts) and 0 < len(caption) < 60
            return unnamed(f"{caption}: {label}" if is_bare else label or head)
        texts = [row.cells[at].text for at in self.grid.labels]
        if VALUE_HEAD.match(head) and (SCORE_WORDS.search(head) or is_accuracy(head, *texts)):
            return unnamed(head if is_model_row else label or head)
        if is_model_row and head and is_results and not is_other(head):
            return unnamed(head)
        return None
