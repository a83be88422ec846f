"""Name the folders for unfinished work, which only the same configuration reuses."""

import os
from pathlib import Path

from mathledger.model.launch import broadcast
from mathledger.run.tracking import Run


def scratch_folder(name: str, run: Run) -> Path:
    """Return .scratch/<name>/<fingerprint>/, which is the same on every rank.

    The run's turn ensures that one run at a time uses the folder (mathledger/run/turns.py).
    """
    root = Path(os.environ.get("DVC_ROOT", ".")) / ".scratch"
    return root / name / str(broadcast(run.fingerprint))
