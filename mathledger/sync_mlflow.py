"""`mathledger sync-mlflow`: write the runs that MLflow lacks, from git and lineage/.

MLflow is a projection. Everything that it shows of a run is in the run's lineage file, in dvc.lock,
and in the metrics, plots and samples that the stage wrote. From these the command rebuilds the
messages that the stage sent when it ran, and the same Recorder writes them. MLflow gives each run a
new id, and the tag `mathledger.run_id` keeps the id in lineage/. The command does not touch
complete runs in the store. A run that cannot be rebuilt is left out and named; the others are
written.
"""

import argparse
import contextlib
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mathledger import terminal
from mathledger.chain.chain import WORKSPACE, Chain
from mathledger.chain.facts import changed_deps, changed_params
from mathledger.chain.git import experiments, root
from mathledger.chain.lock import LOCK, Stage
from mathledger.core.errors import InputError
from mathledger.core.escaping import read_csv
from mathledger.core.paths import is_metric
from mathledger.core.secrets import without_secrets
from mathledger.run import messages
from mathledger.run.lineage import Lineage
from mathledger.run.mlflow_store import is_lost, quiet, refusal, sqlite_file, store_uri
from mathledger.run.recorder import AWAY, RUN_ID, Recorder
from mathledger.run.writer_lock import WriterLock

PLOTS = {"train": "plots/train/loss.csv", "reinforce": "plots/reinforce/reward.csv"}


@dataclass(frozen=True)
class Past:
    """A run that has ended, with the state of the project that records it."""

    chain: Chain
    stage: Stage
    lineage: Lineage

    @property
    def run_id(self) -> str:
        """Return the id that MLflow gave the run."""
        return self.lineage.mlflow_run_id

    @property
    def started(self) -> int:
        """Return the start time in milliseconds since 1970, rounded to seconds."""
        return int(datetime.fromisoformat(self.lineage.started).timestamp() * 1000)

    @property
    def ended(self) -> int:
        return self.started + int(self.lineage.seconds * 1000)


def past_runs(chain: Chain) -> tuple[list[Past], list[str]]:
    """Return the runs behind a state's dvc.lock, and a line for each run that is left out."""
    past: list[Past] = []
    left_out: list[str] = []
    try:
        stages = list(chain.stages.values())
    except InputError as error:
        return past, [str(error)]
    for stage in stages:
        where = f"{stage.name} of {chain.label}"
        try:
            if not chain.is_cached(stage.lineage) and not chain.has(stage.lineage):
                left_out.append(f"{where}: {stage.lineage} is missing, so its run is unknown")
                continue
            lineage = chain.lineage(stage)
        except InputError as error:
            left_out.append(str(error))
            continue
        if changed_deps(stage, lineage) or changed_params(stage, lineage):
            left_out.append(
                f"{where}: {stage.lineage} belongs to another run, because {LOCK} has other deps "
                f"or params; `dvc repro --force --single-item {shlex.quote(stage.name)}` in that "
                "state writes both"
            )
            continue
        past.append(Past(chain, stage, lineage))
    return past, left_out


def curve(run: Past) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield the steps that a training stage logged, with their numbers under TRL's names."""
    from mathledger.training import grpo, sft

    kind = run.stage.kind
    if kind not in PLOTS:
        return
    curves = sft.CURVES if kind == "train" else grpo.CURVES
    names = {column: name for name, (column, _) in curves.items()}
    speeds = f"lineage/{kind}.csv"  # in git; states of older versions have it in DVC's cache
    is_in_git = run.chain.has(speeds)
    clock = {
        int(row.pop("step")): {key: float(value) for key, value in row.items()}
        for row in read_csv(
            run.chain.text(speeds) if is_in_git else run.chain.cached(speeds).read_text()
        )
    }
    for row in read_csv(run.chain.text(PLOTS[kind])):
        step = int(row.pop("step"))
        numbers = {names.get(key, key): float(value) for key, value in row.items() if value}
        if step in clock:
            numbers |= clock[step]
            if row.get("tokens_seen"):
                numbers["tokens_seen"] = float(row["tokens_seen"])
        yield step, numbers


def results(run: Past) -> dict[str, float]:
    """Return the numbers that a stage logs when it ends."""
    chain, stage = run.chain, run.stage
    match stage.kind:
        case "download_corpus":
            files = chain.json(f"data/download_corpus/{stage.item}/receipt.json")["files"]
            return {"num_bytes": float(sum(file["bytes"] for file in files.values()))}
        case "download_model":
            receipt = chain.json("data/model/base/receipt.json")
            return {"num_parameters": float(receipt["num_parameters"])}
        case "download_models":
            receipt = chain.json(f"data/model/{stage.item}/receipt.json")
            number = receipt.get("num_parameters")  # a server has none
            return {} if number is None else {"num_parameters": float(number)}
        case "model_card":
            from mathledger.card.plot_tables import result_metrics

            return result_metrics(chain.ledger)
        case _:
            numbers: dict[str, float] = {}
            for path in stage.outs:
                if is_metric(path):
                    numbers |= messages.numbers_of(chain.json(path))
            return numbers


def sent(run: Past) -> list[dict[str, Any]]:
    """Return the messages that the stage sent to the Recorder, with the times of that run.

    Raises:
        InputError: a file with part of the content is not in the cache.
    """
    outs = {path: out.md5 for path, out in run.stage.outs.items()}
    start = messages.start_message(run.lineage, outs, run.started)
    start["tags"] |= {RUN_ID: run.run_id}
    rows = [*curve(run), (0, results(run))]
    samples = f"data/{run.stage.kind}/samples.csv"
    texts = []
    if run.stage.kind in PLOTS:
        for row in read_csv(run.chain.cached(samples).read_text()):
            title = f"step {row['step']}, row {row['id']}\n\n"
            file = f"samples/step-{int(row['step']):06}.txt"
            texts.append({"do": "text", "text": title + row["response"], "file": file})
    return [
        start,
        {"do": "metrics", "rows": rows, "time": run.ended},
        *texts,
        messages.outs_message(outs),
        *([messages.stages_message(runs)] if (runs := run.lineage.runs) else []),
        {"do": "end", "status": "FINISHED", "time": run.ended},
    ]


@contextlib.contextmanager
def connected(uri: str, at: Path) -> Iterator[Recorder]:
    """Yield a Recorder that writes to an MLflow store.

    Raises:
        InputError: the store cannot be reached, has another version, or refuses the run.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # MLflow's 7 take minutes
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    quiet()
    try:
        yield Recorder(uri, at)
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        raise InputError(refusal(uri, error)) from None


def known(recorder: Recorder, ended: set[str], *, is_own: bool) -> set[str]:
    """Return the ids, as in lineage/, of the complete runs in the store.

    This deletes partial runs from the store: those that an earlier sync did not finish, and those
    that ended after they lost their MLflow server. A run without a lineage file of its own, because
    it failed or repeats a result, is ended as it ended here; one whose processes were all killed is
    marked KILLED.

    Args:
        ended: the ids of runs that have a lineage file.
        is_own: whether only this checkout writes to the store.
    """
    whole, token = set(), None
    while True:
        page = recorder.client.search_runs([*recorder.experiments], page_token=token)
        for run in page:
            own = run.info.run_id
            can_be_written = RUN_ID in run.data.tags or own in ended
            if run.info.status == "RUNNING":
                lock = WriterLock(recorder.root, own)
                if not (can_be_written or lock.exists() or is_own) or not lock.take():
                    continue  # its process is alive, or may be alive in another checkout
                if not can_be_written:
                    recorder.close(own, lock.ending)
                lock.remove()
            is_whole = run.info.status == "FINISHED" and AWAY not in run.data.tags
            if can_be_written and not is_whole:
                recorder.client.delete_run(own)
                continue
            whole |= {own, run.data.tags.get(RUN_ID, own)}
        token = page.token
        if not token:
            return whole


def write(recorder: Recorder, run: Past) -> None:
    """Write a run, or nothing of it.

    Raises:
        InputError: a file with part of the content is not in the cache, or the store refuses it.
    """
    from mlflow.exceptions import MlflowException

    try:
        content = sent(run)  # read everything before writing
    except (LookupError, TypeError, ValueError, AttributeError, OSError) as error:
        raise InputError(f"its files are damaged ({error!r}): run `dvc checkout`") from None
    try:
        for message in content:
            getattr(recorder, message["do"])(message)
    except MlflowException as error:
        if is_lost(error):
            raise
        recorder.drop()
        raise InputError(f"MLflow refused it: {' '.join(str(error).split())[:200]}") from None


def run(arguments: argparse.Namespace) -> int:
    """Write the runs that the store lacks; return 1 if a run had to be left out, else 0.

    Raises:
        InputError: there is no run to write, or the store does not answer.
    """
    at = root()
    chains = [Chain.open(each) for each in arguments.revisions or [WORKSPACE]]
    if arguments.all_experiments:
        chains += [Chain(each.name, each.commit, at) for each in experiments(at)]
    runs: dict[str, Past] = {}
    left_out: list[str] = []
    for chain in chains:
        past, unknown = past_runs(chain)
        runs |= {each.run_id: each for each in past}
        left_out += unknown
    if left_out and not runs:
        raise InputError(left_out[0])
    uri = arguments.uri or store_uri(at)
    num_written = 0
    with connected(uri, at) as recorder:
        is_own = sqlite_file(uri) == at / "mlflow.db"
        there = known(recorder, set(runs), is_own=is_own)
        missing = [each for each in runs.values() if each.run_id not in there]
        for each in sorted(missing, key=lambda each: each.started):
            where = f"{each.stage.name} of {each.chain.label}"
            try:
                write(recorder, each)
                num_written += 1
            except InputError as error:
                left_out.append(f"{where}: {error}")
            else:
                left_out += [f"a value of {where}: {said}" for said in recorder.refused]
    for line in left_out:
        print(terminal.printable(f"left out {without_secrets(line, uri)}"))
    if num_written:
        result = f"wrote {num_written} of {len(runs)} runs; the others were already there"
        if num_written < len(missing):
            result = f"wrote {num_written} of {len(runs)} runs"
    elif missing:
        result = f"wrote none of {len(missing)} missing runs"
    else:
        result = f"nothing to write; all {len(runs)} runs are already there"
    print(terminal.printable(f"{without_secrets(uri)}: {result}"))
    return 1 if left_out else 0
