"""Tell whether two words of an item have changed places in a text, which makes another problem.

The alignment matches a moved word wherever it stands, because "the red marbles" may be "the marbles
that are red". But the ratio of girls to boys is not that of boys to girls, sin x cos y is not
cos x sin y, and "Ann is older than Bob" does not say that Bob is older than Ann.
"""

from typing import Any

from mathledger.core.kernels import borrowing
from mathledger.filters.overlap_features import place_in
from mathledger.filters.overlap_units import BRACKET, NAME, SMALL, TERM
from mathledger.text.hashing import signed

_JOINING = signed(b"and", b"or").view("uint64")
_SQUARE = signed(b"[").view("uint64")[0]


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
def exchanges(item: Any, text: Any, partner: Any, lexicon: Any) -> bool:
    """Return True if two names, opposite words or matrices are in the other order in the text.

    At least one of the two has moved on its own, not as a part of a passage. "Ann and Bob" may
    become "Bob and Ann".
    """
    for i in range(len(partner)):
        if partner[i] < 0 or not _may_exchange(i, item, lexicon):
            continue
        for after in range(i + 1, len(partner)):
            if partner[after] < 0 or partner[after] > partner[i]:
                continue
            if _begins_matrix(item, i):
                if _begins_matrix(item, after):
                    return True
                continue
            if item.values[i] == item.values[after] or not _are_alike(i, after, item, lexicon):
                continue
            if not (_is_alone(i, partner) or _is_alone(after, partner)):
                continue
            if not (_are_joined(i, after, item) and _are_joined(partner[after], partner[i], text)):
                return True
    return False


@borrowing
def _may_exchange(at: int, units: Any, lexicon: Any) -> bool:
    if _is_name(at, units) or _begins_matrix(units, at):
        return True
    return bool(units.kinds[at] <= SMALL and place_in(lexicon.opposed, units.values[at]) >= 0)


@borrowing
def _is_name(at: int, units: Any) -> bool:
    """Return True for a name, also where its capital only begins a sentence."""
    if units.kinds[at] == NAME:
        return True
    if units.kinds[at] != TERM or not units.begins[at]:
        return False
    for place in range(len(units.values)):
        if units.kinds[place] == NAME and units.values[place] == units.values[at]:
            return True
    return False


@borrowing
def _are_alike(one: int, other: int, units: Any, lexicon: Any) -> bool:
    if _is_name(one, units) and _is_name(other, units):
        return True
    if units.kinds[one] > SMALL or units.kinds[other] > SMALL:
        return False
    return are_opposites(units.values[one], units.values[other], lexicon)


@borrowing
def _begins_matrix(units: Any, at: int) -> bool:
    if at + 1 >= len(units.values) or units.kinds[at] != BRACKET:
        return False
    return bool(units.values[at] == _SQUARE and units.values[at + 1] == _SQUARE)


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
    return bool(other == one + 2 and units.values[one + 1] in (_JOINING[0], _JOINING[1]))
