r"""Hash the code of a drawing (asy, TikZ, an image's address) so that its layout does not matter.

Blanks, comments, semicolons, math delimiters, the braces of x^{2} and the statements that only set
sizes are left out, and one number has one spelling: `draw((0,0)--(4.0,.5)); // base` equals
`draw( (0,0)--(4,0.5) )`.
Coordinates and labels stay, because they are part of the problem.
"""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.chars import LOWER, is_digit, is_letter, matches
from mathledger.text.hashing import PRIME, SEED, mix

# Kinds of drawing. Of an image, which has an address and no code, only the blanks are left out.
ASY, TIKZ, IMAGE = range(3)

# Statements that begin with these words set the size or the style; they end with a semicolon.
LAYOUT = ("size", "unitsize", "import", "defaultpen", "dotfactor", "settings", "usepackage")
_LAYOUT = np.frombuffer("".join(LAYOUT).encode(), np.uint8)
_LAYOUT_ENDS = np.cumsum([0, *map(len, LAYOUT)])
# In Asymptote, a statement that declares a variable begins with one of these words.
TYPES = ("int", "real", "pair", "path", "pen", "picture", "string", "bool", "for", "if")
_TYPES = np.frombuffer("".join(TYPES).encode(), np.uint8)
_TYPE_ENDS = np.cumsum([0, *map(len, TYPES)])
_SIGNS = (
    chars.ROUND_LEFT, chars.EQUAL, chars.SEMICOLON, chars.CURLY_LEFT, chars.SQUARE_LEFT,
    chars.BACKSLASH,
)  # fmt: skip
_FRAC = np.frombuffer(b"frac", np.uint8)
_D, _T, _N, _QUOTE = b'dtn"'
# Of a statement, or of the mark with which a drawing begins.
_STATEMENT_ENDS = tuple(b";{}]>")


@borrowing
def digest(text: Any, index: int, end: int, kind: int) -> Any:
    """Return the hash of the drawing whose code is text[index:end]."""
    value, begins = SEED, True
    while index < end:
        byte = text[index]
        if byte <= chars.SPACE:
            index += 1
        elif kind == IMAGE:
            value = (value ^ byte) * PRIME
            index += 1
        elif byte == chars.SEMICOLON:
            begins = True
            index += 1
        else:
            after = _left_out(text, index, end, kind)
            if after == index and begins:
                after = _layout_end(text, index, end)
            if after == index:
                begins = byte in (chars.CURLY_LEFT, chars.CURLY_RIGHT)
                after, value = _read(text, index, end, value)
            index = after
    return mix(value)


@borrowing
def _left_out(text: Any, index: int, end: int, kind: int) -> int:
    r"""Return the end of a comment or math delimiter, or of the d in \dfrac; else the index.

    The escapes of JSON are left out as well: the second backslash of \\frac, that of \", and \n.
    """
    byte, after = text[index], text[index + 1] if index + 1 < end else chars.SPACE
    if byte == chars.BACKSLASH and after in (chars.BACKSLASH, _QUOTE):
        return index + 1
    if byte == chars.BACKSLASH and after == _N and not _is_macro(text, index, end):
        while index + 1 < end and text[index] == byte and text[index + 1] == _N:
            index += 2
        return index
    if byte == chars.DOLLAR:
        return index + 1
    if (byte == chars.CURLY_LEFT and _is_lone(text, index, end, 1)) or (
        byte == chars.CURLY_RIGHT and _is_lone(text, index, end, -1)
    ):
        return index + 1
    if byte == chars.BACKSLASH and after in (chars.ROUND_LEFT, chars.ROUND_RIGHT):
        return index + 2
    is_escaped = index > 0 and text[index - 1] == chars.BACKSLASH
    if byte in (_D, _T) and is_escaped and matches(text, index + 1, _FRAC):
        return index + 1
    if (byte == chars.PERCENT and kind == TIKZ and not is_escaped) or (
        byte == chars.SLASH and after == chars.SLASH and kind == ASY
    ):
        index = _comment_end(text, index, end)
    elif byte == chars.SLASH and after == chars.STAR and kind == ASY:
        index += 2
        while index < end and not (
            text[index - 1] == chars.SLASH and text[index - 2] == chars.STAR
        ):
            index += 1
    return index


@borrowing
def _is_lone(text: Any, index: int, end: int, step: int) -> bool:
    r"""Return True if the braces hold one letter, digit or macro, as in x^{2} and 30^{\circ}.

    Args:
        step: 1 at the brace that opens, -1 at the one that closes.
    """
    other = chars.CURLY_RIGHT if step > 0 else chars.CURLY_LEFT
    at, num_letters = index + step, 0
    if not 0 <= index + 2 * step < end:
        return False
    if text[index + 2 * step] == other and (is_digit(text[at]) or LOWER[text[at]] != 0):
        return True
    while step > 0 and text[at] == chars.BACKSLASH and at + 1 < end:
        at += 1
    is_macro = step < 0 or at > index + 1
    while 0 <= at < end and LOWER[text[at]] != 0:
        at, num_letters = at + step, num_letters + 1
    if step < 0:
        is_macro = at > 0 and text[at] == chars.BACKSLASH
        while at > 0 and text[at] == chars.BACKSLASH:
            at -= 1
    return bool(is_macro and num_letters > 0 and 0 <= at < end and text[at] == other)


@borrowing
def _is_macro(text: Any, index: int, end: int) -> bool:
    r"""Return False at the line break \n of JSON: before no small letter or after a statement."""
    if index > 0 and text[index - 1] == chars.BACKSLASH:
        return True
    if index > 0 and text[index - 1] in _STATEMENT_ENDS:
        return False
    return bool(index + 2 < end and is_letter(text[index + 2]) and text[index + 2] >= chars.SMALL_A)


@borrowing
def _comment_end(text: Any, index: int, end: int) -> int:
    """Return the end of the line, or where code begins if all line breaks were replaced by blanks.

    In a text without line breaks, code begins with a word that names a type or holds a sign.
    """
    stop = index
    while stop < end and text[stop] != chars.NEWLINE:
        stop += 1
    if stop < end:
        return stop
    while index < end and text[index] > chars.SPACE:  # The word with the mark of the comment.
        index += 1
    while index < end:
        stop = index + 1
        while stop < end and text[stop] > chars.SPACE:
            if text[stop] in _SIGNS:
                return index
            stop += 1
        for number in range(len(TYPES)):
            word = _TYPES[_TYPE_ENDS[number] : _TYPE_ENDS[number + 1]]
            if stop - index - 1 == len(word) and matches(text, index + 1, word):
                return index
        index = stop
    return end


@borrowing
def _layout_end(text: Any, index: int, end: int) -> int:
    """Return the end of a statement that only sets the layout; else the index."""
    for number in range(len(LAYOUT)):
        word = _LAYOUT[_LAYOUT_ENDS[number] : _LAYOUT_ENDS[number + 1]]
        stop = index + len(word)
        if stop < end and matches(text, index, word) and not is_letter(text[stop]):
            while stop < end and text[stop] != chars.SEMICOLON:
                stop += 1
            return stop
    return index


@borrowing
def _read(text: Any, index: int, end: int, value: Any) -> tuple[int, Any]:
    """Hash a number, as .5 for 0.50, or another byte; return its end and the hash."""
    point = index
    while point < end and is_digit(text[point]):
        point += 1
    stop = point
    if point + 1 < end and text[point] == chars.FULL_STOP and is_digit(text[point + 1]):
        stop += 1
        while stop < end and is_digit(text[stop]):
            stop += 1
    elif point > index and point < end and text[point] == chars.FULL_STOP:
        stop += 1
    if stop == index:
        return index + 1, (value ^ text[index]) * PRIME
    last = stop
    while last > point and (text[last - 1] == chars.ZERO or last == point + 1):
        last -= 1
    if last > point and point == index + 1 and text[index] == chars.ZERO:
        index += 1
    for at in range(index, last):
        value = (value ^ text[at]) * PRIME
    return stop, value
