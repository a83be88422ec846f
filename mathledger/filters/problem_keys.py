"""Compute what depends on a row's problem alone, such as its key, once for each distinct text.

A problem has up to hundreds of solutions, and most of them repeat its text exactly. Splitting a
text into canonical tokens takes ten times as long as hashing it as it is written.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.data import engine
from mathledger.text import canonical, groups

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
U8 = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]


class Spellings(NamedTuple):
    """The distinct texts of the problems, in the order in which they first occur."""

    found: U8  # What the kernel returned for each.
    rows: I64  # The first row of each; rows are numbered through the files.
    number: I64  # For each row, the number of its problem's text among them.


def by_spelling(paths: list[Path], kernel: engine.Kernel, width: int) -> Spellings:
    """Run a kernel of the engine on each distinct text among the problems of all files."""
    written = [hashes(path, "problem", _spelling_keys) for path in paths]
    first: I64 = groups.first_of(np.concatenate(written))
    is_first = first == np.arange(len(first))
    parts = engine.split(paths, is_first)
    found = [engine.map_rows(path, ["problem"], kernel, width, part) for path, part in parts]
    number = (np.cumsum(is_first) - 1)[first]
    return Spellings(np.concatenate(found), np.flatnonzero(is_first), number)


def hashes(path: Path, column: str, kernel: engine.Kernel, flags: Flags | None = None) -> U64:
    """Return a kernel's 128-bit hash of every flagged row's text, shape (rows, 2)."""
    return engine.map_rows(path, [column], kernel, 16, flags).view(np.uint64)


def canonical_keys(texts: pa.Array) -> U8:
    """Return the canonical keys of the texts as bytes."""
    return canonical.keys(texts).view(np.uint8)


def _spelling_keys(texts: pa.Array) -> U8:
    return groups.spelling_keys(texts).view(np.uint8)
