"""Read fractions that are decimals, so that 1/2, 2 1/2 and two and a half are 0.5, 2.5 and 2.5."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text.chars import COMMA, FULL_STOP, SEMICOLON, ZERO, is_digit
from mathledger.text.hashing import PRIME, SEED, mix
from mathledger.text.tokens import BEGIN, END, FROM, HASH, KIND, NUMBER, SLASH_HASH, TO

_MAX_DIGITS = 6
_THOUSAND = 1000


@borrowing
def read_fraction(tok: Any, at: int, count: int, spell: Any, data: Any) -> tuple[Any, int]:
    """Return the hash of the decimal that a fraction from here on is, and its last token, or 0, at.

    The fraction is reduced and has at most three decimals; 1/3 and 2/4 are none.
    """
    whole, first = 0, at
    if _is_mixed(tok, at, count, data):
        whole, first = whole_number(tok, at, count, spell), at + 1
    elif not _is_fraction(tok, at, count):
        return np.uint64(0), at
    over, under = whole_number(tok, first, count, spell), whole_number(tok, first + 2, count, spell)
    if min(whole, over) < 0 or under < 2 or _THOUSAND % under != 0:
        return np.uint64(0), at
    for factor in (2, 5):
        if over % factor == 0 and under % factor == 0:
            return np.uint64(0), at
    return _hash((whole * under + over) * (_THOUSAND // under)), first + 2


@borrowing
def _is_fraction(tok: Any, at: int, count: int) -> bool:
    """Return True for a number over a number, unless the date 3/4/05 goes on."""
    if at + 2 >= count or tok[at, KIND] != NUMBER or tok[at + 2, KIND] != NUMBER:
        return False
    if tok[at + 1, HASH] != SLASH_HASH or (at > 0 and tok[at - 1, HASH] == SLASH_HASH):
        return False
    return bool(at + 3 >= count or tok[at + 3, HASH] != SLASH_HASH)


@borrowing
def _is_mixed(tok: Any, at: int, count: int, data: Any) -> bool:
    """Return True for a number before a fraction without a comma between them."""
    if at + 3 >= count or not _is_fraction(tok, at + 1, count):
        return False
    for place in range(tok[at, END], tok[at + 1, BEGIN]):
        if data[place] == COMMA or data[place] == SEMICOLON:
            return False
    return True


@borrowing
def whole_number(tok: Any, at: int, count: int, spell: Any) -> int:
    """Return the value of a whole number of up to six digits, or -1."""
    if at >= count or tok[at, KIND] != NUMBER or tok[at, TO] - tok[at, FROM] > _MAX_DIGITS:
        return -1
    value = 0
    for place in range(tok[at, FROM], tok[at, TO]):
        if not is_digit(spell[place]):
            return -1
        value = 10 * value + int(spell[place]) - ZERO
    return value


@borrowing
def _hash(thousandths: int) -> Any:
    """Return the hash of the canonical spelling of a number, given in thousandths."""
    value, power = SEED, 1
    whole, rest = thousandths // _THOUSAND, thousandths % _THOUSAND
    while power * 10 <= whole:
        power *= 10
    while power > 0:
        value = (value ^ np.uint8(ZERO + whole // power % 10)) * PRIME
        power //= 10
    if rest > 0:
        value = (value ^ np.uint8(FULL_STOP)) * PRIME
    power = 100
    while rest > 0:
        value = (value ^ np.uint8(ZERO + rest // power)) * PRIME
        rest, power = rest % power, power // 10
    return mix(value)
