"""Folders for unfinished work, outside the outputs, that only the same configuration picks up."""

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mathledger.core.hashing import content_id
from mathledger.model.launch import broadcast
from mathledger.run import tracking


@contextlib.contextmanager
def scratch_folder(name: str, decides: Any) -> Iterator[Path]:
    """Yield .scratch/<name>/<fingerprint>/, held by one process group at a time.

    The fingerprint covers `decides` (JSON) and the versions of the packages, so that no other
    configuration picks the content up. A second run of the same configuration (a queued
    experiment, or a `dvc repro` beside a stage that is still saving) waits for the first to end.
    """
    versions = {name: tracking.version(name) for name in tracking.PACKAGES}
    key = content_id(json.dumps([decides, versions], sort_keys=True))
    root = Path(os.environ.get("DVC_ROOT", ".")) / ".scratch"
    folder = root / name / str(broadcast(key))
    locks = root / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / f"{name.replace('/', '-')}-{folder.name}").open("w") as lock:
        if tracking.is_main_process():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("another process does the same; waiting for it", file=sys.stderr)
                fcntl.flock(lock, fcntl.LOCK_EX)
        broadcast(None)
        yield folder
