"""A pipeline that is killed, interrupted or terminated at any moment gives the same results."""

import shutil

import pytest

from tests import faults
from tests.conftest import Workspace, clean_environment

FILTERS = ("deduplicate", "mix")


@pytest.mark.parametrize("seed", [0])
def test_disturbed_filters_give_the_same_bytes(smoke_copy: Workspace, seed: int) -> None:
    """Two of the filter stages are hit, once each; tests/test_train.py kills training."""
    folder = smoke_copy.path
    expected, seconds = faults.results(folder), faults.stage_seconds(folder)
    hit = {name: each for name, each in seconds.items() if name.split("@")[0] in FILTERS}
    shutil.rmtree(folder / ".dvc/cache")
    for name in FILTERS:
        shutil.rmtree(folder / "data" / name)
    hits = faults.disturbed(folder, hit, seed, clean_environment())
    assert {each.stage for each in hits} == hit.keys()
    assert faults.results(folder) == expected
