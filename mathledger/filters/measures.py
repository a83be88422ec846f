"""Read amounts in cents and abbreviated units: 25 cents are $0.25, and 4 in. are 4 inches."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text.chars import DOLLAR, FULL_STOP, ZERO
from mathledger.text.hashing import PRIME, SEED, mix, signed
from mathledger.text.shapes import is_in
from mathledger.text.tokens import (
    BEGIN,
    CARET_HASH,
    END,
    FROM,
    HASH,
    KIND,
    MACRO,
    NUMBER,
    ROUND_LEFT_HASH,
    SLASH_HASH,
    STAR_HASH,
    TO,
    WORD,
)

_CENTS = signed(*b"cent cents".split())
_IN, _SEC, _MIN, _S, _H = (int(each) for each in signed(*b"in sec min s h".split()))
_LONGEST = 5  # Letters of the longest of these words.
_OR, _MORE = (int(each) for each in signed(b"or", b"more"))
_LESS = signed(b"less", b"fewer")
_SECONDS, _MINUTES = signed(*b"s sec secs".split()), signed(*b"min mins".split())
_HOURS = signed(*b"h hr hrs".split())
# Words before a slash after which s and h are units of time.
_LENGTHS = signed(*b"in inches ft yards mi miles mm cm km".split())
_DIMENSIONS = signed(*b"long wide tall high thick deep by".split())
# Raw bytes that end a formula, as in $9\\text{ in}$; and those that end a clause.
_FORMULA_ENDS, _CLAUSE_ENDS = tuple(b"}$"), tuple(b".,;?)")


@borrowing
def is_in_cents(tok: Any, at: int, count: int, data: Any) -> bool:
    """Return True at the number in "25 cents", but not in "$0.25 cents", which means dollars."""
    if at + 1 >= count or not is_in(tok[at + 1, HASH], _CENTS):
        return False
    return bool(tok[at, BEGIN] == 0 or data[tok[at, BEGIN] - 1] != DOLLAR)


@borrowing
def in_dollars(spell: Any, first: int, end: int) -> Any:
    """Return the hash of a number of cents, spelt in spell[first:end], as a number of dollars."""
    num_digits, point = 0, end - first
    for at in range(first, end):
        if spell[at] == FULL_STOP:
            point = at - first
        else:
            num_digits += 1
    whole = point - 2  # Digits before the new point.
    last = num_digits
    while last > max(0, whole) and _digit(spell, first, point, last - 1) == ZERO:
        last -= 1
    value = SEED
    if whole <= 0:
        value = (value ^ np.uint8(ZERO)) * PRIME
    for place in range(whole):
        value = (value ^ _digit(spell, first, point, place)) * PRIME
    if last > whole:
        value = (value ^ np.uint8(FULL_STOP)) * PRIME
    for place in range(whole, last):
        value = (value ^ _digit(spell, first, point, place)) * PRIME
    return mix(value)


@borrowing
def _digit(spell: Any, first: int, point: int, place: int) -> Any:
    """Return a digit of a number by its place, without the point; digits before it are zeros."""
    if place < 0:
        return np.uint8(ZERO)
    return spell[first + place + int(place >= point)]


@borrowing
def is_inch(tok: Any, at: int, count: int, data: Any) -> bool:
    """Return True at the unit in "4 in. long" and in/s, but not at the word of "2 in 5 people"."""
    if tok[at, HASH] != _IN:
        return False
    end = tok[at, END]
    after = tok[at + 1, HASH] if at + 1 < count else 0
    if after == SLASH_HASH and at + 2 < count and is_time(tok, at + 2, count):
        return True
    if at == 0 or tok[at - 1, KIND] != NUMBER:
        return False
    if is_in(after, _DIMENSIONS) or after in (SLASH_HASH, STAR_HASH, CARET_HASH):
        return True
    return bool(end >= len(data) or data[end] in _FORMULA_ENDS or data[end] in _CLAUSE_ENDS)


@borrowing
def is_time(tok: Any, at: int, count: int) -> bool:
    """Return True for a unit of time after a number or a slash, as in 5 sec and ft/s, not sec x."""
    own = tok[at, HASH]
    if at == 0 or not (is_in(own, _SECONDS) or is_in(own, _MINUTES) or is_in(own, _HOURS)):
        return False
    if own in (_SEC, _MIN) and at + 1 < count and _is_argument(tok[at + 1]):
        return False
    if tok[at - 1, KIND] == NUMBER:
        return own not in (_S, _H)
    if at == 1 or tok[at - 1, HASH] != SLASH_HASH:
        return False
    if own in (_S, _H):
        return is_in(tok[at - 2, HASH], _LENGTHS)
    return bool(tok[at - 2, KIND] == NUMBER or tok[at - 2, TO] - tok[at - 2, FROM] > 1)


@borrowing
def _is_argument(token: Any) -> bool:
    """Return True for what a function may be applied to: a number, a letter, a macro, a bracket."""
    if token[KIND] == WORD:
        return bool(token[TO] - token[FROM] == 1)
    return bool(token[KIND] in (NUMBER, MACRO) or token[HASH] == ROUND_LEFT_HASH)


@borrowing
def _bounds(tok: Any, at: int) -> bool:
    """Return True at the last word of "two or more" and "two or fewer"."""
    if at < 2 or tok[at - 1, HASH] != _OR or tok[at - 2, KIND] != NUMBER:
        return False
    return bool(tok[at, HASH] == _MORE or is_in(tok[at, HASH], _LESS))


@borrowing
def measure_of(tok: Any, at: int, count: int, data: Any, lexicon: Any) -> Any:
    """Return the head of the word that an abbreviation or "or more" stands for, or 0."""
    if tok[at, TO] - tok[at, FROM] > _LONGEST:
        return np.uint64(0)
    if _bounds(tok, at):
        return lexicon.minimum if tok[at, HASH] == _MORE else lexicon.maximum
    if is_inch(tok, at, count, data):
        return lexicon.inch
    if is_time(tok, at, count):
        own = tok[at, HASH]
        if is_in(own, _SECONDS):
            return lexicon.second
        return lexicon.minute if is_in(own, _MINUTES) else lexicon.hour
    return np.uint64(0)
