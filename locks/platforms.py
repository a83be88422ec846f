"""Ask the package index whether every pin has a wheel on each supported platform: a Markdown table.

    python -m locks.platforms

Needs network and uv, which `make extras` installs. Exit status 1 if a wheel is missing; the line
below the table names the first package without one.
"""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# torch's own wheels set these bounds: glibc 2.28, and macOS 14 (below, for uv).
PLATFORMS = {
    "Linux x86-64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS arm64": "aarch64-apple-darwin",
}
MACOS = "14.0"


def pins(lock: Path) -> str:
    """Return a lock's requirements without digests, and torch's where the lock builds on it."""
    text = re.sub(r" \\\n(    --hash=\S+( \\)?\n)+", "\n", lock.read_text())
    torch = re.search(r"^torch==.*$", Path("locks/torch.txt").read_text(), re.M)
    assert torch
    return text if lock.stem == "base" else f"{text}{torch[0]}\n"


def first_missing(lock: Path, platform: str, python: str) -> str | None:
    """Return uv's reason why a lock cannot be installed from wheels, or None if it can."""
    settings = tomllib.loads(Path("pyproject.toml").read_text())["tool"]["uv"]["pip"]
    command = ["uv", "pip", "compile", "--quiet", "--no-config", "--no-deps", "-"]
    command += ["--python-platform", platform, "--python-version", python]
    command += ["--only-binary", ":all:"]
    command += [word for name in settings["no-binary"] for word in ("--no-binary", name)]
    done = subprocess.run(
        command,
        input=pins(lock),
        env=os.environ | {"MACOSX_DEPLOYMENT_TARGET": MACOS},
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return None
    cause = re.search(r"Because (.*?)(?: and you require|, we can)", " ".join(done.stderr.split()))
    return cause[1] if cause else done.stderr.strip()


def main() -> int:
    missing = []
    print(f"| | {' | '.join(f'Python {each}' for each in PYTHONS)} |")
    print(f"|---|{'---|' * len(PYTHONS)}")
    for name, platform in PLATFORMS.items():
        cells = []
        for python in PYTHONS:
            works = []
            for lock in ("base", "pipeline", "all"):
                if reason := first_missing(Path(f"locks/{lock}.txt"), platform, python):
                    missing.append(f"{name}, Python {python}, {lock}: {reason}")
                else:
                    works.append(lock)
            cells.append(", ".join(works) or "none")
        print(f"| {name} | {' | '.join(cells)} |")
    print(*missing, sep="\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
