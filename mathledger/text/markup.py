"""Skip drawings, images, links, tags and the arguments of layout macros."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars, vocabulary
from mathledger.text.chars import is_letter, matches
from mathledger.text.drawings import ASY, IMAGE, TIKZ
from mathledger.text.hashing import PRIME, SEED, mix

_QUOTES = tuple(b"\"'")
# Maps the first byte of \begin{asy}, ![alt] and http to the second byte.
_SECOND = np.zeros(256, np.uint8)
_SECOND[list(b"\\!h")] = list(b"b[t")

_ASY_OPEN, _ASY_CLOSE = (np.frombuffer(word, np.uint8) for word in (b"[asy]", b"[/asy]"))
_ASY_BEGIN, _ASY_END = (np.frombuffer(word, np.uint8) for word in (b"\\begin{asy}", b"\\end{asy}"))
_TIKZ_BEGIN, _TIKZ_END = (
    np.frombuffer(word, np.uint8) for word in (b"\\begin{tikzpicture}", b"\\end{tikzpicture}")
)
_TAG_OPEN, _TAG_CLOSE = (np.frombuffer(word, np.uint8) for word in (b"<asy>", b"</asy>"))
_HTTP, _HTTPS = (np.frombuffer(word, np.uint8) for word in (b"http://", b"https://"))


@borrowing
def _until(text: Any, at: int, size: int, word: Any) -> int:
    """Return the next position of the word, or `size` if it does not occur."""
    while at < size and not matches(text, at, word):
        at += 1
    return at


@inlined
def may_begin(text: Any, index: int, byte: Any) -> bool:
    """Return False, quickly, if nothing to skip can begin at this byte."""
    return bool(byte in (chars.LESS, chars.SQUARE_LEFT) or _SECOND[byte] == text[index + 1])


@borrowing
def left_out(
    text: Any, index: int, size: int, is_glued: int, slots: Any, entries: Any
) -> tuple[int, int, int, int]:
    """Return the end of what is skipped from here, or 0; and a drawing's code, or 0, 0, 0.

    The code is its kind (of drawings.py), its begin and its end.
    """
    kind, begin, code_end, end = _drawing(text, index, size)
    if end == 0 and text[index] in (chars.LESS, chars.SQUARE_LEFT):
        end = _tag_end(text, index, size, slots, entries)
    elif (
        end == 0 and not is_glued and (matches(text, index, _HTTP) or matches(text, index, _HTTPS))
    ):
        end = index
        while text[end] > chars.SPACE:
            end += 1
    return min(end, size), kind, begin, code_end


@borrowing
def _drawing(text: Any, index: int, size: int) -> tuple[int, int, int, int]:
    """Return a drawing's kind, the begin and end of its code, and its end; or zeros."""
    begin = index
    if matches(text, index, _ASY_OPEN):
        kind, begin, close = ASY, index + len(_ASY_OPEN), _ASY_CLOSE
    elif matches(text, index, _TAG_OPEN):
        kind, begin, close = ASY, index + len(_TAG_OPEN), _TAG_CLOSE
    elif matches(text, index, _ASY_BEGIN):
        kind, begin, close = ASY, index + len(_ASY_BEGIN), _ASY_END
    elif matches(text, index, _TIKZ_BEGIN):
        kind, begin, close = TIKZ, index + len(_TIKZ_BEGIN), _TIKZ_END
        if text[begin] == chars.SQUARE_LEFT:  # The options, such as [scale=2].
            while begin < size and text[begin] != chars.SQUARE_RIGHT:
                begin += 1
            begin += 1
    elif text[index] == chars.BANG and text[index + 1] == chars.SQUARE_LEFT:
        begin, stop, end = _image(text, index, size)
        return IMAGE if end > 0 else 0, begin, stop, end
    if begin == index:
        return 0, 0, 0, 0
    begin = min(begin, size)
    stop = _until(text, begin, size, close)
    if stop == size:
        stop = _unclosed_end(text, begin, size)
        return kind, begin, stop, stop
    return kind, begin, stop, stop + len(close)


@borrowing
def _unclosed_end(text: Any, begin: int, size: int) -> int:
    """Return the end of a drawing that is not closed: its last statement in this paragraph."""
    end = begin
    for at in range(begin, size):
        if text[at] == chars.NEWLINE and text[at + 1] == chars.NEWLINE:
            break
        if text[at] == chars.SEMICOLON:
            end = at + 1
    return end


@borrowing
def _image(text: Any, index: int, size: int) -> tuple[int, int, int]:
    """Return the address in ![alt](address) or ![[name]] and the end of the whole; or zeros."""
    stop = index + 2
    while stop < size and text[stop] not in (chars.SQUARE_RIGHT, chars.NEWLINE):
        stop += 1
    if text[stop] == chars.SQUARE_RIGHT and text[stop + 1] == chars.ROUND_LEFT:
        begin = min(stop + 2, size)
        while stop < size and text[stop] not in (chars.ROUND_RIGHT, chars.NEWLINE):
            stop += 1
        return begin, stop, stop + 1
    if text[index + 2] == chars.SQUARE_LEFT and text[stop + 1] == chars.SQUARE_RIGHT:
        return index + 3, stop, stop + 2
    return 0, 0, 0


@borrowing
def _tag_end(text: Any, index: int, size: int, slots: Any, entries: Any) -> int:
    """Return the end of a tag such as <p> or [tex] that the vocabulary has, or 0."""
    is_square = text[index] == chars.SQUARE_LEFT
    close = chars.SQUARE_RIGHT if is_square else chars.GREATER
    begin = index + 2 if text[index + 1] == chars.SLASH else index + 1
    stop, value = begin, (SEED ^ np.uint64(chars.LESS)) * PRIME
    while is_letter(text[stop]) and stop - begin < 8:
        value = (value ^ text[stop]) * PRIME
        stop += 1
    end = stop if is_square else _attributes_end(text, stop, size)
    while end < size and (text[end] == chars.SPACE or text[end] == chars.SLASH):
        end += 1
    if (
        stop > begin
        and text[end] == close
        and vocabulary.find(mix(value), slots, entries) > 0
        and (
            stop - begin > 1 + int(is_square)
            or begin == index + 2
            or _is_closed(text, index + 1, size)
        )
    ):
        return end + 1
    return 0


@borrowing
def _attributes_end(text: Any, at: int, size: int) -> int:
    """Return the end of the attributes of a tag, as in <p class="x" id='y'>."""
    while True:
        place = at
        while place < size and text[place] == chars.SPACE:
            place += 1
        first = place
        while place < size and (is_letter(text[place]) or text[place] == chars.HYPHEN):
            place += 1
        if first == at or place == first or text[place] != chars.EQUAL:
            return at
        quote = text[place + 1]
        if quote not in _QUOTES:
            return at
        place += 2
        while place < size and text[place] != quote and text[place] != chars.NEWLINE:
            place += 1
        if place >= size or text[place] != quote:
            return at
        at = place + 1


@borrowing
def _is_closed(text: Any, index: int, size: int) -> bool:
    """Return True if a tag of one letter is closed, as in [b]7[/b], or is <b> at a line's begin.

    There is no tag in a <b> c.
    """
    before, opening = index - 2, text[index - 1]
    while before >= 0 and text[before] == chars.SPACE:
        before -= 1
    begins_line = before < 0 or text[before] in (chars.NEWLINE, chars.GREATER)
    if begins_line and opening == chars.LESS:
        return True
    for at in range(index + 2, size):
        if text[at] == opening and text[at + 1] == chars.SLASH and text[at + 2] == text[index]:
            return True
    return False


@borrowing
def _group_end(text: Any, at: int, size: int) -> int:
    """Return the end of the group that begins at `at`, or the size if it is not closed."""
    level = 0
    while at < size:
        byte = text[at]
        if byte in (chars.CURLY_LEFT, chars.SQUARE_LEFT):
            level += 1
        elif byte in (chars.CURLY_RIGHT, chars.SQUARE_RIGHT):
            level -= 1
            if level == 0:
                return at + 1
        at += 1
    return size


@borrowing
def skip_groups(text: Any, index: int, size: int, count: int) -> int:
    r"""Return the end of a layout macro's arguments, as in \color{red} and \rule[1pt]{2pt}{3pt}."""
    while count > 0:
        at = index
        while at < size and text[at] == chars.SPACE:
            at += 1
        if text[at] == chars.CURLY_LEFT:
            count -= 1
        elif text[at] != chars.SQUARE_LEFT:
            break
        index = _group_end(text, at, size)
    return index


# An argument after the name of an environment is skipped only if it consists of these bytes, as
# column types and positions do.
_IS_LAYOUT = np.zeros(256, np.bool_)
_IS_LAYOUT[list(b" {}[]|lcr@htb*")] = True


@borrowing
def environment_end(text: Any, index: int, size: int) -> int:
    r"""Return the end of the arguments of \begin or \end, as in \begin{tabular}[t]{c|c}."""
    index = skip_groups(text, index, size, 1)
    while True:
        at = index
        while at < size and text[at] == chars.SPACE:
            at += 1
        if text[at] != chars.CURLY_LEFT and text[at] != chars.SQUARE_LEFT:
            return index
        end = _group_end(text, at, size)
        for place in range(at, end):
            if not _IS_LAYOUT[text[place]]:
                return index
        index = end
