"""Read and write the rows that the data stages pass on, as parquet.

A training example is one row of EXAMPLE. Its origin_file and origin_row lead from any later file
back to a row of the byte-pinned download.
"""

import shlex
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from mathledger.core.errors import InputError

EXAMPLE = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("corpus", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("problem", pa.string(), nullable=False),
        pa.field("solution", pa.string(), nullable=False),
        pa.field("answer", pa.string()),
        pa.field("origin_file", pa.string(), nullable=False),
        pa.field("origin_row", pa.int64(), nullable=False),
    ]
)
BENCHMARK_ITEM = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("problem", pa.string(), nullable=False),
        pa.field("answer", pa.string(), nullable=False),
        pa.field("answer_type", pa.string(), nullable=False),
        pa.field("solution", pa.string()),
        pa.field("subsets", pa.map_(pa.string(), pa.string()), nullable=False),  # level, subject
    ]
)

# Columns with few distinct values are written with a dictionary and statistics.
CATEGORIES = ("corpus", "source", "origin_file", "reason", "class", "benchmark")
ROWS_PER_GROUP = 32_768

Row = dict[str, Any]


def removed_schema(evidence: pa.StructType) -> pa.Schema:
    """Return EXAMPLE plus `reason` and `evidence`; all columns may be null, e.g. a missing text."""
    fields = [pa.field(field.name, field.type) for field in EXAMPLE]
    return pa.schema([*fields, pa.field("reason", pa.string()), pa.field("evidence", evidence)])


def read_rows(path: Path) -> list[Row]:
    """Return all rows of a parquet file.

    Raises:
        InputError: The file is missing or is not parquet.
    """
    try:
        return [row for batch in read_batches(path) for row in batch.to_pylist()]
    except UnicodeDecodeError as error:
        raise _unreadable(path, error) from None


def read_batches(
    path: Path, columns: list[str] | None = None, row_groups: list[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a parquet file in order, at most ROWS_PER_GROUP at a time.

    Args:
        columns: All of them by default.
        row_groups: All of them by default.

    Raises:
        InputError: The file is missing or is not parquet.
    """
    try:
        # Without pre_buffer=False the whole compressed file would stay in memory.
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield from file.iter_batches(ROWS_PER_GROUP, row_groups, columns)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro`, or `dvc pull`") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(path, error) from None


def num_rows(path: Path) -> int:
    """Return the number of rows of a parquet file, read from its footer."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro`, or `dvc pull`") from None
    except pa.ArrowInvalid as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} is not a readable parquet file ({error}): run "
        f"`dvc checkout {shlex.quote(str(path))}`, or `dvc repro`"
    )


class Writer:
    """Writes a parquet file (zstd) batch by batch, and renames it if the block ends without error.

    The bytes depend only on the rows and their order, not on how they were split into batches. A
    thread compresses each row group while the caller prepares the next one.

    Use it as `with Writer(path, schema) as writer: writer.write(batch)`.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self.schema, self.num_rows = path, schema, 0
        self._waiting: list[pa.Table] = []
        self._num_waiting = 0
        self._thread = ThreadPoolExecutor(1)
        self._written: Future[None] | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._aside = self.path.with_name(self.path.name + ".partial")
        names = [name for name in self.schema.names if name in CATEGORIES]
        self._file = pq.ParquetWriter(
            self._aside,
            self.schema,
            compression="zstd",
            use_dictionary=names,
            write_statistics=names,
        )
        return self

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Append rows, with their columns cast to the schema's order and types."""
        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        table = table.select(self.schema.names).cast(self.schema)
        self.num_rows += len(table)
        self._waiting.append(table)
        self._num_waiting += len(table)
        while self._num_waiting >= ROWS_PER_GROUP:
            self._write_group(ROWS_PER_GROUP)

    def _write_group(self, size: int) -> None:
        table = pa.concat_tables(self._waiting)
        if self._written:
            self._written.result()
        group = table.slice(0, size).combine_chunks()
        self._written = self._thread.submit(self._file.write_table, group, row_group_size=size)
        self._waiting = [table.slice(size)]
        self._num_waiting = len(table) - size

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None and self._num_waiting:
                self._write_group(self._num_waiting)
            self._thread.shutdown()
            if kind is None and self._written:
                self._written.result()
            self._file.close()
            if kind is None:
                self._aside.rename(self.path)
        finally:
            self._thread.shutdown()
            self._aside.unlink(missing_ok=True)


def write_rows(path: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write a few rows as a parquet file, completely or not at all."""
    with Writer(path, schema) as writer:
        writer.write(pa.Table.from_pylist(list(rows), schema=schema))
