"""Read operators, brackets and punctuation."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars
from mathledger.text.chars import is_digit, is_letter
from mathledger.text.hashing import PRIME, SEED, mix
from mathledger.text.state import emit
from mathledger.text.tokens import (
    APOSTROPHE_HASH,
    BEFORE_STOP,
    BEGIN,
    BEGINS_SENTENCE,
    CARET_HASH,
    END,
    FLAGS,
    GROUP,
    HASH,
    KIND,
    MACRO,
    NUMBER,
    OPERATOR,
    WORD,
)

# These two extend the kinds of token.
_ENDS_SENTENCE, _NOTHING = 5, 6


@inlined
def read_symbol(state: Any, scratch: Any, byte: Any, byte_class: Any) -> None:
    """Read the sign, bracket or mark that begins with this byte."""
    text, tokens, spellings = scratch.text, scratch.tokens, scratch.spellings
    state.opens_look = False
    index, last = state.index, state.num_tokens - 1
    spelling: Any = np.int64(byte)
    kind, width = _NOTHING, 1
    if byte_class == chars.SIGN:
        kind = OPERATOR
    elif byte_class == chars.BRACKET:
        kind = GROUP
    elif byte_class == chars.DEGREE:
        kind, width, spelling = OPERATOR, 2, spelling | np.int64(text[index + 1]) << 8
        if last >= 0 and tokens[last, HASH] == CARET_HASH:
            state.num_tokens -= 1
    elif byte_class != chars.SILENT:
        takes_mark = False
        if state.is_glued and byte in (chars.BANG, chars.APOSTROPHE):
            takes_mark = _takes_mark(state, tokens, scratch.source, byte)
        last_kind = tokens[last, KIND] if last >= 0 else -1
        kind, width, spelling = _classify(text, index, state.is_glued, last_kind, takes_mark)
    index = min(index + width, state.size)
    if kind >= _ENDS_SENTENCE:
        if kind == _ENDS_SENTENCE:
            state.sentence = BEGINS_SENTENCE
            if byte == chars.FULL_STOP and last >= 0 and state.is_glued:
                tokens[last, FLAGS] |= BEFORE_STOP
        if byte not in (chars.DOLLAR, chars.BACKSLASH):
            state.is_glued = False
        state.index = index
        return
    end, value = state.num_spelled, SEED
    while spelling > 0:
        letter = np.uint8(spelling & 0xFF)
        spellings[end] = letter
        end += 1
        value = (value ^ letter) * PRIME
        spelling >>= 8
    flags = state.sentence
    if kind == GROUP:
        flags = 0
        if byte != chars.BACKSLASH:
            state.owed[state.depth] = 0
    else:
        state.sentence = 0
    emit(state, scratch, mix(value), kind, end, index, flags)


@borrowing
def _takes_mark(state: Any, tokens: Any, source: Any, byte: int) -> bool:
    """Return True if the last token is a single letter, or if a prime follows a prime."""
    last = state.num_tokens - 1
    if last < 0:
        return False
    token = tokens[last]
    if byte == chars.APOSTROPHE and token[HASH] == APOSTROPHE_HASH:
        return True
    begin, end = token[BEGIN], token[END]
    if not state.is_ascii:
        begin, end = np.int64(source[begin]), np.int64(source[end - 1]) + 1
    return bool(token[KIND] == WORD and end - begin == 1)


@borrowing
def _is_in_word(text: Any, index: int) -> bool:
    """Return True if a word of three or more letters touches the byte at index.

    The word's second and third letters must be lower case.
    """
    for begin in (index + 1, index - 3):
        is_word = begin >= 0 and is_letter(text[begin])
        for at in range(begin + 1, begin + 3):
            is_word = is_word and is_letter(text[at]) and text[at] >= chars.SMALL_A
        if is_word:
            return True
    return False


@borrowing
def _is_bullet(text: Any, index: int) -> bool:
    """Return True if the sign begins a list item and not a continued line of a formula."""
    at = index - 1
    if at < 0 or text[at] != chars.NEWLINE:
        return at < 0
    if at == 0 or text[at - 1] == chars.NEWLINE:
        return True
    while at > 0 and text[at] <= chars.SPACE:
        at -= 1
    if text[at] <= chars.SPACE or text[at] in (
        chars.FULL_STOP,
        chars.COLON,
        chars.SEMICOLON,
        chars.QUESTION,
        chars.BANG,
        chars.DOLLAR,
    ):
        return True
    end = at
    while at >= 0 and is_letter(text[at]):
        at -= 1
    return end - at > 2 and (at < 0 or text[at] != chars.BACKSLASH)


@borrowing
def _repeats(text: Any, index: int) -> int:
    """Return the length of the run of equal bytes that begins at index."""
    end = index + 1
    while text[end] == text[index]:
        end += 1
    return end - index


@borrowing
def _classify(
    text: Any, index: int, is_glued: int, last: int, takes_mark: bool
) -> tuple[int, int, int]:
    """Apply the rules of punctuation.

    Args:
        is_glued: Whether the last token ends right before this byte.
        last: The kind of the last token, or -1 if there is none.
        takes_mark: Whether a factorial or prime may follow the last token.

    Returns:
        The kind of token, the number of bytes read, and the token's bytes (the first one lowest).
    """
    byte: Any = np.int64(text[index])
    after: Any = np.int64(text[index + 1])
    before: Any = np.int64(text[index - 1]) if index > 0 else chars.SPACE
    if byte == chars.BACKSLASH:
        if after == chars.PERCENT:
            return OPERATOR, 2, after
        if after in (chars.CURLY_LEFT, chars.CURLY_RIGHT):
            return GROUP, 2, after
        if after == chars.BAR:
            return OPERATOR, 2, chars.BAR | chars.BAR << 8
        return _NOTHING, 1 if is_digit(after) else 2, 0
    if byte == chars.HYPHEN:
        if after == chars.HYPHEN:
            return _NOTHING, _repeats(text, index), 0
        is_bullet = after == chars.SPACE and _is_bullet(text, index)
        if is_bullet or (last != MACRO and _is_in_word(text, index)):
            return _NOTHING, 1, 0
        return OPERATOR, 1, byte
    if byte == chars.UNDERSCORE:
        if after == chars.UNDERSCORE:
            return _NOTHING, _repeats(text, index), 0
        return OPERATOR, 1, byte
    if byte == chars.FULL_STOP:
        if after == chars.FULL_STOP:
            return (
                MACRO,
                _repeats(text, index),
                chars.FULL_STOP | chars.FULL_STOP << 8 | chars.FULL_STOP << 16,
            )
        return _NOTHING if is_letter(after) else _ENDS_SENTENCE, 1, 0
    if byte in (chars.LESS, chars.GREATER):
        if after == chars.EQUAL:
            return OPERATOR, 2, byte | chars.EQUAL << 8
        return OPERATOR, 1, byte
    if byte in (chars.SQUARE_LEFT, chars.SQUARE_RIGHT):
        if after == byte:  # As in [[a link]].
            return _NOTHING, 2, 0
        return GROUP, 1, byte
    if byte == chars.SLASH:
        if is_letter(before) and is_letter(after) and index > 1 and is_letter(text[index - 2]):
            return _NOTHING, 1, 0
        return OPERATOR, 1, byte
    if byte == chars.STAR:
        if after == chars.STAR:
            power = text[index + 2]
            if is_glued and (is_digit(power) or is_letter(power) or power == chars.ROUND_LEFT):
                return OPERATOR, 2, chars.CARET
            return _NOTHING, 2, 0
        if _is_bullet(text, index):
            return _NOTHING, 1, 0
        return OPERATOR, 1, byte
    if byte == chars.COLON:
        if is_digit(after) and is_digit(before):
            return OPERATOR, 1, byte
        return _ENDS_SENTENCE if after in (chars.SPACE, chars.NEWLINE) else _NOTHING, 1, 0
    if byte == chars.BANG:
        if after == chars.EQUAL:
            return OPERATOR, 2, chars.BANG | chars.EQUAL << 8
        if takes_mark or (
            is_glued and (last == NUMBER or (last == GROUP and before == chars.ROUND_RIGHT))
        ):
            return OPERATOR, 1, byte
        return _ENDS_SENTENCE, 1, 0
    if byte == chars.APOSTROPHE:
        return OPERATOR if takes_mark else _NOTHING, 1, byte if takes_mark else 0
    return _ENDS_SENTENCE, 1, 0  # Only ? and ; remain.
