"""What a training text shares with the benchmarks' items: the measures, and the classes.

A text is compared with every item that it shares anything rare with, by two measures:

- containment: of the item's token n-grams, weighted by how rare they are in training, the share
  that stands in the text. n is ngram_size, or the length of a shorter item.
- stem overlap: the same of word stems, in any order, both ways: the share of the item's stems in
  the text, and of the text's in the item.

The class is the first that fits; `class_of` decides it:

- same       equal canonical tokens
- contained  containment >= contained, no number or operator of the item is missing, and next to
             none of its words
- rephrase   the numbers and operators are the item's (one more number is allowed), there are two
             numbers at least, and mean stem overlap + 0.05 x how rare the numbers are (at most
             12 nats) >= rephrase
- variant    containment or stem overlap >= variant, with other numbers, operators or words

docs/filtering.md says what the thresholds give on labelled pairs.
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

CLASSES = ("same", "contained", "rephrase", "variant")
SAME, CONTAINED, REPHRASE, VARIANT = range(4)
NO_CLASS = -1

MIN_WORDS = 0.9  # of an item's stems, weighted: for the class contained
MIN_STEMS = 0.2  # either way: for the class rephrase
# Without many n-grams in common, stems which less than a tenth of the training problems have must
# weigh MIN_RARE of either text.
MIN_RARE = 0.1
NUMBER_WEIGHT, MAX_NUMBER_INFORMATION = 0.05, 12.0


@dataclass(frozen=True)
class Matches:
    """Pairs of a text and an item that have a class, one entry each, sorted by text, item."""

    rows: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    classes: npt.NDArray[np.int8]
    containment: npt.NDArray[np.float32]
    item_in_text: npt.NDArray[np.float32]  # stem overlap
    text_in_item: npt.NDArray[np.float32]


class Measures(NamedTuple):
    """What a text and an item have in common."""

    is_equal: bool  # token by token
    is_near: bool
    is_reworded: bool
    containment: float
    item_in_text: float  # share of the item's stems
    num_missing_numbers: int  # of the item's, in the text
    num_missing_signs: int
    num_extra_signs: int  # of the text's, in the item


@kernel
def class_of(measures: Any, limits: Any, is_solution: bool) -> int:
    """The first class that fits a pair, or NO_CLASS: the one place where it is decided.

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
    """Return True if text and item share enough to be variants of one another at least."""
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
    """Return True if the stems say that the item is put in other words, given its numbers.

    The rarer the item's numbers (number_total, in nats), the fewer of its words are needed.
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
    """The weight of an item's stems that the text has, and of the rare ones among them."""
    shared, rare = 0.0, 0.0
    for stem in stems:
        weight = weight_here[stem]
        shared += weight
        rare += weight if weight >= RARE else 0.0
    return shared, rare


@kernel
def _is_equal(tokens: Any, values: Any, first: int) -> bool:
    """Return True if an item's tokens, which begin at first, are the text's."""
    for at in range(len(tokens)):  # noqa: SIM110  (numba compiles no generator)
        if np.uint64(tokens[at, HASH]) != values[first + at]:
            return False
    return True


@kernel
def classify(
    row: int, text: Any, num_candidates: int, index: Any, work: Any, is_solution: bool, out: Any
) -> Any:
    """Append the class and the measures of the text's pairs with its candidates to out.

    out is pairs, measures, and how many there are; the arrays grow where they are full.
    """
    # Taken out of the tuples once: in the loop below each would be counted as a new reference.
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
    """The rows in an array with room for as many more."""
    larger = np.empty((2 * len(rows), rows.shape[1]), rows.dtype)
    larger[: len(rows)] = rows
    return larger


@kernel
def _match(
    data: Any, offsets: Any, tables: Any, scratch: Any, index: Any, work: Any, solutions: bool
) -> Any:
    """(pairs, 3) of row, item, class, and (pairs, 3) of the measures."""
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
    """Every pair of a text and an item with a class.

    solutions: the texts are solutions, in which only whole contained items count.
    """
    data, offsets = text_bytes(texts)
    memory = state.scratch(state.longest(offsets))
    work = workspace(index, len(memory[0]))
    pairs, measures = _match(data, offsets, state.tables(), memory, index, work, solutions)
    return Matches(*(np.ascontiguousarray(pairs[:, at]) for at in range(3)), *measures.T)
