r"""Decide whether two expressions agree: math-verify reads them, their values decide.

>>> equal("2\\sqrt{2}", "\\sqrt{8}"), equal("(x+1)^2", "x^2+2x+1"), equal("x^2", "y^2")
(True, True, False)
>>> equal("\\frac{1}{2^{99}}", "\\frac{1}{2^{98}}"), equal("11\\sqrt{2}", "15.556")
(False, True)

Two closed forms are the same value where they agree to 25 digits, at several points where they
hold variables: it takes milliseconds, where a symbolic proof may take forever. What has no value
(sets, sums to n) is left to math-verify's own comparison. Nothing here is bounded in time: callers
run it in a process that may die (`judges.Judges`).
"""

import re
from fractions import Fraction
from functools import cache
from typing import Any

from mathledger.grading.numbers import Number, is_rounded, number
from mathledger.grading.spelling import ROW

# Where expressions are compared: all variables positive, then of both signs.
POINTS = (("7/5", "3/11"), ("-13/9", "5/17"), ("19/7", "-6/13"))
DIGITS = 40  # of each value
TOLERANCE = Fraction(1, 10**25)  # of their difference, as a share of the larger


def equal(gold: str, given: str) -> bool:
    """Return True if two expressions, as spelling.plain writes them, have one value.

    A decimal equals a value that it is, or that it is the rounding of (numbers.is_rounded).
    """
    from sympy import Expr, MatrixExpr

    one, other = expression(gold), expression(given)
    if one is None or other is None:
        return False
    if not all(isinstance(each, Expr) for each in (one, other)):
        return _verify(one, other)  # sets, relations, matrices
    if any(isinstance(each, MatrixExpr) for each in (one, other)):
        return _verify(one, other)
    for text, exact in ((gold, other), (given, one)):
        if (decimal := number(text)) and decimal.places is not None:
            return _is_near(decimal, exact)
    try:
        return _agree(one, other)
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return _verify(one, other)


def equal_equations(gold: tuple[str, str], given: tuple[str, str]) -> bool:
    r"""Return True if the difference of the sides of one is a constant multiple of the other's.

    >>> equal_equations(("2x+4y-3", "0"), ("y", "\\frac{3}{4}-\\frac{x}{2}"))
    True
    """
    sides = [expression(side) for side in (*gold, *given)]
    if any(side is None for side in sides):
        return False
    one, other = sides[0] - sides[1], sides[2] - sides[3]
    try:
        if one.free_symbols != other.free_symbols:
            return False
        pairs = list(zip(_values(one), _values(other), strict=True))
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return False
    if not all(first and second for first, second in pairs):
        return False
    ratios = [first / second for first, second in pairs]
    return all(_close(ratio, ratios[0]) for ratio in ratios)


@cache
def _targets() -> tuple[Any, ...]:
    r"""How math-verify is to read an answer: all of it.

    Its own normalization drops what it takes for a unit, so that \\frac{a}{b}c is a/b to it;
    spelling.plain has dropped the units already.
    """
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig

    as_it_is = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=False, nits=False, boxed="none"
    )
    return (LatexExtractionConfig(boxed_match_priority=-1, normalization_config=as_it_is),)


def expression(text: str) -> Any:
    """Return the sympy expression that math-verify reads in a text, or None."""
    from math_verify import parse
    from sympy import Basic, E, I, MatrixBase

    text = re.sub(r"([_^]\d+)\s+(?=\d)", r"\1*", text)
    if re.search(r"\d\s+\d", text):
        return None  # to math-verify 5 6 is 11
    text = text.replace(ROW, r"\\").replace(r"\backslash", r"\setminus")
    text = re.sub(r"\\degree(?![a-zA-Z])", r"*\\frac{\\pi}{180}", text).replace("*", r"\cdot ")
    text = re.sub(r"(?<![\d.])(\d*)\.(\d+)", _as_fraction, text)  # or sympy would round it
    parsed = parse(f"${text}$", extraction_config=_targets(), parsing_timeout=None)
    if not parsed or not isinstance(parsed[0], Basic | MatrixBase):
        return None
    constants = {"i": I, "e": E}
    named = {name: constants.get(name.name) for name in parsed[0].free_symbols}
    return parsed[0].subs({name: constant for name, constant in named.items() if constant})


def _as_fraction(decimal: re.Match[str]) -> str:
    return rf"\frac{{{int(decimal[1] + decimal[2])}}}{{{10 ** len(decimal[2])}}}"


def _agree(one: Any, other: Any) -> bool:
    import sympy

    if one.free_symbols != other.free_symbols:
        one, other = (sympy.simplify(each.doit()) for each in (one, other))
        if one.free_symbols != other.free_symbols:
            return False
    return all(map(_close, _values(one), _values(other)))


def _values(one: Any) -> list[Any]:
    """The values of an expression, to DIGITS, where its variables are what each point says.

    Raises:
        ArithmeticError: it has no finite value there.
    """
    import sympy

    one = one.doit()
    names = sorted(one.free_symbols, key=str)
    values = []
    for start, step in POINTS:
        point = {
            name: sympy.Rational(start) + place * sympy.Rational(step)
            for place, name in enumerate(names, 1)
        }
        value = one.subs(point).doit().evalf(DIGITS)
        if not value.is_number or value.has(sympy.nan, sympy.zoo, sympy.oo):
            raise ArithmeticError(f"no value of {one}")
        # A zero that sympy cannot prove comes as noise without a single sure digit.
        real, imaginary = (
            0 if part.is_Float and part._prec < DIGITS else part for part in value.as_real_imag()
        )
        values.append(real + sympy.I * imaginary)
        if not names:
            break
    return values


def _close(one: Any, other: Any) -> bool:
    return bool(abs(one - other) <= float(TOLERANCE) * max(abs(one), abs(other)))


def _is_near(decimal: Number, exact: Any) -> bool:
    """Return True if a decimal is an exact value, or that value rounded."""
    try:
        exact = exact.doit()
        if exact.free_symbols or not exact.is_real:
            return False
        if exact.is_Rational:
            value = Fraction(int(exact.p), int(exact.q))
            return decimal.value == value or is_rounded(decimal, value)
        value = Fraction(str(exact.evalf(DIGITS)))
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return False
    difference = abs(decimal.value - value)
    return difference <= TOLERANCE * abs(value) or is_rounded(decimal, value, endless=True)


def _verify(gold: Any, given: Any) -> bool:
    from math_verify import verify

    return bool(verify([gold], [given], timeout_seconds=None, allow_set_relation_comp=True))
