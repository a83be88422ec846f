"""Write the files and folders that a user names on the command line.

A command checks the place before it works, because the work may take minutes. Each message names
the path at fault and says what to do.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mathledger.core.arguments import absolute
from mathledger.core.errors import InputError, machine_fault
from mathledger.core.files import write_text


def to_write(text: str) -> Path:
    """Read the path of what a command will write, for argparse's `type`."""
    return absolute(text)


def check_file(path: Path, or_device: bool = True) -> None:
    """Raise InputError if a file cannot be written here; leave everything as it is.

    Args:
        or_device: A device or pipe, such as /dev/stdout, may take the place of the file.
    """
    with _naming(path):
        if path.is_dir():
            raise InputError(f"{path} is a folder: name a file in it")
        if path.exists() and not path.is_file() and not or_device:
            raise InputError(f"{path} is not a file: name a file")
        if path.exists() and not os.access(path, os.W_OK):
            raise InputError(f"{path} is write-protected: change its mode, or name another file")
        if not path.exists() or path.is_file():
            _check_parent(path, "file")


def check_new_folder(path: Path) -> None:
    """Raise InputError if there is a file or folder of this name, or none can be made."""
    with _naming(path):
        if path.exists() or path.is_symlink():
            raise InputError(f"{path} exists: name a new folder, or remove it")
        _check_parent(path, "folder")


def write(path: Path, text: str) -> None:
    """Write a text as UTF-8, completely or not at all.

    A link keeps pointing to its file, which is replaced. A device such as /dev/stdout stays.

    Raises:
        InputError: the file cannot be written here.
    """
    check_file(path)
    with _naming(path):
        target = path.resolve()
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")
            return
        try:
            write_text(target, text)
        finally:
            target.with_name(target.name + ".partial").unlink(missing_ok=True)


def _check_parent(path: Path, what: str) -> None:
    """Raise InputError if the folder in which the path would lie is missing, or takes no file."""
    parent = path.resolve().parent
    if not parent.exists():
        raise InputError(f"{parent} does not exist: create it, or name a {what} elsewhere")
    if not parent.is_dir():
        raise InputError(f"{parent} is not a folder: name a {what} elsewhere")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(
            f"{parent} is write-protected: change its mode, or name a {what} elsewhere"
        )


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what the system says about a path into one line with the path and a remedy."""
    try:
        yield
    except (OSError, RuntimeError) as error:  # the latter for links that point to each other
        said = getattr(error, "strerror", None) or "its links point to each other"
        why = machine_fault(error) or f"{said}: name another one"
        raise InputError(f"{path} cannot be written: {why}") from None
