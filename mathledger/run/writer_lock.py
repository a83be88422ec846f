"""Know of each MLflow run of this checkout whether its writer still works, and how it ended."""

from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_json


@dataclass(frozen=True)
class Ending:
    """How a run ended."""

    status: str
    time: int | None = None  # milliseconds since 1970
    repeats: str | None = None  # id in lineage/ of the run that made the same result first


class WriterLock:
    """A lock that the process holds which writes a run, from the run's start to its end.

    The operating system frees it when the process dies. The file is removed at the run's end, so a
    file that nobody holds belongs to a run that was cut off. If the run ended while the store was
    away, a second file says how.
    """

    def __init__(self, root: Path, run_id: str) -> None:
        self.path = root / ".scratch" / "runs" / f"{run_id}.lock"
        self._lock = FileLock(self.path, thread_local=False)
        self._note = self.path.with_suffix(".json")

    @property
    def ending(self) -> Ending:
        """Return how the run ended, as far as this checkout knows."""
        try:
            return Ending(**read_json(self._note))
        except (InputError, TypeError):
            return Ending("KILLED")

    def leave(self, ending: Ending) -> None:
        """Note how the run ended, for the store does not answer."""
        write_json(self._note, asdict(ending))

    def exists(self) -> bool:
        """Return True if a process of this checkout opened the run and did not end it."""
        return self.path.exists()

    def take(self) -> bool:
        """Return True if no other process holds the lock, which this one now does."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        return True

    def remove(self) -> None:
        self._lock.release()
        for path in (self.path, self._note):
            path.unlink(missing_ok=True)
