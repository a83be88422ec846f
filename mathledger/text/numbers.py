"""Numbers, with their thousands separators and decimals."""

from typing import Any

from mathledger.core.kernels import kernel
from mathledger.text.characters import BACKSLASH, BANG, COMMA, CURLY_LEFT, CURLY_RIGHT, is_digit


@kernel
def thousands_mark(text: Any, at: int) -> int:
    r"""Length of a thousands separator at `at` when three digits, and no more, follow it; else 0.

    Separators: , {,} \, \! ,\! {\,}
    """
    one, two, three = text[at], text[at + 1], text[at + 2]
    width = 0
    if one == COMMA:
        width = 3 if two == BACKSLASH and three == BANG else 1
    elif one == BACKSLASH and two in (COMMA, BANG):
        width = 2
    elif one == CURLY_LEFT:
        if two == COMMA and three == CURLY_RIGHT:
            width = 3
        elif two == BACKSLASH and three == COMMA and text[at + 3] == CURLY_RIGHT:
            width = 4
    if width == 0:
        return 0
    for step in range(3):
        if not is_digit(text[at + width + step]):
            return 0
    return 0 if is_digit(text[at + width + 3]) else width
