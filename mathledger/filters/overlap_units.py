"""Reduce a text to the units that a comparison with an item accounts for.

A unit is a content word, a number, a sign, a bracket or a variable. Function words, equality signs
and brackets around a single token are left out, and synonyms become equal (see overlap_words.py).
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import kernel
from mathledger.filters.asides import mark_asides
from mathledger.filters.overlap_features import place_in, stem
from mathledger.filters.overlap_words import AS_NUMBER, DROPPED, LIGHT
from mathledger.filters.slips import KNOWN, pack
from mathledger.text.chars import is_digit, is_letter
from mathledger.text.hashing import hash_bytes, hash_small, mix, signed
from mathledger.text.state import MAX_DEPTH
from mathledger.text.tokens import (
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
    MACRO,
    NUMBER,
    ROUND_LEFT_HASH,
    SINGLE_CAPITAL,
    SLASH_HASH,
    TO,
    WORD,
)
from mathledger.text.wrappers import is_wrapped

# Kinds of unit. A name is a capitalised word within a sentence; a small word (and, or, after) has
# little weight of its own; a REMARK (see asides.py) may be missing; a NOTED unit may be missing,
# but may not differ.
TERM, NAME, SMALL, QUANTITY, SIGN, BRACKET, VARIABLE, REMARK, NOTED = range(9)
LEFT_OUT = -1  # Kind of a token that is not a unit.
_REMARKS = (TERM, REMARK, NOTED)  # By the marks of asides.py.
MAX_LABEL = 4  # Longest name of a figure in capitals, as in ABCD.

_SQUARE_LEFT = int(signed(b"[")[0])
_CURLY = tuple(int(each) for each in signed(b"{", b"}"))
_EQUALITY, _LESS, _MORE, _PERCENT, _COLON, _ELLIPSIS, _FACTORIAL, _TH, _M, _ANGLE = (
    int(each) for each in signed(b"=", b"<", b">", b"%", b":", b"...", b"!", b"th", b"m", b"angle")
)
_MINUS, _MANY, _OF, _NUMBER_WORD, _CONGRUENT = (
    int(each) for each in signed(b"-", b"many", b"of", b"number", b"\\cong")
)
_ONE, _NUMBER_ONE = int(signed(b"one")[0]), np.uint64(hash_bytes(b"1"))
_SIDES = signed(b"side", b"sides")
# Words that make one word with the next one, with a hyphen or without.
_PREFIXES = np.sort(
    np.array(
        [
            hash_bytes(each)
            for each in b"non co semi sub grand pre re mid anti multi counter inter in".split()
        ],
        np.uint64,
    )
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
    asks: npt.NDArray[np.bool_]  # Whether the unit is a part of a question.
    # The letters of a word, see slips.py; or 1 for a variable that is joined to the one before.
    letters: npt.NDArray[np.uint64]


@kernel
def empty(size: int) -> Any:
    """Allocate space for units; a text has at most as many as it has tokens and bytes."""
    values, kinds = np.empty(size, np.uint64), np.empty(size, np.int8)
    begins, asks = np.empty(size, np.bool_), np.empty(size, np.bool_)
    return Units(values, kinds, begins, asks, np.empty(size, np.uint64))


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
    letter = np.uint8(letter | 32)
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
    """Return True if two brackets enclose prose, or a product that is not the base of a power."""
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
def read_units(
    tok: Any, count: int, spell: Any, data: Any, wrapper: Any, lexicon: Any, out: Any
) -> int:
    """Write the units of a text, without its answer's wrapper, into out; return their number.

    Args:
        data: The raw text in UTF-8, in which the tokens have their places.
    """
    values, kinds, begins, asks, letters = out
    is_dropped, is_asked = np.empty(count, np.bool_), np.empty(count, np.bool_)
    remarks = np.zeros(count, np.int8)
    _drop_brackets(tok, count, is_dropped)
    mark_asides(tok, count, data, wrapper, is_asked, remarks)
    size, is_begin, at = 0, True, -1
    while at + 1 < count:
        at += 1
        is_begin = is_begin or tok[at, FLAGS] & BEGINS_SENTENCE != 0
        if is_wrapped(wrapper, at):
            continue
        is_asking, remark, token_kind, first = is_asked[at], remarks[at], tok[at, KIND], at
        if token_kind == WORD and _is_label(tok, at, data):
            if at > 0 and tok[at - 1, KIND] == NUMBER and tok[at, TO] - tok[at, FROM] == 2:
                continue  # As in 8 AM.
            for place in range(tok[at, FROM], tok[at, TO]):
                values[size] = mix(hash_small(spell[place]) + np.uint64(SINGLE_CAPITAL))
                kinds[size] = _REMARKS[remark] if remark else VARIABLE
                begins[size], asks[size] = is_begin, is_asking
                letters[size] = place > tok[at, FROM]
                size, is_begin = size + 1, False
            continue
        if token_kind == WORD:
            kind, value, at, is_begin = _word(tok, at, count, spell, data, is_begin, lexicon)
        elif token_kind == NUMBER:
            kind, value, at = _number(tok, at, count, data)
        else:
            kind, value = _sign(tok, at, count, data, is_dropped[at], lexicon)
            if _is_dash(tok, at, count, spell, data, lexicon):
                continue
        if kind == LEFT_OUT or (kind == TERM and _is_implied(tok, at, value, lexicon)):
            continue
        values[size], kinds[size] = value, _REMARKS[remark] if remark else kind
        begins[size], asks[size] = is_begin, is_asking
        letters[size] = kind == VARIABLE and _is_factor(tok, at, data)
        if kind <= NAME and token_kind == WORD:
            letters[size] = pack(spell, tok[first, FROM], tok[at, TO])
            if place_in(lexicon.listed, value) >= 0:
                letters[size] |= KNOWN
        size += 1
        is_begin = False
    return size


@kernel
def _is_label(tok: Any, at: int, data: Any) -> bool:
    """Return True for the names of up to four points, as in ABC."""
    size, begin = tok[at, TO] - tok[at, FROM], tok[at, BEGIN]
    return 1 < size <= MAX_LABEL and _is_upper(data, begin) and _is_upper(data, begin + 1)


@kernel
def _word(
    tok: Any, at: int, count: int, spell: Any, data: Any, is_begin: bool, lexicon: Any
) -> tuple[int, Any, int, bool]:
    """Read a word; return its kind, its value, its last token and if it begins a sentence."""
    first, end = tok[at, FROM], tok[at, TO]
    value = np.uint64(tok[at, HASH])
    if end - first == 1 and spell[first] < 128:
        is_measure = tok[at, HASH] == _M and at + 1 < count and tok[at + 1, HASH] == _ANGLE
        if is_measure or _is_pronoun_or_article(tok, at, count, spell[first], data):
            return LEFT_OUT, value, at, is_begin
        value = hash_small(spell[first])  # C remains a capital where c is a name, too.
        return VARIABLE, mix(value + np.uint64(tok[at, FLAGS] & SINGLE_CAPITAL)), at, is_begin
    last = at + int(_is_prefix(tok, at, count, data))
    value = stem(spell, first, tok[last, TO])
    known = place_in(lexicon.stems, value)
    if known < 0:
        is_name = tok[at, FLAGS] & CAPITALISED != 0 and not is_begin
        return NAME if is_name else TERM, value, last, is_begin
    is_begin = is_begin or _begins_anew(tok, at)
    own = lexicon.kinds[known]
    if own == DROPPED:
        if tok[at, HASH] == _ONE:  # It may stand for 1, and may be a pronoun.
            return REMARK, _NUMBER_ONE, last, is_begin
        return LEFT_OUT, value, last, is_begin
    kind = SMALL if own == LIGHT else QUANTITY if own == AS_NUMBER else TERM
    return kind, lexicon.heads[known], last, is_begin


@kernel
def _number(tok: Any, at: int, count: int, data: Any) -> tuple[int, Any, int]:
    """Read a number, a fraction of two numbers or an ordinal; return kind, value and last token.

    An ordinal in words, as in "the third child", is a word of the story.
    """
    value = np.uint64(tok[at, HASH])
    after = tok[at + 1, HASH] if at + 1 < count else 0
    if after == _TH:
        return TERM if is_letter(data[tok[at, BEGIN]]) else QUANTITY, mix(value), at + 1
    if after == SLASH_HASH and at + 2 < count and tok[at + 2, KIND] == NUMBER:
        return QUANTITY, mix(value + mix(np.uint64(tok[at + 2, HASH]))), at + 2
    return QUANTITY, value, at


@kernel
def _sign(
    tok: Any, at: int, count: int, data: Any, is_dropped: bool, lexicon: Any
) -> tuple[int, Any]:
    """Read an operator, a bracket or a macro; return its kind and its value."""
    value, own = np.uint64(tok[at, HASH]), tok[at, HASH]
    if tok[at, KIND] == MACRO:
        if place_in(_GREEK, value) >= 0:
            return VARIABLE, value
        if own == _CONGRUENT:
            return LEFT_OUT, value
        return SMALL if own == _ELLIPSIS else SIGN, value
    if tok[at, KIND] == GROUP:
        return LEFT_OUT if is_dropped else BRACKET, value
    if own == _EQUALITY or (own == SLASH_HASH and _is_per(tok, at, count)):
        return LEFT_OUT, value
    if own in (_LESS, _MORE):
        kind = TERM if is_letter(data[tok[at, BEGIN]]) else SIGN
        return kind, lexicon.less if own == _LESS else lexicon.more
    return SMALL if own in (_PERCENT, _COLON) else SIGN, value


@kernel
def _is_dash(tok: Any, at: int, count: int, spell: Any, data: Any, lexicon: Any) -> bool:
    """Return True for a hyphen between blanks that a function word follows, as in " - and "."""
    begin = tok[at, BEGIN]
    if tok[at, HASH] != _MINUS or at + 1 == count or begin == 0 or begin + 2 >= len(data):
        return False
    first, end = tok[at + 1, FROM], tok[at + 1, TO]
    if tok[at + 1, KIND] != WORD or end - first < 3 or data[begin - 1] != 32:
        return False
    known = place_in(lexicon.stems, stem(spell, first, end))
    return bool(data[begin + 1] == 32 and known >= 0 and lexicon.kinds[known] in (DROPPED, LIGHT))


@kernel
def _is_factor(tok: Any, at: int, data: Any) -> bool:
    """Return True if no comma and no word is between two names, as in a product."""
    if at == 0 or tok[at - 1, KIND] != WORD or tok[at - 1, TO] - tok[at - 1, FROM] != 1:
        return False
    for place in range(tok[at - 1, END], tok[at, BEGIN]):
        if data[place] in (44, 59, 46, 40, 41):  # , ; . ( )
            return False
    return True


@kernel
def _is_implied(tok: Any, at: int, value: Any, lexicon: Any) -> bool:
    """Return True for a word that says nothing: side length, how many different ones."""
    if at == 0:
        return False
    before = tok[at - 1, HASH]
    if value == lexicon.length:
        return bool(before in _SIDES)
    is_counted = before == _MANY or (at > 1 and before == _OF and tok[at - 2, HASH] == _NUMBER_WORD)
    return bool(is_counted and value == lexicon.distinct)


@kernel
def _is_prefix(tok: Any, at: int, count: int, data: Any) -> bool:
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


@kernel
def _is_per(tok: Any, at: int, count: int) -> bool:
    """Return True for the slash between two units of measurement, as in feet/minute."""
    if at == 0 or at + 1 == count or tok[at - 1, KIND] != WORD or tok[at + 1, KIND] != WORD:
        return False
    before, after = tok[at - 1, TO] - tok[at - 1, FROM], tok[at + 1, TO] - tok[at + 1, FROM]
    return bool(max(before, after) > 3 and min(before, after) > 1)


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
    return Units(
        units.values[start:end],
        units.kinds[start:end],
        units.begins[start:end],
        units.asks[start:end],
        units.letters[start:end],
    )
