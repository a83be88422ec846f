"""Each worker of a queue sees its own GPUs."""

import os

import pytest

from mathledger.core.errors import InputError
from mathledger.run import gpus


@pytest.mark.parametrize(
    ("worker", "share", "expected"), [(1, "1", "a"), (2, "1", "b"), (2, "2", "c,d"), (4, "1", "d")]
)
def test_workers_get_gpus_in_order(
    worker: int, share: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "worker", lambda: worker)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "a, b,c,d")
    monkeypatch.setenv("GPUS_PER_WORKER", share)
    gpus.assign_gpus()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == expected


def test_a_worker_without_a_gpu_says_how_many_there_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpus, "worker", lambda: 3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    monkeypatch.setenv("GPUS_PER_WORKER", "2")
    with pytest.raises(InputError, match="`dvc queue start -j 2`"):
        gpus.assign_gpus()
    monkeypatch.setenv("GPUS_PER_WORKER", "two")
    with pytest.raises(InputError, match="GPUS_PER_WORKER=two must be a whole number"):
        gpus.assign_gpus()
