r"""Recognise the units and the words that follow a number.

>>> without_unit("5 km/h"), without_unit("5.4 cents"), without_unit("5cm"), without_unit("12 cm^2")
('5', '5.4', '5', '12')
>>> without_unit("3abc"), without_unit("3mn"), without_unit("5 and all primes"), without_unit("5元")
('3abc', '3mn', '5 and all primes', '5')
>>> is_unit("km/h"), is_unit("N"), is_unit("x"), is_unit("m s^{-2}")
(True, True, False, True)
"""

import itertools
import re

# Units that may touch their number. Any other letters that do are factors: 3mn, 5x.
TOUCHING = (
    r"[cmkn]m|[cm][lL]|kg|mg|[kMG]?Hz|[kM]?Pa|k[JWN]|kWh|MW|[KMGT]B|mph|kph|kmh|lbs?|oz|ft|in|yds?"
    r"|mi|hrs?|mins?|secs?|inch(?:es)?|f(?:oo|ee)t|yards?|miles?|units?|rpm|dB|mol|cents|yrs?"
    r"|[kM]?\\Omega"
)
# One letter is a unit only after a space: 5 m is a length, but 5m may be a product.
_LETTER = r"[mghLsJWKNVT]|amp|eV|cal|min|sr?|rad"
_SYMBOL = rf"(?:{TOUCHING}|{_LETTER}|[µμ]m|l)"
_WORD = r"(?:square|cubic|sq\.?|cu\.?)?\s*[^\W\d_]{2,}(?:['.-][^\W\d_]+)*\.?"
_CJK = r"[\u3400-\u9fff]+"
_POWER = r"(?:\s*\^\s*(?:\{\s*-?[1-4]\s*\}|-?[1-4])|[23](?!\d))?"
_JOINT = r"\s*(?:/|\*|·|\.(?=\w)|\bper\b|\s)\s*-?"
_ONE = rf"(?:{_SYMBOL}(?![a-zA-Z])){_POWER}"

POWER = re.compile(r"\s*\^\s*(?:\{\s*-?\d+\s*\}|-?\d)")  # after a unit
# Before a unit stands a number, or another unit that has been removed and an operator.
BEFORE = re.compile(r"([\d})])(?:\s|~|\\[,;: ])*(?:[*/]|\\cdot)?(?:\s|~|\\[,;: ])*$")
SCALES = {
    "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "万": 10**4, "亿": 10**8,
}  # fmt: skip
SCALE = re.compile(r"\s*(hundred|thousand|million|billion|trillion|万|亿)(?![a-z])", re.IGNORECASE)
# Words that qualify a number and are not units.
_NO_UNITS = (
    r"and|or|but|not|if|mod|choose|plus|minus|over|divided|multiplied|squared|cubed|factorial|less"
    r"|more|modulo|pi|sqrt|to|thirds?|fifths?|sixths?|eighths?|ninths?|tenths?|hundredths?|repeating"
    r"|hundred|thousand|million|billion|trillion|infinity|except|unless|through|until|for all"
)
_SPOKEN = re.compile(rf"(?:{_NO_UNITS})(?![a-z])", re.IGNORECASE)
_MACRO = re.compile(rf"{_ONE}(?:{_JOINT}{_ONE})*\.?")
_UNIT = re.compile(
    rf"(?:\s*(?:{TOUCHING})(?![a-zA-Z]){_POWER}(?:{_JOINT}{_ONE})*"
    rf"|\s+(?:per\s+)?{_ONE}(?:{_JOINT}{_ONE})*"
    rf"|\s*{_CJK})\.?$"
)
_WORDS = re.compile(
    rf"(?:\s+|-|\s*/\s*|\s*(?=[a-z]{{5}}|per\b|square\b|cubic\b))(?:[a-z]\s+(?={_WORD}))?"
    rf"{_WORD}(?:[\s,/-]+(?:{_WORD}|[aI]\b))*{_POWER}\.?$",
    re.IGNORECASE,
)
_CURRENCY = re.compile(r"^(-?)\s*(?:US|CA|AU|HK|NT|Rs\.?|USD|EUR|GBP|INR|RMB|CNY)\s*(?=[\d.-])")
_DEGREES = re.compile(r"\s*\\degree\s*(?:[CF]\b)?$")


def is_unit(text: str) -> bool:
    """Return True if the content of a macro such as \\mathrm{...} is a unit in symbols."""
    return bool(_MACRO.fullmatch(text.replace("~", " ").replace("\\", "").strip()))


def without_unit(text: str) -> str:
    """Strip the degree sign, the currency or the unit at the end of a number."""
    text = _CURRENCY.sub(r"\1", text.strip())
    text = _DEGREES.sub("", text)
    for pattern in (_UNIT, _WORDS):
        if (unit := pattern.search(text)) and _may_precede(text[: unit.start()]):
            words = unit[0].strip(" -/")
            if pattern is _WORDS and (_SPOKEN.match(words) or _are_factors(words)):
                continue
            return text[: unit.start()].strip()
    return text


def _may_precede(text: str) -> bool:
    """Return True if a unit may follow this text: it ends in a digit, a bracket or a percent."""
    return bool(re.search(r"\d.*[})%.]\s*$|\d\s*$", text))


def _are_factors(words: str) -> bool:
    """Return True if letters are not a word: consecutive ones such as abc, or without a vowel."""
    letters = words.strip(".")
    if not re.fullmatch(r"[a-zA-Z]{2,5}", letters):
        return False
    codes = [ord(each) for each in letters]
    is_run = all(after - before == 1 for before, after in itertools.pairwise(codes))
    return is_run or not re.search(r"[aeiouyAEIOUY]", letters)
