"""Queue many experiments, and see that none is lost.

    python -m bench.experiments SCRATCH [--workers 2]

Twenty experiments of the smoke configuration, ten seeds by two batch sizes of the evaluation, so
that each two share a trained model. After they ran, each must have succeeded, have the params that
it was queued with, a ledger that belongs to its lock and one result run in MLflow, and each model
must have been trained once.
"""

import argparse
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from bench.measure import circumstances, clone, commit, progress, run, write_result
from mathledger.core.errors import InputError

SMOKE = "experiment=smoke"
SEEDS, BATCHES = range(1, 11), (4, 8)


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
    compared = json.loads(run(folder, sys.executable, "-m", "mathledger", "compare", "--json"))
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


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "| queue | experiments |",
        "|---|---:|",
        f"| queued | {result['num_queued']} |",
        f"| succeeded | {result['num_succeeded']} |",
        f"| in `mathledger compare`, with {result['num_settings']} different settings | "
        f"{result['num_compared']} |",
        f"| result runs in MLflow; unfinished runs | {result['num_result_runs']}; "
        f"{result['num_unfinished']} |",
        f"| trainings that they needed: {len(SEEDS)}; that were run | {result['num_trainings']} |",
        "",
        f"{result['num_workers']} workers, {result['seconds']:.0f} s.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scratch", type=Path, help="a folder for throw-away clones")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    facts = circumstances()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each worker's: docs/experiments.md
    shutil.rmtree(chosen.scratch / "experiments", ignore_errors=True)
    folder = clone(chosen.scratch / "experiments", [SMOKE], [])
    commit(folder, "Results")
    result = queue(folder, chosen.workers)
    write_result("experiments", {**facts, **result})
    print(table(result))


if __name__ == "__main__":
    main()
