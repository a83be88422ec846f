"""Braces of arguments: brackets where they hold several tokens, nothing where they hold one."""

from typing import Any

from mathledger.core.kernels import kernel
from mathledger.text.characters import CURLY_LEFT, ROUND_LEFT, ROUND_RIGHT
from mathledger.text.tokens import (
    ARGUMENT_BRACKET,
    CARET_HASH,
    DEGREE_HASH,
    GROUP,
    HASH,
    ROUND_LEFT_HASH,
    ROUND_RIGHT_HASH,
    UNDERSCORE_HASH,
    emit,
    move,
)


@kernel
def close(tok: Any, opened: int, count: int) -> int:
    """Close an argument's brace; returns the new count of tokens, -1 where a bracket is due."""
    inside = count - opened - 1
    if inside > 1:
        return -1
    if inside == 1:
        move(tok, opened + 1, opened)
        count -= 1
        if opened > 0 and tok[opened, HASH] == DEGREE_HASH and tok[opened - 1, HASH] == CARET_HASH:
            move(tok, opened, opened - 1)  # ^{\circ}
            count -= 1
        return count
    count -= 1
    last = tok[count - 1, HASH] if count > 0 else 0
    return count - 1 if last in (CARET_HASH, UNDERSCORE_HASH) else count  # ^{} is nothing


@kernel
def bracket(tok: Any, spell: Any, at: int, used: int, begin: int, brace: int) -> None:
    """The round bracket that an argument's brace is read as."""
    left = brace == CURLY_LEFT
    spell[used] = ROUND_LEFT if left else ROUND_RIGHT
    value = ROUND_LEFT_HASH if left else ROUND_RIGHT_HASH
    emit(tok, at, value, GROUP, used, used + 1, begin, begin + 1, ARGUMENT_BRACKET if left else 0)
