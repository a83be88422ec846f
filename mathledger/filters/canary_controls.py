"""Change a benchmark's problem into a different problem that looks much like it.

Every function returns the problem unchanged if its change does not apply.
"""

import itertools
import re

from mathledger.core.hashing import uniform
from mathledger.filters import spelling
from mathledger.filters.canary_copies import DRAWING, MATH, in_text, pick
from mathledger.filters.spelling import Token
from mathledger.text.drawings import LAYOUT
from mathledger.text.tokens import NUMBER, WORD

_OPPOSITES = (
    ("at least", "at most"),
    ("more than", "less than"),
    ("greatest", "least"),
    ("largest", "smallest"),
    ("maximum", "minimum"),
    ("highest", "lowest"),
    ("even", "odd"),
    ("increasing", "decreasing"),
    ("inside", "outside"),
    ("above", "below"),
    ("gains", "loses"),
    ("wins", "loses"),
    ("longer", "shorter"),
    ("older", "younger"),
    ("sum", "product"),
    ("horizontal", "vertical"),
)
_QUESTIONS = (
    "What is the ratio of the first of these quantities to the last one?",
    "By what percentage does the largest of these quantities exceed the smallest one?",
    "What is the average of all the quantities that are mentioned?",
)


# Statements that set sizes and styles are not part of what a drawing shows.
_LAYOUT = re.compile(rf"(?:(?<=[;\]\s]))(?:{'|'.join(LAYOUT)})\b[^;]*")


def number_changed(problem: str, seed: int) -> str:
    numbers = _numbers(problem)
    if not numbers:
        return problem
    place = numbers[int(uniform(seed, "number:" + problem) * len(numbers))]
    other = str(int(place.spelling) + 1 + int(uniform(seed, "by:" + problem) * 7))
    return problem[: place.start] + other + problem[place.end :]


def numbers_swapped(problem: str, seed: int) -> str:
    """Exchange two different numbers with a word between them, so that no sum only commutes."""
    tokens = spelling.spelled(problem)
    places = [at for at, token in enumerate(tokens) if _is_number(token, problem)]
    pairs = [
        (tokens[left], tokens[right])
        for left, right in itertools.pairwise(places)
        if tokens[left].spelling != tokens[right].spelling
        and any(_is_content(token) for token in tokens[left + 1 : right])
    ]
    if not pairs:
        return problem
    return _swapped(problem, *pairs[int(uniform(seed, "numbers:" + problem) * len(pairs))])


def sign_changed(problem: str, seed: int) -> str:
    signs = _signs(problem)
    if not signs:
        return problem
    place = signs[int(uniform(seed, "sign:" + problem) * len(signs))]
    other = "-" if place.spelling == "+" else "+"
    return problem[: place.start] + other + problem[place.end :]


def signs_swapped(problem: str, _: int) -> str:
    """Exchange the first plus and the first minus that have terms on both sides."""
    first: dict[str, Token] = {}
    for token in _signs(problem):
        first.setdefault(token.spelling, token)
    if len(first) < 2:
        return problem
    left, right = sorted(first.values(), key=lambda token: token.start)
    return _swapped(problem, left, right)


def opposite_word(problem: str, seed: int) -> str:
    """Replace one word by its opposite."""
    both = [*_OPPOSITES, *((new, old) for old, new in _OPPOSITES)]
    found = [
        (old, new)
        for old, new in both
        if in_text(problem, lambda text, w=old: re.sub(rf"\b{w}\b", "", text)) != problem  # type: ignore[misc]
    ]
    if not found:
        return problem
    old, new = found[int(uniform(seed, "opposite:" + problem) * len(found))]
    return in_text(problem, lambda text: re.sub(rf"\b{old}\b", new, text))


def continued(problem: str, seed: int) -> str:
    r"""Add a term to the longest expression.

    >>> continued("Compute $2 + 8$.", 1), continued("What is 2 + 8 = ?", 1)
    ('Compute $2 + 8 + 17$.', 'What is 2 + 8 + 16 = ?')
    """
    term = f" + {11 + int(uniform(seed, 'term:' + problem) * 9)}"
    formulas = [
        math
        for math in MATH.findall(DRAWING.sub("", problem))
        # Without a number it may be what a wrapper asks for, as in "find $m + n$".
        if re.search(r"[\w})] *[-+] *[\w\\(]", math)
        and re.search(r"\d", math)
        and re.fullmatch(r"\$[^$=<>&,;:]*[\w})]\$", math)
        and not re.search(r"\\(?:begin|leq?|geq?|text|equiv|in|to)(?![a-zA-Z])", math)
    ]
    if formulas:
        longest = max(formulas, key=len)
        return problem.replace(longest, f"{longest[:-1]}{term}$", 1)
    plain = r"((?<![\w.^(/-])\d+(?: [-+*] \d+)+)(?! *[-+*/\d.,%^]|\w)"
    return in_text(problem, lambda text: re.sub(plain, rf"\1{term}", text, count=1))


def other_question(problem: str, seed: int) -> str:
    """Replace the question at the end of a story."""
    sentences = re.split(r"(?<=[.?!]) +(?=[A-Z])", problem.strip())
    asks = re.match(r"(?:How|What|Find|Compute|Determine|Calculate)\b", sentences[-1])
    if len(sentences) < 3 or not asks or "$" in sentences[-1]:
        return problem
    return " ".join([*sentences[:-1], pick(_QUESTIONS, seed, "question:" + problem)])


def other_drawing(problem: str, seed: int) -> str:
    """Change one number of the drawing."""
    drawing = DRAWING.search(problem)
    if not drawing:
        return problem
    without_layout = _LAYOUT.sub(lambda found: " " * len(found[0]), drawing[0])
    numbers = [*re.finditer(r"(?<![\w.])\d+(?![\w.])", without_layout)]
    if not numbers:
        return problem
    found = numbers[int(uniform(seed, "drawing:" + problem) * len(numbers))]
    at = drawing.start() + found.start()
    return problem[:at] + str(int(found[0]) + 2) + problem[at + len(found[0]) :]


def _numbers(problem: str) -> list[Token]:
    return [token for token in spelling.spelled(problem) if _is_number(token, problem)]


def _is_number(token: Token, problem: str) -> bool:
    """Return True for a whole number in digits."""
    is_whole = token.kind == NUMBER and token.spelling.isdigit()
    return is_whole and problem[token.start : token.end] == token.spelling


def _is_content(token: Token) -> bool:
    return token.kind == WORD and len(token.spelling) > 3


def _signs(problem: str) -> list[Token]:
    """Return the plus and minus signs; a hyphen next to a word is not one."""
    signs = [token for token in spelling.spelled(problem) if token.spelling in ("+", "-")]
    return [
        token
        for token in signs
        if problem[token.start : token.end] == token.spelling
        and not re.search("[A-Za-z]{2}$", problem[: token.start])
        and not re.match("[A-Za-z]{2}", problem[token.end :])
    ]


def _swapped(problem: str, left: Token, right: Token) -> str:
    return (
        problem[: left.start]
        + problem[right.start : right.end]
        + problem[left.end : right.start]
        + problem[left.start : left.end]
        + problem[right.end :]
    )
