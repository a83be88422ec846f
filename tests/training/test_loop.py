"""A training that is asked to end, or that another one overlaps, never writes a model."""

import io
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mathledger.training.callbacks import Checkpointing
from mathledger.training.loop import only_training, train_to_end

pytestmark = pytest.mark.slow  # torch takes seconds to import


def test_two_trainings_of_a_checkout_do_not_overlap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rerun waits for the training that a killed DVC left behind."""
    order: list[str] = []
    printed = io.StringIO()
    monkeypatch.setattr("sys.stdout", printed)

    def rerun() -> None:
        with only_training("train", tmp_path):
            order.append("rerun")

    with only_training("train", tmp_path):
        other = threading.Thread(target=rerun)
        other.start()
        while "waiting for it" not in printed.getvalue():
            assert other.is_alive()
            time.sleep(0.01)
        with only_training("reinforce", tmp_path):
            order.append("another stage")
        order.append("first")
    other.join()
    assert order == ["another stage", "first", "rerun"]


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(KeyError), only_training("train", tmp_path):
            raise KeyError


@pytest.mark.parametrize(("asked", "step"), [(False, 2), (True, 2), (True, 1)])
def test_a_training_that_is_asked_to_end_exits_even_after_its_last_step(
    asked: bool, step: int
) -> None:
    """It has saved a checkpoint; the rerun saves the model from there."""
    callback = Checkpointing(0.0)
    callback.asked_to_end = asked
    trainer: Any = SimpleNamespace(
        train=lambda **_: None,
        state=SimpleNamespace(global_step=step, max_steps=2),
        callback_handler=SimpleNamespace(callbacks=[callback]),
    )
    if not asked:
        assert train_to_end(trainer, None) >= 0
        return
    with pytest.raises(SystemExit, match=f"saved at step {step} of 2; run again to resume"):
        train_to_end(trainer, None)
