r"""Compare texts up to the names of their variables and points, and apart from answer wrappers.

A benchmark's item is found in a text that renames its variables, or asks for the answer in another
form. In a text's renamed tokens, each name is its number in order of appearance:
"If x + 3y = 5 and y = 1, find x" and "If a + 3b = 5 and b = 1, find a" have the same ones.
Names are single letters (a capital and its small letter are different names), Greek letters except
pi, runs of capitals (ABC is the points A, B and C) and products of single names (xy). The numbers e
and i, the sets \mathbb{R}, \mathbb{Z} and the like, and the articles keep their names.

>>> texts = pa.array(["Draw y = 3x + k.", "Draw v = 3u + c.", "Draw v = 3u + u."])
>>> one, other, third = forms(texts)
>>> bool(one[0] == other[0]), bool(one[0] == third[0])
(True, False)
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.core.kernels import allocating, borrowing, kernel
from mathledger.core.strings import text_bytes
from mathledger.text.hashing import mix, signed
from mathledger.text.lexer import lex, tables
from mathledger.text.shapes import is_in
from mathledger.text.state import longest, scratch
from mathledger.text.tokens import (
    ARTICLE,
    BEGIN,
    BEGINS_SENTENCE,
    BLACKBOARD,
    CAPITALISED,
    CARET_HASH,
    END,
    FLAGS,
    FROM,
    FUNCTION,
    GROUP,
    HASH,
    KIND,
    MACRO,
    NUMBER,
    OPERAND,
    OPERATOR,
    POINTS,
    ROUND_RIGHT_HASH,
    SINGLE_CAPITAL,
    SLASH_HASH,
    TO,
    WORD,
)
from mathledger.text.wrappers import find_wrapper, is_requested, is_wrapped

U64 = npt.NDArray[np.uint64]

MAX_POINTS = 6  # A longer run of capitals is a word.
MAX_PRODUCT = 3  # A longer run of small letters is a word.
_MAX_NAMES = 128  # Later names keep their spelling.
_CAPITAL = 26  # Codes of names: 26 small letters, 26 capitals, then hashes of Greek letters.
_FIXED = signed(rb"\pi", rb"\infty", rb"\emptyset", rb"\ell", rb"\hbar")
# In such a text, BOOK and XIV are not points.
_SPELLED = signed(*b"word words letter letters roman numeral numerals".split())
_CONSTANTS = tuple(b"ei")
_HALVES = signed(b"am", b"pm")  # Of a day.
# Short words that are not products, even if their letters are names.
_SHORT = signed(
    *b"am an as at be by do he if in is it me my no of on or so to up us we and are can for has "
    b"how its not one out the two was who you all any but had her his let may new nor now off our "
    b"own per say she too use way yes th st nd rd cm mm km ft kg lb oz ml mi sin cos tan log max "
    b"min gcd lcm mod".split()
)
# Before these words a letter is no name that may be another one: the x-axis is not the y-axis.
AXES = "axis axes intercept intercepts coordinate coordinates direction direction plane"
_AXES, _AND = signed(*AXES.encode().split()), int(signed(b"and")[0])
UNITS = "mglshtCFKVWNJ"  # A letter that stands only after numbers and blanks is a unit.
_UNITS = np.array([ord(letter) for letter in UNITS], np.uint8)
# Before one of these words, "a" is a letter and not an article: the area a of a square.
NO_NOUNS = (
    "of in on at for with as and or but then is are was be has to by if when where which that"
)
_NO_NOUNS = signed(*NO_NOUNS.encode().split())
_KEPT = np.int64(1 << 20)  # Added to the code of a letter that keeps its name.
_NAME_SEED = np.uint64(0x5851F42D4C957F2D)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Form(NamedTuple):
    """Hashes of what a text says, up to names."""

    problem: np.uint64  # Everything except the answer's wrapper.
    answer: np.uint64  # The wrapper's form and request, such as m/n and m + n; 0 without a wrapper.


@borrowing
def _is_single(tokens: Any, at: int, count: int, spellings: Any) -> bool:
    """Return True for a single letter that is a name."""
    token = tokens[at]
    if token[KIND] != WORD or token[TO] - token[FROM] != 1:
        return False
    letter = spellings[token[FROM]]
    is_constant = letter in _CONSTANTS and not token[FLAGS] & SINGLE_CAPITAL
    if is_constant or token[FLAGS] & BLACKBOARD:
        return False
    return not token[FLAGS] & ARTICLE or names_letter(tokens, at, count)


@borrowing
def names_letter(tokens: Any, at: int, count: int) -> bool:
    """Return True if the letter a is no article, because no noun follows: the number a is."""
    return at + 1 < count and is_in(tokens[at + 1, HASH], _NO_NOUNS)


@borrowing
def _number(code: Any, seen: Any, count: int) -> int:
    """Return the number of a name among those seen, or their count if it is new."""
    for number in range(count):
        if seen[number] == code:
            return number
    return count


@borrowing
def _letter_code(letter: Any, is_capital: Any) -> Any:
    code = np.int64(letter) | np.int64(0x20)
    return code - np.int64(0x61) + (_CAPITAL if is_capital else 0)


@allocating
def renamed(tokens: Any, count: int, spellings: Any, out: Any) -> None:
    """Write the hashes of the renamed tokens from `lexer.lex` to out[:count]."""
    seen, num_seen = np.empty(_MAX_NAMES, np.int64), 0
    small, fixed, is_spelled = survey(tokens, count, spellings)
    for at in range(count):
        token = tokens[at]
        first, end, flags = token[FROM], token[TO], token[FLAGS]
        out[at] = np.uint64(token[HASH])
        if token[KIND] == MACRO:
            if not flags & OPERAND or is_in(token[HASH], _FIXED):
                continue
            number = _number(token[HASH], seen, num_seen)
            if number == num_seen and num_seen < _MAX_NAMES:
                seen[num_seen] = token[HASH]
                num_seen += 1
            out[at] = mix(_NAME_SEED + np.uint64(number))
            continue
        if token[KIND] != WORD or (is_spelled and flags & POINTS):
            continue
        if not _is_run(tokens, at, count, spellings, small):
            continue
        value, is_capital = np.uint64(0), _is_capital(flags)
        for place in range(first, end):
            is_first = place == first and flags & CAPITALISED != 0  # As in Ax + 3.
            code = _letter_code(spellings[place], is_capital or is_first)
            if fixed >> code & 1:
                value = mix(value * _MULTIPLIER + _NAME_SEED + np.uint64(_KEPT + code))
                continue
            number = _number(code, seen, num_seen)
            if number == num_seen and num_seen < _MAX_NAMES:
                seen[num_seen] = code
                num_seen += 1
            value = mix(value * _MULTIPLIER + _NAME_SEED + np.uint64(number))
        out[at] = value


@borrowing
def survey(tokens: Any, count: int, spellings: Any) -> tuple[Any, Any, bool]:
    """Return bits of the small letters that are names, bits of all letters that keep their name,
    and whether the text is about the letters of words.
    """
    small, fixed, measures, others = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    is_spelled = False
    for at in range(count):
        own = tokens[at, HASH]
        if tokens[at, KIND] != WORD:
            continue
        if tokens[at, TO] - tokens[at, FROM] > 1:
            is_spelled |= is_in(own, _SPELLED)
            if tokens[at, FLAGS] & POINTS and tokens[at, TO] - tokens[at, FROM] > MAX_POINTS:
                for place in range(tokens[at, FROM], tokens[at, TO]):  # As in ABCDEFGH.
                    fixed |= np.int64(1) << capital_code(spellings[place])
            if _is_product(tokens, at, count):
                for place in range(tokens[at, FROM], tokens[at, TO]):
                    is_letter = 0x61 <= spellings[place] <= 0x7A
                    if is_letter and spellings[place] not in _CONSTANTS:
                        small |= np.int64(1) << _letter_code(spellings[place], False)
            if at > 0 and is_in(own, _AXES):
                fixed |= letter_bit(tokens, at - 1, count, spellings)
                if at > 2 and tokens[at - 2, HASH] == _AND:
                    fixed |= letter_bit(tokens, at - 3, count, spellings)
            continue
        bit = letter_bit(tokens, at, count, spellings)
        if not _is_capital(tokens[at, FLAGS]):
            small |= bit
        if at > 0 and tokens[at - 1, KIND] == NUMBER and tokens[at - 1, END] < tokens[at, BEGIN]:
            measures |= bit
        elif at == 0 or tokens[at - 1, HASH] != SLASH_HASH:
            others |= bit
    if measures & ~others != 0:
        for letter in _UNITS:
            fixed |= (np.int64(1) << _letter_code(letter, letter < 0x61)) & measures & ~others
    return small, fixed, is_spelled


@borrowing
def _is_product(tokens: Any, at: int, count: int) -> bool:
    """Return True for a few letters in a formula that are no word, as in ax^2 + bx - c."""
    token = tokens[at]
    if token[TO] - token[FROM] > MAX_PRODUCT or is_in(token[HASH], _SHORT):
        return False
    if token[FLAGS] & (POINTS | FUNCTION) or at == 0 or at + 1 == count:
        return False
    if tokens[at + 1, HASH] == CARET_HASH:
        return True
    is_sign = tokens[at + 1, KIND] == OPERATOR or tokens[at + 1, HASH] == ROUND_RIGHT_HASH
    return bool(is_sign and (tokens[at - 1, KIND] in (OPERATOR, NUMBER, GROUP)))


@borrowing
def capital_code(letter: Any) -> Any:
    """Return the code of a letter that is written as a capital, whatever its spelling."""
    code = _letter_code(letter, True)
    return code if _CAPITAL <= code < 2 * _CAPITAL else np.int64(2 * _CAPITAL)


@borrowing
def _is_capital(flags: Any) -> bool:
    """Return True for capitals, also for one that begins a sentence, as in "A is a point"."""
    is_first = flags & ARTICLE != 0 and flags & BEGINS_SENTENCE != 0
    return bool(flags & (SINGLE_CAPITAL | POINTS) != 0 or is_first)


@borrowing
def letter_bit(tokens: Any, at: int, count: int, spellings: Any) -> Any:
    """Return the bit of a letter that is a name, or 0."""
    if not _is_single(tokens, at, count, spellings):
        return np.int64(0)
    code = _letter_code(spellings[tokens[at, FROM]], _is_capital(tokens[at, FLAGS]))
    return np.int64(1) << code if 0 <= code < 2 * _CAPITAL else np.int64(0)


@borrowing
def _is_run(tokens: Any, at: int, count: int, spellings: Any, small: Any) -> bool:
    """Return True for a name, a run of points, or a product of names."""
    token = tokens[at]
    size = token[TO] - token[FROM]
    if size == 1:
        return bool(_is_single(tokens, at, count, spellings))
    if token[FLAGS] & POINTS:
        is_time = at > 0 and tokens[at - 1, KIND] == NUMBER and is_in(token[HASH], _HALVES)
        return bool(size <= MAX_POINTS and not is_time)
    if size > MAX_PRODUCT or is_in(token[HASH], _SHORT):
        return False
    is_capitalised = token[FLAGS] & CAPITALISED != 0
    if is_capitalised and not _is_product(tokens, at, count):
        return False
    for place in range(token[FROM] + int(is_capitalised), token[TO]):
        letter = spellings[place]
        if not 0x61 <= letter <= 0x7A or not small >> _letter_code(letter, False) & 1:
            return False
    return True


@borrowing
def _answer(tokens: Any, wrapper: Any, hashes: Any) -> Any:
    """Return a hash of the renamed form and request of an answer's wrapper, or 0 without one."""
    value = np.uint64(0)
    for at in range(wrapper.front, wrapper.end):
        if is_requested(wrapper, at, tokens[at]):
            value = mix(value + np.uint64(hashes[at - wrapper.front]))
    return value


@allocating
def form(tokens: Any, count: int, spellings: Any, hashes: Any) -> Any:
    """Return the text's wrapper and its `Form`.

    Args:
        hashes: Memory for `count` hashes.
    """
    wrapper = find_wrapper(tokens, count, spellings)
    size = wrapper.end - wrapper.front
    renamed(tokens[wrapper.front : wrapper.end], size, spellings, hashes)
    answer, problem = _answer(tokens, wrapper, hashes), np.uint64(0)
    renamed(tokens, count, spellings, hashes)
    for at in range(count):
        if not is_wrapped(wrapper, at):
            problem = mix(problem + np.uint64(hashes[at]))
    return wrapper, Form(problem, answer)


@kernel
def _forms(data: Any, offsets: Any, tables: Any, scratch: Any) -> Any:
    keys = np.zeros((len(offsets) - 1, 2), np.uint64)
    hashes = np.empty(len(scratch.tokens), np.uint64)
    for row in range(len(offsets) - 1):
        count, _ = lex(data, offsets[row], offsets[row + 1], tables, scratch)
        _, own = form(scratch.tokens, count, scratch.spellings, hashes)
        keys[row, 0], keys[row, 1] = own
    return keys


def forms(texts: pa.Array) -> U64:
    """Return the `Form` of every text, shape (texts, 2)."""
    data, offsets = text_bytes(texts)
    keys: U64 = _forms(data, offsets, tables(), scratch(longest(offsets)))
    return keys
