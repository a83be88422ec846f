"""Compute the canonical key of every row's problem, reading each distinct text once.

A problem has up to hundreds of solutions, and most of them repeat its text exactly. Splitting a
text into canonical tokens takes ten times as long as hashing it as it is written.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.data import engine
from mathledger.text import canonical, groups

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
U8 = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]


def problem_keys(paths: list[Path]) -> U64:
    """Return `canonical.keys` of the problems of all files, shape (rows, 2)."""
    written = [hashes(path, "problem", _spelling_keys) for path in paths]
    first: I64 = groups.first_of(np.concatenate(written))
    is_first = first == np.arange(len(first))
    ends = np.cumsum([len(each) for each in written])[:-1]
    parts = zip(paths, np.split(is_first, ends), strict=True)
    keys = np.concatenate([hashes(path, "problem", wanted_keys, part) for path, part in parts])
    return keys[first]


def hashes(path: Path, column: str, kernel: engine.Kernel, flags: Flags | None = None) -> U64:
    """Return a kernel's 128-bit hash of every row's text, shape (rows, 2)."""
    found = engine.map_rows(path, [column], kernel, 16, flags)
    return np.ascontiguousarray(found).view(np.uint64)


def wanted_keys(texts: pa.Array, is_wanted: Flags) -> U8:
    """Return the canonical keys of the wanted texts as bytes; those of the others are 0."""
    return canonical.keys(texts, is_wanted).view(np.uint8)


def _spelling_keys(texts: pa.Array) -> U8:
    return groups.spelling_keys(texts).view(np.uint8)
