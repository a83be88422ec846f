r"""Decide whether a bare answer equals the reference; docs/grading.md states the rules.

>>> is_equal("1,-2", "x = -2 \\text{ or } x = 1", "expression", use_algebra=False)
True
>>> is_equal("(2, \\infty)", "x \\ge 2", "interval", use_algebra=False)
False

This module compares the structure of two answers, `numbers` compares numbers, and `algebra` other
expressions. With `use_algebra=False` it raises NeedsAlgebra if only algebra can decide.
"""

import re
from fractions import Fraction

from mathledger.grading import algebra, notation, units
from mathledger.grading.algebra import Undecided
from mathledger.grading.arithmetic import is_left_open
from mathledger.grading.notation import Answer, Group, Matrix, Union
from mathledger.grading.numbers import BASE, Number, number, same_in_base, same_number
from mathledger.grading.spelling import plain, tight

# A miscalculated decimal is between a tenth of the fraction and ten times it.
MAX_MISTAKE = 100
MAX_MEMBERS = 50  # Largest set whose members are matched one by one.


class NeedsAlgebra(Exception):  # noqa: N818  (a control-flow signal, not an error)
    """Raised if no exact rule decides whether two expressions are equal."""


_CHOICE = re.compile(r"^\(?[A-Z]\)?$|^\([A-E]\)\s*[^\s(^*+/,-]")
_REFERENCE = re.compile(r"(?s)^\(([A-J])\)\s*(.*)$")  # Its text may be anything.
_ABOUT = re.compile(r"\\(?:approx|simeq|sim|doteq)(?![a-zA-Z])")
_LETTER = re.compile(r"^\([A-J]\)")
_PROSE = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}[ ,]+(?:[a-zA-Z]+[ ,]+)*[a-zA-Z]{2,}")


def is_equal(reference: str, answer: str, answer_type: str, use_algebra: bool) -> bool:
    """Return True if a bare answer equals the reference; both are passed as written.

    Raises:
        Undecided: The answers are not known to be equal, and one of them cannot be read.
    """
    gold, given = plain(reference), plain(answer)
    if answer_type == "choice" or (answer_type == "expression" and _CHOICE.match(gold)):
        return _same_choice(gold, given, answer_type, use_algebra)
    if tight(gold) == tight(given):
        return True
    if answer_type in ("integer", "number") and number(gold) and is_left_open(given):
        return False  # It repeats a question rather than answering it.
    if _ABOUT.search(given):
        return _is_about(gold, given, answer_type, use_algebra)
    if _ABOUT.search(gold) and (sides := _about(gold, use_algebra)):
        return _is_any_equal([(side, given) for side in sides], answer_type, use_algebra)
    if _is_equal(gold, given, answer_type, use_algebra):
        return True
    if answer_type == "expression" and _LETTER.match(given) and (chosen := notation.option(given)):
        if chosen.value:
            return _is_equal(gold, chosen.value, answer_type, use_algebra)
        raise Undecided(given)  # Only the problem's options could decide.
    if any(_PROSE.search(each) for each in (gold, given)):
        raise Undecided(given)  # Sentences may say the same in other words.
    return False


def _is_equal(gold: str, given: str, answer_type: str, use_algebra: bool) -> bool:
    commas = answer_type in ("set", "interval", "matrix")
    one, other = notation.read(gold, commas), notation.read(given, commas)
    if answer_type == "set":
        one, other = _as_set(one), _as_set(other)
    elif answer_type != "interval":
        one, other = _only_member(one), _only_member(other)
    if answer_type == "interval" and isinstance(other, Group) and not other.left:
        return False  # A bare "1, 2" does not say whether the ends are included.
    return _same(one, other, use_algebra)


def _is_about(gold: str, given: str, answer_type: str, use_algebra: bool) -> bool:
    r"""Compare an answer such as 70/9 \approx 7.78: the value or its rounding may be right.

    An answer with more values, or with one that is not a rounding of the other, is a guess.
    """
    sides = _about(given, use_algebra)
    return _is_any_equal([(gold, side) for side in sides], answer_type, use_algebra)


def _is_any_equal(pairs: list[tuple[str, str]], answer_type: str, use_algebra: bool) -> bool:
    doubt: NeedsAlgebra | Undecided | None = None
    for pair in pairs:
        try:
            if is_equal(*pair, answer_type, use_algebra):
                return True
        except (NeedsAlgebra, Undecided) as found:
            doubt = found
    if doubt:
        raise doubt
    return False


def _about(text: str, use_algebra: bool) -> list[str]:
    r"""Return the value and its rounding of a text with \approx, or nothing if they disagree."""
    sides = [side.strip() for side in _ABOUT.split(text)]
    values = [notation.sides(side)[-1] for side in sides if side and not notation.is_name(side)]
    if len(values) == 2 and tight(values[0]) != tight(values[1]):
        exact, rounding = number(values[0]), number(values[1])
        if not rounding:
            return []
        if exact and exact.places is None and not rounding.is_near(exact.value):
            # The decimal of a fraction may be miscalculated, but not be another guess.
            is_alike = 1 <= 10 * abs(rounding.value / (exact.value or 1)) <= MAX_MISTAKE
            return values[:1] if is_alike else []
        if exact:
            is_close = rounding.is_near(exact.value)
        elif use_algebra:
            is_close = algebra.is_near(values[0], rounding)
        else:
            raise NeedsAlgebra
        return values if is_close else []
    return values[:1] if len(values) in (1, 2) else []


def _same_choice(gold: str, given: str, answer_type: str, use_algebra: bool) -> bool:
    """Return True for the same letter, or for the value that the reference gives with it.

    Raises:
        Undecided: The answer is a value, and only the problem's options give its letter.
    """
    lettered = _REFERENCE.match(gold) if answer_type == "choice" else None
    wanted = notation.Option(lettered[1], lettered[2]) if lettered else notation.option(gold)
    chosen = notation.option(notation.sides(given)[-1])
    if not wanted:
        return tight(gold) == tight(given)
    if chosen:
        return wanted.letter == chosen.letter
    if wanted.value:
        return _same(notation.read(wanted.value), notation.read(given), use_algebra)
    if answer_type == "expression" and number(given):
        raise Undecided(given)
    return False


def _as_set(answer: Answer) -> Answer:
    if isinstance(answer, str):
        return Group("{", "}", (answer,))
    if isinstance(answer, Group) and answer.left in ("", "{"):
        return Group("{", "}", answer.parts)
    return answer


def _only_member(answer: Answer) -> Answer:
    """Return the member of a set of one, which is as good an answer as the set."""
    is_single = isinstance(answer, Group) and answer.left == "{" and len(answer.parts) == 1
    return answer.parts[0] if is_single and isinstance(answer, Group) else answer


def _same(gold: Answer, given: Answer, use_algebra: bool) -> bool:
    """Return True if two answers have the same structure and equal leaves."""
    if isinstance(gold, str) and isinstance(given, str):
        return _same_leaf(gold, given, use_algebra)
    if isinstance(given, str) and len(sides := notation.sides(given)) > 1:
        return _same(gold, notation.read(sides[-1]), use_algebra)  # As in (x, y) = (1, 2).
    if isinstance(gold, str) and len(sides := notation.sides(gold)) > 1:
        return _same(notation.read(sides[-1]), given, use_algebra)
    if isinstance(gold, Matrix) or isinstance(given, Matrix):
        return _same_matrix(gold, given, use_algebra)
    if isinstance(gold, Group) and isinstance(given, Group):
        return _same_group(gold, given, use_algebra)
    if all(isinstance(each, Union) or _is_bare(each) for each in (gold, given)):
        return _same_members(_parts(gold), _parts(given), use_algebra)
    if _is_of_sets(gold) or _is_of_sets(given):
        return _same_expression(notation.latex(gold), notation.latex(given), use_algebra)
    return False


def _is_bare(answer: Answer) -> bool:
    return isinstance(answer, Group) and not answer.left


def _parts(answer: Answer) -> tuple[Answer, ...]:
    return answer.parts if isinstance(answer, Group | Union) else ()


def _is_of_sets(answer: Answer) -> bool:
    """Return True if an expression uses sets, or a relation that is not a plain interval."""
    signs = r"[<>]|\\(?:setminus|backslash|cap|mathbb|begin|le|ge)(?![a-zA-Z])"
    return isinstance(answer, str) and bool(re.search(signs, answer))


def _same_group(gold: Group, given: Group, use_algebra: bool) -> bool:
    """Compare two groups; order does not matter between two sets or two bare lists.

    A given bare list may stand for a set, or for a tuple if its order is the same. A bare list as
    the reference also equals a tuple in any order. A bare list never equals a closed interval.
    """
    if not gold.left or not given.left:
        if gold.left in ("(", "["):
            is_open = gold.left == "(" and gold.right == ")"
            return is_open and _same_sequence(gold.parts, given.parts, use_algebra)
        return given.left != "[" and _same_members(gold.parts, given.parts, use_algebra)
    if gold.left == "{" or given.left == "{":
        return gold.left == given.left and _same_members(gold.parts, given.parts, use_algebra)
    brackets = (given.left, given.right)
    if (gold.left, gold.right) != brackets and (
        len(gold.parts) == 2 or brackets not in (("(", ")"), ("[", "]"))
    ):
        return False
    return _same_sequence(gold.parts, given.parts, use_algebra)


def _same_sequence(gold: tuple[Answer, ...], given: tuple[Answer, ...], use_algebra: bool) -> bool:
    return len(gold) == len(given) and all(
        _same(one, other, use_algebra) for one, other in zip(gold, given, strict=True)
    )


def _same_members(gold: tuple[Answer, ...], given: tuple[Answer, ...], use_algebra: bool) -> bool:
    """Return True if the members of both are the same, in any order."""
    gold, given = tuple(dict.fromkeys(gold)), tuple(dict.fromkeys(given))
    if len(gold) != len(given) or len(gold) > MAX_MEMBERS:
        return gold == given
    left = list(given)
    for one in gold:
        at = _first(one, left, use_algebra)
        if at is None:
            return False
        del left[at]
    return True


def _first(one: Answer, others: list[Answer], use_algebra: bool) -> int | None:
    """Return the index of the first of `others` that equals `one`, or None."""
    doubt: NeedsAlgebra | Undecided | None = None
    for at, other in enumerate(others):
        try:
            if _same(one, other, use_algebra):
                return at
        except (NeedsAlgebra, Undecided) as found:
            doubt = found
    if doubt:
        raise doubt
    return None


def _same_matrix(gold: Answer, given: Answer, use_algebra: bool) -> bool:
    """Compare two matrices cell by cell.

    A tuple may stand for a single row or column, and a tuple of tuples for a matrix of such rows.
    """
    if isinstance(gold, str) or isinstance(given, str):
        return _same_expression(notation.latex(gold), notation.latex(given), use_algebra)
    for one, other in ((gold, given), (given, gold)):
        if isinstance(one, Matrix) and isinstance(other, Group):
            is_nested = all(isinstance(part, Group) for part in other.parts)
            if other.left == "{" or not (is_nested or one.is_vector()):
                return False
            if not is_nested:
                return _same_sequence(_cells(gold), _cells(given), use_algebra)
    rows, other_rows = _rows(gold), _rows(given)
    return len(rows) == len(other_rows) and all(
        _same_sequence(one, other, use_algebra) for one, other in zip(rows, other_rows, strict=True)
    )


def _cells(answer: Answer) -> tuple[Answer, ...]:
    return answer.cells() if isinstance(answer, Matrix) else _parts(answer)


def _rows(answer: Answer) -> tuple[tuple[Answer, ...], ...]:
    return answer.rows if isinstance(answer, Matrix) else tuple(map(_parts, _parts(answer)))


# ---------------------------------------------------------------------------------------- leaves

_RATIO = re.compile(r"^\d+(?:\.\d+)?(?:\s*:\s*\d+(?:\.\d+)?)+$|^\d+\s+to\s+\d+$")
_CONGRUENCE = re.compile(r"^(?:.*\\equiv\s*)?(.+?)\s*\\pmod\{(\w+)\}$")
_TIME = re.compile(r"^(\d{1,2}):(\d{2})\s*(?:([ap])\.?\s*m\.?)?$", re.IGNORECASE)
_WORDS = re.compile(r"^[^\W\d_][^\W\d_ ,.'’-]*(?:[ ,.'’-]+[^\W\d_]+)*\.?$")
_ARTICLES = ("the", "a", "an")


def _same_leaf(gold: str, given: str, use_algebra: bool) -> bool:
    if tight(gold) == tight(given):
        return True
    gold_sides, given_sides = notation.sides(gold), notation.sides(given)
    if len(gold_sides) > 1 and len(given_sides) > 1:
        return _same_equation(gold_sides, given_sides, use_algebra)
    if len(given_sides) > 1:
        is_turned = notation.is_name(given_sides[-1]) and not notation.is_name(given_sides[0])
        return _same_leaf(gold, given_sides[0 if is_turned else -1], use_algebra)
    if len(gold_sides) > 1:
        is_named = notation.is_name(gold_sides[0])  # If not, the reference is an equation.
        return is_named and _same_leaf(gold_sides[-1], given, use_algebra)
    known = _same_at_sight(gold, given)
    if known is not None:
        return known
    return _same_expression(gold, given, use_algebra)


def _same_expression(gold: str, given: str, use_algebra: bool) -> bool:
    if not use_algebra:
        raise NeedsAlgebra
    return algebra.equal(gold, given)


def _same_equation(gold: list[str], given: list[str], use_algebra: bool) -> bool:
    """Return True for equal values of the same name, or for equivalent equations."""
    if len(gold) != 2 or len(given) != 2:  # A chain such as x = 2 + 3 = 5.
        return _same_leaf(gold[-1], given[-1], use_algebra)
    if notation.is_name(gold[0]) and notation.is_name(given[0]):
        is_function = len(gold[0]) > 1 or len(given[0]) > 1  # E.g. f(x) and y, or Area and A.
        if is_function or gold[0] == given[0]:
            return _same_leaf(gold[1], given[1], use_algebra)
        if number(gold[1]) and number(given[1]):
            return False  # E.g. x = 5 and y = 5.
    if not use_algebra:
        raise NeedsAlgebra
    return algebra.equal_equations((gold[0], gold[1]), (given[0], given[1]))


def _same_at_sight(gold: str, given: str) -> bool | None:
    """Compare two leaves by exact rules; return None if no rule applies."""
    one, other = number(gold), number(given)
    if one and other:
        if same_number(one, other):
            return True
        if _is_coarse(one, other) or _is_coarse(other, one):
            raise Undecided  # 0.33 for 1/3 shows too few digits.
        if units.SCALE.search(gold + given) and one.digits_shown() == other.digits_shown():
            raise Undecided  # The problem may ask for a number of millions.
        return False
    if any(r"\degree" in text and r"\pi" in rest for text, rest in ((gold, given), (given, gold))):
        raise Undecided  # An angle in degrees and one in radians.
    if BASE.match(gold) or BASE.match(given):
        return same_in_base(gold, given)
    times = [_TIME.match(each) for each in (gold, given)]
    if times[0] and times[1] and (times[0][3] or times[1][3]):
        return _same_time(times[0], times[1])
    ratios = [_ratio(each) for each in (gold, given)]
    if ratios[0] and ratios[1]:
        return ratios[0] == ratios[1]
    for ratio, fraction in ((ratios[0], other), (ratios[1], one)):
        if len(ratio) == 2 and fraction and fraction.places is None and ratio[1]:
            return ratio[0] / ratio[1] == fraction.value
    if r"\pmod" in given:
        return _same_congruence(gold, given)
    if _is_words(gold) or _is_words(given):
        return _words(gold) == _words(given)
    return None


def _is_coarse(decimal: Number, exact: Number) -> bool:
    """Return True if a decimal rounds a fraction that has no end, to fewer digits than count."""
    return exact.places is None and bool(decimal.places) and decimal.is_near(exact.value)


def _ratio(text: str) -> tuple[Fraction, ...]:
    """Return the members of a ratio such as 1:2:3 or 3 to 4; none if the text is not a ratio."""
    return tuple(map(Fraction, re.split(r":|to", text))) if _RATIO.match(text) else ()


def _same_congruence(gold: str, given: str) -> bool | None:
    """Compare x \\equiv 10 \\pmod 7 with 3 \\pmod 7, or the residue with a bare number."""
    own, wanted = _CONGRUENCE.match(given), _CONGRUENCE.match(gold)
    value, target = (number(match[1] if match else "") for match in (own, wanted))
    if not own or not value:
        return None
    if not wanted:
        return bool((bare := number(gold)) and bare.value == value.value)
    if not target or not own[2].isdigit() or not int(own[2]):
        return None
    return own[2] == wanted[2] and (value.value - target.value) % int(own[2]) == 0


def _same_time(gold: re.Match[str], given: re.Match[str]) -> bool:
    """Return True if both may be the same time of day; either may omit a.m. or p.m."""
    return gold[2] == given[2] and bool(_hours(gold) & _hours(given))


def _hours(time: re.Match[str]) -> set[int]:
    hour = int(time[1])
    if time[3]:
        return {hour % 12 + (12 if time[3].lower() == "p" else 0)}
    return {hour % 12, hour % 12 + 12} if hour <= 12 else {hour}


def _is_words(text: str) -> bool:
    return bool(_WORDS.match(text)) and bool(re.search(r"[^\W\d_]{3}", text))


def _words(text: str) -> str:
    words = re.sub(r"[^\w\s]", " ", text.casefold()).split()
    return " ".join(word for word in words if word not in _ARTICLES)
