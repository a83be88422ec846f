"""Print the results of commands: styled by rich on a terminal, as plain text elsewhere.

Most of what is printed was written by others: responses, card texts, file names, error messages. It
may contain anything. Escape sequences would steer the terminal, bidirectional controls would
reorder the text, and lone surrogates would stop the print, so all of them are spelled out. rich is
given such text as `Text`, in which nothing is markup.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mathledger.core.escaping import CONTROLS, printable

__all__ = ["json_text", "printable", "show", "show_table"]  # printable for all commands

if TYPE_CHECKING:
    from rich.console import Console

MIN_WIDTH, MAX_WIDTH = 60, 110


def json_text(content: Any, indent: int) -> str:
    r"""Return JSON with escaped control characters, which parses to the same content.

    >>> json_text({"said": "a\x9bb\u202e"}, 1) == '{\n "said": "a\\u009bb\\u202e"\n}'
    True
    """
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    return CONTROLS.sub(lambda control: f"\\u{ord(control[0]):04x}", text)


def show(text: str, styles: Mapping[str, str] | None = None) -> None:
    """Print a text with its control characters spelled out.

    Args:
        styles: Styles of rich, by a regular expression for the text that gets them on a terminal.
    """
    shown = printable(text)
    if not is_terminal():
        sys.stdout.write(shown)
        sys.stdout.flush()
        return
    from rich.text import Text

    styled = Text(shown)
    for pattern, style in (styles or {}).items():
        styled.highlight_regex(re.compile(pattern, re.MULTILINE), style)
    _console().print(styled, soft_wrap=True, end="")


def show_table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Draw a table on a terminal, in which cells wrap so that each row fits the width."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(printable(title)), title_justify="left", box=box.SIMPLE_HEAD)
    for name in head:
        table.add_column(Text(printable(name)), overflow="fold")
    for line in lines:
        table.add_row(*(Text(printable(cell)) for cell in line))
    _console().print(table)


def _console() -> "Console":
    from rich.console import Console

    # NO_COLOR also drops bold and dim, so that a terminal without styles gets none.
    return Console(highlight=False, color_system="auto" if has_colour() else None)


def is_terminal() -> bool:
    return sys.stdout.isatty()


def width() -> int:
    """Return the number of columns to fill: the terminal's, within readable bounds."""
    return min(max(shutil.get_terminal_size().columns, MIN_WIDTH), MAX_WIDTH)


def has_colour() -> bool:
    """Return True if stdout is a terminal that shows styles, and NO_COLOR is not set."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return is_terminal() and not is_plain


def paint(code: str, text: str) -> str:
    """Colour a text by an SGR code such as "1" or "33"."""
    return f"\x1b[{code}m{text}\x1b[0m" if text else text
