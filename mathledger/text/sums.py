"""Read the words and letters that stand for sums, products and integrals before their limits."""

from typing import Any

import numpy as np

from mathledger.core.kernels import borrowing
from mathledger.text import chars, shapes
from mathledger.text.chars import is_letter
from mathledger.text.hashing import hash_span, signed
from mathledger.text.tokens import FLAGS, FROM, HASH, KIND, MACRO, OPERAND, TO

_SUMS = signed(b"sum", b"prod", b"int")
_SIGMA, _SUM_HASH = (int(value) for value in signed(rb"\Sigma", rb"\sum"))
_SUM = np.frombuffer(rb"\sum", np.uint8)


@borrowing
def read_sum(state: Any, scratch: Any, last: int) -> None:
    r"""Make a macro of the words sum, prod and int, and of the letter Sigma, before an index.

    Examples are sum_{k=1}^9 k and \Sigma_{k=1}^9 k.
    """
    tokens, spellings, first = scratch.tokens, scratch.spellings, state.num_spelled
    if tokens[last, HASH] == _SIGMA and _begins_limit(scratch.text, state.index + 1):
        for at in range(len(_SUM)):
            spellings[first + at] = _SUM[at]
        tokens[last, HASH] = _SUM_HASH
        tokens[last, FLAGS] &= ~OPERAND
        tokens[last, FROM], tokens[last, TO] = first, first + len(_SUM)
        state.num_spelled = first + len(_SUM)
    if not shapes.is_in(tokens[last, HASH], _SUMS):
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
    """Return True at a brace, a letter and an equals sign, as in {k=1."""
    if text[index] != chars.CURLY_LEFT or not is_letter(text[index + 1]):
        return False
    return bool(text[index + 2 + int(text[index + 2] == chars.SPACE)] == chars.EQUAL)
