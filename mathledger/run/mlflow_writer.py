"""Write the MLflow runs of stages, one after the other, in a process of its own.

    python -m mathledger.run.mlflow_writer ROOT [FOLDER DVC_PID DVC_STARTED]

The process reads one JSON message per line and answers those that ask. It is separate for two
reasons. Importing MLflow and opening its store take four seconds, which overlap with the stage's
work. And it outlives the stage: if the stage is killed, even by SIGKILL, the pipe closes, and the
run is marked KILLED instead of staying RUNNING forever. If this process is killed too, its lock is
free, and `mathledger sync-mlflow` marks the run.

If a DVC process is named, the writer waits in the folder for that process's next stage (writer.py).
It ends when DVC ends, when no stage has come for IDLE_S, and when the store fails.

The store's address comes from the environment, because a process's arguments show to everybody.
"""

import contextlib
import gc
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mathledger.core.secrets import without_secrets
from mathledger.run.mlflow_store import disconnect, is_lost, quiet, refusal, store_uri
from mathledger.run.recorder import Recorder
from mathledger.run.turns import is_alive
from mathledger.run.writer import REFUSED, Meeting
from mathledger.run.writer_lock import Ending

IDLE_S = 120  # between two stages, DVC stores outputs


def main() -> None:
    # A scheduler may send SIGTERM to every process of a job; the stage still saves and reports.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    root = Path(sys.argv[1])
    uri = store_uri(root)
    gc.disable()  # saves a fifth of the import time
    # The default of 7 retries takes minutes, and the stage would wait for them at its end.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # stdout carries the answers
    quiet()
    gc.enable()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    at = None
    if len(sys.argv) > 2:
        folder, pid, started = sys.argv[2:]
        at = Meeting(Path(folder), (int(pid), float(started)))
    try:
        while True:
            with open(0, encoding="utf-8", closefd=False) as messages:
                record(uri, root, messages)
            if not (at and took_over(at)):
                break
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        answer(f"{REFUSED}{refusal(uri, error)}")
        os._exit(1)
    os._exit(0)  # everything is written; a regular exit of MLflow would take another second


def took_over(at: Meeting) -> bool:
    """Wait for the next stage, and take its pipes as stdin, stdout and stderr.

    Returns:
        False if the process is to end.
    """
    disconnect()  # the store may be moved, or restarted, between two stages
    nothing = os.open(os.devnull, os.O_RDWR)
    become([nothing] * 3)  # whoever reads what the last stage wrote sees its end
    os.close(nothing)
    with contextlib.suppress(OSError):
        at.folder.mkdir(mode=0o700, exist_ok=True)
    if not at.is_private:
        return False
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            Path(at.address).unlink(missing_ok=True)
            listener.bind(at.address)
            listener.listen(1)
            listener.settimeout(0.2)
            return accepted(at, listener)
    except OSError:  # such as a temporary folder with too long a name for a socket
        return False
    finally:
        with contextlib.suppress(OSError):
            Path(at.address).unlink()
            at.folder.rmdir()


def accepted(at: Meeting, listener: socket.socket) -> bool:
    """Wait for a stage that passes its files; return False if none comes any more."""
    since = time.monotonic()
    while time.monotonic() - since < IDLE_S and is_alive([*at.dvc]):
        with contextlib.suppress(TimeoutError):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(None)
                _, files, _, _ = socket.recv_fds(connection, 1, 3)
                if len(files) != 3:
                    continue  # the stage was killed
                become(files)
                for file in files:
                    os.close(file)
                connection.sendall(b".")
                return True
    return False


def become(files: list[int]) -> None:
    """Put open files in the place of stdin, stdout and stderr."""
    sys.stdout.flush()
    sys.stderr.flush()
    for number, file in enumerate(files):
        os.dup2(file, number)


def record(uri: str, root: Path, messages: Iterable[str]) -> None:
    """Write a run from its messages, one JSON object a line.

    Raises:
        MlflowException: the run cannot be opened.
    """
    from mlflow.tracking.context.registry import resolve_tags

    recorder: Recorder | None = None
    status, repeats, is_there = "KILLED", None, True
    for line in messages:
        if not line.endswith("\n"):
            break  # the stage was killed while it wrote this message
        message = json.loads(line)
        if message["do"] == "start":
            recorder = Recorder(uri, root)
            message["tags"] = resolve_tags(message["tags"])  # adds the user and tags of plugins
        assert recorder, "the first message starts the run"
        if message["do"] == "run_id":
            answer(recorder.run_id)
            continue
        if message["do"] == "end":
            status = message["status"]
            break
        if message["do"] == "repeats":
            repeats = message["run_id"]
        if is_there:
            is_there = written(uri, recorder, message)
    if recorder and is_there:
        is_there = written(uri, recorder, {"do": "end", "status": status})
    if recorder and not is_there:
        recorder.leave(Ending(status, int(time.time() * 1000), repeats))
    answer(status)


def answer(text: str) -> None:
    """Send an answer to the stage if it still runs."""
    with contextlib.suppress(BrokenPipeError):
        print(text, flush=True)


def written(uri: str, recorder: Recorder, message: dict[str, Any]) -> bool:
    """Write a message, and return False if the store does not answer any more.

    The stage continues in either case, because its lineage file holds everything that the store
    missed. What the store refuses is left out, and a warning and a tag of the run say so.

    Raises:
        MlflowException: the run cannot be opened at all, so the address may be wrong.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    known = len(recorder.refused)
    try:
        getattr(recorder, message["do"])(message)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        if not recorder.run_id:
            raise
        if is_lost(error):
            warn(
                f"MLflow at {uri} does not answer any more; the stage continues, and `mathledger "
                "sync-mlflow` can write its run later",
                str(error),
            )
            return False
        recorder.refused.append(" ".join(str(error).split())[:300])
    if recorder.refused and not known:  # once for a run
        num = len(recorder.refused) - known
        what = (
            f"MLflow at {uri} refused {num} value{'s' * (num > 1)}; the rest of the run is written"
        )
        warn(what, recorder.refused[known])
    return True


def warn(what: str, said: str) -> None:
    said = without_secrets(" ".join(said.split()))[:160]
    print(f"warning: {without_secrets(what)}. It says: {said}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
