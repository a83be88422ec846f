"""Split UTF-8 text into canonical tokens in one compiled pass, which releases the GIL.

`_lex` calls a function for each kind of token: words, numbers, braces and symbols. They share the
`state`. tests/text/reference.py implements the same rules in plain Python, and the tests compare
the two.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba.core import types
from numba.extending import intrinsic

from mathledger.core.kernels import address, borrowing, borrowing_kernel, call_at
from mathledger.text import chars
from mathledger.text.abbreviations import BITS, write_in_full
from mathledger.text.braces import close_brace, drop_unclosed, open_brace
from mathledger.text.chars import CLASS, is_letter
from mathledger.text.choices import C_BIT, write_choices
from mathledger.text.drawings import digest
from mathledger.text.folding import fold
from mathledger.text.hashing import hash_span, mix
from mathledger.text.markup import left_out, may_begin
from mathledger.text.matrices import breaks_line
from mathledger.text.numbers import begins_number, read_number
from mathledger.text.scripts import read_script
from mathledger.text.state import Scratch, Tables, lookups, scratch, start
from mathledger.text.surroundings import cut
from mathledger.text.symbols import read_symbol
from mathledger.text.tokens import (
    BEGIN,
    BEGINS_SENTENCE,
    END,
    FLAGS,
    FROM,
    HASH,
    SINGLE_CAPITAL,
)
from mathledger.text.words import read_word

_N = ord("n")


@cache
def tables() -> Tables:
    """Return what `lex` looks up, and the address at which it finds the compiled lexer."""
    nothing = np.empty(0, np.uint8)
    nothing.flags.writeable = False
    found = lookups()
    return found._replace(lexer=address(_lex, nothing, 0, 0, found, scratch(0)))


def _call_lex(typing: Any, data: Any, first: Any, last: Any, tables: Any, scratch: Any) -> Any:
    """Write the canonical tokens of data[first:last] (UTF-8, read-only) into the scratch.

    Only kernels can call this; `lex_text` is for other code. A dozen kernels call the lexer, which
    is a third of all compiled code, so it is compiled once and called at its address.

    Returns:
        The number of tokens, and a hash of the skipped drawings, 0 if there are none.
    """
    place = tables.fields.index("lexer")
    kinds = (data, types.int64, types.int64, tables, scratch)
    return call_at(_lex, kinds, lambda builder, values: builder.extract_value(values[3], place))


lex: Any = intrinsic(_call_lex)


def lex_text(data: npt.NDArray[np.uint8], scratch: Scratch) -> tuple[int, int]:
    """Write the canonical tokens of one text into the scratch; return what `lex` returns."""
    count, drawings = _lex(data, 0, len(data), tables(), scratch)
    return count, int(drawings)


@borrowing_kernel
def _lex(data: Any, first: int, last: int, tables: Any, scratch: Any) -> tuple[int, Any]:
    text, tokens, state = scratch.text, scratch.tokens, scratch.state[0]
    size, is_ascii = fold(data[first:last], text, scratch.source, tables)
    start(state, size)
    drawings: Any = np.uint64(0)
    while state.index < size:
        index = state.index
        byte = text[index]
        byte_class = CLASS[byte]
        if byte_class == chars.BLANK:
            if byte == chars.NEWLINE and text[index + 1] == chars.NEWLINE:
                state.sentence = BEGINS_SENTENCE
            state.index += 1
            state.is_glued = False
            continue
        if byte == chars.LESS and read_script(state, scratch):
            continue
        if may_begin(text, index, byte):
            end, kind, begin, code_end = left_out(
                text, index, size, state.is_glued, tables.slots, tables.entries
            )
            if code_end > 0:
                drawings = mix(drawings ^ digest(text, begin, code_end, kind))
                if state.num_drawings < len(scratch.drawings):
                    places = scratch.drawings[state.num_drawings]
                    places[0], places[1] = begin, code_end
                    state.num_drawings += 1
            if end > 0:
                state.index = end
                state.is_glued = False
                continue
        is_macro = byte_class == chars.ESCAPE and is_letter(text[index + 1])
        if is_macro and text[index + 1] == _N and breaks_line(state, text):
            if text[index + 2] == byte and text[index + 3] == _N:
                state.sentence = BEGINS_SENTENCE
            state.index += 2
            state.is_glued = False
            continue
        if byte_class <= chars.IDEOGRAPH or is_macro:
            read_word(state, scratch, tables, byte, byte_class)
        elif begins_number(text, index, byte_class):
            read_number(state, scratch, byte, byte_class)
        elif byte_class == chars.OPEN:
            open_brace(state, scratch)
        elif byte_class == chars.CLOSE:
            close_brace(state, scratch)
        else:
            read_symbol(state, scratch, byte, byte_class)
    drop_unclosed(state, tokens)
    if state.has_choice or state.capitals & C_BIT:
        write_choices(state, scratch)
    if state.smalls & BITS:
        write_in_full(state, scratch)
    count = cut(state, tokens, tables.phrases, tables.phrase_ends)
    if state.capitals & state.smalls != 0:
        _keep_capitals(state, tokens, count, scratch.spellings)
    if not is_ascii:
        _restore_places(tokens, count, scratch.source)
    return count, drawings


@borrowing
def _keep_capitals(state: Any, tokens: Any, count: int, spellings: Any) -> None:
    """Spell capital letters as such if the text has the same small letters: C + a is not c + A."""
    both = state.capitals & state.smalls
    for at in range(count):
        if tokens[at, FLAGS] & SINGLE_CAPITAL:
            first = tokens[at, FROM]
            letter = spellings[first]
            if letter >= chars.SMALL_A and both >> np.int64(letter - chars.SMALL_A) & 1:
                spellings[first] = letter - np.uint8(chars.SMALL_A - chars.UPPER_A)
                tokens[at, HASH] = np.int64(hash_span(spellings, first, first + 1))


@borrowing
def _restore_places(tokens: Any, count: int, source: Any) -> None:
    """Convert positions in the folded text to positions in the raw text."""
    for at in range(count):
        tokens[at, BEGIN] = source[tokens[at, BEGIN]]
        tokens[at, END] = source[tokens[at, END] - 1] + 1
