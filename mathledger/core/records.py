"""The rows every data stage carries, and how files are written: whole or not at all.

A training example is one row of EXAMPLE. origin_file and origin_row lead from any later file
back to the row of the byte-pinned download that it came from.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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

# The columns of few different values: written with a dictionary and statistics.
CATEGORIES = ("corpus", "source", "origin_file", "reason", "class", "benchmark")
ROWS_PER_GROUP = 32_768
SORT_BYTES = 256 * 1024**2  # what write_sorted gathers, while as much is being written

Row = dict[str, Any]


def removed_schema(evidence: pa.StructType) -> pa.Schema:
    """EXAMPLE plus why the row is gone. The text columns may be null: a missing one is a reason."""
    fields = [pa.field(field.name, field.type) for field in EXAMPLE]
    return pa.schema([*fields, pa.field("reason", pa.string()), pa.field("evidence", evidence)])


def content_id(*parts: str) -> str:
    """A 128-bit hash of the parts, as 32 hex digits; ("ab", "c") and ("a", "bc") differ."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def uniform(seed: int, key: str) -> float:
    """A number in [0, 1) from the seed and the key alone: the stable coin of sampling."""
    digest = hashlib.blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64


def sort_key(row: Row) -> tuple[str, str, int]:
    """The order of every file of examples. Equal ids are exact copies, told apart by origin."""
    return row["id"], row["origin_file"], row["origin_row"]


def read_rows(path: Path) -> list[Row]:
    """All rows of a parquet file.

    Raises:
        InputError: it is missing or not parquet.
    """
    return [row for batch in read_batches(path) for row in batch.to_pylist()]


def read_batches(path: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a parquet file in their order, a row group's worth at most at a time.

    Raises:
        InputError: it is missing or not parquet.
    """
    try:
        # Without pre_buffer=False the whole compressed file would be held.
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield from file.iter_batches(batch_size=ROWS_PER_GROUP, columns=columns)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro`, or `dvc pull`") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is not a readable parquet file: {error}") from None


def num_rows(path: Path) -> int:
    """Rows of a parquet file, from its footer."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro`, or `dvc pull`") from None
    except pa.ArrowInvalid as error:
        raise InputError(f"{path} is not a readable parquet file: {error}") from None


class Writer:
    """A parquet file (zstd) written batch by batch, aside, and renamed when the block ends well.

    The bytes depend on the rows and their order alone, not on how they came in batches. A group of
    rows is compressed on a thread of its own, while the caller makes the next.

    Used as `with Writer(path, schema) as writer: writer.write(batch)`.
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
        """Append rows; their columns are brought to the schema's order and types."""
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
    """Write a few rows as parquet, aside, then rename."""
    with Writer(path, schema) as writer:
        writer.write(pa.Table.from_pylist(list(rows), schema=schema))


def write_sorted(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """Write rows in the order of (id, origin_file, origin_row), whatever order they come in.

    Beyond SORT_BYTES the rows go through files beside the output, split by the head of their id,
    so that memory holds one part at a time. Returns the number of rows.
    """
    spill = path.with_name(path.name + ".parts")
    shutil.rmtree(spill, ignore_errors=True)
    parts: dict[int, pa.RecordBatchStreamWriter] = {}
    waiting: list[pa.Table] = []
    num_bytes = 0
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, spill, ignore_errors=True)
        with ExitStack() as files, ThreadPoolExecutor(1) as thread:
            spilled: Future[None] | None = None
            for batch in batches:
                table = pa.table(batch).select(schema.names).cast(schema)
                waiting.append(table)
                num_bytes += table.nbytes
                if num_bytes > SORT_BYTES:
                    if spilled:
                        spilled.result()
                    spilled = thread.submit(_spill, waiting, spill, parts, files)
                    waiting, num_bytes = [], 0
            if spilled:
                spilled.result()
                _spill(waiting, spill, parts, files)
                waiting = []
        with Writer(path, schema) as writer:
            if waiting:
                writer.write(_sorted(pa.concat_tables(waiting)))
            for part in sorted(parts):
                with pa.memory_map(str(spill / f"{part:02x}")) as file:
                    writer.write(_sorted(pa.ipc.open_stream(file).read_all()))
                (spill / f"{part:02x}").unlink()
            return writer.num_rows


def _sorted(table: pa.Table) -> pa.Table:
    keys = [("id", "ascending"), ("origin_file", "ascending"), ("origin_row", "ascending")]
    return table.take(pc.sort_indices(table, sort_keys=keys))


def _spill(
    tables: list[pa.Table],
    folder: Path,
    parts: dict[int, pa.RecordBatchStreamWriter],
    files: ExitStack,
) -> None:
    """Append the rows to the part of the first byte of their id (two hex digits)."""
    folder.mkdir(parents=True, exist_ok=True)
    if not tables:
        return
    table = pa.concat_tables(tables)
    heads = pc.utf8_slice_codeunits(table["id"], 0, 2).combine_chunks().dictionary_encode()
    values = np.array([int(head, 16) for head in heads.dictionary.to_pylist()])
    part_of = values[heads.indices.to_numpy()]
    order = np.argsort(part_of, kind="stable")
    table = table.take(pa.array(order)).combine_chunks()
    bounds = np.searchsorted(part_of[order], np.arange(257))
    for part in range(256):
        low, high = int(bounds[part]), int(bounds[part + 1])
        if low == high:
            continue
        if part not in parts:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            name = str(folder / f"{part:02x}")
            parts[part] = files.enter_context(
                pa.ipc.new_stream(name, table.schema, options=options)
            )
        parts[part].write_table(table.slice(low, high - low))


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text aside, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".partial")
    aside.write_text(text, encoding="utf-8")
    aside.rename(path)


def write_json(path: Path, content: Any) -> None:
    """Indented JSON, keys in the order given, one newline at the end."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file that an earlier stage wrote."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro`, or `dvc pull`") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid JSON: {error}") from None


def sha256(path: Path) -> str:
    """The file's sha256 as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def count_by(rows: Iterable[Row], column: str) -> dict[str, int]:
    """Rows per value of a column, sorted by the value."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row[column]] = counts.get(row[column], 0) + 1
    return dict(sorted(counts.items()))
