"""Reduce a text to the units that a comparison with an item accounts for.

A unit is a content word, a number, a sign, a bracket or a variable. Function words, equality signs
and brackets around a single token are left out, and synonyms become equal (see overlap_words.py).
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import kernel
from mathledger.filters.overlap_features import place_in, stem
from mathledger.filters.overlap_words import AS_NUMBER, DROPPED, LIGHT
from mathledger.text.chars import is_digit, is_letter
from mathledger.text.hashing import hash_bytes, hash_span, mix, signed
from mathledger.text.state import MAX_DEPTH
from mathledger.text.tokens import (
    BEGIN,
    BEGINS_SENTENCE,
    CAPITALISED,
    CARET_HASH,
    FLAGS,
    FROM,
    GROUP,
    HASH,
    KIND,
    MACRO,
    NUMBER,
    ROUND_LEFT_HASH,
    SINGLE_CAPITAL,
    TO,
    WORD,
)

# Kinds of unit. A name is a capitalised word within a sentence; a small word (and, or, after) has
# little weight of its own.
TERM, NAME, SMALL, QUANTITY, SIGN, BRACKET, VARIABLE = range(7)
MAX_LABEL = 4  # Longest name of a figure in capitals, as in ABCD.

_SQUARE_LEFT = int(signed(b"[")[0])
_CURLY = tuple(int(each) for each in signed(b"{", b"}"))
_EQUALITY, _PERCENT, _COLON, _ELLIPSIS, _FACTORIAL = (
    int(each) for each in signed(b"=", b"%", b":", b"...", b"!")
)
_GREEK_LETTERS = """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau phi chi
    psi omega
"""
_GREEK = np.sort(
    np.array(
        [
            hash_bytes(("\\" + name).encode())
            for letter in _GREEK_LETTERS.split()
            for name in (letter, letter.capitalize())
        ],
        np.uint64,
    )
)


class Units(NamedTuple):
    """The units of one text or of all items, one after the other."""

    values: npt.NDArray[np.uint64]
    kinds: npt.NDArray[np.int8]
    begins: npt.NDArray[np.bool_]  # Whether the unit begins a sentence.


@kernel
def empty(size: int) -> Any:
    """Allocate space for units; a text has at most as many as it has tokens and bytes."""
    return Units(np.empty(size, np.uint64), np.empty(size, np.int8), np.empty(size, np.bool_))


@kernel
def _is_upper(data: Any, at: int) -> bool:
    return bool(at < len(data) and 65 <= data[at] <= 90)


@kernel
def _is_pronoun_or_article(tok: Any, at: int, count: int, letter: Any, data: Any) -> bool:
    """Return True if a single letter is "a" or "I" in prose, or follows an apostrophe or a link."""
    begin = tok[at, BEGIN]
    before = data[begin - 1] if begin > 0 else 32
    if before == 39 or before == 93 or (before == 0x99 and data[begin - 2] == 0x80):  # Tom's
        return True
    if letter not in (97, 105) or (letter == 105 and data[begin] == 105):
        return False
    if data[begin] == 65 and begin > 1 and not tok[at, FLAGS] & BEGINS_SENTENCE:
        is_name = is_letter(data[begin - 2]) or is_digit(data[begin - 2])  # As in "box A was".
        if is_name:
            return False
    is_free = before in (32, 10, 40, 34)
    is_before_word = at + 1 < count and (
        (tok[at + 1, KIND] == WORD and tok[at + 1, TO] - tok[at + 1, FROM] > 1)
        or tok[at + 1, KIND] == NUMBER
    )
    return is_free and is_before_word and begin + 1 < len(data) and data[begin + 1] in (32, 10)


@kernel
def _drop_brackets(tok: Any, count: int, is_dropped: Any) -> None:
    """Mark the brackets that say nothing.

    These are curly ones, those without a partner, and round ones around one token, prose, or a
    product such as 2x without a power.
    """
    stack, depth = np.empty(MAX_DEPTH, np.int64), 0
    for at in range(count):
        is_dropped[at] = tok[at, KIND] == GROUP
        if not is_dropped[at] or tok[at, HASH] in _CURLY:
            continue
        if tok[at, HASH] == ROUND_LEFT_HASH or tok[at, HASH] == _SQUARE_LEFT:
            if depth < MAX_DEPTH:
                stack[depth] = at
                depth += 1
        elif depth > 0:
            depth -= 1
            opening = stack[depth]
            is_round = tok[opening, HASH] == ROUND_LEFT_HASH
            if at > opening + 2 and not (is_round and _says_nothing(tok, opening, at, count)):
                is_dropped[opening] = is_dropped[at] = False


@kernel
def _says_nothing(tok: Any, opening: int, closing: int, count: int) -> bool:
    """Return True if two brackets enclose prose, or a product that is no base of a power."""
    is_product = closing == opening + 3
    for at in range(opening + 1, closing):
        if tok[at, KIND] == WORD and tok[at, TO] - tok[at, FROM] > 3:
            return True
        is_product &= tok[at, KIND] in (WORD, NUMBER)
    after = tok[closing + 1, HASH] if closing + 1 < count else 0
    return bool(is_product and after != CARET_HASH and after != _FACTORIAL)


@kernel
def _begins_anew(tok: Any, at: int) -> bool:
    """Return True at a common word with a capital after a formula, as in "2 + 2 = She"."""
    if at == 0 or not tok[at, FLAGS] & CAPITALISED:
        return False
    return bool(tok[at - 1, KIND] != WORD or tok[at - 1, TO] - tok[at - 1, FROM] == 1)


@kernel
def read_units(tok: Any, count: int, spell: Any, data: Any, lexicon: Any, out: Any) -> int:
    """Write the units of a text into out; return their number.

    Args:
        data: The raw text in UTF-8, in which the tokens have their places.
    """
    values, kinds, begins = out
    is_dropped = np.empty(count, np.bool_)
    _drop_brackets(tok, count, is_dropped)
    size, is_begin = 0, True
    for at in range(count):
        is_begin = is_begin or tok[at, FLAGS] & BEGINS_SENTENCE != 0
        value, kind = np.uint64(tok[at, HASH]), SIGN
        if tok[at, KIND] == WORD:
            length = tok[at, TO] - tok[at, FROM]
            begin = tok[at, BEGIN]
            if length == 1 and spell[tok[at, FROM]] < 128:
                if _is_pronoun_or_article(tok, at, count, spell[tok[at, FROM]], data):
                    continue
                kind = VARIABLE
                value = mix(value + np.uint64(tok[at, FLAGS] & SINGLE_CAPITAL))
            elif length <= MAX_LABEL and _is_upper(data, begin) and _is_upper(data, begin + 1):
                if at > 0 and tok[at - 1, KIND] == NUMBER and length == 2:  # As in 8 AM.
                    continue
                for place in range(tok[at, FROM], tok[at, TO]):
                    letter = hash_span(spell, place, place + 1)
                    values[size] = mix(letter + np.uint64(SINGLE_CAPITAL))
                    kinds[size], begins[size] = VARIABLE, is_begin
                    size, is_begin = size + 1, False
                continue
            else:
                value = stem(spell, tok[at, FROM], tok[at, TO])
                kind = TERM
                known = place_in(lexicon.stems, value)
                if known >= 0:
                    is_begin = is_begin or _begins_anew(tok, at)
                    if lexicon.kinds[known] == DROPPED:
                        continue
                    value = lexicon.heads[known]
                    if lexicon.kinds[known] == LIGHT:
                        kind = SMALL
                    elif lexicon.kinds[known] == AS_NUMBER:
                        kind = QUANTITY
                elif tok[at, FLAGS] & CAPITALISED and not is_begin:
                    kind = NAME
        elif tok[at, KIND] == NUMBER:
            kind = QUANTITY
        elif tok[at, KIND] == MACRO:
            if place_in(_GREEK, value) >= 0:
                kind = VARIABLE
            elif tok[at, HASH] == _ELLIPSIS:
                kind = SMALL
        elif tok[at, KIND] == GROUP:
            kind = BRACKET
            if is_dropped[at]:
                continue
        elif tok[at, HASH] == _EQUALITY:
            continue
        elif tok[at, HASH] == _PERCENT or tok[at, HASH] == _COLON:
            kind = SMALL
        values[size], kinds[size], begins[size] = value, kind, is_begin
        size += 1
        is_begin = False
    return size


@kernel
def words(units: Any, out: Any) -> int:
    """Write the sorted distinct words among the units into out; return their number."""
    size = 0
    for at in range(len(units.values)):
        if units.kinds[at] <= SMALL:
            out[size] = units.values[at]
            size += 1
    out[:size].sort()
    kept = 0
    for at in range(size):
        if kept == 0 or out[at] != out[kept - 1]:
            out[kept] = out[at]
            kept += 1
    return kept


@kernel
def quantities(units: Any, out: Any) -> int:
    """Write the sorted numbers among the units, with repeats, into out; return their number."""
    size = 0
    for at in range(len(units.values)):
        if units.kinds[at] == QUANTITY:
            out[size] = units.values[at]
            size += 1
    out[:size].sort()
    return size


@kernel
def cut(units: Any, start: int, end: int) -> Any:
    """Return the units from start to end."""
    return Units(units.values[start:end], units.kinds[start:end], units.begins[start:end])
