"""Read the rows of downloaded corpora and benchmarks in batches, with canonical column names."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.strings import string_array
from mathledger.data.chats import EXAMPLES, MESSAGES, chats, chats_of, examples_of
from mathledger.data.columns import lists, plain, texts
from mathledger.data.formats import (
    STEP,
    csv_rows,
    expect_columns,
    expect_distinct,
    format_of,
    json_rows,
    parquet_file,
)
from mathledger.data.values import WANTED, Kind, UnfitError, csv_cell, lists_of, texts_of

ROWS = 8192
MAX_BYTES = 256 * 1024**2  # Of a batch; Arrow's strings hold 2 GiB.
# A column that is not mapped is null in every row.
RAW = pa.schema(
    [
        pa.field("problem", pa.string()),
        pa.field("solution", pa.string()),
        pa.field("answer", pa.string()),
        pa.field("source", pa.string()),
        pa.field("messages", MESSAGES),  # Holds the messages' contents in order.
        pa.field("origin_file", pa.string()),
        pa.field("origin_row", pa.int64()),
    ]
)
# What a column may hold; any other column holds text or numbers.
KINDS: dict[str, Kind] = {
    "problem": "text",
    "solution": "text",
    "answer": "answer",
    "messages": "messages",
    "examples": "messages",
}

Columns = dict[str, str | None]  # Maps a canonical name to the file's column name.


def batches(folder: Path, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Yield all rows, as RAW, of the files that a folder's receipt lists.

    Raises:
        InputError: A mapped column is missing or of another kind, or a file is damaged.
    """
    wanted = {name: column for name, column in columns.items() if column}
    if "problem" not in wanted:  # The chats hold problems and solutions.
        wanted["examples"] = wanted.pop("messages")
    for name in sorted(read_json(folder / "receipt.json")["files"]):
        start = 0
        for part in read_columns(folder / name, str(folder / name), wanted):
            if "examples" in part:
                fields = part.pop("examples").flatten()
                part |= dict(zip(EXAMPLES.names, fields, strict=True))
            size = len(part["problem"])
            rows = {
                "origin_file": pa.repeat(name, size),
                "origin_row": pa.array(np.arange(start, start + size)),
            }
            every = {field.name: pa.nulls(size, field.type) for field in RAW} | part | rows
            yield pa.RecordBatch.from_pydict(every, RAW)
            start += size


def read_columns(path: Path, label: str, wanted: dict[str, str]) -> Iterator[dict[str, pa.Array]]:
    """Yield the mapped columns of a file in batches, as text; a chat as its messages' contents.

    The column for the name `examples` holds chats, and gives their problems and solutions.

    Args:
        label: What errors call the file.
        wanted: The file's column for each canonical name.

    Raises:
        InputError: A mapped column is missing or of another kind, or the file is damaged.
    """
    form = format_of(path.name)
    if form.kind == "parquet":
        yield from _parquet(path, label, wanted)
    else:
        yield from _objects(path, label, wanted, is_csv=form.kind == "csv")


def kind_of(name: str) -> Kind:
    """Return what the column of a canonical name may hold."""
    return "options" if name.startswith("option ") else KINDS.get(name, "scalar")


def _arrow(values: pa.Array, name: str) -> pa.Array:
    if name == "examples":
        return examples_of(plain(values).to_pylist())
    match kind_of(name):
        case "messages":
            return chats(values)
        case "options":
            return lists(values)
        case kind:
            return texts(values, kind)


def _python(cells: Sequence[Any], name: str) -> pa.Array:
    if name == "examples":
        return examples_of(cells)
    match kind_of(name):
        case "messages":
            return chats_of(cells)
        case "options":
            return lists_of(cells)
        case kind:
            return texts_of(cells, kind)


def _parquet(path: Path, label: str, wanted: dict[str, str]) -> Iterator[dict[str, pa.Array]]:
    with parquet_file(path, label, format_of(path.name)) as file:
        names = file.schema_arrow.names
        expect_distinct(names, label)
        expect_columns(wanted, names, label)
        start, num_bytes = 0, 0
        waiting: list[dict[str, pa.Array]] = []
        columns = [*dict.fromkeys(wanted.values())]
        # So few rows are decoded in less time than it takes to hand them to other threads.
        for batch in file.iter_batches(STEP, columns=columns, use_threads=False):
            part = {}
            for name, column in wanted.items():
                with _located(label, start, name, column):
                    part[name] = _arrow(batch[column], name)
            waiting.append(part)
            start += len(batch)
            num_bytes += sum(values.nbytes for values in part.values())
            if len(waiting) * STEP >= ROWS or num_bytes > MAX_BYTES:
                yield _joined(waiting)
                waiting, num_bytes = [], 0
        if waiting:
            yield _joined(waiting)


def _joined(parts: list[dict[str, pa.Array]]) -> dict[str, pa.Array]:
    return {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}


def _objects(
    path: Path, label: str, wanted: dict[str, str], is_csv: bool
) -> Iterator[dict[str, pa.Array]]:
    """Yield the mapped columns of a JSONL or CSV file."""
    start, num_bytes = 0, 0
    waiting: list[list[Any]] = []
    for row, size in csv_rows(path, label, wanted) if is_csv else json_rows(path, label):
        if not is_csv:
            expect_columns(wanted, row, f"{label}, row {start + len(waiting)}")
        waiting.append([row[column] for column in wanted.values()])
        num_bytes += size
        if len(waiting) == ROWS or num_bytes > MAX_BYTES:
            yield _part(label, start, wanted, waiting, is_csv)
            start, waiting, num_bytes = start + len(waiting), [], 0
    if waiting:
        yield _part(label, start, wanted, waiting, is_csv)


def _part(
    label: str, start: int, wanted: dict[str, str], rows: list[list[Any]], is_csv: bool
) -> dict[str, pa.Array]:
    part = {}
    for (name, column), cells in zip(wanted.items(), zip(*rows, strict=True), strict=True):
        kind = kind_of(name)
        with _located(label, start, name, column):
            values = [csv_cell(cell, kind) for cell in cells] if is_csv else cells
            part[name] = _python(values, name)
    return part


@contextmanager
def _located(label: str, start: int, name: str, column: str) -> Iterator[None]:
    """Raise InputError, with file, row and column, for a value that a column cannot hold."""
    try:
        yield
    except UnfitError as error:
        raise InputError(
            f"{label}, row {start + error.row}: column {column!r} holds {error.what}, not "
            f"{WANTED[kind_of(name)]}; correct the row, or the mapping in conf/"
        ) from None


def ids(corpus: str, problems: pa.StringArray, solutions: pa.StringArray) -> pa.StringArray:
    """Return xxh3_128 digests of corpus, problem and solution, as 32 hex digits.

    Each of the three is preceded by its length as 8 bytes. xxh3 is six times as fast as blake2b,
    which would take most of the stage's time.
    """
    parts = [pa.scalar(len(corpus.encode()).to_bytes(8, "little") + corpus.encode())]
    for column in (problems, solutions):
        parts += [_lengths(column), column.cast(pa.binary())]
    joined = pc.binary_join_element_wise(*parts, b"")
    data, offsets = memoryview(joined.buffers()[2]), np.frombuffer(joined.buffers()[1], np.int32)
    bounds = offsets[: len(joined) + 1].tolist()
    digest = xxhash.xxh3_128_digest
    digests = [digest(data[bounds[row] : bounds[row + 1]]) for row in range(len(joined))]
    digits = np.frombuffer(b"".join(digests).hex().encode(), np.uint8)
    return string_array(np.arange(0, len(digits) + 1, 32), digits)


def _lengths(texts: pa.StringArray) -> pa.Array:
    """Return the length of each text in bytes, encoded as 8 bytes."""
    lengths = pc.binary_length(texts).to_numpy().astype("<i8")
    offsets = np.arange(0, 8 * len(lengths) + 1, 8, dtype=np.int32)
    parts = [None, pa.py_buffer(offsets), pa.py_buffer(lengths)]
    return pa.Array.from_buffers(pa.binary(), len(lengths), parts)
