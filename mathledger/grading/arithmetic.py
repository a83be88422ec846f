r"""Recognise arithmetic that nobody has carried out, such as 12 + 30 - 5.

>>> is_left_open("12 + 30 - 5"), is_left_open("x = 2*(3 + 4)"), is_left_open("\\frac{7 + 9}{2}")
(True, True, True)
>>> is_left_open("12 + 5 = 17"), is_left_open("3 - 1/2"), is_left_open("2^{10} - 1")
(False, False, False)

Texts must be in the spelling of `spelling.plain`.
"""

import re

from mathledger.grading import notation
from mathledger.grading.numbers import number
from mathledger.grading.units import without_unit

_FRACTION = re.compile(r"\\frac\{([^{}]*)\}\{([^{}]*)\}")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:\s?\\?%)?|\.\d+")
_BRACKETS = re.compile(r"\\?[{}\[\]]")
_SIGNS = frozenset("+-*/() ")
_SUM = re.compile(r"[\d)%]\s*[-+]\s*[-+(\d.]")
_MIXED = re.compile(r"[-+]?\s*\d+\s*[-+]\s*(?:\\frac\{\d+\}\{\d+\}|\(?\d+\s*/\s*\d+\)?)")


def is_left_open(text: str) -> bool:
    r"""Return True if a text is a sum or difference of plain numbers, and not also its result.

    Products, quotients, powers, roots and mixed numbers are values that people leave as they are:

    >>> [is_left_open(text) for text in ("2*9", "36/2", "3 + \\frac{1}{2}", "1 + \\sqrt{2}", "-5")]
    [False, False, False, False, False]
    """
    values = [side for side in notation.sides(text) if not notation.is_name(side)]
    if len(values) != 1 or number(values[0]):
        return False
    value = without_unit(values[0])
    if _MIXED.fullmatch(value):
        return False
    while (flat := _FRACTION.sub(r"((\1)/(\2))", value)) != value:
        value = flat
    value = _BRACKETS.sub(" ", value)
    return _SIGNS.issuperset(_NUMBER.sub("", value)) and bool(_SUM.search(value))
