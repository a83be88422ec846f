"""Cut off a leading problem number, multiple-choice options and instructions about the answer."""

from typing import Any

from mathledger.core.kernels import borrowing
from mathledger.text.hashing import signed
from mathledger.text.shapes import is_in
from mathledger.text.tokens import (
    AFTER_QUESTION,
    BEFORE_COLON,
    BEFORE_STOP,
    BEGINS_SENTENCE,
    CAPITALISED,
    FLAGS,
    GROUP,
    HASH,
    KIND,
    NUMBER,
    OPENS_PHRASE,
    ROUND_RIGHT_HASH,
    SINGLE_CAPITAL,
    move,
)

_OF_THE_FOLLOWING = signed(b"of", b"the", b"following")
# Things to choose from: after "which", the options are a part of the question.
CHOICES = (
    "equation expression statement inequality graph function number fraction value set pair point "
    "one choice option"
)
_CHOICES = signed(*CHOICES.encode().split())
_WHICH, _BELOW, _ARE = (int(value) for value in signed(b"which", b"below", b"are"))
_MARKERS = signed(b"a", b"b", b"c", b"d")
_CAPITALS = signed(b"A", b"B", b"C", b"D")  # Spelled so if the text has the small letter, too.
# Other marks of options, which may also number the parts of a problem.
_NUMERALS = signed(*b"1 2 3 4 i ii iii iv".split())
_MAX_OPTION = 8  # Tokens from such a mark to the next one.
_ALL_MARKERS = 0b1111  # The bits of A to D in `state.capitals`.
_PROBLEM_WORDS = signed(*b"problem example question exercise q Q".split())
HEADINGS, ANSWERS = "options choices", "answer answers"
_HEADINGS, _ANSWERS = (signed(*words.encode().split()) for words in (HEADINGS, ANSWERS))
_OPENING, _CLOSING = signed(b"(", b"["), signed(b")", b"]")
POINTS = "points point pts marks mark"
# Contests, in the brackets that name where a problem comes from.
SOURCES = (
    "amc aime ahsme ajhsme imo usamo hmmt pumac putnam olympiad contest competition mathcounts"
)
_POINTS, _SOURCES = (signed(*words.encode().split()) for words in (POINTS, SOURCES))
_MAX_SOURCE = 14  # Tokens.
_MIN_STEM = 6  # With fewer tokens before them, the options are part of the problem.


@borrowing
def _is_marker(at: int, count: int, number: int, tokens: Any) -> bool:
    """Return True if a token is the letter of this number, written as (A), [A], A), "A.", "A:"."""
    if tokens[at, HASH] not in (_MARKERS[number], _CAPITALS[number]):
        return False
    if at + 1 < count and tokens[at + 1, HASH] == ROUND_RIGHT_HASH:
        return True
    if tokens[at, FLAGS] & (BEFORE_STOP | BEFORE_COLON):
        return True
    is_capital = tokens[at, FLAGS] & SINGLE_CAPITAL != 0
    return bool(is_capital and at > 0 and is_in(tokens[at - 1, HASH], _OPENING))


@borrowing
def options_start(count: int, tokens: Any) -> int:
    """Return where multiple-choice options begin, or `count` if there are none."""
    for start in range(_MIN_STEM, count):
        if not _is_marker(start, count, 0, tokens):
            continue
        if not tokens[start, FLAGS] & (SINGLE_CAPITAL | AFTER_QUESTION):
            continue  # Small letters may also number the parts of a problem.
        if tokens[start, FLAGS] & BEFORE_COLON and not tokens[start, FLAGS] & AFTER_QUESTION:
            continue  # As in a table of A: 5 kg, B: 7 kg, ...
        num_markers = 1
        for at in range(start, count):
            if num_markers < len(_MARKERS) and _is_marker(at, count, num_markers, tokens):
                num_markers += 1
        if num_markers < len(_MARKERS):
            return count
        start -= int(tokens[start - 1, KIND] == GROUP)
        if is_in(tokens[start - 1, HASH], _HEADINGS):  # As in "Answer choices:".
            start -= 1 + int(is_in(tokens[start - 2, HASH], _ANSWERS))
        return start
    return count


@borrowing
def numbered_start(count: int, tokens: Any) -> int:
    """Return where four short options (1) or (i) begin after a question mark, or `count`."""
    for start in range(max(_MIN_STEM, count - 4 * (_MAX_OPTION + 2)), count):
        if not tokens[start, FLAGS] & AFTER_QUESTION:
            continue
        for first in (0, 4):
            number, at, last = 0, start, start - _MAX_OPTION
            while at < count and at <= last + _MAX_OPTION and number < 4:
                is_mark = at + 1 < count and tokens[at + 1, HASH] == ROUND_RIGHT_HASH
                if is_mark and tokens[at, HASH] == _NUMERALS[first + number]:
                    number, last = number + 1, at + 1
                at += 1
            if number == 4 and count <= last + _MAX_OPTION:
                return start - int(is_in(tokens[start - 1, HASH], _OPENING))
    return count


@borrowing
def _are_asked_for(start: int, tokens: Any) -> bool:
    """Return True if the options that begin at `start` are a part of the question."""
    for at in range(1, start):
        last, before = tokens[at, HASH], tokens[at - 1, HASH]
        if last == _OF_THE_FOLLOWING[2] and before == _OF_THE_FOLLOWING[1]:
            if at > 1 and tokens[at - 2, HASH] == _OF_THE_FOLLOWING[0]:
                return True
        elif (before == _WHICH and is_in(last, _CHOICES)) or (before == _BELOW and last == _ARE):
            return True
    return False


@borrowing
def _is_boilerplate(start: int, end: int, phrases: Any, ends: Any, tokens: Any) -> bool:
    """Return True if a boilerplate phrase begins at `start` and ends by `end`."""
    if not tokens[start, FLAGS] & OPENS_PHRASE:
        return False
    for phrase in range(len(ends) - 1):
        low, high = ends[phrase], ends[phrase + 1]
        if high - low <= end - start:
            step = 0
            while low + step < high and tokens[start + step, HASH] == phrases[low + step]:
                step += 1
            if low + step == high:
                return True
    return False


@borrowing
def cut(state: Any, tokens: Any, phrases: Any, ends: Any) -> int:
    """Remove everything that is not part of the question; return the number of tokens."""
    count = state.num_tokens
    if (state.capitals | state.smalls) & _ALL_MARKERS == _ALL_MARKERS:
        start = options_start(count, tokens)
        if not _are_asked_for(start, tokens):
            count = start
    if state.has_question:
        start = numbered_start(count, tokens)
        if not _are_asked_for(start, tokens):
            count = start
    count = _source_start(count, tokens)
    first = _number_end(count, tokens)
    first = _heading_end(first, count, tokens)
    if first == 0 and not state.has_phrase:
        return int(count)
    kept = _drop_boilerplate(tokens, first, count, phrases, ends)
    return kept if kept > 0 else int(count)


@borrowing
def _number_end(count: int, tokens: Any) -> int:
    """Return how many tokens number or announce it, as in "12.", "Problem 12" or "Q:"."""
    if count > 3 and tokens[0, KIND] == NUMBER and tokens[0, FLAGS] & BEFORE_STOP:
        return 1
    if count > 4:
        for word in _PROBLEM_WORDS:
            if tokens[0, HASH] == word:
                if tokens[1, FLAGS] & BEGINS_SENTENCE:
                    return 1
                if tokens[1, KIND] == NUMBER:
                    return 2
    return 0


@borrowing
def _heading_end(first: int, count: int, tokens: Any) -> int:
    """Return where the problem begins after (18 points) or the source, as in (2011 AMC 10B)."""
    if first >= count or not is_in(tokens[first, HASH], _OPENING):
        return first
    last, has_source = first + 1, False
    while last < count and last - first < _MAX_SOURCE and tokens[last, KIND] != GROUP:
        has_source |= is_in(tokens[last, HASH], _SOURCES)
        last += 1
    if last + _MIN_STEM > count or not is_in(tokens[last, HASH], _CLOSING):
        return first
    is_worth = _states_points(tokens, first, last)
    return last + 1 if is_worth or has_source else first


@borrowing
def _states_points(tokens: Any, first: int, last: int) -> bool:
    """Return True if two brackets enclose a number of points, as in (18 points)."""
    if last != first + 3 or tokens[first + 1, KIND] != NUMBER:
        return False
    return is_in(tokens[first + 2, HASH], _POINTS)


@borrowing
def _source_start(count: int, tokens: Any) -> int:
    """Return where the problem ends before its source, or its points, in brackets."""
    if count == 0 or not is_in(tokens[count - 1, HASH], _CLOSING):
        return count
    first, has_source = count - 2, False
    while first > _MIN_STEM and count - first < _MAX_SOURCE and tokens[first, KIND] != GROUP:
        has_source |= is_in(tokens[first, HASH], _SOURCES)
        first -= 1
    is_needless = has_source or (first >= 0 and _states_points(tokens, first, count - 1))
    return first if is_needless and is_in(tokens[first, HASH], _OPENING) else count


@borrowing
def _drop_boilerplate(tokens: Any, start: int, count: int, phrases: Any, ends: Any) -> int:
    """Remove boilerplate sentences from `start` on; return the number of remaining tokens.

    A boilerplate sentence with a number stays. A capitalised boilerplate phrase also begins a
    sentence.
    """
    kept = 0
    while start < count:
        end, numbers = start + 1, int(tokens[start, KIND] == NUMBER)
        while end < count and not tokens[end, FLAGS] & BEGINS_SENTENCE:
            if tokens[end, FLAGS] & CAPITALISED and _is_boilerplate(
                end, count, phrases, ends, tokens
            ):
                break
            numbers += int(tokens[end, KIND] == NUMBER)
            end += 1
        if numbers > 0 or not _is_boilerplate(start, end, phrases, ends, tokens):
            if kept == start:
                kept = end
            else:
                for at in range(start, end):
                    move(tokens, at, kept)
                    kept += 1
        start = end
    return kept
