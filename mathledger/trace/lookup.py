"""Look up rows of cached parquet files by the values of a column.

Files are read one row group at a time, and the condition's columns first, so that memory use does
not grow with the corpus.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.core.tables import Row

MAX_NAMED = 5  # most ids in a message
WITHHELD = "(withheld, because the benchmark is private)"

Where = Callable[[pa.Table], Any]  # takes some columns, and returns a boolean for each row


def rows_where(
    chain: Chain, path: str, columns: list[str], where: Where, wanted: list[str] | None = None
) -> Iterator[Row]:
    """Yield the rows of a cached parquet file that meet a condition on some columns.

    Args:
        columns: the columns that `where` needs.
        wanted: the columns to return; by default all.

    Raises:
        InputError: the file is not in the cache, is not a parquet file, or lacks a column.
    """
    try:
        with pq.ParquetFile(chain.cached(path), pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                chosen = where(file.read_row_group(group, columns))
                if pc.any(chosen).as_py():
                    yield from file.read_row_group(group, wanted).filter(chosen).to_pylist()
    except (pa.ArrowException, OSError, KeyError) as error:
        raise InputError(f"{path} of {chain.label} cannot be read as parquet: {error}") from None


def having(column: str, *values: str) -> tuple[list[str], Where]:
    """Return the condition that a column has one of some values, as arguments of `rows_where`."""
    return [column], lambda table: pc.is_in(table[column], pa.array(values, pa.string()))


def everything(table: pa.Table) -> Any:
    return pa.array([True] * len(table))
