r"""Find what a problem says besides its facts: the question, remarks, the form of the answer.

A remark may be missing from a copy: "(The notation $\lfloor x\rfloor$ denotes ...)", "where $i =
\sqrt{-1}$", "in terms of $k$", options after a long question, and the remainder modulo 1000 of a
number N that the problem asks for.
"""

from typing import Any

import numpy as np

from mathledger.core.kernels import kernel
from mathledger.filters.overlap_features import place_in
from mathledger.text.chars import QUESTION as QUESTION_MARK
from mathledger.text.hashing import hash_bytes, signed
from mathledger.text.surroundings import options_start
from mathledger.text.tokens import (
    AFTER_QUESTION,
    ARTICLE,
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
MIN_ROUNDED = 12  # Tokens of a problem before its rounded answer.
MIN_STEM = 20  # Tokens of a question that states a problem without its options.
# Marks of a token: a remark, and one that may be missing but may not differ.
SAID, NOTED = 1, 2


def _table(words: str) -> Any:
    return np.sort(np.array([hash_bytes(word.encode()) for word in words.split()], np.uint64))


# Words with a role, and its number. "What is left was sold" asks nothing without a question mark.
ORDERS, ASKS, CONDITION, TERMS, REMAINDER, UNIT, PART, MEASURE, FLOOR, INTEGER = range(1, 11)
_ROLES = {
    ORDERS: "find compute determine evaluate calculate simplify solve express",
    ASKS: "what how which who whose give prove show",
    CONDITION: "if given assuming supposing",
    TERMS: "terms",
    REMAINDER: "remainder",
    UNIT: "i",
    PART: "numerator denominator",
    MEASURE: "dollars radians degrees inches feet yards miles meters centimeters",
    FLOOR: "\\lfloor \\lceil",
    INTEGER: "integer",
}
_BY_HASH = sorted(
    (hash_bytes(word.encode()), role) for role, words in _ROLES.items() for word in words.split()
)
_WORDS = np.array([value for value, _ in _BY_HASH], np.uint64)
_ROLE = np.array([role for _, role in _BY_HASH], np.int64)
_MASK = np.uint64(4095)
_MAY_HAVE_ROLE = np.zeros(4096, np.bool_)
_MAY_HAVE_ROLE[(_WORDS & _MASK).astype(np.int64)] = True
_NOTES = _table("denotes notation floor means recall")
_SHORT_NOTES = _table("including inclusive evaluated")
_NEGATIONS = _table("not except excluding without with no only")
_REMAINDER = signed(*b"remainder when is divided by".split())
# Words that ask for the parts of a fraction.
_FRACTION = _table(
    "the is value of sum product numerator denominator plus and simplest simplified reduced lowest "
    "irreducible common fraction that which represents its when written as in terms form +"
)
_MODULI = _table("100 1000 10000")
# Words and signs between a question and an integer that is near the answer, or after it.
_ROUNDING = _table(
    "the is greatest largest least smallest closest nearest less greater < > <= >= than or equal "
    "to not exceeding that integer"
)
_CEILING = int(signed(b"\\lceil")[0])
_CLOSING = signed(b"\\rfloor", b"\\rceil")
_INTRODUCES = _table("where here and if with")
_SQUARE = signed(*b"i ^ 2 = - 1".split())
_ROOT = signed(*b"i = \\sqrt - 1".split())
_IN, _OF, _AND, _ANSWER, _RADICALS = (
    int(each) for each in signed(b"in", b"of", b"and", b"answer", b"radicals")
)


@kernel
def _role(value: Any) -> int:
    if not _MAY_HAVE_ROLE[np.int64(value & _MASK)]:
        return 0
    at = place_in(_WORDS, value)
    return _ROLE[at] if at >= 0 else 0


@kernel
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
            role = _role(np.uint64(tok[at, HASH]))
            is_asking = is_asking and role != CONDITION
            is_asking |= role == ORDERS or (role == ASKS and (has_mark or at == start))
            asks[at] = is_asking
            if at < wrapper.start and (role >= TERMS or tok[at, HASH] == ROUND_LEFT_HASH):
                begins = at == start or (at + 1 == end < count)  # The flag may be after "(".
                _mark_remark(tok, at, wrapper.start, (role, is_asking, begins), is_remark)
        start = end
    if count >= MIN_STEM:
        is_remark[max(MIN_STEM, options_start(count, tok)) :] = NOTED


@kernel
def _mark_remark(tok: Any, at: int, end: int, place: Any, is_remark: Any) -> None:
    role, is_asking, is_first = place
    if role == TERMS:
        _mark_terms(tok, at, end, is_remark)
    elif role == REMAINDER:
        _mark_remainder(tok, at, end, is_remark)
    elif role == UNIT:
        _mark_unit(tok, at, end, is_remark)
    elif role == PART:
        _mark_parts(tok, at, end, is_remark)
    elif role == MEASURE:
        if is_asking:
            _mark_measure(tok, at, end, is_remark)
    elif role in (FLOOR, INTEGER):
        if is_asking and at >= MIN_ROUNDED:
            _mark_rounding(tok, at, end, role, is_remark)
    else:
        _mark_note(tok, at, end, is_first, is_remark)


@kernel
def _mark_note(tok: Any, at: int, end: int, is_first: bool, is_remark: Any) -> None:
    """Mark a note in brackets, such as "(including 1 and n)".

    A whole sentence in brackets, or many words at the end of one, may be missing, but not differ.
    """
    stop, depth, is_note, is_short_note, is_prose = at + 1, 1, False, False, True
    while stop < end and depth > 0:
        value = np.uint64(tok[stop, HASH])
        if stop - at > MAX_REMARK or place_in(_NEGATIONS, value) >= 0:
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


@kernel
def _mark_measure(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark "in radians" in a question."""
    if at > 0 and tok[at - 1, HASH] == _IN and (at + 1 == end or tok[at + 1, KIND] != NUMBER):
        is_remark[at - 1], is_remark[at] = SAID, NOTED


@kernel
def _mark_rounding(tok: Any, at: int, end: int, role: int, is_remark: Any) -> None:
    """Mark the rounding of the answer to an integer.

    This is "the integer nearest", "the greatest integer less than or equal to", or the brackets and
    the factor of floor(1000r), all around what a question asks for.
    """
    start = at
    while start > 0 and place_in(_ROUNDING, np.uint64(tok[start - 1, HASH])) >= 0:
        start -= 1
    if start == 0 or _role(np.uint64(tok[start - 1, HASH])) not in (ORDERS, ASKS):
        return
    stop = at + 1
    if role == INTEGER:
        while stop < end and place_in(_ROUNDING, np.uint64(tok[stop, HASH])) >= 0:
            stop += 1
        if stop > at + 2:
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
    if closing == stop + 1 and _is_name(tok, stop):
        _mark_named(tok, at, stop, is_remark)


@kernel
def _mark_named(tok: Any, end: int, name: int, is_remark: Any) -> None:
    """Mark the name of the answer and its only mention before, as in "Let P be ... Find P"."""
    count, first = 0, -1
    for place in range(end):
        if tok[place, HASH] == tok[name, HASH] and _is_name(tok, place):
            count, first = count + 1, place
    if count == 1:
        is_remark[first] = is_remark[name] = SAID


@kernel
def _is_name(tok: Any, at: int) -> bool:
    size = tok[at, TO] - tok[at, FROM]
    return bool(tok[at, KIND] == WORD and size == 1 and not tok[at, FLAGS] & ARTICLE)


@kernel
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


@kernel
def _mark_terms(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark "in terms of x and y" and "in terms of radicals"."""
    stop = at + 2
    while stop < end and (_is_name(tok, stop) or tok[stop, HASH] in (_AND, _RADICALS)):
        stop += 1
    is_phrase = at > 0 and tok[at - 1, HASH] == _IN and at + 1 < end and tok[at + 1, HASH] == _OF
    if is_phrase and stop > at + 2:
        is_remark[at - 1 : stop] = SAID


@kernel
def _mark_parts(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark "the sum of the numerator and denominator of the simplest fraction that represents"."""
    start, stop = at, at + 1
    while start > 0 and place_in(_FRACTION, np.uint64(tok[start - 1, HASH])) >= 0:
        start -= 1
    while stop < end and place_in(_FRACTION, np.uint64(tok[stop, HASH])) >= 0:
        stop += 1
    if start > 0 and _role(np.uint64(tok[start - 1, HASH])) in (ORDERS, ASKS) and stop < end:
        is_remark[start:stop] = SAID


@kernel
def _mark_remainder(tok: Any, at: int, end: int, is_remark: Any) -> None:
    """Mark "remainder when N is divided by 1000", and N where it is named once before.

    "The answer" may stand for N, anywhere in the text.
    """
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
    if not is_last or not _is_name(tok, at + 2):
        return
    name, count = tok[at + 2, HASH], 0
    for place in range(at):
        count += tok[place, HASH] == name and _is_name(tok, place)
    if count > 1:
        return
    is_remark[at : stop - 1], is_remark[stop - 1] = SAID, NOTED
    for place in range(at):
        if tok[place, HASH] == name:
            is_remark[place] = SAID
