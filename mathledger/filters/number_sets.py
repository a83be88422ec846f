r"""Read $x \in \mathbb{R}^+$ as words: x is a positive real number."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.filters.overlap_features import place_in
from mathledger.filters.overlap_words import stem_of
from mathledger.text.hashing import signed
from mathledger.text.tokens import (
    BLACKBOARD,
    CARET_HASH,
    FLAGS,
    FROM,
    HASH,
    ROUND_LEFT_HASH,
    UNDERSCORE_HASH,
)

_IN, _PLUS, _MORE, _ZERO = (int(each) for each in signed(rb"\in", b"+", b">", b"0"))
# The letters of the sets, and the stems of their compounds in word_lists.py.
_LETTERS = np.frombuffer(b"rzqcn", np.uint8)
_ALL, _POSITIVE = (
    np.array([stem_of(f"set{chr(letter)}{suffix}") for letter in _LETTERS], np.uint64)
    for suffix in ("", "p")
)


@borrowing
def begins_membership(tok: Any, at: int, count: int) -> bool:
    r"""Return True at \in before a set of numbers such as \mathbb{R}."""
    return bool(tok[at, HASH] == _IN and at + 1 < count and tok[at + 1, FLAGS] & BLACKBOARD)


@borrowing
def read_set(tok: Any, at: int, count: int, spell: Any, lexicon: Any) -> tuple[int, int]:
    r"""Return the place in the lexicon of the set after \in, or -1, and the set's last token."""
    if at == 0 or not begins_membership(tok, at - 1, count):
        return -1, at
    num_more = _size_of_plus(tok, at, count)
    for number in range(len(_LETTERS)):
        if spell[tok[at, FROM]] | np.uint8(32) == _LETTERS[number]:
            stem = _POSITIVE[number] if num_more > 0 else _ALL[number]
            return place_in(lexicon.stems, stem), at + num_more
    return -1, at


@borrowing
def _size_of_plus(tok: Any, at: int, count: int) -> int:
    """Return the number of tokens in ^+, _+ or _{>0} after a set."""
    if at + 2 < count and tok[at + 1, HASH] in (CARET_HASH, UNDERSCORE_HASH):
        if tok[at + 2, HASH] == _PLUS:
            return 2
        is_bracket = tok[at + 2, HASH] == ROUND_LEFT_HASH
        if is_bracket and at + 5 < count and tok[at + 3, HASH] == _MORE:
            return 5 if tok[at + 4, HASH] == _ZERO else 0
    return 0
