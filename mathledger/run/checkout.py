"""Keep DVC from starting an experiment in a checkout where a stage runs: docs/experiments.md."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from mathledger.core.errors import InputError


@contextlib.contextmanager
def checkout_in_use(stage: str) -> Iterator[None]:
    """Make DVC refuse to start or queue an experiment from this folder while a stage runs.

    To start an experiment, `dvc exp run` stashes all edits and resets the files, including those of
    a running stage. But first it looks for an owner of "workspace" in DVC's lock table, so we add
    an owner. Several stages may own it at once.

    Raises:
        InputError: an experiment has been starting for a minute.
    """
    from dvc.fs import localfs
    from dvc.lock import LockError
    from dvc.rwlock import RWLockFileCorruptedError, RWLockFileFormatError, rwlock

    torn = RWLockFileCorruptedError, RWLockFileFormatError, UnicodeDecodeError
    folder = Path(".dvc/tmp/exps").resolve()
    if not Path(".dvc").is_dir():  # not a checkout; reading the stage's deps reports this
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    why = f"stage {stage} is running in this checkout and would lose its files: wait for its end, "
    why += "or run the experiment from another clone"
    end = time.monotonic() + 60
    while True:
        lock = rwlock(str(folder), localfs, why, ["workspace"], [], False)
        try:
            lock.__enter__()
            break
        except torn:
            # A process was killed while it wrote the table. DVC reads it under a lock, so nobody
            # writes it now, and the owners that it named have to be forgotten.
            (folder / "rwlock").unlink(missing_ok=True)
        except LockError as error:
            if time.monotonic() > end:
                raise InputError(f"the checkout is in use: wait, and run again ({error})") from None
            time.sleep(0.2)
    try:
        yield
    finally:
        # DVC itself drops owners whose process has ended.
        with contextlib.suppress(LockError, *torn):
            lock.__exit__(None, None, None)
