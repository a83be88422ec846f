"""Provide what all benchmarks share: options, a quiet machine, alternating rounds and a table.

A script's `main` reads its options with `options`, measures, and ends with `report`. Each claim of
speed is a ratio of two things that ran side by side in the same rounds.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import psutil

from mathledger.core.errors import InputError
from mathledger.core.files import write_json
from mathledger.run import git
from mathledger.run.environment import hardware

RESULTS = Path("bench/results")
MIN_ROUNDS, MAX_LOAD = 3, 1.0
SAMPLE_SECONDS = 0.05
PACKAGES = ("math-verify", "numba", "numpy", "pyarrow", "torch", "transformers", "trl")
T = TypeVar("T")


@dataclass(frozen=True)
class Measured:
    """One run of a command."""

    seconds: float  # Wall time from start to exit.
    peak_mb: float  # Peak sum over the process tree, counting shared pages each time, in 1e6 bytes.


def options(
    description: str | None, arguments: Sequence[str] | None, *more: Any, is_timed: bool = True
) -> Any:
    """Parse a script's options; each of `more` is a name and the keywords of `add_argument`.

    Args:
        is_timed: Whether the script claims a speed, which needs rounds and a quiet machine.

    Raises:
        InputError: The machine is busy, or there are too few rounds for a claim.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, keywords in more:
        parser.add_argument(name, **keywords)
    parser.add_argument("--results", type=Path, default=RESULTS, help="where raw results go")
    if is_timed:
        parser.add_argument("--rounds", type=int, default=MIN_ROUNDS, help="at least 3")
        parser.add_argument(
            "--loaded", action="store_true", help="run on a busy machine or for fewer rounds"
        )
    chosen = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    print(f"load average: {load:.2f}", file=sys.stderr)
    if is_timed and not chosen.loaded and (load > MAX_LOAD or chosen.rounds < MIN_ROUNDS):
        raise InputError(
            f"the load average is {load:.2f} and the rounds are {chosen.rounds}: a claim needs at "
            f"most {MAX_LOAD:.0f} and at least {MIN_ROUNDS}; --loaded measures nevertheless"
        )
    chosen.facts = circumstances(load, chosen.rounds if is_timed else None)
    return chosen


def circumstances(load: float, rounds: int | None) -> dict[str, Any]:
    """Return when, where and with which versions the benchmark runs."""
    machine, commit = hardware(), git.head()
    changed = git.differences(commit, "mathledger", "stages", "bench")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit,
        "code_is_dirty": any(not path.startswith("bench/results/") for path, _ in changed),
        "load_before": round(load, 2),
        "rounds": rounds,
        "cpu": machine["cpu"],
        "num_cpus": machine["num_cpus"],
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "packages": {"python": machine["python"], **versions(PACKAGES)},
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of those packages that are installed here."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def compare(runs: dict[str, list[dict[str, float]]]) -> tuple[list[list[Any]], list[str]]:
    """Return the rows and the header of a table of the stage, the bare script and their ratio."""
    stage, bare = medians(runs["stage"]), medians(runs["bare"])
    head = {
        "tokens_per_second": "tokens/s",
        "peak_mb": "peak memory, MB",
        "ready_seconds": "seconds from imports to the first step",
    }
    rows: list[list[Any]] = [
        [name, *(each[key] for key in head)] for name, each in (("stage", stage), ("bare", bare))
    ]
    rows.append(["ratio", *(stage[key] / bare[key] for key in head)])
    return rows, [*head.values()]


def report(
    name: str, chosen: Any, n: str, head: Sequence[str], rows: Sequence[Sequence[Any]], raw: Any
) -> None:
    """Print the table with its circumstances, and write it with the raw results as JSON.

    Args:
        n: What was measured and how much of it.
        rows: Cells; text is unchanged, and numbers are rounded to four digits.
    """
    facts = chosen.facts
    cells = [[cell(each) for each in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in [head, *cells]]
    lines.insert(1, "|---" * len(head) + "|")
    dirty = " with changes" if facts["code_is_dirty"] else ""
    rounds = f"; medians of {facts['rounds']} rounds" if facts["rounds"] else ""
    foot = (
        f"n: {n}{rounds}. {facts['num_cpus']} cores of {facts['cpu']}, "
        f"{facts['memory_gb']} GB; {facts['date']}, commit {facts['commit'][:12]}{dirty}; load "
        f"before {facts['load_before']}."
    )
    text = "\n".join([*lines, "", foot])
    write_json(chosen.results / f"{name}.json", {**facts, "n": n, "table": text, "raw": raw})
    print(text)


def cell(value: str | float) -> str:
    """Format a number with four digits, or an integer with all digits.

    >>> cell(12345), cell(1234.5), cell(0.123456)
    ('12,345', '1,234', '0.1235')
    """
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.4g}"


def alternate(tools: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run every tool once per round, so that a slow minute of the machine affects all.

    Every second round has the opposite order, so that no tool always follows the same other one.
    """
    runs: dict[str, list[T]] = {name: [] for name in tools}
    for number in range(rounds):
        for name in list(tools)[:: -1 if number % 2 else 1]:
            runs[name].append(tools[name]())
            print(f"round {number + 1}: {name}: {runs[name][-1]}"[:200], file=sys.stderr)
    return runs


def medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: statistics.median(each[key] for each in runs) for key in runs[0]}


def measure(
    command: Sequence[str], cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Measured:
    """Run a command to its end.

    Raises:
        InputError: The command fails; the message has the end of its output.
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
        shown = " ".join(map(str, command))
        raise InputError(f"{shown} ended with {process.returncode}:\n{output[-4000:].strip()}")
    return Measured(round(seconds, 3), round(peak / 1e6, 1))


def tree_rss(pid: int) -> int:
    """Return the resident bytes of a process and its descendants."""
    total = 0
    try:
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            total += each.memory_info().rss
    except psutil.NoSuchProcess:  # It has ended since it was listed.
        pass
    return total


def copy_of(project: Path, folder: Path, with_data: bool) -> Path:
    """Clone a checkout with its params.yaml, and with its data if the benchmark reads them.

    Raises:
        InputError: The checkout has no data.
    """
    project = project.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(project), str(folder)], check=True)
    shutil.copy2(project / "params.yaml", folder / "params.yaml")
    if with_data:
        if not (project / "data/model").exists():
            raise InputError(f"{project} has no data/model: run `make repro` there first")
        shutil.copytree(project / "data", folder / "data", dirs_exist_ok=True)
    return folder


def run_part(folder: Path, module: str, *arguments: str) -> dict[str, float]:
    """Run a part of a benchmark in its own process; return the numbers passed to `finish`."""
    shutil.rmtree(folder / ".scratch", ignore_errors=True)
    command, environment = [sys.executable, "-m", module, *arguments], stage_environment()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not found:
        raise InputError(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-3000:]}")
    result: dict[str, float] = json.loads(found[0].removeprefix("RESULT "))
    return {**result, "tokens_per_second": result["tokens"] / result["seconds"]}


def finish(**numbers: float) -> None:
    """Pass on the numbers of a part and exit at once; the rest of a stage is not compared."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_mb = peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
    print("RESULT " + json.dumps({**numbers, "peak_mb": peak_mb}), flush=True)
    os._exit(0)


def stage_environment() -> dict[str, str]:
    """Return the environment without settings that point to the caller's stores."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "MLF"))}
    return kept | {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}


def run_main(main: Callable[[], None]) -> None:
    """Run a script's main; an error that its user can fix becomes one line."""
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
