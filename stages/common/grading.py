r"""Whether an answer equals the reference: math-verify behind one door.

>>> extract("5 + 9 = 14\nThe answer is \\boxed{14}.")
'14'
>>> is_correct("The answer is \\boxed{0.5}", "1/2")
True
"""

import re
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from stages.common import answers

# math-verify stops each of its steps itself after so many seconds, by a signal.
STEP_S = 5

Verdict = Literal["equal", "different", "unreadable"]
AnswerType = Literal["integer", "number", "expression", "choice", "set", "interval", "matrix"]

_NUMBER = re.compile(r"^[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:/\d+)?$")


def boxed(text: str) -> list[str]:
    r"""The contents of every \boxed{...}, braces balanced; an unclosed one is not an answer."""
    found: list[str] = answers.boxes(pa.array([text])).contents.to_pylist()
    return found


def final_answer(solution: str) -> str | None:
    """The canonical answer that a worked solution states; see answers.final_answers."""
    stated: str | None = answers.final_answers(pa.array([solution]))[0].as_py()
    return stated


def is_number(answer: str) -> bool:
    """Whether an answer is a plain integer, decimal or fraction."""
    return bool(_NUMBER.match(answer.strip().replace(",", "")))


def _parse(text: str, step_s: int | None) -> list[object]:
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    targets = (LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig())
    parsed: list[object] = parse(text, extraction_config=targets, parsing_timeout=step_s)
    return parsed


def _parse_answer(answer: str, step_s: int | None = STEP_S) -> list[object]:
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


def equal(reference: str, answer: str) -> bool:
    """Whether two bare answers denote the same value."""
    return compare(reference, answer) == "equal"


def _parse_response(response: str) -> list[object]:
    """The last box decides; without one, what math-verify finds in the text."""
    stated = boxed(response)
    return _parse(f"\\boxed{{{stated[-1]}}}" if stated else response, STEP_S)


def extract(response: str) -> str | None:
    """The final answer read in a response, as math-verify writes it; None where there is none."""
    parsed = _parse_response(response)
    return str(parsed[-1]) if parsed else None


@dataclass(frozen=True)
class Grade:
    verdict: Literal["correct", "wrong", "no_answer"]
    extracted: str | None


VERSION = "0"


def grade(response: str, reference: str, answer_type: str) -> Grade:
    found = extract(response)
    if found is None:
        return Grade("no_answer", None)
    return Grade("correct" if is_correct(response, reference) else "wrong", found)


def is_correct(response: str, reference: str) -> bool:
    """Whether the response's final answer equals the reference. No answer found counts as wrong."""
    from math_verify import verify

    return bool(verify(_parse_answer(reference), _parse_response(response)))
