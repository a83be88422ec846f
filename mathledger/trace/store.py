"""Find the MLflow store of the runs, and link to them; only a SQLite store is searched."""

import os
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from mathledger.core.errors import InputError
from mathledger.run.mlflow_store import sqlite_file, store_uri
from mathledger.run.recorder import REPEATS, RUN_ID

UI = "http://127.0.0.1:5000"  # address at which `make ui` serves mlflow.db


class Store:
    """The MLflow store at MLFLOW_TRACKING_URI, which defaults to the project's mlflow.db."""

    def __init__(self, at: Path) -> None:
        set_uri = os.environ.get("MLFLOW_TRACKING_URI")
        uri = store_uri(at)
        parts = urlsplit(uri)
        self.base: str | None = None
        # Maps a run's id in lineage/ to its id in the store; None if the store was not searched.
        self.runs: dict[str, str] | None = None
        self.is_missing = False
        if parts.scheme in ("http", "https"):
            # Drop a user name and password from the address.
            host = parts.netloc.rpartition("@")[2]
            self.base = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
            self.name, self.how = self.base, f"at {self.base}"
        elif file := sqlite_file(uri):
            self.name = str(file) if set_uri else file.name
            self.base, self.how = UI, "with `make ui`"
            if set_uri:
                self.how = f"with `mlflow server --backend-store-uri {shlex.quote(uri)}`"
            self.is_missing = not file.is_file()
            if self.is_missing:
                self.how = f"no store ({self.name})"
            self.runs = {} if self.is_missing else self._read(file)
        else:
            self.name = parts.scheme or "a folder"
            self.how = f"in the MLflow store that MLFLOW_TRACKING_URI names ({self.name})"

    def _read(self, file: Path) -> dict[str, str]:
        """Read the run ids, by their ids in lineage/.

        A run that `sync-mlflow` wrote keeps its first id as a tag. A run that repeated a committed
        result has that of the first run, and replaces it if the store lacks the first one.
        """
        try:
            with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as store:
                query = (
                    "select coalesce(tags.value, runs.run_uuid), runs.run_uuid from runs "
                    "{} join tags on tags.run_uuid = runs.run_uuid "
                    "and tags.key = '{}' where lifecycle_stage = 'active'"
                )
                repeats = dict(store.execute(query.format("", REPEATS)))
                return repeats | dict(store.execute(query.format("left", RUN_ID)))
        except sqlite3.Error as error:
            raise InputError(
                f"{self.name} cannot be read as an MLflow store ({error}): run `mv "
                f"{shlex.quote(str(file))} {shlex.quote(f'{file}.damaged')} && "
                "mathledger sync-mlflow`"
            ) from None

    def link(self, run: str) -> str | None:
        """Return the address of a run's page, or None if it is unknown."""
        if self.base is None or (self.runs is not None and run not in self.runs):
            return None
        return f"{self.base}/#/runs/{self.runs[run] if self.runs else run}"
