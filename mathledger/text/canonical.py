r"""When two problems are the same problem: canonical tokens, for deduplication and decontamination.

Formatting is folded away; what carries the meaning stays: numbers with their decimals, signs,
operators, and the order of all of it.

>>> canonical(r"What is $\dfrac{1}{2}\left(1{,}000 - .50\right)$?")
'what is \\frac 1 2 ( 1000 - 0.5 )'
>>> canonical("What is \\frac12 ( 1,000 − 0.5 ) ?")
'what is \\frac 1 2 ( 1000 - 0.5 )'
>>> canonical("$x^{10} - 98x^4$"), canonical("x^10 + 98 x^4")
('x ^ 10 - 98 x ^ 4', 'x ^ 10 + 98 x ^ 4')
>>> canonical(r"$\frac{a+b}{c}$"), canonical(r"$\frac{a}{b+c}$")
('\\frac ( a + b ) c', '\\frac a ( b + c )')
>>> canonical(r"Compute $\tan 22.5^\circ$."), canonical("Compute tan(22.5 degrees)")
('compute tan 22.5 °', 'compute tan ( 22.5 ° )')
>>> canonical("Solve the following problem. Find $x$. Put your final answer within \\boxed{}.")
'find x'
>>> canonical(r"What is the sum of two and 3? $\textbf{(A)}\ 4\quad\textbf{(B)}\ 5\quad"
...           r"\textbf{(C)}\ 6\quad\textbf{(D)}\ 7$")
'what is the sum of 2 and 3'
>>> canonical("Simplify $(26^2\n- 10)^2$:\n- $x$.\n- $y$.")
'simplify ( 26 ^ 2 - 10 ) ^ 2 x y'
>>> canonical("A hen lays 3 eggs. [asy] draw((0,0)--(1,1)); [/asy] Find 5!")
'a hen lays 3 eggs find 5 !'

The rules are in `lex`, one compiled pass over the bytes; docs/filtering.md lists them with their
reasons. It releases the GIL, so that threads scale.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mathledger.core.kernels import kernel
from mathledger.core.strings import text_bytes
from mathledger.text.hashing import mix
from mathledger.text.lexer import lex
from mathledger.text.state import longest, scratch, tables
from mathledger.text.tokens import BEGIN, END, FROM, HASH, KIND, TO

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tokens:
    """The canonical tokens of a batch of texts, flat: those of text i are offsets[i]:offsets[i+1].

    Shapes: offsets (texts + 1,), figures (texts,), the rest (tokens,). spans are byte offsets.
    """

    offsets: I64
    hashes: U64
    kinds: U8
    begins: I32
    ends: I32
    figures: U64


@kernel
def _tokenize(
    data: Any, offsets: Any, row: int, ends_at: Any, figures: Any, columns: Any, tables: Any,
    scratch: Any,
) -> int:  # fmt: skip
    """Fill the columns from a row on; returns the row at which their room ran out, or the end."""
    hashes, kinds, begins, ends = columns
    tok, used = scratch[0], ends_at[row]
    while row < len(figures):
        count, figure = lex(data, offsets[row], offsets[row + 1], tables, scratch)
        if used + count > len(hashes):
            break
        for at in range(count):
            hashes[used + at] = tok[at, HASH]
            kinds[used + at] = tok[at, KIND]
            begins[used + at] = tok[at, BEGIN]
            ends[used + at] = tok[at, END]
        used += count
        figures[row] = figure
        row += 1
        ends_at[row] = used
    return row


def tokenize(texts: pa.Array) -> Tokens:
    """Canonical tokens of every text (a string array without nulls)."""
    data, offsets = text_bytes(texts)
    num_texts = len(offsets) - 1
    ends_at, figures = np.zeros(num_texts + 1, np.int64), np.zeros(num_texts, np.uint64)
    types = (np.uint64, np.uint8, np.int32, np.int32)  # hashes, kinds, begins, ends
    room = max(1024, int(offsets[-1] - offsets[0]) // 2)
    columns: tuple[Any, ...] = tuple(np.empty(room, dtype) for dtype in types)
    memory, row = scratch(longest(offsets)), 0
    while True:
        row = _tokenize(data, offsets, row, ends_at, figures, columns, tables(), memory)
        if row == num_texts:
            break
        columns = tuple(np.concatenate([column, np.empty_like(column)]) for column in columns)
    hashes, kinds, begins, ends = (column[: ends_at[-1]] for column in columns)
    return Tokens(ends_at, hashes, kinds, begins, ends, figures)


def spellings(text: str) -> list[str]:
    """The canonical tokens of one text, spelled out."""
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    memory = scratch(len(data))
    count, _ = lex(data, 0, len(data), tables(), memory)
    spans, spell = memory[0][:count, FROM : TO + 1], memory[1]
    return [spell[start:end].tobytes().decode("utf-8", "replace") for start, end in spans]


def canonical(text: str) -> str:
    """The canonical tokens of one text, joined by spaces."""
    return " ".join(spellings(text))


@kernel
def _keys(data: Any, offsets: Any, tables: Any, scratch: Any) -> Any:
    keys = np.zeros((len(offsets) - 1, 2), np.uint64)
    for row in range(len(offsets) - 1):
        count, figure = lex(data, offsets[row], offsets[row + 1], tables, scratch)
        low, high = figure, mix(figure + np.uint64(1))
        for at in range(count):
            token = np.uint64(scratch[0][at, HASH])
            low = mix(low + token)
            high = mix(high ^ (token * np.uint64(0x9E3779B97F4A7C15)))
        keys[row, 0], keys[row, 1] = low, high
    return keys


def keys(texts: pa.Array) -> U64:
    """128-bit hash of the canonical tokens (and drawings) of every text, shape (texts, 2)."""
    data, offsets = text_bytes(texts)
    found: U64 = _keys(data, offsets, tables(), scratch(longest(offsets)))
    return found
