"""Read the rows of a downloaded corpus in batches, with canonical column names."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.strings import string_array
from mathledger.core.tables import Row, num_rows

ROWS = 8192
MESSAGES = pa.list_(pa.string())
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
TEXTS = ("problem", "solution")

Columns = dict[str, str | None]  # Maps a canonical name to the file's column name.


def batches(folder: Path, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Yield all rows, as RAW, of the parquet and JSONL files that a folder's receipt lists.

    Raises:
        InputError: A mapped column is missing or has the wrong type, or a line is not a JSON
            object.
    """
    wanted = {name: column for name, column in columns.items() if column}
    for name in sorted(read_json(folder / "receipt.json")["files"]):
        path = folder / name
        parts: Iterator[dict[str, pa.Array]] = iter(())
        if path.suffix == ".parquet":
            parts = _parquet(path, wanted)
        elif path.suffix == ".jsonl":
            parts = _jsonl(path, wanted)
        start = 0
        for part in parts:
            size = len(part["problem"])
            rows = {
                "origin_file": pa.repeat(name, size),
                "origin_row": pa.array(np.arange(start, start + size)),
            }
            every = {field.name: pa.nulls(size, field.type) for field in RAW} | part | rows
            yield pa.RecordBatch.from_pydict(every, RAW)
            start += size


def expect_columns(path: Path, wanted: dict[str, str], has: list[str], row: str = "") -> None:
    """Raise InputError if a mapped column is missing."""
    for column in wanted.values():
        if column not in has:
            raise InputError(
                f"{path}{row} has no column {column!r}, only {', '.join(has)}; "
                "correct the corpus's mapping in conf/"
            )


def _parquet(path: Path, wanted: dict[str, str]) -> Iterator[dict[str, pa.Array]]:
    try:
        with pq.ParquetFile(path) as file:
            expect_columns(path, wanted, file.schema_arrow.names)
            for batch in file.iter_batches(ROWS, columns=[*set(wanted.values())]):
                yield {
                    name: _column(path, name, column, batch[column])
                    for name, column in wanted.items()
                }
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is not a readable parquet file: {error}") from None


def _column(path: Path, name: str, column: str, values: pa.Array) -> pa.Array:
    """Return a parquet column with the type it has in RAW; numeric answers become text."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    if name == "messages":
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        item = kind.value_type if is_list else kind
        if is_list and pa.types.is_struct(item) and item.get_field_index("content") >= 0:
            sizes = pc.fill_null(pc.list_value_length(values), 0).to_numpy()
            offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32())
            contents = pc.struct_field(values.flatten(), "content").cast(pa.string())
            return pa.ListArray.from_arrays(offsets, contents, mask=values.is_null())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        values = values.cast(pa.string())
        try:
            values.validate(full=True)
        except pa.ArrowInvalid as error:
            raise InputError(f"{path}: column {column!r} is not UTF-8: {error}") from None
        return values
    elif name not in TEXTS and pa.types.is_primitive(kind):
        return values.cast(pa.string())
    wants = "a list of messages with contents" if name == "messages" else "text"
    raise InputError(
        f"{path}: column {column!r} holds {values.type}, not {wants}; "
        "correct the corpus's mapping in conf/"
    )


def _jsonl(path: Path, wanted: dict[str, str]) -> Iterator[dict[str, pa.Array]]:
    with path.open("rb") as lines:
        numbered = enumerate(lines)
        while part := [*islice(numbered, ROWS)]:
            rows = [_object(path, wanted, number, line) for number, line in part]
            yield {
                name: pa.array([_value(name, row[column]) for row in rows], RAW.field(name).type)
                for name, column in wanted.items()
            }


def _object(path: Path, wanted: dict[str, str], number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:  # The line is not JSON or not UTF-8.
        raise InputError(f"{path}, row {number}: not JSON: {error}") from None
    if not isinstance(row, dict):
        raise InputError(f"{path}, row {number}: expected a JSON object, got {row!r:.80}")
    expect_columns(path, wanted, list(row), f", row {number}")
    return row


def _value(name: str, value: Any) -> Any:
    """Return a JSON value with the type it has in RAW; None if a text column holds no text."""
    if name == "messages":
        if not isinstance(value, list):
            return None
        return [
            valid_text(turn.get("content") if isinstance(turn, dict) else None) for turn in value
        ]
    if name not in TEXTS and value is not None and not isinstance(value, str):
        return json.dumps(value)
    return valid_text(value)


def valid_text(value: Any) -> str | None:
    """Return a text with lone surrogates replaced by U+FFFD, or None if the value is not a string.

    JSON can encode a lone surrogate, but UTF-8 cannot.
    """
    if not isinstance(value, str):
        return None
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def raw_row(file: Path, suffix: str, number: int) -> Row | None:
    """Return one row with all of the file's own columns, or None if there is no such row.

    Args:
        file: The file, under any name, e.g. its name in DVC's cache.
        suffix: The suffix of the file's name in the download: .parquet or .jsonl.
        number: The row's number, counted from 0 as in the column `origin_row`.
    """
    if suffix == ".jsonl":
        with file.open("rb") as lines:
            line = next(islice(lines, number, None), None)
        return None if line is None else dict(json.loads(line))
    with pq.ParquetFile(file, pre_buffer=False) as table:
        first = 0
        for group in range(table.num_row_groups):
            size = table.metadata.row_group(group).num_rows
            if number < first + size:
                return dict(table.read_row_group(group).slice(number - first, 1).to_pylist()[0])
            first += size
    return None


def count_rows(path: Path) -> int:
    """Return the number of rows of a parquet file, or of non-empty lines of a JSONL file.

    Raises:
        InputError: The file is neither parquet nor JSONL.
    """
    if path.suffix == ".parquet":
        return num_rows(path)
    if path.suffix == ".jsonl":
        with path.open("rb") as lines:
            return sum(1 for line in lines if line.strip())
    raise InputError(f"{path.name} is neither .parquet nor .jsonl; convert it or leave it out")


def ids(corpus: str, problems: pa.StringArray, solutions: pa.StringArray) -> pa.StringArray:
    """Return xxh3_128 digests of corpus, problem and solution, as 32 hex digits.

    Each of the three is preceded by its length as 8 bytes. xxh3 is six times as fast as blake2b,
    which would take most of the stage's time.
    """
    parts = [pa.scalar(len(corpus.encode()).to_bytes(8, "little") + corpus.encode())]
    for texts in (problems, solutions):
        parts += [_lengths(texts), texts.cast(pa.binary())]
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
