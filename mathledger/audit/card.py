"""A model card as the audit reads it: front matter, and blocks of text, tables and code with lines.

A reader of its own, line by line, since it has to say where a number stands, to read the tables
that cards keep in code and HTML, and to stay quick: a Markdown library took 13 s for 5 MB of table.
"""

import hashlib
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError

MAX_DEPTH = 50  # of the front matter; a model-index has 8
HEADING = re.compile(r" {0,3}(#{1,6})(?:\s+(.*))?$")
ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s")
FENCE = re.compile(r"\s*(`{3,}|~{3,})")
CELL = re.compile(r"(?<!\\)\|")

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.S)

Row = tuple[int, list[str]]  # line, cells


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


@dataclass(frozen=True)
class Card:
    path: Path
    sha256: str
    num_lines: int
    metadata: dict[str, Any]
    node: Any  # the front matter's YAML node, with the lines; null where there is none
    blocks: list[Block]

    def line_of(self, name: str) -> int:
        """The line of a front matter's key; the first where another key brought it in."""
        lines = (key.start_mark.line for key, _ in self.node.value if key.value == name)
        return int(next(lines, 0)) + 2


def read(path: Path) -> Card:
    """Read a model card.

    Raises:
        InputError: it is missing, a folder, empty, not UTF-8, HTML, or its front matter is broken.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: name the card's README.md") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder: name the README.md in it") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: not UTF-8 (byte 0x{data[error.start]:02x}): save it as UTF-8"
        ) from None
    if not text.strip():
        raise InputError(f"{path} is empty: there is no card to audit")
    if re.match(r"\s*(?:<\?xml[^>]{0,200}>\s*)?<(?:!doctype\s+html|html)\b", text[:2000], re.I):
        raise InputError(
            f"{path} is an HTML page, not Markdown: get the card itself, .../raw/main/README.md"
        )
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    end, metadata, node = _front_matter(path, lines)
    body = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), "\n".join(lines[end:]))
    digest = hashlib.sha256(data).hexdigest()
    return Card(path, digest, len(lines), metadata, node, blocks(body.split("\n"), end))


def _front_matter(path: Path, lines: list[str]) -> tuple[int, dict[str, Any], Any]:
    """The number of lines that it takes, its content and its YAML node."""
    if lines[0].rstrip() != "---":
        return 0, {}, None
    import yaml

    end = next((at for at in range(1, len(lines)) if lines[at].rstrip() == "---"), None)
    if end is None:
        raise InputError(f"{path}, line 1: the front matter is not closed by a line of ---")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = "\n".join(lines[1:end])
    try:
        _check_depth(path, yaml.parse(text, Loader=loader))
        node = yaml.compose(text, Loader=loader)
        metadata = yaml.load(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 2}" if mark else ""
        raise InputError(f"{path}{where}: the front matter is no YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: the front matter is no YAML: {reason}") from None
    if metadata is None:
        return end + 1, {}, None
    if not isinstance(metadata, dict):
        raise InputError(
            f"{path}, line 2: the front matter is no lines of `key: value` but {metadata!r:.60}"
        )
    return end + 1, metadata, node


def _check_depth(path: Path, events: Iterable[Any]) -> None:
    """Raise InputError where reading the front matter would exhaust the stack."""
    depth = 0
    for event in events:
        depth += type(event).__name__.endswith("StartEvent")
        depth -= type(event).__name__.endswith("EndEvent")
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 2
            raise InputError(f"{path}, line {line}: the front matter nests deeper than {MAX_DEPTH}")


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
        found = html_rows("\n".join(lines[at : end + 1]))
        rows = [(at + self.first + line, row) for line, row in found]
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
    """Whether a pipe table's header stands here, its line of dashes below."""
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


def cells(line: str) -> list[str]:
    line = line.strip().removeprefix("|")
    if line.endswith("|") and not line.endswith("\\|"):
        line = line[:-1]
    return [plain(cell.replace("\\|", "|")) for cell in CELL.split(line)]


_CELL_TAG = re.compile(r"<(/?)(tr|td|th)\b([^<>]{0,500})>", re.I)
_SPAN = re.compile(r"(col|row)span\s?=\s?[\"']?(\d{1,2})", re.I)


def html_rows(text: str) -> list[Row]:
    """The rows of the HTML tables in a text, with lines from 0; a spanning cell is repeated.

    By its tags alone: the standard library's parser takes minutes for 100 KB of open tags.

    >>> html_rows("<tr><td rowspan=2>A</td><th colspan=2>B</th></tr>\\n<tr><td>1<td>2</td></tr>")
    [(0, ['A', 'B', 'B']), (1, ['A', '1', '2'])]
    """
    rows: list[Row] = []
    spanning: dict[int, tuple[int, str]] = {}  # column -> rows to come, cell
    line, counted = 0, 0
    tags = [*_CELL_TAG.finditer(text)]
    for tag, after in zip_longest(tags, tags[1:]):
        if tag[1]:
            continue
        line += text.count("\n", counted, tag.start())
        counted = tag.start()
        if tag[2].lower() == "tr":
            rows.append((line, []))
            _spanned(rows[-1][1], spanning)
        elif rows:
            inside = text[tag.end() : after.start() if after else tag.end() + 500]
            cell = " ".join(plain(inside).split())
            spans = {kind.lower(): int(number) for kind, number in _SPAN.findall(tag[3])}
            for _ in range(spans.get("col", 1)):
                spanning[len(rows[-1][1])] = (spans.get("row", 1) - 1, cell)
                rows[-1][1].append(cell)
            _spanned(rows[-1][1], spanning)
    return [row for row in rows if any(row[1])]


def _spanned(row: list[str], spanning: dict[int, tuple[int, str]]) -> None:
    """Add the cells that reach into a row from above, where it has come to their column."""
    while spanning.get(len(row), (0, ""))[0]:
        left, cell = spanning[len(row)]
        spanning[len(row)] = (left - 1, cell)
        row.append(cell)


_IMAGE = re.compile(r"!\[[^\[\]]{0,300}\]\([^()]{0,1000}\)")
_LINK = re.compile(r"\[([^\[\]]{0,300})\](?:\([^()]{0,1000}\)|\[[^\[\]]{0,100}\])")
_NOTE = re.compile(r"\[\^[^\]]{0,30}\]")
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,500}>")
_MARKS = str.maketrans("", "", "*`↑↓†‡")


def plain(text: str) -> str:
    """A line without its markup: no links, tags, emphasis, footnotes or arrows.

    >>> plain("**[GSM8K](https://x.org)** (_5-shot_) [^2]<br>`88.2` ↑")
    'GSM8K (_5-shot_)  88.2'
    """
    if "[" in text:
        text = _LINK.sub(r"\1", _NOTE.sub("", _IMAGE.sub("", text)))
    if "<" in text:
        text = _TAG.sub(" ", text)
    if "&" in text:
        text = html.unescape(text)
    return text.translate(_MARKS).strip()
