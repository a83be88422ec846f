"""params.yaml is read from this commit and from older ones."""

from pathlib import Path

import pytest

from mathledger.card.statement import stage_names
from mathledger.run import params
from mathledger.run.params import evaluated_models


@pytest.mark.parametrize("key", ["evaluated_models", "models"])
def test_the_evaluated_models_of_older_commits_are_read_under_their_old_name(key: str) -> None:
    content = {key: ["base", "tuned"], "corpus": {}, "benchmark": {"sums": {}}, "reinforce": {}}
    assert evaluated_models(content) == ["base", "tuned"]
    assert {"evaluate@tuned-sums", "probe@base"} <= set(stage_names(content))


def test_an_edited_file_is_read_anew_and_a_reader_changes_it_for_nobody(tmp_path: Path) -> None:
    """A file is parsed once for all its readers."""
    file = tmp_path / "params.yaml"
    file.write_text("train:\n  rates: [1e-05]\n")
    params.read(file)["train"]["rates"].append(7)
    assert params.read(file) == {"train": {"rates": [1e-05]}}
    file.write_text("train:\n  rates: [2e-05]\n")
    assert params.read(file) == {"train": {"rates": [2e-05]}}
