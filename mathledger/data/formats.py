"""Read the rows of parquet, JSONL and CSV files, each also compressed with gzip or zstd.

Rows are numbered from 0 and blank lines are skipped; errors, `count_rows` and the column
`origin_row` all use this number. No message quotes a value, because a benchmark may be private.
"""

import codecs
import csv
import errno
import io
import json
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from mathledger.core.errors import InputError
from mathledger.core.tables import Row
from mathledger.data.values import DoubleKeyError, decode, printable

# Rows of parquet that are decoded at once: a file of 50 kB may hold a text of 1 MB in every row.
STEP = 256
MAX_LINE = 64 * 1024**2  # Longest row in bytes; a damaged file may be one endless line.
HEAD = 32  # First bytes by which formats are recognised.
SHOWN = 12  # Columns that an error names.
SUFFIXES = {".gz": "gzip", ".zst": "zstd"}
# A short word in ASCII. Anything else in the place of a column's name may be the text of an item.
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,39}", re.ASCII)
KINDS = {".parquet": "parquet", ".jsonl": "jsonl", ".csv": "csv"}


class Format(NamedTuple):
    kind: Literal["parquet", "jsonl", "csv"]
    compression: Literal["gzip", "zstd"] | None


def format_of(name: str) -> Format:
    """Return the format that a file's name states.

    >>> format_of("train.jsonl.GZ")
    Format(kind='jsonl', compression='gzip')

    Raises:
        InputError: The name has another suffix.
    """
    path = Path(name.lower())
    compression = SUFFIXES.get(path.suffix)
    kind = KINDS.get(Path(path.stem).suffix if compression else path.suffix)
    if not kind:
        raise InputError(
            f"{Path(name).name} is neither .parquet, .jsonl nor .csv (or one of them with .gz or "
            ".zst): convert it, rename it or leave it out"
        )
    return Format(kind, compression)  # type: ignore[arg-type]


def is_table(path: Path) -> bool:
    """Return True for a file whose name states a format that can be read."""
    return path.is_file() and is_table_name(path.name)


def is_table_name(name: str) -> bool:
    try:
        return bool(format_of(name))
    except InputError:
        return False


_HEADS = (
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself (`git lfs pull`)"),
    (b"PAR1", "parquet: rename it to .parquet"),
    (b"\x1f\x8b", "compressed by gzip: add .gz to its name"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd: add .zst to its name"),
    (b"PK\x03\x04", "a zip archive: unpack it"),
    (b"\xff\xfe", "UTF-16: convert it to UTF-8"),
    (b"\xfe\xff", "UTF-16: convert it to UTF-8"),
    (b"<!doctype", "a web page: download the file itself"),
    (b"<html", "a web page: download the file itself"),
)


def _refuse_by_head(head: bytes, label: str, kind: str) -> None:
    """Raise InputError if a file's first bytes show that it is of another format."""
    for start, what in _HEADS:
        if head.lstrip()[: len(start)].lower() == start.lower() and what.split(":")[0] != kind:
            raise InputError(f"{label} is not {kind} but {what}")


@contextmanager
def _stream(path: Path, form: Format, label: str) -> Iterator[io.BufferedReader]:
    """Open a file for reading, decompressed.

    Raises:
        InputError: The file cannot be read or decompressed.
    """
    try:
        if form.compression and not path.stat().st_size:
            raise InputError(f"{label} is empty: fetch it again or leave it out")
        with (
            pa.input_stream(str(path), compression=form.compression)
            if form.compression
            else path.open("rb")
        ) as file:
            stream = io.BufferedReader(file) if form.compression else file
            _refuse_by_head(stream.peek(HEAD)[:HEAD], label, form.kind)
            yield stream
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{label} cannot be read: {first_line(error)}") from None


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text; an error of Arrow may quote a file's bytes."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return "".join(sign if sign.isprintable() else "?" for sign in line)


def _lines(stream: io.BufferedReader, label: str) -> Iterator[bytes]:
    """Yield the lines that are not blank, without byte order marks.

    Raises:
        InputError: A line is too long or holds NUL bytes.
    """
    number = 0
    for line in iter(partial(stream.readline, MAX_LINE + 1), b""):
        if line.startswith(codecs.BOM_UTF8):
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.strip():
            continue
        if len(line) > MAX_LINE:
            raise InputError(
                f"{label}, row {number}: longer than {MAX_LINE // 1024**2} MiB: put one row on a "
                "line"
            )
        if b"\0" in line:
            raise InputError(
                f"{label}, row {number}: NUL bytes, so the file is damaged or not UTF-8: fetch it "
                "again or convert it"
            )
        yield line
        number += 1


def parse_object(line: bytes | str, where: str) -> Row:
    """Return one JSON object, its numbers as they are written.

    Raises:
        InputError: The text is not UTF-8 or not one JSON object, or a key occurs twice.
    """
    try:
        row = decode(line if isinstance(line, str) else line.decode())
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: not UTF-8 at byte {error.start} of the row: convert the file to UTF-8"
        ) from None
    except DoubleKeyError:
        raise InputError(f"{where}: a key occurs twice in one object: remove one") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{where}: not JSON: {error.msg.removesuffix(' at')} at column {error.colno}"
        ) from None
    except RecursionError:
        raise InputError(f"{where}: not JSON that can be read: it is nested too deeply") from None
    if not isinstance(row, dict):
        raise InputError(f"{where}: not a JSON object: write one object per line")
    return row


def json_rows(path: Path, label: str) -> Iterator[tuple[Row, int]]:
    """Yield the objects of a JSONL file, each with its size in bytes."""
    with _stream(path, format_of(path.name), label) as stream:
        for number, line in enumerate(_lines(stream, label)):
            yield parse_object(line, f"{label}, row {number}"), len(line)


def csv_rows(path: Path, label: str, wanted: dict[str, str]) -> Iterator[tuple[Row, int]]:
    """Yield the rows of a CSV file, each with its size; the first line names the columns.

    No message shows that line: in a file without names it is a row, which may be private.

    Raises:
        InputError: The file is not CSV in UTF-8, a mapped column is missing, or a row has more or
            fewer cells than the first.
    """
    with _stream(path, format_of(path.name), label) as stream:
        records = _records(stream, label)
        names = next(records, None)
        if names is None:
            return
        if len({*names}) < len(names):
            raise InputError(f"{label}: the first line names a column twice: rename one")
        expect_columns(wanted, names, f"{label}, first line", is_shown=False)
        for number, cells in enumerate(records):
            if len(cells) != len(names):
                raise InputError(
                    f"{label}, row {number}: {len(cells)} cells for {len(names)} columns: correct "
                    "the row's commas and quotes"
                )
            yield dict(zip(names, cells, strict=True)), sum(map(len, cells))


def _records(stream: io.BufferedReader, label: str) -> Iterator[list[str]]:
    """Yield the records of a CSV file, the names of the columns first."""
    csv.field_size_limit(MAX_LINE)
    number = -1
    records = csv.reader(_decoded(stream), strict=True)
    while True:
        where = f"{label}, row {number}" if number >= 0 else f"{label}, first line"
        try:
            cells = next(records, None)
        except UnicodeDecodeError:
            raise InputError(f"{where}: not UTF-8: convert the file to UTF-8") from None
        except _DamagedError as error:
            raise InputError(f"{where}: {error}: fetch the file again or convert it") from None
        except csv.Error as error:
            raise InputError(f"{where}: not CSV: {error}") from None
        if cells is None:
            return
        if len(cells) > 1 or (cells and cells[0].strip()):
            yield cells
            number += 1


class _DamagedError(Exception):
    pass


def _decoded(stream: io.BufferedReader) -> Iterator[str]:
    """Yield the lines of a CSV file; a quoted cell may span blank lines."""
    is_first = True
    for line in iter(partial(stream.readline, MAX_LINE + 1), b""):
        if len(line) > MAX_LINE:
            raise _DamagedError("an endless line")
        if b"\0" in line:
            raise _DamagedError("NUL bytes")
        yield line.decode("utf-8-sig" if is_first else "utf-8")
        is_first = False


@contextmanager
def parquet_file(path: Path, label: str, form: Format) -> Iterator[pq.ParquetFile]:
    """Open a parquet file; a compressed one is first written out to a temporary file.

    Raises:
        InputError: The file, or a part of it that the caller reads, is not parquet.
    """
    try:
        if not form.compression:
            with path.open("rb") as file:
                _refuse_by_head(file.read(HEAD), label, "parquet")
            with pq.ParquetFile(path, pre_buffer=False) as table:
                yield table
            return
        with tempfile.TemporaryFile() as whole, _stream(path, form, label) as stream:
            shutil.copyfileobj(stream, whole)
            whole.seek(0)
            with pq.ParquetFile(whole) as table:
                yield table
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        raise InputError(f"{label} is not a readable parquet file: {first_line(error)}") from None


def expect_distinct(names: list[str], label: str) -> None:
    """Raise InputError if two columns have the same name."""
    for number, name in enumerate(names):
        if name in names[:number]:
            named = f"two columns named {name}" if _are_names([name]) else "two columns of one name"
            raise InputError(f"{label} has {named}: rename one")


def expect_columns(
    wanted: dict[str, str], has: Collection[str], where: str, is_shown: bool = True
) -> None:
    """Raise InputError if a mapped column is missing.

    The error lists the file's columns by default, unless one of them is no name but a text.
    """
    for column in wanted.values():
        if column not in has:
            only = ""
            if is_shown and _are_names(has):
                listed = ", ".join([*has][:SHOWN]) + (", ..." if len(has) > SHOWN else "")
                only = f", only {listed or 'none'}"
            raise InputError(
                f"{where} has no column {column!r}{only}; correct the mapping in conf/"
            )


def _are_names(columns: Collection[str]) -> bool:
    """Return False if a column is called by a text, such as a problem, which may be private.

    >>> _are_names(["q", "generated_solution"]), _are_names(["q", "What is 1 + 1?"])
    (True, False)
    """
    return all(_NAME.fullmatch(column) for column in columns)


def shown(name: str) -> str:
    """Return an id on one line, cut to a length that fits a message."""
    return ascii(name[:60])[1:-1]


def column_names(path: Path) -> list[str]:
    """Return the names of a file's columns; of JSONL the keys of its first row."""
    label, form = str(path), format_of(path.name)
    if form.kind == "parquet":
        with parquet_file(path, label, form) as table:
            return list(table.schema_arrow.names)
    if form.kind == "csv":
        with _stream(path, form, label) as stream:
            return next(_records(stream, label), [])
    return [*next(json_rows(path, label), ({}, 0))[0]]


def count_rows(path: Path) -> int:
    """Return the number of rows that `readers.batches` reads from a file.

    Raises:
        InputError: The file has another format or is damaged.
    """
    label, form = path.name, format_of(path.name)
    if form.kind == "parquet":
        with parquet_file(path, label, form) as table:
            return int(table.metadata.num_rows)
    if form.kind == "csv":
        return sum(1 for _ in csv_rows(path, label, {}))
    with _stream(path, form, label) as stream:
        return sum(1 for _ in _lines(stream, label))


def raw_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file with all of its own columns, in types that JSON has."""
    label, form = path.name, format_of(path.name)
    if form.kind == "parquet":
        with parquet_file(path, label, form) as table:
            for batch in table.iter_batches(STEP):
                yield from (dict(printable(row)) for row in batch.to_pylist())
        return
    rows = csv_rows(path, label, {}) if form.kind == "csv" else json_rows(path, label)
    yield from (dict(printable(row)) for row, _ in rows)


def raw_row(file: Path, name: str, number: int) -> Row | None:
    """Return one row with all of the file's own columns, or None if there is no such row.

    Its values have types that JSON has.

    Args:
        file: The file, under any name, e.g. its name in DVC's cache.
        name: The file's name in the download, which states its format.
        number: The row's number, counted from 0 as in the column `origin_row`.
    """
    form = format_of(name)
    if form.kind == "parquet":
        with parquet_file(file, name, form) as table:
            first = 0
            for group in range(table.num_row_groups):
                size = table.metadata.row_group(group).num_rows
                if number >= first + size:
                    first += size
                    continue
                for batch in table.iter_batches(STEP, row_groups=[group]):
                    if number < first + len(batch):
                        (row,) = batch.slice(number - first, 1).to_pylist()
                        return dict(printable(row))
                    first += len(batch)
        return None
    with _stream(file, form, name) as stream:
        if form.kind == "csv":
            records = _records(stream, name)
            names = next(records, [])
            cells = next(islice(records, number, None), None)
            return None if cells is None else dict(zip(names, cells, strict=False))
        line = next(islice(_lines(stream, name), number, None), None)
    if line is None:
        return None
    return dict(printable(parse_object(line, f"{name}, row {number}")))
