"""The links of the training set: no canary in it, and the filter finds again what it found."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.verify.project import Project

TRAINING = (Path("data/mix/train.parquet"), Path("data/mix/validation.parquet"))
# What names something only this machine has, or takes its time for no verdict.
NOT_COMPARED = ("candidates.parquet",)


def canaries(project: Project) -> Iterator[str]:
    """No canary, and no item of a benchmark where those are removed, is in the training set."""
    from mathledger.core.records import read_batches
    from mathledger.filters import decontaminate
    from mathledger.run import params

    settings = params.load("decontaminate", decontaminate.Params)
    items = decontaminate.read_items(project.settings["benchmark"])
    hidden = decontaminate.hidden_canaries(items, settings)
    forbidden = {decontaminate.canary_id(canary) for canary in hidden}
    texts = {item.problem: f"item {item.id} of {item.benchmark}" for item in items}
    filtered = decontaminate.OUT / "kept.parquet"
    kept = set()
    for batch in read_batches(filtered, ["id", "problem"]):
        ids, problems = (column.to_pylist() for column in batch.columns)
        kept.update(ids)
        for row, problem in zip(ids, problems, strict=True):
            if row in forbidden:
                yield f"{filtered}: row {row} is a canary"
            if problem in texts and settings.action == "remove":
                yield f"{filtered}: row {row} is {texts[problem]}"
    num_rows = 0
    for path in TRAINING:
        for batch in read_batches(path, ["id"]):
            num_rows += len(batch)
            for row in batch.column(0).to_pylist():
                if row not in kept:
                    yield f"{path}: row {row} did not come through the filter"
    project.looked_at = (
        f"{num_rows:,} training rows came through the filter, none of {len(hidden):,} canaries did"
    )


def again(project: Project) -> Iterator[str]:
    """The filter, run once more on the same rows, writes the same bytes."""
    from omegaconf import OmegaConf

    from mathledger.core.configuration import PARAMS
    from mathledger.filters import decontaminate

    top = Path.cwd()
    scratch = top / ".scratch"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix="verify-") as name:
        folder = Path(name)
        for path in (decontaminate.IN, decontaminate.BENCHMARKS):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).symlink_to(top / path)
        # Any runner gives the same bytes; a cluster is not at hand.
        here = {"runner": "native", "num_threads": None, "ray_address": None}
        OmegaConf.save({**project.settings, "engine": here}, folder / PARAMS)
        code = "from mathledger.filters import decontaminate; decontaminate.filter_rows()"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(top)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1]
            raise InputError(
                f"the filter does not run: {said.partition('InputError: ')[2] or said}"
            )
        paths = sorted((folder / decontaminate.OUT).iterdir())
        paths.append(folder / decontaminate.METRICS)
        compared = [path for path in paths if path.name not in NOT_COMPARED]
        for path in compared:
            own = top / path.relative_to(folder)
            if not own.is_file():
                yield f"{own.relative_to(top)} is missing: run `dvc pull`"
            elif own.read_bytes() != path.read_bytes():
                yield f"{own.relative_to(top)} is not what the filter writes"
    project.looked_at = f"run once more, it writes the same bytes ({len(compared)} files)"
