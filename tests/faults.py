"""Disturb the stages of a pipeline: kill, interrupt and terminate what runs under `dvc repro`.

`disturbed` hits each stage once: at a random moment while it works, or after its process has ended,
while DVC writes its outputs to the cache and the lock. It restarts `dvc repro` until that succeeds.
After each fault no process may be left, and every file of DVC's cache must match its name.
"""

import contextlib
import hashlib
import itertools
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import yaml

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.paths import is_lineage
from mathledger.run.repair import repair

END_S = 30  # A process may outlive its DVC by this long.


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
# Possible faults and their moments; each stage gets the next one.
CASES = [(fault, when) for when in (WORKING, ENDED) for fault in FAULTS]
CASES = [(fault, when) for fault, when in CASES if fault.hits != "stage" or when == WORKING]


@dataclass(frozen=True)
class Hit:
    """A fault that was delivered."""

    stage: str
    fault: str
    when: str
    survived: bool  # There was nothing left to hit.
    seconds_to_end: float  # Seconds until no process was left.
    repaired: list[str]  # What `make repro` repairs before it goes on.


def disturbed(
    folder: Path,
    seconds: Mapping[str, float],
    seed: int,
    environment: Mapping[str, str],
    target: str,
) -> list[Hit]:
    """Run `dvc repro` in a project until it ends by itself, and hit some stages once each.

    Args:
        folder: A project in which these stages have not run.
        seconds: The usual duration of each stage to hit, by its name in DVC.
        seed: Seed for the order and the moments of the faults.
        environment: The environment of DVC.
        target: The stage that DVC is asked for; it runs what this stage needs.

    Raises:
        InputError: A process outlives its DVC, the cache is corrupt, or a rerun fails by itself.
    """
    draw = random.Random(seed)
    cases = itertools.cycle(draw.sample(CASES, len(CASES)))
    hits: dict[str, Hit] = {}
    log = folder / ".scratch" / "faults.log"
    log.parent.mkdir(exist_ok=True)
    while True:
        with log.open("w") as output:
            dvc = subprocess.Popen(
                ["dvc", "repro", target],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
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
        with contextlib.chdir(folder):
            repaired = repair()
        hits[stage] = Hit(stage, fault.name, when, survived, time.monotonic() - started, repaired)


def wait_for_stage(dvc: subprocess.Popen[bytes], log: Path, wanted: Container[str]) -> str | None:
    """Return the name of the first of these stages that runs, or None if DVC has ended."""
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
    """Return the stage's own processes; none if it was too fast to be seen."""
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
            except psutil.Error:  # It has ended.
                continue
        if found or dvc.poll() is not None:
            return found
        time.sleep(0.02)
    return []


def deliver(fault: Fault, dvc: subprocess.Popen[bytes], processes: list[psutil.Process]) -> bool:
    """Send the signal; return True if there was nothing left to hit."""
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
        if not running:  # It was faster than usual.
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
    """List the command lines of a process group without those that have ended."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, ProcessLookupError):
            continue
    return found


def expect_whole_cache(folder: Path) -> None:
    """Raise InputError if a file of DVC's cache does not match its name."""
    root = folder / ".dvc/cache/files/md5"
    for path in sorted(root.glob("??/*")):
        if path.name.removesuffix(".dir").isalnum():  # Other names are still being written.
            digest = hashlib.md5(path.read_bytes()).hexdigest()
            if digest != path.parent.name + path.name.removesuffix(".dir"):
                raise InputError(f"{path.relative_to(folder)} has the digest {digest}")


def forget(folder: Path, *stages: str) -> None:
    """Remove the data of stages from the project and from DVC's cache, so that they have to run."""
    shutil.rmtree(folder / ".dvc/cache/runs")
    root = folder / ".dvc/cache/files/md5"
    recorded = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    for out in (out for name in stages for out in recorded[name]["outs"]):
        if out["path"].startswith("data/"):
            shutil.rmtree(folder / out["path"])
            tree = root / out["md5"][:2] / out["md5"][2:]
            digests = [each["md5"] for each in read_json(tree)]
            for digest in (out["md5"], *digests):
                (root / digest[:2] / digest[2:]).unlink(missing_ok=True)


def results(folder: Path) -> dict[str, str]:
    """Return the digest of all reproducible outputs, without lineage, which has clocks.

    Only the stages that have run here count: the committed lock may have those of another
    configuration too.
    """
    stages = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    return {
        out["path"]: out["md5"]
        for name in stage_seconds(folder)
        for out in stages[name].get("outs", [])
        if not is_lineage(out["path"])
    }


def stage_seconds(folder: Path) -> dict[str, float]:
    """Return how long each stage took, by its name in DVC."""
    found = {}
    for path in (folder / "lineage").rglob("*.json"):
        lineage = read_json(path)
        name = f"{lineage['stage']}@{lineage['item']}" if lineage["item"] else lineage["stage"]
        found[name] = float(lineage["seconds"])
    return found
