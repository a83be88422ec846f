"""Compare training texts with benchmark items, and classify the pairs.

A text is compared with every item with which it shares something rare (overlap_candidates.py). The
comparison aligns the units of both, that is content words, numbers, signs and variables in their
order (overlap_align.py), and accounts for every unit that is left (overlap_account.py). `class_of`
assigns the first class that fits:

- same       The canonical tokens are equal, and so are the drawings.
- contained  The text has all units of the item in their order, apart from moved passages, and
             nothing that could change the problem.
- rephrase   Numbers, signs and variables agree, no word is replaced by an opposite, and the words
             agree as far as the rarity of the numbers does not already identify the problem.
- variant    The sentences agree, but numbers or signs differ.
- sibling    The sentences agree, but the drawing, a deciding word or the question differs.

docs/filtering.md reports precision and recall on labelled pairs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.core.kernels import allocating, borrowing, kernel
from mathledger.core.strings import text_bytes
from mathledger.filters.overlap_account import account
from mathledger.filters.overlap_candidates import (
    MAX_EXTRA_NUMBERS,
    MAX_MISSING_NUMBERS,
    MIN_NUMBERS_TO_MISS,
    RARE,
    by_form,
    by_ngrams,
    by_numbers,
    by_stems,
    clear,
    may_hold_a_whole_item,
    read,
    workspace,
)
from mathledger.filters.overlap_drawings import says_the_same
from mathledger.filters.overlap_features import num_missing
from mathledger.filters.overlap_index import MIN_NUMBERS, MIN_TOKENS_IN_SOLUTION, MIN_UNITS, Index
from mathledger.filters.overlap_units import cut
from mathledger.text import lexer, state
from mathledger.text.tokens import HASH

# solutions.py decides "solution".
CLASSES = ("same", "contained", "rephrase", "solution", "variant", "sibling")
SAME, CONTAINED, REPHRASE, SOLUTION, VARIANT, SIBLING = range(6)
CONTAMINATION = CLASSES[: SOLUTION + 1]  # In these classes the row has the item or its solution.
NO_CLASS = -1
# What two forms have in common; ANOTHER_REQUEST is a - b for a + b in the answers' wrappers.
OTHER, RENAMED, ANOTHER_REQUEST = range(3)

# If a text and an item share few n-grams, their shared rare words (in less than a tenth of the
# training problems) must have at least this share of the weight of either text.
MIN_RARE = 0.05
NO_WORDS = 1.0  # A text whose words weigh at most this many nats consists of formulas.
MIN_WORDS = 0.15  # For "rephrase", the smallest share of words in either direction.
MAX_INFORMATION = 10.0  # Nats of the numbers that count for "rephrase".
WORDS_PER_NAT = 0.068  # Share of words that a nat of the numbers replaces.
# A longer text with numbers of this many nats, if reworded, may have one number or decisive word
# more or less.
SURE_NUMBERS, MAX_TEMPLATE_OF_SURE, MIN_UNITS_OF_SURE = 6.0, 0.4, 14
SHORT_UNITS, SHORT_INFORMATION = 12, 4.0  # The numbers of a smaller item replace no words.
# A text with fewer changes is not a rewording.
MIN_EDITS, UNITS_PER_EDIT = 2.5, 12
# A question for a new measure, such as a ratio, is another one if it shares at most this many
# units.
MAX_SHARED_WITH_MEASURE = 3
MAX_SHUFFLED, MIN_SHUFFLED = 0.5, 14
MIN_SHARED = 0.8  # For "variant", the smallest share of words in either direction.
MIN_SHARED_BY_SIBLING = 0.5


@dataclass(frozen=True)
class Matches:
    """The pairs of a text and an item that have a class, sorted by text and item."""

    rows: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    classes: npt.NDArray[np.int8]
    containment: npt.NDArray[np.float32]  # Share of the item's n-grams, weighted by rarity.
    item_in_text: npt.NDArray[np.float32]  # Weighted share of the item's words that the text has.
    text_in_item: npt.NDArray[np.float32]  # And vice versa, of the words in scope.


@borrowing
def class_of(
    is_equal: bool, same_drawing: bool, rest: Any, about: Any, limits: Any, is_solution: bool
) -> int:
    """Return the first class that fits a pair, or NO_CLASS; only this function decides it.

    Args:
        rest: The `Account` of the pair.
        about: The number of the item's units; the rarity of its numbers, in nats; the number of
            places at which the text differs from the item, at least; and the result of
            `_compare_forms`.
    """
    num_units, information, edits, form = about
    if is_equal:
        return SAME if same_drawing else SIBLING
    if form == RENAMED:
        return CONTAINED if same_drawing else SIBLING
    agrees = (
        same_drawing
        and form != ANOTHER_REQUEST
        and rest.signs == 0
        and rest.variables == 0
        and rest.conflicts == 0
    )
    if rest.exchanges and rest.num_missing == 0 and rest.num_extra == 0:
        # In a text that tells all in another order, words change places without a change of sense.
        agrees = agrees and rest.template < MAX_SHUFFLED and num_units >= MIN_SHUFFLED
    is_whole = rest.num_missing == 0 and rest.num_extra == 0 and rest.decisive == 0
    is_whole = is_whole and rest.unshared == 0
    question = rest.question
    is_asked = question.new == 0 and question.turned == 0
    is_asked = is_asked and (question.missing == 0 or question.extra == 0)
    if agrees and rest.numbers == 0 and is_whole and is_asked:
        return CONTAINED
    if is_solution:
        return NO_CLASS
    least_edits = max(MIN_EDITS, num_units / UNITS_PER_EDIT)
    is_reworded = rest.template < limits.variant or edits >= least_edits
    is_sure = rest.template < MAX_TEMPLATE_OF_SURE and information >= SURE_NUMBERS
    is_sure = is_sure and num_units >= MIN_UNITS_OF_SURE
    agrees = agrees and (rest.decisive == 0 or is_sure)
    is_other = question.turned > 0
    is_other |= question.shared == 0 and question.is_asked and question.new == 0
    is_other |= question.measures > 0 and question.shared <= MAX_SHARED_WITH_MEASURE
    agrees = agrees and not is_other
    if agrees and (rest.numbers == 0 or (rest.numbers == 1 and is_sure)) and is_reworded:
        words = (rest.item_share + rest.text_share) / 2
        least = limits.rephrase - WORDS_PER_NAT * min(MAX_INFORMATION, information)
        if num_units < SHORT_UNITS and information < SHORT_INFORMATION:
            least = limits.rephrase
        if words >= least and min(rest.item_share, rest.text_share) >= MIN_WORDS:
            return REPHRASE
    shared = min(rest.item_share, rest.text_share)
    if rest.template < limits.variant or shared < MIN_SHARED_BY_SIBLING:
        return NO_CLASS
    if rest.numbers == 0 and rest.signs == 0 and form != ANOTHER_REQUEST:
        # A text with numbers of its own tells another problem, which only asks the same.
        return SIBLING if rest.outside == 0 else NO_CLASS
    return VARIANT if shared >= MIN_SHARED else NO_CLASS


@borrowing
def is_near(containment: float, item_in_text: float, text_in_item: float, limits: Any) -> bool:
    """Return True if text and item share enough n-grams or words for a variant."""
    return max(containment, min(item_in_text, text_in_item)) >= float(limits.variant)


@borrowing
def is_reworded(
    item_in_text: float,
    text_in_item: float,
    num_numbers: int,
    num_in_text: int,
    number_total: float,
    limits: Any,
) -> bool:
    """Return True if the text has enough of the item's numbers and words for a rewording."""
    mean = (item_in_text + text_in_item) / 2
    information = min(MAX_INFORMATION, number_total)
    num_missing = MAX_MISSING_NUMBERS if num_numbers >= MIN_NUMBERS_TO_MISS else 0
    return bool(
        MIN_NUMBERS <= num_numbers <= num_in_text + num_missing
        and num_in_text <= num_numbers + MAX_EXTRA_NUMBERS
        and mean + WORDS_PER_NAT * information >= limits.rephrase
        and min(item_in_text, text_in_item) >= MIN_WORDS
    )


@borrowing
def _shared_stems(stems: Any, weight_here: Any) -> tuple[float, float]:
    """Return the weight of an item's words that the text has, and of the rare ones among them."""
    shared, rare = 0.0, 0.0
    for stem in stems:
        weight = weight_here[stem]
        shared += weight
        rare += weight if weight >= RARE else 0.0
    return shared, rare


@borrowing
def _is_equal(tokens: Any, values: Any, first: int) -> bool:
    """Return True if an item's tokens, which start at `first`, equal the text's."""
    for at in range(len(tokens)):  # noqa: SIM110  (numba compiles no generator)
        if np.uint64(tokens[at, HASH]) != values[first + at]:
            return False
    return True


@borrowing
def _compare_forms(text: Any, item: Any) -> int:
    """Compare problems up to names, and what their answers' wrappers request."""
    if text.answer != 0 and item[1] != 0 and text.answer != item[1]:
        return ANOTHER_REQUEST
    return RENAMED if text.problem == item[0] else OTHER


@allocating
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
    number_total = index.number_total
    all_units, unit_first, drawings = index.units, index.unit_first, index.drawings
    parts, part_first = index.drawing_parts
    gram_shared, weight_here, largest = work.gram_shared, work.weight_here, index.sizes[-1]
    tokens, total, num_in_text = text.tokens, text.total, len(text.numbers)
    candidates, is_candidate = work.candidates[:num_candidates], work.is_candidate
    pairs, measured, num_pairs = out
    candidates.sort()
    for item in candidates:
        is_candidate[item] = False
        num_units = unit_first[item + 1] - unit_first[item]
        if num_units < MIN_UNITS and drawings[item] == 0:
            continue
        length = token_first[item + 1] - token_first[item]
        containment = min(1.0, gram_shared[item] / gram_totals[item])
        if is_solution and (containment < limits.contained or length < MIN_TOKENS_IN_SOLUTION):
            continue
        stems = stem_values[stem_first[item] : stem_first[item + 1]]
        shared, rare = _shared_stems(stems, weight_here)
        most = max(total, stem_totals[item])
        form = OTHER if is_solution else _compare_forms(text.form, index.forms[item])
        is_apart = containment < limits.variant and form != RENAMED
        if is_apart and most > NO_WORDS and rare < MIN_RARE * most:
            continue
        item_in_text, text_in_item = min(1.0, shared / stem_totals[item]), min(1.0, shared / total)
        if most <= NO_WORDS:  # Both consist of formulas alone.
            item_in_text = text_in_item = 1.0
        num_numbers = number_first[item + 1] - number_first[item]
        equal = length == len(tokens) and _is_equal(tokens, token_values, token_first[item])
        near = is_near(containment, item_in_text, text_in_item, limits)
        reworded = is_reworded(
            item_in_text, text_in_item, num_numbers, num_in_text, number_total[item], limits
        )
        if (
            reworded and not near
        ):  # Most of these texts have other numbers, which is cheap to check.
            needed = number_values[number_first[item] : number_first[item + 1]]
            reworded = num_missing(needed, text.numbers) <= MAX_MISSING_NUMBERS
        if not (equal or near or reworded or form == RENAMED):
            continue
        units = cut(all_units, unit_first[item], unit_first[item + 1])
        rest = account(units, text.units, index.counted, index.lexicon, work.board)
        own_parts = parts[part_first[item] : part_first[item + 1]]
        same_drawing = says_the_same(drawings[item], text.drawing, units, own_parts, text.parts)
        if drawings[item] != 0 and text.drawing == 0 and rest.before > 0:
            same_drawing = False  # The text has other numbers in the place of the drawing.
        size = max(1, min(largest, length))  # an item that is a drawing alone has no tokens
        edits = (1 - containment) * (length - size + 1) / size
        about = num_units, number_total[item], edits, form
        kind = class_of(equal, same_drawing, rest, about, limits, is_solution)
        if kind == NO_CLASS:
            continue
        if num_pairs == len(pairs):
            pairs, measured = _twice(pairs), _twice(measured)
        pairs[num_pairs, 0], pairs[num_pairs, 1], pairs[num_pairs, 2] = row, item, kind
        measured[num_pairs, 0] = containment
        measured[num_pairs, 1] = rest.item_share
        measured[num_pairs, 2] = rest.text_share
        num_pairs += 1
    return pairs, measured, num_pairs


@allocating
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
    # A literal 0 would compile `classify` twice.
    out = np.empty((64, 3), np.int32), np.empty((64, 3), np.float32), np.int64(0)
    for row in range(len(offsets) - 1):
        count, drawing = lexer.lex(data, offsets[row], offsets[row + 1], tables, scratch)
        tok, num_stems = scratch.tokens, 0
        if solutions and not may_hold_a_whole_item(tok, count, index, work):
            continue
        num_touched, num_candidates = by_ngrams(tok, count, row, index, work)
        if num_candidates or not solutions:
            raw = data[offsets[row] : offsets[row + 1]]
            text = read(scratch, count, raw, drawing, index, work)
            num_stems = len(text.stems)
            if not solutions:
                num_touched, num_candidates = by_stems(
                    text, num_touched, num_candidates, index, work
                )
                num_candidates = by_numbers(text, num_candidates, index, work)
                num_candidates = by_form(text, num_candidates, index, work)
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
    pairs, measures = _match(data, offsets, lexer.tables(), memory, index, work, solutions)
    return Matches(*(np.ascontiguousarray(pairs[:, at]) for at in range(3)), *measures.T)
