r"""Grade a response as correct, wrong or no answer; docs/grading.md states the policy.

>>> grade("5 + 9 = 14\nThe answer is \\boxed{14}.", "14", "integer")
Grade(verdict='correct', extracted='14', is_sure=True)
>>> grade("So $x > 2$.", "(2, \\infty)", "interval").verdict
'correct'
>>> grade("I do not know.", "14", "integer").verdict
'no_answer'

Most answers are numbers, which exact arithmetic settles; math-verify parses the rest. A response
can send it into a computation that never ends, so `judges.Judges` grades a model's responses in
processes that it can kill.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from mathledger.grading import notation
from mathledger.grading.algebra import Undecided
from mathledger.grading.equality import NeedsAlgebra, is_equal
from mathledger.grading.extraction import extract
from mathledger.grading.notation import Group, Union
from mathledger.grading.spelling import MAX_CHARS, plain

# The version of the policy, raised by every change that can alter a grade, and the library that
# parses expressions.
VERSION = "4/math-verify-0.9.0"

AnswerType = Literal["integer", "number", "expression", "choice", "set", "interval", "matrix"]
Verdict = Literal["correct", "wrong", "no_answer"]


@dataclass(frozen=True)
class Grade:
    """The verdict on a response and the final answer extracted from it.

    Args:
        is_sure: False if an answer could not be read or compared: then the verdict may be unjust.
    """

    verdict: Verdict
    extracted: str | None
    is_sure: bool = True


def grade(response: str, reference: str, answer_type: str, is_cut: bool = False) -> Grade:
    """Grade one response in this process, without a limit on time and memory.

    Args:
        is_cut: Whether the response ended at the limit of tokens; then only an answer that it
            states counts, not the last number in its working.
    """
    extracted = extract(response, answer_type, is_list(reference), is_cut)
    settled = settle(extracted, reference, answer_type)
    return settled or decide(str(extracted), reference, answer_type)


def settle(extracted: str | None, reference: str, answer_type: str) -> Grade | None:
    """Grade an extracted answer by exact rules; return None if that needs algebra."""
    if answer_type not in get_args(AnswerType):
        raise ValueError(
            f"unknown answer type {answer_type!r}; use one of {', '.join(get_args(AnswerType))}"
        )
    if extracted is None:
        return Grade("no_answer", None)
    if extracted == reference.strip():
        return Grade("correct", extracted)
    if max(len(extracted), len(reference)) > MAX_CHARS:
        return Grade("no_answer", None, is_sure=False)
    try:
        is_correct = is_equal(reference, extracted, answer_type, use_algebra=False)
    except NeedsAlgebra:
        return None
    except Undecided:
        return Grade("wrong", extracted, is_sure=False)
    return Grade("correct" if is_correct else "wrong", extracted)


def decide(extracted: str, reference: str, answer_type: str) -> Grade:
    """Grade an extracted answer by exact rules and algebra, without a limit on time and memory."""
    try:
        is_correct = is_equal(reference, extracted, answer_type, use_algebra=True)
    except Undecided:
        return Grade("wrong", extracted, is_sure=False)
    return Grade("correct" if is_correct else "wrong", extracted)


@lru_cache(maxsize=4096)
def is_list(reference: str) -> bool:
    r"""Return True if a reference has several values: a list, a set, a union or a tuple.

    >>> is_list("1,-2"), is_list("1 \\pm 2i"), is_list("(1, 2)"), is_list("1,250")
    (True, True, True, False)
    """
    answer = notation.read(plain(reference[:MAX_CHARS]))
    return isinstance(answer, Union | Group)
