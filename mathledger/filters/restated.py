"""Tell which numbers and names of a problem repeat what it says, so that a copy may lack them.

These are "all six circles" of six circles, "no two", "two points A and B", "eighteen (18) plants",
and a name that the text has used before ("the same solution x").
"""

from typing import Any

from mathledger.core.kernels import borrowing
from mathledger.filters.decimals import whole_number
from mathledger.filters.wording import is_named
from mathledger.text.chars import is_letter
from mathledger.text.hashing import signed
from mathledger.text.shapes import is_in
from mathledger.text.tokens import (
    BEGIN,
    BEGINS_SENTENCE,
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

_ELLIPSIS, _ZERO, _TWO = (int(each) for each in signed(b"...", b"0", b"2"))
_MINUS, _PLUS, _EQUALITY = (int(each) for each in signed(b"-", b"+", b"="))
_NO, _AND, _THE, _OF = (int(each) for each in signed(*b"no and the of".split()))
_SAME = signed(*b"all the these those".split())  # Before a number that the text gave before.
_AFTER_EQUATION = signed(*b"has have had whose with are and".split())
_SMALL_NUMBERS = signed(*(str(number).encode() for number in range(2, 10)))
_THOSE = signed(*b"them these those us you".split())
_BE, _MAX_WORDS = signed(*b"are be is were".split()), 3  # Words between a number and its names.


@borrowing
def is_repeated_number(tok: Any, at: int, count: int, data: Any) -> bool:
    """Return True at the bracket of a number in figures after the same one in words: two (2)."""
    if tok[at, HASH] != ROUND_LEFT_HASH or at == 0 or at + 2 >= count:
        return False
    if tok[at - 1, KIND] != NUMBER or tok[at + 1, HASH] != tok[at - 1, HASH]:
        return False
    return is_letter(data[tok[at - 1, BEGIN]]) and bool(tok[at + 2, HASH] == ROUND_RIGHT_HASH)


@borrowing
def may_be_missing(tok: Any, at: int, count: int, spell: Any, data: Any, is_asking: bool) -> bool:
    """Return True for a number that a copy may lack, although it may not have another one.

    These are a problem's number, "no two" teams, "all six circles" and "the six circles" of the
    "six circles" before, "the two of them", "two points A and B", the 3 of "1, 2, 3, ..., 9", and
    the zero of "the equation x^2 + n = 0 has".
    """
    own = tok[at, HASH]
    before = tok[at - 1, HASH] if at > 0 else 0
    if own == _TWO and before == _NO:
        return True
    if at == 0 and _is_label(tok, count, data):
        return True
    if _goes_without_saying(tok, at, count, spell):
        return True
    if is_in(own, _SMALL_NUMBERS) and _counts_names(tok, at, count):
        return True
    if before == _THE and at + 2 < count and tok[at + 1, HASH] == _OF:
        return is_in(tok[at + 2, HASH], _THOSE)
    if at + 1 == count or tok[at + 1, FLAGS] & BEGINS_SENTENCE:
        return False
    after = tok[at + 1, HASH]
    if own == _ZERO and before == _EQUALITY and not is_asking:
        return is_in(after, _AFTER_EQUATION) and _is_after_sum(tok, at - 2)
    if is_in(before, _SAME):
        for place in range(at - 1):
            if tok[place, HASH] == own and _is_number_of(tok, place, at, after):
                return True
    return False


@borrowing
def _goes_without_saying(tok: Any, at: int, count: int, spell: Any) -> bool:
    """Return True for the 3 and the 8 of 1, 2, 3, ..., 8, 9, which the steps of the list imply."""
    if at > 0 and tok[at - 1, HASH] == _ELLIPSIS:
        step = whole_number(tok, at + 1, count, spell) - whole_number(tok, at, count, spell)
        return step == 1 and whole_number(tok, at, count, spell) >= 0
    if at < 2 or tok[at - 1, KIND] != NUMBER or tok[at - 2, KIND] != NUMBER:
        return False
    after = at + 1
    while after < count and tok[after, KIND] == NUMBER:
        after += 1
    if after >= count or tok[after, HASH] != _ELLIPSIS:
        return False
    third, second, first = (
        whole_number(tok, at, count, spell),
        whole_number(tok, at - 1, count, spell),
        whole_number(tok, at - 2, count, spell),
    )
    return bool(min(first, second, third) >= 0 and third - second == second - first)


@borrowing
def _is_label(tok: Any, count: int, data: Any) -> bool:
    """Return True if a text begins with the problem's number, as in "11 A farmer" and "11) Ann"."""
    if count < 2:
        return False
    return bool(tok[1, HASH] == ROUND_RIGHT_HASH or 65 <= data[tok[1, BEGIN]] <= 90)


@borrowing
def _counts_names(tok: Any, at: int, count: int) -> bool:
    """Return True for the number of names that are listed after it or, with a verb, before it.

    Examples are "two points A and B" and "a, b, c and d are four distinct numbers".
    """
    first = at + 1
    while first < count and first - at <= _MAX_WORDS and not is_named(tok[first]):
        if tok[first, KIND] != WORD or tok[first, FLAGS] & BEGINS_SENTENCE:
            break
        first += 1
    num_names = 0
    while first > at + 1 and first < count and not tok[first, FLAGS] & BEGINS_SENTENCE:
        if is_named(tok[first]):
            num_names += 1
        elif tok[first, HASH] != _AND:
            break
        first += 1
    if num_names > 1 and tok[at, HASH] == _SMALL_NUMBERS[min(num_names - 2, 7)]:
        return True
    last, num_names = at - 1, 0
    if last < 0 or not is_in(tok[last, HASH], _BE) or tok[at, FLAGS] & BEGINS_SENTENCE:
        return False
    last -= 1
    while last >= 0 and (is_named(tok[last]) or tok[last, HASH] == _AND):
        num_names += is_named(tok[last])
        if tok[last, FLAGS] & BEGINS_SENTENCE:
            break
        last -= 1
    return bool(num_names > 1 and tok[at, HASH] == _SMALL_NUMBERS[min(num_names - 2, 7)])


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
