"""A checkpoint counts only when it is complete."""

import json
from pathlib import Path

from mathledger.training import checkpoints


def make_checkpoint(scratch: Path, step: int) -> Path:
    folder = scratch / f"checkpoint-{step}"
    (folder / "inner").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "inner/state.json").write_text("{}")
    return folder


def test_the_newest_complete_checkpoint_is_taken_and_torn_ones_are_removed(tmp_path: Path) -> None:
    folders = {step: make_checkpoint(tmp_path, step) for step in (2, 9, 10, 11, 12, 13)}
    for step in (2, 9, 10, 11, 12):
        checkpoints.seal(folders[step])
    (folders[10] / "model.safetensors").write_bytes(b"weigh")  # Truncated after sealing.
    (folders[11] / "inner/state.json").unlink()
    (folders[12] / checkpoints.SEAL).write_text('{"model.safetensors": ')
    assert checkpoints.last_checkpoint(tmp_path) == folders[9]
    assert {path for path in folders.values() if path.exists()} == {folders[2], folders[9]}


def test_a_seal_holds_the_size_of_every_file(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path, 1)
    assert not checkpoints.is_complete(folder)
    checkpoints.seal(folder)
    assert json.loads((folder / checkpoints.SEAL).read_text()) == {
        "inner/state.json": 2,
        "model.safetensors": 7,
    }


def test_without_checkpoints_training_starts_at_the_first_step(tmp_path: Path) -> None:
    assert checkpoints.last_checkpoint(tmp_path) is None
