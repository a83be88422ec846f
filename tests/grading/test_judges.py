"""Many answers are compared, and none of them can block the others."""

import pytest

from mathledger.grading.grades import Grade
from mathledger.grading.judges import Judges

HARMLESS = [
    ("1/2", r"\frac{1}{2}"),
    ("0.5", r"\frac{1}{2}"),
    ("x+1", "1+x"),
    (r"\frac{1}{2}", r"\frac{1}{3}"),
    ("Sunday", r"\text{Sunday}"),
    (r"2\sqrt{2}", r"\sqrt{8}"),
]
HARMLESS_COMPARISONS = ["equal", "equal", "equal", "different", "equal", "equal"]
# A tower of powers, a factorial of a factorial, and an answer that is too long.
HARMFUL = [("9", "9^{9^{9^9}}"), ("5", "10!!!!!!"), ("1", "x" * 100_000)]


@pytest.mark.slow
def test_a_harmful_answer_costs_itself_only() -> None:
    with Judges(limit_s=1, num_processes=1) as judges:
        found = judges.compare([*HARMFUL[:1], *HARMLESS, *HARMFUL[1:], *HARMLESS])
    assert found == [
        "too_costly", *HARMLESS_COMPARISONS, "too_costly", "too_costly", *HARMLESS_COMPARISONS,
    ]  # fmt: skip


def test_nothing_to_compare_starts_no_process() -> None:
    with Judges(limit_s=1, num_processes=2) as judges:
        assert judges.compare([]) == []
        assert judges.compare([("1", "1"), ("1", "2")]) == ["equal", "different"]
        assert all(judges._free.get_nowait() is None for _ in range(2))


@pytest.mark.slow
def test_a_costly_answer_counts_as_none_and_leaves_the_others_their_grade() -> None:
    """The grades keep the order, and the progress bar advances by one per response."""
    answers = [
        ("9^{9^{9^9}}", Grade("no_answer", None)),
        (r"2\sqrt{2}", Grade("correct", r"2\sqrt{2}")),
        ("10!!!!!!", Grade("no_answer", None)),
        (r"\sqrt{7}", Grade("wrong", r"\sqrt{7}")),
        ("12", Grade("wrong", "12")),
        ("9" * 100_000, Grade("no_answer", None)),
        (r"\sqrt{8}", Grade("correct", r"\sqrt{8}")),
    ]
    asked = [(f"\\boxed{{{answer}}}", r"\sqrt{8}", "expression") for answer, _ in answers]
    moves: list[int] = []
    with Judges(limit_s=1, num_processes=2) as judges:
        assert judges.grade(asked, moves.append) == [grade for _, grade in answers]
    assert sum(moves) == len(answers)


def test_the_same_question_is_asked_once() -> None:
    """The k samples of an item often ask the same question."""
    asked = []
    with Judges(limit_s=1, num_processes=2) as judges:
        judges._ask = lambda question: asked.append(question) or "correct"  # type: ignore
        grades = judges.grade([(r"\boxed{\sqrt{8}}", r"2\sqrt{2}", "expression")] * 5)
    assert asked == [(r"\sqrt{8}", r"2\sqrt{2}", "expression")]
    assert grades == [Grade("correct", r"\sqrt{8}")] * 5


def test_what_needs_no_algebra_starts_no_process() -> None:
    with Judges(limit_s=1, num_processes=2) as judges:
        asked = [("#### 5", "5", "integer"), ("", "5", "integer"), ("1,2", "2,3", "set")]
        assert [each.verdict for each in judges.grade(asked)] == ["correct", "no_answer", "wrong"]
        assert all(judges._free.get_nowait() is None for _ in range(2))
