"""Name the bytes in the lexer's rules, and classify all bytes."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import borrowing

U8 = npt.NDArray[np.uint8]

TAB, NEWLINE, RETURN, SPACE, BANG, DOLLAR, PERCENT, APOSTROPHE = b"\t\n\r !$%'"
ROUND_LEFT, ROUND_RIGHT, STAR, COMMA, HYPHEN, FULL_STOP, SLASH, ZERO = b"()*,-./0"
COLON, SEMICOLON, LESS, EQUAL, GREATER, QUESTION, UPPER_A, BACKSLASH = b":;<=>?A\\"
HASH_SIGN, AMPERSAND, PLUS, AT, TILDE = b"#&+@~"
CARET, UNDERSCORE, SMALL_A, CURLY_LEFT, BAR, CURLY_RIGHT = b"^_a{|}"
SQUARE_LEFT, SQUARE_RIGHT = b"[]"
NOT_ASCII = 0x80

# Classes of bytes. The first three are letters: LETTER is part of a word, IDEOGRAPH begins a letter
# that is a token by itself (kana, ideographs, hangul: U+3000 to U+DFFF), and DEGREE begins the
# degree sign, the only code point from U+0080 to U+00FF that folding leaves.
(LETTER, IDEOGRAPH, DEGREE, DIGIT, BLANK, POINT, ESCAPE, OPEN, CLOSE, SIGN, BRACKET, SYMBOL,
 COMMA_LIKE, SILENT) = range(14)  # fmt: skip


def _classes() -> U8:
    """Return the class of each byte, shape (256,)."""
    classes = np.full(256, SILENT, np.uint8)
    for name, members in (
        (LETTER, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        (DIGIT, b"0123456789"),
        (BLANK, b" \n\r\t"),
        (POINT, b"."),
        (ESCAPE, b"\\"),
        (OPEN, b"{"),
        (CLOSE, b"}"),
        (SIGN, b"+=%^|"),
        (BRACKET, b"()"),
        (SYMBOL, b"<>[]*-/_:!'?;"),
        (COMMA_LIKE, b",@#&~"),
        (LETTER, bytes(range(0x80, 0x100))),
        (IDEOGRAPH, bytes(range(0xE3, 0xEE))),
        (DEGREE, b"\xc2"),
    ):
        classes[list(members)] = name
    return classes


CLASS = _classes()
# Maps a letter of a word to lower case, and every other byte to 0.
LOWER = np.array([ord(chr(b).lower()) if b < 0x80 else b for b in range(256)], np.uint8)
LOWER[CLASS != LETTER] = 0


@borrowing
def is_letter(byte: Any) -> bool:
    return bool(CLASS[byte] <= DEGREE)


@borrowing
def is_ascii_letter(byte: Any) -> bool:
    return bool(LOWER[byte] != 0 and byte < NOT_ASCII)


@borrowing
def is_degree(byte: Any) -> bool:
    return bool(CLASS[byte] == DEGREE)


@borrowing
def is_digit(byte: Any) -> bool:
    return bool(CLASS[byte] == DIGIT)


@borrowing
def matches(text: Any, at: int, word: Any) -> bool:
    """Return True if the text has this word at this position."""
    index = 0
    while index < len(word) and text[at + index] == word[index]:
        index += 1
    return index == len(word)


@borrowing
def skip_delimiters(text: Any, index: int, size: int) -> int:
    r"""Return the place of the next byte that is neither a blank nor one of $, \( and \)."""
    while index < size:
        if text[index] == BACKSLASH and text[index + 1] in (ROUND_LEFT, ROUND_RIGHT):
            index += 2
        elif text[index] == SPACE or text[index] == DOLLAR:
            index += 1
        else:
            break
    return min(index, size)


@borrowing
def skip_delimiters_back(text: Any, index: int) -> int:
    """Return the place of the last such byte up to `index`, or -1."""
    while index >= 0:
        if index > 0 and text[index - 1] == BACKSLASH and text[index] in (ROUND_LEFT, ROUND_RIGHT):
            index -= 2
        elif text[index] == SPACE or text[index] == DOLLAR:
            index -= 1
        else:
            break
    return max(index, -1)


@borrowing
def skip_blanks(text: Any, index: int, size: int) -> int:
    """Return the place of the next byte that is not a blank, or the size."""
    while index < size and text[index] == SPACE:
        index += 1
    return index


@borrowing
def is_in_formula(text: Any, index: int) -> bool:
    r"""Return True between $ and $, and between \( and \) or \[ and \]."""
    has_dollar, level = False, 0
    for at in range(index):
        if text[at] == BACKSLASH:
            level += int(text[at + 1] in (ROUND_LEFT, SQUARE_LEFT))
            level -= int(text[at + 1] in (ROUND_RIGHT, SQUARE_RIGHT))
        elif text[at] == DOLLAR and (at == 0 or text[at - 1] != BACKSLASH):
            has_dollar = not has_dollar
    return has_dollar or level > 0
