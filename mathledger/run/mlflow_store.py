"""Open the MLflow store, make a new one, and say what is wrong with one that fails.

A new SQLite store is made under another name and renamed, so that a kill or a full disk in its
first seconds leaves nothing behind. One that was half made and holds no run is replaced.
"""

import contextlib
import errno
import logging
import os
import re
import shlex
import socket
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from filelock import FileLock

from mathledger.core.secrets import without_secrets

RESULTS = "mathledger"  # the experiment that one compares: one run for each result
STAGES = "mathledger-stages"  # the runs of the stages and their models
NOTE = "mlflow.note.content"  # tag of an experiment that the UI shows as its description
NOTES = {
    RESULTS: "One run for each result, named after its DVC experiment, with its scores as metrics "
    "and all its params. To compare: tick several runs, press Compare, turn on Show diff only. The "
    f"runs of the stages are in the experiment {STAGES}; a result's tags mathledger.run.* name "
    "those behind it.",
    STAGES: "One run for each stage that ran, and the models that they made. The results to "
    f"compare are in the experiment {RESULTS}.",
}
WAIT_S = 60  # how long SQLite waits for another process that writes; its own 5 s are few
WAIT_FOR_HOST_S = 10
PORTS = {"mssql": 1433, "mysql": 3306, "postgresql": 5432}  # where a database listens by default
# Maps a part of a refusal to the advice for the user; {file} is the SQLite file.
ADVICE = {
    "You are not authenticated": "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
    "write both into ~/.mlflow/credentials",
    "Permission denied": "ask an admin of the server to give this user the permission",
    "Invalid Host header": "start the server with this address in --allowed-hosts",
    "database is locked": "another process holds it: end that process, then run again",
    "readonly database": "make {file} and its folder writable",
    "out-of-date database schema": "run `mlflow db upgrade {uri}`",
    "disk is full": "free some space, then run again",
    "No space left on device": "free some space, then run again",
}
# A damaged database: everything in it can be written again.
DAMAGED = ("is not a database", "malformed", "already exists", "no such table", "no such column")
REBUILD = "the file is damaged; run `mv {file} {file}.damaged && mathledger sync-mlflow`"


def store_uri(root: Path) -> str:
    """Return the URI of the MLflow store for the project in this folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(root / "mlflow.db")


def sqlite_uri(file: Path) -> str:
    """Return the URI of a SQLite store; SQLAlchemy reads % and ? in it.

    >>> sqlite_uri(Path("/my data/100%?/mlflow.db"))
    'sqlite:////my data/100%25%3F/mlflow.db'
    """
    return "sqlite:///" + str(file).replace("%", "%25").replace("?", "%3F")


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a SQLite store; None for another store, or one in memory.

    >>> sqlite_file("sqlite:////tmp/a.db?timeout=9"), sqlite_file("http://host/a.db")
    (PosixPath('/tmp/a.db'), None)
    """
    found = re.match(r"sqlite(?:\+\w+)?:///([^?]+)", uri)
    return Path(unquote(found[1])) if found and found[1] != ":memory:" else None


def patient(uri: str) -> str:
    """Return the URI of a SQLite store that waits for other processes; other URIs unchanged."""
    if sqlite_file(uri) is None or "timeout=" in uri:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}timeout={WAIT_S}"


class Experiments(NamedTuple):
    """The ids of MLflow's two experiments in a store.

    Stores of older versions have every run in that of the results.
    """

    results: str
    stages: str


@contextlib.contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Hold a lock, so that only one stage at a time runs the body."""
    scratch = root / ".scratch"
    scratch.mkdir(exist_ok=True)
    with FileLock(scratch / "mlflow.lock"):
        yield


def open_experiments(uri: str, root: Path) -> Experiments:
    """Find or create the experiments, and return their ids; a new SQLite store is created as well.

    Without the lock, stages would race: MLflow's migrations fail on "duplicate column name", and
    runs land in the Default experiment. On a server, another machine may still create the
    experiments first.
    """
    with one_at_a_time(root):
        file = sqlite_file(uri)
        if file is None:
            require_answer(uri)
            return _open(uri, None)
        if file.is_dir():  # MLflow would try for two minutes
            raise IsADirectoryError(errno.EISDIR, "it is a folder: remove it", str(file))
        artifacts = (root / "mlartifacts").as_uri()
        if not file.exists() or not file.stat().st_size:
            _create(file, artifacts)
        try:
            return _open(uri, artifacts)
        except Exception:  # MLflow and SQLAlchemy raise many kinds for a database that is half made
            if not _holds_no_run(file):
                raise
        aside = file.with_name(f"{file.name}.half-made")
        disconnect()  # connections would outlive the renaming
        file.replace(aside)
        print(
            f"{file} was half made: moved to {aside} and replaced by a new one",
            file=sys.stderr,
            flush=True,
        )
        _create(file, artifacts)
        return _open(uri, artifacts)


def require_answer(uri: str) -> None:
    """Connect once to the host of a database, because MLflow would try for two minutes.

    Raises:
        OSError: the host does not answer.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    with contextlib.suppress(ArgumentError, ValueError):  # not a database's, or of several hosts
        url = make_url(uri)
        port = url.port or PORTS.get(url.get_backend_name())
        if url.host and port and url.get_backend_name() in PORTS:
            socket.create_connection((url.host, port), timeout=WAIT_FOR_HOST_S).close()


def _create(file: Path, artifacts: str) -> None:
    """Create a SQLite store with the experiments under another name, then rename it."""
    _forget()
    aside = file.with_name(f"{file.name}.partial")
    leftovers = [
        aside,
        *(aside.with_name(aside.name + end) for end in ("-journal", "-wal", "-shm")),
    ]
    for each in leftovers:
        each.unlink(missing_ok=True)
    try:
        _open(sqlite_uri(aside), artifacts)
        aside.replace(file)
    finally:
        for each in leftovers:
            each.unlink(missing_ok=True)


def _open(uri: str, artifacts: str | None) -> Experiments:
    from mlflow import MlflowClient

    client = MlflowClient(patient(uri))
    return Experiments(*(_find_or_create(client, name, artifacts) for name in (RESULTS, STAGES)))


def _find_or_create(client: Any, name: str, artifacts: str | None) -> str:
    from mlflow.exceptions import MlflowException

    if experiment := client.get_experiment_by_name(name):
        return str(experiment.experiment_id)
    try:
        tags = {NOTE: NOTES[name]}
        return str(client.create_experiment(name, artifact_location=artifacts, tags=tags))
    except MlflowException:
        if experiment := client.get_experiment_by_name(name):
            return str(experiment.experiment_id)
        raise


def disconnect() -> None:
    """Close MLflow's connections to databases, which may be moved before their next use."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for engine in SqlAlchemyStore._engine_map.values():
        engine.dispose()


def _forget() -> None:
    """Let MLflow forget the stores that it knows, for it migrates a file once only."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from mlflow.tracking._tracking_service.utils import _tracking_store_registry

    disconnect()
    SqlAlchemyStore._engine_map.clear()
    _tracking_store_registry._get_store_with_resolved_uri.cache_clear()


def _holds_no_run(file: Path) -> bool:
    """Return True if a SQLite file can be replaced without loss."""
    with file.open("rb") as opened:
        if not any(any(block) for block in iter(lambda: opened.read(1 << 20), b"")):
            return True  # NUL bytes alone, as a power cut leaves them
    try:
        with contextlib.closing(
            sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
        ) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            if tables and not tables & {"experiments", "runs", "alembic_version"}:
                return False  # another program's
            return "runs" not in tables or db.execute("SELECT 1 FROM runs").fetchone() is None
    except sqlite3.Error:
        return False


def is_lost(error: Exception) -> bool:
    """Return True if a store does not answer any more; False if it refused what it was sent."""
    from mlflow.exceptions import MlflowException, RestException
    from sqlalchemy.exc import InterfaceError, OperationalError

    if isinstance(error, RestException):
        away = ("TEMPORARILY_UNAVAILABLE", "DEADLINE_EXCEEDED", "REQUEST_LIMIT_EXCEEDED")
        return error.error_code in (*away, "PERMISSION_DENIED", "UNAUTHENTICATED")
    if isinstance(error, MlflowException):
        status = re.search(r"failed with error code (\d+)", str(error))
        if status:  # an answer that is not MLflow's, such as a proxy's
            return int(status[1]) >= 500 or int(status[1]) in (401, 403, 404, 408, 429)
        is_cause_away = isinstance(error.__cause__, OperationalError | InterfaceError | OSError)
        return is_cause_away or "API request to" in str(error)
    return isinstance(error, OperationalError | InterfaceError | OSError)


def refusal(uri: str, error: Exception) -> str:
    """Return why a store cannot be used, and how to fix it, without a password."""
    said = " ".join(str(error).split())
    file = sqlite_file(uri)
    shown = without_secrets(uri)
    quoted = {"file": shlex.quote(str(file)), "uri": shlex.quote(shown)}
    for words, advice in ADVICE.items():
        if words in said:
            return f"MLflow at {shown} says {words!r}: {advice.format(**quoted)}"
    what = "is the server running, and was the store made by this version?"
    if file and any(words in said for words in DAMAGED):
        what = REBUILD.format(**quoted) + "."
    return f"MLflow at {shown} cannot be used: {what} It says: {without_secrets(said, uri)[:200]}"


def quiet() -> None:
    """Silence the log messages of MLflow and its migrations, except warnings and errors."""
    import mlflow  # noqa: F401  the import sets MLflow's own log level

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # It logs a traceback for every error that it then raises.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
