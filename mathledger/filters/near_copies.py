"""Find the near copies among the unique problems: sketch them, propose pairs, compare the pairs."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.core.tables import num_rows, read_batches
from mathledger.data import engine
from mathledger.filters import minhash
from mathledger.filters.minhash import Bands

I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NearCopies:
    """The near copies among the unique problems, which are numbered in the order of preference."""

    kept: I64  # For each problem, the kept problem that it copies, or -1.
    jaccard: F64  # Infinite if a person decided.
    template: U64  # Hash of the problem with its numbers masked, shape (problems, 2).
    num_capped: int  # Number of comparisons skipped because of a cap.


def find(
    files: list[Path],
    bands: Bands,
    jaccard: float | None,
    scratch: Path,
    ruled: dict[tuple[int, int], bool],
) -> NearCopies:
    """Find the near copies among the problems of the files.

    Args:
        jaccard: Smallest Jaccard similarity of a near copy; None finds no near copies.
        ruled: Whether a pair of a later and an earlier problem is a copy, for the judged pairs.
    """

    def kernel(problems: pa.Array) -> npt.NDArray[np.uint8]:
        return minhash.sketches(problems, bands).view(np.uint8).reshape(len(problems), -1)

    width = bands.dtype().itemsize
    rows = np.concatenate([engine.map_rows(file, ["problem"], kernel, width) for file in files])
    sketches = rows.view(bands.dtype())[:, 0]
    pairs, num_capped = np.empty((0, 2), np.int64), 0
    if jaccard is not None:
        pairs, num_capped = minhash.propose(sketches)
    similarity = compare(files, pairs, bands.ngram_size, scratch)
    if jaccard is not None:
        pairs, similarity = overrule(pairs, similarity, ruled, len(rows))
    kept, likeness = minhash.stars(pairs, similarity, jaccard or 1.0, len(rows))
    return NearCopies(kept, likeness, sketches["template"].copy(), num_capped)


def overrule(
    pairs: I64, similarity: F64, ruled: dict[tuple[int, int], bool], num_problems: int
) -> tuple[I64, F64]:
    """Put what people judged in place of the similarity: infinity for a copy, no pair if not.

    >>> overrule(np.array([[2, 0], [3, 1]]), np.array([0.9, 0.9]), {(3, 1): False, (1, 0): True}, 4)
    (array([[1, 0],
           [2, 0]]), array([inf, 0.9]))
    """
    judged = np.array([*ruled], np.int64).reshape(-1, 2)
    names, own = (each[:, 0] * num_problems + each[:, 1] for each in (pairs, judged))
    is_left = ~np.isin(names, own)
    copies = judged[np.fromiter(ruled.values(), np.bool_, len(ruled))]
    pairs = np.concatenate([pairs[is_left], copies])
    similarity = np.concatenate([similarity[is_left], np.full(len(copies), np.inf)])
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], similarity[order]


def compare(files: list[Path], pairs: I64, ngram_size: int, scratch: Path) -> F64:
    """Return the Jaccard similarity of each pair, or 0 if both have content words of their own.

    The n-grams and words are memory-mapped, because every problem may be in some pair.
    """
    num_problems = sum(num_rows(file) for file in files)
    wanted, num_seen = np.zeros(num_problems, np.bool_), 0
    wanted[pairs.ravel()] = True
    sizes = np.zeros((2, num_problems), np.int64)
    paths = scratch / "ngrams", scratch / "words"
    with paths[0].open("wb") as ngrams_file, paths[1].open("wb") as words_file:
        for batch in (batch for file in files for batch in read_batches(file, ["problem"])):
            rows = num_seen + np.flatnonzero(wanted[num_seen : num_seen + len(batch)])
            problems = batch.column(0).take(pa.array(rows - num_seen))
            sizes[0, rows], ngrams = minhash.ngrams(problems, ngram_size)
            sizes[1, rows], words = minhash.content_words(problems)
            ngrams_file.write(ngrams.tobytes())
            words_file.write(words.tobytes())
            num_seen += len(batch)

    def overlap(number: int) -> tuple[F64, npt.NDArray[np.bool_]]:
        offsets = np.concatenate([[0], np.cumsum(sizes[number])])
        if not offsets[-1]:  # An empty file cannot be mapped.
            return minhash.overlap(offsets, np.empty(0, np.uint64), pairs)
        return minhash.overlap(offsets, np.memmap(paths[number], np.uint64, "r"), pairs)

    similarity, _ = overlap(0)
    _, is_nested = overlap(1)
    return np.where(is_nested, similarity, 0.0)
