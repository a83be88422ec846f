r"""Mark the words of a question that only say in which form it wants the answer.

A copy may lack them: the remainder of the answer modulo 1000, "the integer nearest", "the square of
the length of", "in radians", "giving your answer as a fraction".
"""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.filters.aside_words import (
    ASKS,
    CLOSEST,
    FLOOR,
    GIVING,
    INTEGER,
    INTERVAL,
    MEASURE,
    NEGATIONS,
    NOTED,
    ORDERS,
    PART,
    REMAINDER,
    SAID,
    SQUARE,
    is_name,
    role_of,
    sentence_end,
    table,
)
from mathledger.filters.overlap_features import place_in
from mathledger.text.hashing import signed
from mathledger.text.shapes import is_in
from mathledger.text.tokens import BEGINS_SENTENCE, FLAGS, HASH, KIND, NUMBER, ROUND_LEFT_HASH

MIN_ASKED = 12  # Tokens of a problem before an answer whose form may differ.
_BOUNDS = signed(b"<=", b">=")
_REMAINDER = signed(*b"remainder when is divided by".split())
# Words that ask for the parts of a fraction.
_FRACTION = table(
    "the is value of sum product numerator denominator plus and simplest simplified reduced lowest "
    "irreducible common fraction that which represents its when written as in terms form +"
)
_MODULI = table("100 1000 10000")
# Words and signs between a question and an integer that is near the answer, or after it.
_ROUNDING = table(
    "the is greatest largest least smallest closest nearest less greater < > <= >= than or equal "
    "to not exceeding that integer"
)
_CEILING = int(signed(b"\\lceil")[0])
_CLOSING = signed(b"\\rfloor", b"\\rceil")
_IN, _OF, _THE, _IS, _TO, _YOUR, _ANSWER, _LIE, _LIES = (
    int(each) for each in signed(*b"in of the is to your answer lie lies".split())
)
_DIVIDED = signed(*b"is divided by".split())
_WHICH = signed(b"what", b"which")


@borrowing
def mark_form(tok: Any, at: int, end: int, role: int, is_asking: bool, is_remark: Any) -> None:
    """Mark the form of the answer that the word at `at`, which has this role, requests."""
    if role == REMAINDER:
        _mark_remainder(tok, at, end, is_asking, is_remark)
    elif role == PART:
        _mark_parts(tok, at, end, is_remark)
    elif role == GIVING:
        if is_asking:
            _mark_giving(tok, at, end, is_remark)
    elif role == CLOSEST:
        _mark_closest(tok, at, end, is_remark)
    elif role == MEASURE:
        if is_asking:
            _mark_measure(tok, at, end, is_remark)
    elif is_asking and role == INTERVAL:
        _mark_interval(tok, at, end, is_remark)
    elif is_asking and at >= MIN_ASKED:
        if role == SQUARE:
            _mark_square(tok, at, end, is_remark)
        elif role in (FLOOR, INTEGER):
            _mark_rounding(tok, at, end, role, is_remark)


@borrowing
def _follows_a_request(tok: Any, at: int) -> bool:
    """Return True for the noun of "find the", "what is the" and the like."""
    at -= 1
    while at > 0 and (tok[at, HASH] == _THE or tok[at, HASH] == _IS):
        at -= 1
    return role_of(np.uint64(tok[at, HASH])) in (ORDERS, ASKS) if at >= 0 else False


@borrowing
def _mark_square(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark "the square of" in "find the square of the length of AB"."""
    is_of = at + 2 < end and tok[at + 1, HASH] == _OF and tok[at + 2, HASH] == _THE
    if is_of and _follows_a_request(tok, at):
        is_remark[at : at + 2] = NOTED


@borrowing
def _mark_giving(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark "giving your answer as a fraction in lowest terms", unless it has a number."""
    if at + 2 >= end or tok[at + 2, HASH] != _ANSWER or tok[at + 1, HASH] not in (_YOUR, _THE):
        return
    stop = sentence_end(tok, at, end)
    for place in range(at, stop):
        value = np.uint64(tok[place, HASH])
        if tok[place, KIND] == NUMBER or place_in(NEGATIONS, value) >= 0:
            return
    is_remark[at:stop] = SAID


@borrowing
def _mark_closest(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark "is closest to" where the options of a question are left out."""
    if at >= MIN_ASKED and at + 2 == end and tok[at - 1, HASH] == _IS and tok[at + 1, HASH] == _TO:
        is_remark[at] = SAID


@borrowing
def _mark_interval(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark the words around the answer in "In what interval does the root lie?"."""
    last = sentence_end(tok, at, end) - 1
    is_phrase = at > 1 and is_in(tok[at - 1, HASH], _WHICH) and tok[at - 2, HASH] == _IN
    if at >= MIN_ASKED and is_phrase and tok[last, HASH] in (_LIE, _LIES):
        is_remark[at] = is_remark[last] = SAID


@borrowing
def _mark_measure(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark "in radians" in a question."""
    if at > 0 and tok[at - 1, HASH] == _IN and (at + 1 == end or tok[at + 1, KIND] != NUMBER):
        is_remark[at - 1], is_remark[at] = SAID, NOTED


@borrowing
def _mark_rounding(tok: Any, at: int, end: int, role: int, is_remark: Any) -> None:
    """Mark the rounding of the answer to an integer.

    This is "the integer nearest", "the greatest integer less than or equal to", or the brackets and
    the factor of floor(1000r), all around what a question asks for.
    """
    start = at
    while start > 0 and place_in(_ROUNDING, np.uint64(tok[start - 1, HASH])) >= 0:
        start -= 1
    if start == 0 or role_of(np.uint64(tok[start - 1, HASH])) not in (ORDERS, ASKS):
        return
    stop = at + 1
    if role == INTEGER:
        while stop < end and place_in(_ROUNDING, np.uint64(tok[stop, HASH])) >= 0:
            stop += 1
        is_bound = at + 1 < end and is_in(tok[at + 1, HASH], _BOUNDS)
        if stop > at + 2 - int(is_bound):
            is_remark[start:stop], is_remark[at:stop] = SAID, NOTED
        return
    closing = at + 1
    while closing < end and tok[closing, HASH] not in _CLOSING:
        closing += 1
    if closing == end or tok[closing, HASH] != _CLOSING[int(tok[at, HASH] == _CEILING)]:
        return
    if closing + 1 < end and not tok[closing + 1, FLAGS] & BEGINS_SENTENCE:
        return
    is_scaled = place_in(_MODULI, np.uint64(tok[stop, HASH])) >= 0
    is_remark[at : stop + int(is_scaled)], is_remark[closing] = NOTED, NOTED
    if closing == stop + 1 and is_name(tok, stop):
        _mark_named(tok, at, stop, is_remark)


@borrowing
def _mark_named(tok: Any, end: int, name: int, is_remark: Any) -> None:
    """Mark the name of the answer and its only mention before, as in "Let P be ... Find P"."""
    count, first = 0, -1
    for place in range(end):
        if tok[place, HASH] == tok[name, HASH] and is_name(tok, place):
            count, first = count + 1, place
    if count == 1:
        is_remark[first] = is_remark[name] = SAID


@borrowing
def _mark_parts(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark "the sum of the numerator and denominator of the simplest fraction that represents"."""
    start, stop = at, at + 1
    while start > 0 and place_in(_FRACTION, np.uint64(tok[start - 1, HASH])) >= 0:
        start -= 1
    while stop < end and place_in(_FRACTION, np.uint64(tok[stop, HASH])) >= 0:
        stop += 1
    if start > 0 and role_of(np.uint64(tok[start - 1, HASH])) in (ORDERS, ASKS) and stop < end:
        is_remark[start:stop] = SAID


@borrowing
def _mark_remainder(tok: Any, at: int, end: int, is_asking: bool, is_remark: Any) -> None:
    """Mark "remainder when N is divided by 1000", and N where it is named once before.

    "The answer" may stand for N, anywhere in the text.
    """
    if is_asking and at >= MIN_ASKED:
        _mark_divided(tok, at, end, is_remark)
    is_answer = at + 3 < end and tok[at + 3, HASH] == _ANSWER
    stop = at + 7 + int(is_answer)
    if stop > end or tok[stop - 1, KIND] != NUMBER or tok[at + 1, HASH] != _REMAINDER[1]:
        return
    for step in range(2, 5):
        if tok[stop - 6 + step, HASH] != _REMAINDER[step]:
            return
    if place_in(_MODULI, np.uint64(tok[stop - 1, HASH])) < 0:
        return
    if is_answer:
        start = at
        while start > 0 and not tok[start, FLAGS] & BEGINS_SENTENCE:
            start -= 1
        is_remark[start : stop - 1], is_remark[stop - 1] = SAID, NOTED
        return
    is_last = stop == end or tok[stop, HASH] == ROUND_LEFT_HASH  # A note may follow.
    is_last = is_last or tok[stop, FLAGS] & BEGINS_SENTENCE != 0
    if not is_last or not is_name(tok, at + 2):
        return
    name, count = tok[at + 2, HASH], 0
    for place in range(at):
        count += tok[place, HASH] == name and is_name(tok, place)
    if count > 1:
        return
    is_remark[at : stop - 1], is_remark[stop - 1] = SAID, NOTED
    for place in range(at):
        if tok[place, HASH] == name:
            is_remark[place] = SAID


@borrowing
def _mark_divided(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark the words around the answer in "the remainder when the sum is divided by 1000"."""
    stop = sentence_end(tok, at, end)
    size = len(_DIVIDED)
    first = stop - 1 - size
    if first <= at + 1 or tok[at + 1, HASH] != _REMAINDER[1] or not _follows_a_request(tok, at):
        return
    for step in range(size):
        if tok[first + step, HASH] != _DIVIDED[step]:
            return
    if place_in(_MODULI, np.uint64(tok[stop - 1, HASH])) >= 0:
        is_remark[at] = SAID
        is_remark[first : stop - 1], is_remark[stop - 1] = SAID, NOTED
