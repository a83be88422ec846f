r"""Tell which tokens of a text say nothing, or may be missing, when it is compared with an item.

These are signs and brackets that only typography needs, such as the sign before an ellipsis, words
and numbers that repeat what the text says already ("all six circles" of six circles, "no two"), and
names that it has used before ("the same solution x").
"""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.filters.overlap_features import place_in, stem
from mathledger.filters.overlap_words import DROPPED, LIGHT
from mathledger.text.chars import COMMA
from mathledger.text.hashing import signed
from mathledger.text.shapes import is_in
from mathledger.text.tokens import (
    APOSTROPHE_HASH,
    BEGIN,
    BEGINS_SENTENCE,
    CAPITALISED,
    CARET_HASH,
    END,
    FLAGS,
    FROM,
    GROUP,
    HASH,
    KIND,
    NUMBER,
    SLASH_HASH,
    STAR_HASH,
    TO,
    WORD,
)

_CURLY = tuple(int(each) for each in signed(b"{", b"}"))
_MINUS, _PLUS, _EQUALITY, _ELLIPSIS, _FACTORIAL = (
    int(each) for each in signed(b"-", b"+", b"=", b"...", b"!")
)
_MANY, _OF, _NUMBER_WORD, _NO, _ALL, _AND, _S, _FURTHER = (
    int(each) for each in signed(*b"many of number no all and s further".split())
)
_TIMES, _EACH, _APIECE = (int(each) for each in signed(*b"times each apiece".split()))
_TOTAL, _IN = (int(each) for each in signed(b"total", b"in"))
_AFTER_TIMES = signed(
    *b"as more less fewer longer shorter larger smaller bigger greater taller higher lower older "
    b"younger heavier lighter faster slower wider deeper".split()
)
# Words that follow a clause.
_AFTER_EACH = signed(
    *b"and or but then for at in on to with from if when while so how what who which are is was "
    b"were he she they it the a an after before per".split()
)
_HOLDING = signed(*b"with of".split())
_RATES = signed(*b"hour minute day week month year lb kg km mile gallon oz person".split())
_MAX_NOUN = 4  # Tokens of a number and its noun.
_O = int(signed(b"o")[0])
_ZERO, _ONE, _TWO = (int(each) for each in signed(b"0", b"1", b"2"))
_EVENLY = int(signed(b"evenly")[0])
_BAR, _COLON = (int(value) for value in signed(b"|", b":"))
_MAX_ELEMENT = 8  # Tokens of the element of a set.
_HALVES = signed(b"am", b"pm")
_SIDES, _SUMS = signed(b"side", b"sides"), signed(b"sum", b"sums")
_SUPPOSE = signed(b"suppose", b"assume", b"given")
_BELOW, _ARTICLES = signed(b"below", b"above"), signed(*b"the a an its each every".split())
_AFTER_EQUATION = signed(*b"has have had whose with are and".split())
_FIGURES = signed(
    *b"figure diagram picture graph table grid drawing shown depicted pictured".split()
)
# Words that make one word with the next one, with a hyphen or without.
_PREFIXES = np.sort(
    signed(*b"non co semi sub grand pre re mid anti multi counter inter in bi tri".split()).view(
        np.uint64
    )
)


@borrowing
def begins_anew(tok: Any, at: int) -> bool:
    """Return True at a common word with a capital after a formula, as in "2 + 2 = She"."""
    if at == 0 or not tok[at, FLAGS] & CAPITALISED:
        return False
    return bool(tok[at - 1, KIND] != WORD or tok[at - 1, TO] - tok[at - 1, FROM] == 1)


@borrowing
def is_degree(tok: Any, at: int, count: int) -> bool:
    """Return True at the exponent of a number that is the letter o, as in 90^o."""
    if at == 0 or at + 1 == count or tok[at - 1, KIND] != NUMBER or tok[at + 1, HASH] != _O:
        return False
    return at + 2 == count or tok[at + 2, KIND] != GROUP


@borrowing
def is_dash(tok: Any, at: int, count: int, spell: Any, data: Any, lexicon: Any) -> bool:
    """Return True for a hyphen between blanks that a function word follows, as in " - and "."""
    begin = tok[at, BEGIN]
    if tok[at, HASH] != _MINUS or at + 1 == count or begin == 0 or begin + 2 >= len(data):
        return False
    first, end = tok[at + 1, FROM], tok[at + 1, TO]
    if tok[at + 1, KIND] != WORD or end - first < 3 or data[begin - 1] != 32:
        return False
    known = place_in(lexicon.stems, stem(spell, first, end))
    return bool(data[begin + 1] == 32 and known >= 0 and lexicon.kinds[known] in (DROPPED, LIGHT))


@borrowing
def is_implied(tok: Any, at: int, count: int, value: Any, lexicon: Any) -> bool:
    """Return True for a word that says nothing.

    Examples are side *length*, how many *different* ones, suppose *further*, and the *sum* m + n.
    *Evenly* has the stem of even numbers.
    """
    before = tok[at - 1, HASH] if at > 0 else 0
    own = tok[at, HASH]
    if own == _EVENLY:
        return True
    if is_in(own, _SUMS):
        is_sum = at + 2 < count and tok[at + 2, HASH] == _PLUS
        return bool(is_sum and tok[at + 1, TO] - tok[at + 1, FROM] == 1)
    if at == 0:
        return False
    if own == _FURTHER:
        return is_in(before, _SUPPOSE)
    if value == lexicon.length:
        return bool(before in _SIDES)
    is_counted = before == _MANY or (at > 1 and before == _OF and tok[at - 2, HASH] == _NUMBER_WORD)
    return bool(is_counted and value == lexicon.distinct)


@borrowing
def places_figure(tok: Any, at: int, count: int, data: Any) -> bool:
    """Return True for the place of a figure, as in "shown below"; another place is another text.

    In "the part of the graph below the line", the word has an object and places no figure.
    """
    if not is_in(tok[at, HASH], _BELOW):
        return False
    if at + 1 < count and is_in(tok[at + 1, HASH], _FIGURES):
        return True
    if at == 0 or not is_in(tok[at - 1, HASH], _FIGURES):
        return False
    if at + 1 == count or tok[at + 1, FLAGS] & BEGINS_SENTENCE:
        return True
    for place in range(tok[at, END], tok[at + 1, BEGIN]):
        if data[place] == COMMA:
            return True
    is_word = tok[at + 1, KIND] == WORD and tok[at + 1, TO] - tok[at + 1, FROM] > 1
    return bool(is_word and not is_in(tok[at + 1, HASH], _ARTICLES))


@borrowing
def is_prefix(tok: Any, at: int, count: int, data: Any) -> bool:
    """Return True for a word such as non or grand with a hyphen and another word after it."""
    end = tok[at, END]
    return bool(
        end < len(data)
        and data[end] == 45
        and at + 1 < count
        and tok[at + 1, KIND] == WORD
        and tok[at, TO] == tok[at + 1, FROM]
        and end + 1 == tok[at + 1, BEGIN]
        and place_in(_PREFIXES, np.uint64(tok[at, HASH])) >= 0
    )


@borrowing
def divides_set(tok: Any, at: int) -> bool:
    """Return True at the bar or colon after the element of a set, as in {n | n > 3}."""
    if tok[at, HASH] not in (_BAR, _COLON):
        return False
    start = at - 1
    while start >= 0 and at - start <= _MAX_ELEMENT and tok[start, HASH] not in _CURLY:
        if tok[start, HASH] == _BAR:
            return False
        start -= 1
    return bool(start >= 0 and tok[start, HASH] == _CURLY[0])


@borrowing
def is_half_of_day(tok: Any, at: int) -> bool:
    """Return True at AM or PM after a time."""
    return bool(at > 0 and tok[at - 1, KIND] == NUMBER and is_in(tok[at, HASH], _HALVES))


@borrowing
def is_per(tok: Any, at: int, count: int) -> bool:
    """Return True for the slash between two units, as in feet/minute, and in 2/hr for $2/hr."""
    if at == 0 or at + 1 == count or tok[at + 1, KIND] != WORD:
        return False
    if tok[at - 1, KIND] == NUMBER:
        return is_in(tok[at + 1, HASH], _RATES)
    if tok[at - 1, KIND] != WORD:
        return False
    before, after = tok[at - 1, TO] - tok[at - 1, FROM], tok[at + 1, TO] - tok[at + 1, FROM]
    return bool(max(before, after) > 3 and min(before, after) > 1)


@borrowing
def is_multiple(tok: Any, at: int, count: int) -> bool:
    """Return True at the word times in "5 times as many", "5 times more" and "5 times longer"."""
    if tok[at, HASH] != _TIMES or at == 0 or at + 1 == count:
        return False
    return bool(tok[at - 1, KIND] == NUMBER and is_in(tok[at + 1, HASH], _AFTER_TIMES))


@borrowing
def shares_out(tok: Any, at: int, count: int) -> bool:
    """Return True at the word each that ends a clause with a number, as in "buy 12 books each".

    After with or of, it says nothing: "5 shelves with 12 books each" are "5 shelves of 12 books".
    """
    if tok[at, HASH] not in (_EACH, _APIECE):
        return False
    if at + 1 < count and not tok[at + 1, FLAGS] & BEGINS_SENTENCE:
        is_noun = tok[at + 1, KIND] == WORD and not is_in(tok[at + 1, HASH], _AFTER_EACH)
        if is_noun:
            return False
    for place in range(max(0, at - _MAX_NOUN), at):
        if tok[place, KIND] == NUMBER:
            return place == 0 or not is_in(tok[place - 1, HASH], _HOLDING)
    return False


@borrowing
def adds_up(tok: Any, at: int) -> bool:
    """Return True at the last word of "2 bags with 12 books in total", which are not 12 each."""
    if tok[at, HASH] not in (_TOTAL, _ALL) or at == 0 or tok[at - 1, HASH] != _IN:
        return False
    for place in range(max(1, at - 1 - _MAX_NOUN), at):
        if tok[place, KIND] == NUMBER:
            return is_in(tok[place - 1, HASH], _HOLDING)
    return False


@borrowing
def is_silent(tok: Any, at: int, count: int, data: Any) -> bool:
    r"""Return True for a sign that only typography needs.

    These are a plus before an ellipsis, a product sign beside one if another product sign shows
    that it is no list, and the apostrophe of "circle A's".
    """
    own = tok[at, HASH]
    if own == _PLUS:
        return bool(at + 1 < count and tok[at + 1, HASH] == _ELLIPSIS)
    if own == STAR_HASH:
        is_before = at + 1 < count and tok[at + 1, HASH] == _ELLIPSIS
        is_after = at > 0 and tok[at - 1, HASH] == _ELLIPSIS
        return (is_before or is_after) and _continues_product(tok, at - 1 - 2 * int(is_after))
    if own != APOSTROPHE_HASH or at + 1 == count or tok[at + 1, HASH] != _S:
        return False
    return bool(tok[at + 1, BEGIN] == tok[at, END] and data[tok[at, BEGIN]] != 36)


@borrowing
def _continues_product(tok: Any, at: int) -> bool:
    """Return True if a product sign is in the formula that goes up to `at`."""
    while at > 0 and not tok[at, FLAGS] & BEGINS_SENTENCE:
        if tok[at, HASH] == STAR_HASH:
            return True
        if tok[at, KIND] == WORD and tok[at, TO] - tok[at, FROM] > 3:
            return False
        at -= 1
    return False


@borrowing
def is_first_power(tok: Any, at: int, count: int) -> bool:
    """Return True at the exponent 1, which may as well be left out, as in y^1."""
    if tok[at, HASH] != CARET_HASH or at + 1 == count or tok[at + 1, HASH] != _ONE:
        return False
    return at + 2 == count or tok[at + 2, HASH] not in (SLASH_HASH, _FACTORIAL, CARET_HASH)


@borrowing
def may_be_missing(tok: Any, at: int, count: int, is_asking: bool) -> bool:
    """Return True for a number that a copy may lack, although it may not have another one.

    These are "no two" teams, "all six circles" of the "six circles" before, and the zero of "the
    equation x^2 + n = 0 has".
    """
    own = tok[at, HASH]
    before = tok[at - 1, HASH] if at > 0 else 0
    if own == _TWO and before == _NO:
        return True
    if is_asking or at + 1 == count or tok[at + 1, FLAGS] & BEGINS_SENTENCE:
        return False
    after = tok[at + 1, HASH]
    if own == _ZERO and before == _EQUALITY:
        return is_in(after, _AFTER_EQUATION) and _is_after_sum(tok, at - 2)
    if before == _ALL:
        for place in range(at - 1):
            if tok[place, HASH] == own and _is_number_of(tok, place, at, after):
                return True
    return False


@borrowing
def _is_after_sum(tok: Any, at: int) -> bool:
    """Return True if the formula that goes up to `at` has a plus or minus sign."""
    while at >= 0 and (tok[at, KIND] != WORD or tok[at, TO] - tok[at, FROM] <= 3):
        if tok[at, HASH] in (_PLUS, _MINUS):
            return True
        at -= 1
    return False


@borrowing
def _is_number_of(tok: Any, at: int, end: int, noun: Any) -> bool:
    """Return True if the number at `at` counts the noun, and no other number counts more of it.

    Six is the number of circles in "six congruent circles", but 6 is not that of cards in "6 red
    cards and 9 blue ones".
    """
    place = at + 1
    while place < end and tok[place, HASH] != noun:
        place += 1
    if place > at + 3 or (at > 0 and tok[at - 1, HASH] == _AND):
        return False
    for after in range(place + 1, min(place + 4, end)):
        if tok[after, KIND] == NUMBER:
            return False
    return place < end


@borrowing
def is_apposed(tok: Any, at: int, count: int, values: Any, own: Any) -> bool:
    """Return True for a name beside the noun that it names, if the text has used it before.

    An example is x in "2x + 7 = 3 and 5x = c have the same solution x".
    """
    if at == 0 or tok[at - 1, KIND] != WORD or tok[at - 1, TO] - tok[at - 1, FROM] < 4:
        return False
    if tok[at, FLAGS] & BEGINS_SENTENCE:
        return False
    is_last = at + 1 == count or tok[at + 1, FLAGS] & BEGINS_SENTENCE != 0
    if not is_last and (tok[at + 1, KIND] != WORD or tok[at + 1, TO] - tok[at + 1, FROM] == 1):
        return False
    for value in values:  # noqa: SIM110  (numba compiles no generator)
        if value == own:
            return True
    return False
