"""Responses copied from training solutions are found, and original ones are not."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mathledger.card import copied
from mathledger.card.ledger_memorisation import ResponsesRow
from mathledger.card.overlap import Hits
from mathledger.core.tables import EXAMPLE, Row, removed_schema, write_rows

REMOVED = removed_schema(pa.struct([pa.field("class", pa.string())]))
WORDS = re.findall(
    r"\w+",
    "first we count the hens that lay eggs on monday then add those which rest and sell what is "
    "left over for nine coins each before the market closes and so the farmer ends up with some",
)


def prose(seed: int, length: int = 40) -> str:
    """Return made-up prose; two seeds never share eight consecutive words."""
    rng = np.random.default_rng(seed)
    return " ".join(rng.choice(WORDS, length))


def example(name: str, solution: str) -> Row:
    row = dict.fromkeys(EXAMPLE.names, "x") | {"id": name, "solution": solution, "origin_row": 0}
    return row | {"answer": None}


NAMES = [f"item{number}" for number in range(8)]
HELD = NAMES[:4]  # the corpora hold these


@pytest.fixture
def corpus(tmp_path: Path) -> tuple[Path, Path]:
    """Write a removed row for two HELD items, a flagged row for the others, and 50 more."""
    removed, kept = tmp_path / "removed.parquet", tmp_path / "kept.parquet"
    rows = [example(f"row{at}", prose(at)) for at in range(4)]
    gone = [{**row, "reason": "same", "evidence": {"class": "same"}} for row in rows[:2]]
    write_rows(removed, gone, REMOVED)
    more = [example(f"more{at:02}", prose(1000 + at)) for at in range(50)]
    write_rows(kept, [*rows[2:], *more], EXAMPLE)
    return removed, kept


HITS: Hits = {
    "b": {name: {f"row{at}": at < 2} for at, name in enumerate(HELD)},
}


def found(
    responses: dict[str, list[str]], corpus: tuple[Path, Path], problem: str = "how many?"
) -> ResponsesRow:
    """Return the row of a model that answered benchmark b; item i's own solution is prose(i)."""
    items = [
        {"id": name, "problem": problem, "solution": prose(at)} for at, name in enumerate(NAMES)
    ]
    samples = [
        {"item_id": name, "repeat": repeat, "response": response}
        for name, each in responses.items()
        for repeat, response in enumerate(each)
    ]
    (row,) = copied.from_solutions({("tuned", "b"): samples}, {"b": items}, HITS, *corpus)
    return row


def test_responses_that_copy_removed_or_flagged_solutions_are_found(
    corpus: tuple[Path, Path],
) -> None:
    own = {name: [prose(500 + at)] for at, name in enumerate(NAMES)}
    copies = {name: [prose(at)] for at, name in enumerate(HELD)}
    row = found(own | copies, corpus)
    assert (row.solutions_share, row.unrelated_share) == (1.0, 0.0)
    assert (row.num_items, row.num_solutions, row.num_solutions_kept) == (4, 4, 2)
    assert (row.reference_share, row.others_reference_share) == (1.0, 0.0)
    assert row.tests[0].is_higher and row.tests[0].p_value < 0.05

    row = found(own, corpus)
    assert (row.solutions_share, row.reference_share) == (0.0, 0.0)
    assert row.tests[0].p_value == 1.0


def test_a_style_that_gives_every_item_its_own_solution_is_not_evidence(
    corpus: tuple[Path, Path],
) -> None:
    """If a problem has only one natural solution, all correct responses share its text."""
    row = found({name: [prose(at)] for at, name in enumerate(NAMES)}, corpus)
    assert row.solutions_share == 1.0
    assert (row.reference_share, row.others_reference_share) == (1.0, 1.0)
    assert row.tests[0].p_value == 1.0


def test_half_a_copy_is_about_half_a_share(corpus: tuple[Path, Path]) -> None:
    halves = {
        name: [" ".join(prose(at).split()[:20]) + " " + prose(700 + at, 20)]
        for at, name in enumerate(HELD)
    }
    row = found(halves, corpus)
    assert row.solutions_share == pytest.approx(13 / 33, abs=1e-4)  # 13 of 33 runs


def test_what_the_problem_says_does_not_count_as_a_copy(corpus: tuple[Path, Path]) -> None:
    restated = {name: [prose(0) + " " + prose(800 + at)] for at, name in enumerate(HELD)}
    assert found(restated, corpus).solutions_share > 0.1
    assert found(restated, corpus, problem=prose(0)).solutions_share == 0.0


def test_several_responses_count_as_one_item_and_short_ones_not_at_all(
    corpus: tuple[Path, Path],
) -> None:
    responses = {"item0": [prose(0), prose(900)], "item1": ["too short"], "item2": [prose(901)]}
    row = found(responses, corpus)
    assert (row.num_items, row.solutions_share) == (2, 0.25)


def test_formatting_does_not_hide_a_copy() -> None:
    plain, dressed = copied.ngrams(
        [
            "So the sum is \\frac{1}{2} + 1000 = 1000.5 coins in all, and that is what we want.",
            "so the sum is $\\dfrac12 + 1{,}000 = 1000.50$ coins in all and *that* is what we want",
        ]
    )
    assert len(plain) and np.isin(plain, dressed).mean() > 0.5


def test_ngrams_stay_within_their_text() -> None:
    text = "one hen and two cows met three pigs at noon"
    alone = copied.ngrams([text])[0]
    with_others = copied.ngrams(["and so", text, prose(1), ""])
    assert np.array_equal(with_others[1], alone) and len(with_others[0]) == 0
    assert len(with_others[3]) == 0 and copied.ngrams([]) == []


def test_unrelated_solutions_are_of_rows_without_overlap_one_an_entry(
    corpus: tuple[Path, Path],
) -> None:
    entries = [("b", name) for name in ("x", "y", "y", "z")]
    drawn = list(copied.unrelated_solutions(corpus[1], entries, {"row2", "row3"}))
    assert sorted(item for item, _ in drawn) == entries
    assert len({solution for _, solution in drawn}) == 4
    assert {prose(2), prose(3)}.isdisjoint(solution for _, solution in drawn)
    assert list(copied.unrelated_solutions(corpus[1], entries, {"row2", "row3"})) == drawn
    few = {f"more{at:02}" for at in range(1, 50)} | {"row2", "row3"}
    assert list(copied.unrelated_solutions(corpus[1], entries, few)) == [
        (entry, prose(1000)) for entry in entries
    ]


def test_solutions_are_read_as_a_stream() -> None:
    """Memory never holds more solutions than are compared at once."""
    alive, most = 0, 0

    class Solution(str):
        def __new__(cls, value: str) -> Any:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)
            return super().__new__(cls, value)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    item = ("b", "x")
    grams = copied.ngrams([prose(3)])[0]
    stream = ((item, Solution(prose(at % 50))) for at in range(5 * copied.SOLUTIONS_AT_ONCE))
    flags, counts = copied.seen({item: grams}, stream)
    assert flags[item].all() and counts[item] == 5 * copied.SOLUTIONS_AT_ONCE
    assert most <= 2 * copied.SOLUTIONS_AT_ONCE + 2
