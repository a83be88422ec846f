"""End a stage when the DVC process that started it ends."""

import contextlib
import os
import signal
import sys
import threading
import time

import psutil

BETWEEN = {"sh", "bash", "dash", "zsh", "fish", "ksh", "torchrun", "accelerate"}


def end_with_dvc() -> None:
    """Turn SIGTERM into an exit that closes the run, and exit if DVC is killed.

    If DVC is killed with SIGTERM or SIGKILL, its stages keep running, and would write to the same
    outputs as the next `dvc repro`. The same holds for a launcher. Shells and launchers may run
    between DVC and the stage.
    """

    def terminated(number: int, frame: object) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, terminated)
    if "DVC_STAGE" not in os.environ:
        return  # the stage was started by hand, maybe under nohup, and may outlive its parent
    parents = psutil.Process().parents()
    others = (n for n, parent in enumerate(parents) if parent.name() not in BETWEEN)
    dvc = next(others, len(parents) - 1)  # on a node without DVC there may be only shells

    def watch() -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            while all(p.is_running() and p.status() != "zombie" for p in parents[: dvc + 1]):
                time.sleep(0.5)
        while True:  # repeat, because a destructor or a callback may swallow the exit
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)

    threading.Thread(target=watch, daemon=True).start()
