"""Read exponents and indices of HTML and Pandoc: x<sup>2</sup> and x^2^ are x^{2}."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars
from mathledger.text.bars import append
from mathledger.text.braces import close_brace, open_brace
from mathledger.text.chars import matches
from mathledger.text.tokens import CARET_HASH, HASH, OPERATOR, UNDERSCORE_HASH

_SUP, _SUB, _END_SUP, _END_SUB = (
    np.frombuffer(word, np.uint8) for word in (b"<sup>", b"<sub>", b"</sup>", b"</sub>")
)
_AFTER_SCRIPT = tuple(b" \n.,;:)?!*$")


@borrowing
def read_script(state: Any, scratch: Any) -> bool:
    """Read a tag of an exponent or index; return False if none is here."""
    text = scratch.text
    is_exponent = matches(text, state.index, _SUP)
    if is_exponent or matches(text, state.index, _SUB):
        if is_exponent:
            append(state, scratch, chars.CARET, CARET_HASH, OPERATOR, state.index)
        else:
            append(state, scratch, chars.UNDERSCORE, UNDERSCORE_HASH, OPERATOR, state.index)
        state.opens_look = False
        state.index += len(_SUP) - 1
        open_brace(state, scratch)
        return True
    if matches(text, state.index, _END_SUP) or matches(text, state.index, _END_SUB):
        state.index += len(_END_SUP) - 1
        close_brace(state, scratch)
        return True
    return False


@borrowing
def closes_script(state: Any, tokens: Any, text: Any) -> bool:
    """Return True at the second caret of x^2^, as Pandoc writes an exponent."""
    last = state.num_tokens - 1
    if (
        text[state.index] != chars.CARET
        or last < 1
        or not state.is_glued
        or tokens[last - 1, HASH] != CARET_HASH
    ):
        return False
    return text[state.index + 1] in _AFTER_SCRIPT
