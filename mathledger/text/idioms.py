"""Replace phrases of words by signs: per cent by %, log base 2 of by log _ 2."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import shapes
from mathledger.text.bars import respell
from mathledger.text.braces import drop_open_bracket, expect_bracket
from mathledger.text.chars import LOWER, is_digit, is_letter, matches, skip_blanks, skip_delimiters
from mathledger.text.hashing import PRIME, SEED, mix, signed
from mathledger.text.tokens import (
    BEGIN,
    END,
    FLAGS,
    FROM,
    FUNCTION,
    HASH,
    KIND,
    NUMBER,
    ROOT_HASH,
    ROUND_LEFT_HASH,
    TO,
    WORD,
    write_pieces,
)
from mathledger.text.vocabulary import ACTION, NUMERAL, find

_STAR, _BAR, _BY, _INDEX = (np.frombuffer(word, np.uint8) for word in (b"*", b"/", b"by ", b"_"))
_EQUIV = np.frombuffer(rb"\equiv", np.uint8)
_TIMES_HASH, _ONE_HASH, _EQUALS_HASH, _EQUIV_HASH = (
    int(each) for each in signed(b"times", b"one", b"=", rb"\equiv")
)
MAX_CONGRUENCE = 24  # Tokens from an equals sign to the modulus.


@borrowing
def _matches(tokens: Any, start: int, words: Any, first: int, end: int) -> bool:
    """Return True if the tokens from `start` on are the phrase words[first:end]."""
    for at in range(first, end):
        token = tokens[start + at - first]
        if words[at] == 0 or words[at] == 1:
            if not shapes.ends_operand(token) or (words[at] == 1 and token[KIND] != WORD):
                return False
        elif token[HASH] != words[at]:
            return False
    return True


@borrowing
def apply(state: Any, scratch: Any, tables: Any, first: int, last: int) -> None:
    """Replace the last tokens if they are one of the phrases from `first` up to `last`."""
    tokens, idioms = scratch.tokens, tables.idioms
    words, ends = idioms.words, idioms.ends
    for number in range(first, last):
        size = ends[number + 1] - ends[number]
        start = state.num_tokens - size
        if start < 0 or not _matches(tokens, start, words, ends[number], ends[number + 1]):
            continue
        kept = idioms.kept[number]
        begin, end = tokens[start + kept, BEGIN], tokens[state.num_tokens - 1, END]
        state.num_tokens = start + kept
        pool, pool_ends = idioms.pool, idioms.pool_ends
        write_pieces(state, scratch, pool, pool_ends[number], pool_ends[number + 1], (begin, end))
        added = start + kept
        if idioms.is_function[number]:
            tokens[added, FLAGS] |= FUNCTION
            if tokens[added, HASH] == ROOT_HASH:
                expect_bracket(state, scratch.text, state.index)
        return


@borrowing
def _begins_number(text: Any, index: int, size: int, tables: Any) -> bool:
    """Return True if a number follows, in digits or in words."""
    index = skip_delimiters(text, index, size)
    if is_digit(text[index]):
        return True
    value = SEED
    while LOWER[text[index]] != 0:
        value = (value ^ LOWER[text[index]]) * PRIME
        index += 1
    entry = find(mix(value), tables.slots, tables.entries)
    return bool(tables.entries[entry, ACTION] == NUMERAL)


@borrowing
def _is_between_numbers(state: Any, scratch: Any, tables: Any, last: int, index: int) -> bool:
    """Return True if the last token is a number, and one begins at the word's end, the index."""
    if last < 0 or scratch.tokens[last, KIND] != NUMBER:
        return False
    return bool(_begins_number(scratch.text, index, state.size, tables))


@borrowing
def read_times(state: Any, scratch: Any, tables: Any, index: int) -> bool:
    """Read "times" between two numbers as a product sign."""
    if not _is_between_numbers(state, scratch, tables, state.num_tokens - 1, index):
        return False
    write_pieces(state, scratch, _STAR, 0, 1, (state.index, index))
    return True


@borrowing
def multiply_next(state: Any, scratch: Any, tables: Any) -> None:
    """Write a product sign for the "times" of twice or thrice before a number."""
    tokens, last = scratch.tokens, state.num_tokens - 1
    if tokens[last, HASH] == _TIMES_HASH and _begins_number(
        scratch.text, state.index, state.size, tables
    ):
        place = tokens[last, BEGIN], tokens[last, END]
        state.num_tokens = last
        write_pieces(state, scratch, _STAR, 0, 1, place)


@borrowing
def read_base(state: Any, scratch: Any, tables: Any, index: int) -> bool:
    """Read "base" between two numbers as an index: 1011 base 2 and 1011 (base 2) are 1011_2."""
    tokens, last, begin = scratch.tokens, state.num_tokens - 1, state.index
    has_bracket = last > 0 and tokens[last, HASH] == ROUND_LEFT_HASH
    if has_bracket:
        begin, last = tokens[last, BEGIN], last - 1
    if not _is_between_numbers(state, scratch, tables, last, index):
        return False
    if skip_delimiters(scratch.text, tokens[last, END], state.size) != begin:
        return False
    if has_bracket and not drop_open_bracket(state):
        return False
    write_pieces(state, scratch, _INDEX, 0, 1, (state.index, index))
    return True


@borrowing
def read_congruence(state: Any, scratch: Any) -> None:
    """Write the equals sign before (mod 7) as the sign of a congruence: 3x = 2 (mod 7)."""
    tokens = scratch.tokens
    last = state.num_tokens - 2  # Before the word mod.
    for at in range(last, max(-1, last - MAX_CONGRUENCE), -1):
        if tokens[at, HASH] == _EQUALS_HASH:
            respell(state, scratch, at, _EQUIV, _EQUIV_HASH)
            return
        is_long = tokens[at, TO] - tokens[at, FROM] > 1
        is_word = tokens[at, KIND] == WORD and is_long and not tokens[at, FLAGS] & FUNCTION
        if is_word or tokens[at, HASH] == _EQUIV_HASH:
            return


@borrowing
def divide(state: Any, scratch: Any, tables: Any, index: int) -> bool:
    """Read "divided by" between two operands as a slash."""
    text, last = scratch.text, state.num_tokens - 1
    begin = skip_blanks(text, index, state.size)
    if last < 0 or not matches(text, begin, _BY):
        return False
    if scratch.tokens[last, HASH] != _ONE_HASH and not shapes.ends_operand(scratch.tokens[last]):
        return False
    end = begin + len(_BY) - 1
    at = skip_delimiters(text, end, state.size)
    is_letter_alone = is_letter(text[at]) and not is_letter(text[at + 1])
    if not is_letter_alone and not _begins_number(text, end, state.size, tables):
        return False
    write_pieces(state, scratch, _BAR, 0, 1, (state.index, end))
    return True
