r"""The grade of a response: correct, wrong or no answer; docs/grading.md states the policy.

>>> grade("5 + 9 = 14\nThe answer is \\boxed{14}.", "14", "integer")
Grade(verdict='correct', extracted='14')
>>> grade("So $x > 2$.", "(2, \\infty)", "interval").verdict
'correct'
>>> grade("I do not know.", "14", "integer")
Grade(verdict='no_answer', extracted=None)

Most answers are numbers and are settled by exact arithmetic; math-verify reads the rest. It can be
sent into computations that no exception ends: what a model wrote is graded through
`verdicts.Judges`, in processes that may die.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import pyarrow as pa

from mathledger.grading import answers, notation
from mathledger.grading.equality import NeedsAlgebra, is_equal
from mathledger.grading.extraction import extract
from mathledger.grading.notation import Group, Union
from mathledger.grading.spelling import plain

# The policy, raised by every change that can alter a grade, and the library that reads expressions.
VERSION = "1/math-verify-0.9.0"

MAX_CHARS = 1000  # a longer answer is not looked at
STEP_S = 5  # math-verify stops each of its steps itself after so many seconds, by a signal

AnswerType = Literal["integer", "number", "expression", "choice", "set", "interval", "matrix"]
Verdict = Literal["equal", "different", "unreadable"]


@dataclass(frozen=True)
class Grade:
    """The verdict on a response, and the final answer read in it."""

    verdict: Literal["correct", "wrong", "no_answer"]
    extracted: str | None


def grade(response: str, reference: str, answer_type: str) -> Grade:
    """Grade one response, in this process: without a bound on time and memory."""
    extracted = extract(response, answer_type, is_list(reference))
    settled = settle(extracted, reference, answer_type)
    return settled or decide(str(extracted), reference, answer_type)


def settle(extracted: str | None, reference: str, answer_type: str) -> Grade | None:
    """The grade of an extracted answer that needs no algebra; None where it does."""
    if answer_type not in get_args(AnswerType):
        raise ValueError(f"answer type {answer_type!r}: one of {', '.join(get_args(AnswerType))}")
    if extracted is None:
        return Grade("no_answer", None)
    if extracted == reference.strip():
        return Grade("correct", extracted)
    if max(len(extracted), len(reference)) > MAX_CHARS:
        return Grade("no_answer", None)
    try:
        is_correct = is_equal(reference, extracted, answer_type, use_algebra=False)
    except NeedsAlgebra:
        return None
    return Grade("correct" if is_correct else "wrong", extracted)


def decide(extracted: str, reference: str, answer_type: str) -> Grade:
    """The grade of an extracted answer by all means; may take any time and memory."""
    is_correct = is_equal(reference, extracted, answer_type, use_algebra=True)
    return Grade("correct" if is_correct else "wrong", extracted)


@lru_cache(maxsize=4096)
def is_list(reference: str) -> bool:
    r"""Whether a reference lists several values, in no order.

    >>> is_list("1,-2"), is_list("1 \\pm 2i"), is_list("(1, 2)"), is_list("1,250")
    (True, True, False, False)
    """
    read = notation.read(plain(reference[:MAX_CHARS]))
    return isinstance(read, Union) or (isinstance(read, Group) and read.left in ("", "{"))


# ---------------------------------------- bare answers, as the training corpora are checked with

_NUMBER = re.compile(r"^[-+]?(?:\d+(?:\.\d+)?|\.\d+|\d{1,3}(?:,\d{3})+(?:\.\d+)?)(?:/\d+)?$")


def final_answer(solution: str) -> str | None:
    """The canonical answer that a worked solution states; see answers.final_answers."""
    stated: str | None = answers.final_answers(pa.array([solution]))[0].as_py()
    return stated


def is_number(answer: str) -> bool:
    """Whether an answer is a plain integer, decimal or fraction."""
    return bool(_NUMBER.match(answer.strip()))


def _parse_answer(answer: str, step_s: int | None) -> list[Any]:
    """A bare answer is read as an expression first, then as LaTeX."""
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    targets = (LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig())
    text = answer if is_number(answer) else f"${answer}$"
    parsed: list[Any] = parse(text, extraction_config=targets, parsing_timeout=step_s)
    return parsed


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
