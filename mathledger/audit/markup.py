"""Markdown and HTML inside a line or table: what a reader sees of it."""

import html
import re
from itertools import zip_longest

Row = tuple[int, list[str]]  # line, cells
CELL = re.compile(r"(?<!\\)\|")


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
