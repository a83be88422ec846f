"""Write the units h and s in full after a number: 3 h is 3 hours, unless h is a name, too."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text.chars import APOSTROPHE
from mathledger.text.hashing import hash_span, signed
from mathledger.text.tokens import (
    BEGIN,
    END,
    FLAGS,
    FROM,
    HASH,
    KIND,
    NUMBER,
    SINGLE_CAPITAL,
    SLASH_HASH,
    TO,
    WORD,
)

ABBREVIATIONS = {"h": "hours", "s": "seconds"}
_LETTERS = signed(*(letter.encode() for letter in ABBREVIATIONS))
_WORDS = np.frombuffer("".join(ABBREVIATIONS.values()).encode(), np.uint8)
_ENDS = np.cumsum([0, *map(len, ABBREVIATIONS.values())])
# The letters' bits in `state.smalls`.
BITS = sum(1 << (ord(letter) - ord("a")) for letter in ABBREVIATIONS)


@borrowing
def write_in_full(state: Any, scratch: Any) -> None:
    """Write each unit in full that always follows a number and a blank, or a slash."""
    tokens, spellings, text = scratch.tokens, scratch.spellings, scratch.text
    for number in range(len(_LETTERS)):
        is_unit = False
        for at in range(state.num_tokens):
            if not _is_letter(tokens[at], _LETTERS[number], text):
                continue
            is_unit = _follows_number(tokens, at) or (at > 0 and tokens[at - 1, HASH] == SLASH_HASH)
            if not is_unit:
                break
        if not is_unit:
            continue
        first, end = _ENDS[number], _ENDS[number + 1]
        for at in range(state.num_tokens):
            if _is_letter(tokens[at], _LETTERS[number], text) and _follows_number(tokens, at):
                start = state.num_spelled
                for place in range(first, end):
                    spellings[start + place - first] = _WORDS[place]
                state.num_spelled = start + end - first
                tokens[at, FROM], tokens[at, TO] = start, state.num_spelled
                tokens[at, HASH] = np.int64(hash_span(spellings, start, state.num_spelled))


@borrowing
def _is_letter(token: Any, letter: Any, text: Any) -> bool:
    """Return True for the small letter, except in a possessive such as Ann's."""
    if token[HASH] != letter or token[KIND] != WORD:
        return False
    if token[BEGIN] > 0 and text[token[BEGIN] - 1] == APOSTROPHE:
        return False
    return not token[FLAGS] & SINGLE_CAPITAL


@borrowing
def _follows_number(tokens: Any, at: int) -> bool:
    if at == 0 or tokens[at - 1, KIND] != NUMBER:
        return False
    return bool(tokens[at - 1, END] < tokens[at, BEGIN])
