"""Define what the lexer's kernels share: its tables, its working memory and its state.

A `Scratch` serves one thread and one text at a time; `lexer.lex` resets it.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars
from mathledger.text.folding import GROWTH, Entities, entity_table, fold_table
from mathledger.text.idiom_table import Idioms, idiom_table
from mathledger.text.products import settle
from mathledger.text.tokens import BEGINS_SENTENCE, NUM_COLUMNS, write
from mathledger.text.vocabulary import phrases, word_table

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

MAX_DRAWINGS = 16  # Drawings of a text whose places are kept.
MAX_DEPTH = 63  # Levels of nested groups; deeper ones are ignored.

# Kinds of group. LOOK is an argument like \text{} in \frac\text{a}b, which needs no bracket. An
# AUTOMATIC group holds a fraction that is itself an argument, as in x^\frac12. The brackets of a
# SILENT group are left out, as those of (mod 5).
PLAIN, LOOK, ARGUMENT, SET, AUTOMATIC, ROUND, ROUND_ARGUMENT, CALL, SILENT = range(9)

STATE = np.dtype(
    [
        ("index", np.int64),  # Position in the folded text of the next byte to read.
        ("size", np.int64),  # Length of the folded text in bytes, without the 16 final spaces.
        ("num_tokens", np.int64),
        ("num_spelled", np.int64),  # Bytes of the spellings in use.
        ("sentence", np.int64),  # tokens.BEGINS_SENTENCE if the next token begins one, else 0.
        ("is_glued", np.bool_),  # Whether the last token ends right before the next byte.
        ("opens_look", np.bool_),  # Whether the next brace belongs to a macro like \\text.
        ("capitals", np.int64),  # One bit for each single capital that was read, A the lowest.
        ("smalls", np.int64),  # The same for single small letters that are not articles.
        ("is_set", np.bool_),  # Whether the next capital is a set of numbers, as in \\mathbb{R}.
        ("has_phrase", np.bool_),  # Whether any token begins a boilerplate phrase.
        ("has_question", np.bool_),  # Whether the text has a question mark.
        ("is_congruence", np.bool_),  # Whether the modulus being read is in brackets.
        ("has_choice", np.bool_),  # Whether the text has the word choose.
        ("star", np.int64),  # The last token if it may be a product sign, otherwise -1.
        ("in_root", np.bool_),  # Whether the index of a root is being read, as in \\sqrt[3].
        ("vectors", np.int8),  # Whether the text has vectors, or -1 if that is not known yet.
        ("list_end", np.int64),  # End in the text of a list of numbers, in which commas separate.
        ("matrices", np.int64),  # Number of open matrices.
        ("enclosed", np.int64),  # One bit for each open matrix whose brackets are left out.
        ("in_rows", np.bool_),  # Whether [[ opened a matrix.
        ("rows_end", np.int64),  # End in the text of a matrix such as [2 1; 0 3].
        ("escaped", np.int8),  # Whether each backslash is doubled, or -1 if not known yet.
        ("num_drawings", np.int64),  # Number of drawings whose places the scratch has.
        ("depth", np.int64),  # Number of open groups.
        ("groups", np.int8, (MAX_DEPTH + 1,)),  # Per depth, the kind of the group.
        ("brackets", np.int64, (MAX_DEPTH + 1,)),  # Per depth, the group's bracket or first token.
        ("bars", np.int64, (MAX_DEPTH + 1,)),  # Per depth, twice the token after \\over, or -1.
        ("owed", np.int64, (MAX_DEPTH + 1,)),  # Per depth, how many arguments a macro still takes.
        ("fractions", np.int8, (MAX_DEPTH + 1,)),  # Per depth, whether they belong to \\frac.
    ],
    align=True,
)


class Tables(NamedTuple):
    slots: U16  # The first three are from vocabulary.word_table.
    entries: I64
    replacements: U8
    points: I32  # These two are from folding.fold_table.
    folded: U8
    phrases: I64  # These two are from vocabulary.phrases.
    phrase_ends: I32
    idioms: Idioms
    entities: Entities
    lexer: int = 0  # The address of the compiled lexer.


class Scratch(NamedTuple):
    tokens: I64  # Has shape (tokens, NUM_COLUMNS).
    spellings: U8  # The spellings of the tokens, one after the other.
    text: U8  # The folded text.
    source: I32  # Position in the raw text of each folded byte; unset if the text is ASCII.
    state: npt.NDArray[np.void]  # A single STATE.
    drawings: I64  # Begin and end in the folded text of each drawing, shape (MAX_DRAWINGS, 2).


def lookups() -> Tables:
    """Return the tables in which the lexer looks up words and code points, without its address."""
    return Tables(*word_table(), *fold_table(), *phrases(), idiom_table(), entity_table())


def scratch(max_bytes: int) -> Scratch:
    """Allocate working memory for texts of up to max_bytes."""
    room = 4 * max_bytes + 64
    return Scratch(
        tokens=np.empty((room, NUM_COLUMNS), np.int64),
        spellings=np.empty(4 * room, np.uint8),
        text=np.empty(GROWTH * max_bytes + 64, np.uint8),
        source=np.empty(GROWTH * max_bytes + 64, np.int32),
        state=np.zeros(1, STATE),
        drawings=np.empty((MAX_DRAWINGS, 2), np.int64),
    )


def longest(offsets: I64) -> int:
    """Return the length in bytes of the longest text, for which `scratch` must have room."""
    return int(np.diff(offsets).max(initial=0))


@borrowing
def start(state: Any, size: int) -> None:
    """Reset the state for a new text."""
    state.index, state.size = 0, size
    state.num_tokens, state.num_spelled, state.capitals, state.smalls = 0, 0, 0, 0
    state.sentence = BEGINS_SENTENCE
    state.is_glued, state.opens_look, state.has_phrase = False, False, False
    state.is_set, state.has_choice, state.has_question = False, False, False
    state.star, state.in_root, state.vectors, state.list_end = -1, False, -1, 0
    state.matrices, state.in_rows, state.escaped = 0, False, -1
    state.enclosed, state.rows_end, state.num_drawings = 0, -1, 0
    state.depth, state.owed[0], state.fractions[0] = 0, 0, 0


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
    if state.star >= 0:
        settle(state, scratch)
    state.is_glued = scratch.text[index] != chars.SPACE
    state.index = index if state.is_glued else index + 1
