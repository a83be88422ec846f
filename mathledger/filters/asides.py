r"""Find what a problem says besides its facts: the question, remarks, the form of the answer.

A remark may be missing from a copy: "(The notation $\lfloor x\rfloor$ denotes ...)", "where $i =
\sqrt{-1}$", "in terms of $k$", "let $x$ and $y$ be real numbers", a contest's number, the options
after a long question, and the form of the answer (answer_forms.py).
"""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.filters.answer_forms import mark_form
from mathledger.filters.aside_words import (
    ASKS,
    CONDITION,
    CONTEST,
    LET,
    NEGATIONS,
    NOTED,
    ORDERS,
    RESTATES,
    SAID,
    TERMS,
    UNIT,
    is_name,
    role_of,
    table,
)
from mathledger.filters.overlap_features import place_in
from mathledger.text.chars import QUESTION as QUESTION_MARK
from mathledger.text.hashing import signed
from mathledger.text.shapes import is_in
from mathledger.text.surroundings import options_start
from mathledger.text.tokens import (
    AFTER_QUESTION,
    BEGINS_SENTENCE,
    END,
    FLAGS,
    FROM,
    HASH,
    KIND,
    NUMBER,
    ROUND_LEFT_HASH,
    ROUND_RIGHT_HASH,
    TO,
    WORD,
)

MAX_REMARK, MAX_SHORT_REMARK = 40, 8  # Tokens in a remark in brackets.
MIN_NOTE = 5  # Tokens of a sentence in brackets, with these.
MIN_STEM = 20  # Tokens of a question that states a problem without its options.

_NOTES = table("denotes notation floor means recall")
_SHORT_NOTES = table("including inclusive evaluated")
_INTRODUCES = table("where here and if with")
_LEVELS = signed(b"8", b"10", b"12")
_CONTESTS = table("contest contests exam exams competition competitions")
_SQUARE = signed(*b"i ^ 2 = - 1".split())
_ROOT = signed(*b"i = \\sqrt - 1".split())
_IN, _OF, _AND, _RADICALS, _BE, _REAL = (
    int(each) for each in signed(*b"in of and radicals be real".split())
)
_NUMBERS = signed(b"number", b"numbers")
_STATING, _PROBLEM = signed(b"stating", b"stated"), int(signed(b"problem")[0])
_AMONG_NAMES = signed(*b"_ ... and \\ldots \\cdots \\dots".split())


@borrowing
def mark_asides(tok: Any, count: int, data: Any, wrapper: Any, asks: Any, is_remark: Any) -> None:
    """Mark the tokens of questions and remarks, and the options that a long question does not need.

    A question goes from the word that asks to the end of its sentence or a condition.
    """
    start = 0
    while start < count:
        end = start + 1
        while end < count and not tok[end, FLAGS] & BEGINS_SENTENCE:
            end += 1
        has_mark = end < count and tok[end, FLAGS] & AFTER_QUESTION != 0
        if end == count:
            for place in range(tok[count - 1, END], len(data)):
                has_mark |= data[place] == QUESTION_MARK
        is_asking = False
        for at in range(start, end):
            role = role_of(np.uint64(tok[at, HASH]))
            is_asking = is_asking and role != CONDITION
            is_asking |= role == ORDERS or (role == ASKS and (has_mark or at == start))
            asks[at] = is_asking
            if at < wrapper.start and (role >= TERMS or tok[at, HASH] == ROUND_LEFT_HASH):
                begins = at == start or (at + 1 == end < count)  # The flag may be after "(".
                _mark_remark(tok, at, wrapper.start, (role, is_asking, begins), is_remark)
        start = end
    if count >= MIN_STEM:
        is_remark[max(MIN_STEM, options_start(count, tok)) :] = NOTED


@borrowing
def _mark_remark(tok: Any, at: int, end: int, place: Any, is_remark: Any) -> None:
    role, is_asking, is_first = place
    if role == 0:
        _mark_note(tok, at, end, is_first, is_remark)
    elif role == TERMS:
        _mark_terms(tok, at, end, is_remark)
    elif role == UNIT:
        _mark_unit(tok, at, end, is_remark)
    elif role == LET:
        _mark_declaration(tok, at, end, is_remark)
    elif role == CONTEST:
        _mark_contest(tok, at, end, is_remark)
    elif role == RESTATES:
        if is_first and _restates(tok, at, end):
            is_remark[at:end] = SAID
    else:
        mark_form(tok, at, end, role, is_asking, is_remark)


@borrowing
def _restates(tok: Any, at: int, end: int) -> bool:
    """Return True at "Re-stating the problem" after a text that asks a question."""
    last = at + int(at + 1 < end and is_in(tok[at + 1, HASH], _STATING))
    if at < MIN_STEM or last + 2 >= end or tok[last + 2, HASH] != _PROBLEM:
        return False
    for place in range(at):  # noqa: SIM110  (numba compiles no generator)
        if role_of(np.uint64(tok[place, HASH])) in (ORDERS, ASKS):
            return True
    return False


@borrowing
def _mark_note(tok: Any, at: int, end: int, is_first: bool, is_remark: Any) -> None:
    """Mark a note in brackets, such as "(including 1 and n)".

    A whole sentence in brackets, or many words at the end of one, may be missing, but not differ.
    """
    stop, depth, is_note, is_short_note, is_prose = at + 1, 1, False, False, True
    while stop < end and depth > 0:
        value = np.uint64(tok[stop, HASH])
        if stop - at > MAX_REMARK or place_in(NEGATIONS, value) >= 0:
            return
        depth += int(tok[stop, HASH] == ROUND_LEFT_HASH) - int(tok[stop, HASH] == ROUND_RIGHT_HASH)
        is_note |= place_in(_NOTES, value) >= 0
        is_short_note |= place_in(_SHORT_NOTES, value) >= 0
        is_prose &= depth == 0 or (tok[stop, KIND] == WORD and tok[stop, TO] - tok[stop, FROM] > 1)
        stop += 1
    is_note |= is_short_note and stop - at <= MAX_SHORT_REMARK
    is_sentence = at > 0 and (is_prose or is_first) and stop - at > MIN_NOTE
    is_sentence = is_sentence and (stop == end or tok[stop, FLAGS] & BEGINS_SENTENCE != 0)
    if (is_note or is_sentence) and depth == 0:
        is_remark[at:stop] = SAID if is_note else NOTED


@borrowing
def _mark_unit(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark "where i^2 = -1" and "where i = \\sqrt{-1}"."""
    for pattern in (_SQUARE, _ROOT):
        size = len(pattern)
        if at + size > end:
            continue
        is_equal = True
        for step in range(size):
            is_equal &= tok[at + step, HASH] == pattern[step]
        if is_equal:
            is_introduced = at > 0 and place_in(_INTRODUCES, np.uint64(tok[at - 1, HASH])) >= 0
            is_remark[at - int(is_introduced) : at + size] = SAID


@borrowing
def _mark_terms(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark "in terms of x and y" and "in terms of radicals"."""
    stop = at + 2
    while stop < end and (is_name(tok, stop) or tok[stop, HASH] in (_AND, _RADICALS)):
        stop += 1
    is_phrase = at > 0 and tok[at - 1, HASH] == _IN and at + 1 < end and tok[at + 1, HASH] == _OF
    if is_phrase and stop > at + 2:
        is_remark[at - 1 : stop] = SAID


@borrowing
def _mark_declaration(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark "Let x_1, ..., x_n be real numbers", which says nothing more of names used later."""
    stop = at + 1
    while stop < end and (
        is_name(tok, stop) or tok[stop, KIND] == NUMBER or is_in(tok[stop, HASH], _AMONG_NAMES)
    ):
        stop += 1
    if stop + 2 >= end or stop == at + 1 or tok[stop, HASH] != _BE or tok[stop + 1, HASH] != _REAL:
        return
    if is_in(tok[stop + 2, HASH], _NUMBERS):
        is_remark[at : stop + 3] = SAID


@borrowing
def _mark_contest(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark the number of a contest, and the word after it, as in "AMC 12 contests"."""
    if at + 1 < end and is_in(tok[at + 1, HASH], _LEVELS):
        is_remark[at + 1] = SAID
        if at + 2 < end and place_in(_CONTESTS, np.uint64(tok[at + 2, HASH])) >= 0:
            is_remark[at + 2] = SAID
