"""Checkpoints that survive a kill or a power cut: sealed when complete, removed when torn.

Checkpoints are kept outside the outputs, in .scratch/<stage>/<fingerprint>/
(mathledger/model/scratch.py), so that DVC never mistakes a half-trained model for a result. The
fingerprint (mathledger/run/tracking.py) covers inputs, params and package versions, so that no
other configuration resumes from them.
"""

import json
import os
import shutil
from pathlib import Path

from mathledger.core.files import write_text
from mathledger.model.launch import broadcast
from mathledger.run import tracking

SEAL = "whole.json"  # lists the sizes of a checkpoint's files; written once they are on disk


def seal(folder: Path) -> None:
    """Sync a checkpoint's files to disk, then record that it is complete."""
    sizes = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        sizes[str(path.relative_to(folder))] = path.stat().st_size
    write_text(folder / SEAL, json.dumps(sizes))


def is_complete(folder: Path) -> bool:
    """Return True if every file of a checkpoint still has the size recorded in its seal."""
    try:
        sizes = json.loads((folder / SEAL).read_text())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):  # also a seal that a power cut tore
        return False


def last_checkpoint(scratch: Path) -> Path | None:
    """Return the newest complete checkpoint, and delete the torn ones."""
    newest = None
    if tracking.is_main_process():
        folders = scratch.glob("checkpoint-*")
        for folder in sorted(folders, key=lambda path: int(path.name.split("-")[1])):
            if is_complete(folder):
                newest = folder
            else:
                shutil.rmtree(folder)
    checkpoint: Path | None = broadcast(newest)
    return checkpoint
