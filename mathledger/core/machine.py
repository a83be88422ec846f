"""Facts about this machine from the operating system, on Linux and macOS."""

import os


def num_cores() -> int:
    """Return how many cores this process may use.

    On Linux a scheduler such as Slurm, or `taskset`, may grant fewer than the machine has. macOS
    cannot bind a process to cores.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
