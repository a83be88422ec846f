"""A copied solution and a restated problem are found; steps that solutions share are not."""

import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathledger.filters import decontaminate, overlap_index, solutions
from mathledger.filters.items import Item
from mathledger.filters.solutions import MIN_TOKENS
from mathledger.run import params
from mathledger.text import canonical
from tests import real_data

SETTINGS = params.load("decontaminate", decontaminate.Params)
LONG = (
    "First, we note that the two triangles are similar, because both have a right angle and share "
    "the angle at $A$. So $\\frac{AB}{AD} = \\frac{AC}{AE}$, which gives $AE = \\frac{12 \\cdot "
    "15}{20} = 9$. By Pythagoras, $DE^2 = 15^2 - 9^2 = 144$, and the area is $\\boxed{54}$."
)
SHORT = "There are $7$ ways to choose the hat and $6$ to choose the coat, so $\\boxed{42}$."
ITEMS = [
    Item("quiz", "rev", "test", "long", "Find the area of triangle $ADE$.", False, LONG),
    Item("quiz", "rev", "test", "short", "Compute $\\binom{9}{4} + 13$.", False, SHORT),
    Item("quiz", "rev", "test", "none", "What is the value of $7! - 6!$?", False, None),
    Item("quiz", "rev", "test", "tiny", "Find $x$.", False, "It is $3$."),
]
OTHERS = [
    "We add the numbers: $12 + 15 = 27$. So the answer is $\\boxed{27}$.",
    "By Pythagoras, $AC^2 = 3^2 + 4^2 = 25$, so $AC = 5$ and the area is $\\boxed{6}$.",
    "Let $x$ be the price. Then $3x + 4 = 19$, so $x = 5$. Check: $3 \\cdot 5 + 4 = 19$.",
]


def index_of(items: list[Item], sample: list[str]) -> decontaminate.Search:
    texts = pa.array([item.problem for item in items])
    problems = overlap_index.build(texts, pa.array(OTHERS), SETTINGS.thresholds)
    return decontaminate.Search(problems, solutions.build(items, pa.array(sample), problems))


@pytest.fixture(scope="module")
def index() -> decontaminate.Search:
    return index_of(ITEMS, OTHERS)


def found(text: str, index: decontaminate.Search) -> set[tuple[str, bool]]:
    """Return the items from which a solution takes something, and whether it is their solution."""
    texts = pa.array([text])
    pairs = solutions.match(texts, index.solutions)
    may = int(solutions.may_take(texts, index.solutions, index.problems)[0])
    for is_copy in pairs.is_copy.tolist():  # The quick search misses nothing.
        assert may & (solutions.MAY_COPY if is_copy else solutions.RESTATES)
    assert bool(may & solutions.RESTATES) == (not pairs.is_copy.all())
    return {
        (ITEMS[item].id, is_copy)
        for item, is_copy in zip(pairs.items.tolist(), pairs.is_copy.tolist(), strict=True)
    }


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        f"Here is my solution. {LONG} I hope that it helps.",
        LONG.replace("$", "").replace("\\cdot", "\\times"),
        LONG.replace("\\frac", "\\dfrac").replace(". ", ".\n\n"),
        LONG.replace("First, we note", "Note"),
    ],
)
def test_a_copied_solution_is_found_under_any_statement(
    text: str, index: decontaminate.Search
) -> None:
    assert found(text, index) == {("long", True)}


@pytest.mark.parametrize(
    "text",
    [
        LONG.replace("12", "13").replace("54", "56").replace("144", "160"),
        LONG[: len(LONG) // 2],
        f"Case 1. {SHORT} Case 2: as before there are $42$ ways, so the total is $\\boxed{{84}}$.",
        *OTHERS,
    ],
)
def test_a_template_a_part_and_a_common_step_are_not_copies(
    text: str, index: decontaminate.Search
) -> None:
    assert found(text, index) == set()


def test_a_short_solution_must_be_the_whole_text(index: decontaminate.Search) -> None:
    assert len(canonical.spellings(SHORT)) >= MIN_TOKENS
    assert found(SHORT.replace("$", ""), index) == {("short", True)}


@pytest.mark.parametrize(
    ("text", "item"),
    [
        ("Problem: Compute $\\binom{9}{4} + 13$. Solution: we have $126 + 13 = 139$.", "short"),
        ("We restate it. Find \\(\\tbinom94+13\\). It is $139$.", "short"),
        ("Question: Calculate $7! - 6!$. Since $7! = 5040$, it is $4320$.", "none"),
        ("Find $7! - 6!$.\n\nIt is $4320$.", "none"),
    ],
)
def test_a_short_problem_is_found_where_a_solution_restates_it(
    text: str, item: str, index: decontaminate.Search
) -> None:
    assert found(text, index) == {(item, False)}


@pytest.mark.parametrize(
    "text",
    [
        "To find it, we compute $\\binom{9}{4} + 13 = 139$ and divide by $2$.",
        "We have $7! - 6! = 4320$. So the answer is $4320$.",
        "Find $x$. It is $3$.",
        "Compute $\\binom{9}{4} - 13$. Then find $7! + 6!$.",
    ],
)
def test_a_step_of_a_solution_restates_nothing(text: str, index: decontaminate.Search) -> None:
    assert found(text, index) == set()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([*OTHERS, *LONG.split(". "), SHORT, "Find $x$."]), max_size=8))
def test_the_quick_search_finds_whatever_the_comparison_finds(parts: list[str]) -> None:
    found(". ".join(parts), _INDEX)


_INDEX = index_of(ITEMS, OTHERS)


def published() -> Iterator[Item]:
    path = real_data.DATASETS / "HuggingFaceH4/MATH-500/test.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield Item(
            "math500", "rev", "test", row["unique_id"], row["problem"], False, row["solution"]
        )


@real_data.needs(real_data.DATASETS, "copies of published solutions")
def test_every_published_solution_is_found_in_other_formatting_and_nowhere_else() -> None:
    items = [*published()]
    index = index_of(items, [item.solution or "" for item in items[:100]]).solutions
    texts = [
        "The solution follows.\n"
        + (item.solution or "").replace("\\frac", "\\dfrac").replace("$", "")
        for item in items
    ]
    pairs = solutions.match(pa.array(texts), index)
    own = pairs.rows[(pairs.rows == pairs.items) & pairs.is_copy]
    searched = np.flatnonzero(index.lengths >= solutions.LONG_TOKENS)
    assert len(np.intersect1d(own, searched)) >= 0.99 * len(searched)
    assert (pairs.rows == pairs.items).all()
