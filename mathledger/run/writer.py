"""Send a stage's MLflow run to the process that writes it (mlflow_writer.py).

Importing MLflow takes longer than most stages work. So a writer waits, when its run has ended, for
the next stage of the same DVC process, and takes over that stage's pipes.
"""

import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.hashing import content_id
from mathledger.core.secrets import without_secrets
from mathledger.run import turns
from mathledger.run.mlflow_store import store_uri

REFUSED = "error: "  # prefix of an answer that says why there is no run
MODULE = "mathledger.run.mlflow_writer"
STDERR = 2  # file descriptor


@dataclass(frozen=True)
class Meeting:
    """Where the stages of one DVC process find the writer that waits for them."""

    folder: Path  # private to the user
    dvc: tuple[int, float]  # process id and start time

    @property
    def address(self) -> str:
        return str(self.folder / "writer")

    @property
    def is_private(self) -> bool:
        """Return True if nobody else can have put a socket there."""
        with contextlib.suppress(OSError):
            found = self.folder.lstat()
            is_own = found.st_uid == os.getuid() and stat.S_ISDIR(found.st_mode)
            return is_own and not found.st_mode & 0o077
        return False

    def take_over(self, files: list[int]) -> bool:
        """Pass open files to a writer that waits here as its stdin, stdout and stderr.

        Returns:
            False if no writer waits.
        """
        if not self.is_private:
            return False
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.address)
            socket.send_fds(connection, [b"."], files)
            return connection.recv(1) == b"."
        return False


def meeting(root: Path, uri: str) -> Meeting | None:
    """Return where stages like this one meet their writer; None outside DVC.

    The name covers what a writer keeps from its start.
    """
    if "DVC_STAGE" not in os.environ or not hasattr(socket, "send_fds"):
        return None
    dvc = turns.dvc_process()
    if dvc is None:
        return None
    settings = {name: text for name, text in os.environ.items() if name.startswith("MLFLOW_")}
    key = content_id(json.dumps([dvc, str(root), uri, sys.executable, settings], sort_keys=True))
    folder = Path(tempfile.gettempdir()) / f"mathledger-{key[:16]}"
    return Meeting(folder, (int(dvc[0]), dvc[1]))


class Writer:
    """Two pipes to the process that writes the MLflow run."""

    def __init__(self, root: Path) -> None:
        self.uri = store_uri(root)
        at = meeting(root, self.uri)
        (messages, to_writer), (from_writer, answers) = os.pipe(), os.pipe()
        if not (at and at.take_over([messages, answers, STDERR])):
            place = [str(at.folder), *map(repr, at.dvc)] if at else []
            subprocess.Popen(
                [sys.executable, "-m", MODULE, str(root), *place],
                stdin=messages,
                stdout=answers,
                start_new_session=True,  # Ctrl-C must not reach the writer, which ends by itself
            )
        os.close(messages)
        os.close(answers)
        self._messages = os.fdopen(to_writer, "w", encoding="utf-8")
        self._answers = os.fdopen(from_writer, encoding="utf-8")

    def send(self, message: dict[str, Any]) -> None:
        try:
            self._messages.write(json.dumps(message) + "\n")
            self._messages.flush()
        except BrokenPipeError:
            raise self._failed(self._heard()) from None

    def ask(self, message: dict[str, Any]) -> str:
        """Send a message, and return the one-line answer."""
        self.send(message)
        answer = self._heard()
        if not answer or answer.startswith(REFUSED):
            raise self._failed(answer)
        return answer

    def _heard(self) -> str:
        return self._answers.readline().strip()

    def _failed(self, answer: str) -> InputError:
        return InputError(
            answer.removeprefix(REFUSED)
            or f"MLflow at {without_secrets(self.uri)} could not be written: see its message above"
        )
