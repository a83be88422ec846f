r"""Write binomial coefficients in one form: C(9,4), 9 choose 4, {}_9C_4 and C_9^4 are \binom 9 4.

C(9, 4) may also be a point, so texts that speak of points, or name another one, keep it.
"""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import shapes
from mathledger.text.bars import respell, rotate
from mathledger.text.chars import COMMA, is_digit, is_letter, skip_blanks, skip_delimiters
from mathledger.text.hashing import signed
from mathledger.text.tokens import (
    AFTER_QUESTION,
    ARTICLE,
    BEGIN,
    BEGINS_SENTENCE,
    CARET_HASH,
    END,
    FLAGS,
    FROM,
    HASH,
    KIND,
    NUMBER,
    ROUND_LEFT_HASH,
    ROUND_RIGHT_HASH,
    SINGLE_CAPITAL,
    SLASH_HASH,
    TO,
    UNDERSCORE_HASH,
    WORD,
    move,
)

_BINOM = np.frombuffer(b"\\binom", np.uint8)
_BINOM_HASH, _CHOOSE, _C, _EQUALITY = (
    int(value) for value in signed(b"\\binom", b"choose", b"c", b"=")
)
C_BIT = 1 << 2  # The bit of C in `state.capitals`.
# In a text with one of these words, C(9, 4) is a point.
GEOMETRY = (
    "point points vertex vertices center circle triangle quadrilateral line lines segment midpoint "
    "coordinate coordinates plane parabola distance slope polygon square rectangle parallelogram"
)
# The letters of counts: permutations, combinations.
COUNTS = "c p n"
_GEOMETRY, _COUNTS = signed(*GEOMETRY.encode().split()), signed(*COUNTS.encode().split())
MAX_DIGITS = 9
_SENTENCE = BEGINS_SENTENCE | AFTER_QUESTION


@borrowing
def write_choices(state: Any, scratch: Any) -> None:
    """Rewrite the binomial coefficients among the tokens."""
    tokens, text = scratch.tokens, scratch.text
    at = 0
    while at < state.num_tokens:
        count, start = state.num_tokens, -1
        if tokens[at, HASH] == _CHOOSE:
            start = _first_of_choice(state, tokens, text, at)
            if start >= 0:
                _become(state, scratch, at)
                rotate(tokens, start, at)
        elif tokens[at, HASH] == _C and tokens[at, FLAGS] & SINGLE_CAPITAL:
            if _is_call(tokens, at, count, scratch):
                start = at
                _become(state, scratch, at)
                _remove(state, tokens, at + 4)
                _remove(state, tokens, at + 1)
            elif _is_between(tokens, at, count, scratch):
                start = at - 1
                _become(state, scratch, at)
                rotate(tokens, start, at)
            elif _has_index_before(tokens, at, count, scratch.spellings):
                start = at - 2
                _become(state, scratch, at)
                _remove(state, tokens, at + 1)
                tokens[at, FLAGS] |= tokens[start, FLAGS] & _SENTENCE
                _remove(state, tokens, start)
                rotate(tokens, start, at - 1)
            elif _has_both_after(tokens, at, count, scratch.spellings):
                start, is_turned = at, tokens[at + 1, HASH] == CARET_HASH
                _become(state, scratch, at)
                _remove(state, tokens, at + 3)
                _remove(state, tokens, at + 1)
                if is_turned:
                    rotate(tokens, at + 1, at + 2)
        if start >= 0:
            moved = tokens[start + 1, FLAGS] & _SENTENCE
            tokens[start, FLAGS] |= moved
            tokens[start + 1, FLAGS] &= ~moved
            _drop_brackets(state, tokens, start)
        at += 1


@borrowing
def _become(state: Any, scratch: Any, at: int) -> None:
    r"""Make the token \binom."""
    respell(state, scratch, at, _BINOM, _BINOM_HASH)
    scratch.tokens[at, FLAGS] &= _SENTENCE


@borrowing
def _remove(state: Any, tokens: Any, at: int) -> None:
    for place in range(at + 1, state.num_tokens):
        move(tokens, place, place - 1)
    state.num_tokens -= 1


@borrowing
def _is_atom(token: Any) -> bool:
    """Return True for a number, and for a letter that is no article."""
    if token[KIND] == NUMBER:
        return True
    is_letter_alone = token[KIND] == WORD and token[TO] - token[FROM] == 1
    return bool(is_letter_alone and not token[FLAGS] & ARTICLE)


@borrowing
def _can_choose(whole: Any, part: Any, spellings: Any, is_strict: bool) -> bool:
    """Return False if the second number is larger than the first one; letters may be anything."""
    if whole[KIND] != NUMBER or part[KIND] != NUMBER:
        return not is_strict
    left, right = _value(whole, spellings), _value(part, spellings)
    return left >= right + int(is_strict) and right >= 0


@borrowing
def _value(token: Any, spellings: Any) -> int:
    """Return the value of a whole number, or -1."""
    value = 0
    if token[TO] - token[FROM] > MAX_DIGITS:
        return -1
    for at in range(token[FROM], token[TO]):
        if not is_digit(spellings[at]):
            return -1
        value = 10 * value + int(spellings[at]) - 48
    return value


@borrowing
def _first_of_choice(state: Any, tokens: Any, text: Any, at: int) -> int:
    """Return where n in "n choose k" begins; n is an atom or in brackets. Return -1 for a verb."""
    if at == 0 or at + 1 == state.num_tokens or tokens[at, FLAGS] & BEGINS_SENTENCE:
        return -1
    if skip_delimiters(text, tokens[at - 1, END], state.size) != tokens[at, BEGIN]:
        return -1
    if skip_delimiters(text, tokens[at, END], state.size) != tokens[at + 1, BEGIN]:
        return -1
    if not _is_atom(tokens[at + 1]) and tokens[at + 1, HASH] != ROUND_LEFT_HASH:
        return -1
    if _is_atom(tokens[at - 1]):
        return at - 1
    if tokens[at - 1, HASH] != ROUND_RIGHT_HASH:
        return -1
    level, start = 1, at - 2
    while start >= 0:
        level += int(tokens[start, HASH] == ROUND_RIGHT_HASH)
        level -= int(tokens[start, HASH] == ROUND_LEFT_HASH)
        if level == 0:
            return int(start)
        start -= 1
    return -1


@borrowing
def _is_pair(tokens: Any, at: int, count: int, text: Any) -> bool:
    """Return True for a letter before two atoms in brackets, as in C(9, 4)."""
    if at + 4 >= count or tokens[at + 1, HASH] != ROUND_LEFT_HASH:
        return False
    if tokens[at + 4, HASH] != ROUND_RIGHT_HASH or tokens[at, END] != tokens[at + 1, BEGIN]:
        return False
    if not _is_atom(tokens[at + 2]) or not _is_atom(tokens[at + 3]):
        return False
    return bool(text[skip_blanks(text, tokens[at + 2, END], tokens[at + 3, BEGIN])] == COMMA)


@borrowing
def _is_call(tokens: Any, at: int, count: int, scratch: Any) -> bool:
    """Return True for C(9, 4) unless it is a point or a function that the text defines."""
    text = scratch.text
    if not _is_pair(tokens, at, count, text):
        return False
    if not _can_choose(tokens[at + 2], tokens[at + 3], scratch.spellings, False):
        return False
    is_general = tokens[at + 2, KIND] == WORD
    if is_general and at + 5 < count and tokens[at + 5, HASH] == _EQUALITY:
        return False
    for place in range(count):
        if shapes.is_in(tokens[place, HASH], _GEOMETRY):
            return False
        is_name = tokens[place, FLAGS] & SINGLE_CAPITAL != 0
        is_name = is_name and not shapes.is_in(tokens[place, HASH], _COUNTS)
        if is_name and _is_pair(tokens, place, count, text):
            return False
    return True


@borrowing
def _is_between(tokens: Any, at: int, count: int, scratch: Any) -> bool:
    """Return True for 9C4, which is not a part of a longer name."""
    text = scratch.text
    if at == 0 or at + 1 == count:
        return False
    before, after = tokens[at - 1], tokens[at + 1]
    if before[KIND] != NUMBER or after[KIND] != NUMBER:
        return False
    if before[END] != tokens[at, BEGIN] or tokens[at, END] != after[BEGIN]:
        return False
    if is_letter(text[after[END]]) or (before[BEGIN] > 0 and is_letter(text[before[BEGIN] - 1])):
        return False
    return _can_choose(before, after, scratch.spellings, False)


@borrowing
def _is_script(token: Any) -> bool:
    return bool(token[HASH] == CARET_HASH or token[HASH] == UNDERSCORE_HASH)


@borrowing
def _has_index_before(tokens: Any, at: int, count: int, spellings: Any) -> bool:
    r"""Return True for {}_9C_4 and {}^9C_4, but not for x^9 C_4."""
    if at < 2 or at + 2 >= count or not _is_script(tokens[at - 2]):
        return False
    if tokens[at + 1, HASH] != UNDERSCORE_HASH:
        return False
    if at > 2 and shapes.ends_operand(tokens[at - 3]):
        return False
    if not _is_atom(tokens[at - 1]) or not _is_atom(tokens[at + 2]):
        return False
    return _can_choose(tokens[at - 1], tokens[at + 2], spellings, False)


@borrowing
def _has_both_after(tokens: Any, at: int, count: int, spellings: Any) -> bool:
    """Return True for C_9^4 and C^4_9; in C_1^2 the C is a constant."""
    if at + 4 >= count or not _is_script(tokens[at + 1]) or not _is_script(tokens[at + 3]):
        return False
    if tokens[at + 1, HASH] == tokens[at + 3, HASH]:
        return False
    if tokens[at + 1, HASH] == CARET_HASH:
        return _can_choose(tokens[at + 4], tokens[at + 2], spellings, True)
    return _can_choose(tokens[at + 2], tokens[at + 4], spellings, True)


@borrowing
def _drop_brackets(state: Any, tokens: Any, at: int) -> None:
    r"""Leave out the brackets around \binom n k that is a part of a fraction."""
    if at == 0 or at + 3 >= state.num_tokens or tokens[at - 1, HASH] != ROUND_LEFT_HASH:
        return
    if tokens[at + 3, HASH] != ROUND_RIGHT_HASH:
        return
    is_lower = at > 1 and tokens[at - 2, HASH] == SLASH_HASH
    is_upper = at + 4 < state.num_tokens and tokens[at + 4, HASH] == SLASH_HASH
    if is_lower or is_upper:
        _remove(state, tokens, at + 3)
        _remove(state, tokens, at - 1)
