"""Propose pairs of problems that may be near copies, by MinHash.

Each problem is reduced to a sketch of a few bytes. A pair is proposed if the Jaccard similarity of
the n-grams of its contents (wording.py) is probably high, and the numbers, operators, macros,
brackets and single letters are the same in the same order. near_copies.py compares the pairs.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic.dataclasses import dataclass

from mathledger.core.kernels import borrowing, kernel
from mathledger.core.strings import text_bytes
from mathledger.filters.wording import content_memory, read_content
from mathledger.text import lexer, state
from mathledger.text.groups import template
from mathledger.text.hashing import mix

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

# A problem is compared only with the first few of its bucket, so a bucket that a common phrase
# fills takes linear time. The skipped comparisons are counted.
MAX_FIRST = 8
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Bands:
    """The shape of sketches; 32 bands of 4 propose 99% of pairs with Jaccard similarity 0.6."""

    num_bands: int
    rows_per_band: int
    ngram_size: int  # Tokens that say something; a shorter problem is one n-gram.
    seed: int

    def dtype(self) -> np.dtype[Any]:
        """Return the type of a sketch.

        A sketch holds one bucket per band, and hashes of the tokens that must be equal, of the
        drawings (0 if there are none) and of the problem with its numbers masked.
        """
        hashes = [("exact", np.uint64), ("drawing", np.uint64), ("template", np.uint64, (2,))]
        return np.dtype([("buckets", np.uint32, (self.num_bands,)), *hashes])


@borrowing
def gram(values: Any, start: int, size: int) -> Any:
    """Hash the values[start : start + size]."""
    value = np.uint64(size)
    for at in range(start, start + size):
        value = mix(value * _MULTIPLIER + np.uint64(values[at]))
    return value


@borrowing
def _exact(content: Any, size: int) -> Any:
    """Hash the numbers, operators, macros, brackets and single letters in order."""
    value = np.uint64(0)
    for at in range(size):
        if content.ends[at] - content.begins[at] <= 1:
            value = mix(value * _MULTIPLIER + np.uint64(content.values[at]))
    return value


@borrowing
def _lower(lowest: Any, gram: Any, factors: Any, terms: Any) -> None:
    """Lower the minima of all multiply-shift hash functions (Dietzfelbinger 1996) by one n-gram."""
    for at in range(len(lowest)):
        value = np.uint32((factors[at] * gram + terms[at]) >> np.uint64(32))
        lowest[at] = min(lowest[at], value)


@kernel
def _sketch(
    data: Any, offsets: Any, tables: Any, memory: Any, factors: Any, terms: Any, ngram_size: int,
    out: Any,
) -> None:  # fmt: skip
    buckets, exact, drawings, templates = out
    num_bands, lowest = buckets.shape[1], np.empty(len(factors), np.uint32)
    rows_per_band = len(factors) // num_bands
    scratch, content = memory
    tokens, spellings, values = scratch.tokens, scratch.spellings, content.values
    for row in range(len(offsets) - 1):
        count, drawing = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        templates[row, 0], templates[row, 1] = template(tokens, count)
        length = read_content(tokens, count, spellings, content)
        size = min(ngram_size, length)
        lowest[:] = np.uint32(0xFFFFFFFF)
        for start in range(length - size + 1):
            _lower(lowest, gram(values, start, size) >> np.uint64(32), factors, terms)
        exact[row], drawings[row] = _exact(content, length), drawing
        for band in range(num_bands):
            # The bucket includes the exact hash, so problems that differ in numbers never meet.
            value = exact[row]
            for at in range(band * rows_per_band, (band + 1) * rows_per_band):
                value = mix(value * _MULTIPLIER + np.uint64(lowest[at]))
            buckets[row, band] = np.uint32(value >> np.uint64(32))


def sketches(problems: pa.Array, bands: Bands) -> npt.NDArray[Any]:
    """Return a sketch of every problem (a string array without nulls), shape (problems,)."""
    data, offsets = text_bytes(problems)
    chance = np.random.default_rng(bands.seed)
    shape = 2, bands.num_bands * bands.rows_per_band
    factors, terms = chance.integers(0, 2**64, shape, np.uint64)
    sketched = np.empty(len(problems), bands.dtype())
    columns = tuple(
        np.empty(sketched[name].shape, sketched[name].dtype) for name in sketched.dtype.fields
    )
    scratch = state.scratch(state.longest(offsets))
    memory = scratch, content_memory(len(scratch.tokens))
    order = (factors | np.uint64(1), terms)
    _sketch(data, offsets, lexer.tables(), memory, *order, bands.ngram_size, columns)
    for name, column in zip(sketched.dtype.fields, columns, strict=True):
        sketched[name] = column
    return sketched


@kernel
def _meet(ordered: Any, exact: Any, drawings: Any, max_first: int) -> tuple[Any, int]:
    """Return the pairs of one band that share a bucket, and the number of skipped comparisons.

    Args:
        ordered: Sorted values `bucket << 32 | problem`.

    Returns:
        Pairs as `later << 32 | earlier`, and the number of skipped comparisons.
    """
    pairs, num_pairs, num_capped, start = np.empty(1024, np.uint64), 0, 0, 0
    low = np.uint64(0xFFFFFFFF)
    for at in range(len(ordered)):
        if ordered[at] >> np.uint64(32) != ordered[start] >> np.uint64(32):
            start = at
        num_capped += max(0, at - start - max_first)
        later = ordered[at] & low
        for place in range(start, min(at, start + max_first)):
            earlier = ordered[place] & low
            one, other = drawings[later], drawings[earlier]
            if exact[later] == exact[earlier] and (one == other or one == 0 or other == 0):
                if num_pairs == len(pairs):
                    pairs = np.concatenate((pairs, np.empty_like(pairs)))
                pairs[num_pairs] = (later << np.uint64(32)) | earlier
                num_pairs += 1
    return pairs[:num_pairs], num_capped


def propose(sketched: npt.NDArray[Any]) -> tuple[I64, int]:
    """Propose pairs of problems that share a bucket and all tokens that must be equal.

    Returns:
        Sorted distinct pairs of a later and an earlier problem, shape (pairs, 2), and the number
        of comparisons skipped because of MAX_FIRST.
    """
    pairs, num_capped = np.empty(0, np.uint64), 0
    numbers = np.arange(len(sketched), dtype=np.uint64)
    exact, drawings = (np.ascontiguousarray(sketched[name]) for name in ("exact", "drawing"))
    for band in range(sketched["buckets"].shape[1]):
        buckets = sketched["buckets"][:, band].astype(np.uint64)
        met, capped = _meet(np.sort(buckets << np.uint64(32) | numbers), exact, drawings, MAX_FIRST)
        pairs = np.union1d(pairs, met)
        num_capped += capped
    return np.stack([pairs >> np.uint64(32), pairs & np.uint64(0xFFFFFFFF)], 1).astype(np.int64), (
        num_capped
    )
