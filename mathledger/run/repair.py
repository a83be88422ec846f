"""Repair files that a killed DVC left torn: `python -m mathledger.run.repair`.

`make repro` runs it first. DVC writes dvc.lock and its tables of locks in place. If it is killed
while it writes, or the power fails, a part of a file, an empty file or NUL bytes remain, and DVC
refuses to start from then on. A torn table holds nothing that is still needed, and DVC's index of
digests is a cache. A torn dvc.lock is replaced by the copy that the last `make repro` kept, or by
the commit's; what has run since comes back from DVC's run cache.
"""

import contextlib
import functools
import json
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError, machine_fault
from mathledger.core.files import write_text
from mathledger.run import git

LOCK = Path("dvc.lock")
COPIES = Path(".scratch/kept")  # named by the commit that was checked out
TABLES = (Path(".dvc/tmp/rwlock"), Path(".dvc/tmp/exps/rwlock"))
WAIT_S = 0.5  # DVC's own writing takes less


def repair() -> list[str]:
    """Repair the files of the project in the current folder; return a line for each one.

    Raises:
        InputError: git cannot tell which commit is checked out.
    """
    repaired = []
    for table in TABLES:
        if _is_torn(table, _is_table):
            table.unlink(missing_ok=True)
            repaired.append(f"{table}: removed, as a killed DVC left it torn")
    try:
        commit = git.head()
    except git.NoRepositoryError:
        return repaired  # DVC reports it
    copy = COPIES / f"{commit}.lock"
    if _is_torn(LOCK, is_lock):
        content, source = _last_whole(copy, commit)
        if content is None:
            LOCK.unlink()
        else:
            write_text(LOCK, content)
        repaired.append(f"{LOCK}: {source}, as a killed DVC left it torn")
    if broken := _broken_index():
        shutil.rmtree(broken)
        repaired.append(f"{broken}: removed DVC's index of digests, a database that was damaged")
    if LOCK.exists():
        write_text(copy, LOCK.read_text(encoding="utf-8"))
        for old in set(COPIES.glob("*.lock")) - {copy}:
            old.unlink()
    return repaired


def _broken_index() -> Path | None:
    """Return the folder of DVC's databases of digests if DVC cannot open them; they are a cache."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    folders = []

    class Noting(Repo):  # type: ignore[misc]
        @functools.cached_property
        def site_cache_dir(self) -> str:
            folders.append(super().site_cache_dir)
            return str(folders[-1])

    try:
        with Noting():
            pass
    except sqlite3.OperationalError:
        return None  # locked, or the disk is full: no damage
    except sqlite3.DatabaseError:
        return Path(folders[-1]) if folders else None
    except (DvcException, OSError):
        return None  # DVC reports it
    return None


def _last_whole(copy: Path, commit: str) -> tuple[str | None, str]:
    """Return the last whole content of dvc.lock, None if there is none, and what is done."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = copy.read_text(encoding="utf-8")
        if is_lock(text):
            return text, "restored as it was before the last run"
    committed = git.read_object(f"{commit}:./{LOCK}")
    if committed is None:
        return None, "removed"
    return committed.decode("utf-8"), "restored from the commit"


def _is_torn(path: Path, is_whole: Callable[[str], bool]) -> bool:
    """Return True if a file exists and is not whole, and nobody is just writing it."""

    def read() -> str | None:
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            return ""

    text = read()
    if text is None or is_whole(text):
        return False
    time.sleep(WAIT_S)
    again = read()
    return again is not None and not is_whole(again)


def is_lock(text: str) -> bool:
    """Return True if DVC can read a text as dvc.lock, and the end is not missing.

    >>> is_lock("schema: '2.0'\\nstages:\\n  mix:\\n    cmd: python -m stages.mix\\n")
    True
    >>> is_lock("schema: '2.0'\\nstages:\\n  mix:\\n    cm"), is_lock(""), is_lock("\\0\\0\\n")
    (False, False, False)
    """
    import yaml

    try:
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return False
    if not text.endswith("\n") or not isinstance(content, dict):
        return False
    stages = content.get("stages")
    if content.get("schema") != "2.0" or not isinstance(stages, dict):
        return False
    return all(map(_is_entry, stages.values()))


def _is_entry(entry: Any) -> bool:
    """Return True if an entry of dvc.lock has the form that DVC requires."""
    if not isinstance(entry, dict) or not isinstance(entry.get("cmd"), str | list):
        return False
    listed = [entry[key] for key in ("deps", "outs") if key in entry]
    params = entry.get("params", {})
    return (
        entry.keys() <= {"cmd", "deps", "params", "outs"}
        and isinstance(params, dict)
        and all(isinstance(own, dict) for own in params.values())
        and all(isinstance(files, list) and all(map(_is_file, files)) for files in listed)
    )


def _is_file(file: Any) -> bool:
    return isinstance(file, dict) and isinstance(file.get("path"), str)


def _is_table(text: str) -> bool:
    """Return True if DVC can read a text as a table of locks."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(content, dict)
        and content.keys() <= {"read", "write"}
        and all(isinstance(each, dict) for each in content.values())
        and all(map(_is_owner, content.get("write", {}).values()))
        and all(
            isinstance(owners, list) and all(map(_is_owner, owners))
            for owners in content.get("read", {}).values()
        )
    )


def _is_owner(owner: Any) -> bool:
    return (
        isinstance(owner, dict)
        and type(owner.get("pid")) is int
        and isinstance(owner.get("cmd"), str)
        and len(owner) == 2
    )


def main() -> None:
    try:
        repaired = repair()
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:  # such as a file in the place of .scratch/
        remedy = "move it away, and run again"
        sys.exit(
            f"error: {machine_fault(error) or f'{error.filename}: {error.strerror}: {remedy}'}"
        )
    for line in repaired:
        print(f"repaired {line}")


if __name__ == "__main__":
    main()
