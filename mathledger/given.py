"""Read the files that a user names on the command line, and those that lie next to them.

They may be anything: a device without an end, a pipe that nobody writes to, a file of the kernel
that cannot be read, or a data set in the place of a card.
"""

import os
import stat
from pathlib import Path

from mathledger.core.errors import InputError

MAX_BYTES = 256 << 20
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_bytes(path: Path, advice: str, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a file, or of a pipe with a writer such as <(COMMAND).

    Args:
        advice: What the user should do if this is not the right file, for the messages.

    Raises:
        InputError: It is missing, no file or pipe, too large, or cannot be read.
    """
    try:
        # A pipe that nobody has open for writing would block, and then it is empty.
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if what := KINDS.get(stat.S_IFMT(os.fstat(opened).st_mode)):
                raise InputError(f"{path} is {what}: {advice}")
            os.set_blocking(opened, True)
            with os.fdopen(opened, "rb", closefd=False) as file:
                data = file.read(max_bytes + 1)
        finally:
            os.close(opened)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: {advice}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; {advice}") from None
    if len(data) > max_bytes:
        raise InputError(f"{path} has more than {max_bytes >> 20} MiB: {advice}")
    return data


def read_text(path: Path, advice: str, max_bytes: int = MAX_BYTES) -> str:
    """Return the content of a file as text.

    Raises:
        InputError: `read_bytes` raises it, or the file is not UTF-8.
    """
    try:
        return read_bytes(path, advice, max_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 at byte {error.start}: save it as UTF-8, or {advice}"
        ) from None
