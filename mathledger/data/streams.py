"""Merge sorted files into one stream of tables that never holds a whole file in memory."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mathledger.core.tables import num_rows, read_batches

Item = TypeVar("Item")


def merged(paths: list[Path]) -> Iterator[tuple[pa.Table, npt.NDArray[np.int64]]]:
    """Yield tables of the rows of several files sorted by id, each with the order to sort it.

    Taking each table in its order gives the rows of all files sorted by id. Each table has an extra
    column, `row`, which numbers the rows of all files one after the other; rows with equal ids are
    ordered by it. The caller sorts only the columns it needs, so texts are copied once.
    """
    heads, start = [], 0
    for path in paths:
        stream = _numbered(path, start)
        heads.append((stream, next(stream, None)))
        start += num_rows(path)
    while ready := [(stream, table) for stream, table in heads if table is not None]:
        # No unread row comes before the smallest of the last ids.
        bound = min(table["id"][-1].as_py() for _, table in ready)
        parts, heads = [], []
        for stream, table in ready:
            cut = pc.sum(pc.less_equal(table["id"], bound)).as_py()
            parts.append(table.slice(0, cut))
            heads.append((stream, table.slice(cut) if cut < len(table) else next(stream, None)))
        together = pa.concat_tables(parts)
        keys = [("id", "ascending"), ("row", "ascending")]
        yield together, pc.sort_indices(together, sort_keys=keys).to_numpy().astype(np.int64)


def _numbered(path: Path, start: int) -> Iterator[pa.Table]:
    for batch in read_batches(path):
        rows = pa.array(np.arange(start, start + len(batch)))
        yield pa.Table.from_batches([batch]).append_column("row", rows)
        start += len(batch)


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the same items; another thread computes the next one while the caller uses one."""
    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = thread.submit(next, items, None)
            yield item
