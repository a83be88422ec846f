"""Paste what commands print on the committed results into the docs.

    python -m docs.outputs

The block after a line `<!-- output: COMMAND -->` is replaced by what the command prints, at a width
of 132 characters. `<!-- output: COMMAND | REGEX -->` keeps only the lines in which the expression
is found. The checkout needs the results of `make repro`, committed, because `verify` is one of the
commands. If a command fails, no page is changed.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from mathledger.core.files import write_text

PAGES = [Path("README.md"), *sorted(Path("docs").glob("*.md"))]
BLOCK = re.compile(r"^<!-- output: ([^|\n]*?)(?: \| (.*?))? -->\n+```\n(.*?)^```$", re.M | re.S)
WIDTH = "132"


def printed(command: str, wanted: str | None) -> str:
    """Run a command and return the lines to show."""
    words = [sys.executable, "-m", *shlex.split(command)]
    environment = os.environ | {"COLUMNS": WIDTH}
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    return "".join(f"{line}\n" for line in lines if re.search(wanted or "", line))


def pasted(text: str) -> str:
    """Return a page with every marked block replaced."""

    def block(match: re.Match[str]) -> str:
        head = match[0][: match.start(3) - match.start()]
        return f"{head}{printed(match[1], match[2])}```"

    return BLOCK.sub(block, text)


def main() -> None:
    for page, text in [(page, pasted(page.read_text(encoding="utf-8"))) for page in PAGES]:
        write_text(page, text)


if __name__ == "__main__":
    main()
