"""Convert a trainer's log to CSV files for plots."""

import csv
import io
from typing import Any

Curves = dict[str, tuple[str, int | None]]  # the trainer's metric name -> our name, decimals


def curves_csv(history: list[dict[str, Any]], curves: Curves) -> str:
    """Return the trainer's log as CSV, with a line for each step and a column for each curve."""
    steps: dict[int, dict[str, Any]] = {}
    for entry in history:
        row = steps.setdefault(entry["step"], {"step": entry["step"]})
        row.update(
            {name: round(entry[key], n) for key, (name, n) in curves.items() if key in entry}
        )
    columns = ["step", *(name for name, _ in curves.values())]
    return to_csv([steps[step] for step in sorted(steps)], columns)


def to_csv(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Return rows as CSV; missing values are left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
