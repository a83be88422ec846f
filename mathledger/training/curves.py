"""Convert a trainer's log to CSV files for plots."""

from typing import Any

from mathledger.core.escaping import csv_text

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
    return csv_text(columns, [steps[step] for step in sorted(steps)])
