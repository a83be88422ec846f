"""Texts that differ in wording alone are copies; a change of meaning keeps them apart.

The properties hold for any text, so the first half draws stories, and the second half reads the
published problems in ../shared, if they are present.
"""

import itertools
import json
import random
import re
from collections.abc import Callable
from functools import cache

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathledger.filters import wording
from mathledger.text import canonical
from tests import real_data
from tests.filters.copies import are_copies

NAMES = ("Ana", "Bo", "Carl", "Dina", "Emil", "Fay")
THINGS = ("apples", "boxes", "cards", "marbles", "stories", "tiles")
DEEDS = ("buys", "carries", "finds", "paints", "sells", "sorts")


@st.composite
def stories(draw: st.DrawFn) -> list[str]:
    """Draw four clauses and a question, each with a name, a thing and a number of its own."""
    numbers = draw(st.lists(st.integers(3, 999), min_size=4, max_size=4, unique=True))
    names, things = draw(st.permutations(NAMES)), draw(st.permutations(THINGS))
    clauses = [
        f"{name} {draw(st.sampled_from(DEEDS))} {number} {thing} on the way home"
        for name, number, thing in zip(names, numbers, things, strict=False)
    ]
    return [*clauses, f"How many {things[0]} does {names[0]} have more than {names[1]}"]


def told(clauses: list[str]) -> str:
    return ". ".join(clauses) + "?"


@settings(max_examples=30, deadline=None)
@given(stories(), st.integers(0, 3))
def test_a_clause_added_or_dropped_makes_another_problem(clauses: list[str], place: int) -> None:
    added = [*clauses[:place], "Nobody gives anything to somebody else", *clauses[place:]]
    assert not are_copies(told(clauses), told(added))
    longer = [*clauses[:place], clauses[place] + ", where it rains", *clauses[place + 1 :]]
    assert not are_copies(told(clauses), told(longer))
    assert not are_copies(told(clauses), told([*clauses[:place], *clauses[place + 1 :]]))


@settings(max_examples=30, deadline=None)
@given(stories(), st.integers(0, 3), st.integers(0, 3))
def test_two_swapped_words_or_numbers_make_another_problem(
    clauses: list[str], one: int, other: int
) -> None:
    if one == other:
        return
    for word in (0, 2, 3):  # The names, the numbers, the things.
        left, right = clauses[one].split()[word], clauses[other].split()[word]
        swapped = [
            clause.replace(left, "\0").replace(right, left).replace("\0", right)
            if at < 4
            else clause
            for at, clause in enumerate(clauses)
        ]
        if one < 2 or other < 2 or word == 2:  # Else the question is the same.
            assert not are_copies(told(clauses), told(swapped))


@settings(max_examples=30, deadline=None)
@given(stories(), st.data())
def test_free_words_added_or_dropped_make_a_copy(clauses: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, 3))
    word = data.draw(st.sampled_from(["then", "also", "so", "thus"]))
    name, rest = clauses[place].split(" ", 1)
    reworded = [*clauses[:place], f"{name} {word} {rest}", *clauses[place + 1 :]]
    assert are_copies(told(clauses), told(reworded))
    assert are_copies(told(clauses), told(clauses) + " Justify your answer.")
    assert are_copies(told(clauses), "Q: " + told(clauses).replace("on the way", "on their way"))


@pytest.mark.parametrize("heading", ["Q: ", "Question: ", "Q. ", "Problem 3. ", "Problem: "])
@pytest.mark.parametrize("asked", ["Find the area of $CDE$.", "Find $x + y$.", "Find $Q + 2q$."])
def test_a_heading_before_a_problem_with_names_makes_a_copy(heading: str, asked: str) -> None:
    """Names are compared in the order in which they occur, and Q is none of them."""
    problem = f"Let $ABC$ be a triangle with $AB = 2x$ and $BC = 5y + x$. {asked}"
    assert are_copies(problem, heading + problem)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("is at least 20", "is at most 20"),
        ("is 20 with replacement", "is 20 without replacement"),
        ("rises by 20", "rises to 20"),
        ("is 20 and odd", "is 20 or odd"),
        ("is 20 each", "is 20"),
        ("is 20 for him", "is 20 for her"),
        ("may be 20", "must be 20"),
        ("is not 20", "is 20"),
        ("is the area $a$ of 20", "is the area of 20"),
        ("is $a + b = 20$ for $a > 3$", "is $b + a = 20$ for $a > 3$"),
        ("is $2(x + 1) = 20$", "is $(2x + 1) = 20$"),
        ("is in $[20, x)$", "is in $(20, x]$"),
        ("is the angle 20", "is the angel 20 of the angle"),
    ],
)
def test_a_word_that_turns_the_meaning_makes_another_problem(one: str, other: str) -> None:
    text = "Ann has 12 red tiles and 7 blue ones in her box, and the value {} when Bob asks for it."
    assert not are_copies(text.format(one), text.format(other))


NAMES_OF_VARIABLES = st.lists(st.sampled_from("cpqvwxz"), min_size=3, max_size=3, unique=True)


@settings(max_examples=30, deadline=None)
@given(NAMES_OF_VARIABLES, NAMES_OF_VARIABLES, st.integers(2, 99))
def test_variables_renamed_throughout_make_a_copy(
    one: list[str], other: list[str], number: int
) -> None:
    text = "Let ${0} + 3{1} = 7{2}$ and ${1} - {2} = %d$, where ${2} > 0$. What is ${0} - {1}$?"
    text %= number
    assert are_copies(text.format(*one), text.format(*other))
    turned = text.replace("{1} - {2}", "{2} - {1}")
    asked = text.replace("{0} - {1}$?", "{1} - {0}$?")
    for each in (turned, asked):
        assert not are_copies(text.format(*one), each.format(*other))


@pytest.mark.parametrize(
    ("right", "typo"),
    [("rectangle", "rectanlge"), ("telescope", "telescpe"), ("equilateral", "equilaterall")],
)
def test_a_typo_does_not_make_another_problem(right: str, typo: str) -> None:
    text = (
        "Ann has 12 red tiles and 7 blue ones in her {} box, gives 3 red ones to her brother Bob, "
        "and loses 2 tiles on the way home. How many tiles does Ann have in the evening?"
    )
    assert are_copies(text.format(right), text.format(typo))
    longer = text + f" The {right} box is hers."
    assert not are_copies(longer.format(right), longer.format(typo))  # It may be another thing.


def test_points_that_a_drawing_names_keep_their_names() -> None:
    drawing = '[asy] draw((0,0)--(4,0)--(4,3)--cycle); label("$A$",(0,0)); [/asy]'
    text = "In triangle $ABC$, the side $AB$ is 4 and $BC$ is 3. What is the sine of {}? " + drawing
    assert not are_copies(text.format("$A$"), text.format("$B$"))
    assert are_copies(text.format("$A$"), text.format("$A$").replace("What is", "Find"))


def test_a_bracket_without_its_partner_is_a_typo() -> None:
    text = (
        "Ann has 12 red tiles (and 7 blue ones) and puts $f(x)$ of them in $[0, x)$ of her boxes."
    )
    assert are_copies(text, text.replace("12", "(12"))
    assert are_copies(text, text.replace("12", "12)"))
    assert not are_copies(text, text.replace("[0, x)", "(0, x]"))
    assert not are_copies(text, text.replace("f(x)", "fx"))


needs_problems = real_data.needs(real_data.DATASETS, "copies among published problems")


@cache
def published() -> list[str]:
    """Return published problems of 20 to 120 tokens, without drawings."""
    parts = sorted((real_data.DATASETS / "AI-MO/NuminaMath-CoT/data").glob("train-*.parquet"))
    texts = [text for part in parts for text in pq.read_table(part)["problem"].to_pylist()]
    chosen = random.Random(7).sample(sorted(set(texts)), 600)
    plain = [text for text in chosen if "asy" not in text and "(A)" not in text]
    return [text for text in plain if 20 <= len(canonical.spellings(text)) <= 120]


NUMBER = re.compile(r"(?<![\w.,{])\d+(?![\w.,}])")


def _swap_numbers(text: str) -> str | None:
    found = list(NUMBER.finditer(text))
    for one, other in itertools.pairwise(found):
        if int(one[0]) != int(other[0]):
            middle = text[one.end() : other.start()]
            return text[: one.start()] + other[0] + middle + one[0] + text[other.end() :]
    return None


def _swap_words(text: str) -> str | None:
    """Swap the first two nouns, here words of five or more letters, everywhere."""
    words = list(dict.fromkeys(re.findall(r"(?<![\w\\])[a-z]{5,}(?![\w}])", text)))
    words = [word for word in words if word not in wording.FREE]
    if len(words) < 2 or words[0][:4] == words[1][:4]:  # The same word in another form.
        return None
    swap = {words[0]: words[1], words[1]: words[0]}
    pattern = rf"(?<![\w\\])({'|'.join(map(re.escape, swap))})(?![\w}}])"
    return re.sub(pattern, lambda found: swap[found[0]], text)


def _drop_clause(text: str) -> str | None:
    parts = re.split(r"(?<=[a-z])[,.] (?=[A-Za-z])", text)
    return ", ".join([parts[0], *parts[2:]]) if len(parts) > 2 and len(parts[1]) > 25 else None


def _add_clause(text: str) -> str | None:
    at = text.find(". ")
    return text[:at] + ", which is known to hold on weekdays" + text[at:] if at > 0 else None


def _move_bracket(text: str) -> str | None:
    found = re.search(r"\(([^()$,]*)([+-])([^()$,]*)\)", text)
    if not found:
        return None
    moved = f"{found[1]}{found[2]}({found[3]})" if found[3].strip() else None
    return moved and text[: found.start()] + moved + text[found.end() :]


@needs_problems
@pytest.mark.parametrize(
    "change", [_swap_numbers, _swap_words, _drop_clause, _add_clause, _move_bracket]
)
def test_published_problems_that_say_something_else_stay_apart(
    change: Callable[[str], str | None],
) -> None:
    pairs = [(text, other) for text in published() if (other := change(text)) and other != text]
    assert len(pairs) >= 30
    assert [pair for pair in pairs if are_copies(*pair)] == []


def _reworded(text: str) -> str:
    text = re.sub(r"\b[Ff]ind\b", lambda found: {"F": "Compute", "f": "compute"}[found[0][0]], text)
    text = re.sub(r"\bthe ([a-z]{4,})\b", r"this \1", text, count=1)
    return re.sub(r"\$([^$]+)\$", r"\\(\1\\)", text) + " Explain your reasoning."


@needs_problems
def test_published_problems_in_other_free_words_are_copies() -> None:
    apart = [text for text in published() if not are_copies(text, _reworded(text))]
    assert len(apart) <= 0.05 * len(published())


CASES = real_data.SHARED / "filter_cases/dedup_pairs.jsonl"


@real_data.needs(CASES, "deduplication on pairs with the right answer")
def test_pairs_are_merged_or_kept_apart_as_they_should_be() -> None:
    pairs = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    wrong = [
        pair["kind"]
        for pair in pairs
        if are_copies(pair["a"], pair["b"]) != (pair["expect"] == "merge")
    ]
    assert wrong == []
