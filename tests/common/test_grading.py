"""Verdicts on final answers."""

import pytest

from stages.common import grading


@pytest.mark.parametrize(
    ("response", "reference"),
    [
        (r"The answer is \boxed{42}.", "42"),
        (r"\boxed{1{,}250}", "1250"),
        (r"\boxed{\frac{1}{2}}", "0.5"),
        (r"\boxed{-3}", "-3"),
        (r"first \boxed{1}... no: \boxed{2}", "2"),
        ("The answer is 17.", "17"),
        (r"\boxed{7350.0}", "7350"),
    ],
)
def test_right(response: str, reference: str) -> None:
    assert grading.is_correct(response, reference)


@pytest.mark.parametrize(
    ("response", "reference"),
    [
        (r"\boxed{3}", "-3"),
        (r"\boxed{42}", "4.2"),
        (r"\boxed{8164961}", "8164964"),
        ("", "5"),
        ("I do not know.", "5"),
        (r"\boxed{}", "5"),
        ("\\boxed{" * 500, "5"),
    ],
)
def test_wrong(response: str, reference: str) -> None:
    assert not grading.is_correct(response, reference)


def test_boxed_balances_braces() -> None:
    assert grading.boxed(r"\boxed{\frac{1}{2}} and \boxed {3} and \boxed{4") == [
        r"\frac{1}{2}",
        "3",
    ]


def test_final_answer_prefers_the_last_box() -> None:
    assert grading.final_answer("\\boxed{1}\n#### 3\n\\boxed{2}") == "2"
    assert grading.final_answer("so\n#### 1,250\n") == "1250"
    assert grading.final_answer("no answer") is None


@pytest.mark.parametrize(
    ("reference", "answer", "expected"),
    [
        ("1/2", r"\frac{2}{4}", "equal"),
        ("2", r"\sqrt{2}", "different"),
        ("2", r"\begin", "unreadable"),
    ],
)
def test_compare(reference: str, answer: str, expected: str) -> None:
    assert grading.compare(reference, answer) == expected
    assert grading.equal(reference, answer) == (expected == "equal")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("12", True),
        ("-1,250.5", True),
        ("3/4", True),
        ("C(10, 5)", False),
        ("x", False),
        ("", False),
    ],
)
def test_is_number(answer: str, expected: bool) -> None:
    assert grading.is_number(answer) is expected
