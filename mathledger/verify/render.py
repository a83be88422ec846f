"""Show a verification as a line for each link, or as JSON."""

import os
import sys
from typing import Any

from mathledger import terminal
from mathledger.verify.links import LinkResult, Result

STYLES = {"^holds": "green", "^new": "yellow", "^broken": "bold red"}
INDENT = " " * 20
MAX_REASONS = 20  # reasons shown for one link; the others are counted


def content(result: Result) -> dict[str, Any]:
    """Return the result as `--json` prints it, with every reason."""
    links = [
        {
            "name": link.name,
            "state": link.state,
            "holds": link.holds,
            "looked_at": link.looked_at or None,
            "reasons": list(link.reasons),
        }
        for link in result.links
    ]
    return {"state": result.state, "holds": result.holds, "links": links}


def text(link: LinkResult) -> str:
    """Return the lines for one link."""
    head = f"{link.state:6}  {link.name:10}  "
    if link.holds:
        return f"{head}{link.looked_at}"
    lines = [f"{head}{link.reasons[0]}"]
    lines += [f"{INDENT}{reason}" for reason in link.reasons[1:MAX_REASONS]]
    if len(link.reasons) > MAX_REASONS:
        lines.append(f"{INDENT}and {len(link.reasons) - MAX_REASONS} more")
    return "\n".join(lines)


def summary(result: Result) -> str:
    """Return the last line, which sums up all links."""
    if broken := result.broken:
        num, names = len(result.links), ", ".join(broken)
        return f"broken: {len(broken)} of {num} links do not hold: {names}"
    if new := result.new:
        return (
            f"new: {len(new)} file{'s' * (len(new) > 1)} made here and not committed, and "
            "everything else holds: run `git add --all && git commit` to keep the results, or "
            "`git stash --include-untracked && dvc checkout` to put them aside"
        )
    return f"holds: all {len(result.links)} links hold"


def show_start(name: str) -> None:
    """Show which link is being checked, on a terminal only."""
    _progress(f"{name} ...")


def show_end(link: LinkResult) -> None:
    """Print the result of one link."""
    _progress("")
    terminal.show(f"{text(link)}\n", STYLES)


def _progress(line: str) -> None:
    if sys.stderr.isatty():
        width = os.get_terminal_size(sys.stderr.fileno()).columns - 1
        print(f"\r\033[K{line[:width]}", end="", file=sys.stderr, flush=True)
