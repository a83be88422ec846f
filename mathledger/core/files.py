"""Read and write text and JSON files; a file is written completely or not at all."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to a temporary file next to the target, sync it to disk, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".partial")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # without it, a power cut leaves NUL bytes under the new name
    aside.rename(path)


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that replaces the given one if the block ends without an error.

    A kill may leave FOLDER.partial behind. The next run removes it, and .dvcignore and .gitignore
    exclude it, so that it never counts as part of an output.
    """
    aside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        _to_disk(aside)
        shutil.rmtree(folder, ignore_errors=True)  # Only DVC removes it before a run.
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _to_disk(folder: Path) -> None:
    """Sync all files of a folder to disk; otherwise a crash could leave files full of zeros."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON with its keys in the given order and one newline at the end."""
    write_text(path, json_text(content))


def json_text(content: Any) -> str:
    """Return the text that `write_json` writes."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """Return the content of a JSON file that an earlier stage wrote.

    Raises:
        InputError: The file is missing or is not valid JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `dvc repro`, or `dvc pull`") from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} is not valid JSON ({error}): run `dvc checkout`, or `dvc repro`"
        ) from None
