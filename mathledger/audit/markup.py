"""Strip Markdown, HTML and TeX from a line or cell, leaving what a reader sees."""

import html
import re

_CODE = re.compile(r"(?<!`)(`{1,3})(?!`)([^\n]{1,400}?)(?<!`)\1(?!`)")
_COMMENT = re.compile(r"<!--.{0,5000}?-->", re.S)
_IMAGE = re.compile(r"!\[([^\[\]]{0,300})\]\(([^()\s]{0,1000})[^()]{0,300}\)")
_LINK = re.compile(r"\[([^\[\]]{0,300})\](?:\([^()]{0,1000}\)|\[[^\[\]]{0,100}\])")
_NOTE = re.compile(r"\[\^[^\]]{0,30}\]")
_RAISED = re.compile(r"<sup>[^<>]{0,3}</sup>|<sup>\[[^<>]{0,8}\]</sup>", re.I)
_IMG_TAG = re.compile(r"<img\b[^<>]{0,1500}>", re.I)
_BREAK = re.compile(r"<br\s{0,3}/?>", re.I)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,500}>")
_ITALIC = re.compile(r"(?<![\w_])(_{1,3})(?=[^\s_])([^_\n]{1,300}?)(?<=[^\s_])\1(?![\w_])")
_STRUCK = re.compile(r"~~[^~\n]{1,300}~~|<(del|s|strike)>[^<>]{0,300}</\1>", re.I)
_TEX_MARK = re.compile(r"\^\{?(?:\\\w{1,12}|[*†‡§a-z]|\\?[*#])\}?")
_TEX_WRAP = re.compile(
    r"\\(?:mathbf|textbf|mathrm|text|textit|emph|boldsymbol|bm|underline|mathit)\s?\{([^{}]{0,200})\}"
)
_TEX_LOW = re.compile(r"_\{?\s?(\\pm|±)\s?([\d.]{1,10})\}?")
_DOLLARS = re.compile(r"\$([^$\n]{1,200})\$")
_MARKS = str.maketrans("", "", "*↑↓†‡§")
_HELD = re.compile("\x00(\\d{1,6})\x00")


def plain(text: str) -> str:
    """Strip links, tags, emphasis, footnotes and arrows from a line.

    Code spans are kept as they are.

    >>> plain("**[GSM8K](https://x.org)** (_5-shot_) [^2]<br>`<table>` ↑ $88.2_{\\\\pm 0.3}$")
    'GSM8K (5-shot)  <table>  88.2 ± 0.3'
    """
    held: list[str] = []
    if "`" in text:

        def hold(code: re.Match[str]) -> str:
            held.append(code[2])
            return f"\x00{len(held) - 1}\x00"

        text = _CODE.sub(hold, text.replace("\x00", " "))
    if "[" in text:
        text = _NOTE.sub("", _IMAGE.sub("", text))
        text = _LINK.sub(r"\1", _LINK.sub(r"\1", text))
    if "<" in text:
        text = _IMG_TAG.sub(" ", _RAISED.sub("", _COMMENT.sub("", text)))
        text = _TAG.sub(" ", _BREAK.sub(" ", _STRUCK.sub(" ", text)))
    if "&" in text:
        text = html.unescape(text)
    if "$" in text or "\\" in text:
        text = _tex(text)
    if "~~" in text:
        text = _STRUCK.sub(" ", text)
    text = text.translate(_MARKS)
    if "_" in text:
        text = _ITALIC.sub(r"\2", text)
    if held:
        text = _HELD.sub(lambda mark: held[int(mark[1])], text)
    return text.replace("`", "").replace("\u00a0", " ").strip()


def _tex(text: str) -> str:
    text = _TEX_LOW.sub(r" ± \2", text)
    text = _TEX_WRAP.sub(r"\1", _TEX_WRAP.sub(r"\1", text))
    text = _TEX_MARK.sub("", text) if "$" in text else text
    text = text.replace("\\pm", "±").replace("\\%", "%").replace("\\sim", "~")
    text = text.replace("\\approx", "≈").replace("\\times", "×").replace("\\_", "_")
    return _DOLLARS.sub(r"\1", text)


def without_code(text: str) -> str:
    """Blank out code spans, keeping the length of the text."""
    return _CODE.sub(lambda code: " " * len(code[0]), text) if "`" in text else text


def without_comments(text: str) -> str:
    """Remove HTML comments outside code spans, keeping the line breaks."""
    if "<!--" not in text:
        return text
    shown = without_code(text)
    parts, at = [], 0
    for comment in _COMMENT.finditer(shown):
        parts += [text[at : comment.start()], "\n" * comment[0].count("\n")]
        at = comment.end()
    return "".join([*parts, text[at:]])


def images(text: str) -> list[str]:
    """Return the alternative text and address of each image in a text."""
    shown = without_code(text)
    found = [f"{image[1]} {image[2]}" for image in _IMAGE.finditer(shown)]
    return found + [tag[0] for tag in _IMG_TAG.finditer(shown)]


def links(text: str) -> list[str]:
    """Return the repositories on the hub that a text links to."""
    return re.findall(r"huggingface\.co/([\w.-]{1,60}/[\w.-]{1,100})", text)


def is_bold(text: str) -> bool:
    """Return True if the whole cell is emphasised."""
    text = text.strip()
    return bool(
        re.fullmatch(r"\W{0,4}(?:\*\*|__).+(?:\*\*|__)\W{0,4}", text)
        or re.match(r"<(?:b|strong)\b", text, re.I)
    )


_PIPE = re.compile(r"(?<!\\)\|")


def raw_cells(line: str) -> list[str]:
    """Split a row of a pipe table into its cells as written."""
    line = line.strip()
    if "`" in line:  # A pipe in a code span is text; GitHub wants it escaped.
        line = line.replace("\\|", "\x01")
    line = line.removeprefix("|")
    if line.endswith("|") and not line.endswith("\\|"):
        line = line[:-1]
    return [cell.replace("\\|", "|").replace("\x01", "|").strip() for cell in _PIPE.split(line)]


_CELL_TAG = re.compile(r"<(/?)(tr|td|th|thead|tbody|caption)\b([^<>]{0,500})>", re.I)
_SPAN = re.compile(r"(col|row)span\s?=\s?[\"']?(\d{1,2})", re.I)
HtmlRow = tuple[int, list[str], bool]  # Line, cells as written, True for a header.


def html_rows(text: str) -> list[HtmlRow]:
    """Return the rows of the HTML tables in a text, with lines from 0 and spanning cells repeated.

    Only tags are matched: the standard library's parser takes minutes for 100 KB of open tags.

    >>> html_rows("<tr><td rowspan=2>A</td><th colspan=2>B</th></tr>\\n<tr><td>1<td>2</td></tr>")
    [(0, ['A', 'B', 'B'], False), (1, ['A', '1', '2'], False)]
    """
    rows: list[tuple[int, list[str], list[bool]]] = []
    spanning: dict[int, tuple[int, str]] = {}  # Column -> (rows left, cell).
    line, counted = 0, 0
    in_head = False
    tags = [*_CELL_TAG.finditer(text)]
    ends = [*[tag.start() for tag in tags[1:]], len(text)][: len(tags)]
    for tag, end in zip(tags, ends, strict=True):
        name = tag[2].lower()
        if name in ("thead", "tbody"):
            in_head = name == "thead" and not tag[1]
        if tag[1] or name in ("thead", "tbody", "caption"):
            continue
        line += text.count("\n", counted, tag.start())
        counted = tag.start()
        if name == "tr":
            rows.append((line, [], []))
            _spanned(rows[-1][1], spanning)
        elif rows:
            row = rows[-1][1]
            cell = " ".join(text[tag.end() : min(end, tag.end() + 2000)].split())
            spans = {kind.lower(): int(number) for kind, number in _SPAN.findall(tag[3])}
            for _ in range(max(1, spans.get("col", 1))):
                spanning[len(row)] = (spans.get("row", 1) - 1, cell)
                row.append(cell)
            rows[-1][2].append(name == "th" or in_head)
            _spanned(row, spanning)
    return [(at, row, bool(heads) and all(heads)) for at, row, heads in rows if any(row)]


def _spanned(row: list[str], spanning: dict[int, tuple[int, str]]) -> None:
    """Append the cells that span into the row from above at its current column."""
    while spanning.get(len(row), (0, ""))[0]:
        left, cell = spanning[len(row)]
        spanning[len(row)] = (left - 1, cell)
        row.append(cell)
