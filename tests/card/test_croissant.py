"""The training set's metadata is valid Croissant, and a loader reads the same rows with it."""

import copy
import json
import logging
import warnings

from mathledger.card import croissant
from mathledger.card.ledger import Ledger
from mathledger.card.outputs import Outputs
from mathledger.core.hashing import sha256
from mathledger.core.tables import read_rows
from mathledger.filters import mix
from tests.conftest import Workspace


def test_mlcroissant_accepts_it_and_reads_the_rows(smoke: Workspace) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlcroissant
    logging.getLogger("absl").setLevel(logging.ERROR)
    dataset = mlcroissant.Dataset(jsonld=str(smoke.path / "model_card/croissant.json"))
    assert not dataset.metadata.ctx.issues.errors
    (missing,) = dataset.metadata.ctx.issues.warnings  # A date would change on every run.
    assert "datePublished" in missing
    found = list(dataset.records("train"))
    rows = read_rows(smoke.path / "data/mix/train.parquet")
    assert len(found) == len(rows)
    assert found[0]["train/id"].decode() == rows[0]["id"]
    assert [each.decode() for each in found[0]["train/prompt"]] == [
        message["content"] for message in rows[0]["prompt"]
    ]


def test_its_digests_are_the_files(smoke: Workspace) -> None:
    content = json.loads((smoke.path / "model_card/croissant.json").read_text())
    for each in content["distribution"]:
        assert each["sha256"] == sha256(smoke.path / "model_card" / each["contentUrl"])


def test_its_licences_and_sources_are_the_corpora_alone(smoke: Workspace) -> None:
    """The base model's licence does not apply to the rows on which it was trained."""
    statement = json.loads((smoke.path / "model_card/ledger.json").read_text())
    ledger = copy.deepcopy(statement["predicate"])
    ledger["base_model"]["licence"] = "deepseek"
    first, second = ledger["corpora"].values()
    first |= {"kind": "hub", "name": "org/corpus", "licence": "CC BY 4.0"}
    second |= {"licence": "of my own"}
    content = croissant.metadata(Ledger.read(ledger, "ledger"), Outputs(smoke.path))
    assert content["license"] == ["cc-by-4.0", "of my own"]
    based_on = {each["name"]: each for each in content["isBasedOn"]}
    assert list(based_on) == list(ledger["corpora"])
    (url,) = [each["url"] for each in based_on.values() if "url" in each]
    assert url == "https://huggingface.co/datasets/org/corpus"


def test_every_column_of_the_training_set_is_described() -> None:
    assert {*croissant.vocabulary()["fields"]} == {*mix.TRAINING_ROW.names}
    assert all(field.type in croissant.TYPES or field.name in ("prompt", "completion")
               for field in mix.TRAINING_ROW)  # fmt: skip
