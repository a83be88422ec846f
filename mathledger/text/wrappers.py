r"""Separate the problem from the wrapper that only says which form the answer takes.

The wrapper introduces names that the problem does not use, and requests an expression of them:
"... can be written as m/n, where m and n are relatively prime positive integers. Find m+n." Two
texts with the same problem and different wrappers ask for the same thing in another form.

>>> split("A die is thrown. The chance of a 6 is $\\frac mn$, where m and n are coprime. Find m+n.")
('a die is thrown the chance of a 6', 'is m / n where m and n are coprime find m + n')
>>> split("The height of the candle in feet will be h. Find 10h.")
('the height of the candle in ft will', 'be h find 10 h')
>>> split("Let m and n be primes with $m - n = 2$ and $mn = 143$. Find m + n.")[1]
''
"""

from typing import Any, NamedTuple

import numpy as np

from mathledger.core.kernels import borrowing, borrowing_kernel
from mathledger.text.canonical import lexed
from mathledger.text.hashing import hash_bytes, signed
from mathledger.text.tokens import (
    ARTICLE,
    BEGINS_SENTENCE,
    FLAGS,
    FROM,
    FUNCTION,
    GROUP,
    HASH,
    JOINED,
    KIND,
    MACRO,
    NUMBER,
    OPERAND,
    POINTS,
    SINGLE_CAPITAL,
    TO,
    WORD,
)

MIN_PROBLEM = 4  # Tokens that a problem without its wrapper must have.

_MAX_BACK = 60  # Tokens in which a wrapper must fit.


def _table(words: str) -> Any:
    return np.sort(np.array([hash_bytes(word.encode()) for word in words.split()], np.uint64))


# Words that ask, that stand in a request, that introduce names, and that write an answer as a form.
_ASKS = _table("find compute determine evaluate calculate what enter submit give report")
_REQUEST = _table("is are the value of values sum and please then for possible ordered pair triple")
_WHERE = _table("where with if")
_CLAUSE = _table(
    "where and are is relatively prime primes coprime positive integer integers real number "
    "numbers natural nonnegative whole rational with no common factor factors divisor "
    "divisors other than not divisible by the square of any a an lowest terms simplest form "
    "reduced simplified fraction squarefree free gcd such that both all distinct constants "
    "perfect greater largest smallest possible as small each which in its let some for if "
)
_FORM = _table(
    "can could would be is may written expressed represented put as in the form of a common "
    "irreducible reduced fraction lowest terms simplest answer uniquely if then an where "
    "equal to let equals has "
)
_FORM_NUMBERS = _table("0 1 1000")  # As in "a > 0" or "less than 1000".
_WRITES = _table("written expressed represented form")
_BE = _table("be denote represent")
_IS = _table("be is are")
_EQUAL, _LET = (int(each) for each in signed(b"=", b"let"))


@borrowing
def _is_in(value: Any, table: Any) -> bool:
    low, high = 0, len(table)
    wanted = np.uint64(value)
    while low < high:
        middle = (low + high) // 2
        if table[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return bool(low < len(table) and table[low] == wanted)


@borrowing
def is_expression(token: Any) -> bool:
    """Return True for a token of an answer's form: a name, number, operator or bracket."""
    kind = token[KIND]
    if kind == WORD:
        return bool(token[TO] - token[FROM] <= 2)
    return bool(kind != MACRO or token[FLAGS] & (OPERAND | FUNCTION))


@borrowing
def _is_name(token: Any) -> bool:
    size = token[TO] - token[FROM]
    return bool((token[KIND] == WORD and size <= 2) or (token[KIND] == MACRO and size > 1))


class Wrapper(NamedTuple):
    """The places of a wrapper's tokens; all are the number of tokens if there is none."""

    front: int  # Of "Let m/n be" before the problem.
    body: int  # Of the problem after it.
    start: int  # Of the form of the answer, as in "can be written as m/n".
    where: int  # Of the clause that introduces the names.
    stop: int  # Of what follows this clause.
    ask: int  # Of the request.
    end: int  # Of what follows the request.


@borrowing_kernel
def is_wrapped(wrapper: Any, at: int) -> bool:
    """Return True for a token of the wrapper."""
    return bool(
        wrapper.front <= at < wrapper.body
        or wrapper.start <= at < wrapper.stop
        or wrapper.ask <= at < wrapper.end
    )


@borrowing_kernel
def find_wrapper(tokens: Any, count: int, spellings: Any) -> Any:
    """Find the last wrapper of the text; other sentences may follow it."""
    end = count
    while end > MIN_PROBLEM:
        ask = _request(tokens, end)
        if ask < end:
            names = _names(tokens, spellings, ask + 1, end, True)
            stop = ask
            while names != 0 and stop > MIN_PROBLEM:
                found = _introduced(tokens, count, spellings, names, (stop, ask, end))
                if found.start < count:
                    return found
                stop = _sentence_before(tokens, stop)
        end = _sentence_before(tokens, end)
    return Wrapper(count, count, count, count, count, count, count)


@borrowing
def _sentence_before(tokens: Any, end: int) -> int:
    """Return where the sentence begins that ends at `end`."""
    end -= 1
    while end > 0 and not tokens[end, FLAGS] & BEGINS_SENTENCE:
        end -= 1
    return end


@borrowing
def _introduced(tokens: Any, count: int, spellings: Any, names: Any, places: Any) -> Any:
    """Return the wrapper if a clause that ends at the first of `places` introduces the names."""
    stop, ask, end = places
    none = Wrapper(count, count, count, count, count, count, count)
    lowest = max(MIN_PROBLEM - 1, stop - _MAX_BACK)
    where = _introduction(tokens, stop, lowest)
    if where == stop:
        start = _named(tokens, spellings, names, stop) if stop == ask else stop
        return Wrapper(start, start, start, stop, stop, ask, end) if start < stop else none
    start, is_explicit = _form_start(tokens, where, lowest)
    if names & ~_names(tokens, spellings, start, stop, False):
        return none
    front = body = start
    if not is_explicit:
        front, body = _front(tokens, spellings, names, start, where)
        if front == body:
            front, body = _form_before(tokens, spellings, names, start, lowest)
        start = where if front < body else start
        outside = _names(tokens, spellings, 0, front, False)
        outside |= _names(tokens, spellings, body, start, False)
        if names & outside:
            return none
    return Wrapper(front, body, start, where, stop, ask, end)


@borrowing
def _front(tokens: Any, spellings: Any, names: Any, start: int, where: int) -> tuple[int, int]:
    """Return the places of "Let m/n be" in the text before `where`; both are `start` if none.

    The form must have all requested names: "Let S be the set of ..." is a part of the problem.
    """
    for at in range(where - 1):
        if tokens[at, HASH] == _LET:
            end = at + 1
            while end < where and is_expression(tokens[end]) and tokens[end, HASH] != _EQUAL:
                if _is_in(tokens[end, HASH], _BE):
                    break
                end += 1
            is_form = end > at + 1 and end < where and _is_in(tokens[end, HASH], _BE)
            if is_form and names & ~_names(tokens, spellings, at + 1, end, False) == 0:
                return at, end + 1
    return start, start


@borrowing
def _form_before(
    tokens: Any, spellings: Any, names: Any, start: int, lowest: int
) -> tuple[int, int]:
    """Return the places of a form within the sentence, as in "is a + b inches long, where".

    Both are `start` if no run of an expression's tokens has all requested names.
    """
    end = start
    while end > lowest and not tokens[end, FLAGS] & BEGINS_SENTENCE:
        first = end
        while first > lowest and _is_in_form(tokens[first - 1]):
            first -= 1
        if first < end and names & ~_names(tokens, spellings, first, end, False) == 0:
            return first, end
        end = min(first, end - 1)
    return start, start


@borrowing
def _is_in_form(token: Any) -> bool:
    """Return True for a token of an expression that is no short word."""
    if not is_expression(token) or token[HASH] == _EQUAL:
        return False
    return not (_is_form_word(token) or _is_in(token[HASH], _REQUEST))


@borrowing
def _named(tokens: Any, spellings: Any, names: Any, stop: int) -> int:
    """Return where "is h" or "be (p, q)" begins before `stop` if it only names the answer.

    No other place may use the names. The result is `stop` if the text has no such words.
    """
    at = stop
    while at > MIN_PROBLEM and (_is_name(tokens[at - 1]) or tokens[at - 1, KIND] == GROUP):
        if _is_in(tokens[at - 1, HASH], _IS):
            break
        at -= 1
    if at == stop or not _is_in(tokens[at - 1, HASH], _IS):
        return stop
    if names != _names(tokens, spellings, at, stop, False):
        return stop
    return stop if names & _names(tokens, spellings, 0, at - 1, False) else at - 1


@borrowing
def _request(tokens: Any, count: int) -> int:
    """Return where the final request for an expression begins, or `count` if there is none."""
    at, lowest = count - 1, max(MIN_PROBLEM - 1, count - _MAX_BACK)
    while at > lowest and not _is_in(tokens[at, HASH], _ASKS):
        if not is_expression(tokens[at]) and not _is_in(tokens[at, HASH], _REQUEST):
            return count
        at -= 1
    return at if at > lowest else count


@borrowing
def _introduction(tokens: Any, ask: int, lowest: int) -> int:
    """Return where the clause before the request at `ask` begins that introduces its names."""
    at, start = ask - 1, ask
    while at > lowest:
        token = tokens[at]
        is_allowed = is_expression(token) or _is_in(token[HASH], _CLAUSE)
        if token[KIND] == NUMBER and not _is_in(token[HASH], _FORM_NUMBERS):
            is_allowed = False
        if not is_allowed or token[HASH] == _EQUAL:
            break
        if _is_in(token[HASH], _WHERE):
            start = at
        if token[FLAGS] & BEGINS_SENTENCE:
            break
        at -= 1
    return start


@borrowing
def _form_start(tokens: Any, where: int, lowest: int) -> tuple[int, bool]:
    """Return where the form of the answer begins that ends before the clause at `where`.

    Returns:
        The place, and whether the text says "can be written as" or the like.
    """
    at, is_explicit = where, False
    if tokens[at, FLAGS] & BEGINS_SENTENCE:
        return at, False
    while at - 1 > lowest and is_expression(tokens[at - 1]) and tokens[at - 1, HASH] != _EQUAL:
        if _is_form_word(tokens[at - 1]):
            break
        at -= 1
    while at - 1 > lowest and not tokens[at, FLAGS] & BEGINS_SENTENCE:
        if not _is_form_word(tokens[at - 1]):
            break
        is_explicit |= _is_in(tokens[at - 1, HASH], _WRITES)
        at -= 1
    return at, is_explicit


@borrowing
def is_requested(wrapper: Any, at: int, token: Any) -> bool:
    """Return True for a token of the wrapper's form and request, without words such as "is"."""
    is_clause = wrapper.where <= at <= wrapper.ask
    if is_clause or not is_wrapped(wrapper, at) or not is_expression(token):
        return False
    return token[KIND] != WORD or not (
        _is_in(token[HASH], _REQUEST) or _is_form_word(token) or _is_in(token[HASH], _BE)
    )


@borrowing
def _is_form_word(token: Any) -> bool:
    is_name = token[TO] - token[FROM] == 1 and not token[FLAGS] & ARTICLE
    return bool(token[KIND] == WORD and _is_in(token[HASH], _FORM) and not is_name)


@borrowing
def _names(tokens: Any, spellings: Any, start: int, end: int, in_request: bool) -> Any:
    """Return a bit for each letter, small or capital, that is a name among these tokens."""
    found = np.int64(0)
    for at in range(start, end):
        flags, size = tokens[at, FLAGS], tokens[at, TO] - tokens[at, FROM]
        is_name = size == 1 or flags & (JOINED | POINTS) != 0
        is_name = is_name or (in_request and size <= 3 and not _is_in(tokens[at, HASH], _REQUEST))
        if tokens[at, KIND] != WORD or flags & ARTICLE or not is_name:
            continue
        for place in range(tokens[at, FROM], tokens[at, TO]):
            letter = (np.int64(spellings[place]) | np.int64(32)) - np.int64(97)
            if 0 <= letter < 26:
                letter += 26 if flags & (SINGLE_CAPITAL | POINTS) else 0
                found |= np.int64(1) << letter
    return found


def split(text: str) -> tuple[str, str]:
    """Return the canonical tokens of a problem and of its wrapper, each joined by spaces."""
    tokens, words = lexed(text)
    spellings = np.frombuffer("".join(words).encode("utf-8"), np.uint8)
    tokens = tokens.copy()
    ends = np.cumsum([len(word.encode("utf-8")) for word in words])
    tokens[:, TO], tokens[:, FROM] = ends, ends - np.diff(ends, prepend=0)
    found = find_wrapper(tokens, len(tokens), spellings)
    parts: tuple[list[str], list[str]] = ([], [])
    for at, word in enumerate(words):
        parts[is_wrapped(found, at)].append(word)
    return " ".join(parts[0]), " ".join(parts[1])
