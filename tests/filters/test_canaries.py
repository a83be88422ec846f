"""Canaries are the same problem in another form, or, as controls, a different problem."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathledger.data.canary_forms import CONTROLS, COPIES
from mathledger.filters import canary_controls, canary_copies
from mathledger.filters.canaries import changed, choose, measure
from mathledger.filters.decision import Match
from mathledger.filters.items import Item
from mathledger.filters.overlap import CLASSES
from mathledger.filters.remaining import Found, estimate
from mathledger.text import canonical

PROBLEMS = sorted(
    {
        pair[side]
        for pair in map(json.loads, Path("tests/filters/pairs.jsonl").read_text().splitlines())
        for side in ("query", "ref")
    }
)
DRAWN = "Find $x$. [asy] draw((0,0)--(3,4)); [/asy]"
STORY = "Ada has 12 red pens. Bob has 7 more than Ada. How many pens does Bob have?"
# Each form on a problem, and what becomes of it; None if the form must not touch the problem.
CASES = [
    ("fractions", r"Add $\frac{1}{2}$ to $x$.", "Add $1/2$ to $x$."),
    ("fractions", r"Add $\dfrac{1}{2}x$ to $2^\frac{1}{2}$.", None),
    ("fractions", r"It takes 1/4 cup for $3 a day and 3/4 for $4.", None),
    ("fractions", "Add $3/4$ and $x/2$.", r"Add $\frac{3}{4}$ and $x/2$."),
    ("products", r"What is $3 \cdot 4$?", r"What is $3 \times 4$?"),
    ("products", r"Find $\mathbf{a} \cdot \mathbf{b}$.", None),
    ("number_words", "She buys 21 figs and 4 limes.", "She buys twenty-one figs and four limes."),
    ("number_words", "It costs $5 each, 3.5 times 1/2 of $x + 2 y$.", None),
    ("words_for_signs", r"Find $\angle ABC$.", "Find angle $ABC$."),
    ("words_for_signs", r"In triangle $\triangle ABC$ it is.", "In triangle $ABC$ it is."),
    ("ascii_math", r"Find $\sqrt{x^2}$.", "Find sqrt(x**2)."),
    ("ascii_math", r"Find $\frac{1}{2}$ and $y$.", None),
    ("unicode", r"If $x^2 \leq 9\pi$.", "If $x² ≤ 9π$."),
    ("renamed", r"If $\sin t = 1$ and 3 \$ a day", r"If $\sin s = 1$ and 3 \$ a day"),
    ("renamed", r"Each of $3 a slice and $4 a cake.", None),
    ("renamed", r"A path of $5 \text{ cm}$ and $x$.", None),
    ("unicode", r"Is $\frac{a^2}{b^{2}} < 5^{23}$?", r"Is $\frac{a²}{b²} < 5^{23}$?"),
    ("renamed", "Find the y-intercept of $y = 2x$.", None),
    ("ascii_math", r"Find $p+q\sqrt{r}$.", "Find p+q sqrt(r)."),
    ("numbers_swapped", STORY, STORY.replace("12", "#").replace("7", "12").replace("#", "7")),
    ("numbers_swapped", "What is the sum of 3 and 8?", None),
    ("signs_swapped", "Solve $x^2 + 3x - 5 = 0$.", "Solve $x^2 - 3x + 5 = 0$."),
    ("signs_swapped", "A 3-by-3 board and $x + 1$.", None),
    ("opposite_word", "Find the least $x$.", "Find the greatest $x$."),
    ("opposite_word", r"Find the $\max$ of $\left(x\right)$.", None),
    ("continued", "Its butter is 1/4 pound, 0-9 letters, $m+n$.", None),
    ("other_question", "Find the sum of 3 and 8.", None),
    ("other_drawing", "Find $x$.", None),
]


@pytest.mark.parametrize(("form", "problem", "expected"), CASES)
def test_form(form: str, problem: str, expected: str | None) -> None:
    copies = {changed(problem, form, seed) for seed in range(60)}
    assert expected in copies if form == "renamed" else copies == {expected}


@pytest.mark.slow
def test_every_form_applies_to_real_problems_and_depends_on_the_seed_alone() -> None:
    texts = [*PROBLEMS, DRAWN, *(problem for _, problem, _ in CASES)]
    for form in [*COPIES, *CONTROLS]:
        module = canary_controls if form in CONTROLS else canary_copies
        assert form == "verbatim" or callable(getattr(module, form))
        made = [changed(problem, form, 1) for problem in texts]
        assert made == [changed(problem, form, 1) for problem in texts]
        assert any(made), f"{form} applies to no problem"


@pytest.mark.parametrize("form", CONTROLS)
def test_a_control_is_another_problem(form: str) -> None:
    for problem in [*PROBLEMS, DRAWN]:
        control = changed(problem, form, 3)
        if control is not None and form != "other_drawing":
            assert canonical.canonical(control) != canonical.canonical(problem)


@pytest.mark.parametrize("form", ["reformatted", "rewrapped", "number_words", "renamed"])
def test_a_copy_keeps_every_digit_or_spells_it_out(form: str) -> None:
    for problem in PROBLEMS:
        copy = changed(problem, form, 3)
        if copy is not None and form != "number_words":
            assert [each for each in copy if each.isdigit()] == [
                each for each in problem if each.isdigit()
            ]


@given(st.lists(st.sampled_from([*"ab x12$\\{}()+-^_.=é\n", r"\frac", "[asy]", "[/asy]", r"\["])))
def test_no_text_breaks_a_form(parts: list[str]) -> None:
    for form in [*COPIES, *CONTROLS]:
        copy = changed("".join(parts), form, 1)
        assert copy is None or copy != "".join(parts) or form == "verbatim"


def test_each_seed_draws_other_canaries_of_each_form() -> None:
    items = [
        Item("quiz", "rev", None, str(number), problem, False)
        for number, problem in enumerate(PROBLEMS[:200])
    ]
    one, again, other = (choose(items, 5, seed) for seed in (1, 1, 2))
    assert one == again and one != other
    sizes = [sum(canary.form == form for canary in one) for form in (*COPIES, *CONTROLS)]
    assert max(sizes) == 5 and sizes[0] == 5
    drawn = {form: {c.item for c in one if c.form == form} for form in ("verbatim", "embedded")}
    assert drawn["verbatim"] != drawn["embedded"], "each form draws items of its own"


@pytest.mark.parametrize("kind", [*CLASSES, "different"])
def test_a_canary_is_found_if_its_class_says_that_it_holds_the_item(kind: str) -> None:
    items = [Item("quiz", "rev", None, "0", STORY, False)]
    hidden = choose(items, 1, 1)
    number = [*CLASSES, "different"].index(kind)
    matches = {canary.id: [Match(0, number, "problem", 1.0, 1.0, 1.0)] for canary in hidden}
    counts, wrong = measure(hidden, matches, items)
    is_found = kind not in ("variant", "sibling", "different")
    assert all(count["num_found"] == is_found * count["num"] for count in counts.values())
    assert {each["form"] in CONTROLS for each in wrong} == {is_found}
    assert {each["item_id"] for each in wrong} == {"0"}
    assert {each["problem"] for each in wrong} <= {canary.problem for canary in hidden}
    secret = [replace(items[0], private=True)]
    assert {each["problem"] for each in measure(hidden, matches, secret)[1]} == {None}


@pytest.mark.parametrize(("size", "first", "second"), [(200, 0.95, 0.4), (60, 0.8, 0.6)])
def test_the_interval_holds_what_remains_in_19_of_20_draws(
    size: int, first: float, second: float
) -> None:
    """Draw leaks that two independent proposers find, and compare with what both miss."""
    draws, held, errors = np.random.default_rng(7), [], []
    for _ in range(500):
        one, other = draws.random(size) < first, draws.random(size) < second
        found = Found(int(one.sum()), int(other.sum()), int((one & other).sum()))
        own = estimate(found)
        assert own is not None
        left = size - int((one | other).sum())
        held.append(own.low <= left <= own.high)
        errors.append(own.value - left)
    assert np.mean(held) >= 0.93
    assert abs(float(np.mean(errors))) < 0.4
