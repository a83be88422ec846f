"""params.yaml is read from this commit and from older ones."""

import pytest

from mathledger.card.statement import stage_names
from mathledger.run.params import evaluated_models


@pytest.mark.parametrize("key", ["evaluated_models", "models"])
def test_the_evaluated_models_of_older_commits_are_read_under_their_old_name(key: str) -> None:
    params = {key: ["base", "tuned"], "corpus": {}, "benchmark": {"sums": {}}, "reinforce": {}}
    assert evaluated_models(params) == ["base", "tuned"]
    assert {"evaluate@tuned-sums", "probe@base"} <= set(stage_names(params))
