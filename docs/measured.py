"""Put the tables of bench/results/ into docs/benchmarks.md.

    python -m docs.measured

A table is between the lines `<!-- result: NAME -->` and `<!-- end -->`, where NAME is a file of
bench/results/ without its ending. A result that is not there shows as "Not measured yet."
"""

import re
from pathlib import Path

from mathledger.core.files import read_json, write_text

PAGE = Path("docs/benchmarks.md")
RESULTS = Path("bench/results")
TABLE = re.compile(r"^(<!-- result: ([\w-]+) -->)\n.*?^(<!-- end -->)$", re.M | re.S)


def table(name: str) -> str:
    """Return a result's table, with its number of cases, machine, commit and load below it."""
    file = RESULTS / f"{name}.json"
    content = read_json(file) if file.exists() else {}
    return str(content.get("table", "Not measured yet."))


def filled(text: str) -> str:
    """Return a page with every table as the results have it."""
    return TABLE.sub(lambda match: f"{match[1]}\n{table(match[2])}\n{match[3]}", text)


def main() -> None:
    write_text(PAGE, filled(PAGE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
