"""Select the items that can reach any class with a text, so that few pairs are compared.

A contained item lacks at most 1 - contained of its weight, so the text must have one of its rarest
n-grams that together weigh more than that (the prefix filter of Chaudhuri et al., ICDE 2006). The
same holds for stems and the threshold of variants. The text of a rephrased item has the item's
rarest number.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import allocating, borrowing
from mathledger.filters.overlap_align import Board, board
from mathledger.filters.overlap_drawings import MAX_PARTS, drawing_parts
from mathledger.filters.overlap_features import ngrams, num_missing, place_in
from mathledger.filters.overlap_index import Index, may_hold, weight
from mathledger.filters.overlap_units import Units, cut, empty, quantities, read_units, words
from mathledger.text import names
from mathledger.text.names import Form

RARE = math.log(10)  # The weight of a stem that a tenth of the training problems have.
MAX_EXTRA_NUMBERS = 1  # A rephrase may have this many numbers that the item lacks.
# It may lack this many of an item with at least that many numbers.
MAX_MISSING_NUMBERS, MIN_NUMBERS_TO_MISS = 1, 4
_SLACK = 1e-9  # Sums of the same weights in different orders differ in their last bits.

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class Text(NamedTuple):
    """The features of one text, as views of a thread's work arrays."""

    tokens: Any
    stems: U64  # Sorted and distinct.
    stem_weight: F64
    total: float  # Weight of all stems.
    numbers: U64  # Sorted, with repeats.
    units: Units
    drawing: np.uint64  # Hash of the text's drawings, 0 if there are none.
    parts: U64  # Sorted hashes of the words and numbers in them.
    form: Form


class Work(NamedTuple):
    """The work arrays that a thread reuses for one text after the other."""

    ngrams: U64
    stems: U64
    numbers: U64
    stem_weight: F64
    stem_place: I64  # For each stem of the text, its position in the index, or -1.
    weight_here: F64  # For each stem of the index, its weight if the text has it, else 0.
    last_row: I64  # For each n-gram of the index, the last text that had it.
    gram_shared: F64  # For each item, the weight of its n-grams that the text has.
    stem_shared: F64
    touched: I64  # Items whose entries must be cleared before the next text.
    is_touched: Flags
    candidates: I64
    is_candidate: Flags
    units: Units  # Of the text.
    parts: U64
    board: Board


def workspace(index: Index, max_tokens: int) -> Work:
    """Allocate work arrays for texts of up to max_tokens tokens."""
    num_items, num_stems = len(index.gram_total), len(index.with_stem.values)
    return Work(
        ngrams=np.empty(max_tokens, np.uint64),
        stems=np.empty(2 * max_tokens, np.uint64),
        numbers=np.empty(2 * max_tokens, np.uint64),
        stem_weight=np.empty(2 * max_tokens),
        stem_place=np.empty(2 * max_tokens, np.int64),
        weight_here=np.zeros(num_stems),
        last_row=np.full(len(index.grams.values), -1, np.int64),
        gram_shared=np.zeros(num_items),
        stem_shared=np.zeros(num_items),
        touched=np.empty(num_items, np.int64),
        is_touched=np.zeros(num_items, np.bool_),
        candidates=np.empty(num_items, np.int64),
        is_candidate=np.zeros(num_items, np.bool_),
        units=empty(2 * max_tokens),
        parts=np.empty(MAX_PARTS, np.uint64),
        board=board(int(np.diff(index.unit_first).max(initial=0)), 2 * max_tokens),
    )


@borrowing
def may_hold_a_whole_item(tok: Any, count: int, index: Any, work: Any) -> bool:
    """Return True if a solution has one of the decisive n-grams."""
    values, bitmap = index.decisive_grams
    hashes = work.ngrams
    for size in index.sizes:
        for at in range(ngrams(tok, count, size, hashes)):
            if may_hold(bitmap, hashes[at]) and place_in(values, hashes[at]) >= 0:
                return True
    return False


@borrowing
def by_ngrams(tok: Any, count: int, row: int, index: Any, work: Any) -> tuple[int, int]:
    """Add up the weight of shared n-grams; items with enough weight become candidates.

    Returns:
        The number of touched items and the number of candidates.
    """
    values, bitmap = index.grams
    first, items = index.with_gram.first, index.with_gram.items
    gram_weight, gram_total = index.gram_weight, index.gram_total
    hashes, last_row, shared = work.ngrams, work.last_row, work.gram_shared
    touched, is_touched = work.touched, work.is_touched
    candidates, is_candidate = work.candidates, work.is_candidate
    num_touched = num_candidates = 0
    for size in index.sizes:
        for at in range(ngrams(tok, count, size, hashes)):
            if not may_hold(bitmap, hashes[at]):
                continue
            gram = place_in(values, hashes[at])
            if gram < 0 or last_row[gram] == row:
                continue
            last_row[gram] = row
            for posting in range(first[gram], first[gram + 1]):
                item = items[posting]
                shared[item] += gram_weight[gram]
                if not is_touched[item]:
                    is_touched[item] = True
                    touched[num_touched] = item
                    num_touched += 1
    least = min(index.limits.contained, index.limits.variant)
    for item in touched[:num_touched]:
        if shared[item] >= least * gram_total[item] * (1 - _SLACK):
            is_candidate[item] = True
            candidates[num_candidates] = item
            num_candidates += 1
    return num_touched, num_candidates


@allocating
def read(scratch: Any, count: int, raw: Any, drawing: Any, index: Any, work: Any) -> Any:
    """Return the Text of the tokens; this also fills weight_here and stem_place."""
    tok, spell = scratch.tokens, scratch.spellings
    wrapper, form = names.form(tok, count, spell, work.ngrams)
    size = read_units(tok, count, spell, raw, wrapper, index.lexicon, work.units)
    units = cut(work.units, 0, size)
    num_parts = drawing_parts(scratch, work.parts) if drawing != 0 else 0
    num_stems = words(units, work.stems)
    num_numbers = quantities(units, work.numbers)
    values, counted = index.with_stem.values, index.counted
    stem_weight, stem_place, weight_here = work.stem_weight, work.stem_place, work.weight_here
    own, total = work.stems, 1e-9
    for at in range(num_stems):
        stem_weight[at] = weight(counted, own[at])
        total += stem_weight[at]
        stem_place[at] = place_in(values, own[at])
        if stem_place[at] >= 0:
            weight_here[stem_place[at]] = stem_weight[at]
    return Text(
        tok[:count],
        work.stems[:num_stems],
        stem_weight[:num_stems],
        total,
        work.numbers[:num_numbers],
        units,
        drawing,
        work.parts[:num_parts],
        form,
    )


@allocating
def by_stems(
    text: Any, num_touched: int, num_candidates: int, index: Any, work: Any
) -> tuple[int, int]:
    """Add up the weight of shared stems, rarest first; items with enough weight become candidates.

    The loop stops once the remaining stems alone cannot make a variant of a new item. Every item is
    then credited with the weight of the remaining stems.

    Returns:
        The number of touched items and the number of candidates.
    """
    first, items, stem_total = index.with_stem.first, index.with_stem.items, index.stem_total
    shared, touched, is_touched = work.stem_shared, work.touched, work.is_touched
    candidates, is_candidate = work.candidates, work.is_candidate
    weights, stem_place, total = text.stem_weight, work.stem_place, text.total
    left, limit = total, index.limits.variant
    for at in np.argsort(-weights):
        own = weights[at]
        if own < RARE or left < limit * total * (1 - _SLACK):
            break
        left -= own
        stem = stem_place[at]
        if stem < 0:
            continue
        for posting in range(first[stem], first[stem + 1]):
            item = items[posting]
            shared[item] += own
            if not is_touched[item]:
                is_touched[item] = True
                touched[num_touched] = item
                num_touched += 1
    for item in touched[:num_touched]:
        most = (shared[item] + left) * (1 + _SLACK)
        if not is_candidate[item] and most >= limit * max(total, stem_total[item]):
            is_candidate[item] = True
            candidates[num_candidates] = item
            num_candidates += 1
    return num_touched, num_candidates


@borrowing
def by_numbers(text: Any, num_candidates: int, index: Any, work: Any) -> int:
    """Add the items whose numbers the text has, with few missing and few extra.

    Returns:
        The number of candidates.
    """
    values, first, items = index.with_rare_number
    number_values, number_first = index.numbers
    own_numbers, candidates, is_candidate = text.numbers, work.candidates, work.is_candidate
    for at in range(len(own_numbers)):
        if at > 0 and own_numbers[at] == own_numbers[at - 1]:
            continue
        place = place_in(values, own_numbers[at])
        if place < 0:
            continue
        for posting in range(first[place], first[place + 1]):
            item = items[posting]
            needed = number_values[number_first[item] : number_first[item + 1]]
            may_miss = MAX_MISSING_NUMBERS if len(needed) >= MIN_NUMBERS_TO_MISS else 0
            if (
                not is_candidate[item]
                and len(needed) - may_miss <= len(own_numbers) <= len(needed) + MAX_EXTRA_NUMBERS
                and num_missing(needed, own_numbers) <= may_miss
            ):
                is_candidate[item] = True
                candidates[num_candidates] = item
                num_candidates += 1
    return num_candidates


@borrowing
def by_form(text: Any, num_candidates: int, index: Any, work: Any) -> int:
    """Add the items with the text's problem up to names, and return the number of candidates."""
    values, first, items = index.with_form
    place = place_in(values, text.form.problem)
    if place >= 0:
        for posting in range(first[place], first[place + 1]):
            if not work.is_candidate[items[posting]]:
                work.is_candidate[items[posting]] = True
                work.candidates[num_candidates] = items[posting]
                num_candidates += 1
    return num_candidates


@borrowing
def clear(num_touched: int, num_stems: int, work: Any) -> None:
    """Reset the work arrays for the next text."""
    gram_shared, stem_shared, is_touched = work.gram_shared, work.stem_shared, work.is_touched
    weight_here = work.weight_here
    for item in work.touched[:num_touched]:
        gram_shared[item], stem_shared[item], is_touched[item] = 0.0, 0.0, False
    for place in work.stem_place[:num_stems]:
        if place >= 0:
            weight_here[place] = 0.0
