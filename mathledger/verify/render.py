"""Show a verification as a line for each link, or as JSON."""

import os
import sys
from typing import Any

from mathledger import terminal
from mathledger.verify.links import LinkResult, Result

STYLES = {"^PASS": "green", "^FAIL": "bold red"}
MAX_REASONS = 20  # reasons shown for one link; the others are counted


def content(result: Result) -> dict[str, Any]:
    """Return the result as `--json` prints it, with every reason."""
    links = [
        {
            "name": link.name,
            "holds": link.holds,
            "looked_at": link.looked_at or None,
            "reasons": list(link.reasons),
        }
        for link in result.links
    ]
    return {"holds": result.holds, "links": links}


def text(link: LinkResult) -> str:
    """Return the lines for one link."""
    if link.holds:
        return f"PASS  {link.name:10}  {link.looked_at}"
    first, *others = link.reasons
    lines = [f"FAIL  {link.name:10}  {first}"]
    lines += [f"{'':18}{reason}" for reason in others[: MAX_REASONS - 1]]
    if len(link.reasons) > MAX_REASONS:
        lines.append(f"{'':18}and {len(link.reasons) - MAX_REASONS} more")
    return "\n".join(lines)


def summary(result: Result) -> str:
    """Return the last line, which sums up all links."""
    if result.holds:
        return f"PASS: all {len(result.links)} links hold"
    failed = result.failed
    return f"FAIL: {len(failed)} of {len(result.links)} links do not hold: {', '.join(failed)}"


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
