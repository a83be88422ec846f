"""Format numbers and tables for Markdown, with no more digits than one item justifies."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any, Protocol

from mathledger.core.escaping import Markdown, markdown, paragraph

MAX_PARAGRAPH = 2_000  # characters of a paragraph of our own with texts of others in it
ADDRESS = re.compile(r"https://[\w.~/%?=&#:@+,-]+(?<![.,:?])")


class Interval(Protocol):
    """A value with its 95% interval, from the ledger or from evaluation/statistics.py."""

    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


def percent(share: float, num_items: int) -> str:
    """Format a share of n items in percent, with no more digits than one item justifies.

    >>> percent(60 / 96, 96), percent(450 / 500, 500), percent(-0.001, 30)
    ('62', '90.0', '0')
    """
    return f"{100 * share:z.{0 if num_items < 200 else 1}f}"


def claim_range(low: float, high: float) -> str:
    """Format a claimed score in percent, as a range or a single number.

    >>> claim_range(0.95, 0.99), claim_range(0.939, 0.939)
    ('95-99%', '93.9%')
    """
    shown = [f"{100 * share:.4g}" for share in (low, high)]
    return f"{shown[0]}%" if low == high else f"{shown[0]}-{shown[1]}%"


def points(difference: Interval, num_items: int) -> str:
    """Format a difference of shares in percentage points, with its interval.

    >>> from mathledger.evaluation.statistics import Interval
    >>> points(Interval(0.44, 0.33, 0.54), 64)
    '+44 [33, 54]'
    """
    shares = (difference.value, difference.low, difference.high)
    value, low, high = (percent(share, num_items) for share in shares)
    return f"{'+' if float(value) > 0 else ''}{value} [{low}, {high}]"


def chance(p_value: float) -> str:
    """Format a p-value to two digits."""
    return "<0.001" if p_value < 0.001 else f"{p_value:.2g}"


def table(head: Sequence[Any], rows: Sequence[Sequence[Any]], num_texts: int = 1) -> Markdown:
    """Format a Markdown table with escaped cells.

    `num_texts` columns are left-aligned, the others right-aligned.
    """
    rule = ["---"] * num_texts + ["---:"] * (len(head) - num_texts)
    cells = [[markdown(cell) for cell in line] for line in (head, *rows)]
    lines: list[Sequence[str]] = [cells[0], rule, *cells[1:]]
    return Markdown("".join(f"| {' | '.join(line)} |\n" for line in lines))


def wrapped(text: str) -> Markdown:
    """Escape a paragraph, unless it is Markdown, and wrap it at 100 characters."""
    if not hasattr(text, "__html__"):
        text = markdown(text, most=MAX_PARAGRAPH)
    lines = textwrap.fill(" ".join(text.split()), 100, break_on_hyphens=False)
    return Markdown(f"{paragraph(lines)}\n")


def link(address: str) -> Markdown | str:
    """Return an address as a link if it has only characters that mean nothing in Markdown."""
    return Markdown(address) if ADDRESS.fullmatch(address) else address
