"""Numbers and tables as Markdown shows them: no more digits than one item is worth."""

import textwrap
from collections.abc import Sequence
from typing import Any


def percent(share: float, num_items: int) -> str:
    """A share of n items with no more digits than one item is worth.

    >>> percent(60 / 96, 96), percent(450 / 500, 500), percent(-0.001, 30)
    ('62', '90.0', '0')
    """
    return f"{100 * share:z.{0 if num_items < 200 else 1}f}"


def points(difference: dict[str, float], num_items: int) -> str:
    """A difference of shares in percentage points, with its interval.

    >>> points({"value": 0.44, "low": 0.33, "high": 0.54}, 64)
    '+44 [33, 54]'
    """
    value, low, high = (percent(difference[key], num_items) for key in ("value", "low", "high"))
    return f"{'+' if float(value) > 0 else ''}{value} [{low}, {high}]"


def chance(p_value: float) -> str:
    """A p value, to two digits."""
    return "<0.001" if p_value < 0.001 else f"{p_value:.2g}"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]], num_texts: int = 1) -> str:
    """A Markdown table; the first columns are texts, the others numbers, set to the right."""
    rule = ["---"] * num_texts + ["---:"] * (len(head) - num_texts)
    lines = [[str(cell).replace("|", r"\|") for cell in line] for line in (head, rule, *rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def folded(summary: str, body: str) -> str:
    """What a reader opens who wants to know."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n</details>\n"


def wrapped(text: str) -> str:
    """A paragraph in lines of 100."""
    return textwrap.fill(" ".join(text.split()), 100, break_on_hyphens=False) + "\n"
