r"""Decide if a run of tokens is one factor, a product, or needs brackets in a larger formula."""

from typing import Any

from mathledger.core.kernels import borrowing
from mathledger.text.hashing import signed
from mathledger.text.tokens import (
    CARET_HASH,
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
_STAR = int(signed(b"*")[0])
_FUNCTION_LETTERS = signed(b"f", b"g", b"h")
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
    for at in range(first, end):
        value, kind = tokens[at, HASH], tokens[at, KIND]
        if kind == GROUP:
            if is_in(value, _OPENERS):
                if level == 0 and not joins:
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
        elif kind == MACRO and not tokens[at, FLAGS] & (OPERAND | FUNCTION):
            return OTHER
        else:
            if not joins:
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
    r"""Return True for an argument that a function takes without brackets, as in \sin 2x."""
    for at in range(first, end):
        kind = tokens[at, KIND]
        if kind == NUMBER:
            if at > first:
                return False
        elif kind == WORD:
            if tokens[at, TO] - tokens[at, FROM] > 1:
                return False
        elif kind == MACRO:
            if not tokens[at, FLAGS] & OPERAND:
                return False
        elif not (kind == OPERATOR and at > first and is_in(tokens[at, HASH], _POSTFIXES)):
            return False
    return end > first


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
