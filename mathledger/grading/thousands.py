r"""The spellings of a number's thousands separators, for every module that reads numbers.

>>> without_separators("1,234,567.5"), without_separators("1{,}250"), without_separators("1,25")
('1234567.5', '1250', '1,25')
>>> without_separators("12\\,345"), without_separators("1'234"), without_separators("10{\\,}000")
('12345', '1234', '10000')
>>> without_separators("1.234.567"), without_separators("1.234"), without_separators("12,34,567")
('1234567', '1.234', '1234567')
"""

import re

# What separates two groups of digits, except a space and a full stop. LaTeX spaces and {,} only
# ever stand between groups; a bare comma may also separate the members of a list.
LATEX = r"(?:\{,\}(?:\\!)*|,(?:\\!)+ ?|\{\\[,;:! ]\}|(?:\\[,;:! ]|~)+)"
ANY = rf"(?:{LATEX}|[,'])"
# A number with separators, without its sign; Arrow's RE2 reads these patterns too.
GROUPED = rf"(?:\d{{1,3}}(?:{ANY}\d{{3}})+|\d{{1,2}}(?:,\d{{2}})+,\d{{3}})(?:\.\d+)?"
SPACED = r"\d{1,3}(?: \d{3})+(?:\.\d+)?"
_POINTED = r"\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?"  # 1.234 alone is a decimal.
WHOLE = rf"^[-+]?(?:{GROUPED})$"
SEPARATOR = rf"{LATEX}|[,']"

_NUMBER = re.compile(rf"[-+]?(?:{GROUPED}|{SPACED})")
_WITH_POINTS = re.compile(rf"[-+]?{_POINTED}")
_SEPARATORS = re.compile(rf"{SEPARATOR}| ")


def without_separators(text: str) -> str:
    """Return a number without its thousands separators; any other text stays as it is."""
    if _NUMBER.fullmatch(text):
        return _SEPARATORS.sub("", text)
    if _WITH_POINTS.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    return text
