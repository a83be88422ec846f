"""The decision about a row depends only on the worst class of its matches and on the params."""

import json
from dataclasses import replace

import pytest

from mathledger.filters import decontaminate
from mathledger.filters.decision import Match, Tally, decide, nearest
from mathledger.filters.items import Item
from mathledger.filters.overlap import CLASSES
from mathledger.run import params

SETTINGS = params.load("decontaminate", decontaminate.Params)
ITEMS = [
    Item(benchmark, "rev", None, str(number), f"problem {number}", private=False)
    for number, benchmark in enumerate(("aime", "aime", "gsm8k"))
]
ROW = {"id": "r", "corpus": "web", "source": "forum"}


def match(item: int, kind: str, place: str = "problem", containment: float = 1.0) -> Match:
    return Match(item, CLASSES.index(kind), place, containment, 1.0, 1.0)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize(
    ("action", "variants", "contaminated", "variant"),
    [
        ("remove", "keep", "removed", "kept"),
        ("remove", "quarantine", "removed", "removed"),
        ("flag", "keep", "flagged", "flagged"),
        ("flag", "quarantine", "flagged", "removed"),
        ("keep", "keep", "kept", "kept"),
    ],
)
def test_action_of_a_class(
    kind: str, action: str, variants: str, contaminated: str, variant: str
) -> None:
    settings = replace(SETTINGS, action=action, variants=variants)  # type: ignore[arg-type]
    sibling = "flagged" if action == "flag" else "kept"
    decision = decide([match(0, kind)], settings.policy())
    assert decision.action == {"variant": variant, "sibling": sibling}.get(kind, contaminated)
    assert decision.is_removed == (decision.action == "removed")


def test_the_worst_class_decides_and_is_the_reason() -> None:
    policy = replace(SETTINGS, action="remove", variants="keep").policy()
    matches = [match(2, "variant"), match(1, "rephrase"), match(0, "contained", "solution")]
    decision = decide(matches, policy)
    assert decision.worst == matches[2] and decision.action == "removed"
    assert decision.matches == tuple(matches)


def test_an_item_that_problem_and_solution_hold_is_one_match() -> None:
    twice = [match(0, "same"), match(0, "same", "solution"), match(0, "contained", "solution")]
    decision = decide(twice, SETTINGS.policy())
    assert decision.matches == (twice[0], twice[2])


def test_of_the_variants_the_nearest_of_each_benchmark_is_shown() -> None:
    far, near = match(0, "variant", containment=0.6), match(1, "variant", containment=0.7)
    other, same = match(2, "variant", containment=0.1), match(2, "same")
    sibling = match(0, "sibling", containment=0.2)
    assert nearest([far, near, other, same, sibling], ITEMS) == [same, near, other, sibling]


def test_a_row_counts_once_for_a_benchmark_with_its_worst_class() -> None:
    tally = Tally()
    matches = [match(0, "variant"), match(1, "same"), match(2, "variant")]
    tally.add(ROW, decide(matches, SETTINGS.policy()), ITEMS)
    metrics = tally.metrics()
    assert metrics["contamination"] == [
        {**cell, "corpus": "web", "source": "forum", "num_rows": 1}
        for cell in (
            {"benchmark": "aime", "class": "same"},
            {"benchmark": "gsm8k", "class": "variant"},
        )
    ]
    assert metrics["hits_by_class"] == {"same": 1, "variant": 2}
    assert metrics["num_items_hit"] == 1
    json.dumps(metrics)
