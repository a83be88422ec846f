"""The body of a model card: blocks of text, tables and code with their lines.

A reader of its own, line by line, since it has to say where a number stands, to read the tables
that cards keep in code and HTML, and to stay quick: a Markdown library took 13 s for 5 MB of table.
"""

import re
from dataclasses import dataclass

from mathledger.audit.markup import Row, cells, html_rows, plain

HEADING = re.compile(r" {0,3}(#{1,6})(?:\s+(.*))?$")
ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s")
FENCE = re.compile(r"\s*(`{3,}|~{3,})")


@dataclass(frozen=True)
class Section:
    titles: tuple[str, ...]  # from the outermost heading to its own
    line: int

    @property
    def topics(self) -> tuple[str, ...]:
        """The headings that say what it is about: not the first, which is the card's own title."""
        return self.titles[1:] or self.titles


@dataclass(frozen=True)
class Text:
    """A paragraph, a list item or a heading: its lines as they stand, and without markup."""

    line: int
    lines: list[str]
    plain: list[str]
    section: Section


@dataclass(frozen=True)
class Code:
    line: int
    lines: list[str]
    section: Section


@dataclass(frozen=True)
class Table:
    line: int
    header: list[str]
    rows: list[Row]
    section: Section
    caption: str  # the text just before it, in the same section


Block = Text | Code | Table


def blocks(lines: list[str], num_before: int) -> list[Block]:
    """The blocks of a card's body in their order; so many lines of front matter stand before it."""
    reader = _Reader(num_before + 1)
    at = 0
    while at < len(lines):
        at = reader.step(lines, at)
    reader.flush()
    return reader.blocks


class _Reader:
    """Gathers lines into blocks, one step for each line or run of lines that belong together."""

    def __init__(self, first: int) -> None:
        self.first = first  # the number of the first line
        self.blocks: list[Block] = []
        self.section = Section((), 1)
        self.waiting: list[str] = []
        self.waiting_line = 0
        self.caption = ""

    def step(self, lines: list[str], at: int) -> int:
        """Read what stands at lines[at]; returns where the next thing stands."""
        line = lines[at]
        fence = FENCE.match(line)
        if fence:
            return self.code(lines, at, fence[1])
        lowered = line.lower() if "<" in line else ""
        if "<table" in lowered:
            return self.html_table(lines, at)
        heading = HEADING.match(line)
        if heading:
            self.flush()
            self.head(len(heading[1]), (heading[2] or "").rstrip("# "), at + self.first)
        elif is_table(lines, at):
            self.flush()
            end = table_end(lines, at)
            self.add_table(table(lines, at, end, at + self.first))
            return end
        elif not line.strip():
            self.flush()
        elif self.waiting and len(self.waiting) == 1 and re.fullmatch(r" {0,3}(=+|-{3,})\s*", line):
            title, number = self.waiting[0], self.waiting_line
            self.waiting = []
            self.head(1 if "=" in line else 2, title.strip(), number)
        else:
            if ITEM.match(line):
                self.flush()
            if not self.waiting:
                self.waiting_line = at + self.first
            self.waiting.append(line)
        return at + 1

    def flush(self) -> None:
        if self.waiting:
            text = [plain(line) for line in self.waiting]
            self.blocks.append(Text(self.waiting_line, self.waiting, text, self.section))
            self.caption = " ".join(text[-3:])
            self.waiting = []

    def head(self, level: int, title: str, line: int) -> None:
        titles = (*self.section.titles[: level - 1], *[""] * (level - 1 - len(self.section.titles)))
        self.section = Section((*titles, plain(title)), line)
        self.blocks.append(Text(line, [title], [plain(title)], self.section))
        self.caption = ""

    def code(self, lines: list[str], at: int, mark: str) -> int:
        self.flush()
        end = at + 1
        while end < len(lines) and not _closes(lines[end], mark):
            end += 1
        inside = lines[at + 1 : end]
        self.blocks.append(Code(at + 1 + self.first, inside, self.section))
        row = 0
        while row < len(inside):
            if is_table(inside, row):
                last = table_end(inside, row)
                self.add_table(table(inside, row, last, at + 1 + self.first + row))
                row = last
            else:
                row += 1
        return end + 1

    def html_table(self, lines: list[str], at: int) -> int:
        self.flush()
        end = at
        while end + 1 < len(lines) and "</table" not in lines[end].lower():
            end += 1
        numbered = html_rows("\n".join(lines[at : end + 1]))
        rows = [(at + self.first + line, row) for line, row in numbered]
        if rows:
            self.add_table((rows[0][0], rows[0][1], rows[1:]))
        return end + 1

    def add_table(self, parts: tuple[int, list[str], list[Row]]) -> None:
        line, header, rows = parts
        self.blocks.append(Table(line, header, rows, self.section, self.caption))


def _closes(line: str, mark: str) -> bool:
    stripped = line.strip()
    return len(stripped) >= len(mark) and set(stripped) == {mark[0]}


def is_table(lines: list[str], at: int) -> bool:
    """Return True if a pipe table's header stands here, its line of dashes below."""
    if "|" not in lines[at] or at + 1 >= len(lines):
        return False
    below = lines[at + 1].strip()
    return "|" in below and "-" in below and set(below) <= set("|:- \t")


def table_end(lines: list[str], at: int) -> int:
    end = at + 2
    while end < len(lines) and "|" in lines[end]:
        end += 1
    return end


def table(lines: list[str], at: int, end: int, line: int) -> tuple[int, list[str], list[Row]]:
    """A pipe table: its line, its header, and each row with its own line."""
    rows = [(line + 2 + row, cells(lines[at + 2 + row])) for row in range(end - at - 2)]
    return line, cells(lines[at]), rows
