"""Put the tables of bench/results/ into docs/benchmarks.md and docs/scaling.md.

    python -m bench.report

A table stands between the lines `<!-- NAME -->` and `<!-- end -->`, where NAME is a benchmark's
(see PAGES); what stood there is replaced. All else is written by hand.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import (
    cost,
    decontaminate_quality,
    evaluation,
    experiments,
    faults,
    idle,
    ledger,
    likeness,
    near_dedup,
    network,
    pipeline,
    training,
)
from bench.measure import RESULTS
from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_text

Table = Callable[[dict[str, Any]], str]
PAGES: dict[Path, dict[str, Table]] = {
    Path("docs/benchmarks.md"): {
        "likeness": likeness.table,
        "pipeline": pipeline.table,
        "near_dedup": near_dedup.table,
        "decontaminate_quality": decontaminate_quality.table,
        "training": training.table,
        "evaluation": evaluation.table,
        "ledger": ledger.table,
        "experiments": experiments.table,
        "faults": faults.table,
        "idle": idle.table,
        "network": network.table,
    },
    Path("docs/scaling.md"): {"cost": cost.table},
}


def growth(results: list[dict[str, Any]]) -> str:
    """The pipeline's sizes side by side; microseconds a row say whether time grows linearly."""
    lines = [
        "| rows | problems | seconds | microseconds a row | peak memory, GB | bytes a row |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        rows = result["num_rows"]
        lines.append(
            f"| {rows:,} | {result['num_problems']:,} | {result['seconds']:.1f} | "
            f"{result['seconds'] / rows * 1e6:.1f} | {result['peak_rss_mb'] / 1000:.2f} | "
            f"{result['peak_rss_mb'] * 1e6 / rows:.0f} |"
        )
    return "\n".join(lines)


def origin(result: dict[str, Any]) -> str:
    """Where and when a table was measured, in a line."""
    machine = result["machine"]
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    dirty = ", with changes" if result["code_is_dirty"] else ""
    return (
        f"{machine['num_cpus']} cores of {machine['cpu']}, {machine['memory_gb']} GB; "
        f"{result['date']}, commit {result['commit'][:12]}{dirty}; load before "
        f"{result['load_before']}; Python {machine['python']}, {packages}."
    )


def section(name: str, table: Table) -> str:
    """All tables of one benchmark, the smaller size first."""
    results = sorted(
        (read_json(path) for path in RESULTS.glob(f"{name}*.json")),
        key=lambda result: result.get("num_rows", 0),
    )
    if not results:
        return "Not measured yet."
    parts = [f"{table(result)}\n\n{origin(result)}" for result in results]
    if name == "pipeline" and len(results) > 1:
        parts.insert(0, growth(results))
    return "\n\n".join(parts)


def fill(page: Path) -> str:
    """The page's text with every table renewed.

    Raises:
        InputError: a table has no place in it.
    """
    text = page.read_text(encoding="utf-8")
    for name, table in PAGES[page].items():
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        found = list(marks.finditer(text))
        if len(found) != 1:
            raise InputError(f"{page} has {len(found)} places `<!-- {name} -->`: one is needed")
        text = f"{text[: found[0].end(1)]}{section(name, table)}\n{text[found[0].start(2) :]}"
    return text


def main() -> None:
    if sys.argv[1:]:
        sys.exit(__doc__)
    try:
        for page in PAGES:
            write_text(page, fill(page))
    except InputError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
