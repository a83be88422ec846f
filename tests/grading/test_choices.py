"""A choice is right in every common form of its letter or text; two letters are not a choice."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathledger.grading.grades import grade

FAST = settings(max_examples=80, deadline=None, database=None)
TEXTS = ["12", "", "\\frac{1}{2}", "the ellipse", "3x + 2", "-", "both A and B", "5 cm"]
LETTERS = st.sampled_from("ABCDEFGHIJ")
ONE = [
    "\\boxed{L}", "\\boxed{(L)}", "\\boxed{\\text{L}}", "\\boxed{\\textbf{(L)}}", "\\boxed{L.}",
    "\\boxed{\\mathrm{L}}", "\\boxed{\\text{Option L}}", "$\\boxed{\\text{(L)}}$.", "Answer: L",
    "The answer is L.", "The answer is (L).", "**Answer: L**", "The correct answer is **L**.",
    "The correct option is L", "So the answer is option L.", "Final Answer: (L)", "#### L",
    "#### (L)", "(L)", "L", "L.", "**L**", "**(L)**", "Option (L) is correct.", "Hence, option L.",
    "Thus (L) is the correct answer.", "So L is correct.", "<think>A? B?</think>\nL",
    "Answer: $L$", "ANSWER: L", "The answer is L because the rest is too small.",
    "Answer: L (since the rest is too small)", "We compute it, which gives (L).",
]  # fmt: skip
WITH_TEXT = [
    "\\boxed{(L) T}", "\\boxed{\\text{(L) } T}", "The answer is (L) T.", "Answer: (L) T",
    "#### (L) T", "The correct choice is (L) T.",
]  # fmt: skip
TWO = [
    "\\boxed{L, M}", "\\boxed{(L), (M)}", "\\boxed{L \\text{ or } M}", "\\boxed{\\text{L, M}}",
    "\\boxed{LM}", "\\boxed{L/M}", "\\boxed{L and M}", "\\boxed{(L)(M)}", "Answer: L or M",
    "The answer is (L) or (M).", "The answer is L/M.", "It is either (L) or (M).",
    "Both (L) and (M) are correct.", "Answer: L & M", "\\boxed{L} or \\boxed{M}",
    "\\boxed{L}, \\boxed{M}", "$\\boxed{L}$ and $\\boxed{M}$", "Answers: L and M",
    "(L), (M)", "The answer is either L or M.",
]  # fmt: skip


@FAST
@given(LETTERS, LETTERS, st.sampled_from(TEXTS), st.sampled_from(ONE))
def test_a_letter_is_read_in_every_form(said: str, wanted: str, text: str, form: str) -> None:
    verdict = grade(form.replace("L", said), f"({wanted}) {text}".strip(), "choice").verdict
    assert (verdict == "correct") == (said == wanted)


@FAST
@given(LETTERS, st.sampled_from([text for text in TEXTS if text]), st.sampled_from(WITH_TEXT))
def test_the_letter_may_bring_its_text(letter: str, text: str, form: str) -> None:
    response = form.replace("L", letter).replace("T", text)
    assert grade(response, f"({letter}) {text}", "choice").verdict == "correct"


@pytest.mark.parametrize("text", ["12", "\\frac{1}{2}", "the ellipse", "5 cm"])
def test_the_text_alone_is_as_good(text: str) -> None:
    assert grade(f"\\boxed{{{text}}}", f"(C) {text}", "choice").verdict == "correct"
    assert grade("\\boxed{13}", f"(C) {text}", "choice").verdict == "wrong"
    assert grade(f"\\boxed{{{text}, 13}}", f"(C) {text}", "choice").verdict == "wrong"


@FAST
@given(st.lists(LETTERS, min_size=2, max_size=2, unique=True), st.sampled_from(TWO), st.booleans())
def test_two_letters_earn_nothing(letters: list[str], form: str, is_first: bool) -> None:
    response = form.replace("L", letters[0]).replace("M", letters[1])
    for reference in (f"({letters[not is_first]})", f"({letters[not is_first]}) 12"):
        assert grade(response, reference, "choice").verdict != "correct"


@FAST
@given(LETTERS)
def test_a_remark_on_another_letter_changes_nothing(letter: str) -> None:
    wanted = "A" if letter != "A" else "B"
    for form in ("Answer: {} ({} is wrong)", "The answer is ({}), not ({}).", "Answer: {} not {}"):
        response = form.format(wanted, letter)
        assert grade(response, f"({wanted}) 12", "choice").verdict == "correct"
        assert grade(response, f"({letter}) 12", "choice").verdict != "correct"
