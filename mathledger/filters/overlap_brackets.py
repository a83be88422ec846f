"""Tell what the brackets of a text say when it is compared with an item."""

from typing import Any

import numpy as np

from mathledger.core.kernels import allocating, borrowing
from mathledger.text.hashing import signed
from mathledger.text.shapes import is_in
from mathledger.text.state import MAX_DEPTH
from mathledger.text.tokens import (
    BEGIN,
    CARET_HASH,
    END,
    FROM,
    GROUP,
    HASH,
    KIND,
    NUMBER,
    ROUND_LEFT_HASH,
    SLASH_HASH,
    SQUARE_LEFT_HASH,
    SQUARE_RIGHT_HASH,
    TO,
    UNDERSCORE_HASH,
    WORD,
)

_CURLY = tuple(int(each) for each in signed(b"{", b"}"))
_FACTORIAL = int(signed(b"!")[0])
_BINDING = CARET_HASH, UNDERSCORE_HASH, SLASH_HASH  # Before a bracket, as in 2^(3x) and 1/(2x).
_OF_LISTS = tuple(int(each) for each in signed(b"gcd", b"lcm"))  # As in gcd(12, 18, 40).
COMMA = signed(b",").view(np.uint64)[0]
_LESS, _MORE = (int(each) for each in signed(b"<", b">"))
_SIGNS = signed(b"+", b"-")
_IN_ENTRIES = signed(b"/", b"_", b"+", b"-", b",")
# What a bracket of a vector is read as: a round bracket, or a comma.
ENCLOSING, SEPARATOR = 1, 2
_MAX_VECTOR = 24  # Tokens of a vector between angles.


@allocating
def read_brackets(tok: Any, count: int, data: Any) -> Any:
    """Return which brackets say nothing, and what each bracket of a vector is, by token."""
    is_dropped, vectors = np.empty(count, np.bool_), np.zeros(count, np.int8)
    _drop_brackets(tok, count, data, is_dropped)
    _mark_vectors(tok, count, is_dropped, vectors)
    return is_dropped, vectors


@allocating
def _drop_brackets(tok: Any, count: int, data: Any, is_dropped: Any) -> None:
    """Mark the brackets that say nothing.

    These are curly ones that are not in others, those without a partner, those around a matrix, and
    round ones around one token, prose, a formula between words, or a product such as 2x without a
    power, and those of gcd.
    """
    stack, depth, last_opening = np.empty(MAX_DEPTH, np.int64), 0, -1
    num_curly = 0
    for at in range(count):
        is_dropped[at] = tok[at, KIND] == GROUP
        if not is_dropped[at]:
            continue
        if tok[at, HASH] in _CURLY:
            is_opening = tok[at, HASH] == _CURLY[0]
            is_dropped[at] = num_curly < 2 - int(is_opening)  # As in {1, {2, 3}}.
            num_curly = num_curly + 1 if is_opening else max(0, num_curly - 1)
            continue
        if tok[at, HASH] == ROUND_LEFT_HASH or tok[at, HASH] == SQUARE_LEFT_HASH:
            if depth < MAX_DEPTH:
                stack[depth] = at
                depth += 1
        elif depth > 0:
            depth -= 1
            opening = stack[depth]
            is_round = tok[opening, HASH] == ROUND_LEFT_HASH or _is_list(tok, opening)
            is_bare = is_round and (
                _says_nothing(tok, opening, at, count)
                or _is_among_words(tok, opening, at, count, data)
            )
            # The brackets before and in this one were closed right before: it holds a matrix.
            is_bare |= tok[at - 1, HASH] == SQUARE_RIGHT_HASH and last_opening == opening + 1
            if at > opening + 2 and not (is_bare and not _begins_matrix(tok, opening)):
                is_dropped[opening] = is_dropped[at] = False
            last_opening = opening


@borrowing
def _begins_matrix(tok: Any, at: int) -> bool:
    """Return True at the outer one of the two brackets with which a matrix begins."""
    if tok[at, HASH] != SQUARE_LEFT_HASH or tok[at + 1, HASH] != SQUARE_LEFT_HASH:
        return False
    return bool(tok[at + 2, HASH] != SQUARE_LEFT_HASH)


@borrowing
def _is_list(tok: Any, opening: int) -> bool:
    return bool(opening > 0 and tok[opening - 1, HASH] in _OF_LISTS)


@borrowing
def _says_nothing(tok: Any, opening: int, closing: int, count: int) -> bool:
    """Return True if two brackets enclose prose, or a term that is not the base of a power.

    The term is a product such as 2x, a name with an index (which may be a base, as in (a_1)^2), or
    a list of terms after gcd or lcm.
    """
    has_index = closing == opening + 4 and tok[opening + 2, HASH] == UNDERSCORE_HASH
    is_product = has_index or closing == opening + 3 or _is_list(tok, opening)
    if opening > 0 and tok[opening - 1, HASH] in _BINDING:
        is_product = False
    for at in range(opening + 1, closing):
        if tok[at, KIND] == WORD and tok[at, TO] - tok[at, FROM] > 3:
            return True
        is_product &= tok[at, KIND] in (WORD, NUMBER) or tok[at, HASH] == UNDERSCORE_HASH
    after = tok[closing + 1, HASH] if closing + 1 < count else 0
    return bool(is_product and (has_index or after not in (CARET_HASH, _FACTORIAL)))


@borrowing
def _is_among_words(tok: Any, opening: int, closing: int, count: int, data: Any) -> bool:
    """Return True for round brackets between words, as in "the sum of (7 - n) and (n + 3)".

    A tuple such as (2, n + 1) has a comma.
    """
    if opening == 0 or tok[opening, HASH] != ROUND_LEFT_HASH or not _is_word(tok[opening - 1]):
        return False
    if closing + 1 < count and not _is_word(tok[closing + 1]):
        return False
    for place in range(tok[opening, END], tok[closing, BEGIN]):
        if data[place] == 44 or data[place] == 59:  # , ;
            return False
    return bool(data[tok[opening, BEGIN] - 1] <= 36)  # A blank or a dollar sign, but no sin(x + y).


@borrowing
def _is_word(token: Any) -> bool:
    return bool(token[KIND] == WORD and token[TO] - token[FROM] > 1)


@borrowing
def _mark_vectors(tok: Any, count: int, is_dropped: Any, vectors: Any) -> None:
    """Mark the brackets of vectors that are columns or between angles, which are read as round.

    A vector of two entries has no brackets, like the point (x, 2), whose brackets are dropped. The
    brackets between two rows are read as the comma that a minus sign needs, as in (3, -1).
    """
    for at in range(count):
        if tok[at, HASH] == SQUARE_LEFT_HASH:
            end, is_pair = _column_end(tok, at, count)
        elif tok[at, HASH] == _LESS:
            end, is_pair = _angle_end(tok, at, count)
        else:
            continue
        if end == 0:
            continue
        for place in range(at, end + 1):
            if tok[place, KIND] == GROUP or place in (at, end):
                is_dropped[place] = True
            is_row = place > at + 1 and tok[place, HASH] == SQUARE_LEFT_HASH
            if is_row and is_in(tok[place + 1, HASH], _SIGNS):
                vectors[place] = SEPARATOR
        if not is_pair:
            is_dropped[at] = is_dropped[end] = False
        vectors[at] = vectors[end] = ENCLOSING


@borrowing
def _column_end(tok: Any, at: int, count: int) -> tuple[int, bool]:
    """Return the end of a matrix with one column that begins here, or 0, and if it is a pair.

    Its rows are [2], [-2], [x_1] or [1/2]; without commas, [2 x] may be a product or two entries.
    """
    num_rows, is_pair, place = 0, True, at + 1
    while place < count and tok[place, HASH] == SQUARE_LEFT_HASH:
        first = place + 1
        place = first
        while place < count and tok[place, KIND] != GROUP:
            place += 1
        if (
            place >= count
            or tok[place, HASH] != SQUARE_RIGHT_HASH
            or not _is_entry(tok, first, place)
        ):
            return 0, False
        is_pair &= place == first + 1
        num_rows += 1
        place += 1
    if num_rows < 2 or place >= count or tok[place, HASH] != SQUARE_RIGHT_HASH:
        return 0, False
    return place, is_pair and num_rows == 2


@borrowing
def _is_entry(tok: Any, first: int, end: int) -> bool:
    if first < end and is_in(tok[first, HASH], _SIGNS):
        first += 1
    if end == first + 1:
        return bool(tok[first, KIND] in (WORD, NUMBER))
    return bool(end == first + 3 and tok[first + 1, HASH] in (SLASH_HASH, UNDERSCORE_HASH))


@borrowing
def _angle_end(tok: Any, at: int, count: int) -> tuple[int, bool]:
    """Return the end of a vector such as <1, 2, 2> that begins here, or 0, and if it is a pair."""
    before = at - 1
    if before >= 0 and (
        tok[before, KIND] == NUMBER
        or tok[before, KIND] == GROUP
        or (tok[before, KIND] == WORD and tok[before, TO] - tok[before, FROM] == 1)
    ):
        return 0, False  # As in a < b, c > d.
    num_terms = 0
    for place in range(at + 1, min(count, at + _MAX_VECTOR)):
        if tok[place, HASH] == _MORE:
            is_pair = place == at + 3 and num_terms == 2
            return (place, is_pair) if num_terms > 1 else (0, False)
        is_letter = tok[place, KIND] == WORD and tok[place, TO] - tok[place, FROM] == 1
        if tok[place, KIND] == NUMBER or is_letter:
            num_terms += 1
        elif not is_in(tok[place, HASH], _IN_ENTRIES):
            break
    return 0, False
