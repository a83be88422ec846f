"""A problem that wants its answer in another form is the same problem."""

import pytest

from tests.filters.matching import is_leak

STORY = (
    "A circle meets the lines $y = 3x + 7$ and $y = 8x - 5$ at four points, which are the "
    "vertices of a convex trapezoid with sides of 9 and 14 units. "
)
PLAIN = ("What is the length of its longer diagonal?", "Find the length of its longer diagonal.")
FORMS = (
    "Find the square of the length of its longer diagonal.",
    "The length of its longer diagonal is $h$. Find $10h$.",
    "The length of its longer diagonal will be $h$. What is $h^2$?",
    "The length of its longer diagonal is exactly $p\\sqrt{q}$ units, where $p$ and $q$ are "
    "positive integers and $q$ is squarefree. Find $p + q$.",
    "Find the remainder when the length of its longer diagonal is divided by $1000$.",
    "The length of its longer diagonal is closest to",
    "Find the length of its longer diagonal, giving your answer as a common fraction.",
    "In what interval does the length of its longer diagonal lie?",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("plain", PLAIN)
def test_an_answer_in_another_form_is_an_answer_to_the_same_problem(form: str, plain: str) -> None:
    one, other = STORY + form, STORY + plain
    assert is_leak(one, other) and is_leak(other, one)
    for old, new in (("7", "9"), ("9", "10"), ("3x + 7", "3x - 7"), ("longer", "shorter")):
        assert not is_leak(one.replace(old, new), other)
        assert not is_leak(other, one.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("square of", "cube of"),
        ("square of", "sum of the digits of"),
        ("by $1000$", "by $7$"),
        ("closest to", "twice"),
        ("diagonal is $h$. Find $10h$", "diagonal is $h$. Find the area"),
        ("giving your answer as a common fraction", "giving your answer in base 7"),
        ("length of its longer diagonal lie", "area of its longer diagonal lie"),
    ],
)
def test_another_request_is_another_problem(old: str, new: str) -> None:
    changed = [form.replace(old, new) for form in FORMS if old in form]
    assert changed
    for form in changed:
        assert not is_leak(STORY + form, STORY + PLAIN[0])


@pytest.mark.parametrize(("one", "other"), [("100", "1000"), ("10", "100")])
def test_two_forms_that_differ_ask_for_two_answers(one: str, other: str) -> None:
    asked = "Find the remainder when the length of its longer diagonal is divided by {}."
    assert is_leak(STORY + asked.format(one), STORY + asked.format(one))
    assert not is_leak(STORY + asked.format(one), STORY + asked.format(other))
    named = "The length of its longer diagonal is $h$. Find ${}h$."
    assert not is_leak(STORY + named.format(one), STORY + named.format(other))


def test_a_name_that_the_problem_uses_is_no_form_of_the_answer() -> None:
    given = (
        "The roots of $x^2 - {}x + 8 = 0$ are $p$ and $q$, and the sum of $p^2$ and $q^2$ is $h$. "
    )
    assert not is_leak(given.format(7) + "Find $h$.", given.format(9) + "Find $h$.")
    other = "A number is $n$ and its square is $n + 12$. Find ${}n$."
    assert not is_leak(other.format(2), other.format(3))


RESTATED = (
    " Restating the problem, let $S$ be a set of 8 numbers. Any number can be appended to $S$ or "
    "removed from it. In how many orders can this happen?"
)


def test_a_problem_may_be_restated_after_its_question() -> None:
    item = STORY + PLAIN[0]
    assert is_leak(item, item + RESTATED) and is_leak(item + RESTATED, item)
    other = item.replace("7", "9")
    assert not is_leak(other, item + RESTATED) and not is_leak(other + RESTATED, item)
