"""End a stage with the DVC that started it."""

import contextlib
import os
import signal
import sys
import threading
import time

import psutil

BETWEEN = {"sh", "bash", "dash", "zsh", "fish", "ksh", "torchrun", "accelerate"}


def end_with_dvc() -> None:
    """Turn SIGTERM into an exit that closes the run, and follow a DVC that is killed.

    DVC killed with SIGTERM or SIGKILL leaves its stages running; they would write into outs that
    the next `dvc repro` is writing too. A shell and a launcher may stand between; a launcher that
    is killed leaves its processes running as well.
    """

    def terminated(number: int, frame: object) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, terminated)
    if "DVC_STAGE" not in os.environ:
        return  # started by hand, maybe under nohup: it may outlive its parent
    parents = psutil.Process().parents()
    others = (n for n, parent in enumerate(parents) if parent.name() not in BETWEEN)
    dvc = next(others, len(parents) - 1)  # on another node than DVC's there may be shells alone

    def watch() -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            while all(p.is_running() and p.status() != "zombie" for p in parents[: dvc + 1]):
                time.sleep(0.5)
        while True:  # an exit that is raised inside a destructor or a callback may be swallowed
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)

    threading.Thread(target=watch, daemon=True).start()
