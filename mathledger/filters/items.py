"""Read the benchmark items with which training rows are compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.receipts import is_private
from mathledger.core.tables import read_rows
from mathledger.text import canonical


@dataclass(frozen=True)
class Item:
    benchmark: str
    revision: str
    split: str | None
    id: str
    problem: str
    private: bool  # The item's text must not appear in any published file.
    solution: str | None = None


def read_items(folder: Path, benchmarks: Iterable[str]) -> list[Item]:
    """Return all items of all benchmarks, evaluated or not.

    Args:
        folder: The folder that holds one folder per benchmark.

    Raises:
        InputError: A benchmark is missing, or an item has no tokens to search for.
    """
    items = []
    for benchmark in benchmarks:
        receipt = read_json(folder / benchmark / "receipt.json")
        private = is_private(folder / benchmark)
        for row in read_rows(folder / benchmark / "all_items.parquet"):
            if not canonical.spellings(row["problem"]):
                raise InputError(
                    f"{benchmark}: item {row['id']} has no tokens and cannot be searched for; "
                    "correct or remove it"
                )
            split = receipt.get("split")
            texts = row["problem"], private, row["solution"]
            items.append(Item(benchmark, receipt["revision"], split, row["id"], *texts))
    if not items:
        raise InputError(f"{folder} has no benchmark items to search for; choose a benchmark")
    return items
