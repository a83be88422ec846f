"""Run a command and measure it; say on what machine; write the result."""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from mathledger.core.errors import InputError
from mathledger.core.files import write_json
from mathledger.run.environment import hardware
from mathledger.run.tracking import CODE

RESULTS = Path("bench/results")
SAMPLE_SECONDS = 0.05
PACKAGES = ["lm-eval", "math-verify", "numba", "numpy", "pyarrow", "torch"]
PACKAGES += ["transformers", "trl"]


@dataclass(frozen=True)
class Measured:
    """One run of a command."""

    seconds: float  # wall time, from start to exit
    peak_rss_mb: (
        float  # highest sum over its process tree, shared pages counted in each; MB = 1e6 B
    )


def measure(
    command: list[str], cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Measured:
    """Run a command to its end.

    Raises:
        InputError: it fails; the text holds the end of what it printed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    peak = 0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            peak = max(peak, tree_rss(process.pid))
            time.sleep(SAMPLE_SECONDS)

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, _ = process.communicate()
    seconds = time.perf_counter() - started
    watcher.join()
    if process.returncode:
        raise InputError(
            f"{' '.join(command)} ended with {process.returncode}:\n{output[-4000:].strip()}"
        )
    return Measured(round(seconds, 2), round(peak / 1e6, 1))


def tree_rss(pid: int) -> int:
    """Resident bytes of a process and all below it."""
    total = 0
    try:
        process = psutil.Process(pid)
        processes = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:  # ended since it was listed
            continue
    return total


def circumstances() -> dict[str, Any]:
    """Where, when and with what something is measured; to be called before it is.

    The load tells whether the machine was doing something else: then times are worth little.
    """
    facts = hardware()
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _git("rev-parse", "HEAD"),
        "code_is_dirty": bool(_git("status", "--porcelain", "--", *CODE, "bench/*.py")),
        "load_before": round(os.getloadavg()[0], 2),
        "machine": {
            "cpu": facts["cpu"],
            "num_cpus": facts["num_cpus"],
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
            "python": facts["python"],
            "packages": {package: version(package) for package in PACKAGES},
        },
    }


def clone(folder: Path, overrides: list[str], targets: list[str]) -> Path:
    """A clone of HEAD (or the one that is there), configured, with these stages' outs."""
    if not folder.exists():
        run(Path.cwd(), "git", "clone", "--quiet", str(Path.cwd()), str(folder))
    run(folder, sys.executable, "-m", "stages.params", *overrides)
    run(folder, "dvc", "repro", "--quiet", *targets)
    return folder


def run(folder: Path, *command: str, environment: Mapping[str, str] | None = None) -> str:
    """What a command there prints.

    Raises:
        InputError: it fails.
    """
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def commit(folder: Path, message: str) -> None:
    """Commit all that a clone holds."""
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    run(folder, "git", "add", "--all")
    run(folder, "git", *identity, "commit", "--quiet", "--allow-empty", "--message", message)


def run_in_clone(folder: Path, module: str, *arguments: str) -> dict[str, float]:
    """Run a module there with nothing left from before; returns what it printed as RESULT."""
    shutil.rmtree(folder / ".scratch", ignore_errors=True)
    shutil.rmtree(folder / ".bare", ignore_errors=True)
    printed = run(folder, sys.executable, "-m", module, *arguments)
    found = [line for line in printed.splitlines() if line.startswith("RESULT ")]
    result: dict[str, float] = json.loads(found[0].removeprefix("RESULT "))
    progress(f"{' '.join(arguments)}: {result['tokens'] / result['seconds']:.1f} tokens/s")
    return result


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """Of each number, and of tokens a second."""
    for each in runs:
        each["tokens_per_second"] = each["tokens"] / each["seconds"]
    return {key: statistics.median(each[key] for each in runs) for key in runs[0]}


def peak_mib() -> float:
    """The peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_result(name: str, result: dict[str, Any]) -> None:
    """Write bench/results/<name>.json."""
    write_json(RESULTS / f"{name}.json", result)


def progress(text: str) -> None:
    """A line for the one who waits; tables go to stdout."""
    print(text, file=sys.stderr, flush=True)


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
