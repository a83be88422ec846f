"""A text is compared with an item unit by unit: order, brackets, variables, words and drawings."""

import re

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mathledger.core.errors import InputError
from mathledger.filters import overlap, overlap_index
from mathledger.filters.decision import Match, stop_at_broad_item
from mathledger.filters.items import Item
from tests.filters.matching import OTHERS, SETTINGS, class_of, is_leak

numbers = st.lists(st.integers(2, 99), min_size=4, max_size=4, unique=True)
STORIES = (
    "Ana picks {} plums in {} minutes, and Bo picks {} plums in {} minutes. Who is faster?",
    "Let $f(x) = {}x^3 - {}x^2 + {}x$. What is $f({})$?",
    "What is the distance of $({}, {})$ from $({}, {})$?",
    r"Evaluate $\frac{{ {} + {} }}{{ {} }} \cdot {}$.",
)


@settings(max_examples=40, deadline=None, database=None)
@given(st.sampled_from(STORIES), numbers, st.permutations(range(4)))
def test_numbers_in_another_order_make_another_problem(
    story: str, values: list[int], order: list[int]
) -> None:
    item, text = story.format(*values), story.format(*(values[at] for at in order))
    assert is_leak(text, item) == (text == item)


@pytest.mark.parametrize(
    ("text", "item", "expected"),
    [
        ("Simplify $(a + b)^2 - 3ab$.", "Simplify $a + b^2 - 3ab$.", "variant"),
        ("Evaluate $|5 - 12i| + 4$.", "Evaluate $|5 - 12i|$.", "variant"),
        ("Let $p + 3q = 7$ and $p - q = 1$. What is $p$?", None, "same"),
        ("Let $u + 3v = 7$ and $u - v = 1$. What is $u$?", None, "contained"),
        ("Let $p + 3q = 7$ and $p - q = 1$. What is $q$?", None, "sibling"),
        ("What is $p$ if $p + 3q = 7$ and $p - q = 1$?", None, "contained"),
    ],
)
def test_brackets_and_variables(text: str, item: str | None, expected: str) -> None:
    assert class_of(text, item or "Let $p + 3q = 7$ and $p - q = 1$. What is $p$?") == expected


STORY = (
    "A farmer sells 14 sacks of oats and 9 sacks of rye to a mill. Every sack weighs 25 pounds. "
    "How many pounds does he sell to the mill?"
)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("sells", "buys", "sibling"),
        ("How many pounds does he sell", "What is the number of pounds he sells", "contained"),
        ("Every sack", "The mill is old and red. Every sack", None),
        ("Every sack", "It rained all morning. Every sack", "contained"),
        ("Every sack", "He keeps 3 sacks of oats. Every sack", None),
        ("he sell", "the farmer sell", "contained"),
    ],
)
def test_words_and_sentences(old: str, new: str, expected: str | None) -> None:
    kind = class_of(STORY.replace(old, new), STORY)
    assert kind == expected if expected else kind not in overlap.CONTAMINATION


QUESTIONS = (
    "How many pounds does he sell to the mill?",
    "How many sacks does he sell to the mill?",
    "How many pounds of rye does he sell?",
    "How much do the oats weigh?",
    "What is the ratio of the first of these quantities to the last one?",
    "What is the average of all the quantities that are mentioned?",
)


@settings(max_examples=40, deadline=None, database=None)
@given(st.sampled_from(QUESTIONS), st.sampled_from(QUESTIONS))
def test_the_same_story_with_another_question_is_another_problem(asked: str, other: str) -> None:
    story = STORY.removesuffix(QUESTIONS[0])
    assert story != STORY and is_leak(story + other, story + asked) == (asked == other)


def figure(side: int) -> str:
    return f"[asy] size(100); draw((0,0)--({side},0)--(0,3)--cycle); [/asy]"


def test_another_drawing_makes_a_sibling() -> None:
    item = f"What is the area of this triangle? {figure(4)}"
    assert class_of(item.replace("; ", ";\n").replace("100", "99"), item) == "same"
    assert class_of(item.replace(figure(4), figure(5)), item) == "sibling"
    assert class_of("What is the area of this triangle?", item) == "sibling"


REDRAWN = "[asy] pair A, B, C; A = origin; B = 4*dir(0); C = (B.x, 3); draw(A--B--C--A); [/asy]"


@pytest.mark.parametrize("side", [3, 5, 7])
def test_a_long_text_decides_if_both_draw_it_but_not_if_one_drawing_is_an_edit(side: int) -> None:
    item = f"{STORY} The mill is drawn below as a triangle with legs of 4 and 3 yards. {figure(4)}"
    assert class_of(item.replace(figure(4), figure(side)), item) == "sibling"
    assert class_of(item.replace(figure(4), REDRAWN), item) == "same"
    assert class_of(item.replace(figure(4), ""), item) == "same"


AREA = (
    "A circle meets the lines $y = 3x + 7$ and $y = 8x - 5$ at four points of a convex trapezoid. "
)
WRAPPED = (
    "What is the area of this trapezoid?",
    "Find the area of this trapezoid.",
    "The area of this trapezoid is $\\frac{m}{n}$, where $m$ and $n$ are relatively prime positive "
    "integers. Find $m + n$.",
    "The area of this trapezoid can be written in the form $p\\sqrt{q}$, where $p$ and $q$ are "
    "positive integers and $q$ is not divisible by the square of any prime. What is $p + q$?",
    "Let $\\frac{p}{q}$ be the area of this trapezoid, where $p$ and $q$ are coprime positive "
    "integers. Find $p + q$.",
    "Let $N$ be the area of this trapezoid. Find the remainder when $N$ is divided by $1000$.",
    "What is the sum of the numerator and the denominator of the simplest fraction that represents "
    "the area of this trapezoid?",
    "Find the area of this trapezoid. Output the remainder when the answer is divided by 100.",
)


@settings(max_examples=30, deadline=None, database=None)
@given(st.sampled_from(WRAPPED), st.sampled_from(WRAPPED))
def test_an_answer_in_another_form_is_an_answer_to_the_same_problem(one: str, other: str) -> None:
    """Only two forms of an answer that both ask for a number of their own are left apart."""
    both_wrapped = min(map(WRAPPED.index, (one, other))) > 1 and one != other
    assert both_wrapped or is_leak(AREA + one, AREA + other)
    assert not is_leak(AREA.replace("7", "9") + one, AREA + other)
    assert not is_leak(AREA + one.replace("area", "perimeter"), AREA + other)


@pytest.mark.parametrize("old", ["m + n", "p + q"])
@pytest.mark.parametrize("new", ["%s - %s", "%s %s", "%s + 2%s", "%s + %s + 5"])
def test_another_request_in_a_wrapper_is_another_problem(old: str, new: str) -> None:
    for item in (AREA + each for each in WRAPPED if old in each):
        assert not is_leak(item.replace(old, new % tuple(old.split(" + "))), item)


LONG = (
    "A machine stamps 14 medallions in the first minute and 9 decorations in every other minute. "
    "The owner accumulates all of them in a cupboard that holds 350 pieces. "
    "How many minutes pass until the cupboard overflows?"
)
MISSPELT = re.findall(r"\w{9,12}", LONG)


@settings(max_examples=40, deadline=None, database=None)
@given(st.sampled_from(MISSPELT), st.integers(2, 6), st.sampled_from("bdfgkmpv"))
def test_a_misspelt_word_is_the_word(word: str, at: int, letter: str) -> None:
    for slip in (word[:at] + word[at + 1 :], word[:at] + letter + word[at + 1 :]):
        assert is_leak(LONG.replace(word, slip), LONG) and is_leak(LONG, LONG.replace(word, slip))
    assert not is_leak(LONG.replace(word, "quotations"), LONG)


SHAPE = (
    "In a convex quadrilateral with sides $a = 5$ and $c = 8$ the diagonals $AC$ and $BD$ meet at "
    "$E$, the angle $ABC$ is right, and $x_1 = 7$ is the root of $x^2 - 9x + 14 = 0$. Find {}."
)


@pytest.mark.parametrize(
    ("text", "item", "expected"),
    [
        ("$AC$", "$CA$", True),
        ("$AC$", "$AB$", False),
        ("$ABC$", "$BAC$", False),
        ("$a - c$", "$c - a$", False),
        ("$a^c$", "$c^a$", False),
        ("$a / c$", "$c / a$", False),
    ],
)
def test_two_names_may_be_swapped_only_where_this_says_the_same(
    text: str, item: str, expected: bool
) -> None:
    assert is_leak(SHAPE.format(text), SHAPE.format(item)) == expected


ROUNDED = (
    "Find $r$.",
    r"Find $\lfloor 100r \rfloor$.",
    r"Find $\lceil r \rceil$.",
    "Find the integer nearest to $r$.",
    "Find the greatest integer less than or equal to $r$.",
)


@settings(max_examples=40, deadline=None, database=None)
@given(st.sampled_from(ROUNDED), st.sampled_from(ROUNDED))
def test_a_rounded_answer_is_an_answer_to_the_same_problem(one: str, other: str) -> None:
    """Two ways of rounding ask for two numbers."""
    story = "The roots of $x^3 - 7x^2 + 5x - 3 = 0$ and of $x^2 = 12x + 5$ have the ratio $r$ > 1. "
    both_rounded = min(map(ROUNDED.index, (one, other))) > 0
    assert is_leak(story + one, story + other) == (one == other or not both_rounded)
    assert not is_leak(story.replace("12", "13") + one, story + other)


NOTES = (
    "",
    " (The oats of all farmers weigh the same and are of one kind.)",
    " (The rye of all farmers costs the same and is sold by weight.)",
)


@pytest.mark.parametrize("own", NOTES)
@pytest.mark.parametrize("other", NOTES)
def test_a_note_in_brackets_may_be_missing_but_not_differ(own: str, other: str) -> None:
    assert is_leak(STORY + own, STORY + other) == (own == other or not (own and other))


def test_a_text_with_numbers_of_its_own_is_no_sibling() -> None:
    item = f"What is the number of square feet in the area of this trapezoid? {figure(4)}"
    asked = "What is the number of square feet in the area of this {}?"
    assert class_of(asked.format("pentagon"), item) == "sibling"
    own = "A field is three times as long as wide. Its perimeter is 160 feet. "
    assert class_of(own + asked.format("field"), item) is None


@settings(max_examples=30, deadline=None, database=None)
@given(st.sampled_from(STORIES[:1]), numbers, st.integers(0, 3))
def test_one_may_be_a_word(story: str, values: list[int], at: int) -> None:
    item, text = (story.format(*values[:at], one, *values[at + 1 :]) for one in ("1", "one"))
    other = story.format(*values[:at], 3, *values[at + 1 :])
    assert is_leak(text, item) and is_leak(item, text) and not is_leak(text, other)


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("Bo has 12 pens less than Ann.", "Bo has 12 pens fewer than Ann."),
        ("A car drives 80 miles per hour.", "A car drives 80 miles/hour."),
        ("Each log is a quarter as long.", "Each log is one-fourth as long."),
        ("Each log is one-quarter inch long.", "Each log is a quarter of an inch long."),
        ("He has 7 grand-daughters.", "He has 7 granddaughters."),
        ("What percentage of 60 is 12 here?", "What percent of 60 is 12 here?"),
        ("In terms of $k$, what is $7k - (3k + 8)$?", "What is $7k - (3k + 8)$?"),
        ("Let $z = 3 + 7i$, where $i^2 = -1$. Find $|z|$.", "Let $z = 3 + 7i$. Find $|z|$."),
        ("A 2 percent fee and a 3 percent tax.", "a 2 percent fee and a 3 percent tax."),
        ("A hat costs 7 dollars, a scarf 9 dollars.", r"A hat costs \textdollar 7, a scarf \$9."),
        ("How many different hats cost 9 cents?", "How many hats cost 9 cents?"),
        ("A square has side length 7 and area 49.", "A square has side 7 and area 49."),
        (
            "Some words of $A$, $B$ and $C$ - and all of 9 such letters - are in this book.",
            "Some words of $A$, $B$ and $C$ --- and all of 9 such letters --- are in this book.",
        ),
        (
            "Let $m\\angle NOM = 40^\\circ$ and $ON = 3$.",
            "Let $\\angle NOM = 40^\\circ$ and $ON = 3$.",
        ),
        ("If $2x + 9 = 7$, find $x$ in terms of radicals.", "If $2x + 9 = 7$, find $x$."),
    ],
)
def test_one_thing_has_the_same_units(text: str, item: str) -> None:
    assert is_leak(text, item) and is_leak(item, text)


@pytest.mark.parametrize("item", ["x", "2", "Find x.", "A", "Find the value of 7."])
def test_an_item_too_short_to_be_distinctive_is_not_matched(item: str) -> None:
    texts = pa.array(
        [item, "What is x?", "If y = 3 find y + 2.", "Find the value of 7.", "2 + 2 ="]
    )
    index = overlap_index.build(pa.array([item, STORY]), texts, SETTINGS.thresholds)
    assert overlap_index.too_short(index).tolist() == [0]
    assert len(overlap.match(texts, index).rows) == 0


@settings(max_examples=60, deadline=None, database=None)
@given(st.text(max_size=12), st.integers(1, 60))
@example("\u2a0c", 50)
@example("\ufdfa", 50)
@example("ABCD", 50)
@example("(((", 50)
def test_any_text_is_compared_with_any_item(text: str, times: int) -> None:
    """Few bytes may become many tokens and units, for which there must be room."""
    texts = pa.array([text * times, "x", text])
    index = overlap_index.build(texts, pa.array(OTHERS), SETTINGS.thresholds)
    matches = overlap.match(texts, index)
    assert set(matches.classes.tolist()) <= set(range(len(overlap.CLASSES)))


def test_an_item_that_removes_a_large_part_stops_the_stage() -> None:
    items = [Item("web", "rev", None, "a7", "Solve it.", private=False)]
    leak, variant = (
        Match(0, overlap.CLASSES.index(kind), "problem", 1.0, 1.0, 1.0)
        for kind in ("contained", "variant")
    )
    stop_at_broad_item([[leak, leak]] * 100, items, 1000, 0.01)
    stop_at_broad_item([[variant]] * 500, items, 1000, 0.01)
    with pytest.raises(InputError, match="web: item a7 is found in 101 of 1000 problems"):
        stop_at_broad_item([[leak]] * 101, items, 1000, 0.01)


DRAWINGS = [
    "[asy]draw((0,0)--(1,1));[/asy]",
    "[asy][/asy]",
    r"\begin{tikzpicture}\draw (0,0);\end{tikzpicture}",
]


@pytest.mark.parametrize("item", [*DRAWINGS, "<b>", "?", "\t"])
@pytest.mark.parametrize("with_others", [True, False])
def test_an_item_without_a_token_is_compared(item: str, with_others: bool) -> None:
    """An item may be a drawing alone, and a benchmark may have no other items."""
    items = pa.array([item, *(OTHERS if with_others else [])])
    texts = pa.array([item, *DRAWINGS, "What is 7 + 8?", "x"])
    index = overlap_index.build(items, texts, SETTINGS.thresholds)
    assert len(index.sizes)
    for solutions in (True, False):
        overlap.match(texts, index, solutions=solutions)
    if item in DRAWINGS:
        found = overlap.match(pa.array([item]), index)
        assert [overlap.CLASSES[each] for each in found.classes] == ["same"]
