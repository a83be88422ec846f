"""Keep freed memory for reuse, because training on a CPU allocates the same large tensors again."""

import ctypes
import sys

# The options of glibc's mallopt, and the values that switch off what they limit.
M_TRIM_THRESHOLD, NEVER = -1, -1
M_MMAP_MAX, NONE = -4, 0


def keep_freed_memory() -> None:
    """Let glibc keep freed memory instead of giving it back to the system.

    By default glibc returns each tensor above 32 MB to the system and asks for new memory in the
    next step, which the system first fills with zeros. Other C libraries are left unchanged.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(M_MMAP_MAX, NONE)
        library.mallopt(M_TRIM_THRESHOLD, NEVER)
