"""Properties of equality and extraction over generated answers and responses.

Every answer has a value, drawn as a fraction, and is written in several forms. The same value in
two forms is equal, and two values in any forms are not.
"""

from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mathledger.grading import equality, extraction, grades
from mathledger.grading.numbers import number, same_number

FAST = settings(max_examples=150, deadline=None, database=None)
FEW = settings(FAST, max_examples=30)  # Each example needs algebra.

INTEGERS = st.integers(-99_999, 99_999)
FRACTIONS = st.builds(Fraction, st.integers(-60, 60), st.integers(2, 60)).filter(
    lambda value: value.denominator > 1
)
VALUES = INTEGERS.map(Fraction) | FRACTIONS


def mixed(value: Fraction) -> str:
    whole, part = divmod(abs(value), 1)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole or ''}\\frac{{{part.numerator}}}{{{part.denominator}}}"


WHOLE_FORMS: list[Callable[[int], str]] = [
    str,
    lambda n: f"{n:,}",
    lambda n: f"{n}.0",
    lambda n: f"${n}$",
    lambda n: f"{n:,}".replace(",", "{,}"),
    lambda n: f"\\text{{{n}}}",
    lambda n: f"x = {n}",
]
FRACTION_FORMS: list[Callable[[Fraction], str]] = [
    str,
    lambda q: f"\\frac{{{q.numerator}}}{{{q.denominator}}}",
    lambda q: f"\\dfrac{{{3 * q.numerator}}}{{{3 * q.denominator}}}",
    lambda q: f"$-\\frac{{{-q.numerator}}}{{{q.denominator}}}$",
    lambda q: f"{q.numerator} / {q.denominator}",
    lambda q: f"x = {q}",
    lambda q: f"{{{q.numerator} \\over {q.denominator}}}",
    mixed,
    lambda q: f"\\left( \\frac{{{q.numerator}}}{{{q.denominator}}} \\right)",
]


@st.composite
def written(draw: st.DrawFn, value: Fraction) -> str:
    if value.denominator == 1:
        return draw(st.sampled_from(WHOLE_FORMS))(int(value))
    return draw(st.sampled_from(FRACTION_FORMS))(value)


@st.composite
def same_value(draw: st.DrawFn) -> tuple[str, str]:
    value = draw(VALUES)
    return draw(written(value)), draw(written(value))


@st.composite
def other_value(draw: st.DrawFn) -> tuple[str, str]:
    one, other = draw(VALUES), draw(VALUES)
    return draw(written(one)), draw(written(other if other != one else one + 1))


SMALL_WORKING = st.sampled_from(
    ["Let x be the number.", "We add the two.", "Both sides are even.", "First, some notation."]
)
BOX_LISTS = [
    (" and ", "$\\boxed{%s}$"),
    (", ", "\\(\\boxed{%s}\\)"),
    ("\n", "\\[\\boxed{%s}\\]"),
    ("\n", "- $x = \\boxed{%s}$"),
    (" or the other one, ", "$\\boxed{%s}$"),
]


def is_equal(one: str, other: str) -> bool:
    return equality.is_equal(one, other, "expression", use_algebra=True)


@FAST
@given(same_value())
def test_two_forms_of_a_value_are_equal_both_ways(forms: tuple[str, str]) -> None:
    assert is_equal(*forms) and is_equal(*forms[::-1])


@FAST
@given(other_value())
def test_two_values_differ_in_any_forms_both_ways(forms: tuple[str, str]) -> None:
    assert not is_equal(*forms) and not is_equal(*forms[::-1])


@FAST
@given(st.lists(VALUES, min_size=2, max_size=4, unique=True), st.data())
def test_a_set_equals_itself_in_any_order_and_no_part_of_itself(
    values: list[Fraction], data: st.DataObject
) -> None:
    texts = [data.draw(written(value).filter(lambda text: "=" not in text)) for value in values]
    shuffled = data.draw(st.permutations(texts))
    one, other = (f"\\{{{'; '.join(each)}\\}}" for each in (texts, shuffled))
    assert equality.is_equal(one, other, "set", use_algebra=True)
    part = f"\\{{{'; '.join(texts[1:])}\\}}"
    assert not equality.is_equal(one, part, "set", use_algebra=True)


@FAST
@given(INTEGERS, INTEGERS, st.sampled_from(["()", "[)", "(]", "[]"]))
def test_an_interval_has_its_own_ends_alone(low: int, width: int, ends: str) -> None:
    high = low + abs(width) + 1
    interval = f"{ends[0]}{low}, {high}{ends[1]}"
    assert equality.is_equal(interval, f"\\left{interval[:-1]}\\right{ends[1]}", "interval", True)
    others = [f"{ends[0]}{low}, {high + 1}{ends[1]}"]
    others += [f"{each[0]}{low}, {high}{each[1]}" for each in ("()", "[]") if each != ends]
    for other in others:
        assert not equality.is_equal(interval, other, "interval", True)


@FAST
@given(VALUES, VALUES, st.data())
def test_comparing_numbers_is_reflexive_and_symmetric(
    one: Fraction, other: Fraction, data: st.DataObject
) -> None:
    texts = [data.draw(written(value)) for value in (one, other)]
    first, second = (number(text.strip("$").removeprefix("x = ")) for text in texts)
    if first and second:
        assert same_number(first, first)
        assert same_number(first, second) == same_number(second, first) == (one == other)


# Every spelling of a whole number with groups of three digits.
GROUPS = [",", "{,}", "\\,", "\\;", ",\\!", "{\\,}", "'", " "]
UNITS = [
    "\\text{ cm}", "\\,\\mathrm{km/h}", "\\,\\mathrm{J}", "\\ \\text{N}\\cdot\\text{m}", "~\\Omega",
    " apples", "元", " \\text{ square feet}", "\\,\\mathrm{kg}", "\\text{ m/s}^2",
]  # fmt: skip


@FEW
@given(st.integers(1_000, 10**12), st.sampled_from(GROUPS), st.sampled_from(["", *UNITS]))
def test_a_whole_number_is_read_in_every_spelling_and_with_every_unit(
    value: int, group: str, unit: str
) -> None:
    text = f"{value:,}".replace(",", group) + unit
    for answer_type in ("integer", "expression"):
        for reference, verdict in (
            (value, "correct"),
            (value + 1, "wrong"),
            (value // 10, "wrong"),
        ):
            found = grades.grade(f"\\boxed{{{text}}}", str(reference), answer_type)
            assert found.verdict == verdict


@FEW
@given(
    st.lists(st.integers(-500, 500), min_size=2, max_size=60, unique=True),
    st.sampled_from(
        [" \\approx ", " \\sim ", ", ", " or ", " \\text{ or } ", "; ", ", n=", " / or "]
    ),
    st.data(),
)
def test_several_guesses_earn_nothing(values: list[int], joint: str, data: st.DataObject) -> None:
    """Whatever joins them and whichever of them is right."""
    assume(joint.strip() not in ("\\approx", "\\sim") or abs(values[0] - values[1]) > 100)
    wanted = data.draw(st.sampled_from(values))
    boxed = joint.join(map(str, values))
    for answer_type in ("integer", "number", "expression"):
        for response in (f"\\boxed{{{boxed}}}", f"#### {boxed}", f"The answer is {boxed}."):
            assert grades.grade(response, str(wanted), answer_type).verdict != "correct"


@FAST
@given(
    st.lists(INTEGERS, min_size=2, max_size=3, unique=True),
    st.sampled_from([", ", " or ", " and ", "/", "; ", "$ or $", " \\text{ or } ", "\\) or \\("]),
    st.booleans(),
)
def test_several_boxes_in_a_row_earn_nothing(values: list[int], joint: str, is_up: bool) -> None:
    boxed = joint.join(f"\\boxed{{{value}}}" for value in values)
    wanted = str(values[-1] if is_up else values[0])
    assert grades.grade(f"So {boxed}.", wanted, "integer").verdict != "correct"
    steps = " Then ".join(f"\\boxed{{{value}}}." for value in values)
    assert grades.grade(steps, str(values[-1]), "integer").verdict == "correct"


@FAST
@given(INTEGERS, INTEGERS, st.sampled_from(["integer", "number", "expression"]))
def test_a_remark_in_brackets_is_not_an_answer(value: int, other: int, answer_type: str) -> None:
    assume(value != other)
    for remark in (f"{value - 2} + 2 = {value}", "as expected", "rounded", "exactly", "see above"):
        for unit in ("", " apples"):
            said = f"Answer: {value}{unit} ({remark})"
            assert grades.grade(said, str(value), answer_type).verdict == "correct"
            assert grades.grade(said, str(other), answer_type).verdict != "correct"
    for remark in (f"or {other}", f"maybe {other}", f"and {other}", f"or perhaps {other}"):
        said = f"The answer is {value} ({remark})."
        for wanted in (value, other):
            assert grades.grade(said, str(wanted), answer_type).verdict != "correct"


@FAST
@given(st.lists(st.sampled_from("ABCDE"), min_size=2, max_size=5, unique=True), st.data())
def test_several_letters_are_not_a_choice(letters: list[str], data: st.DataObject) -> None:
    joint = data.draw(st.sampled_from([", ", " or ", " and ", "/"]))
    for form in ("%s", "(%s)"):
        boxed = joint.join(form % letter for letter in letters)
        for wanted in letters:
            assert grades.grade(f"\\boxed{{{boxed}}}", wanted, "choice").verdict == "wrong"


@FEW
@given(FRACTIONS, st.integers(2, 6))
def test_a_value_and_its_rounding_are_one_answer(value: Fraction, places: int) -> None:
    rounding = f"{float(value):.{places}f}"
    form = f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    assert is_equal(str(value), f"{form} \\approx {rounding}")
    assert not is_equal(str(value + 1), f"{form} \\approx {rounding}")


@FAST
@given(st.integers(-99, 98), st.integers(1, 99), st.sampled_from(["()", "[)", "(]", "[]"]))
def test_brackets_turned_outwards_are_open_ends(low: int, width: int, ends: str) -> None:
    interval = f"{ends[0]}{low}, {low + width}{ends[1]}"
    french = interval.replace("(", "]").replace(")", "[")
    assert equality.is_equal(interval, french, "interval", True)
    assert equality.is_equal(french, interval, "expression", True)


@FEW
@given(INTEGERS, st.sampled_from("bcdpqvwxyz"), st.sampled_from("abcpqxyz"))
def test_no_letter_behind_a_number_is_swallowed(value: int, one: str, other: str) -> None:
    assume(value)
    for factor in (one, f"{one}{other}x", f"\\{'sqrt'}{{2}}", "\\pi", f"({one})"):
        assert not is_equal(str(value), f"{value}{factor}")
        assert not is_equal(f"{value}{factor}", str(value))


HEADINGS = ["Step %d", "Step %d: Solve", "Part %d", "Case %d: even", "%d. Set up", "Solution %d:"]


@FAST
@given(st.integers(1, 99), st.integers(100, 999), st.sampled_from(HEADINGS), SMALL_WORKING)
def test_a_heading_is_not_an_answer(number_: int, value: int, heading: str, working: str) -> None:
    text = f"#### {heading % number_}\n{working}\n\nThe answer is {value}."
    assert grades.grade(text, str(value), "integer").verdict == "correct"
    assert grades.grade(text, str(number_), "integer").verdict == "wrong"


@FAST
@given(st.integers(2, 999), SMALL_WORKING)
def test_a_cut_response_scores_only_what_it_states(value: int, working: str) -> None:
    unsaid = f"{working} So we get {value}"
    assert grades.grade(unsaid, str(value), "integer").verdict == "correct"
    assert grades.grade(unsaid, str(value), "integer", is_cut=True).verdict == "no_answer"
    for said in (f"\\boxed{{{value}}}", f"#### {value}", f"The answer is {value}."):
        cut = f"{working} {said}\nLet us check"
        assert grades.grade(cut, str(value), "integer", is_cut=True).verdict == "correct"


@FAST
@given(st.lists(VALUES, min_size=2, max_size=4, unique=True), st.sampled_from(BOX_LISTS))
def test_boxes_of_a_list_are_one_answer(values: list[Fraction], form: tuple[str, str]) -> None:
    between, box = form
    response = "The values are " + between.join(box % value for value in values) + "."
    reference = ", ".join(map(str, values))
    assert grades.grade(response, reference, "expression").verdict == "correct"
    part = ", ".join(map(str, values[1:]))
    assert grades.grade(response, part, "expression").verdict != "correct" or len(values) == 2


# Sentences without a box, `####`, "answer", a formula or a numeral of their own.
SENTENCES = st.lists(
    st.sampled_from(
        [
            "We look at the problem first.",
            "Both sides are positive, so we may square them.",
            "This follows from the lemma above.",
            "Let us simplify.",
            "\nThus the claim holds.\n",
            "As the triangle is isosceles, the two angles agree.",
        ]
    ),
    max_size=4,
).map(" ".join)
WORKING = st.lists(
    st.sampled_from(
        ["2 + 2 = 4.", "Here $x = 17$.", "We get 31/7 apples.", "So $y^2 = 9$,", "in case 3"]
    ),
    max_size=4,
).map(" ".join)
STATEMENTS = [
    "So it is $\\boxed{%s}$.",
    "\\boxed{ %s }",
    "Therefore \\[ \\fbox{%s}. \\]",
    "#### %s",
    "The answer is %s.",
    "**Final Answer**: %s",
    "<answer>%s</answer>",
    "The final answer is $%s$.",
]


@FAST
@given(st.text("ab ", max_size=10), WORKING, SENTENCES, INTEGERS, st.sampled_from(STATEMENTS))
def test_the_stated_answer_is_found_behind_any_working(
    head: str, working: str, sentences: str, value: int, statement: str
) -> None:
    response = f"{head}\n{sentences} {working}\n{statement % value}"
    assert grades.grade(response, str(value), "integer").verdict == "correct"
    assert grades.grade(response, str(value + 1), "integer").verdict == "wrong"


@FAST
@given(WORKING, SENTENCES, SENTENCES, FRACTIONS, st.sampled_from(FRACTION_FORMS))
def test_a_box_is_found_wherever_it_is(
    working: str, before: str, after: str, value: Fraction, form: Callable[[Fraction], str]
) -> None:
    content = form(value).strip("$")
    response = f"{before} {working} We get $\\boxed{{{content}}}$. {after}"
    found = extraction.extract(response, "expression")
    assert found is not None and is_equal(str(value), found)


@FAST
@given(SENTENCES, INTEGERS, INTEGERS)
def test_the_last_box_decides(sentences: str, first: int, last: int) -> None:
    response = f"\\boxed{{{first}}} was wrong. {sentences} It is \\boxed{{{last}}}."
    assert extraction.extract(response, "integer") == str(last)


@FAST
@given(SENTENCES, INTEGERS, INTEGERS)
def test_what_was_thought_aloud_does_not_count(sentences: str, thought: int, said: int) -> None:
    response = f"<think>\\boxed{{{thought}}} {sentences}</think>\nIt is \\boxed{{{said}}}."
    assert extraction.extract(response, "integer") == str(said)


@FAST
@given(st.text(max_size=200), st.sampled_from(["integer", "number", "expression", "set"]))
def test_any_text_is_read_without_an_error(text: str, answer_type: str) -> None:
    found = extraction.extract(text, answer_type)
    assert found is None or found.strip()


@pytest.mark.parametrize("answer_type", ["integer", "number", "expression"])
def test_no_response_is_graded_correct_by_saying_nothing(answer_type: str) -> None:
    assert grades.grade("I do not know.", "5", answer_type).verdict != "correct"


@FAST
@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=5), st.data())
def test_a_sum_is_an_answer_only_with_its_result(terms: list[int], data: st.DataObject) -> None:
    """So a model that repeats the question has no answer to it."""
    signs = [data.draw(st.sampled_from(["+", "-", " + ", " - "])) for _ in terms[1:]]
    total = terms[0]
    text = str(terms[0])
    for sign, term in zip(signs, terms[1:], strict=True):
        total += term if sign.strip() == "+" else -term
        text += f"{sign}{term}"
    form = data.draw(st.sampled_from(["\\boxed{%s}", "The answer is $%s$.", "#### %s"]))
    for answer_type in ("integer", "number"):
        assert grades.grade(form % text, str(total), answer_type).verdict == "wrong"
        for stated in (f"{text} = {total}", f"{total} = {text}"):
            assert grades.grade(form % stated, str(total), answer_type).verdict == "correct"
    assert grades.grade(f"\\boxed{{{text}}}", str(total), "expression").verdict == "correct"
