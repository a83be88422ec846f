r"""Decide if a run of tokens is one factor, a product, or needs brackets in a larger formula."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.hashing import signed
from mathledger.text.tokens import (
    BEGIN,
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
    ROUND_LEFT_HASH,
    ROUND_RIGHT_HASH,
    SLASH_HASH,
    TO,
    UNDERSCORE_HASH,
    WORD,
)

# The shapes, from the one that binds most. An ATOM is a token, perhaps with a sign; a FACTOR is a
# power, a root, a factorial or the value of a function; a PRODUCT has no sum, relation or fraction.
ATOM, FACTOR, PRODUCT, OTHER = range(4)

_OPENERS = signed(b"(", b"[", b"{")
_POSTFIXES = signed(b"!", "°".encode(), b"'", b"%")
_SIGNS = signed(b"-", b"+")
_RELATIONS = signed(b"=", b"<", b">", b"<=", b">=", b"!=")
_STAR = int(signed(b"*")[0])
# After the bracket of a fraction, these bytes need it, as in (1/2)^3.
_NEED_BRACKET = (
    chars.CARET, chars.UNDERSCORE, chars.BANG, chars.APOSTROPHE, chars.SLASH, chars.CURLY_RIGHT
)  # fmt: skip
_SEPARATORS = chars.COMMA, chars.SEMICOLON, chars.AMPERSAND
_S = ord("s")
_MAX_PRODUCT = 2  # Letters of a product that a function takes without brackets, as in cos bx.
# What may be between two factors; the first ones are product signs.
BETWEEN = "\\cdot", "\\times", "\\left", "\\big", "\\Big"
NUM_SIGNS = 2
_ENDS, _RIGHT = (chars.ROUND_RIGHT, chars.CURLY_RIGHT), np.frombuffer(b"\\right", np.uint8)
_BETWEEN = np.frombuffer("".join(BETWEEN).encode(), np.uint8)
_BETWEEN_ENDS = np.cumsum([0, *map(len, BETWEEN)])
SUMS = r"\sum \prod \int \oint \bigcup \bigcap"
_SUMS, _BINOM = signed(*SUMS.encode().split()), int(signed(b"\\binom")[0])
FUNCTION_LETTERS = "fghpq"
_FUNCTION_LETTERS = signed(*(letter.encode() for letter in FUNCTION_LETTERS))
_ORDINAL_ENDINGS = signed(b"th", b"st", b"nd", b"rd")


@borrowing
def is_in(value: Any, table: Any) -> bool:
    for member in table:  # noqa: SIM110  (numba compiles no generator)
        if value == member:
            return True
    return False


@borrowing
def shape(tokens: Any, first: int, end: int) -> int:
    """Return the shape of the tokens from `first` up to `end`."""
    level, operands, worst = 0, 0, FACTOR
    joins = False  # Whether the next operand belongs to the last one or to a prefix.
    num_chosen = 0  # Arguments of \\binom that are still to come.
    for at in range(first, end):
        value, kind = tokens[at, HASH], tokens[at, KIND]
        if kind == GROUP:
            if is_in(value, _OPENERS):
                if level == 0 and num_chosen > 0:
                    num_chosen -= 1
                elif level == 0 and not joins:
                    operands += 1
                level += 1
            elif level > 0:
                level -= 1
            joins = False
        elif level > 0:
            continue
        elif kind == OPERATOR:
            if value in (CARET_HASH, UNDERSCORE_HASH):
                joins = True
            elif is_in(value, _SIGNS) and (at == first or joins):
                if at == first and end - first > 2:
                    worst = PRODUCT
            elif value == _STAR:
                worst = PRODUCT
            elif not is_in(value, _POSTFIXES):
                return OTHER
        elif value == _BINOM:
            operands += int(not joins)
            joins, num_chosen = False, 2
        elif kind == MACRO and not tokens[at, FLAGS] & (OPERAND | FUNCTION):
            return OTHER
        else:
            if num_chosen > 0:
                num_chosen -= 1
            elif not joins:
                operands += 1
            joins = bool(tokens[at, FLAGS] & FUNCTION) or (
                kind == WORD
                and is_in(value, _FUNCTION_LETTERS)
                and at + 1 < end
                and tokens[at + 1, HASH] == ROUND_LEFT_HASH
            )
    if operands > 1:
        return PRODUCT
    if worst == FACTOR and _is_bracketed(tokens, first, end):
        return ATOM
    if worst == FACTOR and end - first <= 2 and is_atom(tokens, first, end):
        return ATOM
    return worst


@borrowing
def _is_bracketed(tokens: Any, first: int, end: int) -> bool:
    """Return True if one pair of round brackets encloses all tokens."""
    if end - first < 2 or tokens[first, HASH] != ROUND_LEFT_HASH:
        return False
    level = 0
    for at in range(first, end - 1):
        if tokens[at, KIND] == GROUP:
            level += 1 if is_in(tokens[at, HASH], _OPENERS) else -1
            if level == 0:
                return False
    return bool(tokens[end - 1, HASH] == ROUND_RIGHT_HASH)


@borrowing
def is_atom(tokens: Any, first: int, end: int) -> bool:
    """Return True for a single token, perhaps with a sign."""
    if end - first == 2:
        return bool(
            is_in(tokens[first, HASH], _SIGNS)
            and tokens[end - 1, KIND] != GROUP
            and tokens[end - 1, KIND] != OPERATOR
        )
    return end - first == 1


@borrowing
def is_call(tokens: Any, first: int, end: int) -> bool:
    r"""Return True for an argument that a function takes without brackets: \sin 2x, \ln e^3."""
    for at in range(first, end):
        kind = tokens[at, KIND]
        is_power = at > first and tokens[at - 1, HASH] == CARET_HASH
        if kind == NUMBER:
            if at > first and not is_power:
                return False
        elif tokens[at, HASH] == CARET_HASH:
            if at == first or is_power or at + 1 == end:
                return False
        elif kind == WORD:
            if tokens[at, TO] - tokens[at, FROM] > _MAX_PRODUCT:
                return False
        elif kind == MACRO:
            if not tokens[at, FLAGS] & OPERAND:
                return False
        elif not (kind == OPERATOR and at > first and is_in(tokens[at, HASH], _POSTFIXES)):
            return False
    return end > first


@borrowing
def is_lone(tokens: Any, opened: int, end: int, text: Any, index: int, size: int) -> bool:
    r"""Return True for the brackets of (1/2)x and -(3/4), and for the first ones of (3)(4).

    Args:
        opened: The bracket; the tokens after it go up to `end`.
        text: The folded text, in which the closing bracket is at `index`.
    """
    first = opened + 1
    if end == first or _needs_bracket(text, index, size):
        return False
    has_sign = is_in(tokens[first, HASH], _SIGNS)
    if opened == 0 and has_sign:
        return False
    if opened > 0:
        before = tokens[opened - 1]
        if has_sign and not is_in(before[HASH], _RELATIONS):
            return False
        is_operand = ends_operand(before) and not ends_limits(tokens, opened)
        if is_operand and before[KIND] == NUMBER and end > first + 1:
            is_operand = tokens[first, KIND] == NUMBER or has_sign
            is_operand = is_operand or not _is_factor_before(tokens, opened, text)
        if is_operand or before[HASH] == SLASH_HASH:
            return False
        if before[KIND] == WORD and before[END] == tokens[opened, BEGIN]:
            return False  # As in arg(z/w).
    if end == first + 1:
        return bool(tokens[first, KIND] == NUMBER and text[index + 1] == chars.ROUND_LEFT)
    return _is_fraction(tokens, first, end, text, index)


@borrowing
def ends_limits(tokens: Any, end: int) -> bool:
    r"""Return True if the tokens up to `end` are a sum's limits, as in \sum_{k=1}^{30}."""
    at = end - 1
    for _ in range(2):
        level = int(tokens[at, HASH] == ROUND_RIGHT_HASH)
        while level > 0 and at > 0:
            at -= 1
            level += int(tokens[at, HASH] == ROUND_RIGHT_HASH)
            level -= int(tokens[at, HASH] == ROUND_LEFT_HASH)
        if at < 2 or tokens[at - 1, HASH] not in SCRIPTS:
            return False
        at -= 2
        if is_in(tokens[at, HASH], _SUMS):
            return True
    return False


@borrowing
def is_second_factor(tokens: Any, opened: int, end: int, text: Any, index: int, size: int) -> bool:
    """Return True if the bracket stands for a product sign, as the second ones of (3/7)(2/5)."""
    first = opened + 1
    if (
        opened == 0
        or end == first
        or tokens[first, KIND] != NUMBER
        or _needs_bracket(text, index, size)
    ):
        return False
    if not _is_factor_before(tokens, opened, text):
        return False
    return end == first + 1 or _is_fraction(tokens, first, end, text, index)


@borrowing
def _is_factor_before(tokens: Any, opened: int, text: Any) -> bool:
    """Return True if what is before the bracket is multiplied with it, and no function of it.

    This is a number right before it, and anything before a product sign.
    """
    before = tokens[opened - 1]
    at, begin = before[END], tokens[opened, BEGIN]
    is_number = before[KIND] == NUMBER
    if is_number and opened > 2:
        # As in f_1(2) and f^{-1}(2).
        is_index = tokens[opened - 2, HASH] == UNDERSCORE_HASH
        is_inverse = tokens[opened - 3, HASH] == CARET_HASH and is_in(
            tokens[opened - 2, HASH], _SIGNS
        )
        is_number = not is_index and not is_inverse
    while at < begin and (text[at] in _ENDS or chars.matches(text, at, _RIGHT)):
        at += 1 if text[at] in _ENDS else len(_RIGHT)
    if at == begin:
        return bool(is_number)
    while at < begin and text[at] == chars.SPACE:
        at += 1
    if at < begin and text[at] == chars.STAR:
        return ends_operand(before)
    for number in range(len(_BETWEEN_ENDS) - 1):
        first, end = _BETWEEN_ENDS[number], _BETWEEN_ENDS[number + 1]
        if chars.matches(text, at, _BETWEEN[first:end]):
            return bool(is_number or (number < NUM_SIGNS and ends_operand(before)))
    return False


@borrowing
def _needs_bracket(text: Any, index: int, size: int) -> bool:
    """Return True if the bracket that is closed at `index` binds, as in (1/2)^3."""
    after = chars.skip_blanks(text, index + 1, size)
    if text[after] in (chars.STAR, chars.LESS):
        return bool(text[after + 1] in (chars.STAR, _S))  # As in (1/2)**3 and (1/2)<sup>3</sup>.
    return bool(text[after] in _NEED_BRACKET)


@borrowing
def _is_fraction(tokens: Any, first: int, end: int, text: Any, index: int) -> bool:
    """Return True for one fraction that needs no brackets in a sum; (x, 1/2) is a point."""
    level, bar = 0, -1
    for at in range(first, end):
        if tokens[at, KIND] == GROUP:
            level += 1 if is_in(tokens[at, HASH], _OPENERS) else -1
        elif level == 0 and tokens[at, HASH] == SLASH_HASH:
            if bar >= 0:
                return False
            bar = at
    if bar <= first or bar == end - 1 or level != 0:
        return False
    for at in range(tokens[first, BEGIN], index):
        if text[at] in _SEPARATORS:
            return False
    return bool(shape(tokens, first, bar) <= PRODUCT and shape(tokens, bar + 1, end) <= FACTOR)


@borrowing
def ends_operand(token: Any) -> bool:
    """Return True if a factor may follow this token."""
    kind = token[KIND]
    if kind == WORD:
        return bool(token[TO] - token[FROM] == 1 or token[FLAGS] & FUNCTION)
    if kind == GROUP:
        return not is_in(token[HASH], _OPENERS)
    if kind == MACRO:
        return bool(token[FLAGS] & (OPERAND | FUNCTION))
    return bool(kind == NUMBER or is_in(token[HASH], _POSTFIXES) or token[HASH] in SCRIPTS)


SCRIPTS = CARET_HASH, UNDERSCORE_HASH


@borrowing
def is_ordinal_ending(tokens: Any, at: int) -> bool:
    return tokens[at, KIND] == WORD and is_in(tokens[at, HASH], _ORDINAL_ENDINGS)
