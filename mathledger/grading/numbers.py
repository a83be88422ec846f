r"""Parse numbers and decide when two are the same: 1/2 and 0.5 are, and so are 1/3 and 0.333.

>>> number("1\\frac{4}{5}").value, number("1,250").value, number("12.50").places
(Fraction(9, 5), Fraction(1250, 1), 2)
>>> same_number(number("1/2"), number("0.5")), same_number(number("1/3"), number("0.33"))
(True, False)

Texts must be in the spelling of `spelling.plain`.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from mathledger.grading.thousands import without_separators
from mathledger.grading.units import SCALE, SCALES, without_unit

MAX_WORDS = 4  # Words of a number such as "one hundred twenty five".
MIN_PLACES = 3  # Decimal places and significant digits that a rounded value must show to count.


@dataclass(frozen=True)
class Number:
    """An exact value and how it was written.

    Args:
        places: Number of decimal places, or None if it is not a plain decimal.
        digits: Number of significant digits shown.
        is_cut: Whether dots stand for further places.
    """

    value: Fraction
    places: int | None = None
    digits: int = 0
    is_percent: bool = False
    is_cut: bool = False

    def is_near(self, exact: Fraction) -> bool:
        """Return True if this is a value rounded or cut to the places shown, however few."""
        shown = self.bare().value if self.is_percent else self.value
        places = self.places or 0
        if self.value.denominator == 1 and not places:  # 1200 may stand for 1234.
            while shown and shown % 10 == 0:
                shown, places = shown / 10, places - 1
        unit = Fraction(10) ** -(places + (2 if self.is_percent else 0))
        rest = abs(exact) - abs(self.value)
        return (exact < 0) == (self.value < 0) and (2 * abs(rest) <= unit or 0 <= rest < unit)

    def digits_shown(self) -> str:
        """Return the digits without zeros at the end: 5 for 5, 500 and 5 million."""
        return str(abs(self.value.numerator)).rstrip("0")

    def bare(self) -> "Number":
        """Return the number before its percent sign: 10 for 10%."""
        return Number(self.value * (100 if self.is_percent else 1), self.places, self.digits)


_PERCENT = re.compile(r"\s*(?:\\?%|percent(?:age)?(?:\s+points?)?|per cent|pct)\.?$", re.IGNORECASE)
_DOTS = re.compile(r"(?<=\.)(\d+)\s*(?:\\[lc]?dots|\.{3}|…)$")
_BRACED = re.compile(r"^(?:\{([^{}]*)\}|\(([^(){},]*)\))$")
# A number has up to 400 digits and an exponent up to 3: exact arithmetic on these is instant.
_N, _D = r"\d{1,400}", r"(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})"
_DECIMAL = re.compile(
    rf"^(?:({_D})(?:\s*\*\s*10\s*\^\s*(?:\{{\s*([-+]?\s*\d{{1,3}})\s*\}}|(\d))"
    rf"|[eE]([-+]?\d{{1,3}}))?|10\s*\^\s*(?:\{{\s*([-+]?\s*\d{{1,3}})\s*\}}|(\d)))$"
)
_REPEATING = re.compile(rf"^(\d{{0,400}}\.\d{{0,400}})(?:\\overline\{{({_N})\}}|\(({_N})\))$")
_FRACTION = re.compile(rf"^(?:({_N})\s*)?\\frac\{{\s*(-?)\s*({_D})\s*\}}\{{\s*(-?)\s*({_D})\s*\}}$")
_SLASHED = re.compile(rf"^(?:({_N})(?:\s+|\s*-\s*))?()({_D})\s*/\s*()({_D})$")


def number(text: str) -> Number | None:
    r"""Parse a number with or without a unit; return None if the text is not a number.

    >>> number("5.4 cents").value, number("10\\%").is_percent, number("1.2*10^{3}").value
    (Fraction(27, 5), True, Fraction(1200, 1))
    >>> number("0.\\overline{3}").value, number("3 1/2").value, number("2\\sqrt{3}")
    (Fraction(1, 3), Fraction(7, 2), None)
    """
    shown = _DOTS.sub(r"\1", text)
    unitless = without_unit(shown)
    bare, is_negative = _unsigned(_PERCENT.sub("", unitless))
    scale = SCALE.search(bare)
    if scale and scale.end() == len(bare) and scale.start():
        bare, factor = bare[: scale.start()], SCALES[scale[1].lower()]
    else:
        factor = 1
    unsigned = _unsigned_number(without_separators(bare)) or _spoken(bare)
    if unsigned is None:
        return None
    is_percent = bool(_PERCENT.search(unitless))
    value = (-factor if is_negative else factor) * unsigned.value / (100 if is_percent else 1)
    places = None if factor > 1 else unsigned.places
    return Number(value, places, unsigned.digits, is_percent, is_cut=shown != text)


def _unsigned(text: str) -> tuple[str, bool]:
    """Strip the signs and brackets around a text; return the rest and whether it is negative."""
    is_negative = False
    while True:
        text = text.strip()
        if match := _BRACED.match(text):
            text = match[1] or match[2] or ""
        elif text[:1] in ("-", "+"):
            is_negative ^= text[0] == "-"
            text = text[1:]
        else:
            return text, is_negative


def _unsigned_number(text: str) -> Number | None:
    if match := _DECIMAL.match(text):
        digits = match[1] or "1"
        exponent = int(next(filter(None, match.groups()[1:]), "0").replace(" ", ""))
        places = max(0, len(digits.partition(".")[2]) - exponent)
        num_digits = len(digits.replace(".", "").lstrip("0"))
        return Number(Fraction(digits) * Fraction(10) ** exponent, places, num_digits)
    if match := _REPEATING.match(text):
        period = match[2] or match[3]
        tail = Fraction(int(period), 10 ** len(period) - 1)
        return Number(Fraction(f"0{match[1]}0") + tail / 10 ** len(match[1].partition(".")[2]))
    if match := _FRACTION.match(text) or _SLASHED.match(text):
        whole, minus, above, other_minus, below = match.groups()
        if not Fraction(below):
            return None
        value = Fraction(above) / Fraction(below)
        if whole and (value >= 1 or minus or other_minus):
            return None  # 11 7/6 is not a mixed number.
        return Number((-1 if minus != other_minus else 1) * value + int(whole or 0))
    return None


def is_rounded(decimal: Number, exact: Fraction, endless: bool = False) -> bool:
    """Return True if a decimal is a non-terminating value rounded to the places shown.

    At least three places and three digits are required: 0.333 is 1/3, 0.33 is not.

    Args:
        endless: Whether the value is irrational and `exact` a close approximation of it.
    """
    if decimal.places is None or min(decimal.places, decimal.digits) < MIN_PLACES:
        return False
    rest = exact.denominator
    for prime in (2, 5):
        while not endless and rest % prime == 0:
            rest //= prime
    places = decimal.places + (2 if decimal.is_percent else 0)
    return rest != 1 and abs(decimal.value - exact) * 2 * 10**places <= 1


_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SPOKEN = {word: value for value, word in enumerate(_ONES)} | {
    word: 10 * value for value, word in enumerate(_TENS, 2)
}


def _spoken(text: str) -> Number | None:
    """Parse a number in words below one thousand, such as "one hundred and twenty-one"."""
    words = [word for word in re.split(r"[\s-]+", text.lower()) if word != "and"]
    if not words or len(words) > MAX_WORDS:
        return None
    value = 0
    for place, word in enumerate(words):
        begins = place == 0 or (value > 0 and value % 100 == 0)
        follows_tens = word in _ONES[1:10] and value % 100 >= 20 and value % 10 == 0
        if word == "hundred" and 0 < value < 10:
            value *= 100
        elif word in _SPOKEN and (begins or follows_tens):
            value += _SPOKEN[word]
        else:
            return None
    return Number(Fraction(value))


def same_number(gold: Number, given: Number) -> bool:
    """Return True if two numbers are equal or one is a correct rounding of the other.

    A percentage also equals the number before its sign: 10% is 0.1 and may be written 10.
    """
    if gold.value == given.value:
        return True
    if gold.is_cut or given.is_cut:
        return any(_begins(one, other.value) for one, other in ((gold, given), (given, gold)))
    pairs = [(gold, given)]
    if gold.is_percent != given.is_percent:
        pairs.append((gold.bare(), given.bare()))
    return any(
        one.value == other.value or is_rounded(one, other.value) or is_rounded(other, one.value)
        for one, other in pairs
    )


def _begins(decimal: Number, exact: Fraction) -> bool:
    """Return True if a decimal that ends in dots shows the first digits of a value."""
    if not decimal.is_cut or decimal.places is None or decimal.digits < MIN_PLACES:
        return False
    rest = exact - decimal.value if exact > 0 else decimal.value - exact
    return 0 <= rest < Fraction(1, 10**decimal.places)


# Matches digits in a base, such as 1011_2 and 12_{nine}.
BASE = re.compile(r"^(-?\s*[0-9A-Fa-f]+)\s*_\s*\{?\s*(\d+|[a-z]+)\s*\}?$")
_BASES = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def same_in_base(gold: str, given: str) -> bool:
    """Return True if the digits are the same and fit the base, which either text may omit."""
    digits, bases = [], []
    for text in (gold, given):
        match = BASE.match(text)
        digits.append((match[1] if match else text).replace(" ", "").replace(",", "").upper())
        base = match[2] if match else None
        bases.append(str(_BASES.index(base) + 2) if base in _BASES else base)
    known = [int(base) for base in bases if base and base.isdigit()]
    own = digits[0].lstrip("-")
    if not (own.isascii() and own.isalnum()):
        return False
    has_digits = all(int(max(own), 36) < base for base in known)
    return digits[0] == digits[1] and has_digits and (None in bases or bases[0] == bases[1])
