"""Limit the time and memory of code that others wrote, such as a chat template without an end."""

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

MEMORY = Path("/proc/self/statm")  # only Linux has it, and macOS ignores the limit anyway


class OutOfTimeError(Exception):
    """The code has used up its time."""


@contextmanager
def at_most(seconds: float, num_bytes: int) -> Iterator[None]:
    """Raise OutOfTimeError in a block that computes longer, MemoryError in one that takes more.

    The seconds are those of this process's CPU time, so that a busy machine changes nothing. A
    signal ends even one endless power of numbers, but only the main thread receives signals: in
    another one the block has no limits.
    """
    with ExitStack() as limits:
        if threading.current_thread() is threading.main_thread():
            limits.enter_context(_less_time(seconds))
            if MEMORY.exists():
                limits.enter_context(_less_memory(num_bytes))
        yield


@contextmanager
def _less_time(seconds: float) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGPROF, stop)
    try:
        # The alarm repeats, because the code may catch the first error.
        signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def _less_memory(num_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    wanted = int(MEMORY.read_text().split()[0]) * resource.getpagesize() + num_bytes
    own = [each for each in before if each != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([wanted, *own]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
