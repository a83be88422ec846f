"""Parse the body of a model card into text, tables, code and images with their lines.

markdown-it parses the CommonMark blocks. Our own table rule emits one token per table instead of
four per cell (with which 5 MB took 23 s). It also accepts what cards get wrong: a delimiter with
another number of columns, or rows that are too long. Tables in HTML and in code are found in the
source lines of their blocks.
"""

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from mathledger.audit.markup import (
    html_rows,
    images,
    is_bold,
    plain,
    raw_cells,
    without_code,
    without_comments,
)

MAX_LINES = 200_000  # Lines read per card; the audit reports where it stopped.
MAX_TABLE_ROWS = 3000
MAX_COLUMNS = 100
MAX_CELL = 400  # Characters.
_DELIMITER = re.compile(r"[\s|:+-]*-[\s|:+-]*$")
_H_TAG = re.compile(r"<h([1-6])\b[^<>]{0,300}>(.{0,500}?)</h\1\s*>", re.I | re.S)
_BEFORE_NUMBER = re.compile(r"^[^\w\s~≈<>≥≤+−$(\[.-]+\s*(?=[~≈]?\d)")  # An emoji such as a medal.
_SCORE_LIKE = re.compile(r"\d\.\d|\d\s?%")
_NUMBER = re.compile(r"\d")


@dataclass(frozen=True)
class Section:
    """A section of the card, known by its headings and first line."""

    titles: tuple[str, ...]  # Headings, from the outermost to its own.
    line: int

    @property
    def topics(self) -> tuple[str, ...]:
        """The headings without the first, which is the card's own title."""
        return self.titles[1:] or self.titles

    @property
    def title(self) -> str:
        return self.titles[-1] if self.titles else ""


@dataclass(frozen=True)
class Text:
    """A paragraph, list item or heading, with its lines as written and without markup."""

    line: int
    lines: list[str]
    plain: list[str]
    section: Section
    is_heading: bool = False
    is_item: bool = False


@dataclass(frozen=True)
class Code:
    """A code block with its lines as written."""

    line: int
    lines: list[str]
    section: Section


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str  # The text without markup.
    raw: str
    is_bold: bool = False


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    line: int
    cells: list[Cell]
    is_head: bool = False  # True if the source marks it as a header.


@dataclass(frozen=True)
class Table:
    """A table whose first row, at least, is a header."""

    line: int
    rows: list[Row]
    section: Section
    before: str  # The text just before it, in the same section.
    after: list[str] = field(default_factory=list)  # The text just after it.
    too_long: list[int] = field(default_factory=list)  # Lines of rows with too many cells.


Block = Text | Code | Table


@dataclass
class Body:
    """The blocks of a card with its images and what was not read."""

    blocks: list[Block]
    images: list[tuple[int, str, Section]]
    hidden: list[int]  # Lines with numbers inside comments.
    beyond: int | None  # The first line beyond MAX_LINES.


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"maxNesting": 30})
    parser.block.ruler.before(
        "paragraph", "card_table", _table_rule, {"alt": ["paragraph", "reference"]}
    )
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def _line(state: Any, at: int) -> str:
    return str(state.src[state.bMarks[at] + state.tShift[at] : state.eMarks[at]])


def _table_rule(state: Any, start: int, end: int, silent: bool) -> bool:
    """Match a pipe table: a header, a delimiter of dashes and pipes, and rows with pipes."""
    if start + 2 > end or state.sCount[start + 1] < state.blkIndent or state.is_code_block(start):
        return False
    head, delimiter = _line(state, start), _line(state, start + 1)
    if "|" not in head or "|" not in delimiter or not _DELIMITER.match(delimiter):
        return False
    if silent:
        return True
    last = start + 2
    while last < end and state.sCount[last] >= state.blkIndent and "|" in _line(state, last):
        last += 1
    token = state.push("card_table", "", 0)
    token.map = [start, last]
    token.meta = {"rows": [_line(state, at) for at in range(start, last)]}
    state.line = last
    return True


def body(lines: list[str], num_before: int) -> Body:
    """Parse the body of a card that follows `num_before` lines of front matter."""
    reader = _Reader(lines[:MAX_LINES], num_before + 1)
    reader.read()
    beyond = num_before + MAX_LINES + 1 if len(lines) > MAX_LINES else None
    return Body(reader.blocks, reader.images, reader.hidden, beyond)


class _Reader:
    """Converts the parser's tokens to blocks."""

    def __init__(self, lines: list[str], first: int) -> None:
        self.lines = lines
        self.first = first  # Number of the first line.
        self.blocks: list[Block] = []
        self.images: list[tuple[int, str, Section]] = []
        self.hidden: list[int] = []
        self.section = Section((), 1)
        self.before: list[str] = []
        self.table: Table | None = None  # The last table, while text below may belong to it.
        self.ends = [at for at, line in enumerate(lines) if "</table" in line.lower()]
        self.skip = 0  # Lines before this one have been read.

    def read(self) -> None:
        text = "\n".join(self.lines).replace("\x00", " ")
        tokens = _parser().parse(text)
        depth = 0
        for at, token in enumerate(tokens):
            if token.type in ("list_item_open", "list_item_close"):
                depth += 1 if token.nesting == 1 else -1
            if token.map is None or token.map[0] < self.skip:
                continue
            start, end = token.map
            if token.type == "card_table":
                self.add_rows([*enumerate(token.meta["rows"], start)])
            elif token.type == "heading_open":
                title = tokens[at + 1].content
                self.head(int(token.tag[1]), title, start)
            elif token.type in ("fence", "code_block"):
                self.code(token, start)
            elif token.type == "html_block":
                self.html(start, end)
            elif token.type == "inline" and tokens[at - 1].type == "paragraph_open":
                self.paragraph(token.content, start, end, depth > 0)

    def head(self, level: int, title: str, at: int) -> None:
        titles = (*self.section.titles[: level - 1], *[""] * (level - 1 - len(self.section.titles)))
        self.see_images(title, at)
        shown = plain(title.replace("\n", " "))
        self.section = Section((*titles, shown), at + self.first)
        lines = title.split("\n")
        self.blocks.append(
            Text(at + self.first, lines, [plain(line) for line in lines], self.section, True)
        )
        self.before, self.table = [], None

    def paragraph(self, content: str, start: int, end: int, is_item: bool) -> None:
        lines = without_comments(content).split("\n")
        for at, line in enumerate(lines):
            if "<table" in line.lower() and "<table" in without_code(line).lower():
                self.text(lines[:at], start, is_item)
                self.html_table(start + at, end)
                return
        self.text(lines, start, is_item)

    def text(self, lines: list[str], start: int, is_item: bool) -> None:
        for at, line in enumerate(lines):
            self.see_images(line, start + at)
        shown = [plain(line) for line in lines]
        if not any(shown):
            return
        text = Text(start + self.first, lines, shown, self.section, False, is_item)
        self.blocks.append(text)
        whole = " ".join(shown)[:2000]
        self.before = [*self.before[-1:], whole]
        if self.table and len(self.table.after) < 4:
            self.table.after.append(whole)

    def see_images(self, line: str, at: int) -> None:
        if "![" in line or "<img" in line.lower():
            self.images += [(at + self.first, name, self.section) for name in images(line)]

    def code(self, token: Any, start: int) -> None:
        lines = token.content.split("\n")
        first = start + (1 if token.type == "fence" else 0)
        self.blocks.append(Code(first + self.first, lines, self.section))
        self.pipe_tables(lines, first)

    def pipe_tables(self, lines: list[str], first: int) -> list[int]:
        """Add the pipe tables in the lines of a block and return the lines that they take."""
        at = 0
        taken: list[int] = []
        while at < len(lines) - 1:
            if "|" in lines[at] and "|" in lines[at + 1] and _DELIMITER.match(lines[at + 1]):
                end = at + 2
                while end < len(lines) and "|" in lines[end]:
                    end += 1
                said = [line for line in lines[taken[-1] + 1 if taken else 0 : at] if line.strip()]
                named = [line.strip() for line in said if re.search(r"\w", line)]
                self.before = named[-1:] or self.before
                self.add_rows([(first + row, lines[row]) for row in range(at, end)])
                taken += range(at, end)
                at = end
            else:
                at += 1
        return taken

    def html(self, start: int, end: int) -> None:
        """Read the tables, headings and text of an HTML block; record numbers in comments."""
        lines = self.lines[start:end]
        content = "\n".join(lines)
        shown = without_comments(content)
        if "<!--" in shown and shown.lstrip().startswith("<!--"):
            shown = ""  # The comment never closes, so a reader sees nothing.
        kept = shown.split("\n")
        kept += [""] * (len(lines) - len(kept))
        self.hidden += [
            start + at + self.first
            for at, (line, rest) in enumerate(zip(lines, kept, strict=False))
            if _SCORE_LIKE.search(line) and not _SCORE_LIKE.search(rest)
        ]
        for at, line in enumerate(kept):
            if "<table" in line.lower():
                self.html_lines(kept[:at], start)
                self.html_table(start + at, end)
                return
        self.html_lines(kept, start)

    def html_lines(self, lines: list[str], start: int) -> None:
        taken = set(self.pipe_tables(lines, start))
        waiting: list[str] = []
        for at, line in enumerate(lines):
            heading = _H_TAG.search(line)
            if heading or at in taken or not line.strip():
                self.text(waiting, start + at - len(waiting), False)
                waiting = []
                if heading:
                    self.head(int(heading[1]), heading[2], start + at)
            else:
                waiting.append(line)
        self.text(waiting, start + len(lines) - len(waiting), False)

    def html_table(self, start: int, end: int) -> None:
        """Read the HTML table that begins on a line, up to its end tag in any later block."""
        place = bisect_left(self.ends, start)
        if place < len(self.ends):
            end = max(end, self.ends[place] + 1)
        self.skip = end
        inside = without_comments("\n".join(self.lines[start:end]))
        rows = [
            Row(start + at + self.first, [_cell(raw) for raw in cells[:MAX_COLUMNS]], is_head)
            for at, cells, is_head in html_rows(inside)[:MAX_TABLE_ROWS]
        ]
        for at, line in enumerate(self.lines[start:end]):
            self.see_images(line, start + at)
        if rows:
            width = max(len(row.cells) for row in rows)
            filled = [Row(r.line, _fill(r.cells, width), r.is_head) for r in rows]
            self.add(filled, [])

    def add_rows(self, lines: list[tuple[int, str]]) -> None:
        """Add a pipe table, given its header, delimiter and rows."""
        for at, line in lines:
            self.see_images(line, at)
        header, body = lines[0], lines[2 : MAX_TABLE_ROWS + 2]
        first = [_cell(raw) for raw in raw_cells(header[1])[:MAX_COLUMNS]]
        width = max(len(first), len(raw_cells(lines[1][1])[:MAX_COLUMNS]))
        rows, too_long = [Row(header[0] + self.first, _fill(first, width), True)], []
        for at, line in body:
            raw = raw_cells(line)
            if any(_NUMBER.search(cell) for cell in raw[width:]):
                too_long.append(at + self.first)
            rows.append(Row(at + self.first, _fill([_cell(cell) for cell in raw[:width]], width)))
        self.add(rows, too_long)

    def add(self, rows: list[Row], too_long: list[int]) -> None:
        before = " ".join(self.before)
        self.table = Table(rows[0].line, rows, self.section, before, [], too_long)
        self.blocks.append(self.table)
        self.before = []


def _cell(raw: str) -> Cell:
    raw = raw[: 3 * MAX_CELL]
    text = _BEFORE_NUMBER.sub("", " ".join(plain(raw).split())[:MAX_CELL])
    return Cell(text, raw, is_bold(raw))


def _fill(cells: list[Cell], width: int) -> list[Cell]:
    return [*cells, *[Cell("", "")] * (width - len(cells))]
