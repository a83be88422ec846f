r"""Tell which tokens of a text say nothing, or may be missing, when it is compared with an item.

These are signs and brackets that only typography needs, such as the sign before an ellipsis, and
words such as *further* in "suppose further".
"""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.filters.overlap_features import place_in, stem
from mathledger.filters.overlap_words import DROPPED, LIGHT
from mathledger.filters.restated import is_repeated_number
from mathledger.text.chars import COMMA, NOT_ASCII
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
_MINUS, _PLUS, _ELLIPSIS, _FACTORIAL = (int(each) for each in signed(b"-", b"+", b"...", b"!"))
_MANY, _OF, _NUMBER_WORD, _ALL, _S, _FURTHER = (
    int(each) for each in signed(*b"many of number all s further".split())
)
_TIMES, _EACH, _APIECE, _ONE_WORD = (
    int(each) for each in signed(*b"times each apiece one".split())
)
_CAN, _T, _INTEGER = (int(each) for each in signed(*b"can t integer".split()))
_MULTIPLES = signed(b"multiple", b"multiples")
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
_VERBS = signed(*b"does did do will would can could should must is was has had".split())
_HOLDING = signed(*b"with of".split())
_RATES = signed(
    *b"hour hr minute min second sec day week month year lb kg km mile gallon oz person".split()
)
_TIMES_PER = signed(*b"s sec secs second min mins minute h hr hour".split())
_DISTANCES = signed(*b"in inches ft yards mi miles mm cm km".split())
_MAX_NOUN = 4  # Tokens of a number and its noun.
_O = int(signed(b"o")[0])
_ONE = int(signed(b"1")[0])
_EVENLY = int(signed(b"evenly")[0])
_BAR, _COLON = (int(value) for value in signed(b"|", b":"))
_MAX_ELEMENT = 8  # Tokens of the element of a set.
_MAX_NORM = 12  # Tokens between double bars.
_HALVES = signed(b"am", b"pm")
_SIDES, _SUMS = signed(b"side", b"sides"), signed(b"sum", b"sums")
_SUPPOSE = signed(b"suppose", b"assume", b"given")
_BELOW, _ARTICLES = signed(b"below", b"above"), signed(*b"the a an its each every".split())
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
def run_of_needless(tok: Any, at: int, count: int, data: Any) -> int:
    """Return how many tokens from a sign on say nothing."""
    if is_first_power(tok, at, count):
        return 2
    if is_repeated_number(tok, at, count, data):
        return 3
    if divides_set(tok, at) or is_silent(tok, at, count, data) or _doubles_bar(tok, at, count):
        return 1
    return 0


@borrowing
def is_negation(tok: Any, at: int) -> bool:
    """Return True at the t of can't."""
    if at == 0 or tok[at, HASH] != _T or tok[at - 1, HASH] != _CAN:
        return False
    return bool(tok[at, BEGIN] - tok[at - 1, END] <= 3)  # An apostrophe has up to three bytes.


@borrowing
def is_dash(tok: Any, at: int, count: int, spell: Any, data: Any, lexicon: Any) -> bool:
    """Return True for a hyphen between blanks that a function word follows, as in " - and ".

    A longer dash may stand between any two words: "three people -- Ann, Bob and Cid".
    """
    begin = tok[at, BEGIN]
    is_long = data[begin] > NOT_ASCII
    stop = begin + (3 if is_long else 1)
    if tok[at, HASH] != _MINUS or at + 1 == count or begin == 0 or stop + 1 >= len(data):
        return False
    first, end = tok[at + 1, FROM], tok[at + 1, TO]
    if tok[at + 1, KIND] != WORD or end - first < 3 or data[begin - 1] != 32:
        return False
    is_long = is_long and at > 0 and data[stop] == 32
    if is_long and tok[at - 1, KIND] == WORD and tok[at - 1, TO] - tok[at - 1, FROM] > 2:
        return True
    if data[stop] != 32 or place_in(lexicon.exact, np.uint64(tok[at + 1, HASH])) >= 0:
        return bool(data[stop] == 32)
    known = place_in(lexicon.stems, stem(spell, first, end))
    return bool(known >= 0 and lexicon.kinds[known] in (DROPPED, LIGHT))


@borrowing
def is_implied(tok: Any, at: int, count: int, value: Any, lexicon: Any) -> bool:
    """Return True for a word that says nothing.

    Examples are side *length*, how many *different* ones, suppose *further*, the *sum* m + n, and
    an *integer* multiple. *Evenly* has the stem of even numbers.
    """
    before = tok[at - 1, HASH] if at > 0 else 0
    own = tok[at, HASH]
    if own == _EVENLY:
        return True
    if own == _INTEGER:
        return bool(at + 1 < count and is_in(tok[at + 1, HASH], _MULTIPLES))
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
    if is_in(tok[at - 1, HASH], _DISTANCES) and is_in(tok[at + 1, HASH], _TIMES_PER):
        return True
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
        if tok[place, KIND] == NUMBER or tok[place, HASH] == _ONE_WORD:
            return place == 0 or not is_in(tok[place - 1, HASH], _HOLDING)
    return False


@borrowing
def asks_for_each(tok: Any, at: int) -> bool:
    """Return True at the word each after a verb, as in "how many does each child get"."""
    return bool(tok[at, HASH] == _EACH and at > 0 and is_in(tok[at - 1, HASH], _VERBS))


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
def _doubles_bar(tok: Any, at: int, count: int) -> bool:
    """Return True at the first of two bars before or after a name, as in ||v||, which is |v|."""
    if tok[at, HASH] != _BAR or at + 1 >= count or tok[at + 1, HASH] != _BAR:
        return False
    for step in (-1, 1):
        place = at + 2 if step > 0 else at - 1
        first = place
        while 0 <= place < count and abs(place - first) < _MAX_NORM and tok[place, HASH] != _BAR:
            place += step
        other = place + step
        is_inside = place != first and min(place, other) >= 0 and max(place, other) < count
        if is_inside and tok[place, HASH] == _BAR and tok[other, HASH] == _BAR:
            return True
    return False


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
