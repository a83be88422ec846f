r"""Read matrices: \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} is [[1, 2], [3, 4]]."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.chars import is_digit, is_letter, matches, skip_blanks
from mathledger.text.hashing import signed
from mathledger.text.state import CALL, ROUND
from mathledger.text.tokens import (
    HASH,
    KIND,
    NUMBER,
    ROUND_LEFT_HASH,
    SQUARE_LEFT_HASH,
    SQUARE_RIGHT_HASH,
    write_pieces,
)

_OPEN, _ROW, _CLOSE, _DET, _MINUS = (
    np.frombuffer(word, np.uint8) for word in (b"[ [", b"] [", b"] ]", b"det [ [", b", -")
)
_CURLY_LEFT_HASH, _BAR_HASH, _DET_HASH = (int(value) for value in signed(b"{", b"|", b"det"))
_BEGIN, _RIGHT, _END = (
    np.frombuffer(word, np.uint8) for word in (b"\\begin", b"\\right", b"\\end")
)
_THIN = tuple(b"!,;: ")
HEIGHTS = "pt", "mm", "cm", "ex", "em", "in"
_HEIGHTS = np.array([list(unit.encode()) for unit in HEIGHTS], np.uint8)
MAX_ENCLOSED = 60  # Nested matrices whose brackets are compared.
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

    An array in brackets is one, as in \left(\begin{array}{cc} 1 & 2 \end{array}\right); in bars, it
    is a determinant. The brace before another environment is left out: it has no partner.
    """
    text, tokens = scratch.text, scratch.tokens
    is_begin, last = text[state.index + 1] == _B, state.num_tokens - 1
    before = tokens[last, HASH] if last >= 0 else 0
    at = skip_blanks(text, index, state.size)
    if text[at] != chars.CURLY_LEFT:
        return
    letter, is_bare = text[at + 1], True
    if matches(text, at + 1, _SMALL):
        at += len(_SMALL)
    elif letter in _LETTERS and not matches(text, at + 1, _MATRIX):
        at, is_bare = at + 1, False
    is_array = matches(text, at + 1, _ARRAY)
    if not is_array and not matches(text, at + 1, _MATRIX):
        if is_begin and before == _CURLY_LEFT_HASH:
            state.num_tokens = last
        return
    is_determinant = not is_array and letter == _V
    place = (state.index, state.index + 1)
    if is_begin:
        if is_bare and _is_enclosed(state, tokens, text, before):
            is_determinant = before == _BAR_HASH
            if before == ROUND_LEFT_HASH:
                state.depth -= 1
            state.num_tokens = last
            state.enclosed |= 1 << state.matrices
        elif is_array and before not in (ROUND_LEFT_HASH, SQUARE_LEFT_HASH):
            if before == _CURLY_LEFT_HASH:
                state.num_tokens = last
            return
        pool = _DET if is_determinant else _OPEN
        if (
            is_determinant
            and state.num_tokens > 0
            and tokens[state.num_tokens - 1, HASH] == _DET_HASH
        ):
            pool = _OPEN
        write_pieces(state, scratch, pool, 0, len(pool), place)
        state.matrices += 1
    elif state.matrices > 0:
        if before == SQUARE_LEFT_HASH and tokens[last - 1, HASH] == SQUARE_RIGHT_HASH:
            state.num_tokens -= 2  # The last row ended with a line break.
        write_pieces(state, scratch, _CLOSE, 0, len(_CLOSE), place)
        state.matrices -= 1


@borrowing
def _is_enclosed(state: Any, tokens: Any, text: Any, before: Any) -> bool:
    """Return True if the brackets or bars before and after an environment are right beside it."""
    if before == ROUND_LEFT_HASH:
        depth, closing = state.depth - 1, chars.ROUND_RIGHT
        if depth < 0 or state.brackets[depth] != state.num_tokens - 1:
            return False
        if state.groups[depth] not in (ROUND, CALL):
            return False
    elif before == SQUARE_LEFT_HASH:
        closing = chars.SQUARE_RIGHT
    elif before == _BAR_HASH:
        closing = chars.BAR
    else:
        return False
    if state.matrices >= MAX_ENCLOSED:
        return False
    at = state.index
    while at < state.size and not matches(text, at, _END):
        at += 1
    while at < state.size and text[at] != chars.CURLY_RIGHT:
        at += 1
    at = _skip_layout(text, at + 1, state.size)
    return bool(at < state.size and text[at] == closing)


@borrowing
def _skip_layout(text: Any, at: int, size: int) -> int:
    r"""Return the place of the next byte that is neither a blank nor one of \right, \! and \,."""
    while at < size:
        if text[at] == chars.SPACE or text[at] == chars.NEWLINE:
            at += 1
        elif matches(text, at, _RIGHT):
            at += len(_RIGHT)
        elif text[at] == chars.BACKSLASH and text[at + 1] in _THIN:
            at += 2
        else:
            break
    return min(at, size)


@borrowing
def matrix_end(state: Any, text: Any, index: int) -> int:
    r"""Return the end of an \end, or of the bracket after it if the matrix lost its first one."""
    bit = 1 << state.matrices
    if text[state.index + 1] == _B or not state.enclosed & bit:
        return index
    state.enclosed &= ~bit
    return int(min(_skip_layout(text, index, state.size) + 1, state.size))


_B, _V = b"bv"
_LETTERS = tuple(b"pbBvV")


@borrowing
def end_row(state: Any, scratch: Any) -> None:
    r"""Read \\ in a matrix."""
    place = (state.index, state.index + 2)
    write_pieces(state, scratch, _ROW, 0, len(_ROW), place)


@borrowing
def height_end(text: Any, index: int) -> int:
    r"""Return the end of a height such as [4pt] or [-0.5ex] after \\, or 0."""
    if text[index] != chars.SQUARE_LEFT:
        return 0
    at = index + 1 + int(text[index + 1] == chars.HYPHEN)
    first = at
    while is_digit(text[at]) or text[at] == chars.FULL_STOP:
        at += 1
    if at == first:
        return 0
    at += int(text[at] == chars.SPACE)
    for unit in _HEIGHTS:
        if text[at] == unit[0] and text[at + 1] == unit[1] and text[at + 2] == chars.SQUARE_RIGHT:
            return at + 3
    return 0


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


@borrowing
def rows_end(text: Any, index: int, size: int) -> int:
    """Return the end of a matrix such as [2 1; 0 3] that begins here, or 0.

    All rows have equally many numbers, and there are two in a row, or three rows: [2; 5] may be an
    interval.
    """
    num_rows, num_columns, num_here, in_number = 0, 0, 0, False
    for at in range(index + 1, min(size, index + MAX_ROWS)):
        byte = text[at]
        if is_digit(byte) or (byte == chars.HYPHEN and is_digit(text[at + 1]) and not in_number):
            num_here += int(not in_number)
            in_number = True
        elif byte in _IN_NUMBER:
            if not in_number or not is_digit(text[at + 1]):
                return 0
        elif byte == chars.SPACE or byte == chars.COMMA:
            in_number = False
        elif byte == chars.SEMICOLON or byte == chars.SQUARE_RIGHT:
            if num_here == 0 or (num_rows > 0 and num_here != num_columns):
                return 0
            num_rows, num_columns, num_here, in_number = num_rows + 1, num_here, 0, False
            if byte == chars.SQUARE_RIGHT:
                is_matrix = num_rows > 1 and (num_columns > 1 or num_rows > 2)
                return at if is_matrix else 0
        else:
            return 0
    return 0


_IN_NUMBER = chars.FULL_STOP, chars.SLASH
MAX_ROWS = 200  # Bytes.


@borrowing
def read_row_sign(state: Any, scratch: Any, byte: int) -> bool:
    """Read a sign of the matrix in which the index is; return False for the signs of numbers."""
    index = state.index
    place = (index, index + 1)
    if byte == chars.SEMICOLON:
        write_pieces(state, scratch, _ROW, 0, len(_ROW), place)
    elif byte == chars.SQUARE_RIGHT:
        write_pieces(state, scratch, _CLOSE, 0, len(_CLOSE), place)
    elif byte == chars.HYPHEN:
        last = state.num_tokens - 1
        if scratch.tokens[last, KIND] != NUMBER or scratch.text[index - 1] != chars.SPACE:
            return False
        write_pieces(state, scratch, _MINUS, 0, len(_MINUS), place)
    else:
        return False
    return True


@borrowing
def open_rows(state: Any, scratch: Any) -> bool:
    """Read the bracket of a matrix such as [2 1; 0 3]; return False if none begins here."""
    end = rows_end(scratch.text, state.index, state.size)
    if end == 0:
        return False
    place = (state.index, state.index + 1)
    write_pieces(state, scratch, _OPEN, 0, len(_OPEN), place)
    state.rows_end = state.list_end = end
    return True


@borrowing
def is_aligned(text: Any, size: int) -> bool:
    """Return True if the text has an environment or line breaks, in which & aligns."""
    for at in range(size):
        if text[at] == chars.BACKSLASH and (
            text[at + 1] == chars.BACKSLASH or matches(text, at, _BEGIN)
        ):
            return True
    return False
