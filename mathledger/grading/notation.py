r"""Parse a written answer into a list, set, tuple, interval or matrix; anything else is a string.

>>> read("\\{1, -2\\}")
Group(left='{', right='}', parts=('1', '-2'))
>>> read("-1 < x \\le \\frac{1}{2}")
Group(left='(', right=']', parts=('-1', '\\frac{1}{2}'))

The input must be in the spelling of `spelling.plain`. The leaves are strings: `numbers` parses the
numbers among them, and `algebra` the other expressions.
"""

import re
from dataclasses import dataclass

from mathledger.grading.numbers import number
from mathledger.grading.spelling import ROW, trim, unbraced

MAX_DEPTH = 8  # Levels of nested groups; deeper ones stay strings.


@dataclass(frozen=True)
class Group:
    """A tuple, interval or set such as (1,2), [1,2) or {1,2}; a bare list has empty brackets."""

    left: str
    right: str
    parts: tuple["Answer", ...]


@dataclass(frozen=True)
class Union:
    """A union of intervals and sets, in no particular order."""

    parts: tuple["Answer", ...]


@dataclass(frozen=True)
class Matrix:
    """A matrix as rows of cells."""

    rows: tuple[tuple["Answer", ...], ...]

    def is_vector(self) -> bool:
        """Return True if the matrix is one row or one column."""
        return len(self.rows) == 1 or all(len(row) == 1 for row in self.rows)

    def cells(self) -> tuple["Answer", ...]:
        """Return the matrix's cells, row by row."""
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
    r"|^\\(?:angle|triangle)\b.*$"
    r"|^m?\\angle\s*[A-Z]+$|^\[[A-Z]+\]$|^P\([^()]*\)$"
    r"|^[a-zA-Z]+\s*(?::\s*[a-zA-Z]+\s*)+$"  # AB:BC
    r"|^\\frac\{[a-zA-Z]+\}\{[a-zA-Z]+\}$|^\\overline\s*\{?[A-Z]{2}\}?$"
)
_VARIABLE = re.compile(rf"^(?:[a-zA-Z]|{_GREEK})(?:_\{{?\w+\}}?)?$|^[fgh]\([a-z]\)$")
_RELATION = re.compile(r"(\\(?:le|ge|ne)(?![a-zA-Z])|<|>|=)")
_CONNECTIVE = re.compile(r"(?i)(?<![\\a-z])(and|or)(?![a-z])")


def read(text: str, commas: bool = False, depth: int = 0) -> Answer:
    r"""Parse the structure of an answer in its plain spelling.

    Args:
        commas: Whether every comma separates parts, even the one in 1,250.
    """
    text = trim(text)
    if depth > MAX_DEPTH:
        return text
    if named := _NAMED.get(text.lower()):
        return named
    text = re.sub(r"^[a-zA-Z](?:\([a-z]\))?\s*\\in(?![a-z])\s*", "", text)
    text = _FRENCH.sub(_in_round_brackets, text)
    if (matrix := _ENVIRONMENT.match(text)) and text.count(r"\begin") == 1:
        return _matrix(matrix["body"], depth)
    if not commas and number(text):
        return text
    if len(equation := sides(text)) == 2 and is_name(equation[0]):
        if number(equation[1]):
            return text
        if equation[1].startswith(("\\{", "(", "[")):
            return read(equation[1], commas, depth + 1)
    parts, words = split(text, commas)
    if len(parts) > 1:
        return _join([read(part, False, depth + 1) for part in parts], words)
    pieces = _at_top(text, re.compile(r"\\cup(?![a-zA-Z])"))
    if len(pieces) > 1:
        return _union([read(piece, False, depth + 1) for piece in pieces])
    if group := _group(text, depth):
        return group
    if interval := _interval(text):
        return interval
    if (signs := len(re.findall(r"\\pm(?![a-zA-Z])", text))) == 1 and r"\mp" not in text:
        both = [re.sub(r"\s*\\pm(?![a-zA-Z])\s*", sign, text) for sign in "+-"]
        values = [re.sub(r"^\+|(?<==)\s*\+", "", each.strip()) for each in both]
        return Group("", "", tuple(values)) if signs else text
    return text


# A pair of square brackets; in ]a, b[ both are turned outwards, which means an open interval.
_FRENCH = re.compile(r"([\[\]])([^\[\](){},;]+[,;][^\[\](){},;]+)([\[\]])")


def _in_round_brackets(interval: re.Match[str]) -> str:
    left, right = interval[1].replace("]", "("), interval[3].replace("[", ")")
    return f"{left}{interval[2]}{right}"


def split(text: str, commas: bool = False) -> tuple[list[str], set[str]]:
    """Split a list at its top level; return its parts and the words "and" and "or" between them."""
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
    """Split a text where the pattern matches outside all brackets."""
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
        elif level <= 0 and (match := pattern.match(text, at)) and match.end() > at:
            pieces.append(text[begin:at])
            begin = at = match.end()
            continue
        at += 1
    return [*pieces, text[begin:]]


def _join(parts: list[Answer], words: set[str]) -> Answer:
    """Join parts into a bare list, or inequalities into one set of numbers."""
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


_BRACKETS = re.compile(r"^(\\\{|[\[({])(.*?)(\\\}|[\])}])$", re.DOTALL)
_BUILDER = re.compile(r"^\s*[a-z]\s*(?:\\in[^:|]*)?[|:](.*)$")  # As in {x | x > 2}.


def _group(text: str, depth: int) -> Answer | None:
    """Parse a text in one pair of brackets; return None unless they enclose the whole text."""
    match = _BRACKETS.match(text)
    if not match or not _is_balanced(match[2]):
        return None
    left, inner, right = match[1].strip("\\"), match[2], match[3].strip("\\")
    if (left == "{") != (right == "}"):
        return None
    parts, words = split(inner, commas=True)
    if len(parts) == 1 and match[1] != r"\{":
        inside = read(inner, depth=depth + 1)
        is_product = isinstance(inside, str) and not number(inside)
        return None if is_product or left in "[]" else inside
    if left == "{":
        if builder := _BUILDER.match(inner):
            return read(builder[1], depth=depth + 1)
        return Group("{", "}", _flat([read(part, depth=depth + 1) for part in parts if part]))
    if words:
        return None
    return Group(left, right, tuple(read(part, depth=depth + 1) for part in parts))


def _is_balanced(text: str) -> bool:
    level = 0
    for sign in text:
        level += (sign in "([{") - (sign in ")]}")
        if level < 0:
            return False
    return level == 0


def _flat(parts: list[Answer]) -> tuple[Answer, ...]:
    """Return the parts, with each bare list among them, e.g. of 1 \\pm 2, replaced by its parts."""
    flat: list[Answer] = []
    for part in parts:
        flat += part.parts if isinstance(part, Group) and not part.left else [part]
    return tuple(flat)


def _interval(text: str) -> Answer | None:
    r"""Parse x > 2, -1 < x \le 3 and x \ne 3 as intervals; return None for other texts."""
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
    """Return the two or more sides of an equation, or just the text if it has one side."""
    return [unbraced(trim(side)) for side in _at_top(text, re.compile("="))]


def is_name(text: str) -> bool:
    r"""Return True if a text names an unknown, such as x, f(x), \angle ABC, Area or (x, y)."""
    return bool(_NAME.match(text))


def latex(answer: Answer) -> str:
    """Return a parsed answer as LaTeX."""
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
    """A choice such as (B) 12: its letter, and its value, which may be empty."""

    letter: str
    value: str


_OPTION = re.compile(
    r"^(?:(?:option|choice|answer)\s+)?"
    r"(?:\(([A-Z])\)(?![-+*/^_=!(\[]|[a-zA-Z])|([A-Z])(?:[.):](?![-+*/^_=!(])|$))\s*(.*)$",
    re.IGNORECASE,
)
# Another letter in brackets, or behind "or": several options are not a choice.
_ANOTHER = re.compile(
    r"^[,;/&|+*^_=!<>]|^-(?!\s*\d+$)|^\\(?!frac|d?frac|sqrt|text|\$|pi|\{)|^vs\b|^(?:or|and)\b|^\([A-Z]\)|^(?:or|and)\s+\(?[A-Ja-j]\b|(?:,|\bor|\band)\s*\([A-Z]\)"
)


def option(text: str) -> Option | None:
    """Parse a choice such as '(B) 12'; None if the text is not one choice alone.

    >>> option("(B) 12"), option("b"), option("12"), option("(A), (B)"), option("(K)+2")
    (Option(letter='B', value='12'), Option(letter='B', value=''), None, None, None)
    """
    match = _OPTION.match(re.sub(r"^\(\s*([A-Za-z])\s*\)", r"(\1)", text))
    if not match or _ANOTHER.search(match[3]):
        return None
    return Option((match[1] or match[2]).upper(), match[3].strip())
