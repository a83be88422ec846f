r"""Decide whether two bare answers of a training corpus denote the same value.

>>> at_sight("12", "+12"), at_sight("(B)", r"\textbf{(B)}"), at_sight("1/2", "0.5")
('equal', 'equal', None)
>>> compare("1/2", r"\frac{2}{4}")
'equal'

A corpus does not declare the type of an answer, so this module is more lenient than `equality`,
which grades responses to benchmark items: an answer it cannot read is unreadable, not wrong.
"""

import re
from typing import Any, Literal

from mathledger.grading.spelling import MAX_CHARS

STEP_S = 5  # math-verify interrupts each of its own steps by a signal after this many seconds.

Comparison = Literal["equal", "different", "unreadable", "too_costly"]

_INTEGER = re.compile(r"^[-+]?\d{1,400}$")
_CHOICE = re.compile(
    r"^\(?(?:\\(?:text|textbf|textrm|mathrm|mathbf|rm|bf)\s*\{?)?\s*\(?([A-H])(?:\)|\}|$)"
)


def at_sight(reference: str, answer: str) -> Comparison | None:
    """Compare equal strings, integers and choices; return None if the answers need algebra.

    A choice and a value are unreadable: comparing them would take the problem's options.
    """
    if reference == answer:
        return "equal"
    if max(len(reference), len(answer)) > MAX_CHARS:
        return "too_costly"
    choices = [_CHOICE.match(each) for each in (reference, answer)]
    if choices[0] and choices[1]:
        return "equal" if choices[0][1] == choices[1][1] else "different"
    if choices[0] or choices[1]:
        return "unreadable"
    if _INTEGER.match(reference) and _INTEGER.match(answer):
        return "equal" if int(reference) == int(answer) else "different"
    return None


_NUMBER = re.compile(r"^[-+]?(?:\d+(?:\.\d+)?|\.\d+|\d{1,3}(?:,\d{3})+(?:\.\d+)?)(?:/\d+)?$")


def is_number(answer: str) -> bool:
    """Return True if an answer is a plain integer, decimal or fraction."""
    return bool(_NUMBER.match(answer.strip()))


def _parse_answer(answer: str, step_s: int | None) -> list[Any]:
    """Parse a bare answer, first as a plain expression, then as LaTeX."""
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    targets = (LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig())
    text = answer if is_number(answer) else f"${answer}$"
    parsed: list[Any] = parse(text, extraction_config=targets, parsing_timeout=step_s)
    return parsed


def compare(reference: str, answer: str, step_s: int | None = STEP_S) -> Comparison:
    """Compare two bare answers by algebra; they are unreadable unless both have a value.

    Args:
        step_s: Time limit in seconds for one step of math-verify; None sets no limit.
    """
    from math_verify import verify

    if reference.strip() == answer.strip():
        return "equal"
    gold, given = _parse_answer(reference, step_s), _parse_answer(answer, step_s)
    if verify(gold, given, timeout_seconds=step_s):
        return "equal"
    is_read = all(any(not isinstance(value, str) for value in each) for each in (gold, given))
    return "different" if is_read else "unreadable"
