"""A number's chain counts the items of the number."""

from types import SimpleNamespace
from typing import Any

import pytest

from mathledger.trace.render_number import found_in_corpora


@pytest.mark.parametrize(
    ("found", "all_found", "words"),
    [
        (0, 0, "0 of 3 items were found in the corpora"),
        (3, 3, "3 of 3 items were found in the corpora"),
        (3, 6, "3 of 3 items were found in the corpora, and 3 that are not evaluated"),
    ],
)
def test_items_that_are_not_evaluated_are_counted_apart(
    found: int, all_found: int, words: str
) -> None:
    trace: Any = SimpleNamespace(
        score=SimpleNamespace(num_items=3, items_with_overlap=SimpleNamespace(num_items=found)),
        benchmark=SimpleNamespace(num_items_overlapping_training_candidates=all_found),
    )
    assert found_in_corpora(trace) == words
