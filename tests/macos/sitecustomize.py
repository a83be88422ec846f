"""Make a Python process on Linux lack what macOS lacks; Python imports this by its name.

`PYTHONPATH=tests/macos` also reaches the processes that a command starts. Linux-only names are
removed from the standard library. The memory limit is refused, as by some versions of macOS. The
project's own code finds neither /proc nor /sys; the packages it uses keep both, because they choose
by the platform.
"""

import contextlib
import errno
import fcntl
import multiprocessing
import os
import resource
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
OWN = ("mathledger", "stages", "hydra_plugins")
LINUX = {
    os: (
        "sched_getaffinity sched_setaffinity sched_getscheduler sched_setscheduler sched_getparam "
        "sched_setparam sched_rr_get_interval posix_fadvise posix_fallocate pidfd_open "
        "memfd_create eventfd copy_file_range splice getrandom getxattr setxattr listxattr "
        "removexattr getresuid getresgid setresuid setresgid setns unshare fdatasync pipe2 preadv "
        "pwritev2 O_DIRECT O_TMPFILE O_NOATIME O_LARGEFILE O_PATH timerfd_create"
    ),
    signal: "SIGPWR SIGSTKFLT SIGPOLL SIGCLD SIGRTMIN SIGRTMAX sigtimedwait sigwaitinfo",
    resource: "prlimit RUSAGE_THREAD RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_SIGPENDING RLIMIT_OFILE",
    fcntl: "F_SETPIPE_SZ F_GETPIPE_SZ F_OFD_SETLK F_SETLEASE F_ADD_SEALS F_NOTIFY",
    select: "epoll",
    socket: "AF_NETLINK AF_VSOCK SO_PEERCRED",
    time: "CLOCK_BOOTTIME CLOCK_TAI",
}
for module, names in LINUX.items():
    for name in names.split():
        with contextlib.suppress(AttributeError):
            delattr(module, name)

setrlimit = resource.setrlimit


def refuse_address_space(limit: int, values: tuple[int, int]) -> None:
    if limit == resource.RLIMIT_AS:
        raise ValueError("current limit exceeds maximum limit")
    setrlimit(limit, values)


resource.setrlimit = refuse_address_space
multiprocessing.set_start_method("spawn")


def expect_no_proc(path: Any) -> None:
    """Raise FileNotFoundError for a file of /proc or /sys if the project's own code asks for it."""
    if not str(path).startswith(("/proc/", "/sys/")):
        return
    frame = sys._getframe(2)
    while frame.f_back and frame.f_code.co_filename.startswith((sys.base_prefix, "<frozen")):
        frame = frame.f_back  # Skip e.g. pathlib.
    if frame.f_globals.get("__name__", "").split(".")[0] in OWN:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def hide_proc(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        expect_no_proc(arguments[0])


stat_of = os.stat


def stat(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
    expect_no_proc(path)
    return stat_of(path, *arguments, **options)


os.stat = stat  # type: ignore[assignment]
sys.addaudithook(hide_proc)
