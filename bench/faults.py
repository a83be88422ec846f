"""Disturb every stage of the pipeline, and see that the results stay the same, to the byte.

    python -m bench.faults SCRATCH [--passes 3] [--seed 0]

A pass runs the smoke configuration from nothing. Each stage is hit once: while it works, at a
random moment of its usual time, or after its process has ended, while DVC puts its outs into its
cache and lock. `dvc repro` is started again each time, until it ends by itself. Then nothing may
be left running, every file of DVC's cache must still be what its name says, and data, weights,
metrics, plots and card must be those of a run that nobody disturbed. Two more runs are not hit:
beside busy processes, four for each core, and with as many threads as there are cores.
"""

import argparse
import hashlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
import yaml

from bench.measure import circumstances, clone, progress, write_result
from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.paths import is_lineage

MADE = ["data/download_corpus", "data/download_benchmark", "data/model", "data/prepare"]
MADE += ["data/deduplicate", "data/decontaminate", "data/mix", "data/train", "data/evaluate"]
MADE += ["data/probe", "lineage", "metrics", "plots", "model_card", ".scratch", ".dvc/cache"]
MADE += ["dvc.lock", "mlflow.db"]
END_S = 30  # the longest that a process may outlive the DVC that started it
BUSY = "while True: pass"


@dataclass(frozen=True)
class Fault:
    name: str
    signal: signal.Signals
    hits: Literal["all", "dvc", "stage"]


FAULTS = [
    Fault("all processes killed", signal.SIGKILL, "all"),
    Fault("DVC killed", signal.SIGKILL, "dvc"),
    Fault("the stage killed", signal.SIGKILL, "stage"),
    Fault("Ctrl-C", signal.SIGINT, "all"),
    Fault("all processes terminated", signal.SIGTERM, "all"),
]
WORKING, ENDED = "while it works", "after its process has ended"
# What may hit a stage, and when; of these each stage gets the next.
CASES = [(fault, when) for when in (WORKING, ENDED) for fault in FAULTS]
CASES = [(fault, when) for fault, when in CASES if fault.hits != "stage" or when == WORKING]


@dataclass(frozen=True)
class Hit:
    """A fault that was delivered."""

    stage: str
    fault: str
    when: str
    survived: bool  # there was nothing left to hit
    seconds_to_end: float  # until no process was left
    tore_lock: bool  # DVC's table of locks was left empty: what `make repro` mends


def disturbed(
    folder: Path,
    seconds: Mapping[str, float],
    seed: int,
    environment: Mapping[str, str] | None = None,
) -> list[Hit]:
    """Run `dvc repro` there until it ends by itself, hitting each of some stages once.

    Args:
        folder: a project in which nothing has run.
        seconds: how long each stage that is to be hit takes, by its name in DVC.
        seed: of the order of the faults and of their moments.

    Raises:
        InputError: a process outlives its DVC, the cache is torn, or a rerun fails by itself.
    """
    draw = random.Random(seed)
    cases = itertools.cycle(draw.sample(CASES, len(CASES)))
    hits: dict[str, Hit] = {}
    log = folder / ".scratch" / "faults.log"
    log.parent.mkdir(exist_ok=True)
    while True:
        with log.open("w") as output:
            dvc = subprocess.Popen(
                ["dvc", "repro"],
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        stage = wait_for_stage(dvc, log, seconds.keys() - hits.keys())
        if stage is None:
            if dvc.returncode:
                raise InputError(f"`dvc repro` failed by itself:\n{log.read_text()[-3000:]}")
            return list(hits.values())
        fault, when = next(cases)
        processes = wait_for_processes(dvc, stage)
        if when == WORKING:
            psutil.wait_procs(processes, timeout=draw.uniform(0, seconds[stage]))
        else:
            psutil.wait_procs(processes, timeout=600)
            time.sleep(draw.uniform(0, 0.5))
        survived = deliver(fault, dvc, processes)
        started = time.monotonic()
        dvc.wait(600)
        expect_end(dvc.pid, fault)
        expect_whole_cache(folder)
        took = round(time.monotonic() - started, 1)
        hits[stage] = Hit(stage, fault.name, when, survived, took, mend(folder))
        progress(f"  {stage}: {fault.name}, {when}{' (too late)' * survived}")


def mend(folder: Path) -> bool:
    """As `make repro` begins; returns whether DVC would have refused to start."""
    table = folder / ".dvc/tmp/rwlock"
    is_torn = table.exists() and not table.stat().st_size
    if is_torn:
        table.unlink()
    return is_torn


def wait_for_stage(dvc: subprocess.Popen[bytes], log: Path, wanted: Container[str]) -> str | None:
    """The name of the first of these stages that runs; None when DVC has ended."""
    while True:
        is_over = dvc.poll() is not None
        for line in log.read_text().splitlines():
            stage = line.removeprefix("Running stage '").removesuffix("':")
            if line.startswith("Running stage '") and stage in wanted:
                return stage
        if is_over:
            return None
        time.sleep(0.05)


def wait_for_processes(dvc: subprocess.Popen[bytes], stage: str) -> list[psutil.Process]:
    """The stage's own processes; none if it was too fast to be seen."""
    module = f"stages.{stage.split('@')[0]}"
    for _ in range(200):
        try:
            below = psutil.Process(dvc.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        found = []
        for process in below:
            try:
                if module in process.cmdline() and process.name() not in ("sh", "bash"):
                    found.append(process)
            except psutil.Error:  # it has ended
                continue
        if found or dvc.poll() is not None:
            return found
        time.sleep(0.02)
    return []


def deliver(fault: Fault, dvc: subprocess.Popen[bytes], processes: list[psutil.Process]) -> bool:
    """Send the signal; returns whether there was nothing left to hit."""
    if dvc.poll() is not None:
        return True
    if fault.hits == "all":
        os.killpg(dvc.pid, fault.signal)
    elif fault.hits == "dvc":
        dvc.send_signal(fault.signal)
    else:
        running = [process for process in processes if process.is_running()]
        for process in running:
            process.send_signal(fault.signal)
        if not running:  # it was faster than usual
            return True
    return False


def expect_end(group: int, fault: Fault) -> None:
    """Raise InputError unless all processes of a group end by themselves."""
    end = time.monotonic() + END_S
    while left := processes_of(group):
        if time.monotonic() > end:
            raise InputError(f"after the fault {fault.name!r} there still run: {left}")
        time.sleep(0.1)


def processes_of(group: int) -> list[str]:
    """The command lines of a process group, less those that have ended."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, ProcessLookupError):
            continue
    return found


def expect_whole_cache(folder: Path) -> None:
    """Raise InputError where a file of DVC's cache is not what its name says."""
    root = folder / ".dvc/cache/files/md5"
    for path in sorted(root.glob("??/*")):
        if path.name.removesuffix(".dir").isalnum():  # else it is still being written
            digest = hashlib.md5(path.read_bytes()).hexdigest()
            if digest != path.parent.name + path.name.removesuffix(".dir"):
                raise InputError(f"{path.relative_to(folder)} has the digest {digest}")


def results(folder: Path) -> dict[str, str]:
    """The digest of all that is the same in every run: all but lineage, which holds clocks.

    Of the stages that have run here: the lock of the commit has those of another configuration too.
    """
    stages = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    return {
        out["path"]: out["md5"]
        for name in stage_seconds(folder)
        for out in stages[name].get("outs", [])
        if not is_lineage(out["path"])
    }


def stage_seconds(folder: Path) -> dict[str, float]:
    """How long each stage took, by its name in DVC."""
    found = {}
    for path in (folder / "lineage").rglob("*.json"):
        lineage = read_json(path)
        name = f"{lineage['stage']}@{lineage['item']}" if lineage["item"] else lineage["stage"]
        found[name] = float(lineage["seconds"])
    return found


def empty(folder: Path) -> None:
    """Remove all that the pipeline makes, the cache too."""
    for name in MADE:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def busy(num: int) -> Iterator[None]:
    """Beside so many processes that never rest."""
    running = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(num)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def expect_same(folder: Path, expected: dict[str, str], what: str) -> None:
    """Raise InputError unless the results are these, and the chain of their proof holds."""
    found = results(folder)
    differing = sorted(
        path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path)
    )
    if differing:
        raise InputError(f"{what}: other results than undisturbed: {', '.join(differing)}")


def repro(folder: Path, environment: Mapping[str, str]) -> float:
    """Seconds of an undisturbed `dvc repro`."""
    started = time.perf_counter()
    done = subprocess.run(
        ["dvc", "repro"], cwd=folder, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        raise InputError(f"`dvc repro` failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return round(time.perf_counter() - started, 1)


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    hits = [Hit(**each) for each in result["hits"]]
    lines = [
        "| fault | when | stages hit | slowest end, s |",
        "|---|---|---:|---:|",
    ]
    for fault, when in CASES:
        own = [hit for hit in hits if (hit.fault, hit.when) == (fault.name, when)]
        real = [hit for hit in own if not hit.survived]
        slowest = f"{max((hit.seconds_to_end for hit in real), default=0):.1f}"
        lines.append(f"| {fault.name} | {when} | {len(real)} | {slowest} |")
    by_stage = Counter(hit.stage.split("@")[0] for hit in hits if not hit.survived)
    lines += [
        "",
        f"{result['num_passes']} passes over {result['num_stages']} stages, every stage hit once "
        f"a pass, at random moments ({', '.join(f'{k} {v}' for k, v in by_stage.items())}); "
        f"{result['num_outs']} outs compared. In {sum(hit.tore_lock for hit in hits)} cases DVC "
        "was killed as it wrote its table of locks: it then refuses to start, and `make repro` "
        f"removes the empty table. Beside {result['num_busy']} busy processes, and with "
        f"{result['num_threads']} threads instead of one: the same {result['num_outs']} outs.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scratch", type=Path, help="a folder for throw-away clones")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    facts = circumstances()
    one = os.environ | {"OMP_NUM_THREADS": "1"}
    num_cores = os.cpu_count() or 1
    shutil.rmtree(options.scratch / "faults", ignore_errors=True)
    folder = clone(options.scratch / "faults", ["experiment=smoke"], [])
    expected, seconds = results(folder), stage_seconds(folder)
    hits: list[Hit] = []
    for number in range(options.passes):
        empty(folder)
        progress(f"pass {number + 1}: every stage is hit once")
        own = disturbed(folder, seconds, options.seed + number, one)
        expect_same(folder, expected, f"pass {number + 1} (seed {options.seed + number})")
        hits += own
    for what, environment, load in (
        ("with all cores", os.environ | {"OMP_NUM_THREADS": str(num_cores)}, 0),
        ("beside busy processes", one, 4 * num_cores),
    ):
        empty(folder)
        with busy(load):
            progress(f"{what}: {repro(folder, environment)} s")
        expect_same(folder, expected, what)
    result = {
        "num_passes": options.passes,
        "num_stages": len(seconds),
        "num_outs": len(expected),
        "num_busy": 4 * num_cores,
        "num_threads": num_cores,
        "hits": [vars(hit) for hit in hits],
    }
    write_result("faults", {**facts, **result})
    print(table(result))


if __name__ == "__main__":
    main()
