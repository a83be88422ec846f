r"""Read words, macros and ideographs, and apply the vocabulary to them."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing, inlined
from mathledger.text import chars, vocabulary
from mathledger.text.chars import LOWER
from mathledger.text.hashing import PRIME, SEED, hash_span, mix
from mathledger.text.markup import layout_end
from mathledger.text.state import emit
from mathledger.text.tokens import (
    CAPITALISED,
    CARET_HASH,
    END,
    FLAGS,
    FROM,
    HASH,
    MACRO,
    OPENS_PHRASE,
    SINGLE_CAPITAL,
    TAKES_UNIT,
    TO,
    WORD,
)

_DEGREE_LEAD = "°".encode()[0]


@inlined
def read_word(state: Any, scratch: Any, tables: Any, byte: Any, byte_class: Any) -> None:
    r"""Read the word, macro or ideograph that begins with this byte.

    The vocabulary decides whether it is dropped (\left), adds a unit to a ten (twenty-five),
    becomes another token (\leq, twelve), takes arguments (\frac) or stays unchanged.
    """
    tokens, text, spellings = scratch.tokens, scratch.text, scratch.spellings
    entries = tables.entries
    start, first, owed = state.index, state.num_spelled, state.owed[state.depth]
    if byte_class == chars.ESCAPE:
        index, end, value = _spell_macro(text, start, spellings, first)
    elif byte_class == chars.IDEOGRAPH or (owed > 0 and byte < chars.NOT_ASCII):  # As in \frac ab.
        index, end, value = _spell_letter(text, start, spellings, first)
        index = min(index, state.size)
    else:
        index, end, value = _spell_word(text, start, spellings, first)
    kind = MACRO if byte_class == chars.ESCAPE else WORD
    flags = state.sentence
    entry = vocabulary.find(value, tables.slots, entries)
    action = entries[entry, vocabulary.ACTION]
    if entry > 0:
        if action <= vocabulary.SKIP_ARGUMENT:
            _leave_out(state, text, action, index)
            return
        last = state.num_tokens - 1
        unit = entries[entry, vocabulary.UNIT_DIGIT]
        if unit > 0 and last >= 0 and tokens[last, FLAGS] & TAKES_UNIT:
            _add_unit(tokens, last, spellings, unit, index)
            state.index, state.is_glued = index, True
            return
        value = np.uint64(entries[entry, vocabulary.NEW_HASH])
        kind = entries[entry, vocabulary.NEW_KIND]
        end = _replace(entries[entry], tables.replacements, spellings, first)
        if action == vocabulary.TEN:
            flags |= TAKES_UNIT
        elif action == vocabulary.OPENS_PHRASE:
            flags |= OPENS_PHRASE
            state.has_phrase = True
        elif spellings[first] == _DEGREE_LEAD and last >= 0 and tokens[last, HASH] == CARET_HASH:
            state.num_tokens -= 1  # ^\circ becomes just the degree sign.
    if owed > 0:
        state.owed[state.depth] = owed - 1
    if action == vocabulary.TAKES_ONE:
        state.owed[state.depth] = 1
    elif action == vocabulary.TAKES_TWO:
        state.owed[state.depth] = 2
    if byte_class == chars.LETTER and byte < chars.SMALL_A:
        flags |= SINGLE_CAPITAL if index - start == 1 else CAPITALISED
        if index - start == 1:
            state.capitals |= np.int64(1) << np.int64(byte - chars.UPPER_A)
    emit(state, scratch, value, kind, end, index, flags)
    state.sentence = 0


@borrowing
def _spell_word(text: Any, index: Any, spellings: Any, end: Any) -> tuple[Any, Any, Any]:
    """Copy a word in lower case; return where it ends in text and in spellings, and its hash.

    _spell_macro and _spell_letter return the same. A macro keeps its case and ends before the first
    byte that is not ASCII.
    """
    value = SEED
    letter = LOWER[text[index]]
    while letter != 0:
        spellings[end] = letter
        end += 1
        value = (value ^ letter) * PRIME
        index += 1
        letter = LOWER[text[index]]
    return index, end, mix(value)


@borrowing
def _spell_macro(text: Any, index: Any, spellings: Any, end: Any) -> tuple[Any, Any, Any]:
    value = SEED
    letter = text[index]
    while True:
        spellings[end] = letter
        end += 1
        value = (value ^ letter) * PRIME
        index += 1
        letter = text[index]
        if letter >= chars.NOT_ASCII or LOWER[letter] == 0:
            break
    return index, end, mix(value)


@borrowing
def _spell_letter(text: Any, index: int, spellings: Any, end: int) -> tuple[int, int, Any]:
    size = 1 if text[index] < chars.NOT_ASCII else 3
    for step in range(size):
        letter = text[index + step]
        spellings[end + step] = LOWER[letter] if size == 1 else letter
    return index + size, end + size, hash_span(spellings, end, end + size)


@borrowing
def _leave_out(state: Any, text: Any, action: int, index: int) -> None:
    """Skip a formatting macro, or a layout macro with its arguments."""
    if text[state.index] == chars.BACKSLASH and text[index] == chars.STAR:  # E.g. \operatorname*.
        index += 1
    if action == vocabulary.LOOK:
        state.opens_look = True
    elif action == vocabulary.SKIP_ARGUMENT:
        index = layout_end(text, index, state.size)
    state.index = index


@borrowing
def _add_unit(tokens: Any, last: int, spellings: Any, digit: int, index: int) -> None:
    """Replace the zero of a ten such as twenty by a digit."""
    end = tokens[last, TO]
    spellings[end - 1] = digit
    tokens[last, HASH] = np.int64(hash_span(spellings, tokens[last, FROM], end))
    tokens[last, FLAGS] &= ~TAKES_UNIT
    tokens[last, END] = index


@borrowing
def _replace(entry: Any, replacements: Any, spellings: Any, end: int) -> int:
    """Write the vocabulary's replacement of a word to spellings; return where it ends."""
    for at in range(entry[vocabulary.NEW_FROM], entry[vocabulary.NEW_TO]):
        spellings[end] = replacements[at]
        end += 1
    return end
