"""Account for every unit of a text and an item that the alignment leaves unmatched."""

from typing import Any, NamedTuple

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.filters.overlap_align import (
    RUN,
    align,
    drop_loose,
    has,
    match_moved,
    match_swapped,
    place_of,
)
from mathledger.filters.overlap_exchange import are_opposites, exchanges, joins, turns_angles
from mathledger.filters.overlap_features import place_in
from mathledger.filters.overlap_index import weight
from mathledger.filters.overlap_question import Question, compare
from mathledger.filters.overlap_respelled import match_joined, match_slips
from mathledger.filters.overlap_units import (
    FIXED,
    LOOSE,
    NAME,
    NOTED,
    NUMBER_ONE,
    QUANTITY,
    REMARK,
    SHARING,
    SMALL,
    TERM,
    VARIABLE,
)
from mathledger.filters.slips import KNOWN, pack
from mathledger.text.hashing import hash_bytes

_PERCENT = np.uint64(hash_bytes(b"%"))
MIN_NOTE = 4  # If two notes share so many units, one is the other one, changed.
_DISTINCT = pack(np.frombuffer(b"distinct", np.uint8), 0, 8)


class Account(NamedTuple):
    """What remains of a pair after the alignment."""

    item_share: float  # Weighted share of the item's words that the text has.
    text_share: float  # Weighted share of the text's words, in scope, that the item has.
    num_missing: int  # Words of the item that the text lacks.
    num_extra: int  # Words of the text, in scope, that the item lacks.
    numbers: int  # Numbers without an equal partner, on both sides.
    signs: int  # Signs and brackets without an equal partner, on both sides.
    variables: int  # Variables that differ by more than a renaming throughout.
    conflicts: int  # Opposite words, lost names, and an angle at another vertex.
    decisive: int  # Decisive words that one side lacks.
    template: float  # Smaller share of both sides' units in passages that agree, numbers masked.
    outside: int  # Numbers in the text's other sentences.
    before: int  # Of these, those in the sentences before the item's.
    question: Question
    unshared: int  # The word each after a number that only one side has.
    exchanges: bool  # Whether names, opposite words or factors have changed places.


@borrowing
def _in_passages(item: Any, partner: Any) -> int:
    """Count the item's units in runs of at least RUN units that the text repeats."""
    total = run = 0
    for i in range(len(item.values) + 1):
        is_matched = i < len(item.values) and partner[i] >= 0
        goes_on = is_matched and run > 0 and partner[i] == partner[i - 1] + 1
        if not goes_on:
            total += run if run >= RUN else 0
            run = 0
        run += is_matched
    return total


@borrowing
def _mark_scope(item: Any, text: Any, back: Any, lexicon: Any, scope: Any) -> None:
    """Mark the units of the text that the comparison has to account for.

    These are all units from the first to the last match and the rest of the sentences of both,
    without sentences that have no number, sign or variable and no word of the item.
    """
    size = len(text.values)
    first, last = 0, size - 1
    while first < size and back[first] < 0:
        first += 1
    while last >= 0 and back[last] < 0:
        last -= 1
    while first > 0 and first < size and not text.begins[first]:
        first -= 1
    while last + 1 < size and not text.begins[last + 1]:
        last += 1
    start = 0
    while start < size:
        end, is_bare = start, True
        while end < size and (end == start or not text.begins[end]):
            is_bare &= text.kinds[end] in (SMALL, REMARK, NOTED) or (
                text.kinds[end] <= NAME
                and (
                    not has(item, text.values[end])
                    or place_in(lexicon.decisive, text.values[end]) >= 0
                )
            )
            end += 1
        inside = start >= first and end - 1 <= last and not is_bare
        for at in range(start, end):
            scope[at] = inside
        start = end


@borrowing
def _meets_opposite(at: int, item: Any, text: Any, partner: Any, back: Any, lexicon: Any) -> bool:
    """Return True if the text has an opposite of the item's word in its place."""
    start, end = place_of(at, partner, len(text.values))
    for place in range(start, end):
        if back[place] < 0 and are_opposites(item.values[at], text.values[place], lexicon):
            return True
    return False


@borrowing
def _num_renamed(item: Any, text: Any, partner: Any, back: Any) -> int:
    """Count the variables whose partner differs, or return 0 if they are renamed throughout."""
    renamed, is_bijective = 0, True
    for i in range(len(item.values)):
        j = partner[i]
        if j < 0 or item.kinds[i] != VARIABLE:
            continue
        renamed += item.values[i] != text.values[j]
        if item.letters[i] == FIXED == text.letters[j]:
            is_bijective &= item.values[i] == text.values[j]
        for other in range(i):
            if partner[other] >= 0 and item.kinds[other] == VARIABLE:
                is_bijective &= (item.values[i] == item.values[other]) == (
                    text.values[j] == text.values[partner[other]]
                )
    return 0 if is_bijective else renamed


@borrowing
def account(item: Any, text: Any, counted: Any, lexicon: Any, work: Any) -> Any:
    """Align a text with an item and return what the alignment leaves."""
    align(item, text, counted, work)
    drop_loose(item, text, work)
    partner, back = work.partner[: len(item.values)], work.back[: len(text.values)]
    passages = _in_passages(item, partner)
    match_moved(item, text, work)
    match_slips(item, text, work)
    match_joined(item, text, work)
    match_swapped(item, text, work)
    scope = work.scope
    _mark_scope(item, text, back, lexicon, scope)
    left = _side(item, text, partner, back, scope, True, counted, lexicon)
    right = _side(text, item, back, partner, scope, False, counted, lexicon)
    missing, extra = left.words, right.words
    if right.words == 0:
        missing -= left.repeated
    if left.words == 0:
        extra -= right.repeated
    return Account(
        left.share,
        right.share,
        missing,
        extra,
        left.numbers + right.numbers + _num_noted(left, right) + _num_loose(left, right),
        left.signs + right.signs,
        left.variables + right.variables + _num_renamed(item, text, partner, back),
        left.conflicts + right.conflicts + turns_angles(item, text, partner),
        left.decisive + right.decisive,
        passages / max(1, left.num_units, right.num_units),
        right.outside,
        right.before,
        compare(item, text, partner, back, lexicon),
        left.unshared + right.unshared,
        exchanges(item, text, partner, lexicon),
    )


@borrowing
def _num_noted(left: Any, right: Any) -> int:
    """Count differences of notes, which may be missing but may not say "or a reflection" more."""
    if min(left.is_noted, right.is_noted) < MIN_NOTE:
        return int(min(left.noted, right.noted))
    return int(max(left.noted, right.noted))


@borrowing
def _num_loose(left: Any, right: Any) -> int:
    """Count what may be missing but meets something else that the other side has."""
    of_left = min(left.loose, right.loose + right.ones)
    return int(max(of_left, min(right.loose, left.loose + left.ones)))


@borrowing
def _decides(at: int, own: Any, lexicon: Any) -> bool:
    """Return True for a decisive word: distinct digits, but not different schools."""
    value = own.values[at]
    if value == lexicon.distinct and own.letters[at] & ~KNOWN != _DISTINCT:
        return False
    return place_in(lexicon.decisive, value) >= 0


@borrowing
def _is_bare_number(at: int, own: Any, other: Any, partner: Any) -> bool:
    """Return True if the other side has the number before a percent sign, and no such sign."""
    if at == 0 or own.kinds[at - 1] != QUANTITY or partner[at - 1] < 0:
        return False
    start = partner[at - 1]
    if other.values[start] != own.values[at - 1]:
        return False
    for place in range(start + 1, min(start + 4, len(other.values))):
        if other.values[place] == _PERCENT:
            return False
    return True


class Side(NamedTuple):
    """What one side has and the other lacks."""

    share: float  # Weighted share of words that the other side has.
    words: int
    repeated: int  # Of these words, those that the other side has elsewhere.
    numbers: int
    noted: int  # Units of notes.
    is_noted: int  # Units of notes that the other side has.
    loose: int  # Numbers and variables that may be missing, but may not differ.
    ones: int  # The word one.
    signs: int
    variables: int
    conflicts: int
    decisive: int
    num_units: int
    outside: int  # Numbers out of scope.
    before: int  # Of these, those before the scope.
    unshared: int  # The word each after a number that only one side has.


@borrowing
def _may_be_missing(at: int, own: Any, lexicon: Any) -> bool:
    """Return True for words that add nothing: *ordered* pairs (a, b), 300 *dollars*."""
    if own.values[at] == lexicon.dollar:
        return not own.asks[at] or (at > 0 and own.kinds[at - 1] == QUANTITY)
    return bool(own.values[at] == lexicon.ordered)


@borrowing
def _is_added(at: int, own: Any, other: Any, partner: Any, lexicon: Any) -> bool:
    """Return True for "3 times more" where the other side has "3 more" or "3 feet more"."""
    if at == 0 or at + 1 == len(own.values) or partner[at - 1] < 0:
        return False
    after, place = own.values[at + 1], partner[at - 1] + 1
    for near in range(place, min(place + 2, len(other.values))):
        if other.values[near] == lexicon.fold:
            return False
        if other.values[near] == after and partner[at + 1] == near:
            return bool(near > place or after in (lexicon.more, lexicon.less))
    return False


@borrowing
def _is_counted(at: int, own: Any) -> bool:
    """Return True for the first or second word after a number, as in "10 blue, spotted fish"."""
    if at == 0 or own.begins[at]:
        return False
    if own.kinds[at - 1] == QUANTITY or own.values[at - 1] == NUMBER_ONE:
        return True
    is_second = at > 1 and own.kinds[at - 1] == TERM and not own.begins[at - 1]
    return bool(is_second and own.kinds[at - 2] == QUANTITY)


@borrowing
def _counts(at: int, own: Any, partner: Any, lexicon: Any) -> bool:
    """Return True for a word that says what is counted or meant, which is no mere repetition.

    "4 pairs of pens" are not 4 pens, a third of the remaining pens is not a third of the pens, and
    soda with lunch and dinner is not soda with dinner.
    """
    if own.values[at] == lexicon.remaining or _is_counted(at, own):
        return True
    for place in (at - 1, at + 1):
        if 0 <= place < len(own.values) and partner[place] < 0 and joins(own.values[place]):
            return True
    return False


@borrowing
def _has_left(value: Any, units: Any, partner: Any) -> bool:
    """Return True if a unit without a partner has this value."""
    for at in range(len(units.values)):  # noqa: SIM110  (numba compiles no generator)
        if partner[at] < 0 and units.values[at] == value:
            return True
    return False


@borrowing
def _side(
    own: Any, other: Any, partner: Any, back: Any, scope: Any, is_item: bool, counted: Any,
    lexicon: Any,
) -> Any:  # fmt: skip
    """Account for the units of the item, or for those of the text in scope."""
    total, lost = 1e-9, 0.0
    words = repeated = numbers = noted = loose = ones = signs = variables = conflicts = decisive = 0
    is_noted = num_units = names = lost_names = outside = before = unshared = 0
    has_begun = False
    for at in range(len(own.values)):
        value, kind = own.values[at], own.kinds[at]
        is_equal = partner[at] >= 0 and (kind <= SMALL or other.values[partner[at]] == value)
        if kind == NOTED:  # A sentence of notes may be out of scope and yet differ.
            noted += not is_equal
            is_noted += is_equal
        if not (is_item or scope[at]):
            outside += kind == QUANTITY
            before += kind == QUANTITY and not has_begun
            continue
        has_begun = True
        if kind >= REMARK:
            num_units += is_equal
            ones += value == NUMBER_ONE and not is_equal
            if not is_equal and own.letters[at] == SHARING:
                unshared += not _has_left(value, other, back)
            elif not is_equal and value == lexicon.fold:
                conflicts += _is_added(at, own, other, partner, lexicon)
                conflicts += is_item and _meets_opposite(at, own, other, partner, back, lexicon)
            continue
        num_units += 1
        if partner[at] < 0 and _may_be_missing(at, own, lexicon):
            conflicts += is_item and _meets_opposite(at, own, other, partner, back, lexicon)
            continue
        if value == _PERCENT and kind == SMALL and partner[at] < 0:
            signs += _is_bare_number(at, own, other, partner)
        if partner[at] < 0 and kind in (QUANTITY, VARIABLE) and own.letters[at] == LOOSE:
            loose += 1
            continue
        if kind <= SMALL:
            weighs = 0.1 if kind == SMALL else max(0.5, min(6.0, weight(counted, value)))
            total += weighs
            is_elsewhere = is_equal or (kind != SMALL and has(other, value))
            if kind == NAME and is_item:
                names += 1
                lost_names += not is_elsewhere
            if is_equal:
                continue
            lost += weighs
            decisive += _decides(at, own, lexicon)
            if is_item:
                conflicts += _meets_opposite(at, own, other, partner, back, lexicon)
            if kind != SMALL:
                words += 1
                repeated += is_elsewhere and not _counts(at, own, partner, lexicon)
        elif kind == VARIABLE:
            variables += partner[at] < 0
        elif not is_equal:
            numbers += kind == QUANTITY
            signs += kind != QUANTITY
    conflicts += 2 * lost_names > names
    return Side(
        1 - lost / total,
        words,
        repeated,
        numbers,
        noted,
        is_noted,
        loose,
        ones,
        signs,
        variables,
        conflicts,
        decisive,
        num_units,
        outside,
        before,
        unshared,
    )
