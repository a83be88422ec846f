r"""Decide whether two expressions are equal: math-verify parses them, their values decide.

>>> equal("2\\sqrt{2}", "\\sqrt{8}"), equal("(x+1)^2", "x^2+2x+1"), equal("x^2", "y^2")
(True, True, False)
>>> equal("\\frac{1}{2^{99}}", "\\frac{1}{2^{98}}"), equal("11\\sqrt{2}", "15.556")
(False, True)

Two closed forms count as equal if they agree to 25 digits; expressions with variables must agree at
several points. This takes milliseconds, while a symbolic proof may never finish. math-verify itself
compares expressions without a value (sets, sums to n). Nothing here has a time limit, so callers
run it in a process that they can kill (`judges.Judges`).
"""

import re
from fractions import Fraction
from functools import cache
from typing import Any

from mathledger.grading.numbers import Number, is_rounded, number
from mathledger.grading.spelling import ROW

# Expressions are compared at these (start, step) points: first all variables are positive, then
# their signs differ.
POINTS = (("7/5", "3/11"), ("-13/9", "5/17"), ("19/7", "-6/13"))
DIGITS = 40  # Significant digits to which each value is computed.
TOLERANCE = Fraction(1, 10**25)  # Largest relative difference between equal values.


def equal(gold: str, given: str) -> bool:
    """Return True if two expressions in the spelling of `spelling.plain` have the same value.

    A decimal also equals a value that it is a correct rounding of (numbers.is_rounded).
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
    r"""Return True if left minus right of one equation is a constant multiple of the other's.

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
    r"""Return the configuration with which math-verify reads an answer completely.

    Its default normalization drops what looks like a unit, so it would read \\frac{a}{b}c as a/b;
    spelling.plain has already removed the units.
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
        return None  # math-verify would read 5 6 as 11.
    text = text.replace(ROW, r"\\").replace(r"\backslash", r"\setminus")
    text = re.sub(r"\\degree(?![a-zA-Z])", r"*\\frac{\\pi}{180}", text).replace("*", r"\cdot ")
    text = re.sub(r"(?<![\d.])(\d*)\.(\d+)", _as_fraction, text)  # sympy rounds decimals.
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
    """Return an expression's value at each point of POINTS, to DIGITS digits.

    Raises:
        ArithmeticError: The expression has no finite value at a point.
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
        # If sympy cannot prove that a value is zero, it returns noise without one reliable digit.
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
    """Return True if a decimal equals an exact value or is a correct rounding of it."""
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
