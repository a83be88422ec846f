"""Digest single rows, so that a reader can check one response without the others.

A row's digest is the sha256 of its JSON with sorted keys, no white space, and UTF-8 letters. The
Merkle root over the rows of a file is that of RFC 6962, section 2.1, over the same JSON.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from mathledger.core.tables import Row, read_batches, write_rows

SCHEMA = pa.schema(
    [pa.field(name, pa.string()) for name in ("file", "id", "sha256")]
    + [pa.field("repeat", pa.int32())]
)


def canonical(row: Row) -> bytes:
    """Return the JSON that a row's digest covers.

    >>> canonical({"b": None, "a": "π"}).decode()
    '{"a":"π","b":null}'
    """
    text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def merkle_root(leaves: Sequence[bytes]) -> str:
    """Return the root of RFC 6962 over some entries, in hex.

    >>> merkle_root([])
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    if not leaves:
        return hashlib.sha256().hexdigest()
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        paired = [
            hashlib.sha256(b"\1" + one + other).digest()
            for one, other in zip(level[::2], level[1::2], strict=False)
        ]
        level = paired + level[len(paired) * 2 :]  # an odd last node moves up as it is
    return level[0].hex()


def rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a parquet file in order."""
    for batch in read_batches(path):
        yield from batch.to_pylist()


def write(path: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Write the digest of every row of some parquet files.

    Args:
        files: the name under which a file's rows are listed, and the file.
    """
    write_rows(
        path,
        (
            {
                "file": name,
                "id": row["item_id"] if "item_id" in row else row["id"],
                "sha256": hashlib.sha256(canonical(row)).hexdigest(),
                "repeat": row["repeat"],
            }
            for name, file in files
            for row in rows(file)
        ),
        SCHEMA,
    )
