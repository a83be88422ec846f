r"""What a written answer denotes: a number, a list, set, tuple, interval, matrix, or an expression.

>>> number("1\\frac{4}{5}").value, number("1,250").value, number("12.50").places
(Fraction(9, 5), Fraction(1250, 1), 2)
>>> read("\\{1, -2\\}")
Group(left='{', right='}', parts=('1', '-2'))
>>> read("-1 < x \\le \\frac{1}{2}")
Group(left='(', right=']', parts=('-1', '\\frac{1}{2}'))

All of it reads the spelling that `spelling.plain` gives. The leaves are strings: what an expression
says is left to `algebra`.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from mathledger.grading.spelling import ROW, trim

MAX_DEPTH = 8  # groups within one another; deeper ones stay a string
MIN_PLACES = 3  # decimal places, and significant figures, from which a rounding counts


@dataclass(frozen=True)
class Number:
    """An exact value, and how it was written.

    Args:
        places: decimal places, where it is a plain decimal.
        figures: significant figures shown.
        is_cut: dots stand for further places.
    """

    value: Fraction
    places: int | None = None
    figures: int = 0
    is_percent: bool = False
    is_cut: bool = False

    def bare(self) -> "Number":
        """The figure alone: 10 for 10%."""
        return Number(self.value * (100 if self.is_percent else 1), self.places, self.figures)


_UNIT = (
    r"(?:square|cubic|sq\.?|cu\.?)?\s*(?:units?|inch(?:es)?|in\.?|f(?:oo|ee)?t|yards?|yd|miles?|mi"
    r"|mph|[cmkn]m|[cm]l|kg|mg|lbs?|oz|hrs?|mins?|secs?|[a-z]{3,}+[a-z '/.-]*+)"
)
_TAIL = re.compile(
    # 5 m, but 5m may be a product
    rf"(?:\s+[mgLh]|\s*(?:per\s+|/)?-?{_UNIT}(?:\s*/\s*{_UNIT})?)(?:\s*\^\s*\{{?[23]\}}?)?\.?$",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"\s*(?:\\?%|percent(?:age)?(?:\s+points?)?|per cent|pct)\.?$", re.IGNORECASE)
_DOTS = re.compile(r"(?<=\.)(\d+)\s*(?:\\[lc]?dots|\.{3}|…)$")
_BRACED = re.compile(r"^(?:\{([^{}]*)\}|\(([^(){},]*)\))$")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_SPACED = re.compile(r"^\d{1,3}(?: \d{3})+(?:\.\d+)?$")
# A number has up to 400 figures, an exponent up to 3: so much is exact at once.
_N, _D = r"\d{1,400}", r"(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})"
_DECIMAL = re.compile(
    rf"^({_D})(?:\s*\*\s*10\s*\^\s*(?:\{{\s*([-+]?\d{{1,3}})\s*\}}|(\d))|[eE]([-+]?\d{{1,3}}))?$"
)
_REPEATING = re.compile(rf"^(\d{{0,400}}\.\d{{0,400}})(?:\\overline\{{({_N})\}}|\(({_N})\))$")
_FRACTION = re.compile(rf"^(?:({_N})\s*)?\\frac\{{\s*(-?)\s*({_D})\s*\}}\{{\s*(-?)\s*({_D})\s*\}}$")
_SLASHED = re.compile(rf"^(?:({_N})(?:\s+|\s*-\s*))?()({_D})\s*/\s*()({_D})$")


def number(text: str) -> Number | None:
    r"""The exact value that a text is the figure of, with or without a unit; None where it is none.

    >>> number("5.4 cents").value, number("10\\%").is_percent, number("1.2*10^{3}").value
    (Fraction(27, 5), True, Fraction(1200, 1))
    >>> number("0.\\overline{3}").value, number("3 1/2").value, number("2\\sqrt{3}")
    (Fraction(1, 3), Fraction(7, 2), None)
    """
    shown = _DOTS.sub(r"\1", text)
    unitless = without_unit(shown)
    bare, is_negative = _unsigned(_PERCENT.sub("", unitless))
    bare = _THOUSANDS.sub(lambda found: found[0].replace(",", ""), bare)
    if _SPACED.match(bare):
        bare = bare.replace(" ", "")
    found = _unsigned_number(bare)
    if found is None:
        return None
    is_percent = bool(_PERCENT.search(unitless))
    value = (-1 if is_negative else 1) * found.value / (100 if is_percent else 1)
    return Number(value, found.places, found.figures, is_percent, is_cut=shown != text)


def _unsigned(text: str) -> tuple[str, bool]:
    """A text without signs and brackets around it, and whether it is negative."""
    is_negative = False
    while True:
        text = text.strip()
        if found := _BRACED.match(text):
            text = found[1] or found[2] or ""
        elif text[:1] in ("-", "+"):
            is_negative ^= text[0] == "-"
            text = text[1:]
        else:
            return text, is_negative


def _unsigned_number(text: str) -> Number | None:
    if found := _DECIMAL.match(text):
        exponent = int(found[2] or found[3] or found[4] or 0)
        places = max(0, len(found[1].partition(".")[2]) - exponent)
        figures = len(found[1].replace(".", "").lstrip("0"))
        return Number(Fraction(found[1]) * Fraction(10) ** exponent, places, figures)
    if found := _REPEATING.match(text):
        period = found[2] or found[3]
        tail = Fraction(int(period), 10 ** len(period) - 1)
        return Number(Fraction(f"0{found[1]}0") + tail / 10 ** len(found[1].partition(".")[2]))
    if found := _FRACTION.match(text) or _SLASHED.match(text):
        whole, minus, above, other_minus, below = found.groups()
        if not Fraction(below):
            return None
        value = Fraction(above) / Fraction(below)
        if whole and (value >= 1 or minus or other_minus):
            return None  # 11 7/6 is no mixed number
        return Number((-1 if minus != other_minus else 1) * value + int(whole or 0))
    return None


def is_rounded(decimal: Number, exact: Fraction, endless: bool = False) -> bool:
    """Whether a decimal is a value that never ends, rounded to the places shown.

    Three places and three figures are the least: 0.333 for 1/3, not 0.33.

    Args:
        endless: the value is irrational, and `exact` close enough to it.
    """
    if decimal.places is None or min(decimal.places, decimal.figures) < MIN_PLACES:
        return False
    rest = exact.denominator
    for prime in (2, 5):
        while not endless and rest % prime == 0:
            rest //= prime
    places = decimal.places + (2 if decimal.is_percent else 0)
    return rest != 1 and abs(decimal.value - exact) * 2 * 10**places <= 1


def without_unit(text: str) -> str:
    """A figure without the degree sign or the words that follow it."""
    text = re.sub(r"\s*\\degree\s*(?:[CF]\b)?$", "", text.strip())
    if text[-1:].isalpha() or text[-1:] in ".}23":
        bare = _TAIL.sub("", text)
        if bare[-1:].isdigit() or (bare and bare[-1] in "})%i"):
            return bare.strip()
    return text


@dataclass(frozen=True)
class Group:
    """(1,2), [1,2), {1,2}, or a bare list, whose brackets are empty."""

    left: str
    right: str
    parts: tuple["Answer", ...]


@dataclass(frozen=True)
class Union:
    """Intervals and sets joined; the order says nothing."""

    parts: tuple["Answer", ...]


@dataclass(frozen=True)
class Matrix:
    """Rows of cells."""

    rows: tuple[tuple["Answer", ...], ...]

    def is_vector(self) -> bool:
        """Whether it is one row or one column."""
        return len(self.rows) == 1 or all(len(row) == 1 for row in self.rows)

    def cells(self) -> tuple["Answer", ...]:
        """Its cells, row by row."""
        return tuple(cell for row in self.rows for cell in row)


Answer = str | Group | Union | Matrix

_REALS = Group("(", ")", (r"-\infty", r"\infty"))
_NAMED: dict[str, Answer] = {
    r"\mathbb{r}": _REALS,
    "r": "R",
    "all real numbers": _REALS,
    "all reals": _REALS,
    "all real": _REALS,
    r"\emptyset": Group("{", "}", ()),
    r"\{\}": Group("{", "}", ()),
    "empty set": Group("{", "}", ()),
    "no solution": Group("{", "}", ()),
    "no solutions": Group("{", "}", ()),
    "no real solution": Group("{", "}", ()),
    "no real solutions": Group("{", "}", ()),
}
_MATRICES = r"[pbBvV]?matrix|smallmatrix|array"
_ENVIRONMENT = re.compile(
    rf"^[(\[]?\s*\\begin\s*\{{(?:{_MATRICES})\}}\s*(?:\{{[lcr| ]*\}})?(?P<body>.*)"
    rf"\\end\s*\{{(?:{_MATRICES})\}}\s*[)\]]?$",
    re.DOTALL,
)
_GREEK = (
    r"\\(?:alpha|beta|gamma|delta|theta|lambda|mu|phi|varphi|rho|sigma|tau|omega|psi|ell|Delta"
    r"|Omega)"
)
_NAME = re.compile(
    rf"^(?:[a-zA-Z]|{_GREEK})(?:_\{{?\w+\}}?)?'*(?:\^\{{-1\}})?(?:\([^()=]*\))?$"  # f^{-1}(x)
    r"|^\|?[A-Za-z][A-Za-z ]+\|?$"  # Area, |AB|
    r"|^\([a-zA-Z](?:\s*,\s*[a-zA-Z])+\)$"  # (x, y)
    r"|^\\angle\b.*$"
)
_VARIABLE = re.compile(rf"^(?:[a-zA-Z]|{_GREEK})(?:_\{{?\w+\}}?)?$|^[fgh]\([a-z]\)$")
_RELATION = re.compile(r"(\\(?:le|ge|ne)(?![a-zA-Z])|<|>|=)")
_CONNECTIVE = re.compile(r"(?i)(?<![\\a-z])(and|or)(?![a-z])")


def read(text: str, commas: bool = False, depth: int = 0) -> Answer:
    r"""The structure of an answer in its plain spelling.

    Args:
        commas: each comma separates, also that of 1,250.
    """
    text = trim(text)
    if depth > MAX_DEPTH:
        return text
    if named := _NAMED.get(text.lower()):
        return named
    text = re.sub(r"^[a-zA-Z](?:\([a-z]\))?\s*\\in(?![a-z])\s*", "", text)
    if (found := _ENVIRONMENT.match(text)) and text.count(r"\begin") == 1:
        return _matrix(found["body"], depth)
    if not commas and number(text):
        return text
    parts, words = split(text, commas)
    if len(parts) > 1:
        return _join([read(part, False, depth + 1) for part in parts], words)
    pieces = _at_top(text, re.compile(r"\\cup(?![a-zA-Z])"))
    if len(pieces) > 1:
        return _union([read(piece, False, depth + 1) for piece in pieces])
    if group := _group(text, depth):
        return group
    if interval := _interval(text, depth):
        return interval
    if (signs := len(re.findall(r"\\pm(?![a-zA-Z])", text))) == 1 and r"\mp" not in text:
        both = [re.sub(r"\s*\\pm(?![a-zA-Z])\s*", sign, text) for sign in "+-"]
        sides = [re.sub(r"^\+|(?<==)\s*\+", "", each.strip()) for each in both]
        return Group("", "", tuple(sides)) if signs else text
    return text


def split(text: str, commas: bool = False) -> tuple[list[str], set[str]]:
    """The parts of a list at its top level, and the words between them."""
    parts = [trim(part) for part in _at_top(text, re.compile(rf"[,;{ROW}]\s+|[;{ROW}]"))]
    if len(parts) == 1 or commas:
        parts = [trim(part) for part in _at_top(text, re.compile(rf"[,;{ROW}]"))]
    else:
        parts = [
            piece
            for part in parts
            for piece in ([part] if number(part) else map(trim, _at_top(part, re.compile(","))))
        ]
    pieces, words = [], set()
    for part in parts:
        joined = _at_top(part, _CONNECTIVE)
        if len(joined) > 1:
            words |= {word.lower() for word in _CONNECTIVE.findall(part)}
        pieces += [piece for each in joined if (piece := trim(each))]
    return pieces or [text], words


_EDGE = re.compile(r"\\(begin|end)\s*\{[^{}]*\}")


def _at_top(text: str, pattern: re.Pattern[str]) -> list[str]:
    """The text cut where the pattern matches outside of all brackets."""
    pieces, begin, level, at = [], 0, 0, 0
    while at < len(text):
        sign = text[at]
        if sign == "\\" and text[at + 1 : at + 2] in ("{", "}"):
            level += 1 if text[at + 1] == "{" else -1
            at += 2
            continue
        if sign == "\\" and (environment := _EDGE.match(text, at)):
            level += 1 if environment[1] == "begin" else -1
            at = environment.end()
            continue
        if sign in "([{":
            level += 1
        elif sign in ")]}":
            level -= 1
        elif level <= 0 and (found := pattern.match(text, at)) and found.end() > at:
            pieces.append(text[begin:at])
            begin = at = found.end()
            continue
        at += 1
    return [*pieces, text[begin:]]


def _join(parts: list[Answer], words: set[str]) -> Answer:
    """A bare list; inequalities in it are one set of numbers."""
    if all(isinstance(part, Union) or _is_interval(part) for part in parts):
        if words == {"and"} and len(parts) == 2:
            one, other = parts
            if isinstance(one, Group) and isinstance(other, Group):
                low, high = (one, other) if other.parts[0] == r"-\infty" else (other, one)
                if low.parts[1] == r"\infty" and high.parts[0] == r"-\infty":
                    return Group(low.left, high.right, (low.parts[0], high.parts[1]))
        if words == {"or"}:
            return _union(parts)
    return Group("", "", _flat(parts))


def _is_interval(part: Answer) -> bool:
    return isinstance(part, Group) and part.left in ("(", "[") and len(part.parts) == 2


def _union(parts: list[Answer]) -> Answer:
    flat: list[Answer] = []
    for part in parts:
        flat += part.parts if isinstance(part, Union) else [part]
    return Union(tuple(flat))


_BRACKETS = re.compile(r"^(\\\{|[\[({\]])(.*?)(\\\}|[\])}\[])$", re.DOTALL)
_BUILDER = re.compile(r"^\s*[a-z]\s*(?:\\in[^:|]*)?[|:](.*)$")  # {x | x > 2}


def _group(text: str, depth: int) -> Answer | None:
    """What one pair of brackets holds, where they hold it all."""
    found = _BRACKETS.match(text)
    if not found or not _is_balanced(found[2]):
        return None
    left, inner, right = found[1].strip("\\"), found[2], found[3].strip("\\")
    if (left == "{") != (right == "}"):
        return None
    parts, words = split(inner, commas=True)
    if len(parts) == 1 and found[1] != r"\{":
        inside = read(inner, depth=depth + 1)
        is_product = isinstance(inside, str) and not number(inside)
        return None if is_product or left in "[]" else inside
    if left == "{":
        if builder := _BUILDER.match(inner):
            return read(builder[1], depth=depth + 1)
        return Group("{", "}", _flat([read(part, depth=depth + 1) for part in parts if part]))
    if words:
        return None
    # ]a, b[ is the open interval
    left, right = left.replace("]", "("), right.replace("[", ")")
    return Group(left, right, tuple(read(part, depth=depth + 1) for part in parts))


def _is_balanced(text: str) -> bool:
    level = 0
    for sign in text:
        level += (sign in "([{") - (sign in ")]}")
        if level < 0:
            return False
    return level == 0


def _flat(parts: list[Answer]) -> tuple[Answer, ...]:
    """The parts, with those of bare lists among them: what 1 \\pm 2 is."""
    flat: list[Answer] = []
    for part in parts:
        flat += part.parts if isinstance(part, Group) and not part.left else [part]
    return tuple(flat)


def _interval(text: str, depth: int) -> Answer | None:
    r"""x > 2, -1 < x \le 3 and x \ne 3 as intervals."""
    pieces = _at_top(text, _RELATION)
    signs = _RELATION.findall(text)
    if len(signs) != len(pieces) - 1 or not 2 <= len(pieces) <= 3 or "=" in signs:
        return None
    pieces = [trim(piece) for piece in pieces]
    if len(pieces) == 2:
        if not _VARIABLE.match(pieces[0]):
            pieces.reverse()
            signs = [{"<": ">", ">": "<", r"\le": r"\ge", r"\ge": r"\le"}.get(signs[0], signs[0])]
        if not _VARIABLE.match(pieces[0]) or not pieces[1]:
            return None
        bound = pieces[1]
        if signs[0] == r"\ne":
            parts = (Group("(", ")", (r"-\infty", bound)), Group("(", ")", (bound, r"\infty")))
            return Union(parts)
        if signs[0] in ("<", r"\le"):
            return Group("(", ")" if signs[0] == "<" else "]", (r"-\infty", bound))
        return Group("(" if signs[0] == ">" else "[", ")", (bound, r"\infty"))
    if not _VARIABLE.match(pieces[1]) or r"\ne" in signs:
        return None
    if {sign in (">", r"\ge") for sign in signs} == {True}:
        pieces.reverse()
        signs = [{">": "<", r"\ge": r"\le"}[sign] for sign in reversed(signs)]
    if not all(sign in ("<", r"\le") for sign in signs):
        return None
    left, right = "(" if signs[0] == "<" else "[", ")" if signs[1] == "<" else "]"
    return Group(left, right, (pieces[0], pieces[2]))


def _matrix(body: str, depth: int) -> Answer:
    rows = [row for row in body.split(ROW) if row.strip()]
    cells = tuple(tuple(read(cell, False, depth + 1) for cell in row.split("&")) for row in rows)
    return Matrix(cells)


def sides(text: str) -> list[str]:
    """The two or more sides of an equation, or the text alone."""
    return [trim(side) for side in _at_top(text, re.compile("="))]


def is_name(text: str) -> bool:
    r"""Whether it names the unknown: x, f(x), \angle ABC, Area, (x, y)."""
    return bool(_NAME.match(text))


def latex(answer: Answer) -> str:
    """An answer in LaTeX again."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, Union):
        return r" \cup ".join(map(latex, answer.parts))
    if isinstance(answer, Matrix):
        rows = ROW.join(" & ".join(map(latex, row)) for row in answer.rows)
        return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"
    left, right = (r"\{", r"\}") if answer.left == "{" else (answer.left, answer.right)
    return f"{left}{', '.join(map(latex, answer.parts))}{right}"


@dataclass(frozen=True)
class Option:
    """A choice, as (B) 12: its letter, and its value or nothing."""

    letter: str
    value: str


_OPTION = re.compile(
    r"^(?:(?:option|choice|answer)\s+)?(?:\(([A-Z])\)|([A-Z])(?:[.):]|$))\s*(.*)$", re.IGNORECASE
)


def option(text: str) -> Option | None:
    """The choice that a text is; None where it is none.

    >>> option("(B) 12"), option("b"), option("12")
    (Option(letter='B', value='12'), Option(letter='B', value=''), None)
    """
    found = _OPTION.match(text)
    return Option((found[1] or found[2]).upper(), found[3].strip()) if found else None
