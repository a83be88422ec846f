"""Tell whether two words of an item have changed places in a text, which makes another problem.

The alignment matches a moved word wherever it stands, because "the red marbles" may be "the marbles
that are red". But the ratio of girls to boys is not that of boys to girls, sin x cos y is not
cos x sin y, "Ann is older than Bob" does not say that Bob is older than Ann, "12 cats chase 7 dogs"
is not "12 dogs chase 7 cats", and the angle ACD is not the angle CAD.
"""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.filters.overlap_align import begins_angle, begins_matrix
from mathledger.filters.overlap_features import place_in
from mathledger.filters.overlap_units import NAME, SMALL, TERM
from mathledger.filters.overlap_words import stem_of
from mathledger.text.hashing import signed
from mathledger.text.shapes import is_in

_JOINING = signed(b"and", b"or").view("uint64")
_BETWEEN = signed(b"and", b"or", b"all").view("uint64")  # What may stand between neighbours.
# Up to this many units before two words, one of these words makes their order count.
_ORDERED = np.array(
    [stem_of(word) for word in ("ratio", "difference", "quotient", "fold")],
    np.uint64,
)
_MAX_BEFORE = 3


@borrowing
def are_opposites(one: Any, other: Any, lexicon: Any) -> bool:
    left, right = place_in(lexicon.opposed, one), place_in(lexicon.opposed, other)
    if left < 0 or right < 0 or left == right:
        return False
    for own in lexicon.lines[left]:
        for line in lexicon.lines[right]:
            if own >= 0 and own == line:
                return True
    return False


@borrowing
def joins(value: Any) -> bool:
    """Return True for the words and and or."""
    return bool(value in (_JOINING[0], _JOINING[1]))


@borrowing
def exchanges(item: Any, text: Any, partner: Any, lexicon: Any) -> bool:
    """Return True if two words or matrices have changed places in the text.

    Two names or opposites are in the other order, or each of two other words stands where the other
    one was; and at least one of them has moved on its own, not as a part of a passage. "Ann and
    Bob" may become "Bob and Ann". Matrices do not commute at all.
    """
    for i in range(len(partner)):
        if partner[i] < 0 or not (item.kinds[i] <= SMALL or begins_matrix(item, i)):
            continue
        for after in range(i + 1, len(partner)):
            if partner[after] < 0 or partner[after] > partner[i]:
                continue
            if item.kinds[i] > SMALL:
                if begins_matrix(item, after):
                    return True
                continue
            if item.values[i] == item.values[after] or item.kinds[after] > SMALL:
                continue
            if not (_is_alone(i, partner) or _is_alone(after, partner)):
                continue
            if not _are_alike(i, after, item, text, lexicon) and not (
                _change_slots(i, after, partner) and _tells_order(i, after, item)
            ):
                continue
            if not (_are_joined(i, after, item) and _are_joined(partner[after], partner[i], text)):
                return True
    return False


@borrowing
def turns_angles(item: Any, text: Any, partner: Any) -> bool:
    """Return True if an angle of the item has another vertex in the text: CAD for ACD."""
    for i in range(len(item.values)):
        if not begins_angle(item, i):
            continue
        is_kept = is_turned = False
        for j in range(len(text.values)):
            if begins_angle(text, j) and _have_equal_names(item, i, text, j):
                is_equal = item.values[i + 2] == text.values[j + 2]
                if partner[i] == j and not is_equal:
                    return True
                is_kept |= is_equal
                is_turned |= not is_equal
        if is_turned and not is_kept:
            return True
    return False


@borrowing
def _have_equal_names(item: Any, i: int, text: Any, j: int) -> bool:
    for own in range(i + 1, i + 4):
        is_found = False
        for other in range(j + 1, j + 4):
            is_found |= item.values[own] == text.values[other]
        if not is_found:
            return False
    return True


@borrowing
def _is_name(at: int, units: Any, other: Any) -> bool:
    """Return True for a name, also where its capital only begins a sentence."""
    if units.kinds[at] == NAME:
        return True
    if units.kinds[at] != TERM or not units.begins[at]:
        return False
    return _has_name(units, units.values[at]) or _has_name(other, units.values[at])


@borrowing
def _has_name(units: Any, value: Any) -> bool:
    for place in range(len(units.values)):
        if units.kinds[place] == NAME and units.values[place] == value:
            return True
    return False


@borrowing
def _are_alike(one: int, other: int, units: Any, text: Any, lexicon: Any) -> bool:
    if _is_name(one, units, text) and _is_name(other, units, text):
        return True
    return are_opposites(units.values[one], units.values[other], lexicon)


@borrowing
def _change_slots(one: int, other: int, partner: Any) -> bool:
    """Return True if each of two units has the partner of the other one's neighbour beside it."""
    return _is_beside(one, partner[other], other, partner) and _is_beside(
        other, partner[one], one, partner
    )


@borrowing
def _is_beside(at: int, place: int, other: int, partner: Any) -> bool:
    """Return True if a neighbour of the unit at `at`, except `other`, is matched beside `place`."""
    if at > 0 and at - 1 != other and partner[at - 1] == place - 1:
        return True
    return bool(at + 1 < len(partner) and at + 1 != other and partner[at + 1] == place + 1)


@borrowing
def _tells_order(one: int, other: int, units: Any) -> bool:
    """Return False for neighbours, unless a ratio or "3 times as many" is before them.

    Neighbours are two words of a list, and a noun with its adjective: "alike bouquets" may become
    "bouquets that are all alike".
    """
    if units.kinds[one] == SMALL or units.kinds[other] == SMALL:
        return False
    for place in range(one + 1, other):
        if not is_in(units.values[place], _BETWEEN):
            return True
    for place in range(max(0, one - _MAX_BEFORE), one):
        if is_in(units.values[place], _ORDERED):
            return True
    return False


@borrowing
def _is_alone(at: int, partner: Any) -> bool:
    """Return True if no unit beside this one is matched beside its partner."""
    place = partner[at]
    if at > 0 and partner[at - 1] == place - 1:
        return False
    return bool(at + 1 == len(partner) or partner[at + 1] != place + 1)


@borrowing
def _are_joined(one: int, other: int, units: Any) -> bool:
    """Return True if only the word and, or the word or, is between two units."""
    return bool(other == one + 2 and joins(units.values[one + 1]))
