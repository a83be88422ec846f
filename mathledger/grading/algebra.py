r"""Decide whether two expressions are equal: math-verify's grammar parses them, values decide.

>>> equal("2\\sqrt{2}", "\\sqrt{8}"), equal("(x+1)^2", "x^2+2x+1"), equal("x^2", "y^2")
(True, True, False)
>>> equal("\\frac{1}{2^{99}}", "\\frac{1}{2^{98}}"), equal("11\\sqrt{2}", "15.556")
(False, True)
>>> equal("\\pi(R^2-r^2)", "\\pi(r^2-R^2)"), equal("3", "\\log_{2} 8")
(False, True)

Two closed forms count as equal if they agree to 25 digits; expressions with variables must agree at
several points. This takes milliseconds, while a symbolic proof may never finish. math-verify itself
compares expressions without a value (sets, sums to n). Nothing here has a time limit, so callers
run it in a process that they can kill (`judges.Judges`).
"""

import re
from fractions import Fraction
from typing import Any

from mathledger.grading.numbers import Number, is_rounded, number
from mathledger.grading.spelling import ROW

# Expressions are compared at these (start, step) points: first all variables are positive, then
# their signs differ.
POINTS = (("7/5", "3/11"), ("-13/9", "5/17"), ("19/7", "-6/13"))
DIGITS = 40  # Significant digits to which each value is computed.
TOLERANCE = Fraction(1, 10**25)  # Largest relative difference between equal values.


class Undecided(Exception):  # noqa: N818  (a control-flow signal, not an error)
    """Raised if no rule decides whether two answers are equal, e.g. because one cannot be read."""


def equal(gold: str, given: str) -> bool:
    """Return True if two expressions in the spelling of `spelling.plain` have the same value.

    A decimal also equals a value that it is a correct rounding of (numbers.is_rounded).

    Raises:
        Undecided: One of the texts is not an expression.
    """
    from sympy import Expr, MatrixExpr

    is_cased = _is_cased(gold) or _is_cased(given)
    one, other = (expression(text, is_cased) for text in (gold, given))
    if not all(isinstance(each, Expr) for each in (one, other)):
        return _verify(one, other)  # sets, relations, matrices
    if any(isinstance(each, MatrixExpr) for each in (one, other)):
        return _verify(one, other)
    for text, exact in ((gold, other), (given, one)):
        decimal = number(text)
        if decimal and decimal.places is not None and not exact.free_symbols:
            return _is_rounding(decimal, exact)
    try:
        return _agree(one, other)
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return _verify(one, other)


def is_near(text: str, rounding: Number) -> bool:
    """Return True if a number is an expression's value, rounded or cut."""
    return _is_near(rounding, expression(text))


def _is_near(rounding: Number, exact: Any) -> bool:
    try:
        exact = exact.doit()
        if exact.free_symbols or not exact.is_real:
            return False
        return rounding.is_near(Fraction(str(exact.evalf(DIGITS))))
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return False


def equal_equations(gold: tuple[str, str], given: tuple[str, str]) -> bool:
    r"""Return True if left minus right of one equation is a constant multiple of the other's.

    >>> equal_equations(("2x+4y-3", "0"), ("y", "\\frac{3}{4}-\\frac{x}{2}"))
    True
    """
    is_cased = any(_is_cased("".join(sides)) for sides in (gold, given))
    sides = [expression(side, is_cased) for side in (*gold, *given)]
    try:
        one, other = sides[0] - sides[1], sides[2] - sides[3]
        if one.free_symbols != other.free_symbols:
            return False
        pairs = list(zip(_values(one), _values(other), strict=True))
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return False
    if not all(first and second for first, second in pairs):
        return False
    ratios = [first / second for first, second in pairs]
    return all(_close(ratio, ratios[0]) for ratio in ratios)


_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"([_^]\d+)\s+(?=\d)", r"\1*"),
        (r"(?<![\w}\^])(\d+)\s*/\s*(\d+)\s+(?=[a-zA-Z\\(])", r"\\frac{\1}{\2} "),
        (r"(?<![\w}\^])(\d+)\s*/\s*(\d+)\s*(?=i(?![a-zA-Z]))", r"\\frac{\1}{\2} "),
        (r"(?<![\d.^_])(\d[\d.]*)\s*\(", r"\1*("),  # The grammar would read a mixed number.
        (r"\)\s*\(", ")*("),
        (r"(?<=\d)\s*(?=\\degree(?![a-zA-Z]))", ""),
    ]
]  # fmt: skip


def _is_cased(text: str) -> bool:
    """Return True if a text uses a letter in both cases, so that R and r are two variables."""
    letters = set(re.sub(r"\\[a-zA-Z]+", "", text))
    return any(letter.islower() and letter.upper() in letters for letter in letters)


def expression(text: str, is_cased: bool = True) -> Any:
    """Return the sympy expression of a text.

    math-verify's default settings would drop what looks like a unit: \\frac{a}{b}c would be a/b.

    Args:
        is_cased: Whether a capital and a small letter are two variables.

    Raises:
        Undecided: The text is not an expression.
    """
    from latex2sympy2_extended import NormalizationConfig, normalize_latex
    from latex2sympy2_extended.latex2sympy2 import ConversionConfig, latex2sympy
    from math_verify.grader import should_treat_as_complex
    from sympy import Basic, E, I, MatrixBase

    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    if re.search(r"\d\s+\d", text):
        raise Undecided(text)  # 5 6 would be read as 11.
    text = text.replace(ROW, r"\\").replace(r"\backslash", r"\setminus")
    text = re.sub(r"\\degree(?![a-zA-Z])", r"*\\frac{\\pi}{180}", text).replace("*", r"\cdot ")
    text = re.sub(r"(?<![\d.])(\d*)\.(\d+)", _as_fraction, text)  # sympy rounds decimals.
    as_it_is = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=False, nits=False, boxed="none"
    )
    try:
        text = normalize_latex(text, as_it_is)
        read = latex2sympy(
            text,
            is_real=not should_treat_as_complex(text),
            normalization_config=None,
            conversion_config=ConversionConfig(lowercase_symbols=not is_cased),
        )
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # The grammar's errors have no common class.
        raise Undecided(text) from error
    if not isinstance(read, Basic | MatrixBase):
        raise Undecided(text)
    constants = {"i": I, "I": I, "e": E, "E": E}
    named = {name: constants.get(name.name) for name in read.free_symbols}
    return read.subs({name: constant for name, constant in named.items() if constant})


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


def _is_rounding(decimal: Number, exact: Any) -> bool:
    """Return True if a decimal equals an exact value or is a correct rounding of it.

    Raises:
        Undecided: It is a rounding that shows too few digits.
    """
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
    if difference <= TOLERANCE * abs(value) or is_rounded(decimal, value, endless=True):
        return True
    if decimal.places and decimal.is_near(value):
        raise Undecided
    return False


def _verify(gold: Any, given: Any) -> bool:
    from math_verify import verify

    return bool(verify([gold], [given], timeout_seconds=None, allow_set_relation_comp=True))
