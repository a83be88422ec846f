"""Build the index of items: which items have an n-gram, stem or number, and how rare it is.

The index consists of named tuples of arrays, which kernels can read by name.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.kernels import borrowing, kernel
from mathledger.core.strings import text_bytes
from mathledger.filters.overlap_drawings import MAX_PARTS, drawing_parts
from mathledger.filters.overlap_features import ngrams, place_in
from mathledger.filters.overlap_units import Units, cut, empty, quantities, read_units, words
from mathledger.filters.overlap_words import Lexicon, lexicon
from mathledger.text import lexer, names, state
from mathledger.text.tokens import HASH
from mathledger.text.wrappers import find_wrapper

MIN_NUMBERS = 2  # An item with fewer numbers cannot be recognised in other words.
# An item with fewer units and no drawing, such as "Find x.", could be a part of any problem.
MIN_UNITS = 2
MIN_TOKENS_IN_SOLUTION = 10  # Shorter items occur in many solutions by chance.
NUM_BITS = 1 << 22  # Size of a bitmap: 512 KiB.
NUM_COUNTERS = 1 << 20  # Counters for the stems and numbers of the training sample.

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, config=STRICT)
class Thresholds:
    """Thresholds of the overlap classes, as shares from 0 to 1 of n-grams and stems."""

    ngram_size: int = Field(
        description="Number of canonical tokens in an n-gram; a shorter item is one n-gram."
    )
    contained: float = Field(
        description="Share of an item's n-grams, weighted by rarity, that a solution must contain.",
    )
    rephrase: float = Field(
        description=(
            "Smallest mean overlap of words of a rephrase; rare numbers that agree lower it."
        ),
    )
    variant: float = Field(
        description=(
            "Smallest overlap of n-grams or words at which a problem is compared with an item, and "
            "smallest share of a variant or sibling in passages that agree apart from numbers."
        ),
    )


class Limits(NamedTuple):
    """The thresholds in a form that kernels can read."""

    contained: float
    rephrase: float
    variant: float


class Lists(NamedTuple):
    """A list of hashes for each item i: values[first[i] : first[i + 1]]."""

    values: Any
    first: I64


class Postings(NamedTuple):
    """The items that have values[i]: items[first[i] : first[i + 1]]."""

    values: U64  # Sorted and distinct.
    first: I64
    items: I32


class Hashes(NamedTuple):
    """A set of hashes, with a bitmap that quickly excludes most other hashes."""

    values: U64  # Sorted and distinct.
    bitmap: U64


class Index(NamedTuple):
    """The index of all items, numbered in the order given; weights (rarity) are in nats."""

    sizes: I64  # Sizes of the n-grams: ngram_size and the lengths of shorter items.
    limits: Limits
    lexicon: Lexicon
    tokens: Lists  # The canonical tokens of each item, in the order of its text.
    drawings: U64  # Hash of each item's drawings, 0 if there are none.
    drawing_parts: Lists  # Sorted hashes of the words and numbers in each item's drawings.
    forms: U64  # names.Form of each item, shape (items, 2).
    with_form: Postings  # Items by their problem up to names.
    units: Units  # Units of all items; those of item i are unit_first[i] : unit_first[i + 1].
    unit_first: I64
    stems: Lists  # Positions in the values of with_stem.
    numbers: Lists  # Sorted, with repeats.
    with_gram: Postings
    with_stem: Postings
    with_rare_number: Postings  # Items with at least MIN_NUMBERS, under their two rarest.
    grams: Hashes
    decisive_grams: Hashes  # A solution without any of them contains no whole item.
    gram_weight: F64  # Weight of each n-gram.
    gram_total: F64  # Weight of all n-grams of each item.
    stem_total: F64
    number_total: F64
    counted: F64  # Weights of stems and numbers by the low bits of their hash.


@borrowing
def may_hold(bitmap: Any, value: Any) -> Any:
    place = value & np.uint64(NUM_BITS - 1)
    return (bitmap[np.int64(place >> np.uint64(6))] >> (place & np.uint64(63))) & np.uint64(1)


@borrowing
def weight(counted: Any, value: Any) -> Any:
    """Return the weight of a stem or number."""
    return counted[np.int64(value & np.uint64(NUM_COUNTERS - 1))]


def build(items: pa.Array, sample: pa.Array, thresholds: Thresholds) -> Index:
    """Build the index of these items; a value's rarity is counted in the training sample."""
    data, offsets = text_bytes(items)
    memory = state.scratch(state.longest(offsets))
    tables = lexer.tables()
    units, unit_first, drawings, parts, forms = _units(data, offsets, tables, memory, lexicon())
    features = zip(
        *_features(data, offsets, tables, memory, units, unit_first, thresholds.ngram_size),
        strict=True,
    )
    tokens, grams, item_stems, item_numbers = (
        Lists(values[: first[-1]], first) for values, first in features
    )
    lengths = np.diff(tokens.first)
    has_tokens = lengths[lengths > 0] if lengths.any() else [thresholds.ngram_size]
    sizes = np.unique(np.minimum(thresholds.ngram_size, has_tokens))  # a kernel reads the last one
    with_gram = postings_of(_owners(grams), grams.values)
    with_stem = postings_of(_owners(item_stems), item_stems.values)

    data, offsets = text_bytes(sample)
    memory = state.scratch(state.longest(offsets))
    num_holders, counters = _count(
        data, offsets, tables, memory, sizes, with_gram.values, lexicon()
    )
    gram_weight = np.log((len(sample) + 2) / (num_holders + 1))
    counted = np.log((len(sample) + 2) / (np.minimum(counters, len(sample)) + 1))
    stem_weight = counted[_counter(with_stem.values)]
    number_weight = counted[_counter(item_numbers.values)]
    number_total = np.zeros(len(items))
    np.add.at(number_total, _owners(item_numbers), number_weight)

    is_long = lengths >= MIN_TOKENS_IN_SOLUTION
    holders, rarest = rarest_of(with_gram, gram_weight, 1 - thresholds.contained)
    return Index(
        sizes=sizes.astype(np.int64),
        limits=Limits(thresholds.contained, thresholds.rephrase, thresholds.variant),
        lexicon=lexicon(),
        tokens=tokens,
        drawings=drawings,
        drawing_parts=Lists(*parts),
        forms=forms,
        with_form=postings_of(np.arange(len(items)), forms[:, 0]),
        units=units,
        unit_first=unit_first,
        stems=Lists(np.searchsorted(with_stem.values, item_stems.values), item_stems.first),
        numbers=item_numbers,
        with_gram=with_gram,
        with_stem=with_stem,
        with_rare_number=_with_rare_number(item_numbers, number_weight),
        grams=hash_set(with_gram.values),
        decisive_grams=hash_set(np.unique(rarest[is_long[holders]])),
        gram_weight=gram_weight,
        gram_total=totals_of(with_gram, gram_weight, len(items)),
        stem_total=totals_of(with_stem, stem_weight, len(items)),
        number_total=number_total,
        counted=counted,
    )


def too_short(index: Index) -> I64:
    """Return the numbers of the items that are too short to be distinctive, so never matched."""
    is_short = (np.diff(index.unit_first) < MIN_UNITS) & (index.drawings == 0)
    return np.flatnonzero(is_short)


@kernel
def _features(
    data: Any, offsets: Any, tables: Any, scratch: Any, units: Any, unit_first: Any, ngram_size: int
) -> Any:
    """Return the tokens, n-grams, words and numbers of every item.

    Returns:
        Four arrays of values, which may have unused space at the end, and their offsets, shape
        (4, items + 1).
    """
    num_items = len(offsets) - 1
    values = [np.empty(1024, np.uint64) for _ in range(4)]
    first = np.zeros((4, num_items + 1), np.int64)
    work = np.empty(2 * len(scratch[0]), np.uint64)
    for item in range(num_items):
        count, _ = lexer.lex(data, offsets[item], offsets[item + 1], tables, scratch)
        before_wrapper = find_wrapper(scratch.tokens, count, scratch.spellings).start
        tok, own = scratch[0], cut(units, unit_first[item], unit_first[item + 1])
        for kind in range(4):
            size = count
            if kind == 0:
                for at in range(count):
                    work[at] = np.uint64(tok[at, HASH])
            elif kind == 1:
                size = ngrams(tok, before_wrapper, min(ngram_size, before_wrapper), work)
            elif kind == 2:
                size = words(own, work)
            else:
                size = quantities(own, work)
            start, end = first[kind, item], first[kind, item] + size
            while end > len(values[kind]):
                values[kind] = np.concatenate((values[kind], np.empty_like(values[kind])))
            values[kind][start:end] = work[:size]
            first[kind, item + 1] = end
    return values, first


@kernel
def _units(data: Any, offsets: Any, tables: Any, scratch: Any, lexicon: Any) -> Any:
    """Return the units of all items and their offsets, and the drawings and the form of each.

    Drawings are a hash of them all, and the sorted hashes of their parts with their offsets.
    """
    num_items = len(offsets) - 1
    first, drawings = np.zeros(num_items + 1, np.int64), np.zeros(num_items, np.uint64)
    forms, hashes = np.empty((num_items, 2), np.uint64), np.empty(len(scratch.tokens), np.uint64)
    own = empty(2 * len(scratch.tokens))
    values, kinds, begins, asks, letters = empty(1024)
    parts, part_first = np.empty(1024, np.uint64), np.zeros(num_items + 1, np.int64)
    own_parts = np.empty(MAX_PARTS, np.uint64)
    for item in range(num_items):
        raw = data[offsets[item] : offsets[item + 1]]
        count, drawings[item] = lexer.lex(data, offsets[item], offsets[item + 1], tables, scratch)
        wrapper, keys = names.form(scratch.tokens, count, scratch.spellings, hashes)
        forms[item, 0], forms[item, 1] = keys
        size = read_units(scratch.tokens, count, scratch.spellings, raw, wrapper, lexicon, own)
        start, end = first[item], first[item] + size
        while end > len(values):
            values = np.concatenate((values, np.empty_like(values)))
            kinds = np.concatenate((kinds, np.empty_like(kinds)))
            begins = np.concatenate((begins, np.empty_like(begins)))
            asks = np.concatenate((asks, np.empty_like(asks)))
            letters = np.concatenate((letters, np.empty_like(letters)))
        values[start:end], kinds[start:end] = own.values[:size], own.kinds[:size]
        begins[start:end], asks[start:end] = own.begins[:size], own.asks[:size]
        letters[start:end] = own.letters[:size]
        first[item + 1] = end
        size = drawing_parts(scratch, own_parts)
        start, end = part_first[item], part_first[item] + size
        while end > len(parts):
            parts = np.concatenate((parts, np.empty_like(parts)))
        parts[start:end] = own_parts[:size]
        part_first[item + 1] = end
    return Units(values, kinds, begins, asks, letters), first, drawings, (parts, part_first), forms


@kernel
def _count(
    data: Any, offsets: Any, tables: Any, scratch: Any, sizes: Any, grams: Any, lexicon: Any
) -> Any:
    """Count the texts that have each n-gram and, in hashed counters, each word or number."""
    holders, stamp = np.zeros(len(grams), np.int64), np.full(len(grams), -1, np.int64)
    counters = np.zeros(NUM_COUNTERS, np.int64)
    room = 2 * len(scratch[0])
    work, own = np.empty(room, np.uint64), empty(room)
    for row in range(len(offsets) - 1):
        raw = data[offsets[row] : offsets[row + 1]]
        count, _ = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        tok = scratch[0]
        for size in sizes:
            for at in range(ngrams(tok, count, size, work)):
                gram = place_in(grams, work[at])
                if gram >= 0 and stamp[gram] != row:
                    stamp[gram] = row
                    holders[gram] += 1
        wrapper = find_wrapper(tok, count, scratch.spellings)
        size = read_units(tok, count, scratch.spellings, raw, wrapper, lexicon, own)
        units = cut(own, 0, size)
        for at in range(words(units, work)):
            counters[np.int64(work[at] & np.uint64(NUM_COUNTERS - 1))] += 1
        for at in range(quantities(units, work)):
            if at == 0 or work[at] != work[at - 1]:
                counters[np.int64(work[at] & np.uint64(NUM_COUNTERS - 1))] += 1
    return holders, counters


def _counter(values: U64) -> I64:
    return (values & np.uint64(NUM_COUNTERS - 1)).astype(np.int64)


def _owners(lists: Lists) -> I64:
    """Return the item of each value."""
    return np.repeat(np.arange(len(lists.first) - 1), np.diff(lists.first))


def postings_of(owners: I64, values: U64) -> Postings:
    """Return the items that have each value; the item of `values[i]` is `owners[i]`."""
    order = np.lexsort((owners, values))
    held, holders = values[order], owners[order].astype(np.int32)
    is_new = np.append(True, (held[1:] != held[:-1]) | (holders[1:] != holders[:-1]))[: len(held)]
    held, holders = held[is_new], holders[is_new]
    table, first = np.unique(held, return_index=True)
    return Postings(table, np.append(first, len(held)).astype(np.int64), holders)


def totals_of(postings: Postings, weights: F64, num_items: int) -> F64:
    """Return the weight of all values of each item."""
    total = np.zeros(num_items)
    np.add.at(total, postings.items, np.repeat(weights, np.diff(postings.first)))
    return np.maximum(total, 1e-9)


def rarest_of(postings: Postings, weights: F64, share: float) -> tuple[I32, U64]:
    """Return each item's rarest values that together weigh more than a share of its total.

    Returns:
        The items and the values, one entry for each pair.
    """
    sizes = np.diff(postings.first)
    values, weight = np.repeat(postings.values, sizes), np.repeat(weights, sizes)
    order = np.lexsort((values, -weight, postings.items))
    values, weight, items = values[order], weight[order], postings.items[order]
    begins = np.flatnonzero(np.diff(items, prepend=-1))
    sizes = np.diff(begins, append=len(items))
    before = np.cumsum(weight) - weight
    before -= np.repeat(before[begins], sizes)
    needed = before <= share * np.repeat(np.add.reduceat(weight, begins), sizes) * (1 + 1e-6)
    return items[needed], values[needed]


def _with_rare_number(item_numbers: Lists, weights: F64) -> Postings:
    """Return the items with at least MIN_NUMBERS numbers, each under its two rarest places."""
    owners = _owners(item_numbers)
    order = np.lexsort((item_numbers.values, -weights, owners))
    sizes = np.diff(item_numbers.first)
    first = item_numbers.first[:-1][sizes >= MIN_NUMBERS]
    rarest = order[np.concatenate([first, first + 1])]
    return postings_of(owners[rarest], item_numbers.values[rarest])


def hash_set(values: U64) -> Hashes:
    """Return sorted hashes with their bitmap."""
    bitmap = np.zeros(NUM_BITS // 64, np.uint64)
    places = values & np.uint64(NUM_BITS - 1)
    np.bitwise_or.at(
        bitmap, (places >> np.uint64(6)).astype(np.int64), np.uint64(1) << (places & np.uint64(63))
    )
    return Hashes(values, bitmap)
