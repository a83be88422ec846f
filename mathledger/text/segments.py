r"""Read segments, arcs, triangles and points: \overline{AB}, \widehat{AB}, \Delta ABC, ABC."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.bars import respell
from mathledger.text.chars import LOWER, matches, skip_blanks
from mathledger.text.hashing import signed
from mathledger.text.shapes import is_in
from mathledger.text.tokens import (
    ARTICLE,
    CAPITALISED,
    FLAGS,
    FUNCTION,
    HASH,
    KIND,
    OPERAND,
    POINTS,
    WORD,
    write_pieces,
)

_ARC, _FROWN, _HAT = (np.frombuffer(word, np.uint8) for word in (b"arc", b"frown", b"\\widehat"))
_TRIANGLE, _PARALLEL = (np.frombuffer(word, np.uint8) for word in (b"triangle", b"\\parallel"))
_ARC_HASH, _DELTA, _TRIANGLE_HASH = (int(each) for each in signed(b"arc", rb"\Delta", b"triangle"))
FIGURES = r"triangle angle arc \Delta"
ABBREVIATIONS = "gcd lcm max min usd us tv dvd"
_FIGURES, _ABBREVIATIONS = (signed(*each.encode().split()) for each in (FIGURES, ABBREVIATIONS))
_AN = int(signed(b"an")[0])
_O, _S = b"os"


@borrowing
def num_points(text: Any, index: int) -> int:
    """Return the number of letters, perhaps with primes, that follow in braces, or 0."""
    while text[index] == chars.SPACE and text[index + 1] in (chars.SPACE, chars.CURLY_LEFT):
        index += 1
    if text[index] != chars.CURLY_LEFT:
        return 0
    index += 1
    count = 0
    while text[index] != chars.CURLY_RIGHT:
        byte = text[index]
        if byte < chars.NOT_ASCII and LOWER[byte] != 0:
            count += 1
        elif byte != chars.APOSTROPHE and (byte != chars.SPACE or text[index + 1] == chars.SPACE):
            return 0
        index += 1
    return count


@borrowing
def read_arc(state: Any, scratch: Any, index: int) -> bool:
    r"""Read the macro of an arc, which ends at `index`, as the word arc, as in \overarc{AB}.

    \overset and \stackrel need a \frown, and \widehat needs two letters: \widehat{ABC} is an angle.
    Return False for another macro.
    """
    text, begin = scratch.text, state.index
    if matches(text, begin, _HAT):
        if num_points(text, index) != 2:
            return False
    elif text[begin + 1] == _S or (text[begin + 1] == _O and text[begin + 5] != chars.SMALL_A):
        at = skip_blanks(text, index, state.size)
        at += int(text[at] == chars.CURLY_LEFT)
        while text[at] == chars.BACKSLASH:
            at += 1
        if not matches(text, at, _FROWN):
            return False
        at = skip_blanks(text, at + len(_FROWN), state.size)
        index = min(at + int(text[at] == chars.CURLY_RIGHT), state.size)
    last = state.num_tokens - 1
    if last < 0 or scratch.tokens[last, HASH] != _ARC_HASH:
        write_pieces(state, scratch, _ARC, 0, len(_ARC), (begin, index))
    state.index, state.opens_look = index, True
    return True


@borrowing
def read_points(state: Any, scratch: Any, is_triple: bool) -> None:
    """Decide whether the run of capitals that was just read names points.

    It does not in "the GCD of" and "SIN(x)", unless a figure is before it as in "triangle TAN", nor
    in "an AP with". Before three points the letter Delta is read as the word triangle.
    """
    tokens, last = scratch.tokens, state.num_tokens - 1
    before = tokens[last - 1] if last > 0 else tokens[last]
    is_function = is_in(tokens[last, HASH], _ABBREVIATIONS)
    if scratch.text[state.index] == chars.ROUND_LEFT:
        is_function |= tokens[last, FLAGS] & FUNCTION != 0
    if is_function and not (last > 0 and is_in(before[HASH], _FIGURES)):
        tokens[last, FLAGS] &= ~(POINTS | CAPITALISED)
    elif last > 0 and (before[FLAGS] & ARTICLE or before[HASH] == _AN):
        tokens[last, FLAGS] &= ~POINTS
    elif last > 0 and is_triple and before[HASH] == _DELTA:
        respell(state, scratch, last - 1, _TRIANGLE, _TRIANGLE_HASH)
        tokens[last - 1, KIND] = WORD
        tokens[last - 1, FLAGS] &= ~OPERAND


@borrowing
def read_parallel(state: Any, scratch: Any) -> bool:
    """Read two bars or slashes between blanks after the names of points, as in AB || CD."""
    text, index, last = scratch.text, state.index, state.num_tokens - 1
    if text[index + 1] != text[index] or text[index + 2] != chars.SPACE or last < 0:
        return False
    if not scratch.tokens[last, FLAGS] & POINTS or text[index - 1] != chars.SPACE:
        return False
    write_pieces(state, scratch, _PARALLEL, 0, len(_PARALLEL), (index, index + 2))
    return True
