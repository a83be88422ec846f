"""Time the digests of `mathledger verify` beside md5sum and sha256sum, and `trace` and `diff`.

    python -m bench.ledger [--rounds 5]

The digests are of the files that `verify` reads in this checkout after `dvc pull`, all in the page
cache, by turns: `verify`'s own reading (md5 of each, sha256 too of the ledger's subject), `md5sum`
of the same files, and `sha256sum` of the subject. `trace` and `diff` are timed as a person waits:
the whole command.
"""

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.measure import circumstances, measure, write_result
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Project

BENCHMARK = "chain_sum"
COMMANDS = {
    "trace": ["trace", BENCHMARK],
    "diff": ["diff", "HEAD", "workspace"],
}


def files_of(project: Project) -> list[str]:
    """All files of the lock, each once."""
    stages = project.chain.stages.values()
    paths = {path for stage in stages for path in (*stage.outs, *stage.deps)}
    return sorted({file for path in paths for file in project.files_in(path)})


def timed(command: list[str]) -> float:
    """Seconds of a command whose output is thrown away."""
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise InputError(f"{command[0]} failed: {done.stderr.strip()}")
    return time.perf_counter() - started


def digests(rounds: int) -> dict[str, Any]:
    """Seconds of each way, the median of the rounds."""
    chain = Chain.open()
    project = Project(chain, VerifyOptions())
    files, subject = files_of(project), sorted(project.subject)
    seconds: dict[str, list[float]] = {"verify": [], "md5sum": [], "sha256sum": []}
    timed(["md5sum", *files])  # into the page cache
    for _ in range(rounds):
        fresh = Project(chain, VerifyOptions())
        _ = fresh.subject
        started = time.perf_counter()
        fresh.hash(files)
        seconds["verify"].append(time.perf_counter() - started)
        seconds["md5sum"].append(timed(["md5sum", *files]))
        seconds["sha256sum"].append(timed(["sha256sum", *subject]))
    return {
        "num_files": len(files),
        "bytes": sum(Path(file).stat().st_size for file in files),
        "bytes_of_subject": sum(Path(file).stat().st_size for file in subject),
        "seconds": {name: round(statistics.median(each), 3) for name, each in seconds.items()},
    }


def table(result: dict[str, Any]) -> str:
    """Markdown; rates are MB = 1e6 bytes a second of what each way reads."""
    seconds, size, subject = result["seconds"], result["bytes"], result["bytes_of_subject"]
    both = seconds["md5sum"] + seconds["sha256sum"]
    lines = [
        "| digests of the quickstart's files | MB | seconds | MB/s |",
        "|---|---:|---:|---:|",
        f"| `md5sum`, {result['num_files']} files | {size / 1e6:,.0f} | {seconds['md5sum']:.2f} | "
        f"{size / 1e6 / seconds['md5sum']:,.0f} |",
        f"| `sha256sum` of the ledger's subject | {subject / 1e6:,.0f} | "
        f"{seconds['sha256sum']:.2f} | {subject / 1e6 / seconds['sha256sum']:,.0f} |",
        f"| `mathledger verify`: both, in one reading | {size / 1e6:,.0f} | "
        f"{seconds['verify']:.2f} | {size / 1e6 / seconds['verify']:,.0f} |",
        "",
        f"One after the other, `md5sum` and `sha256sum` take {both:.2f} s: `verify` has "
        f"{both / seconds['verify']:.2f} times their speed, and "
        f"{seconds['md5sum'] / seconds['verify']:.2f} times that of `md5sum` alone, which computes "
        "one digest of the two.",
        "",
        "| command | seconds, start to exit |",
        "|---|---:|",
        *(f"| `mathledger {name}` | {value:.2f} |" for name, value in result["commands"].items()),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    facts = circumstances()
    result = digests(rounds)
    result["commands"] = {
        " ".join(command): statistics.median(
            measure([sys.executable, "-m", "mathledger", *command]).seconds for _ in range(rounds)
        )
        for command in COMMANDS.values()
    }
    write_result("ledger", {**facts, **result})
    print(table(result))


if __name__ == "__main__":
    main()
