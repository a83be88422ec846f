"""The filter meets its gates on published pairs and training sets, if ../shared is present.

test_quality.py holds the gates that any clone must pass.
"""

import json
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mathledger.filters import decontaminate, overlap, overlap_index
from mathledger.run import params
from tests import real_data

real_data.skip_module_without(
    real_data.PAIRS, "decontamination on 3,531 published pairs and on two train splits"
)
pytestmark = pytest.mark.slow
SETTINGS = params.load("decontaminate", decontaminate.Params)

CONTAMINATION = {"same", "contained", "rephrase"}
NUMBER_CHANGES = (
    "GSM-Plus numerical substitution",
    "GSM-Plus digit expansion",
    "GSM-Plus integer-decimal-fraction conversion",
)


def gsm8k(split: str) -> pa.Array:
    path = real_data.DATASETS / f"openai/gsm8k/main/{split}-00000-of-00001.parquet"
    return pq.read_table(path)["question"].combine_chunks()


def math_train() -> pa.Array:
    parts = sorted((real_data.DATASETS / "AI-MO/NuminaMath-CoT/data").glob("train-*.parquet"))
    table = pa.concat_tables([pq.read_table(part) for part in parts])
    return table.filter(pc.field("source") == "math")["problem"].combine_chunks()


def math500() -> list[str]:
    lines = (
        (real_data.DATASETS / "HuggingFaceH4/MATH-500/test.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    return [json.loads(line)["problem"] for line in lines]


@pytest.fixture(scope="module")
def found() -> dict[str, Counter[str | None]]:
    """Return for each set of pairs how many have each class; rarity is counted in training sets."""
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in real_data.PAIRS.read_text(encoding="utf-8").splitlines()
    ]
    by_references = defaultdict(list)
    for row in rows:
        by_references[row["ref_set"]].append(row)
    counts: dict[str, Counter[str | None]] = defaultdict(Counter)
    for name, pairs in by_references.items():
        items = list(dict.fromkeys(pair["ref"] for pair in pairs))
        sample = gsm8k("train") if name == "gsm" else math_train()
        index = overlap_index.build(pa.array(items), sample, SETTINGS.thresholds)
        matches = overlap.match(pa.array([pair["query"] for pair in pairs]), index)
        kinds = {
            (row, item): overlap.CLASSES[kind]
            for row, item, kind in zip(
                matches.rows.tolist(), matches.items.tolist(), matches.classes.tolist(), strict=True
            )
        }
        for number, pair in enumerate(pairs):
            counts[pair["set"]][kinds.get((number, items.index(pair["ref"])))] += 1
    return counts


def share(found: dict[str, Counter[str | None]], names: tuple[str, ...], *kinds: str) -> float:
    """Return the share of pairs with one of the classes, in the sets with this name prefix."""
    counts = sum((found[name] for name in found if name.startswith(names)), Counter())
    assert counts.total()
    return sum(counts[kind] for kind in kinds) / counts.total()


def test_formatting_does_not_hide_an_item(found: dict[str, Counter[str | None]]) -> None:
    assert share(found, ("MATH-500 format noise",), *CONTAMINATION) >= 0.995


def test_a_transcription_is_found(found: dict[str, Counter[str | None]]) -> None:
    assert share(found, ("MATH vs AIME/AMC",), *CONTAMINATION) >= 0.995


def test_a_rephrase_is_found(found: dict[str, Counter[str | None]]) -> None:
    assert share(found, ("GSM8K rephrased",), *CONTAMINATION) >= 0.76


def test_other_numbers_make_a_variant(found: dict[str, Counter[str | None]]) -> None:
    assert share(found, NUMBER_CHANGES, *CONTAMINATION) <= 0.02
    assert share(found, NUMBER_CHANGES, "variant") >= 0.95


def test_another_sign_or_decimal_makes_another_problem(
    found: dict[str, Counter[str | None]],
) -> None:
    assert share(found, ("MATH sign/decimal",), *CONTAMINATION) == 0


@pytest.mark.parametrize(
    ("training", "benchmark", "limit"), [("gsm8k", "gsm8k", 0.001), ("math", "math500", 0.002)]
)
def test_few_rows_of_the_train_split_are_called_contamination(
    training: str, benchmark: str, limit: float
) -> None:
    problems = gsm8k("train") if training == "gsm8k" else math_train()
    items = gsm8k("test") if benchmark == "gsm8k" else pa.array(math500())
    matches = overlap.match(problems, overlap_index.build(items, problems, SETTINGS.thresholds))
    flagged = np.unique(matches.rows[matches.classes <= overlap.REPHRASE])
    assert len(flagged) <= limit * len(problems)


def test_every_item_finds_itself() -> None:
    items = pa.array(math500())
    matches = overlap.match(items, overlap_index.build(items, math_train(), SETTINGS.thresholds))
    same = matches.rows[(matches.rows == matches.items) & (matches.classes == overlap.SAME)]
    assert same.tolist() == list(range(500))
