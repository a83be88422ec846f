"""Compare the question of a text with that of an item, given the alignment of their units.

A story with another question is another problem, so the item's own question must be in the text.
"""

from typing import Any, NamedTuple

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.filters.overlap_exchange import joins
from mathledger.filters.overlap_features import place_in
from mathledger.filters.overlap_units import NAME, QUANTITY, SMALL
from mathledger.filters.overlap_words import TOTAL, stem_of

_ALL = np.uint64(stem_of("all"))


class Question(NamedTuple):
    """How far the text asks what the item asks; words are those with a meaning of their own."""

    shared: int  # Units of the text's question that are in the item's question.
    missing: int  # Words of the item's question without a partner in the text.
    extra: int  # Words of the text's question without a partner in the item.
    new: int  # Of these, those that the item has nowhere.
    elsewhere: int  # Words that only one question has, and the other text outside its question.
    turned: int  # Words with another one in their place: boys for girls, all for each, area.
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
def _is_turned(value: Any, item: Any, text: Any, asked: Any, other_asked: Any) -> bool:
    """Return True if the item asks for this word, and the text for the other one of a pair.

    The words are a pair if the item has "value and other"; each question has only its own.
    """
    first, end = asked
    start, stop = other_asked
    if _is_within(value, text, start, stop):
        return False
    for place in range(start, stop):
        other = text.values[place]
        if text.kinds[place] > NAME or _is_within(other, item, first, end):
            continue
        for at in range(len(item.values) - 2):
            one, two = item.values[at], item.values[at + 2]
            is_pair = (one == value and two == other) or (one == other and two == value)
            if is_pair and joins(item.values[at + 1]):
                return True
    return False


@borrowing
def _divides_total(
    item: Any, first: int, end: int, text: Any, start: int, stop: int, lexicon: Any
) -> bool:
    """Return True if one question asks for each one's share, and the other for all in total."""
    has_each = _is_within(lexicon.each, item, first, end)
    has_total = _is_within(TOTAL, item, first, end) or _is_within(_ALL, item, first, end)
    other_total = _is_within(TOTAL, text, start, stop) or _is_within(_ALL, text, start, stop)
    if _is_within(lexicon.each, text, start, stop):
        return has_total and not other_total and not has_each
    return has_each and other_total and not has_total


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
                and text.values[place] not in (lexicon.each, TOTAL)
                and (first <= back[place] < end or _is_within(text.values[place], item, first, end))
            )
        if shared > best:
            best, start, stop = shared, low, high
        at = low
    first, end, start, stop = max(0, first), max(0, end), max(0, start), max(0, stop)
    missing = extra = new = elsewhere = measures = num_sizes = 0
    has_words = other_has_words = False
    turned = int(_divides_total(item, first, end, text, start, stop, lexicon))
    for place in range(first, end):
        if item.kinds[place] <= NAME:
            has_words = True
            value = item.values[place]
            turned += _is_turned(value, item, text, (first, end), (start, stop))
            if partner[place] < 0:
                missing += 1
                is_known = _is_within(value, text, 0, len(text.values))
                elsewhere += is_known
                num_sizes += not is_known and place_in(lexicon.sizes, value) >= 0
    for place in range(start, stop):
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
    turned += num_sizes * int(new > 0)
    is_asked = has_words and other_has_words
    return Question(max(0, best), missing, extra, new, elsewhere, turned, measures, is_asked)
