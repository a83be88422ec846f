"""Find the marks of a list's lines, which a copy may write in another way: (a), b), 3. and (iv)."""

from typing import Any

import numpy as np

from mathledger.core.kernels import allocating, borrowing
from mathledger.text.chars import DOLLAR, FULL_STOP, NEWLINE, NOT_ASCII, ROUND_RIGHT, SPACE
from mathledger.text.hashing import signed
from mathledger.text.tokens import (
    BEGIN,
    END,
    GROUP,
    HASH,
    KIND,
    NUMBER,
    ROUND_LEFT_HASH,
    ROUND_RIGHT_HASH,
)

# The marks of a list in their order, one kind of list after the other.
_MARKS = signed(*b"1 2 3 4 5 6 7 8 a b c d e f g h i ii iii iv v vi vii viii".split())
_NUM_MARKS = 8  # Of each kind.
_BULLET = int(signed(rb"\bullet")[0])
_BLANKS = SPACE, DOLLAR  # As in $\\bullet$.


@allocating
def mark_enumerators(tok: Any, count: int, data: Any) -> Any:
    """Return which tokens are marks that begin a line, from the first mark of their kind on."""
    is_mark = np.zeros(count, np.bool_)
    reached = np.zeros(len(_MARKS) // _NUM_MARKS, np.int64)  # Marks found of each kind.
    for at in range(count):
        if not _begins_line(tok, at, data):
            continue
        if tok[at, HASH] == _BULLET:
            is_mark[at] = True
            continue
        name = at + int(tok[at, HASH] == ROUND_LEFT_HASH)
        if name == count or not _is_closed(tok, name, data, name > at):
            continue
        for kind in range(len(reached)):
            place = kind * _NUM_MARKS + reached[kind]
            if reached[kind] < _NUM_MARKS and tok[name, HASH] == _MARKS[place]:
                reached[kind] += 1
                end = name + 1
                if end < count and tok[end, HASH] == ROUND_RIGHT_HASH:
                    end += 1
                is_mark[at:end] = True
                break
    return is_mark


@borrowing
def _begins_line(tok: Any, at: int, data: Any) -> bool:
    """Return True if nothing but blanks is before the token in its line."""
    place = tok[at, BEGIN] - 1
    while place >= 0 and data[place] in _BLANKS:
        place -= 1
    return bool(place < 0 or data[place] == NEWLINE)


@borrowing
def _is_closed(tok: Any, name: int, data: Any, is_open: bool) -> bool:
    """Return True if a bracket follows the mark, or a full stop and a blank, or it is circled."""
    end = tok[name, END]
    if tok[name, KIND] == GROUP or end >= len(data):
        return False
    if tok[name, KIND] == NUMBER and data[tok[name, BEGIN]] > NOT_ASCII:
        return True  # A number in a circle.
    if data[end] == ROUND_RIGHT:
        return True
    has_stop = data[end] == FULL_STOP and end + 1 < len(data) and data[end + 1] <= SPACE
    return bool(has_stop and not is_open)
