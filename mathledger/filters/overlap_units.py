"""Reduce a text to the units that a comparison with an item accounts for.

A unit is a content word, a number, a sign, a bracket or a variable. Function words, equality signs
and brackets around a single token are left out, and synonyms become equal (see overlap_words.py).
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import allocating, borrowing, kernel
from mathledger.filters.aside_words import NOTED as NOTED_MARK
from mathledger.filters.asides import mark_asides
from mathledger.filters.decimals import read_fraction
from mathledger.filters.enumerators import mark_enumerators
from mathledger.filters.letters import is_factor, is_label, is_pronoun_or_article
from mathledger.filters.measures import in_dollars, is_in_cents, measure_of
from mathledger.filters.needless import (
    adds_up,
    asks_for_each,
    begins_anew,
    is_dash,
    is_degree,
    is_half_of_day,
    is_implied,
    is_multiple,
    is_negation,
    is_per,
    is_prefix,
    places_figure,
    run_of_needless,
    shares_out,
)
from mathledger.filters.number_sets import begins_membership, read_set
from mathledger.filters.overlap_brackets import COMMA, ENCLOSING, SEPARATOR, read_brackets
from mathledger.filters.overlap_features import place_in, stem
from mathledger.filters.overlap_indices import CLOSING, POWER, put_indices_first
from mathledger.filters.overlap_words import (
    AS_NUMBER,
    COMPOUND,
    DROPPED,
    LIGHT,
    MIN_STEMMED,
    TOTAL,
)
from mathledger.filters.restated import is_apposed, may_be_missing
from mathledger.filters.slips import KNOWN, pack
from mathledger.filters.wording import is_unknown
from mathledger.text.chars import is_letter
from mathledger.text.hashing import hash_bytes, hash_small, mix, signed
from mathledger.text.names import capital_code, letter_bit, survey
from mathledger.text.shapes import is_in
from mathledger.text.tokens import (
    BEGIN,
    BEGINS_SENTENCE,
    BLACKBOARD,
    CAPITALISED,
    CARET_HASH,
    DEGREE_HASH,
    FLAGS,
    FROM,
    GROUP,
    HASH,
    KIND,
    MACRO,
    NUMBER,
    ROUND_LEFT_HASH,
    ROUND_RIGHT_HASH,
    SINGLE_CAPITAL,
    SLASH_HASH,
    SQUARE_LEFT_HASH,
    TO,
    UNDERSCORE_HASH,
    WORD,
)
from mathledger.text.wrappers import is_wrapped

# Kinds of unit. A name is a capitalised word within a sentence; a small word (and, or, after) has
# little weight of its own; a REMARK (see asides.py) may be missing; a NOTED unit may be missing,
# but may not differ.
TERM, NAME, SMALL, QUANTITY, SIGN, BRACKET, VARIABLE, REMARK, NOTED = range(9)
LEFT_OUT, PARTS = -1, -2  # Kinds of a token that is not a unit, and of a word with several.
_REMARKS = (TERM, REMARK, NOTED)  # By the marks of asides.py.

_EQUALITY, _PERCENT, _COLON, _ELLIPSIS, _TH, _M, _ANGLE, _CONGRUENT = (
    int(each) for each in signed(*rb"= % : ... th m angle \cong".split())
)
_RELATIONS = tuple(int(each) for each in signed(*b"< > <= >=".split()))
_ONES = signed(b"one", b"once")
_TOTALS = signed(*b"total altogether combined".split())
NUMBER_ONE = np.uint64(hash_bytes(b"1"))
# Marks in the place of a unit's letters.
JOINED, LOOSE, FIXED, SHARING = 1, 2, 3, 4
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
    # The letters of a word, see slips.py. JOINED marks a variable that belongs to the one before;
    # LOOSE, a number or variable that may be missing; FIXED, a letter that is no other name, as in
    # \mathbb{R}, x-axis and 5 m; SHARING, the word each after what is shared out: 12 books each.
    letters: npt.NDArray[np.uint64]


@kernel
def empty(size: int) -> Any:
    """Allocate space for units; a text has at most as many as it has tokens and bytes."""
    values, kinds = np.empty(size, np.uint64), np.empty(size, np.int8)
    begins, asks = np.empty(size, np.bool_), np.empty(size, np.bool_)
    return Units(values, kinds, begins, asks, np.empty(size, np.uint64))


@borrowing
def _is_fixed(tok: Any, at: int, count: int, spell: Any, fixed: Any) -> bool:
    return bool(tok[at, FLAGS] & BLACKBOARD or letter_bit(tok, at, count, spell) & fixed)


@borrowing
def _write_label(tok: Any, at: int, spell: Any, names: Any, out: Any, size: int) -> int:
    """Write a variable for each letter of a label such as ABC; return the number of units then.

    The kind of the first one, and what it begins and asks, are already there.
    """
    values, kinds, begins, asks, letters = out
    (fixed, is_spelled), first = names, size
    for place in range(tok[at, FROM], tok[at, TO]):
        values[size] = mix(hash_small(spell[place]) + np.uint64(SINGLE_CAPITAL))
        kinds[size], asks[size] = kinds[first], asks[first]
        begins[size] = begins[first] and size == first
        is_fixed = is_spelled or fixed >> capital_code(spell[place]) & 1
        letters[size] = FIXED if is_fixed else JOINED * (size > first)
        size += 1
    return size


@allocating
def read_units(
    tok: Any, count: int, spell: Any, data: Any, wrapper: Any, lexicon: Any, out: Any
) -> int:
    """Write the units of a text, without its answer's wrapper, into out; return their number.

    Args:
        data: The raw text in UTF-8, in which the tokens have their places.
    """
    values, kinds, begins, asks, letters = out
    is_asked, remarks = np.empty(count, np.bool_), np.zeros(count, np.int8)
    is_dropped, vectors = read_brackets(tok, count, data)
    is_mark = mark_enumerators(tok, count, data)
    _, fixed, is_spelled = survey(tok, count, spell)
    mark_asides(tok, count, data, wrapper, is_asked, remarks)
    size, is_begin, at, has_late_index = 0, True, -1, False
    while at + 1 < count:
        at += 1
        is_begin = is_begin or tok[at, FLAGS] & BEGINS_SENTENCE != 0
        if is_wrapped(wrapper, at) or is_mark[at]:
            continue
        is_asking, remark, token_kind, first = is_asked[at], remarks[at], tok[at, KIND], at
        is_loose, is_fold, is_sum = False, is_multiple(tok, at, count), adds_up(tok, at)
        if is_fold or is_sum or is_half_of_day(tok, at):
            values[size] = lexicon.fold if is_fold else np.uint64(tok[at, HASH])
            kinds[size], letters[size] = REMARK if is_fold or is_sum else SMALL, SHARING * is_sum
            begins[size], asks[size] = is_begin, is_asking
            size, is_begin = size + 1, False
            continue
        if token_kind == WORD and is_label(tok, at, data):
            kinds[size] = _REMARKS[remark] if remark else VARIABLE
            begins[size], asks[size] = is_begin, is_asking
            size, is_begin = _write_label(tok, at, spell, (fixed, is_spelled), out, size), False
            continue
        if token_kind == WORD:
            kind, value, at, is_begin = _word(tok, at, count, spell, data, is_begin, lexicon)
            if kind == VARIABLE and not is_asking:
                is_loose = is_apposed(tok, at, count, values[:size], value)
            elif kind == PARTS:
                for part in lexicon.parts[np.int64(value)]:
                    values[size], kinds[size] = part, _REMARKS[remark]
                    begins[size], asks[size], letters[size] = is_begin, is_asking, 0
                    size, is_begin = size + int(part != 0), is_begin and part == 0
                continue
        elif token_kind == NUMBER:
            is_loose = may_be_missing(tok, at, count, spell, data, is_asking)
            kind, value, at = _number(tok, at, count, spell, data)
        else:
            num_needless = run_of_needless(tok, at, count, data)
            if num_needless > 0 or is_dash(tok, at, count, spell, data, lexicon):
                at += max(0, num_needless - 1)
                continue
            kind, value = _sign(tok, at, count, data, (is_dropped[at], vectors[at]), lexicon)
            if tok[at, HASH] == CARET_HASH and is_degree(tok, at, count):
                value, at = np.uint64(DEGREE_HASH), at + 1
            elif tok[at, HASH] == UNDERSCORE_HASH and size > 1:
                has_late_index |= values[size - 2] == POWER or values[size - 1] == CLOSING
        if kind == LEFT_OUT or (kind == TERM and is_implied(tok, at, count, value, lexicon)):
            continue
        if kind == TERM and places_figure(tok, at, count, data):
            remark = NOTED_MARK
        values[size], kinds[size] = value, _REMARKS[remark] if remark else kind
        begins[size], asks[size], letters[size] = is_begin, is_asking, LOOSE * is_loose
        if kind == VARIABLE and _is_fixed(tok, first, count, spell, fixed):
            letters[size] = FIXED
        elif kind == VARIABLE and is_factor(tok, at, data):
            letters[size] = JOINED
        elif value == lexicon.each:
            if not (shares_out(tok, first, count) or (is_asking and asks_for_each(tok, first))):
                continue
            kinds[size], letters[size] = REMARK, SHARING * shares_out(tok, first, count)
        if kind <= NAME and token_kind == WORD:
            letters[size] = pack(spell, tok[first, FROM], tok[at, TO])
            if place_in(lexicon.listed, value) >= 0:
                letters[size] |= KNOWN
        size, is_begin = size + 1, False
    if has_late_index:
        put_indices_first(out, size)
    return size


@borrowing
def _word(
    tok: Any, at: int, count: int, spell: Any, data: Any, is_begin: bool, lexicon: Any
) -> tuple[int, Any, int, bool]:
    """Read a word; return its kind, its value, its last token and if it begins a sentence."""
    first, end = tok[at, FROM], tok[at, TO]
    value = measure_of(tok, at, count, data, lexicon)
    if value != 0:
        return TERM, value, at, is_begin
    value = np.uint64(tok[at, HASH])
    known, last = read_set(tok, at, count, spell, lexicon)
    if known >= 0:
        return PARTS, lexicon.heads[known], last, is_begin
    if end - first == 1 and spell[first] < 128:
        if is_negation(tok, at):
            return TERM, lexicon.negation, at, is_begin
        is_measure = tok[at, HASH] == _M and at + 1 < count and tok[at + 1, HASH] == _ANGLE
        if is_measure or is_pronoun_or_article(tok, at, count, spell[first], data):
            return LEFT_OUT, value, at, is_begin
        value = hash_small(spell[first])  # C remains a capital where c is a name, too.
        return VARIABLE, mix(value + np.uint64(tok[at, FLAGS] & SINGLE_CAPITAL)), at, is_begin
    if is_unknown(tok, at, count):
        return QUANTITY, value, at, is_begin
    last = at + int(is_prefix(tok, at, count, data))
    value = stem(spell, first, tok[last, TO])
    is_short = last == at and end - first < MIN_STEMMED
    if is_short and place_in(lexicon.exact, np.uint64(tok[at, HASH])) >= 0:
        is_one = is_in(tok[at, HASH], _ONES)  # It may stand for 1, and may be a pronoun.
        return REMARK if is_one else LEFT_OUT, NUMBER_ONE, at, is_begin or begins_anew(tok, at)
    known = place_in(lexicon.stems, value)
    if known < 0:
        is_name = tok[at, FLAGS] & CAPITALISED != 0 and not is_begin
        return NAME if is_name else TERM, value, last, is_begin
    is_begin = is_begin or begins_anew(tok, at)
    own = lexicon.kinds[known]
    if own == COMPOUND:
        return PARTS, lexicon.heads[known], last, is_begin
    if own == DROPPED:
        if is_in(tok[at, HASH], _TOTALS):
            return REMARK, TOTAL, last, is_begin
        return LEFT_OUT, value, last, is_begin
    kind = SMALL if own == LIGHT else QUANTITY if own == AS_NUMBER else TERM
    return kind, lexicon.heads[known], last, is_begin


@borrowing
def _number(tok: Any, at: int, count: int, spell: Any, data: Any) -> tuple[int, Any, int]:
    """Read a number, a fraction, an ordinal or an amount in cents; return kind, value, last token.

    An ordinal in words, as in "the third child", is a word of the story.
    """
    value = np.uint64(tok[at, HASH])
    after = tok[at + 1, HASH] if at + 1 < count else 0
    if after == _TH:
        return TERM if is_letter(data[tok[at, BEGIN]]) else QUANTITY, mix(value), at + 1
    if is_in_cents(tok, at, count, data):
        return QUANTITY, in_dollars(spell, tok[at, FROM], tok[at, TO]), at + 1
    decimal, last = read_fraction(tok, at, count, spell, data)
    if last > at:
        return QUANTITY, decimal, last
    if after == SLASH_HASH and at + 2 < count and tok[at + 2, KIND] == NUMBER:
        return QUANTITY, mix(value + mix(np.uint64(tok[at + 2, HASH]))), at + 2
    return QUANTITY, value, at


@borrowing
def _sign(
    tok: Any, at: int, count: int, data: Any, bracket: tuple[bool, int], lexicon: Any
) -> tuple[int, Any]:
    """Read an operator, a bracket or a macro; return its kind and its value."""
    value, own = np.uint64(tok[at, HASH]), tok[at, HASH]
    is_dropped, vector = bracket
    if vector == SEPARATOR:
        return SIGN, COMMA
    if vector == ENCLOSING:
        is_left = own in (SQUARE_LEFT_HASH, _RELATIONS[0])
        own = ROUND_LEFT_HASH if is_left else ROUND_RIGHT_HASH
        return LEFT_OUT if is_dropped else BRACKET, np.uint64(np.int64(own))
    if tok[at, KIND] == MACRO:
        if place_in(_GREEK, value) >= 0:
            return VARIABLE, value
        if own == _CONGRUENT or begins_membership(tok, at, count):
            return LEFT_OUT, value
        return SMALL if own == _ELLIPSIS else SIGN, value
    if tok[at, KIND] == GROUP:
        return LEFT_OUT if is_dropped else BRACKET, value
    if own == _EQUALITY or (own == SLASH_HASH and is_per(tok, at, count)):
        return LEFT_OUT, value
    relations = lexicon.less, lexicon.more, lexicon.at_most, lexicon.at_least
    for number in range(len(relations)):
        if own == _RELATIONS[number]:
            return TERM if is_letter(data[tok[at, BEGIN]]) else SIGN, relations[number]
    return SMALL if own in (_PERCENT, _COLON) else SIGN, value


@allocating
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


@allocating
def quantities(units: Any, out: Any) -> int:
    """Write the sorted numbers among the units, with repeats, into out; return their number."""
    size = 0
    for at in range(len(units.values)):
        if units.kinds[at] == QUANTITY:
            out[size] = units.values[at]
            size += 1
    out[:size].sort()
    return size


@allocating
def cut(units: Any, start: int, end: int) -> Any:
    """Return the units from start to end."""
    return Units(
        units.values[start:end],
        units.kinds[start:end],
        units.begins[start:end],
        units.asks[start:end],
        units.letters[start:end],
    )
