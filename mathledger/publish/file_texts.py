"""Read the texts of any file: text in any usual encoding, parquet, archives, images, binaries.

A file's kind follows from its content, not from its suffix.
"""

import bz2
import functools
import gzip
import io
import lzma
import mmap
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mathledger.core.errors import InputError

PART = 1 << 20  # characters that are searched at once
OVERLAP = 1 << 16  # characters that two parts share, so that no text is cut apart
ROWS = 1024  # of a table that are read at once
LARGE = 1 << 25  # bytes of a binary file from which only likely places are read
BLOCK = 32  # bytes; a text of twice as many always fills a block
MAX_DEPTH = 3  # archives in archives
MAX_UNPACKED = 1 << 30  # bytes of one member of an archive


def _stream(compression: str, file: io.BytesIO, _: str) -> Any:
    return pa.input_stream(file, compression=compression)


PACKED = (
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\0", lzma.open),
    (b"\x28\xb5\x2f\xfd", functools.partial(_stream, "zstd")),
    (b"\x04\x22\x4d\x18", functools.partial(_stream, "lz4")),
)
RUN = re.compile(
    rb"(?:[\t\n\r\x20-\x7e]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}"
    rb"|[\xf0-\xf4][\x80-\xbf]{3}){8,}"
)
WIDE = (
    (re.compile(rb"(?:[\t\n\r\x20-\x7e]\0){8,}"), "utf-16-le"),
    (re.compile(rb"(?:\0[\t\n\r\x20-\x7e]){8,}"), "utf-16-be"),
)
MARKS = ((b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"),
         (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))  # fmt: skip


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a file in parts that overlap.

    Raises:
        InputError: the file is an archive or a parquet file that cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if not head:
        return
    try:
        if read := _table(head):
            yield from read(pa.memory_map(str(path)))
        # The bytes too: a table may have others between its parts, and statistics in its footer.
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for text in _of_bytes(data, 0):
                yield from parts(text)
    except (OSError, EOFError, RuntimeError, lzma.LZMAError, zlib.error, zipfile.BadZipFile,
            NotImplementedError, pa.ArrowException, ValueError) as error:  # fmt: skip
        raise InputError(
            f"{path.name} cannot be unpacked, so it cannot be searched for private texts "
            f"({' '.join(str(error).split())}): remove it"
        ) from None


def _table(head: bytes) -> Callable[[Any], Iterator[str]] | None:
    """Return how to read a file of columns, which may be compressed; None for other files."""
    if head.startswith(b"PAR1"):
        return _parquet
    return _arrow if head.startswith(b"ARROW1") else None


def parts(text: str) -> Iterator[str]:
    """Yield a text in parts of bounded length that overlap.

    >>> [len(each) for each in parts("x" * (PART + 1))]
    [1048576, 65537]
    """
    for start in range(0, max(len(text) - OVERLAP, 1), PART - OVERLAP):
        yield text[start : start + PART]


def _parquet(source: Any) -> Iterator[str]:
    """Yield the values of all columns, one row to a line, and what the footer says."""
    with pq.ParquetFile(source, pre_buffer=False) as file:
        yield from _schema(file.schema_arrow)
        for batch in file.iter_batches(ROWS):
            yield from _rows(batch)


def _arrow(source: Any) -> Iterator[str]:
    """Yield the same of a file of Arrow, such as Feather."""
    with pa.ipc.open_file(source) as file:
        yield from _schema(file.schema)
        for number in range(file.num_record_batches):
            yield from _rows(file.get_batch(number))


def _schema(schema: pa.Schema) -> Iterator[str]:
    """Yield the names of the columns, at any depth, and all metadata."""
    fields, said = [*schema], [*(schema.metadata or {}).items()]
    for field in fields:  # grows as it is walked
        said += [(field.name.encode(), b""), *(field.metadata or {}).items()]
        fields += [field.type.field(number) for number in range(field.type.num_fields)]
    for key, value in said:
        yield from parts(f"{key.decode(errors='replace')} {value.decode(errors='replace')}")


def _rows(batch: pa.RecordBatch) -> Iterator[str]:
    columns = [column.to_pylist() for column in batch.columns]  # two may have one name
    rows = (" \n ".join(_values(row)) for row in zip(*columns, strict=True))
    yield from parts("\n\n".join(rows))


def _values(node: Any) -> Iterator[str]:
    """Yield the keys and values in a nested value as texts."""
    if isinstance(node, dict):
        node = [*node.keys(), *node.values()]
    if isinstance(node, list | tuple):
        for each in node:
            yield from _values(each)
    elif isinstance(node, bytes):
        yield from _of_bytes(node, MAX_DEPTH)
    elif node is not None:
        yield str(node)


def _of_bytes(data: Any, depth: int) -> Iterator[str]:
    """Yield the texts in bytes, and in what they hold packed."""
    head = bytes(data[:16])
    if depth and (read := _table(head)):  # in an archive
        yield from read(pa.py_buffer(bytes(data)))
    if depth < MAX_DEPTH:
        for member in _unpacked(data, head):
            yield from _of_bytes(member, depth + 1)
    for mark, encoding in MARKS:
        if head.startswith(mark):
            yield bytes(data).decode(encoding, "replace")
            return
    if not head.startswith(b"\x89PNG") and b"\0" not in data[: 1 << 16]:
        try:
            yield bytes(data).decode("utf-8")
            return
        except UnicodeDecodeError:
            pass
    places = _likely_places(data) if len(data) > LARGE else [data]
    for place in places:
        found = [each[0].decode("utf-8", "replace") for each in RUN.finditer(place)]
        for pattern, encoding in WIDE:
            found += [each[0].decode(encoding) for each in pattern.finditer(place)]
        if found:
            yield " \n ".join(found)
    if len(data) <= LARGE and _is_latin(data):
        yield bytes(data).decode("latin-1")


def _is_latin(data: Any) -> bool:
    """Return True if bytes look like text in an encoding of one byte a letter."""
    control = bytes(set(range(32)) - {9, 10, 12, 13})
    sample = bytes(data[: 1 << 16])
    return len(sample.translate(None, control)) == len(sample)


def _unpacked(data: Any, head: bytes) -> Iterator[bytes]:
    """Yield the members of an archive, and the compressed texts of a PNG image."""
    for magic, opened in PACKED:
        if head.startswith(magic):
            with opened(io.BytesIO(data), "rb") as file:
                yield _bounded(file)
    if head.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                yield info.filename.encode("utf-8", "replace") + b"\n"
                with archive.open(info) as member:
                    yield _bounded(member)
    if head.startswith(b"\x89PNG"):
        yield from _png_texts(data)


def _bounded(file: Any) -> bytes:
    content: bytes = file.read(MAX_UNPACKED + 1)
    if len(content) > MAX_UNPACKED:
        raise OSError(f"a member is larger than {MAX_UNPACKED:,} bytes")
    return content


def _png_texts(data: Any) -> Iterator[bytes]:
    """Yield the texts of a PNG's chunks zTXt and iTXt, which may be compressed."""
    at = 8
    while at + 12 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8])
        content = bytes(data[at + 8 : at + 8 + size])
        if kind in (b"zTXt", b"iTXt"):
            start = content.find(b"\x78", content.find(b"\0"))  # where a zlib stream begins
            while start >= 0:
                try:
                    yield zlib.decompressobj().decompress(content[start:], MAX_UNPACKED)
                    break
                except zlib.error:
                    start = content.find(b"\x78", start + 1)
        at += 12 + size


def _kinds() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return the kind of each byte in UTF-8, and which kinds may follow one another.

    The kinds are 0, control; 1, ASCII; 2, continuation; 3, first of several bytes.
    """
    kinds = np.zeros(256, np.uint8)
    kinds[[9, 10, 13]] = kinds[32:127] = 1
    kinds[0x80:0xC0], kinds[0xC2:0xF5] = 2, 3
    follows = np.zeros((4, 4), bool)
    follows[1, [1, 3]] = follows[2, 1:] = follows[3, 2] = True
    return kinds, follows.ravel()


def _likely_places(data: Any) -> Iterator[bytes]:
    """Yield the places of a large binary file in which a whole block may be UTF-8.

    Random bytes rarely fill a block; a text of 64 bytes or more always does.
    """
    kinds, follows = _kinds()
    step = 1 << 24
    for start in range(0, len(data), step):
        # Steps overlap, so that no text at an edge is lost.
        piece = bytes(data[max(start - 2 * BLOCK, 0) : start + step + 2 * BLOCK])
        kind = kinds[np.frombuffer(piece, np.uint8)]
        is_text = follows[kind[:-1] * 4 + kind[1:]]
        whole = len(is_text) // BLOCK * BLOCK
        full = np.flatnonzero(is_text[:whole].reshape(-1, BLOCK).all(axis=1))
        for group in np.split(full, np.flatnonzero(np.diff(full) > 2) + 1):
            if len(group):
                low, high = max(int(group[0]) - 1, 0), int(group[-1]) + 3
                yield piece[low * BLOCK : high * BLOCK]
