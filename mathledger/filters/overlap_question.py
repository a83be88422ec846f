"""Compare the question of a text with that of an item, given the alignment of their units.

A story with another question is another problem, so the item's own question must be in the text.
"""

from typing import Any, NamedTuple

from mathledger.core.kernels import borrowing
from mathledger.filters.overlap_features import place_in
from mathledger.filters.overlap_units import NAME, QUANTITY, SMALL


class Question(NamedTuple):
    """How far the text asks what the item asks; words are those with a meaning of their own."""

    shared: int  # Units of the text's question that are in the item's question.
    missing: int  # Words of the item's question without a partner in the text.
    extra: int  # Words of the text's question without a partner in the item.
    new: int  # Of these, those that the item has nowhere.
    elsewhere: int  # Words that only one question has, and the other text outside its question.
    measures: int  # New words such as ratio, which ask for another quantity.
    is_asked: bool  # Whether both texts have a question with words of its own.


@borrowing
def _last_question(units: Any, end: int) -> tuple[int, int]:
    """Return where the last question before `end` begins and ends; both are -1 without any."""
    stop = end
    while stop > 0 and not units.asks[stop - 1]:
        stop -= 1
    if stop == 0:
        return -1, -1
    start = stop - 1
    while start > 0 and units.asks[start - 1] and not units.begins[start]:
        start -= 1
    return start, stop


@borrowing
def _is_within(value: Any, units: Any, start: int, end: int) -> bool:
    for at in range(start, end):  # noqa: SIM110  (numba compiles no generator)
        if units.values[at] == value:
            return True
    return False


@borrowing
def compare(item: Any, text: Any, partner: Any, back: Any, lexicon: Any) -> Any:
    """Compare the item's last question with the question of the text that shares most with it."""
    first, end = _last_question(item, len(item.values))
    best, start, stop = -1, -1, -1
    at = len(text.values)
    while at > 0:
        low, high = _last_question(text, at)
        if low < 0:
            break
        shared = 0
        for place in range(low, high):
            shared += (
                text.kinds[place] != SMALL
                and text.values[place] != lexicon.each
                and (first <= back[place] < end or _is_within(text.values[place], item, first, end))
            )
        if shared > best:
            best, start, stop = shared, low, high
        at = low
    missing = extra = new = elsewhere = measures = 0
    has_words = other_has_words = False
    for place in range(max(0, first), max(0, end)):
        if item.kinds[place] <= NAME:
            has_words = True
            value = item.values[place]
            if partner[place] < 0:
                missing += 1
                elsewhere += _is_within(value, text, 0, len(text.values))
    for place in range(max(0, start), max(0, stop)):
        value = text.values[place]
        if text.kinds[place] == SMALL:
            is_known = _is_within(value, item, 0, len(item.values))
            measures += not is_known and place_in(lexicon.measures, value) >= 0
        elif text.kinds[place] < SMALL:
            other_has_words = True
            is_unit = value == lexicon.dollar and text.kinds[place - 1] == QUANTITY
            if back[place] < 0 and not (is_unit and place > 0):
                is_known = _is_within(value, item, 0, len(item.values))
                extra += 1
                new += not is_known
                elsewhere += is_known
                measures += not is_known and place_in(lexicon.measures, value) >= 0
    is_asked = has_words and other_has_words
    return Question(max(0, best), missing, extra, new, elsewhere, measures, is_asked)
