"""Bare answers of training corpora are compared leniently."""

import pytest

from mathledger.grading.comparison import at_sight, compare, is_number


@pytest.mark.parametrize(
    ("reference", "answer", "expected"),
    [
        ("12", "12", "equal"),
        ("12", "+12", "equal"),
        ("12", "-12", "different"),
        ("8164961", "8164964", "different"),
        ("(B)", r"\textbf{(B)}\ 12", "equal"),
        ("B", r"\text{(C)}", "different"),
        ("B", "12", "unreadable"),
        ("12", "12.0", None),
        ("Bob", "12", None),
        ("x", "y" * 1001, "too_costly"),
    ],
)
def test_what_needs_no_algebra(reference: str, answer: str, expected: str | None) -> None:
    assert at_sight(reference, answer) == expected


@pytest.mark.parametrize(
    ("reference", "answer", "expected"),
    [
        ("1/2", r"\frac{2}{4}", "equal"),
        ("2", r"\sqrt{2}", "different"),
        ("2", r"\begin", "unreadable"),
        ("-2,1", "1,-2", "equal"),
    ],
)
def test_compare(reference: str, answer: str, expected: str) -> None:
    assert compare(reference, answer) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("12", True),
        ("-1,250.5", True),
        ("3/4", True),
        ("1,2", False),
        ("C(10, 5)", False),
        ("x", False),
        ("", False),
    ],
)
def test_is_number(answer: str, expected: bool) -> None:
    assert is_number(answer) is expected
