"""Queue many experiments and see that none is lost; time what DVC does when nothing is to be done.

    python -m bench.experiments SCRATCH [--workers 2] [--rounds 5]

Twenty experiments of the smoke configuration, ten seeds by two batch sizes of the evaluation, so
that each two share a trained model. After they ran, each must have succeeded, have the params that
it was queued with, a ledger that belongs to its lock and one result run in MLflow, and each model
must have been trained once. Then `dvc repro` and `dvc exp run` without a change, on the pipeline as
it stands and on one with 3 corpora, 6 benchmarks and 2 models.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.measure import circumstances, clone, measure, progress, write_result
from stages.common.errors import InputError

SMOKE = "experiment=smoke"
SEEDS, BATCHES = range(1, 11), (4, 8)
WIDE = [
    SMOKE,
    "corpus=[tiny_numinamath_cot,tiny_openmathinstruct2,practice_numinamath_cot]",
    "benchmark=[tiny_chain_sum,chain_sum,chain_sum_twins,gsm_symbolic,gsm_symbolic_twins,champ]",
]
SHORT = ["chain_sum", "chain_sum_twins", "gsm_symbolic", "gsm_symbolic_twins", "champ"]
WIDE += [f"benchmark.{name}.task.max_gen_toks=4" for name in SHORT]


def run(folder: Path, *command: str) -> str:
    """What a command there prints.

    Raises:
        InputError: it fails.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{' '.join(command)}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def options(overrides: list[str]) -> list[str]:
    """As `dvc exp run` takes them."""
    return [word for override in overrides for word in ("-S", override)]


def statuses(folder: Path) -> dict[str, str]:
    """Of each queued experiment, by name."""
    lines = run(folder, "dvc", "queue", "status").splitlines()[1:]
    rows = [line.split() for line in lines if re.match("[0-9a-f]{7} ", line)]
    return {row[1]: row[-1] for row in rows}


def queue(folder: Path, num_workers: int) -> dict[str, Any]:
    """Queue the experiments, run them, and count what came of them."""
    seeds = ",".join(map(str, SEEDS))
    batches = ",".join(map(str, BATCHES))
    sweep = [SMOKE, f"train.seed={seeds}", f"evaluate.batch_size={batches}"]
    run(folder, "dvc", "exp", "run", "--queue", "--name", "many", *options(sweep))
    names = list(statuses(folder))
    started = time.perf_counter()
    run(folder, "dvc", "queue", "start", "-j", str(num_workers))
    num_open = len(names)
    while num_open:
        time.sleep(5)
        found = statuses(folder)
        now = sum(each in ("Queued", "Running") for each in found.values())
        if now != num_open:
            progress(f"{len(found) - now} of {len(names)} are through")
        num_open = now
    seconds = time.perf_counter() - started
    failed = [name for name, status in found.items() if status != "Success"]
    if failed:
        raise InputError(f"failed: {failed}\n{run(folder, 'dvc', 'queue', 'logs', failed[0])}")
    compared = json.loads(run(folder, sys.executable, "-m", "ledger", "compare", "--json"))
    rows = {row["name"]: row for row in compared["experiments"]}
    wanted = {f"train.seed={seed}" for seed in SEEDS}, {f"evaluate.batch_size={n}" for n in BATCHES}
    changed = {tuple(sorted(row["changed"])) for name, row in rows.items() if name != "HEAD"}
    return {
        "num_queued": len(names),
        "num_workers": num_workers,
        "num_succeeded": sum(status == "Success" for status in found.values()),
        "num_compared": len(rows) - 1,
        "num_settings": len(changed),
        "num_wanted": len(wanted[0]) * len(wanted[1]),
        **runs_of(folder),
        "seconds": round(seconds, 1),
    }


def runs_of(folder: Path) -> dict[str, int]:
    """How many runs of experiments there are in MLflow's store."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder.resolve()}/mlflow.db")
    experiment = client.get_experiment_by_name("mathledger")
    where = "tags.`mathledger.experiment` != 'repro'"
    found = client.search_runs([experiment.experiment_id], where, max_results=10_000)
    return {
        "num_result_runs": sum(each.data.tags["mathledger.kind"] == "result" for each in found),
        "num_trainings": sum(each.data.tags["mathledger.stage"] == "train" for each in found),
        "num_unfinished": sum(each.info.status != "FINISHED" for each in found),
    }


def idle(folder: Path, overrides: list[str], rounds: int) -> dict[str, Any]:
    """Seconds of the two commands where nothing is to be done, medians; and how many stages."""
    commands = {
        "repro": ["dvc", "repro"],
        "exp_run": ["dvc", "exp", "run", *options(overrides)],
    }
    found: dict[str, Any] = {}
    for name, command in commands.items():
        times = [measure(command, cwd=folder).seconds for _ in range(rounds)]
        found[name] = statistics.median(times)
        progress(f"{name}: {times}")
    found["num_stages"] = len(run(folder, "dvc", "stage", "list", "--name-only").split())
    return found


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    queued = result["queue"]
    lines = [
        "| queue | experiments |",
        "|---|---:|",
        f"| queued | {queued['num_queued']} |",
        f"| succeeded | {queued['num_succeeded']} |",
        f"| in `mathledger compare`, with {queued['num_settings']} different settings | "
        f"{queued['num_compared']} |",
        f"| result runs in MLflow; unfinished runs | {queued['num_result_runs']}; "
        f"{queued['num_unfinished']} |",
        f"| trainings that they needed: {len(SEEDS)}; that were run | {queued['num_trainings']} |",
        "",
        f"{queued['num_workers']} workers, {queued['seconds']:.0f} s.",
        "",
        "| nothing to do | stages | `dvc repro`, s | `dvc exp run`, s |",
        "|---|---:|---:|---:|",
    ]
    for name, each in result["idle"].items():
        lines.append(
            f"| {name} | {each['num_stages']} | {each['repro']:.2f} | {each['exp_run']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scratch", type=Path, help="a folder for throw-away clones")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    facts = circumstances()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each worker's: docs/experiments.md
    for left in chosen.scratch.glob("experiments-*"):
        shutil.rmtree(left)
    times = {}
    for name, overrides in (("smoke", [SMOKE]), ("3 corpora, 6 benchmarks, 2 models", WIDE)):
        folder = clone(chosen.scratch / f"experiments-{len(overrides)}", overrides, [])
        commit(folder)
        times[name] = idle(folder, overrides, chosen.rounds)
    folder = clone(chosen.scratch / "experiments-queue", [SMOKE], [])
    commit(folder)
    result = {"idle": times, "queue": queue(folder, chosen.workers)}
    write_result("experiments", {**facts, **result})
    print(table(result))


def commit(folder: Path) -> None:
    """Commit what the clone made."""
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    run(folder, "git", "add", "--all")
    run(folder, "git", *identity, "commit", "--quiet", "--allow-empty", "--message", "Results")


if __name__ == "__main__":
    main()
