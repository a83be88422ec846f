"""The rules of punctuation."""

from typing import Any

import numpy as np

from mathledger.core.kernels import kernel
from mathledger.text.characters import (
    APOSTROPHE,
    BACKSLASH,
    BANG,
    BAR,
    CARET,
    COLON,
    CURLY_LEFT,
    CURLY_RIGHT,
    DOLLAR,
    EQUAL,
    FULL_STOP,
    GREATER,
    HYPHEN,
    LESS,
    NEWLINE,
    PERCENT,
    QUESTION,
    ROUND_LEFT,
    ROUND_RIGHT,
    SEMICOLON,
    SLASH,
    SMALL_A,
    SPACE,
    SQUARE_LEFT,
    SQUARE_RIGHT,
    STAR,
    UNDERSCORE,
    is_digit,
    is_letter,
)
from mathledger.text.tokens import (
    APOSTROPHE_HASH,
    BEGIN,
    END,
    GROUP,
    HASH,
    KIND,
    MACRO,
    NUMBER,
    OPERATOR,
    WORD,
)


@kernel
def _is_small_word(text: Any, at: int, step: int) -> bool:
    """Whether three letters stand there, one after the other, the last two of them small."""
    if at + 2 * step < 0:
        return False
    for letters in range(3):
        byte = text[at + step * letters]
        if not is_letter(byte) or (letters != (0 if step > 0 else 2) and byte < SMALL_A):
            return False
    return True


@kernel
def _is_bullet(text: Any, index: int) -> bool:
    """Whether the sign at index begins a line of a list, and not a wrapped line of a formula."""
    at = index - 1
    if at < 0 or text[at] != NEWLINE:
        return at < 0
    if at == 0 or text[at - 1] == NEWLINE:
        return True
    while at > 0 and text[at] <= SPACE:
        at -= 1
    if text[at] <= SPACE or text[at] in (FULL_STOP, COLON, SEMICOLON, QUESTION, BANG, DOLLAR):
        return True
    end = at
    while at >= 0 and is_letter(text[at]):
        at -= 1
    return end - at > 2 and (at < 0 or text[at] != BACKSLASH)


@kernel
def _run(text: Any, index: int) -> int:
    """How often the byte at index stands there in a row."""
    end = index + 1
    while text[end] == text[index]:
        end += 1
    return end - index


ENDS_SENTENCE, NOTHING = 5, 6  # beside the kinds of token


@kernel
def symbol(text: Any, index: int, glued: bool, last: int, takes: bool) -> tuple[int, int, int]:
    """The rules of punctuation.

    Args:
        glued: Whether the last token stands right before.
        last: Its kind, -1 where there is none.
        takes: Whether a factorial or prime may follow it.

    Returns:
        The kind of token, how many bytes were read, the bytes of the token (the first one lowest).
    """
    byte: Any = np.int64(text[index])
    after: Any = np.int64(text[index + 1])
    before: Any = np.int64(text[index - 1]) if index > 0 else SPACE
    if byte == BACKSLASH:
        if after == PERCENT:
            return OPERATOR, 2, after
        if after in (CURLY_LEFT, CURLY_RIGHT):
            return GROUP, 2, after
        if after == BAR:
            return OPERATOR, 2, BAR | BAR << 8
        return NOTHING, 1 if is_digit(after) else 2, 0
    if byte == HYPHEN:
        if after == HYPHEN:
            return NOTHING, _run(text, index), 0
        # A hyphen touches a word of three letters or more.
        word = _is_small_word(text, index + 1, 1) or _is_small_word(text, index - 1, -1)
        if (word and last != MACRO) or (after == SPACE and _is_bullet(text, index)):
            return NOTHING, 1, 0
        return OPERATOR, 1, byte
    if byte == UNDERSCORE:
        if after == UNDERSCORE:
            return NOTHING, _run(text, index), 0
        return OPERATOR, 1, byte
    if byte == FULL_STOP:
        if after == FULL_STOP:
            return MACRO, _run(text, index), FULL_STOP | FULL_STOP << 8 | FULL_STOP << 16
        return NOTHING if is_letter(after) else ENDS_SENTENCE, 1, 0
    if byte in (LESS, GREATER):
        if after == EQUAL:
            return OPERATOR, 2, byte | EQUAL << 8
        return OPERATOR, 1, byte
    if byte in (SQUARE_LEFT, SQUARE_RIGHT):
        if after == byte:  # [[a link]]
            return NOTHING, 2, 0
        return GROUP, 1, byte
    if byte == SLASH:
        if is_letter(before) and is_letter(after) and index > 1 and is_letter(text[index - 2]):
            return NOTHING, 1, 0
        return OPERATOR, 1, byte
    if byte == STAR:
        if after == STAR:
            power = text[index + 2]
            if glued and (is_digit(power) or is_letter(power) or power == ROUND_LEFT):
                return OPERATOR, 2, CARET
            return NOTHING, 2, 0
        if _is_bullet(text, index):
            return NOTHING, 1, 0
        return OPERATOR, 1, byte
    if byte == COLON:
        if is_digit(after) and is_digit(before):
            return OPERATOR, 1, byte
        return ENDS_SENTENCE if after in (SPACE, NEWLINE) else NOTHING, 1, 0
    if byte == BANG:
        if after == EQUAL:
            return OPERATOR, 2, BANG | EQUAL << 8
        if takes or (glued and (last == NUMBER or (last == GROUP and before == ROUND_RIGHT))):
            return OPERATOR, 1, byte
        return ENDS_SENTENCE, 1, 0
    if byte == APOSTROPHE:
        return OPERATOR if takes else NOTHING, 1, byte if takes else 0
    return ENDS_SENTENCE, 1, 0  # ? and ;


@kernel
def takes_mark(tok: Any, count: int, byte: int, plain: bool, source: Any) -> bool:
    """Whether the last token is a single letter, or a prime before a prime."""
    if count == 0:
        return False
    begin, end = tok[count - 1, BEGIN], tok[count - 1, END]
    if not plain:
        begin, end = np.int64(source[begin]), np.int64(source[end - 1]) + 1
    if byte == APOSTROPHE and tok[count - 1, HASH] == APOSTROPHE_HASH:
        return True
    return bool(tok[count - 1, KIND] == WORD and end - begin == 1)
