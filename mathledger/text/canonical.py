r"""Compute canonical tokens, which are equal if two texts are the same problem.

Formatting is removed. Everything that carries meaning stays: words, numbers with their decimals,
signs and operators, in their order.

>>> canonical(r"What is $\dfrac{1}{2}\left(1{,}000 - .50\right)$?")
'what is 1 / 2 ( 1000 - 0.5 )'
>>> canonical("What is \\frac12 ( 1,000 − 0.5 ) ?")
'what is 1 / 2 ( 1000 - 0.5 )'
>>> canonical("$x^{10} - 98x^4$"), canonical("x^10 + 98 x^4")
('x ^ 10 - 98 x ^ 4', 'x ^ 10 + 98 x ^ 4')
>>> canonical(r"$\frac{a+b}{c}$"), canonical(r"$\frac{a}{b+c}$")
('( a + b ) / c', 'a / ( b + c )')
>>> canonical(r"Compute $\tan 22.5^\circ$."), canonical("Compute tan(22.5 degrees)")
('compute tan 22.5 °', 'compute tan 22.5 °')
>>> canonical("Solve the following problem. Find $x$. Put your final answer within \\boxed{}.")
'find x'
>>> canonical(r"What is the sum of two and 3? $\textbf{(A)}\ 4\quad\textbf{(B)}\ 5\quad"
...           r"\textbf{(C)}\ 6\quad\textbf{(D)}\ 7$")
'what is the sum of 2 and 3'
>>> canonical("Simplify $(26^2\n- 10)^2$:\n- $x$.\n- $y$.")
'simplify ( 26 ^ 2 - 10 ) ^ 2 x y'
>>> canonical("A hen lays 3 eggs. [asy] draw((0,0)--(1,1)); [/asy] Find 5!")
'a hen lays 3 eggs find 5 !'

The lexer's modules implement the rules; docs/filtering.md lists them with their reasons.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.core.kernels import kernel
from mathledger.core.strings import text_bytes
from mathledger.text.hashing import mix
from mathledger.text.lexer import lex, lex_text, tables
from mathledger.text.state import longest, scratch
from mathledger.text.tokens import BEGIN, FROM, HASH, TO

U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tokens:
    """The canonical tokens of a batch of texts; text i has tokens offsets[i] : offsets[i + 1].

    The offsets have shape (texts + 1,), the other arrays (tokens,).
    """

    offsets: I64
    hashes: U64
    begins: I32  # Byte of the raw text at which each token begins.


@kernel
def _tokenize(
    data: Any, offsets: Any, row: int, ends: Any, hashes: Any, begins: Any, tables: Any,
    scratch: Any,
) -> int:  # fmt: skip
    """Fill hashes and begins from `row` on; return the first row that does not fit, or the end."""
    tokens, used = scratch.tokens, ends[row]
    while row + 1 < len(ends):
        count, _ = lex(data, offsets[row], offsets[row + 1], tables, scratch)
        if used + count > len(hashes):
            break
        for at in range(count):
            hashes[used + at] = tokens[at, HASH]
            begins[used + at] = tokens[at, BEGIN]
        used += count
        row += 1
        ends[row] = used
    return row


def tokenize(texts: pa.Array) -> Tokens:
    """Return the canonical tokens of every text (a string array without nulls)."""
    data, offsets = text_bytes(texts)
    ends = np.zeros(len(offsets), np.int64)
    room = max(1024, int(offsets[-1] - offsets[0]) // 2)
    hashes, begins = np.empty(room, np.uint64), np.empty(room, np.int32)
    memory, row = scratch(longest(offsets)), 0
    while True:
        row = _tokenize(data, offsets, row, ends, hashes, begins, tables(), memory)
        if row == len(texts):
            break
        hashes, begins = (np.concatenate([each, np.empty_like(each)]) for each in (hashes, begins))
    return Tokens(ends, hashes[: ends[-1]], begins[: ends[-1]])


def lexed(text: str) -> tuple[I64, list[str]]:
    """Return the canonical tokens of one text, shape (tokens, columns), and their spellings."""
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    memory = scratch(len(data))
    count, _ = lex_text(data, memory)
    places = memory.tokens[:count, FROM : TO + 1]
    spelled = (memory.spellings[start:end].tobytes() for start, end in places)
    return memory.tokens[:count], [each.decode("utf-8", "replace") for each in spelled]


def spellings(text: str) -> list[str]:
    """Return the canonical tokens of one text, spelled out."""
    return lexed(text)[1]


def canonical(text: str) -> str:
    """Return the canonical tokens of one text, joined by spaces."""
    return " ".join(spellings(text))


@kernel
def _keys(data: Any, offsets: Any, tables: Any, scratch: Any) -> Any:
    keys = np.empty((len(offsets) - 1, 2), np.uint64)
    for row in range(len(offsets) - 1):
        count, drawings = lex(data, offsets[row], offsets[row + 1], tables, scratch)
        low, high = drawings, mix(drawings + np.uint64(1))
        for at in range(count):
            token = np.uint64(scratch.tokens[at, HASH])
            low = mix(low + token)
            high = mix(high ^ (token * np.uint64(0x9E3779B97F4A7C15)))
        keys[row, 0], keys[row, 1] = low, high
    return keys


def keys(texts: pa.Array) -> U64:
    """Return a 128-bit hash of every text's canonical tokens and drawings, shape (texts, 2)."""
    data, offsets = text_bytes(texts)
    hashes: U64 = _keys(data, offsets, tables(), scratch(longest(offsets)))
    return hashes
