"""A text is compared with an item unit by unit: order, brackets, variables, words and drawings."""

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mathledger.core.errors import InputError
from mathledger.filters import decontaminate, overlap, overlap_index
from mathledger.filters.decision import Match, stop_at_broad_item
from mathledger.filters.items import Item
from mathledger.run import params

SETTINGS = params.load("decontaminate", decontaminate.Params)
OTHERS = [f"A box holds {n} pens and {n + 3} caps. Find the mean of $x^{n}$." for n in range(40)]


def class_of(text: str, item: str) -> str | None:
    index = overlap_index.build(pa.array([item]), pa.array(OTHERS), SETTINGS.thresholds)
    kinds = overlap.match(pa.array([text]), index).classes
    return overlap.CLASSES[kinds[0]] if len(kinds) else None


def is_leak(text: str, item: str) -> bool:
    return class_of(text, item) in overlap.CONTAMINATION


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


def figure(side: int) -> str:
    return f"[asy] draw((0,0)--({side},0)--(0,3)--cycle); [/asy]"


def test_another_drawing_makes_a_sibling() -> None:
    item = f"What is the area of this triangle? {figure(4)}"
    assert class_of(item.replace("; ", ";\n"), item) == "same"
    assert class_of(item.replace(figure(4), figure(5)), item) == "sibling"
    assert class_of("What is the area of this triangle?", item) == "sibling"


@pytest.mark.parametrize("item", ["x", "2", "Find x.", "A", "Find the value of 7."])
def test_an_item_too_short_to_be_told_apart_is_not_matched(item: str) -> None:
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
