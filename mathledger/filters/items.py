"""The benchmarks' items, which training rows are compared with."""

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
    private: bool  # its text must stand in no file that is published


def read_items(folder: Path, benchmarks: Iterable[str]) -> list[Item]:
    """All items of all benchmarks, evaluated or not; folder holds a folder of each.

    Raises:
        InputError: a benchmark is missing, or an item has no token to be found by.
    """
    items = []
    for benchmark in benchmarks:
        receipt = read_json(folder / benchmark / "receipt.json")
        private = is_private(folder / benchmark)
        for row in read_rows(folder / benchmark / "all_items.parquet"):
            if not canonical.spellings(row["problem"]):
                raise InputError(f"{benchmark}: item {row['id']} cannot be checked: no token in it")
            split = receipt.get("split")
            item = Item(benchmark, receipt["revision"], split, row["id"], row["problem"], private)
            items.append(item)
    if not items:
        raise InputError(f"{folder} holds no benchmark item: nothing can be checked")
    return items
