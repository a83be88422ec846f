"""What a lexer leaves out: drawings, images, links, tags and the arguments of layout macros."""

from typing import Any

import numpy as np

from mathledger.core.kernels import kernel
from mathledger.text.characters import (
    BANG,
    CURLY_LEFT,
    CURLY_RIGHT,
    GREATER,
    LESS,
    NEWLINE,
    ROUND_RIGHT,
    SLASH,
    SPACE,
    SQUARE_LEFT,
    SQUARE_RIGHT,
    is_letter,
    matches,
)
from mathledger.text.hashing import PRIME, SEED, mix
from mathledger.text.vocabulary import find_entry

# The byte that follows where something left out may begin: [asy] \begin{asy} ![alt] http <tag>
SECOND = np.zeros(256, np.uint8)
SECOND[list(b"[\\!h")] = list(b"ab[t")


_ASY_OPEN, _ASY_CLOSE = (np.frombuffer(word, np.uint8) for word in (b"[asy]", b"[/asy]"))
_ASY_BEGIN, _ASY_END = (np.frombuffer(word, np.uint8) for word in (b"\\begin{asy}", b"\\end{asy}"))
_TAG_OPEN, _TAG_CLOSE = (np.frombuffer(word, np.uint8) for word in (b"<asy>", b"</asy>"))
HTTP = np.frombuffer(b"http", np.uint8)


@kernel
def _until(text: Any, at: int, size: int, word: Any) -> int:
    """Where the word stands next, size where it does not."""
    while at < size and not matches(text, at, word):
        at += 1
    return at


@kernel
def drawing_end(text: Any, index: int, size: int) -> tuple[int, int]:
    """End of a drawing or image that begins here, without and with its closing; 0, 0 where none."""
    if matches(text, index, _ASY_OPEN):
        stop = _until(text, index + len(_ASY_OPEN), size, _ASY_CLOSE)
        return stop, stop + len(_ASY_CLOSE)
    if matches(text, index, _TAG_OPEN):
        stop = _until(text, index + len(_TAG_OPEN), size, _TAG_CLOSE)
        return stop, stop + len(_TAG_CLOSE)
    if matches(text, index, _ASY_BEGIN):
        stop = _until(text, index + len(_ASY_BEGIN), size, _ASY_END)
        return stop, stop + len(_ASY_END)
    if text[index] == BANG and text[index + 1] == SQUARE_LEFT:  # ![alt](address)
        stop = index + 2
        while stop < size and text[stop] != ROUND_RIGHT and text[stop] != NEWLINE:
            stop += 1
        return stop, stop + 1
    return 0, 0


@kernel
def tag_end(text: Any, index: int, size: int, slots: Any, entries: Any) -> int:
    """End of the known mark-up tag that begins here; 0 where none does."""
    begin = index + 2 if text[index + 1] == SLASH else index + 1
    stop, value = begin, (SEED ^ np.uint64(LESS)) * PRIME
    while is_letter(text[stop]) and stop - begin < 8:
        value = (value ^ text[stop]) * PRIME
        stop += 1
    end = stop
    while end < size and (text[end] == SPACE or text[end] == SLASH):
        end += 1
    if stop > begin and text[end] == GREATER and find_entry(mix(value), slots, entries) > 0:
        return end + 1
    return 0


# What the second group after a layout macro may hold, if it is to be left out.
_LAYOUT_LETTER = np.zeros(256, np.bool_)
_LAYOUT_LETTER[list(b" {|lcr@[htb")] = True


@kernel
def layout_end(text: Any, index: int, size: int) -> int:
    r"""Behind the arguments of a layout macro: \begin{tabular}{cc}, \color{red}."""
    for group in range(2):
        at = index
        while at < size and text[at] == SPACE:
            at += 1
        if text[at] != CURLY_LEFT and text[at] != SQUARE_LEFT:
            break
        level = 0
        plain = True  # no more than | l c r and places
        while at < size:
            byte = text[at]
            if byte in (CURLY_LEFT, SQUARE_LEFT):
                level += 1
            elif byte in (CURLY_RIGHT, SQUARE_RIGHT):
                level -= 1
                if level == 0:
                    break
            if not _LAYOUT_LETTER[byte]:
                plain = False
            at += 1
        if group == 1 and not plain:
            break
        index = min(at + 1, size)
    return index
