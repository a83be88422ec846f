r"""Read matrices: \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} is [[1, 2], [3, 4]]."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.chars import is_digit, is_letter, matches, skip_blanks
from mathledger.text.tokens import (
    HASH,
    ROUND_LEFT_HASH,
    SQUARE_LEFT_HASH,
    SQUARE_RIGHT_HASH,
    write_pieces,
)

_OPEN, _ROW, _CLOSE, _DET = (
    np.frombuffer(word, np.uint8) for word in (b"[ [", b"] [", b"] ]", b"det [ [")
)
# Macros that begin with an n and a capital.
NEGATED = ("Rightarrow", "Leftarrow", "Leftrightarrow", "Vdash", "VDash")
_NEGATED = np.frombuffer("".join(NEGATED).encode(), np.uint8)
_NEGATED_ENDS = np.cumsum([0, *map(len, NEGATED)])
_N, _DELIMITERS = ord("n"), tuple(b"()[]")
_MATRIX, _SMALL, _ARRAY = (
    np.frombuffer(word, np.uint8) for word in (b"matrix}", b"small", b"array}")
)


@borrowing
def read_environment(state: Any, scratch: Any, index: int) -> None:
    r"""Write the brackets of a matrix, whose \begin or \end ends at `index`.

    An array in brackets is one, as in \left(\begin{array}{cc} 1 & 2 \end{array}\right).
    """
    text, tokens = scratch.text, scratch.tokens
    at = skip_blanks(text, index, state.size)
    if text[at] != chars.CURLY_LEFT:
        return
    letter = text[at + 1]
    if matches(text, at + 1, _SMALL):
        at += len(_SMALL)
    elif letter in _LETTERS and not matches(text, at + 1, _MATRIX):
        at += 1
    if matches(text, at + 1, _ARRAY):
        last = state.num_tokens - 1
        is_begin = text[state.index + 1] == _B
        if is_begin and (last < 0 or tokens[last, HASH] not in (ROUND_LEFT_HASH, SQUARE_LEFT_HASH)):
            return
    elif not matches(text, at + 1, _MATRIX):
        return
    place = (state.index, state.index + 1)
    if text[state.index + 1] == _B:
        pool = _DET if letter == _V else _OPEN
        write_pieces(state, scratch, pool, 0, len(pool), place)
        state.matrices += 1
    elif state.matrices > 0:
        last = state.num_tokens - 1
        if tokens[last, HASH] == SQUARE_LEFT_HASH and tokens[last - 1, HASH] == SQUARE_RIGHT_HASH:
            state.num_tokens -= 2  # The last row ended with a line break.
        write_pieces(state, scratch, _CLOSE, 0, len(_CLOSE), place)
        state.matrices -= 1


_B, _V = b"bv"
_LETTERS = tuple(b"pbBvV")


@borrowing
def end_row(state: Any, scratch: Any) -> None:
    r"""Read \\ in a matrix."""
    place = (state.index, state.index + 2)
    write_pieces(state, scratch, _ROW, 0, len(_ROW), place)


@borrowing
def begins_rows(text: Any, index: int, size: int) -> bool:
    """Return True if the [[ at `index` opens a matrix and not a link."""
    at = skip_blanks(text, index + 2, size)
    if text[at] == chars.HYPHEN:
        at += 1
    if is_digit(text[at]):
        return True
    while at < size and text[at] not in (chars.SQUARE_RIGHT, chars.NEWLINE):
        at += 1
    at = skip_blanks(text, at + 1, size)
    if text[at] != chars.COMMA:
        return False
    return bool(text[skip_blanks(text, at + 1, size)] == chars.SQUARE_LEFT)


@borrowing
def is_escaped(text: Any, size: int) -> bool:
    r"""Return True if each backslash is doubled, as in JSON: \\frac and \\sqrt, but never \frac.

    The line breaks \n of JSON have one backslash; they count only beside a doubled one.
    """
    has_breaks, has_doubles = False, False
    for at in range(size):
        if text[at] != chars.BACKSLASH:
            continue
        is_second = at > 0 and text[at - 1] == chars.BACKSLASH
        if text[at + 1] in _DELIMITERS:
            has_doubles |= is_second
        elif is_letter(text[at + 1]):
            if is_second:
                has_doubles = True
            elif text[at + 1] == _N:
                has_breaks = True
            else:
                return False
    return has_doubles or not has_breaks


@borrowing
def breaks_line(state: Any, text: Any) -> bool:
    r"""Return True at the line break \n of JSON, which is no macro such as \nu or \nRightarrow."""
    index = before = state.index
    while before > 0 and text[before - 1] == chars.BACKSLASH:
        before -= 1
    if (index - before) % 2 == 1:
        return False  # As in \\\\nu, and not after a line break of LaTeX.
    after = text[index + 2]
    if not is_letter(after):
        return True
    if after >= chars.SMALL_A:
        return is_doubled(state, text)
    for number in range(len(_NEGATED_ENDS) - 1):
        word = _NEGATED[_NEGATED_ENDS[number] : _NEGATED_ENDS[number + 1]]
        if matches(text, index + 2, word):
            return False
    return True


@borrowing
def is_doubled(state: Any, text: Any) -> bool:
    """Return True if each backslash of the text is doubled."""
    if state.escaped < 0:
        state.escaped = int(is_escaped(text, state.size))
    return bool(state.escaped > 0)
