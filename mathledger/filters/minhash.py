"""Find near copies among many problems: MinHash proposes pairs, a direct comparison decides.

Each problem is reduced to a sketch of a few bytes, and only the problems of proposed pairs are read
again. Two problems are near copies if all of the following hold:

- The Jaccard similarity of their token n-grams reaches a limit.
- Their numbers, operators, macros, single letters and DECISIVE words are the same in the same
  order. Changing one of these barely lowers the similarity of a long problem but makes it a
  different problem.
- One of them has all content words of the other. It may say more, but not ask for something else
  (the product of the roots instead of their sum).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic.dataclasses import dataclass

from mathledger.core.kernels import kernel
from mathledger.core.strings import text_bytes
from mathledger.text import lexer, state
from mathledger.text.groups import template
from mathledger.text.hashing import hash_bytes, mix
from mathledger.text.tokens import FROM, HASH, KIND, MACRO, NUMBER, OPERATOR, TO, WORD

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

# A problem is compared only with the first few of its bucket, so a bucket that a common phrase
# fills takes linear time. The skipped comparisons are counted.
MAX_FIRST = 8
# A change of one of these words makes a different problem, just like a change of an operator.
DECISIVE = (
    "not no never without except least most more less fewer greater odd even positive negative "
    "distinct only"
)
# Copies may differ in these function words; all other words are content words.
FUNCTION = (
    "a an the this that these those it its he him his she her they them their we us our you your i "
    "my of in on at by for from to into with within as and or but if then so also there here is "
    "are was were be been being has have had having do does did can could will would shall should "
    "may might must let given suppose what which who whom whose when where why how many much "
    "find compute determine calculate evaluate solve show prove please such each per q problem "
    "question"
)
_ARTICLE = np.uint64(hash_bytes(b"a")).view(np.int64)
_DECISIVE, _FUNCTION = (
    np.sort(np.array([hash_bytes(word.encode()) for word in words.split()], np.uint64))
    for words in (DECISIVE, FUNCTION)
)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Bands:
    """The shape of sketches; 32 bands of 4 propose 99% of pairs with Jaccard similarity 0.6."""

    num_bands: int
    rows_per_band: int
    ngram_size: int  # Canonical tokens; a shorter problem is a single n-gram.
    seed: int

    def dtype(self) -> np.dtype[Any]:
        """Return the type of a sketch.

        A sketch holds one bucket per band, and hashes of the tokens that must be equal, of the
        drawings (0 if there are none) and of the problem with its numbers masked.
        """
        hashes = [("exact", np.uint64), ("drawing", np.uint64), ("template", np.uint64, (2,))]
        return np.dtype([("buckets", np.uint32, (self.num_bands,)), *hashes])


@kernel
def _gram(tok: Any, start: int, size: int) -> Any:
    value = np.uint64(size)
    for at in range(start, start + size):
        value = mix(value * _MULTIPLIER + np.uint64(tok[at, HASH]))
    return value


@kernel
def _is_in(value: Any, table: Any) -> bool:
    at = np.searchsorted(table, value)
    return bool(at < len(table) and table[at] == value)


@kernel
def _exact(tok: Any, count: int) -> Any:
    """Hash the numbers, operators, macros, single letters and decisive words in order."""
    value = np.uint64(0)
    for at in range(count):
        kind = tok[at, KIND]
        is_decisive = kind in (NUMBER, OPERATOR, MACRO)
        if kind == WORD:
            # A first letter may be a label (Q:), and "a" is usually an article.
            letter = at > 0 and tok[at, TO] - tok[at, FROM] == 1 and tok[at, HASH] != _ARTICLE
            is_decisive = letter or _is_in(np.uint64(tok[at, HASH]), _DECISIVE)
        if is_decisive:
            value = mix(value * _MULTIPLIER + np.uint64(tok[at, HASH]))
    return value


@kernel
def _lower(lowest: Any, gram: Any, factors: Any, terms: Any) -> None:
    """Lower the minima of all multiply-shift hash functions (Dietzfelbinger 1996) by one n-gram."""
    for at in range(len(lowest)):
        value = np.uint32((factors[at] * gram + terms[at]) >> np.uint64(32))
        lowest[at] = min(lowest[at], value)


@kernel
def _sketch(
    data: Any, offsets: Any, tables: Any, scratch: Any, factors: Any, terms: Any, ngram_size: int,
    out: Any,
) -> None:  # fmt: skip
    buckets, exact, drawings, templates = out
    num_bands, lowest = buckets.shape[1], np.empty(len(factors), np.uint32)
    rows_per_band = len(factors) // num_bands
    for row in range(len(offsets) - 1):
        count, drawing = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        tok, size = scratch[0], min(ngram_size, count)
        lowest[:] = np.uint32(0xFFFFFFFF)
        for start in range(count - size + 1):
            _lower(lowest, _gram(tok, start, size) >> np.uint64(32), factors, terms)
        exact[row], drawings[row] = _exact(tok, count), drawing
        templates[row, 0], templates[row, 1] = template(tok, count)
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
    memory = state.scratch(state.longest(offsets))
    order = (factors | np.uint64(1), terms)
    _sketch(data, offsets, state.tables(), memory, *order, bands.ngram_size, columns)
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


@kernel
def _content(tok: Any, count: int, spell: Any, out: Any) -> int:
    """Write hashes of the content words, without plural endings, into out; return their number."""
    size = 0
    for at in range(count):
        if tok[at, KIND] != WORD or _is_in(np.uint64(tok[at, HASH]), _FUNCTION):
            continue
        value, end = np.uint64(0), tok[at, TO]
        if end - tok[at, FROM] > 3 and spell[end - 1] == ord("s"):
            end -= 1
            if spell[end - 1] == ord("e"):
                end -= 1
        for place in range(tok[at, FROM], end):
            value = mix(value + np.uint64(spell[place]))
        out[size] = value
        size += 1
    return size


@kernel
def _members(
    data: Any, offsets: Any, tables: Any, scratch: Any, ngram_size: int
) -> tuple[Any, Any]:
    counts = np.zeros(len(offsets) - 1, np.int64)
    members, used = np.empty(max(1024, len(data)), np.uint64), 0
    for row in range(len(offsets) - 1):
        count, _ = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        while used + count > len(members):
            members = np.concatenate((members, np.empty_like(members)))
        if ngram_size == 0:
            end = used + _content(scratch[0], count, scratch[1], members[used:])
        else:
            size = min(ngram_size, count)
            end = used + count - size + 1 if count else used
            for start in range(end - used):
                members[used + start] = _gram(scratch[0], start, size)
        members[used:end].sort()
        first = used
        for at in range(used, end):
            if ngram_size == 0 or used == first or members[at] != members[used - 1]:
                members[used] = members[at]
                used += 1
        counts[row] = used - first
    return counts, members[:used]


def ngrams(problems: pa.Array, ngram_size: int) -> tuple[I64, U64]:
    """Return the number of distinct n-grams of every problem, and all their hashes in one array.

    Each problem's hashes are sorted. The counts have shape (problems,).
    """
    data, offsets = text_bytes(problems)
    memory = state.scratch(state.longest(offsets))
    counts, grams = _members(data, offsets, state.tables(), memory, ngram_size)
    return counts, grams


def content_words(problems: pa.Array) -> tuple[I64, U64]:
    """Return the same for content words, each as often as it occurs.

    Repetitions matter: in a class of boys and girls, asking for the number of boys and asking for
    the number of girls are different problems.
    """
    return ngrams(problems, 0)


@kernel
def overlap(offsets: Any, members: Any, pairs: Any) -> tuple[Any, Any]:
    """Compare the multisets members[offsets[i] : offsets[i + 1]] of each pair of problems.

    Args:
        pairs: Problem numbers, shape (pairs, 2).

    Returns:
        The Jaccard similarity of each pair, and whether one multiset contains the other.
    """
    similarity, is_nested = np.zeros(len(pairs)), np.zeros(len(pairs), np.bool_)
    for number in range(len(pairs)):
        left, left_end = offsets[pairs[number, 0]], offsets[pairs[number, 0] + 1]
        right, right_end = offsets[pairs[number, 1]], offsets[pairs[number, 1] + 1]
        smaller = min(left_end - left, right_end - right)
        total, shared = left_end - left + right_end - right, 0
        while left < left_end and right < right_end:
            if members[left] == members[right]:
                shared += 1
                left += 1
                right += 1
            elif members[left] < members[right]:
                left += 1
            else:
                right += 1
        similarity[number] = shared / max(1, total - shared)
        is_nested[number] = shared == smaller
    return similarity, is_nested


@kernel
def stars(pairs: Any, similarity: Any, limit: float, num_problems: int) -> tuple[Any, Any]:
    """Return for each problem the kept problem that it copies, or -1, and their similarity.

    The pairs must be sorted. Earlier problems are preferred, and only a pair with a kept problem
    removes the later one, so chains of similar problems are not merged.
    """
    kept_for, likeness = np.full(num_problems, -1, np.int64), np.zeros(num_problems)
    for number in range(len(pairs)):
        later, earlier = pairs[number]
        if similarity[number] >= limit and kept_for[later] < 0 and kept_for[earlier] < 0:
            kept_for[later], likeness[later] = earlier, similarity[number]
    return kept_for, likeness
