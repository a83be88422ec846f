r"""Whether a response's final answer equals the reference; docs/grading.md states the policy.

>>> grade("5 + 9 = 14\nThe answer is \\boxed{14}.", "14", "integer")
Grade(verdict='correct', extracted='14')
>>> grade("So $x > 2$.", "(2, \\infty)", "interval").verdict
'correct'
>>> grade("I do not know.", "14", "integer")
Grade(verdict='no_answer', extracted=None)

Most answers are numbers and are settled by exact arithmetic; math-verify reads the rest. That can
be sent into computations that no exception ends: many responses, and all that a model wrote, are
graded through `verdicts.Judges`, in processes that may die.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Literal

import pyarrow as pa

from stages.common import answers, notation
from stages.common.notation import Answer, Group, Matrix, Number, Union

POLICY = 1  # raised by every change that can alter a verdict
VERSION = f"{POLICY}/math-verify-0.9.0"

# math-verify stops each of its steps itself after so many seconds, by a signal.
STEP_S = 5
MAX_CHARS = 1000  # a longer answer is not looked at
MIN_PLACES = 3  # decimal places, and significant figures, from which a rounded value counts
MAX_MEMBERS = 50  # of a set whose members are matched one by one

Verdict = Literal["equal", "different", "unreadable"]
AnswerType = Literal["integer", "number", "expression", "choice", "set", "interval", "matrix"]
ANSWER_TYPES = ("integer", "number", "expression", "choice", "set", "interval", "matrix")


@dataclass(frozen=True)
class Grade:
    """The verdict on a response, and the final answer read in it."""

    verdict: Literal["correct", "wrong", "no_answer"]
    extracted: str | None


class NeedsAlgebra(Exception):  # noqa: N818  no error: the question goes on to math-verify
    """Two expressions whose equality no exact rule settles."""


def grade(response: str, reference: str, answer_type: str) -> Grade:
    """Grade one response, in this process and without a bound on time; see verdicts.Judges."""
    extracted = extract(response, answer_type, has_parts(reference))
    settled = settle(extracted, reference, answer_type)
    return settled or decide(extracted, reference, answer_type)


def settle(extracted: str | None, reference: str, answer_type: str) -> Grade | None:
    """The grade of an answer that needs no algebra; None where it does."""
    if answer_type not in ANSWER_TYPES:
        raise ValueError(f"answer type {answer_type!r}: it is one of {', '.join(ANSWER_TYPES)}")
    if extracted is None:
        return Grade("no_answer", None)
    if extracted == reference.strip():
        return Grade("correct", extracted)
    if max(len(extracted), len(reference)) > MAX_CHARS:
        return Grade("no_answer", None)
    try:
        return _grade(extracted, is_equal(reference, extracted, answer_type, algebra=False))
    except NeedsAlgebra:
        return None


def decide(extracted: str | None, reference: str, answer_type: str) -> Grade:
    """The grade of an answer by all means; may take any time and memory."""
    assert extracted is not None
    return _grade(extracted, is_equal(reference, extracted, answer_type, algebra=True))


def _grade(extracted: str, is_correct: bool) -> Grade:
    return Grade("correct" if is_correct else "wrong", extracted)


# ------------------------------------------------------------------------------------ extraction

_THINK_END = "</think>"
_END = re.compile(r"<\|(?:im_end|eot_id|endoftext|end_of_text|end)\|>|</s>|<eos>|<end_of_turn>")
_NEXT_PROBLEM = re.compile(r"\n\s*(?:#+\s*|\*\*)?(?:Question|Problem|Q)\s*(?:\d+\s*)?[:.]")
_CALCULATOR = re.compile(r"<<[^<>\n]{0,200}>>")
_HASHES = re.compile(r"####[ \t]*([^\n]*\S)")
# "The answer is", "**Answer:**", "# Answer" with the answer on the next line, "A: 18".
_STATEMENT = re.compile(
    r"(?i:\banswer(?:s)?[\s*_]*(?:to\s[^.\n:]{1,80}?\s)?"
    r"(?:\s*(?:is|are|be|was)\b(?:\s+(?:therefore|thus|then|indeed|simply|just|approximately|about))?"
    r"|\s*[:=]|(?=\s*\n)))[\s*_:=]*|(?m:^\s*A:)\s*|答案(?:是|为|：|:)\s*"
)
_SENTENCE_END = re.compile(r"\.(?=\s+[A-Z(\[]|\s*$)|。|\n")
_BLOCK = re.compile(r"(?s)\s*(\\\[.{1,2000}?\\\]|\$\$.{1,2000}?\$\$)")
_FORMULA = re.compile(
    r"(?s)\$\$(.{1,2000}?)\$\$|\\\[(.{1,2000}?)\\\]|\\\(([^\n]{1,2000}?)\\\)|(?<!\\)\$((?:[^$\n\\]|\\.){1,2000}?)\$"
)
_FIGURE = re.compile(
    r"(?<![\w.\\^{])(?P<sign>[-−](?=[\d.$\\]))?(?:\\?\$)?"
    r"(?P<figure>\\[dt]?frac\{-?\d+\}\{-?\d+\}|\d{1,3}(?:(?:,|\{,\}|\\,|,\\!)\d{3})+(?:\.\d+)?(?!\d)"
    r"|\d+/\d+|\d*\.?\d+)(?P<percent>\s?\\?%)?"
)
_LETTER = re.compile(
    r"(?:\\(?:text|textbf|mathrm|mathbf|textrm|bf|rm)\s*\{\s*\(?|\(|\*\*\(?|\b(?:option|choice)\s+\(?)"
    r"([A-Z])(?:\)|\}|\*\*|[.:]|$|(?<=[Oo]ption .) |(?<=[Cc]hoice .) )",
    re.IGNORECASE | re.MULTILINE,
)


def has_parts(reference: str) -> bool:
    r"""Whether a reference lists several values.

    >>> has_parts("1,-2"), has_parts("1 \\pm 2i"), has_parts("(1, 2)"), has_parts("1,250")
    (True, True, False, False)
    """
    read = notation.read(notation.plain(reference[:MAX_CHARS]))
    return isinstance(read, Union) or (isinstance(read, Group) and read.left in ("", "{"))


def extract(response: str, answer_type: str, many: bool = False) -> str | None:
    r"""The final answer that a response states; None where it states none.

    Its last closed \boxed{} decides; without one, its last `#### x`; without that, its last "The
    answer is x". Else what stands last is taken: a figure for integer and number, a letter in
    brackets for choice, a formula for the other types, or a figure where there is no formula.

    >>> extract("First \\boxed{1}, no: \\boxed{2}.", "integer"), extract("#### 1,250", "integer")
    ('2', '1250')
    >>> extract("The answer is 20 - 5 = $15 for both.", "number"), extract("$x = 3$", "expression")
    ('15', 'x = 3')

    Args:
        many: boxes that follow one another as a list, "\\boxed{1} and \\boxed{2}", are one answer.
    """
    text = response.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if _THINK_END in text:
        text = text.rpartition(_THINK_END)[2].strip() or text
    if found := _END.search(text):
        text = text[: found.start()].strip() or text
    text = _own_part(text)
    if stated := _last_box(text, many):
        later = _FINAL_ANSWER.search(text, max(text.rfind(r"\boxed"), text.rfind(r"\fbox")))
        return _tidy(later["answer"] if later else stated, answer_type)
    text = _CALCULATOR.sub("", text)
    if hashed := _HASHES.findall(text):
        return _tidy(hashed[-1], answer_type)
    if stated := _last_statement(text, answer_type):
        return _tidy(stated, answer_type)
    return _last_resort(text, answer_type)


def _own_part(text: str) -> str:
    """The response up to where a base model goes on with a problem of its own."""
    for found in _NEXT_PROBLEM.finditer(text):
        before = text[: found.start()]
        if r"\boxed" in before or "####" in before or _STATEMENT.search(before):
            return before
    return text


def boxed(text: str) -> list[str]:
    r"""The contents of every \boxed{...}, braces balanced; an unclosed one is not an answer."""
    found: list[str] = answers.boxes(pa.array([text])).contents.to_pylist()
    return found


_BETWEEN = re.compile(
    r"^\}?[\s$.]*(?:,|;|and|or|\\text\{\s*(?:and|or)\s*\}|\\quad|[\s$])+(?:\$?\s*[a-zA-Z]\s*=\s*)?[\s$\\]*"
    r"(?:f?box(?:ed)?)\s*\{$"
)


_FINAL_ANSWER = re.compile(
    r"(?i:final answer)[*_]*(?:\s+is|:)[\s*:]*(?:(?:the\s+final\s+answer\s+is)[\s:]*)?"
    r"(?P<answer>(?<!\\)\$(?!\$)(?:[^$\n\\]|\\.){1,300}\$|\\\([^\n]{1,300}?\\\)|\$?-?\d[\d,./]*)"
)


def _last_box(text: str, many: bool) -> str | None:
    if r"\boxed" not in text and r"\fbox" not in text:
        return None
    found = answers.boxes(pa.array([text]))
    contents: list[str] = found.contents.to_pylist()
    if not contents:
        return None
    if not many:
        return contents[-1]
    data, at = text.encode(), len(contents) - 1
    begins = found.begins.tolist()
    stated = [contents[at]]
    while at:
        end = begins[at - 1] + len(contents[at - 1].encode())
        if not _BETWEEN.match(data[end : begins[at]].decode(errors="ignore")):
            break
        at -= 1
        stated.insert(0, contents[at])
    return ", ".join(dict.fromkeys(stated))


def _last_statement(text: str, answer_type: str) -> str | None:
    for found in reversed(list(_STATEMENT.finditer(text))):
        rest = text[found.end() : found.end() + 2 * MAX_CHARS]
        if block := _BLOCK.match(rest):
            return block[1]
        end = _SENTENCE_END.search(rest)
        said = (rest[: end.start()] if end else rest).strip()
        if _states(said, answer_type):
            return said if answer_type in ("integer", "number") else _of_sentence(said)
    return None


_IS = re.compile(r"\b(?:is|are|equals|be)\b[\s:]*")
_PLAIN_WORD = re.compile(r"(?<![\\\w])[A-Za-z]{2,}(?!\w)")


def _of_sentence(said: str) -> str:
    r"""What a sentence says is the answer; anything shorter than a sentence as it is.

    >>> _of_sentence("The largest $n$ is 34"), _of_sentence("Jane left 3 hours ago")
    ('34', '3')
    """
    if len(_PLAIN_WORD.findall(_FORMULA.sub("", said))) < 3:
        return said
    if verbs := list(_IS.finditer(said)):
        said = said[verbs[-1].end() :]
    if formula := _FORMULA.search(said):
        return next(filter(None, formula.groups()))
    figures = _FIGURE.findall(said)
    return _FIGURE.search(said)[0] if len(figures) == 1 else said


def _states(said: str, answer_type: str) -> bool:
    """Whether what follows "the answer is" can be an answer of this type."""
    if answer_type in ("integer", "number"):
        return bool(_FIGURE.search(said))
    return bool(notation.trim(said).strip("$"))


def _last_resort(text: str, answer_type: str) -> str | None:
    if answer_type == "choice":
        letters = _LETTER.findall(text[-2 * MAX_CHARS :])
        alone = re.search(r"(?:^|\n)\s*([A-Z])[\s.*)]*$", text)
        return alone[1] if alone else letters[-1] if letters else None
    if answer_type not in ("integer", "number"):
        formulas = [next(filter(None, found)) for found in _FORMULA.findall(text)]
        if formulas:
            return _tidy(formulas[-1], answer_type)
    found = None
    for found in _FIGURE.finditer(text):  # noqa: B007  the last one
        pass
    return _tidy(found[0], answer_type) if found else None


def _tidy(stated: str, answer_type: str) -> str | None:
    """An extracted answer without what surrounds it; of a sentence about a number, the figure."""
    tidy: str = answers.canonical(pa.array([stated]))[0].as_py()
    tidy = re.sub(r"^\\\[\s*|\s*\\\]$", "", tidy).strip(" *$").rstrip(".")
    if answer_type in ("integer", "number") and len(tidy) <= 2 * MAX_CHARS:
        tidy = _figure(tidy)
    return tidy or None


def _figure(said: str) -> str:
    """The one figure of a sentence: after its last equals sign the first; else all of it."""
    said = said.rpartition("=")[2].strip() or said
    text = notation.plain(said)
    if notation.number(text):
        return text
    if not re.search(r"[A-Za-z]{2}", re.sub(r"\\[a-zA-Z]+", "", said)):
        return said  # no words: an expression
    found = _FIGURE.search(said)
    return notation.plain(found[0]) if found else said


def final_answer(solution: str) -> str | None:
    """The canonical answer that a worked solution states; see answers.final_answers."""
    stated: str | None = answers.final_answers(pa.array([solution]))[0].as_py()
    return stated


# ------------------------------------------------------------------------------------ comparison

_CHOICE = re.compile(r"^\(?([A-Z])\)?$|^\([A-E]\)\s*[^\s(^*+/,-]")
_OPTION = re.compile(r"^(?:(?:option|choice|answer)\s+)?(?:\(([A-Z])\)|([A-Z])(?:[.):]|$))\s*(.*)$", re.I)
_WORDS = re.compile(r"^[^\W\d_][^\W\d_ ,.'’-]*(?:[ ,.'’-]+[^\W\d_]+)*\.?$")
_BASE = re.compile(r"^([0-9A-Fa-f]+)\s*_\s*\{?\s*(\d+|[a-z]+)\s*\}?$")
_BASES = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_RATIO = re.compile(r"^(\d+(?:\.\d+)?)\s*:\s*(\d+(?:\.\d+)?)$")
_CLOCK = re.compile(r"^(\d{1,2}):(\d{2})\s*([ap])?\.?\s*(?:m\.?)?$", re.IGNORECASE)


def is_equal(reference: str, answer: str, answer_type: str, algebra: bool) -> bool:
    """Whether a bare answer equals the reference.

    Raises:
        NeedsAlgebra: without `algebra`, where only that could tell.
    """
    gold, found = notation.plain(reference), notation.plain(answer)
    if answer_type == "choice" or (answer_type == "expression" and _CHOICE.match(gold)):
        return _is_choice(gold, found, algebra)
    if _spelling(gold) == _spelling(found):
        return True
    if len(exact_and_rounded := re.split(r"\\(?:approx|simeq|sim)(?![a-zA-Z])", found)) > 1:
        sides = [side for side in exact_and_rounded if notation.is_name(side.strip()) is False]
        return any(is_equal(gold, side, answer_type, algebra) for side in sides if side.strip())
    commas = answer_type in ("set", "interval", "matrix")
    one, other = notation.read(gold, commas), notation.read(found, commas)
    if answer_type == "set":
        one, other = _as_set(one), _as_set(other)
    return _same(one, other, algebra)


def _is_choice(gold: str, found: str, algebra: bool) -> bool:
    """The same letter; where the reference carries the option's value, that value will do."""
    wanted, given = _OPTION.match(gold), _OPTION.match(found)
    if not wanted:
        return _spelling(gold) == _spelling(found)
    if given:
        return (given[1] or given[2]).upper() == (wanted[1] or wanted[2]).upper()
    value = wanted[3].strip()
    return bool(value) and _same(notation.read(value), notation.read(found), algebra)


def _as_set(answer: Answer) -> Answer:
    if isinstance(answer, str):
        return Group("{", "}", (answer,))
    if isinstance(answer, Group) and answer.left in ("", "{"):
        return Group("{", "}", answer.parts)
    return answer


def _same(gold: Answer, found: Answer, algebra: bool) -> bool:
    """Whether two answers have one structure and equal leaves."""
    if isinstance(gold, str) and isinstance(found, str):
        return _same_leaf(gold, found, algebra)
    if isinstance(found, str) and len(sides := notation.sides(found)) > 1:
        return _same(gold, notation.read(sides[-1]), algebra)  # (x, y) = (1, 2)
    if isinstance(gold, str) and len(sides := notation.sides(gold)) > 1:
        return _same(notation.read(sides[-1]), found, algebra)
    if isinstance(gold, Matrix) or isinstance(found, Matrix):
        return _same_matrix(gold, found, algebra)
    if isinstance(gold, Group) and isinstance(found, Group):
        return _same_group(gold, found, algebra)
    if isinstance(gold, Union) and isinstance(found, Union):
        return _same_members(gold.parts, found.parts, algebra)
    for union, other in ((gold, found), (found, gold)):
        if isinstance(union, Union) and isinstance(other, Group) and not other.left:
            return _same_members(gold.parts, found.parts, algebra)
    if _is_set_expression(gold) or _is_set_expression(found):
        return _same_by_math_verify(gold, found, algebra)
    return False


def _same_group(gold: Group, found: Group, algebra: bool) -> bool:
    """A bare list takes the order and the brackets of what it is compared with.

    Two bare lists, and two sets, have no order; a list in square brackets is no interval from
    three members on.
    """
    if not gold.left or not found.left:
        if gold.left in ("(", "["):
            return (gold.left, gold.right) == ("(", ")") and _same_sequence(gold.parts, found.parts, algebra)
        if found.left == "[":
            return False
        return _same_members(gold.parts, found.parts, algebra)
    if gold.left == "{" or found.left == "{":
        return gold.left == found.left and _same_members(gold.parts, found.parts, algebra)
    if len(gold.parts) == 2 and (gold.left, gold.right) != (found.left, found.right):
        return False
    return _same_sequence(gold.parts, found.parts, algebra)


def _same_sequence(gold: tuple[Answer, ...], found: tuple[Answer, ...], algebra: bool) -> bool:
    return len(gold) == len(found) and all(
        _same(one, other, algebra) for one, other in zip(gold, found, strict=True)
    )


def _same_members(gold: tuple[Answer, ...], found: tuple[Answer, ...], algebra: bool) -> bool:
    """Whether each member of one is a member of the other."""
    gold, found = tuple(dict.fromkeys(gold)), tuple(dict.fromkeys(found))
    if len(gold) != len(found) or len(gold) > MAX_MEMBERS:
        return gold == found
    left = list(found)
    for one in gold:
        at = _first(one, left, algebra)
        if at is None:
            return False
        del left[at]
    return True


def _first(one: Answer, others: list[Answer], algebra: bool) -> int | None:
    """The place of the first of the others that equals it."""
    is_open = False
    for at, other in enumerate(others):
        try:
            if _same(one, other, algebra):
                return at
        except NeedsAlgebra:
            is_open = True
    if is_open:
        raise NeedsAlgebra
    return None


def _same_matrix(gold: Answer, found: Answer, algebra: bool) -> bool:
    """Cell by cell; a tuple equals a row or a column, a tuple of tuples the matrix of such rows."""
    if isinstance(gold, str) or isinstance(found, str):
        return _same_by_math_verify(gold, found, algebra)
    if isinstance(gold, Matrix) and isinstance(found, Matrix):
        return len(gold.rows) == len(found.rows) and all(
            _same_sequence(one, other, algebra)
            for one, other in zip(gold.rows, found.rows, strict=True)
        )
    matrix, group = (gold, found) if isinstance(gold, Matrix) else (found, gold)
    if not isinstance(matrix, Matrix) or not isinstance(group, Group) or group.left == "{":
        return False
    if all(isinstance(part, Group) for part in group.parts):
        rows = tuple(part.parts for part in group.parts if isinstance(part, Group))
        other: Answer = Matrix(rows)
        pair = (matrix, other) if matrix is gold else (other, matrix)
        return _same_matrix(*pair, algebra)
    if len(matrix.rows) == 1 or all(len(row) == 1 for row in matrix.rows):
        cells = tuple(cell for row in matrix.rows for cell in row)
        pair_of_cells = (cells, group.parts) if matrix is gold else (group.parts, cells)
        return _same_sequence(*pair_of_cells, algebra)
    return False


def _is_set_expression(answer: Answer) -> bool:
    return isinstance(answer, str) and bool(
        re.search(r"[<>]|\\(?:setminus|backslash|cap|mathbb|begin|le|ge)(?![a-zA-Z])", answer)
    )


# ---------------------------------------------------------------------------------------- leaves


def _spelling(text: str) -> str:
    r"""One spelling for what differs in spaces, stars and needless braces only.

    >>> _spelling("2 * x^{2} + 3 \\cdot 4"), _spelling("+\\infty")
    ('2x^2+3\\cdot4', '\\infty')
    """
    text = re.sub(r"(\\[a-zA-Z]+)\s+(?![a-zA-Z])", r"\1", text.strip())
    text = re.sub(r"\s*([-+*/=,()\[\]{}<>|:;^_])\s*", r"\1", text)
    text = re.sub(r"(?<!\d)\*|\*(?!\d|\\frac)", "", text)
    text = re.sub(r"([_^])\{(\w)\}", r"\1\2", text)
    text = re.sub(r"(?<=[\d}a-zA-Z]) (?=[\\(])|(?<=\d) (?=[a-zA-Z])", "", text)
    return text.removeprefix("+")


def _same_leaf(gold: str, found: str, algebra: bool) -> bool:
    if _spelling(gold) == _spelling(found):
        return True
    known = _same_at_sight(gold, found)
    if known is not None:
        return known
    gold_sides, found_sides = notation.sides(gold), notation.sides(found)
    if len(gold_sides) > 1 and len(found_sides) > 1:
        return _same_equation(gold_sides, found_sides, algebra)
    if len(found_sides) > 1:
        is_turned = notation.is_name(found_sides[-1]) and not notation.is_name(found_sides[0])
        return _same_leaf(gold, found_sides[0 if is_turned else -1], algebra)
    if len(gold_sides) > 1:
        if not notation.is_name(gold_sides[0]):
            return False  # an equation, and a value
        return _same_leaf(gold_sides[-1], found, algebra)
    if not algebra:
        raise NeedsAlgebra
    return _same_value(gold, found)


def _same_at_sight(gold: str, found: str) -> bool | None:
    """What exact rules say of two leaves; None where they say nothing."""
    one, other = notation.number(gold), notation.number(found)
    if one and other:
        return same_number(one, other)
    bases = [_BASE.match(each) for each in (gold, found)]
    if any(bases):
        return _same_in_base(gold, found)
    clocks = [_CLOCK.match(each) for each in (gold, found)]
    ratios = [_RATIO.match(each) for each in (gold, found)]
    if clocks[0] and clocks[1] and (clocks[0][3] or clocks[1][3]):
        return _same_time(clocks[0], clocks[1])
    if ratios[0] and ratios[1]:
        return ratios[0].groups() == ratios[1].groups()
    for ratio, number in ((ratios[0], other), (ratios[1], one)):
        if ratio and number and number.places is None and float(ratio[2]):
            return Fraction(ratio[1]) / Fraction(ratio[2]) == number.value
    if _is_words(gold) or _is_words(found):
        return _words(gold) == _words(found)
    return None


def same_number(gold: Number, found: Number) -> bool:
    """Equal values; a percentage and its bare figure; a rounded decimal of an endless one."""
    if gold.value == found.value:
        return True
    if gold.is_cut or found.is_cut:
        return any(_is_cut(one, other.value) for one, other in ((gold, found), (found, gold)))
    pairs = [(gold, found)]
    if gold.is_percent != found.is_percent:
        one, other = (
            Number(each.value * (100 if each.is_percent else 1), each.places, each.figures)
            for each in (gold, found)
        )
        if one.value == other.value:
            return True
        pairs.append((one, other))
    return any(
        _is_rounded(one, other.value) or _is_rounded(other, one.value) for one, other in pairs
    )


def _is_rounded(decimal: Number, exact: Fraction) -> bool:
    """Whether a decimal, to three places and figures at least, is a value that never ends."""
    if decimal.places is None or min(decimal.places, decimal.figures) < MIN_PLACES:
        return False
    rest = exact.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest == 1:
        return False
    places = decimal.places + (2 if decimal.is_percent else 0)
    return abs(decimal.value - exact) * 2 * 10**places <= 1


def _is_cut(decimal: Number, exact: Fraction) -> bool:
    """Whether a decimal that ends in dots begins as a value does."""
    if not decimal.is_cut or decimal.places is None or decimal.figures < MIN_PLACES:
        return False
    return 0 <= abs(exact) - abs(decimal.value) < Fraction(1, 10**decimal.places)


def _same_in_base(gold: str, found: str) -> bool:
    """The same figures; the base may be left out by one of them."""
    digits, bases = [], []
    for text in (gold, found):
        match = _BASE.match(text)
        digits.append((match[1] if match else text).replace(" ", "").replace(",", "").upper())
        base = match[2] if match else None
        bases.append(str(_BASES.index(base) + 2) if base in _BASES else base)
    return digits[0] == digits[1] and (None in bases or bases[0] == bases[1])


def _same_time(gold: re.Match[str], found: re.Match[str]) -> bool:
    if gold[1].lstrip("0") != found[1].lstrip("0") or gold[2] != found[2]:
        return False
    return not (gold[3] and found[3]) or gold[3].lower() == found[3].lower()


def _is_words(text: str) -> bool:
    return bool(_WORDS.match(text)) and bool(re.search(r"[^\W\d_]{3}", text))


def _words(text: str) -> str:
    words = re.sub(r"[^\w\s]", " ", text.casefold()).split()
    return " ".join(word for word in words if word not in ("the", "a", "an"))


# --------------------------------------------------------------------------------------- algebra

# Where expressions are compared: one place in which every variable is positive, and two others.
_POINTS = (("7/5", "3/11"), ("-13/9", "5/17"), ("19/7", "-6/13"))
DIGITS = 40
TOLERANCE = 10.0**-25  # relative; two different closed forms of an answer do not come so close


def _same_value(gold: str, found: str) -> bool:
    """Whether two expressions agree; math-verify's verdict where they cannot be evaluated."""
    one, other = _expression(gold), _expression(found)
    if one is None or other is None:
        return False
    for text, decimal, exact in ((gold, gold, other), (found, found, one)):
        if (number := notation.number(decimal)) and number.places is not None and text:
            return _is_near(number, exact)
    same = _agree([one], [other])
    return _verify(one, other) if same is None else same


def _same_equation(gold: list[str], found: list[str], algebra: bool) -> bool:
    """The same right side of the same name, or sides whose difference is a multiple."""
    if len(gold) != 2 or len(found) != 2:
        return _same_leaf(gold[-1], found[-1], algebra)
    names = [notation.is_name(each[0]) for each in (gold, found)]
    if all(names):
        is_named = any(len(each[0]) > 1 for each in (gold, found))  # f(x), Area
        if is_named or gold[0] == found[0]:
            return _same_leaf(gold[1], found[1], algebra)
        if notation.number(gold[1]) and notation.number(found[1]):
            return False  # x = 5, y = 5
    if not algebra:
        raise NeedsAlgebra
    sides = [_expression(side) for side in (*gold, *found)]
    if any(side is None for side in sides):
        return False
    differences = _values(sides[0] - sides[1]), _values(sides[2] - sides[3])
    ratios = [
        one / other if other else None for one, other in zip(*differences, strict=True)
    ]  # fmt: skip
    if not ratios or None in ratios or not ratios[0]:
        return False
    return all(abs(ratio / ratios[0] - 1) < TOLERANCE for ratio in ratios if ratio is not None)


@cache
def _targets() -> tuple[Any, ...]:
    """How math-verify reads an answer: all of it. Its own normalization drops what it takes for a
    unit, so that to it \\frac{a}{b}c is a/b; notation.plain has dropped the units already."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig

    as_it_is = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=False, nits=False, boxed="none"
    )
    return (LatexExtractionConfig(boxed_match_priority=-1, normalization_config=as_it_is),)


def _expression(text: str) -> Any:
    """What math-verify reads: a sympy expression; None where it reads none."""
    from math_verify import parse
    from sympy import Basic, E, I, MatrixBase, Symbol

    text = re.sub(r"([_^]\d+)\s+(?=\d)", r"\1*", text)
    if re.search(r"\d\s+\d", text):
        return None
    text = text.replace(notation.ROW, r"\\").replace("*", r"\cdot ")
    text = re.sub(r"\\degree(?![a-zA-Z])", r"\\cdot\\frac{\\pi}{180}", text)
    text = re.sub(r"(?<![\d.])(\d*)\.(\d+)", _as_fraction, text)
    parsed = parse(f"${text}$", extraction_config=_targets(), parsing_timeout=None)
    if not parsed or not isinstance(parsed[0], Basic | MatrixBase):
        return None
    constants = {"i": I, "e": E}
    names = [name for name in parsed[0].free_symbols if name.name in constants]
    return parsed[0].subs({name: constants[name.name] for name in names}) if names else parsed[0]


def _as_fraction(decimal: re.Match[str]) -> str:
    return rf"\frac{{{int(decimal[1] + decimal[2])}}}{{{10 ** len(decimal[2])}}}"


def _values(expression: Any) -> list[Any]:
    """An expression's value, to DIGITS, where its variables have the values of each point."""
    import sympy

    expression = expression.doit()
    names = sorted(expression.free_symbols, key=str)
    values = []
    for start, step in _POINTS:
        place = {
            name: sympy.Rational(start) + number * sympy.Rational(step)
            for number, name in enumerate(names, 1)
        }
        value = expression.subs(place).doit().evalf(DIGITS)
        if not value.is_number or value.has(sympy.nan, sympy.zoo, sympy.oo):
            raise ArithmeticError(f"no value of {expression}")
        # sympy gives a zero that it cannot prove as noise without a single sure figure
        real, imaginary = (0 if part.is_Float and part._prec < DIGITS else part
                           for part in value.as_real_imag())
        values.append(real + sympy.I * imaginary)
    return values


def _agree(gold: list[Any], found: list[Any]) -> bool | None:
    """Whether expressions have the same values at each point; None where they have none."""
    try:
        pairs = []
        for one, other in zip(gold, found, strict=True):
            if one.free_symbols != other.free_symbols:
                one, other = _simplified(one), _simplified(other)
                if one.free_symbols != other.free_symbols:
                    return False
            pairs += list(zip(_values(one), _values(other), strict=True))
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return None
    return all(_close(one, other) for one, other in pairs)


def _simplified(expression: Any) -> Any:
    import sympy

    return sympy.simplify(expression.doit())


def _close(one: Any, other: Any) -> bool:
    """Whether two values agree, as a share of their size: an answer may be as small as 1/2004!."""
    return bool(abs(one - other) <= TOLERANCE * max(abs(one), abs(other)))


def _is_near(decimal: Number, exact: Any) -> bool:
    """Whether a decimal is an exact value, or that value rounded to the places it shows."""
    import sympy

    try:
        value = exact.doit().evalf(DIGITS)
        if exact.free_symbols or not value.is_real:
            return False
        shown = sympy.Rational(decimal.value.numerator, decimal.value.denominator)
        if _close(shown, value):
            return True
        if decimal.places is None or min(decimal.places, decimal.figures) < MIN_PLACES:
            return False
        if (simple := exact.doit()).is_Rational:
            return _is_rounded(decimal, Fraction(int(simple.p), int(simple.q)))
        return bool(abs(shown - value) * 2 * 10**decimal.places <= 1)
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return False


def _verify(gold: Any, found: Any) -> bool:
    from math_verify import verify

    return bool(verify([gold], [found], timeout_seconds=None, allow_set_relation_comp=True))


def _same_by_math_verify(gold: Answer, found: Answer, algebra: bool) -> bool:
    if not algebra:
        raise NeedsAlgebra
    one, other = _expression(_latex(gold)), _expression(_latex(found))
    return one is not None and other is not None and _verify(one, other)


def _latex(answer: Answer) -> str:
    """An answer in LaTeX again."""
    if isinstance(answer, str):
        return answer.replace("\\backslash", "\\setminus")
    if isinstance(answer, Union):
        return r" \cup ".join(map(_latex, answer.parts))
    if isinstance(answer, Matrix):
        rows = r" \\ ".join(" & ".join(map(_latex, row)) for row in answer.rows)
        return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"
    inside = ", ".join(map(_latex, answer.parts))
    brackets = {"{": (r"\{", r"\}")}.get(answer.left, (answer.left, answer.right))
    return f"{brackets[0]}{inside}{brackets[1]}"


# ------------------------------------------------- two bare answers, as `prepare` compares them

_PLAIN_NUMBER = re.compile(r"^[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:/\d+)?$")
_MARKED_NUMBER = re.compile(r"^[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$")


def is_number(answer: str) -> bool:
    """Whether an answer is a plain integer, decimal or fraction."""
    answer = answer.strip()
    if _MARKED_NUMBER.match(answer):
        return True
    return bool(_PLAIN_NUMBER.match(answer))


def _parse(text: str, step_s: int | None) -> list[Any]:
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    targets = (LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig())
    parsed: list[Any] = parse(text, extraction_config=targets, parsing_timeout=step_s)
    return parsed


def _parse_answer(answer: str, step_s: int | None = STEP_S) -> list[Any]:
    """A bare answer is read as an expression first, then as LaTeX."""
    return _parse(answer if is_number(answer) else f"${answer}$", step_s)


def compare(reference: str, answer: str, step_s: int | None = STEP_S) -> Verdict:
    """Whether two bare answers denote the same value; unreadable: not both could be made a value.

    Args:
        step_s: seconds for one step of math-verify; None leaves the bound to the caller.
    """
    from math_verify import verify

    if reference.strip() == answer.strip():
        return "equal"
    gold, found = _parse_answer(reference, step_s), _parse_answer(answer, step_s)
    if verify(gold, found, timeout_seconds=step_s):
        return "equal"
    is_read = all(any(not isinstance(value, str) for value in each) for each in (gold, found))
    return "different" if is_read else "unreadable"
