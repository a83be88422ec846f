"""Many answers are compared, and none of them can block the others."""

import pytest

from mathledger.grading.grades import Grade
from mathledger.grading.judges import Judges

TOO_COSTLY = Grade("no_answer", None, is_sure=False)


@pytest.mark.slow
def test_a_costly_answer_counts_as_none_and_leaves_the_others_their_grade() -> None:
    """The grades keep the order, and the progress bar advances by one per response."""
    answers = [
        ("9^{9^{9^9}}", TOO_COSTLY),
        (r"2\sqrt{2}", Grade("correct", r"2\sqrt{2}")),
        ("10!!!!!!", TOO_COSTLY),
        (r"\sqrt{7}", Grade("wrong", r"\sqrt{7}")),
        ("12", Grade("wrong", "12")),
        ("9" * 100_000, TOO_COSTLY),
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
        assert judges.grade([]) == []
        asked = [("#### 5", "5", "integer"), ("", "5", "integer"), ("1,2", "2,3", "set")]
        assert [each.verdict for each in judges.grade(asked)] == ["correct", "no_answer", "wrong"]
        assert all(judges._free.get_nowait() is None for _ in range(2))
