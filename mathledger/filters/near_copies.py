"""Find the near copies among the unique problems: sketch them, propose pairs, compare the pairs.

MinHash proposes pairs (minhash.py), and a direct comparison decides. Two problems are near copies
if they differ in wording alone (wording.py) and have the same drawings, or one of them has none.
The Jaccard similarity of the n-grams of their contents must reach a limit, which bounds the number
of typos.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.core.kernels import allocating, borrowing, kernel
from mathledger.core.machine import num_cores
from mathledger.core.strings import text_bytes
from mathledger.data import engine
from mathledger.filters import minhash
from mathledger.filters.minhash import Bands, gram
from mathledger.filters.wording import content_memory, have_equal_names, read_content, says_the_same
from mathledger.text import lexer, state

I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

PAIRS_PER_TASK = 16_384


@dataclass(frozen=True)
class NearCopies:
    """The near copies among the unique problems, which are numbered in the order of preference."""

    kept: I64  # For each problem, the kept problem that it copies, or -1.
    jaccard: F64  # Infinite if a person decided.
    template: U64  # Hash of the problem with its numbers masked, shape (problems, 2).
    num_capped: int  # Number of comparisons skipped because of a cap.


def find(
    paths: list[Path],
    is_unique: Flags,
    bands: Bands,
    jaccard: float | None,
    scratch: Path,
    ruled: dict[tuple[int, int], bool],
) -> NearCopies:
    """Find the near copies among the unique problems of the files.

    Args:
        is_unique: One flag for each row of all files.
        jaccard: Smallest Jaccard similarity of a near copy; None finds no near copies.
        ruled: Whether a pair of a later and an earlier problem is a copy, for the judged pairs.
    """

    def kernel(problems: pa.Array) -> U8:
        return minhash.sketches(problems, bands).view(np.uint8).reshape(len(problems), -1)

    width = bands.dtype().itemsize
    parts = engine.split(paths, is_unique)
    rows = [engine.map_rows(path, ["problem"], kernel, width, part) for path, part in parts]
    sketches = np.concatenate(rows).view(bands.dtype())[:, 0]
    pairs, num_capped = np.empty((0, 2), np.int64), 0
    if jaccard is not None:
        pairs, num_capped = minhash.propose(sketches)
    similarity = compare(paths, is_unique, pairs, bands.ngram_size, scratch)
    if jaccard is not None:
        pairs, similarity = overrule(pairs, similarity, ruled, len(sketches))
    kept, likeness = stars(pairs, similarity, jaccard or 1.0, sketches["drawing"] != 0)
    return NearCopies(kept, likeness, sketches["template"].copy(), num_capped)


def overrule(
    pairs: I64, similarity: F64, ruled: dict[tuple[int, int], bool], num_problems: int
) -> tuple[I64, F64]:
    """Replace the similarity of pairs that people judged: a copy gets infinity, others are dropped.

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


def compare(paths: list[Path], is_unique: Flags, pairs: I64, ngram_size: int, scratch: Path) -> F64:
    """Return the similarity of each pair of unique problems of the files, as `similarities` does.

    The problems of all pairs are memory-mapped, because every problem may be in some pair.
    """
    rows, wanted = np.flatnonzero(is_unique), np.unique(pairs)
    is_wanted, offsets = np.zeros(len(is_unique), np.bool_), np.zeros(len(rows) + 1, np.int64)
    is_wanted[rows[wanted]] = True
    num_seen = 0
    with (scratch / "problems").open("wb") as file:
        for path, part in engine.split(paths, is_wanted):
            for texts in engine.stream_column(path, "problem", part):
                data, ends = text_bytes(texts)
                own = wanted[num_seen : num_seen + len(texts)]
                offsets[own + 1] = np.diff(ends)
                file.write(data[ends[0] : ends[-1]].data)
                num_seen += len(texts)
    np.cumsum(offsets, out=offsets)
    if not offsets[-1]:  # An empty file cannot be mapped.
        return np.zeros(len(pairs))
    return similarities(np.memmap(scratch / "problems", np.uint8, "r"), offsets, pairs, ngram_size)


def similarities(data: U8, offsets: I64, pairs: I64, ngram_size: int) -> F64:
    """Return the Jaccard similarity of each pair, or 0 if it differs in more than its wording.

    Args:
        data: The bytes of all problems; problem i has data[offsets[i] : offsets[i + 1]].
    """
    longest = state.longest(offsets)

    def task(start: int) -> F64:
        memory = state.scratch(longest), state.scratch(longest)
        part = pairs[start : start + PAIRS_PER_TASK]
        room = len(memory[0].tokens)
        work = np.empty((2, room), np.uint64), (content_memory(room), content_memory(room))
        found: F64 = _compare(data, offsets, part, ngram_size, lexer.tables(), memory, work)
        return found

    with ThreadPoolExecutor(num_cores()) as threads:
        parts = threads.map(task, range(0, len(pairs), PAIRS_PER_TASK))
        return np.concatenate([np.empty(0), *parts])


@kernel
def _compare(
    data: Any, offsets: Any, pairs: Any, ngram_size: int, tables: Any, memory: Any, work: Any
) -> Any:
    similarity = np.zeros(len(pairs))
    (grams, (content, other_content)), (scratch, other_scratch) = work, memory
    last, num_tokens, drawing = np.int64(-1), 0, np.uint64(0)
    for number in range(len(pairs)):
        later, earlier = pairs[number]
        if later != last:
            count, drawing = lexer.lex(data, offsets[later], offsets[later + 1], tables, scratch)
            num_tokens = count
            size = read_content(scratch.tokens, count, scratch.spellings, content)
            num_grams, last = _distinct_grams(content.values, size, ngram_size, grams[0]), later
        count, other = lexer.lex(
            data, offsets[earlier], offsets[earlier + 1], tables, other_scratch
        )
        spell, other_spell = scratch.spellings, other_scratch.spellings
        other_size = read_content(other_scratch.tokens, count, other_spell, other_content)
        if (
            drawing != 0
            and other != 0
            and not have_equal_names(scratch.tokens, num_tokens, other_scratch.tokens, count)
        ):
            continue  # The drawing gives the names.
        if size == other_size and says_the_same(content, other_content, size, spell, other_spell):
            other_grams = _distinct_grams(other_content.values, size, ngram_size, grams[1])
            similarity[number] = _jaccard(grams[0, :num_grams], grams[1, :other_grams])
    return similarity


@allocating
def _distinct_grams(values: Any, count: int, ngram_size: int, out: Any) -> int:
    """Write the sorted distinct hashes of the n-grams into out; return their number."""
    size, kept = min(ngram_size, count), 0
    num_grams = count - size + 1 if count else 0
    for start in range(num_grams):
        out[start] = gram(values, start, size)
    out[:num_grams].sort()
    for at in range(num_grams):
        if kept == 0 or out[at] != out[kept - 1]:
            out[kept] = out[at]
            kept += 1
    return kept


@borrowing
def _jaccard(left: Any, right: Any) -> float:
    """Return the Jaccard similarity of two sets, given as sorted arrays."""
    shared, at = 0, 0
    for value in left:
        while at < len(right) and right[at] < value:
            at += 1
        shared += at < len(right) and right[at] == value
    return shared / max(1, len(left) + len(right) - shared)


def stars(pairs: I64, similarity: F64, limit: float, has_drawing: Any) -> tuple[I64, F64]:
    """Return for each problem the kept problem that it copies, or -1, and their similarity.

    Of two copies the one with a drawing stays, else the earlier one. Only a pair with a kept
    problem removes the other one, so chains of similar problems are not merged.
    """
    num_problems = len(has_drawing)
    order = np.argsort(~np.asarray(has_drawing, np.bool_), kind="stable")
    rank = np.empty(num_problems, np.int64)
    rank[order] = np.arange(num_problems)
    ranked = np.sort(rank[pairs], axis=1)[:, ::-1]
    sequence = np.lexsort((ranked[:, 1], ranked[:, 0]))
    kept, likeness = _stars(ranked[sequence], similarity[sequence], limit, num_problems)
    copied = np.flatnonzero(kept >= 0)
    kept_for, of_each = np.full(num_problems, -1, np.int64), np.zeros(num_problems)
    kept_for[order[copied]], of_each[order[copied]] = order[kept[copied]], likeness[copied]
    return kept_for, of_each


@kernel
def _stars(pairs: Any, similarity: Any, limit: float, num_problems: int) -> tuple[Any, Any]:
    """Decide for each pair of a later and an earlier problem, which must be sorted."""
    kept_for, likeness = np.full(num_problems, -1, np.int64), np.zeros(num_problems)
    for number in range(len(pairs)):
        later, earlier = pairs[number]
        if similarity[number] >= limit and kept_for[later] < 0 and kept_for[earlier] < 0:
            kept_for[later], likeness[later] = earlier, similarity[number]
    return kept_for, likeness
