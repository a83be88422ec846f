"""Read the words and letters that stand for sums, products and integrals before their limits."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars, shapes
from mathledger.text.bars import respell
from mathledger.text.chars import is_letter
from mathledger.text.hashing import hash_span, signed
from mathledger.text.tokens import FLAGS, FROM, HASH, KIND, MACRO, OPERAND, TO

_SUMS = signed(b"sum", b"prod", b"int")
_SIGMA, _PI, _SUM_HASH, _PROD_HASH = (
    int(value) for value in signed(*rb"\Sigma \Pi \sum \prod".split())
)
_SUM, _PROD = (np.frombuffer(name, np.uint8) for name in (rb"\sum", rb"\prod"))
_BRACKETS = chars.CURLY_LEFT, chars.ROUND_LEFT


@borrowing
def read_sum(state: Any, scratch: Any, last: int) -> None:
    r"""Make a macro of the words sum, prod and int, and of the letters Sigma and Pi, at an index.

    Examples are sum_{k=1}^9 k and \Sigma_{k=1}^9 k.
    """
    tokens, spellings, first = scratch.tokens, scratch.spellings, state.num_spelled
    own = tokens[last, HASH]
    if own in (_SIGMA, _PI) and _begins_limit(scratch.text, state.index + 1):
        if own == _SIGMA:
            respell(state, scratch, last, _SUM, _SUM_HASH)
        else:
            respell(state, scratch, last, _PROD, _PROD_HASH)
        tokens[last, FLAGS] &= ~OPERAND
    if not state.is_glued or not shapes.is_in(own, _SUMS):
        return
    spellings[first] = chars.BACKSLASH
    end = first + 1
    for at in range(tokens[last, FROM], tokens[last, TO]):
        spellings[end] = spellings[at]
        end += 1
    tokens[last, HASH], tokens[last, KIND] = np.int64(hash_span(spellings, first, end)), MACRO
    tokens[last, FROM], tokens[last, TO] = first, end
    state.num_spelled = end


@borrowing
def _begins_limit(text: Any, index: int) -> bool:
    """Return True at a bracket, a letter and an equals sign, as in {k=1."""
    if text[index] not in _BRACKETS or not is_letter(text[index + 1]):
        return False
    return bool(text[index + 2 + int(text[index + 2] == chars.SPACE)] == chars.EQUAL)
