"""Sorted files are merged as they stream."""

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from mathledger.core import tables
from mathledger.data.streams import ahead, merged


def test_merged_files_are_sorted_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files differ in length, one is empty, ids repeat, and three rows are read at a time."""
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 3)
    chance = random.Random(1)
    schema = pa.schema([tables.EXAMPLE.field("id"), tables.EXAMPLE.field("corpus")])
    paths, everything = [], list[str]()
    for number, size in enumerate((40, 0, 7, 1)):
        ids = sorted(f"{number}{chance.randrange(20):02}"[::-1] for _ in range(size))
        rows = [{"id": name, "corpus": str(number)} for name in ids]
        paths.append(tmp_path / f"{number}.parquet")
        tables.write_rows(paths[-1], rows, schema)
        everything += ids
    found = pa.concat_tables(table.take(pa.array(order)) for table, order in merged(paths))
    by_id = sorted(range(len(everything)), key=lambda row: (everything[row], row))
    assert found["row"].to_pylist() == by_id
    assert found["id"].to_pylist() == [everything[row] for row in by_id]


def test_an_error_on_the_other_thread_is_raised_here() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("torn file")

    with pytest.raises(ValueError, match="torn file"):
        list(ahead(broken()))
