"""The training set's metadata is valid Croissant, and a loader reads the very rows with it."""

import contextlib
import json
import logging
import warnings
from pathlib import Path

from stages.common.records import read_rows, sha256
from tests.conftest import Workspace


def test_mlcroissant_accepts_it_and_reads_the_rows(smoke: Workspace, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlcroissant
    logging.getLogger("absl").setLevel(logging.ERROR)
    text = (smoke.path / "model_card/croissant.json").read_text()
    (tmp_path / "croissant.json").write_text(text)
    (tmp_path / "data").symlink_to(smoke.path / "data")
    with contextlib.chdir(tmp_path):
        dataset = mlcroissant.Dataset(jsonld="croissant.json")
        assert not dataset.metadata.ctx.issues.errors
        (missing,) = dataset.metadata.ctx.issues.warnings  # a date would change on every run
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
    assert content["license"] == "apache-2.0"
    for each in content["distribution"]:
        assert each["sha256"] == sha256(smoke.path / each["contentUrl"])
