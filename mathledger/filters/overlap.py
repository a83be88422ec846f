"""Measure what training texts share with benchmark items, and classify the pairs.

A text is compared with every item with which it shares something rare, by two measures:

- Containment is the share of the item's token n-grams that occur in the text, weighted by their
  rarity in the training data. n is ngram_size, or the length of a shorter item.
- Stem overlap is the weighted share of the item's word stems that occur in the text, in any order,
  and vice versa.

`class_of` assigns the first class that fits:

- same       The canonical tokens are equal.
- contained  Containment >= contained, the text has all numbers and operators of the item, and it
             has almost all of the item's words.
- rephrase   The numbers and operators are the same (one extra number is allowed), there are at
             least two numbers, and the mean stem overlap + 0.05 x the rarity of the numbers (at
             most 12 nats) >= rephrase.
- variant    Containment or stem overlap >= variant, but numbers, operators or words differ.

docs/filtering.md reports precision and recall of the thresholds on labelled pairs.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.core.kernels import kernel
from mathledger.core.strings import text_bytes
from mathledger.filters.overlap_candidates import (
    MAX_EXTRA_NUMBERS,
    RARE,
    by_ngrams,
    by_numbers,
    by_stems,
    clear,
    may_hold_a_whole_item,
    read,
    workspace,
)
from mathledger.filters.overlap_features import num_missing
from mathledger.filters.overlap_index import MIN_NUMBERS, MIN_TOKENS_IN_SOLUTION, Index
from mathledger.text import lexer, state
from mathledger.text.tokens import HASH

CLASSES = ("same", "contained", "rephrase", "solution", "variant")  # solutions.py decides solution.
SAME, CONTAINED, REPHRASE, SOLUTION, VARIANT = range(5)
NO_CLASS = -1

MIN_WORDS = 0.9  # For "contained", the weighted share of an item's stems that the text must have.
MIN_STEMS = 0.2  # For "rephrase", the smallest stem overlap in either direction.
# If a text and an item share few n-grams, their shared rare stems (in less than a tenth of the
# training problems) must have at least this share of the weight of either text.
MIN_RARE = 0.1
NUMBER_WEIGHT, MAX_NUMBER_INFORMATION = 0.05, 12.0


@dataclass(frozen=True)
class Matches:
    """The pairs of a text and an item that have a class, sorted by text and item."""

    rows: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    classes: npt.NDArray[np.int8]
    containment: npt.NDArray[np.float32]
    item_in_text: npt.NDArray[np.float32]  # This and the next are the stem overlap.
    text_in_item: npt.NDArray[np.float32]


class Measures(NamedTuple):
    """The measures of a pair of text and item."""

    is_equal: bool  # All tokens are equal.
    is_near: bool
    is_reworded: bool
    containment: float
    item_in_text: float  # Share of the item's stems that the text has.
    num_missing_numbers: int  # Numbers of the item that the text lacks.
    num_missing_signs: int  # Operators and macros of the item that the text lacks.
    num_extra_signs: int  # Operators and macros of the text that the item lacks.


@kernel
def class_of(measures: Any, limits: Any, is_solution: bool) -> int:
    """Return the first class that fits a pair, or NO_CLASS; only this function decides it.

    >>> from mathledger.filters.overlap_index import Limits
    >>> limits = Limits(contained=0.8, rephrase=0.7, variant=0.6)
    >>> rephrased = Measures(False, False, True, 0.1, 0.5, 0, 0, 0)
    >>> CLASSES[class_of(rephrased, limits, False)]
    'rephrase'
    >>> with_another_number = Measures(False, True, True, 0.7, 0.9, 1, 0, 0)
    >>> CLASSES[class_of(with_another_number, limits, False)]
    'variant'
    """
    if measures.is_equal:
        return SAME
    has_all = measures.num_missing_numbers == 0 and measures.num_missing_signs == 0
    is_whole = measures.containment >= limits.contained and measures.item_in_text >= MIN_WORDS
    if is_whole and has_all:
        return CONTAINED
    if is_solution:
        return NO_CLASS
    if measures.is_reworded and has_all and measures.num_extra_signs == 0:
        return REPHRASE
    return VARIANT if measures.is_near else NO_CLASS


@kernel
def is_near(containment: float, item_in_text: float, text_in_item: float, limits: Any) -> bool:
    """Return True if text and item share enough to be at least variants of each other."""
    return max(containment, min(item_in_text, text_in_item)) >= float(limits.variant)


@kernel
def is_reworded(
    item_in_text: float,
    text_in_item: float,
    num_numbers: int,
    num_in_text: int,
    number_total: float,
    limits: Any,
) -> bool:
    """Return True if the text has enough of the item's numbers and stems to be a rewording of it.

    The rarer the item's numbers are (number_total, in nats), the fewer shared words it takes.
    """
    mean = (item_in_text + text_in_item) / 2
    information = min(MAX_NUMBER_INFORMATION, number_total)
    return bool(
        MIN_NUMBERS <= num_numbers <= num_in_text <= num_numbers + MAX_EXTRA_NUMBERS
        and mean + NUMBER_WEIGHT * information >= limits.rephrase
        and min(item_in_text, text_in_item) >= MIN_STEMS
    )


@kernel
def _shared_stems(stems: Any, weight_here: Any) -> tuple[float, float]:
    """Return the weight of an item's stems that the text has, and of the rare ones among them."""
    shared, rare = 0.0, 0.0
    for stem in stems:
        weight = weight_here[stem]
        shared += weight
        rare += weight if weight >= RARE else 0.0
    return shared, rare


@kernel
def _is_equal(tokens: Any, values: Any, first: int) -> bool:
    """Return True if an item's tokens, which start at `first`, equal the text's."""
    for at in range(len(tokens)):  # noqa: SIM110  (numba compiles no generator)
        if np.uint64(tokens[at, HASH]) != values[first + at]:
            return False
    return True


@kernel
def classify(
    row: int, text: Any, num_candidates: int, index: Any, work: Any, is_solution: bool, out: Any
) -> Any:
    """Append the classes and measures of the text's pairs with its candidates to out.

    `out` holds the pairs, their measures and their number; full arrays are enlarged.
    """
    # We unpack the tuples once because each access in the loop would count a new reference.
    limits, stem_totals, gram_totals = index.limits, index.stem_total, index.gram_total
    token_values, token_first = index.tokens
    stem_values, stem_first = index.stems
    number_values, number_first = index.numbers
    sign_values, sign_first = index.signs
    number_total, gram_shared, weight_here = index.number_total, work.gram_shared, work.weight_here
    tokens, total, own_numbers, own_signs = text.tokens, text.total, text.numbers, text.signs
    candidates, is_candidate = work.candidates[:num_candidates], work.is_candidate
    pairs, measured, num_pairs = out
    candidates.sort()
    for item in candidates:
        is_candidate[item] = False
        length = token_first[item + 1] - token_first[item]
        containment = min(1.0, gram_shared[item] / gram_totals[item])
        if is_solution and (containment < limits.contained or length < MIN_TOKENS_IN_SOLUTION):
            continue
        stems = stem_values[stem_first[item] : stem_first[item + 1]]
        shared, rare = _shared_stems(stems, weight_here)
        if containment < limits.variant and rare < MIN_RARE * max(total, stem_totals[item]):
            continue
        item_in_text, text_in_item = min(1.0, shared / stem_totals[item]), min(1.0, shared / total)
        num_numbers = number_first[item + 1] - number_first[item]
        equal = length == len(tokens) and _is_equal(tokens, token_values, token_first[item])
        near = is_near(containment, item_in_text, text_in_item, limits)
        reworded = is_reworded(
            item_in_text, text_in_item, num_numbers, len(own_numbers), number_total[item], limits
        )
        if not (equal or near or reworded):
            continue
        numbers = number_values[number_first[item] : number_first[item + 1]]
        signs = sign_values[sign_first[item] : sign_first[item + 1]]
        measures = Measures(
            equal,
            near,
            reworded,
            containment,
            item_in_text,
            num_missing(numbers, own_numbers),
            num_missing(signs, own_signs),
            num_missing(own_signs, signs),
        )
        kind = class_of(measures, limits, is_solution)
        if kind == NO_CLASS:
            continue
        if num_pairs == len(pairs):
            pairs, measured = _twice(pairs), _twice(measured)
        pairs[num_pairs, 0], pairs[num_pairs, 1], pairs[num_pairs, 2] = row, item, kind
        measured[num_pairs, 0] = containment
        measured[num_pairs, 1] = item_in_text
        measured[num_pairs, 2] = text_in_item
        num_pairs += 1
    return pairs, measured, num_pairs


@kernel
def _twice(rows: Any) -> Any:
    """Return the rows in an array with twice the space."""
    larger = np.empty((2 * len(rows), rows.shape[1]), rows.dtype)
    larger[: len(rows)] = rows
    return larger


@kernel
def _match(
    data: Any, offsets: Any, tables: Any, scratch: Any, index: Any, work: Any, solutions: bool
) -> Any:
    """Return arrays (pairs, 3) of row, item and class, and (pairs, 3) of the measures."""
    out = np.empty((64, 3), np.int32), np.empty((64, 3), np.float32), 0
    for row in range(len(offsets) - 1):
        count, _ = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        tok, spell, num_stems = scratch[0], scratch[1], 0
        if solutions and not may_hold_a_whole_item(tok, count, index, work):
            continue
        num_touched, num_candidates = by_ngrams(tok, count, row, index, work)
        if num_candidates or not solutions:
            text = read(tok, count, spell, index, work)
            num_stems = len(text.stems)
            if not solutions:
                num_touched, num_candidates = by_stems(
                    text, num_touched, num_candidates, index, work
                )
                num_candidates = by_numbers(text, num_candidates, index, work)
            out = classify(row, text, num_candidates, index, work, solutions, out)
        clear(num_touched, num_stems, work)
    pairs, measured, num_pairs = out
    return pairs[:num_pairs], measured[:num_pairs]


def match(texts: pa.Array, index: Index, *, solutions: bool = False) -> Matches:
    """Return every pair of a text and an item that has a class.

    Args:
        solutions: Whether the texts are solutions, in which only whole contained items count.
    """
    data, offsets = text_bytes(texts)
    memory = state.scratch(state.longest(offsets))
    work = workspace(index, len(memory[0]))
    pairs, measures = _match(data, offsets, state.tables(), memory, index, work, solutions)
    return Matches(*(np.ascontiguousarray(pairs[:, at]) for at in range(3)), *measures.T)
