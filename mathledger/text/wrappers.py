r"""Tell the problem from the wrapper that only says which form the answer takes.

The wrapper is the final request for an expression of names, with what introduces those names:
"... can be written as m/n, where m and n are relatively prime positive integers. Find m+n." Two
texts with the same problem and other wrappers ask for the same thing in another form.

>>> split("A die is thrown. The chance of a 6 is $\\frac mn$, where m and n are coprime. Find m+n.")
('a die is thrown the chance of a 6 is', 'm / n where m and n are coprime find m + n')
>>> split("Find the area of the circle.")
('find the area of the circle', '')
"""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text.canonical import lexed
from mathledger.text.hashing import hash_bytes
from mathledger.text.tokens import (
    BEGINS_SENTENCE,
    FLAGS,
    FROM,
    FUNCTION,
    HASH,
    KIND,
    MACRO,
    OPERAND,
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
    "can could be is may written expressed represented put as in the form of a common "
    "irreducible reduced fraction lowest terms simplest answer uniquely if then an where "
    "equal to let equals "
)
_WRITES = _table("written expressed represented form")


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
    """Return True for a name, number, operator or bracket, of which an answer's form consists."""
    kind = token[KIND]
    if kind == WORD:
        return bool(token[TO] - token[FROM] <= 2)
    return bool(kind != MACRO or token[FLAGS] & (OPERAND | FUNCTION))


@borrowing
def _is_name(token: Any) -> bool:
    size = token[TO] - token[FROM]
    return bool((token[KIND] == WORD and size <= 2) or (token[KIND] == MACRO and size > 1))


@borrowing
def wrapper_start(tokens: Any, count: int) -> int:
    """Return where the answer's wrapper begins, or `count` if the text has none."""
    at, num_names, lowest = count - 1, 0, max(MIN_PROBLEM - 1, count - _MAX_BACK)
    while at > lowest and not _is_in(tokens[at, HASH], _ASKS):
        if not is_expression(tokens[at]) and not _is_in(tokens[at, HASH], _REQUEST):
            return count
        if _is_name(tokens[at]) and not _is_in(tokens[at, HASH], _REQUEST):
            num_names += 1
        at -= 1
    if at <= lowest or num_names == 0:
        return count
    return _clause_start(tokens, at, lowest)


@borrowing
def _clause_start(tokens: Any, ask: int, lowest: int) -> int:
    """Return where the clause begins that introduces the names of the request at `ask`."""
    at, start = ask - 1, ask
    while at > lowest and (is_expression(tokens[at]) or _is_in(tokens[at, HASH], _CLAUSE)):
        if _is_in(tokens[at, HASH], _WHERE):
            start = at
        if tokens[at, FLAGS] & BEGINS_SENTENCE:
            break
        at -= 1
    if start == ask:
        return ask
    form, writes, at = start, False, start - 1
    while at > lowest and (is_expression(tokens[at]) or _is_in(tokens[at, HASH], _FORM)):
        if tokens[at, KIND] == WORD and tokens[at, TO] - tokens[at, FROM] > 1:
            if _is_in(tokens[at, HASH], _WRITES):
                writes = True
            if not _is_in(tokens[at, HASH], _FORM):
                break
        form = at
        at -= 1
    return form if writes else _expression_start(tokens, start, lowest)


@borrowing
def _expression_start(tokens: Any, start: int, lowest: int) -> int:
    """Return where the expression begins that ends before `start`."""
    at = start
    while at - 1 > lowest and is_expression(tokens[at - 1]):
        size = tokens[at - 1, TO] - tokens[at - 1, FROM]
        if tokens[at - 1, KIND] == WORD and size > 1:
            break
        at -= 1
    return at


def split(text: str) -> tuple[str, str]:
    """Return the canonical tokens of a problem and of its wrapper, each joined by spaces."""
    tokens, words = lexed(text)
    start = wrapper_start(tokens, len(tokens))
    return " ".join(words[:start]), " ".join(words[start:])
