"""What the lexer's kernels share: its tables, its working memory, and how far it has come.

A `Scratch` serves one thread, and one text at a time: `lexer.lex` starts it afresh.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars
from mathledger.text.folding import GROWTH, fold_table
from mathledger.text.tokens import BEGINS_SENTENCE, NUM_COLUMNS, write
from mathledger.text.vocabulary import phrases, word_table

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

MAX_DEPTH = 63  # of braces in braces; deeper ones are left out

STATE = np.dtype(
    [
        ("index", np.int64),  # byte of the folded text that is read next
        ("size", np.int64),  # bytes of the folded text; 16 spaces stand behind them
        ("is_ascii", np.bool_),  # the text is, and its places need no translation
        ("num_tokens", np.int64),
        ("num_spelled", np.int64),  # bytes of the spellings in use
        ("sentence", np.int64),  # tokens.BEGINS_SENTENCE if the next token begins one, else 0
        ("is_glued", np.bool_),  # the last token stands right before the next byte
        ("opens_look", np.bool_),  # behind a macro like \\text: the next brace opens no argument
        ("capitals", np.int64),  # a bit for each single capital that was read, A the lowest
        ("has_phrase", np.bool_),  # a token opens a phrase of boilerplate
        ("depth", np.int64),  # open braces
        ("brackets", np.int64, (MAX_DEPTH + 1,)),  # by depth: the token a brace became, or -1
        ("owed", np.int64, (MAX_DEPTH + 1,)),  # by depth: how many arguments a macro still takes
    ],
    align=True,
)


class Tables(NamedTuple):
    slots: U16  # vocabulary.word_table
    entries: I64
    replacements: U8
    points: I32  # folding.fold_table
    folded: U8
    phrases: I64  # vocabulary.phrases
    phrase_ends: I32


class Scratch(NamedTuple):
    tokens: I64  # shape (tokens, NUM_COLUMNS)
    spellings: U8  # of the tokens, one behind the other
    text: U8  # with its code points folded
    source: I32  # the raw byte that each byte of it came from; unset if the text is ASCII
    state: npt.NDArray[np.void]  # one STATE


def tables() -> Tables:
    """Return what `lex` looks words and code points up in; they are made once."""
    return Tables(*word_table(), *fold_table(), *phrases())


def scratch(max_bytes: int) -> Scratch:
    """Allocate working memory for texts of up to max_bytes."""
    room = 4 * max_bytes + 64
    return Scratch(
        tokens=np.empty((room, NUM_COLUMNS), np.int64),
        spellings=np.empty(4 * room, np.uint8),
        text=np.empty(GROWTH * max_bytes + 64, np.uint8),
        source=np.empty(GROWTH * max_bytes + 64, np.int32),
        state=np.zeros(1, STATE),
    )


def longest(offsets: I64) -> int:
    """Return the bytes of the longest text, which `scratch` must have room for."""
    return int(np.diff(offsets).max(initial=0))


@borrowing
def start(state: Any, size: int, is_ascii: bool) -> None:
    """Begin a text."""
    state.index, state.size, state.is_ascii = 0, size, is_ascii
    state.num_tokens, state.num_spelled, state.capitals = 0, 0, 0
    state.sentence = BEGINS_SENTENCE
    state.is_glued, state.opens_look, state.has_phrase = False, False, False
    state.depth, state.owed[0] = 0, 0


@inlined
def emit(
    state: Any, scratch: Any, value: Any, kind: int, spelled: int, index: int, flags: int
) -> None:
    """Append the token that ends before `spelled` in the spellings and `index` in the text."""
    spelling, place = (state.num_spelled, spelled), (state.index, index)
    write(scratch.tokens, state.num_tokens, value, kind, spelling, place, flags)
    state.num_tokens += 1
    state.num_spelled = spelled
    state.opens_look = False
    state.is_glued = scratch.text[index] != chars.SPACE
    state.index = index if state.is_glued else index + 1
