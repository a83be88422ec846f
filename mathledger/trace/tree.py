"""Draw a tree in a terminal, with branches that have a title, lines and further branches."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mathledger import terminal

SHOWN = 12  # digits shown of a digest
REMARK = "remark"  # name of a branch that says what the chain cannot vouch for
BOLD, DIM, YELLOW, CYAN = "1", "2", "33", "36"


@dataclass
class Branch:
    """A branch of the tree: a title, lines below it, and further branches."""

    name: str
    title: str
    lines: list[str] = field(default_factory=list)
    branches: list["Branch"] = field(default_factory=list)


def printed(branch: Branch, is_brief: bool = False) -> str:
    """Format a tree for the terminal's width, in colour if stdout is a terminal."""
    return "\n".join(draw(branch, terminal.width(), terminal.has_colour(), is_brief))


def draw(branch: Branch, width: int, has_colour: bool, is_brief: bool = False) -> Iterator[str]:
    """Yield the lines of a tree, wrapped at the width.

    Args:
        is_brief: whether a text gets one line, which is cut; remarks are shown whole.
    """

    def paint(code: str, words: str) -> str:
        return terminal.paint(code, words) if has_colour else words

    def lines(branch: Branch, first: str, rest: str) -> Iterator[str]:
        below = rest + ("│  " if branch.branches else "   ")
        name = terminal.printable(branch.name)
        title = f"{name}  {terminal.printable(branch.title)}".rstrip()
        is_whole = not is_brief or name == REMARK
        start, *more = fit(title, width - len(below), is_whole=is_whole)
        named = start.removeprefix(name)
        code = YELLOW if name == REMARK else CYAN if first else BOLD
        yield paint(DIM, first) + (paint(code, name) + named if named != start else start)
        for line in more:
            yield paint(DIM, below) + line
        for words in branch.lines:
            for line in fit(terminal.printable(words), width - len(below), "  ", is_whole=is_whole):
                yield paint(DIM, below + line)
        for each in branch.branches:
            is_last = each is branch.branches[-1]
            yield from lines(
                each, rest + ("└─ " if is_last else "├─ "), rest + ("   " if is_last else "│  ")
            )

    return lines(branch, "", "")


def fit(words: str, width: int, indent: str = "", *, is_whole: bool) -> list[str]:
    """Wrap a text at the width, or cut it after its first line."""
    lines = wrap(words, width, indent) or [""]
    if is_whole or len(lines) == 1:
        return lines
    return [f"{words[: max(width, 24) - 1]}…"]


def wrap(words: str, width: int, indent: str = "") -> list[str]:
    """Wrap a text at the width; links and digests are never broken."""
    return textwrap.wrap(
        words,
        max(width, 24),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def text_lines(texts: Mapping[str, Any], *keys: str) -> list[str]:
    """Return the lines of some texts, each text after its name."""
    return [line for key in keys for line in lines_of(key, texts[key])]


def lines_of(key: str, value: Any) -> list[str]:
    """Return a value after its name as lines; a text keeps its line breaks."""
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    first, *more = shown.splitlines() or [""]
    return [f"{key}: {first}", *(f"  {line}" for line in more)]
