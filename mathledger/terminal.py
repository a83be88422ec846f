"""Text that others wrote, made safe to print: responses, card texts, file names, error messages.

Such text may hold anything. Escape sequences would steer the terminal, bidirectional controls would
reorder what is read, and lone surrogates would stop the print; all of them are spelled out.
"""

import json
import os
import re
import shutil
import sys
from typing import Any

MIN_WIDTH, MAX_WIDTH = 60, 110
# C0 without tab and line feed, DEL, C1, bidirectional marks and overrides, separators, surrogates.
CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    r"""Spell out control characters, as Python writes them; tabs and line feeds stay.

    >>> printable("a\x1b[31mb\u202e"), printable("a\tb\n") == "a\tb\n"
    ('a\\x1b[31mb\\u202e', True)
    """
    return CONTROLS.sub(lambda control: ascii(control[0])[1:-1], text)


def json_text(content: Any, indent: int) -> str:
    r"""JSON in UTF-8 whose control characters are escaped, so that it parses to the same content.

    >>> json_text({"said": "a\x9bb\u202e"}, 1) == '{\n "said": "a\\u009bb\\u202e"\n}'
    True
    """
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    return CONTROLS.sub(lambda control: f"\\u{ord(control[0]):04x}", text)


def width() -> int:
    """Columns to fill: the terminal's, within bounds that can be read."""
    return min(max(shutil.get_terminal_size().columns, MIN_WIDTH), MAX_WIDTH)


def has_colour() -> bool:
    """Return True if stdout is a terminal and NO_COLOR is not set."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(code: str, text: str) -> str:
    """Colour a text by an SGR code such as "1" or "33"."""
    return f"\x1b[{code}m{text}\x1b[0m" if text else text
