"""The filters meet their gates of recall and false positives on labelled pairs of problems.

Every row of pairs.jsonl has a training problem (query), a benchmark item (ref), the label that a
reader gave the pair, and a set that says how the query was made. All texts were written for this
project, so these tests need no download. test_published_pairs.py reads more pairs, which are also
more varied.
"""

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

from mathledger.filters import decontaminate, overlap, overlap_index
from mathledger.run import params
from tests.filters.copies import are_copies

PAIRS = [
    json.loads(line)
    for line in Path(__file__).with_name("pairs.jsonl").read_text(encoding="utf-8").splitlines()
]
ITEMS = list(dict.fromkeys(pair["ref"] for pair in PAIRS))
SEARCH = params.load("decontaminate", decontaminate.Params)


class Gate(NamedTuple):
    """The smallest and largest number of pairs of a set that may have each verdict."""

    num_pairs: int
    contaminated: tuple[int, int]  # decontaminate removes the query.
    variant: tuple[int, int]  # decontaminate reports the query and keeps it.
    sibling: tuple[int, int]  # The same.
    duplicate: tuple[int, int]  # deduplicate removes one of the two.
    label: str


# The table states measured values; raise a gate when a filter improves. If the label calls for
# removal, the first number is the gate, otherwise the second.
GATES = {
    # set                                  pairs  contaminated  variant   sibling   duplicate  label
    "retypeset: delimiters": Gate(48, (48, 48), (0, 0), (0, 0), (48, 48), "same_formatting"),
    "retypeset: blanks": Gate(48, (48, 48), (0, 0), (0, 0), (48, 48), "same_formatting"),
    "retypeset: heading": Gate(48, (48, 48), (0, 0), (0, 0), (48, 48), "same_formatting"),
    "retypeset: numbered": Gate(48, (48, 48), (0, 0), (0, 0), (48, 48), "same_formatting"),
    "typed again": Gate(48, (48, 48), (0, 0), (0, 0), (48, 48), "same"),
    "a few words changed": Gate(48, (47, 48), (0, 1), (0, 0), (10, 48), "reworded"),
    "told in other words": Gate(48, (10, 48), (0, 3), (0, 0), (0, 48), "rephrase"),
    "a sentence added": Gate(48, (48, 48), (0, 0), (0, 0), (0, 48), "superset"),
    "in another language": Gate(24, (0, 24), (0, 0), (0, 0), (0, 24), "translation"),
    "another number": Gate(48, (0, 0), (48, 48), (0, 0), (0, 0), "variant"),
    "another sign": Gate(15, (0, 0), (15, 15), (0, 0), (0, 0), "variant"),
    # In one of these, "at least once" becomes "at most twice", which is another number, too.
    "the opposite word": Gate(28, (0, 0), (0, 1), (21, 28), (0, 0), "variant"),
    "another question, same story": Gate(20, (0, 0), (0, 0), (0, 0), (0, 0), "different"),
    "two numbers swapped": Gate(42, (0, 0), (42, 42), (0, 0), (0, 0), "variant"),
    "signs swapped": Gate(7, (0, 0), (7, 7), (0, 0), (0, 0), "variant"),
    "expression continued": Gate(16, (0, 0), (14, 16), (0, 0), (0, 0), "variant"),
    "another drawing": Gate(6, (0, 0), (0, 0), (6, 6), (0, 0), "variant"),
    "the drawing in other layout": Gate(6, (6, 6), (0, 0), (0, 0), (6, 6), "same_formatting"),
    "another question, same sentence": Gate(10, (0, 0), (0, 0), (8, 10), (0, 0), "different"),
    "another problem of the topic": Gate(48, (0, 0), (0, 0), (0, 0), (0, 0), "different"),
}


@pytest.fixture(scope="module")
def matches() -> overlap.Matches:
    """Match all queries with all items; rarity is counted in the queries."""
    queries = pa.array([pair["query"] for pair in PAIRS])
    index = overlap_index.build(pa.array(ITEMS), queries, SEARCH.thresholds)
    return overlap.match(queries, index)


@pytest.fixture(scope="module")
def classes(matches: overlap.Matches) -> list[str | None]:
    """Return the class of each query and its own item, as the stage decontaminate assigns it."""
    number = {item: place for place, item in enumerate(ITEMS)}
    pairs = zip(matches.rows.tolist(), matches.items.tolist(), strict=True)
    found = dict(zip(pairs, matches.classes.tolist(), strict=True))
    kinds = [found.get((row, number[pair["ref"]])) for row, pair in enumerate(PAIRS)]
    return [None if kind is None else overlap.CLASSES[kind] for kind in kinds]


def test_every_set_of_pairs_has_a_gate_and_one_label() -> None:
    sizes = Counter((pair["set"], pair["label"]) for pair in PAIRS)
    assert sizes == {(name, gate.label): gate.num_pairs for name, gate in GATES.items()}
    assert len(PAIRS) >= 400 and len({(pair["query"], pair["ref"]) for pair in PAIRS}) == len(PAIRS)


@pytest.mark.parametrize("name", GATES)
def test_decontamination_passes_its_gate(name: str, classes: list[str | None]) -> None:
    gate = GATES[name]
    own = [kind for kind, pair in zip(classes, PAIRS, strict=True) if pair["set"] == name]
    contaminated = sum(kind in overlap.CONTAMINATION for kind in own)
    assert gate.contaminated[0] <= contaminated <= gate.contaminated[1]
    assert gate.variant[0] <= own.count("variant") <= gate.variant[1]
    assert gate.sibling[0] <= own.count("sibling") <= gate.sibling[1]


@pytest.mark.parametrize("name", GATES)
def test_deduplication_passes_its_gate(name: str) -> None:
    own = [pair for pair in PAIRS if pair["set"] == name]
    found = sum(are_copies(pair["ref"], pair["query"]) for pair in own)
    fewest, most = GATES[name].duplicate
    assert fewest <= found <= most


def test_no_query_is_called_a_copy_of_another_item(matches: overlap.Matches) -> None:
    removed = matches.classes <= overlap.REPHRASE
    for row, item in zip(matches.rows[removed], matches.items[removed], strict=True):
        assert ITEMS[item] in (PAIRS[row]["ref"], PAIRS[row]["query"])


def test_every_item_finds_itself() -> None:
    items = pa.array(ITEMS)
    own = overlap.match(items, overlap_index.build(items, items, SEARCH.thresholds))
    same = own.rows[(own.rows == own.items) & (own.classes == overlap.SAME)]
    assert same.tolist() == list(range(len(items)))
