"""Cut off what surrounds the question: instructions on the answer, numbering, options."""

from typing import Any

from mathledger.core.kernels import kernel
from mathledger.text.hashing import signed
from mathledger.text.tokens import (
    BEFORE_STOP,
    BEGINS_SENTENCE,
    CAPITALISED,
    FLAGS,
    GROUP,
    HASH,
    KIND,
    NUMBER,
    OPENS_PHRASE,
    ROUND_LEFT_HASH,
    ROUND_RIGHT_HASH,
    SINGLE_CAPITAL,
    move,
)

_OF_THE_FOLLOWING = signed(b"of", b"the", b"following")
_MARKERS = signed(b"a", b"b", b"c", b"d")
_PROBLEM_WORDS = signed(b"problem", b"example", b"question", b"exercise")
_MIN_STEM = 6  # tokens before the options: fewer, and the options are the problem


@kernel
def _is_marker(at: int, count: int, letter: Any, tok: Any) -> bool:
    """Whether token `at` is that capital letter, written (A) or A) or A."""
    if tok[at, HASH] != letter or not tok[at, FLAGS] & SINGLE_CAPITAL:
        return False
    if tok[at, FLAGS] & BEFORE_STOP or (at + 1 < count and tok[at + 1, HASH] == ROUND_RIGHT_HASH):
        return True
    return bool(at > 0 and tok[at - 1, HASH] == ROUND_LEFT_HASH)


@kernel
def options(count: int, tok: Any) -> int:
    """Where the options of a multiple choice begin; count where there are none.

    Options stay where they are the question: after a very short stem, or "of the following".
    """
    for start in range(_MIN_STEM, count):
        if not _is_marker(start, count, _MARKERS[0], tok):
            continue
        at, found = start, 1
        while at < count and found < 4:
            if _is_marker(at, count, _MARKERS[found], tok):
                found += 1
            at += 1
        if found < 4:
            return count
        for at in range(2, start):
            if (
                tok[at, HASH] == _OF_THE_FOLLOWING[2]
                and tok[at - 1, HASH] == _OF_THE_FOLLOWING[1]
                and tok[at - 2, HASH] == _OF_THE_FOLLOWING[0]
            ):
                return count
        return start - 1 if tok[start - 1, KIND] == GROUP else start
    return count


@kernel
def _is_boilerplate(start: int, end: int, words: Any, offsets: Any, tok: Any) -> bool:
    """Whether the tokens from start on begin with one of the BOILERPLATE phrases."""
    if not tok[start, FLAGS] & OPENS_PHRASE:
        return False
    for phrase in range(len(offsets) - 1):
        low, high = offsets[phrase], offsets[phrase + 1]
        if high - low <= end - start:
            step = 0
            while low + step < high and tok[start + step, HASH] == words[low + step]:
                step += 1
            if low + step == high:
                return True
    return False


@kernel
def cut(count: int, opens: bool, words: Any, offsets: Any, tok: Any) -> int:
    """Leave out sentences of boilerplate and a leading enumerator; returns the count.

    opens is False where no token has OPENS_PHRASE.
    """
    start = 0
    if count > 3 and tok[0, KIND] == NUMBER and tok[0, FLAGS] & BEFORE_STOP:
        start = 1
    elif count > 4:
        for word in _PROBLEM_WORDS:
            if tok[0, HASH] == word:
                if tok[1, FLAGS] & BEGINS_SENTENCE:
                    start = 1
                elif tok[1, KIND] == NUMBER:
                    start = 2
    if start == 0 and not opens:
        return count
    kept = 0
    while start < count:
        end, numbers = start + 1, int(tok[start, KIND] == NUMBER)
        while end < count and not tok[end, FLAGS] & BEGINS_SENTENCE:
            if tok[end, FLAGS] & CAPITALISED and _is_boilerplate(end, count, words, offsets, tok):
                break
            numbers += int(tok[end, KIND] == NUMBER)
            end += 1
        if numbers > 0 or not _is_boilerplate(start, end, words, offsets, tok):
            if kept == start:
                kept = end
            else:
                for at in range(start, end):
                    move(tok, at, kept)
                    kept += 1
        start = end
    return kept if kept > 0 else count
