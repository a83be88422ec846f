"""Refuse, in one line, a Python or a platform that the locks have no wheels for.

`make` runs this with whatever Python it was given, so the code must run on old ones.
"""

from __future__ import annotations

import platform
import sys

MACHINES = {"linux": ("x86_64", "aarch64"), "darwin": ("arm64",)}


def refusal(version: tuple[int, int], system: str, machine: str, libc: str) -> str | None:
    """Return why this cannot work, or None."""
    if not (3, 11) <= version <= (3, 14):
        text = "Python {}.{} is not one of 3.11 to 3.14; name one: make PYTHON=python3.12 ..."
        return text.format(*version)
    if machine not in MACHINES.get(system, ()) or (system == "linux" and libc != "glibc"):
        text = (
            "{} on {} is not supported, only Linux with glibc (x86-64, aarch64) and macOS (arm64)"
        )
        return text.format(system, machine)
    return None


if __name__ == "__main__":
    reason = refusal(sys.version_info[:2], sys.platform, platform.machine(), platform.libc_ver()[0])
    if reason:
        sys.exit("error: " + reason)
