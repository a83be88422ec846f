"""The filter finds problems that are typed in another way, and tells other problems apart.

The texts of typed_pairs.jsonl were written for this project without knowledge of its rules, each
from a problem of MATH-500, MATH or GSM8K (MIT licence) or of NuminaMath-CoT (Apache 2.0).
docs/filtering.md says what the filter found of them at first sight, and which sets were read when
rules were written.
"""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa

from mathledger.filters import overlap, overlap_index
from tests.filters.matching import OTHERS, SETTINGS

PAIRS = [
    json.loads(line)
    for line in Path(__file__).with_name("typed_pairs.jsonl").read_text("utf-8").splitlines()
]
# The fewest pairs of each set that the filter calls contaminated, or the most for other problems.
FOUND = {
    "other spelling, used to write rules": 290,
    "other spelling": 33,
    "other spelling, unread": 43,
    "told in other words, used to write rules": 52,
    "told in other words": 26,
}
WRONG = {
    "another problem, used to write rules": 14,
    "another problem": 2,
    "another problem, unread": 6,
}


def test_typed_problems_are_found_and_other_problems_are_not() -> None:
    items = list(dict.fromkeys(pair["ref"] for pair in PAIRS))
    index = overlap_index.build(pa.array(items), pa.array(OTHERS), SETTINGS.thresholds)
    matches = overlap.match(pa.array([pair["query"] for pair in PAIRS]), index)
    found: Counter[str] = Counter()
    for row, item, kind in zip(matches.rows, matches.items, matches.classes, strict=True):
        pair = PAIRS[row]
        is_leak = overlap.CLASSES[kind] in overlap.CONTAMINATION
        found[pair["set"]] += items[item] == pair["ref"] and is_leak
    assert {*FOUND, *WRONG} == {pair["set"] for pair in PAIRS}
    assert all(found[name] >= least for name, least in FOUND.items()), found
    assert all(found[name] <= most for name, most in WRONG.items()), found
