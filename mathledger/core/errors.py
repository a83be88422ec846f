"""The one exception for what the user can fix, and what the machine does to us."""

import errno
import os

MACHINE = {
    errno.ENOSPC: ("the disk is full", "free some space and run again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space and run again"),
    errno.EROFS: ("the file system is read-only", "make it writable and run again"),
    errno.EACCES: ("the permission is missing", "change it and run again"),
    errno.EPERM: ("the system does not permit it", "change that and run again"),
    errno.EIO: ("the disk or the network failed", "check it and run again"),
    errno.ESTALE: ("the network file system lost the file", "check the mount and run again"),
    errno.EMFILE: ("too many files are open", "raise `ulimit -n` and run again"),
}


class InputError(Exception):
    """A user's mistake or a broken file, shown as one line without a traceback.

    The message names the file, row or key, the value found there, and how to fix it. Every other
    exception is a bug and keeps its traceback.
    """


def machine_fault(error: BaseException) -> str | None:
    """Return one line about an error of the disk, the network or the system; None for others.

    >>> machine_fault(OSError(errno.ENOSPC, "No space left on device"))
    'the disk is full ([Errno 28] No space left on device): free some space and run again'
    """
    said = " ".join(str(error).split())
    for code, (what, advice) in MACHINE.items():
        # Match the text, because pyarrow and safetensors raise their own errors without an errno.
        if getattr(error, "errno", None) == code or os.strerror(code) in said:
            return f"{what} ({said}): {advice}"
    return None
