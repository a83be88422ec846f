"""Hold one model's engine, and answer the cells of one DVC run, one after the other.

    python -m mathledger.evaluation.warm_server FOLDER

warm.py starts this process. It ends when its DVC ends, when another stage of that DVC starts and
may need the memory, and when no cell has come for IDLE_S.
"""

import contextlib
import json
import os
import pickle
import shutil
import sys
import threading
import time
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any, NoReturn

import psutil

from mathledger.core.configuration import check
from mathledger.core.errors import InputError
from mathledger.evaluation.engines.engine import Engine, Limits, Request, Response
from mathledger.evaluation.settings import Params
from mathledger.evaluation.warm import ORDER, SOCKET, read
from mathledger.run import turns

IDLE_S = 120  # between two cells, DVC stores outputs and starts the next stage


class Server:
    """The engine with the state that decides when the process ends."""

    def __init__(self, folder: Path) -> None:
        order = json.loads((folder / ORDER).read_text(encoding="utf-8"))
        self.folder = folder
        self.model = Path(order["model"])
        self.settings: Params = check("evaluate", order["settings"], Params)
        self.dvc = order["dvc"]
        self.record = Path(order["record"])
        self.is_loading = True
        self.is_asked = False  # whether a cell is connected
        self.since = time.monotonic()

    def serve(self) -> NoReturn:
        """Load the model, and answer cells until the process ends."""
        threading.Thread(target=self.watch, daemon=True).start()
        with Listener(str(self.folder / SOCKET), "AF_UNIX") as listener:
            try:
                engine: Engine | BaseException = self.load()
            except BaseException as error:
                engine = error
            self.is_loading, self.since = False, time.monotonic()
            while True:
                with listener.accept() as cell:
                    self.is_asked = True
                    is_whole = talk(cell, engine)
                self.is_asked, self.since = False, time.monotonic()
                if not is_whole:
                    self.end()

    def load(self) -> Engine:
        """Load the model with the tokenizer, as a cell of its own does."""
        os.environ["TOKENIZERS_PARALLELISM"] = "true"
        from mathledger.evaluation.engines.backends import open_engine
        from mathledger.evaluation.questions import silence_libraries
        from mathledger.model.prompts import load_tokenizer

        silence_libraries()
        return open_engine(self.model, load_tokenizer(self.model), self.settings)

    def watch(self) -> None:
        """End the process as soon as nobody needs it."""
        while True:
            time.sleep(1)
            if not turns.is_alive(self.dvc):
                self.end()
            if self.is_asked:
                continue
            is_idle = not self.is_loading and time.monotonic() - self.since > IDLE_S
            if is_idle or self.is_in_the_way():
                self.end()

    def is_in_the_way(self) -> bool:
        """Return True if the DVC process runs a stage that is not a cell of this model."""
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(int(self.dvc[0])).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if is_other_stage(child.cmdline(), self.model.name):
                        return True
        return False

    def end(self) -> NoReturn:
        """End the process and its children, such as vLLM's, and remove its files."""
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                child.kill()
        record = read(self.record)
        if record and record.folder == str(self.folder):
            self.record.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        os._exit(0)


def is_other_stage(words: list[str], model: str) -> bool:
    """Return True if a command runs a stage other than an evaluation of this model.

    >>> is_other_stage(["python", "-m", "stages.evaluate", "base", "champ"], "base")
    False
    >>> is_other_stage(["python", "-m", "stages.evaluate", "tuned", "champ"], "base")
    True
    >>> is_other_stage(["torchrun", "-m", "stages.train"], "base"), is_other_stage(["sh"], "base")
    (True, False)
    """
    stage = next((place for place, word in enumerate(words) if word.startswith("stages.")), None)
    if stage is None:
        return False
    return words[stage] != "stages.evaluate" or words[stage + 1 : stage + 2] != [model]


def talk(cell: Connection, engine: Engine | BaseException) -> bool:
    """Answer one cell until it closes the connection; return False after an error."""
    with contextlib.suppress(EOFError, ConnectionError):
        if isinstance(engine, BaseException):
            cell.send(sendable(engine))
            return False
        cell.send({name: fact for name, fact in vars(engine).items() if name != "answer"})
        while True:
            requests, limits = cell.recv()
            try:
                answer(cell, engine, requests, limits)
            except (EOFError, ConnectionError):
                raise  # the cell was ended
            except BaseException as error:
                cell.send(sendable(error))
                return False
    return True


def answer(cell: Connection, engine: Engine, requests: list[Request], limits: Limits) -> None:
    """Send responses to the cell as they arrive, each with its request's place; end with []."""
    places = {id(request): place for place, request in enumerate(requests)}

    def done(pairs: list[tuple[Request, Response]]) -> None:
        cell.send([(places[id(request)], response) for request, response in pairs])

    engine.answer(requests, limits, done)
    cell.send([])


def sendable(error: BaseException) -> BaseException:
    """Return an exception that the cell can raise: itself, or its text if it cannot be pickled."""
    import traceback

    if not isinstance(error, InputError):
        traceback.print_exception(error)  # into the log
    try:
        copied: Any = pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error if isinstance(copied, type(error)) else RuntimeError(str(error))


if __name__ == "__main__":
    Server(Path(sys.argv[1])).serve()
