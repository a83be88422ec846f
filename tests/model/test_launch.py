"""A stage refuses to run in a different number of processes than the configuration says."""

import pytest

from mathledger.core.errors import InputError
from mathledger.model.launch import Launch, check_launch


@pytest.mark.parametrize(
    ("environment", "num_gpus", "text"),
    [
        ({"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4"}, 4, "started 4 processes"),
        ({"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}, 1, "2 processes .* 1 GPUs"),
        ({}, 2, "started 1 processes"),
    ],
)
def test_processes_must_be_those_that_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], num_gpus: int, text: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    launch = Launch(command="torchrun", num_processes=2, sharding="none")
    with pytest.raises(InputError, match=text):
        check_launch(launch, num_gpus)


def test_one_process_does_not_spread_over_gpus() -> None:
    launch = Launch(command="python", num_processes=1, sharding="none")
    with pytest.raises(InputError, match="CUDA_VISIBLE_DEVICES"):
        check_launch(launch, 2)
