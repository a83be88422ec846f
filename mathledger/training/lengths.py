"""Measure the lengths of training rows, and find the longest, without reading all texts at once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from mathledger.core.errors import InputError
from mathledger.training.sft import tokenise

MAX_MEASURED = 5_000  # most rows to tokenise
MIN_BLOCK = 1_000  # fewest rows to tokenise at a time


@dataclass(frozen=True)
class Rows:
    """The lengths in tokens of the training rows that fit max_length, with the chat template."""

    num: int
    num_too_long: int
    mean: float
    longest: int


def measure_rows(path: Path, tokenizer: Any, max_length: int) -> Rows:
    """Measure the lengths of up to MAX_MEASURED evenly spaced rows of the training set.

    Raises:
        InputError: no row fits max_length.
    """
    num = num_rows(path)
    lengths = np.array(tokenise(take(path, evenly_spaced(num)), tokenizer)["length"])
    fits = lengths[lengths <= max_length]
    if not len(fits):
        raise InputError(f"no row of {path} fits train.max_length={max_length}: raise it")
    num_fitting = round(num * len(fits) / len(lengths))
    return Rows(num_fitting, num - num_fitting, float(fits.mean()), int(fits.max()))


def num_rows(path: Path) -> int:
    return int(pq.ParquetFile(path).metadata.num_rows)


def evenly_spaced(num: int) -> npt.NDArray[np.int64]:
    """Return up to MAX_MEASURED row numbers below `num`."""
    return np.linspace(0, num - 1, min(num, MAX_MEASURED)).astype(np.int64)


def take(path: Path, rows: npt.NDArray[np.int64]) -> dict[str, list[Any]]:
    """Return the columns of these rows that `tokenise` reads."""
    table = pads.dataset(path).scanner(columns=["id", "prompt", "completion"]).take(pa.array(rows))
    columns: dict[str, list[Any]] = table.to_pydict()
    return columns


def num_bytes(path: Path) -> npt.NDArray[np.int64]:
    """Return the number of bytes of each row's texts."""
    lengths = []
    for batch in pq.ParquetFile(path).iter_batches(columns=["prompt", "completion"]):
        total = np.zeros(len(batch))
        for column in batch.columns:
            texts = pc.binary_length(pc.struct_field(column.flatten(), "content"))
            total += np.bincount(pc.list_parent_indices(column), texts, minlength=len(batch))
        lengths.append(total.astype(np.int64))
    return np.concatenate(lengths)


def longest_rows(path: Path, tokenizer: Any, max_length: int, count: int) -> dict[str, list[Any]]:
    """Return about `count` of the longest rows that fit max_length, tokenised.

    The rows with the longest texts are tokenised, block by block, until enough of them fit. All are
    returned if the training set has fewer.

    Raises:
        InputError: no row fits max_length.
    """
    order = np.argsort(-num_bytes(path), kind="stable")
    kept: dict[str, list[Any]] = {}
    size = max(count, MIN_BLOCK)
    for start in range(0, len(order), size):
        tokens = tokenise(take(path, np.sort(order[start : start + size])), tokenizer)
        fits = [index for index, length in enumerate(tokens["length"]) if length <= max_length]
        for key, values in tokens.items():
            kept.setdefault(key, []).extend(values[index] for index in fits)
        if len(kept["id"]) >= 2 * count:  # twice, because bytes only hint at tokens
            break
    if not kept["id"]:
        raise InputError(f"no row of {path} fits train.max_length={max_length}: raise it")
    return kept
