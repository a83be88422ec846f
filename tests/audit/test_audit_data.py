"""`mathledger audit --data` counts items in the corpora of a folder in the hub's layout.

The folder holds our own files (tests/samples.py) and, if ../shared/hub is present, samples of the
published ones.
"""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mathledger.audit import audit, known, measured, search_thresholds
from mathledger.core.errors import InputError
from mathledger.data import readers
from tests import samples
from tests.conftest import ROOT
from tests.real_data import DATASETS, needs

SEED = ROOT / "tests/audit/cards/seed.md"
needs_datasets = needs(DATASETS, "sizes and overlaps of published benchmarks and corpora")


def test_an_item_that_a_named_corpus_holds_is_counted(tmp_path: Path) -> None:
    """Our NuminaMath-CoT sample holds one of our six MATH-500 items, retyped."""
    root = samples.write_samples(tmp_path).root
    result = audit(SEED, data=root, thresholds=search_thresholds(root))
    found = {finding.kind: finding for finding in result.findings}["measured"]
    numina = next(line for line in found.points if line.startswith("AI-MO/NuminaMath-CoT (11"))
    assert "1 of 6 items of MATH-500 in 1 row" in numina
    assert "0 of 4 items of AIME 2024" in numina and "0 of 3 items of AMC 12" in numina
    assert not any("openai/gsm8k" in line for line in found.points), "the card does not name it"


def test_the_size_of_the_batches_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corpus is read in batches, because it may be larger than the memory."""
    root = samples.write_samples(tmp_path).root
    whole = audit(SEED, data=root, thresholds=search_thresholds(root)).findings
    monkeypatch.setattr(readers, "STEP", 1)
    monkeypatch.setattr(readers, "ROWS", 1)
    parts = [part for path in root.rglob("*.parquet") for part in measured.problems(path)]
    assert max(map(len, parts)) == 1
    assert audit(SEED, data=root, thresholds=search_thresholds(root)).findings == whole


def test_the_sample_is_limited_in_rows_and_in_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(
        pa.table({"problem": [f"{n} {'x' * 99}" for n in range(50)]}), tmp_path / "a.parquet"
    )
    paths = [tmp_path / "a.parquet"] * 2
    assert len(measured._sample(paths)) == 50
    monkeypatch.setattr(measured, "SAMPLE_SIZE", 20)
    assert len(measured._sample(paths)) == 20
    monkeypatch.setattr(measured, "SAMPLE_CHARS", 1000)
    assert len(measured._sample(paths)) == 10


def test_an_evidence_of_another_program_is_one_line(tmp_path: Path) -> None:
    pq.write_table(pa.table({"corpus": ["a"], "id": ["1"]}), tmp_path / measured.EVIDENCE)
    with pytest.raises(InputError, match=r"evidence.parquet has no column benchmark"):
        audit(SEED, data=tmp_path)


@needs_datasets
def test_sizes_are_those_of_the_files() -> None:
    for benchmark in known.benchmarks().values():
        files = [path for pattern in benchmark.files for path in DATASETS.glob(pattern)]
        num_items = sum(
            pq.read_metadata(path).num_rows
            if path.suffix == ".parquet"
            else len(path.read_text().splitlines())
            for path in files
        )
        assert not files or num_items in [size.n for size in benchmark.sizes], benchmark.name


@needs_datasets
def test_the_parts_of_math500_are_those_of_its_file() -> None:
    rows = [
        json.loads(line)
        for line in (DATASETS / "HuggingFaceH4/MATH-500/test.jsonl").read_text().splitlines()
    ]
    parts = Counter(f"level {row['level']}" for row in rows)
    parts += Counter(row["subject"].lower().replace("&", "and") for row in rows)
    assert known.benchmarks()["math500"].subsets == dict(parts)


@pytest.mark.slow
@pytest.mark.kernels
@needs_datasets
def test_items_are_counted_in_the_corpora_that_the_card_names() -> None:
    """The samples end in 2021, so they hold no AIME or AMC item of later years."""
    result = audit(SEED, data=DATASETS, thresholds=search_thresholds(DATASETS))
    found = {finding.kind: finding for finding in result.findings}["measured"]
    numina = next(line for line in found.points if line.startswith("AI-MO/NuminaMath-CoT (17,072"))
    assert (
        "0 of 30 items of AIME 2024, 0 of 30 items of AIME 2025, 0 of 83 items of AMC 12" in numina
    )
    assert "0 of 500" not in numina and " of 500 items of MATH-500 in " in numina
    assert not any("openai/gsm8k" in line for line in found.points), "the card does not name it"
