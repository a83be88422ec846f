"""Load a model once for all cells of one DVC run: docs/decisions/0010-cells-share-an-engine.md.

The first cell starts a process that holds the engine (warm_server.py), and the next cells of the
same model send it their requests. A process belongs to one DVC process and to one key, which covers
the weights, the settings, the code, the packages and the hardware; a cell with another key ends it
and starts its own.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from mathledger.core.errors import InputError
from mathledger.core.files import write_json
from mathledger.evaluation.engines.engine import Done, Engine, Limits, Request
from mathledger.evaluation.settings import Params
from mathledger.run import turns

SERVER = "mathledger.evaluation.warm_server"
PREFIX = "engine-"  # of the name of its private folder
ORDER = "order.json"  # what the server is to load, in its private folder
SOCKET = "socket"
# Bytes of weights from which sharing pays. A cell imports the libraries in any case, and the
# process that holds the engine imports them once more.
MIN_BYTES = 1 << 30


class LostError(Exception):
    """The server ended, or was killed."""


@dataclass(frozen=True)
class Record:
    """A running server, as .scratch/engines/ names it."""

    key: str
    process: tuple[int, float]  # process id and start time
    folder: str  # private folder of the socket

    @property
    def is_alive(self) -> bool:
        return turns.is_alive(list(self.process))

    def end(self) -> None:
        """End the server with its children, wait for it, and remove its folder."""
        if self.is_alive:
            with contextlib.suppress(psutil.Error):
                own = psutil.Process(self.process[0])
                every = [*own.children(recursive=True), own]
                for each in every:
                    with contextlib.suppress(psutil.Error):
                        each.kill()
                psutil.wait_procs(every, timeout=30)
        if Path(self.folder).name.startswith(PREFIX):  # whatever the record says
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Warm:
    """The process that holds the engine of a model for the cells of this DVC run."""

    model: Path
    settings: Params
    key: str
    dvc: list[float]  # process id and start time

    @property
    def _file(self) -> Path:
        name = f"{socket.gethostname()}-{self.dvc[0]:.0f}-{self.dvc[1]:.0f}.json"
        return engines_folder() / name

    @property
    def log(self) -> Path:
        """Return the file of the server's messages, such as those of vLLM."""
        return engines_folder() / f"{self.model.name}.log"

    def start(self, lost: Record | None = None) -> None:
        """Start the server unless it runs; it loads the model while the cell reads its items.

        Args:
            lost: a server that answers no more; its process may take a while to end.
        """
        with FileLock(self._file.with_suffix(".lock")):
            self._start(lost)

    def _start(self, lost: Record | None) -> None:
        record = read(self._file)
        if record and record != lost and record.key == self.key and record.is_alive:
            return
        if record:
            record.end()
        remove_dead(engines_folder())
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))  # only its owner may enter it
        order = {
            "model": str(self.model.resolve()),
            "settings": dataclasses.asdict(self.settings),
            "dvc": self.dvc,
            "record": str(self._file.resolve()),
        }
        write_json(folder / ORDER, order)
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", SERVER, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends DVC, and the server ends with it
            )
        started = psutil.Process(process.pid).create_time()
        write_json(self._file, [self.key, [process.pid, started], str(folder)])

    def engine(self) -> Engine:
        """Return the engine; its requests are answered by the server.

        Raises:
            InputError: the server could not load the model, or was killed.
        """
        record = read(self._file)
        try:
            connection, facts = self._connect(record)
        except LostError:  # it ended between two cells, after a long pause
            self.start(record)
            try:
                connection, facts = self._connect(read(self._file))
            except LostError:
                raise self._ended() from None

        def answer(requests: list[Request], limits: Limits, done: Done) -> None:
            try:
                _say(connection, (requests, limits))
                while pairs := _hear(connection):
                    done([(requests[number], response) for number, response in pairs])
            except LostError:
                raise self._ended() from None

        return Engine(answer, **facts)

    def _connect(self, record: Record | None) -> tuple[Connection, dict[str, Any]]:
        if record is None:
            raise LostError
        address = Path(record.folder) / SOCKET
        while not address.exists():
            if not record.is_alive:
                raise LostError
            time.sleep(0.05)
        try:
            connection = Client(str(address), "AF_UNIX")
        except (EOFError, OSError):
            raise LostError from None
        return connection, _hear(connection)

    def _ended(self) -> InputError:
        said = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(said) if line.strip()), "nothing")[:300]
        return InputError(
            f"the process that held the model {self.model.name} ended, maybe for lack of memory; "
            f"the responses so far are kept: run again to continue ({self.log} ends with: {last})"
        )


def begin(model: Path, settings: Params, fingerprint: str, num_cells: int) -> Warm | None:
    """Start the shared engine of a cell, or return None if the cell loads the model for itself.

    That is the case outside DVC, for a single cell, for several processes, for a server, and for a
    small model, which loads in seconds (vLLM takes a minute for any model).

    Args:
        fingerprint: a digest of everything that determines a response except its request.
        num_cells: the number of benchmarks, each of which is a cell of the model.
    """
    dvc = turns.dvc_process() if "DVC_STAGE" in os.environ else None
    is_one = settings.launch.num_processes == 1 and "WORLD_SIZE" not in os.environ
    has_sockets = hasattr(socket, "AF_UNIX")
    is_loaded = settings.backend in ("hf", "vllm")
    is_slow = settings.backend == "vllm" or num_bytes(model) >= MIN_BYTES
    if not (dvc and is_one and has_sockets and num_cells > 1 and is_loaded and is_slow):
        return None
    warm = Warm(model, settings, fingerprint, dvc)
    warm.start()
    return warm


def num_bytes(model: Path) -> int:
    """Return the size of a model's weights."""
    return sum(path.stat().st_size for path in model.glob("*.safetensors"))


def engines_folder() -> Path:
    """Return the folder of the records and logs, which experiments of a checkout share."""
    folder = Path(os.environ.get("DVC_ROOT", ".")) / ".scratch" / "engines"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def read(file: Path) -> Record | None:
    """Return the record in a file; None if there is none or it is torn."""
    try:
        key, (pid, started), folder = json.loads(file.read_text(encoding="utf-8"))
        return Record(str(key), (int(pid), float(started)), str(folder))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def remove_dead(folder: Path) -> None:
    """Remove what servers left behind that were killed."""
    for file in folder.glob("*.json"):
        record = read(file)
        if record is None or not record.is_alive:
            if record:
                record.end()
            file.unlink(missing_ok=True)
            file.with_suffix(".lock").unlink(missing_ok=True)


def _say(connection: Connection, message: Any) -> None:
    try:
        connection.send(message)
    except OSError:
        raise LostError from None


def _hear(connection: Connection) -> Any:
    """Return the server's next message, or raise the exception that it caught."""
    try:
        message = connection.recv()
    except (EOFError, OSError):
        raise LostError from None
    if isinstance(message, BaseException):
        raise message
    return message
