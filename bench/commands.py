"""Measure how fast `mathledger verify` reads data, and how long `trace` and `diff` take.

    python -m bench.commands [--project .] [--benchmark chain_sum]

PROJECT is a checkout whose pipeline has run. Three readers alternate on all files in its dvc.lock,
which are in the page cache: `verify` itself (md5 of each file, sha256 of the ledger's subject),
`md5sum` of the same files, and `sha256sum` of the subject. `trace` and `diff` are whole commands.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import alternate, measure, medians, options, report, run_main
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Project


def files_of(project: Project) -> list[str]:
    """List all files of the lock, each once."""
    stages = project.chain.stages.values()
    paths = {path for stage in stages for path in (*stage.outs, *stage.deps)}
    return sorted({file for path in paths for file in project.files_in(path)})


def summed(command: list[str]) -> dict[str, float]:
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise InputError(f"{command[0]} failed: {done.stderr.strip()}")
    return {"seconds": time.perf_counter() - started}


def verified(chain: Chain, files: list[str]) -> dict[str, float]:
    project = Project(chain, VerifyOptions())
    _ = project.subject
    started = time.perf_counter()
    project.hash(files)
    return {"seconds": time.perf_counter() - started}


def command(*arguments: str) -> dict[str, float]:
    return vars(measure([sys.executable, "-m", "mathledger", *arguments]))


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(
        __doc__,
        arguments,
        ("--project", {"type": Path, "default": Path()}),
        ("--benchmark", {"default": "chain_sum"}),
    )
    chosen.results = chosen.results.resolve()
    back = Path.cwd()
    os.chdir(chosen.project)
    try:
        chain = Chain.open()
        project = Project(chain, VerifyOptions())
        files, subject = files_of(project), sorted(project.subject)
        sizes = {
            "md5sum": sum(Path(file).stat().st_size for file in files),
            "sha256sum": sum(Path(file).stat().st_size for file in subject),
        }
        sizes["verify"] = sizes["md5sum"]
        tools: dict[str, Callable[[], dict[str, float]]] = {
            "md5sum": partial(summed, ["md5sum", *files]),
            "sha256sum": partial(summed, ["sha256sum", *subject]),
            "verify": partial(verified, chain, files),
            "trace": partial(command, "trace", chosen.benchmark),
            "diff": partial(command, "diff", "HEAD", "workspace"),
        }
        runs = alternate(tools, chosen.rounds)
    finally:
        os.chdir(back)
    found = {name: medians(each)["seconds"] for name, each in runs.items()}
    both = found["md5sum"] + found["sha256sum"]
    rows: list[list[Any]] = [
        [f"`{name}`", found[name], sizes[name] / 1e6 / found[name], both / found[name]]
        for name in ("md5sum", "sha256sum", "verify")
    ]
    rows += [[f"`mathledger {name}`", found[name], "", ""] for name in ("trace", "diff")]
    head = ["", "seconds", "MB/s", "both sums one after the other, times as long"]
    n = f"{len(files)} files, {sizes['md5sum'] / 1e6:,.0f} MB"
    report("commands", chosen, n, head, rows, runs)


if __name__ == "__main__":
    run_main(main)
