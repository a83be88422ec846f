r"""Escape texts that others wrote for the place where they go: one function for each place.

A corpus, a benchmark, a model or a server may put anything into a name, a problem or a response:
a table row, a link, a script, a formula of a spreadsheet, an escape sequence of a terminal. What we
write ourselves is marked as `Markdown` and passes unchanged.

    markdown    a cell or a sentence of a Markdown file: on one line, cut to MAX_INLINE characters
    quoted      a longer text in <pre> of a Markdown file, cut to MAX_QUOTED characters
    visible     a text for HTML, which Jinja escapes: control characters are spelled out
    csv_text    a CSV file, in which no cell is a formula; read_csv undoes it
    printable   a terminal, and any other plain text
"""

import csv
import html
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MAX_INLINE = 200  # characters
MAX_QUOTED = 4_000
MAX_SHOWN = 20_000  # in an HTML page
# C0 without tab and line feed, DEL, C1, bidirectional marks and overrides, separators, surrogates.
CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_MARKS = re.compile(
    r"\\(?=[!-/:-@\[-`{-~\s]|$)"  # a backslash that would escape something
    r"|[`*~|$]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # not within a word, where it means nothing
    r"|\](?=[(\[:])|(?<=!)\[|\[(?=\^)"  # links, images and footnotes; [29, 53] is not one
    r"|(?<=https):|(?<=http):|(?<=ftp):|(?<=www)\.",  # addresses that GitHub turns into links
    re.IGNORECASE,
)
_TAGS = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)")
# A word that opens a heading, a quotation, a list or a rule at the start of a line.
_OPENER = re.compile(r"^(\d{1,9}(?=[.)](?!\S))|(?=(?:#{1,6}|[+-]|=+|-{2,})(?!\S)|>))", re.MULTILINE)
# The start of a formula where a spreadsheet may start a cell: many split at semicolons, and then at
# the line feeds of a quoted cell too. Full-width signs count.
_CELL = r"(\A|[;\t\n\r])"
_FORMULA = re.compile(_CELL + r"(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r'])")
_MARKED = re.compile(f"{_CELL}'")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")


class Markdown(str):
    """Markdown or HTML that we wrote ourselves, and that is not escaped again."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def printable(text: str) -> str:
    r"""Return the text with control characters spelled out as in Python; keep tabs and line feeds.

    >>> printable("a\x1b[31mb\u202e"), printable("a\tb\n") == "a\tb\n"
    ('a\\x1b[31mb\\u202e', True)
    """
    return CONTROLS.sub(lambda control: ascii(control[0])[1:-1], text)


def cut(text: str, most: int) -> str:
    """Return the text, or its start with the number of characters that were left out.

    >>> cut("abcdef", 6), cut("abcdefg", 6)
    ('abcdef', 'abcdef… (1 more)')
    """
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more)"


def one_line(text: str, most: int = MAX_INLINE) -> str:
    r"""Return a text on one line, with control characters spelled out, cut to a length.

    >>> one_line(" a\n\n| b |\x1b ")
    'a | b |\\x1b'
    """
    return cut(printable(" ".join(text.split())), most)


def markdown(value: Any, most: int = MAX_INLINE) -> Markdown:
    r"""Escape a value for a sentence or a cell of a Markdown file; leave `Markdown` as it is.

    Args:
        most: number of characters to keep.

    >>> print(markdown("1. *a* | b\n\n<script> [x](http://y) snake_case [29, 53] p < 0.05"))
    1. \*a\* \| b &lt;script> [x\](http\://y) snake_case [29, 53] p < 0.05
    """
    if hasattr(value, "__html__"):
        return Markdown(value.__html__())
    text = _MARKS.sub(r"\\\g<0>", one_line(str(value), most))
    return Markdown(_TAGS.sub(lambda mark: html.escape(mark[0]), text))


def paragraph(text: str) -> Markdown:
    """Return lines of escaped text such that each of them is part of a paragraph.

    >>> print(paragraph("12. of them\\n- 3\\n-4"))
    12\\. of them
    \\- 3
    -4
    """
    return Markdown(_OPENER.sub(r"\1\\", text))


def code(value: Any) -> Markdown:
    """Return a value for a line of a fenced block of code, or for a code span."""
    return Markdown(one_line(str(value), MAX_QUOTED).replace("`", "'"))


def quoted(text: str) -> Markdown:
    """Return a text for <pre>, with its lines but without empty ones, which would end HTML."""
    lines = [line for line in text.splitlines() if line.strip()]
    return Markdown(html.escape(cut(printable("\n".join(lines)), MAX_QUOTED), quote=False))


def visible(value: Any) -> Any:
    """Return a text with its control characters spelled out, cut to what a page can show."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return cut(printable(value), MAX_SHOWN)
    return value


def csv_cell(value: Any) -> Any:
    """Return a value that no spreadsheet takes for a formula; numbers stay numbers.

    >>> csv_cell("=1+1"), csv_cell("-5"), csv_cell("-5+A1"), csv_cell("'x"), csv_cell(None)
    ("'=1+1", '-5', "'-5+A1", "''x", None)
    >>> csv_cell("x;=1+1")
    "x;'=1+1"
    """
    is_text = isinstance(value, str) and not _NUMBER.fullmatch(value)
    return _FORMULA.sub(r"\1'", value) if is_text else value


def csv_text(head: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV; missing values are left empty, and other keys left out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in head])
    for row in rows:
        writer.writerow([csv_cell(row.get(name, "")) for name in head])
    return text.getvalue()


def read_csv(text: str) -> list[dict[str, str]]:
    """Parse what csv_text wrote into one dict per row, with the cells as they were."""
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [{key: _MARKED.sub(r"\1", value or "") for key, value in row.items()} for row in rows]
