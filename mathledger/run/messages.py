"""The messages that a stage's run sends to the Recorder (mlflow_writer.py).

`mathledger sync-mlflow` builds the same messages from git and lineage/ when a run is over.
"""

from collections.abc import Iterable
from typing import Any

from mathledger.core.keys import flatten
from mathledger.core.paths import is_code, is_lineage, is_metric, is_plot
from mathledger.run.lineage import Origin


def start_message(origin: Origin, outs: Iterable[str], time: int) -> dict[str, Any]:
    """The message that opens a stage's MLflow run: see mlflow_writer.Recorder.start.

    Args:
        outs: the paths of the stage's outs.
        time: of the start, in milliseconds since 1970.
    """
    stage, experiment = origin.stage, origin.experiment
    is_result = stage == "model_card"
    datasets = {path: md5 for path, md5 in origin.deps.items() if not is_code(path)}
    # What the MLflow UI filters by, and what joins runs without a parent. The model card's run is
    # the experiment's result row, and named by it: it holds all params and all scores.
    tags = {
        "mathledger.kind": "result" if is_result else "stage",
        "mathledger.stage": stage,
        "mathledger.item": origin.item or "",
        "mathledger.experiment": experiment or "repro",
        "mathledger.git_revision": origin.git_revision,
        "mathledger.code_is_dirty": str(origin.code_is_dirty).lower(),
        "mlflow.source.name": f"stages/{stage}.py",
        "mlflow.source.git.commit": origin.git_revision,
    }
    if origin.visible_gpus is not None:  # files from before it was recorded lack it
        tags["mathledger.gpus"] = origin.visible_gpus
    return {
        "do": "start",
        "name": experiment if is_result and experiment else origin.name,
        "tags": tags | {f"mathledger.dep.{path}": md5 for path, md5 in datasets.items()},
        "params": origin.params,
        "datasets": datasets,
        "outs": list(outs),
        "time": time,
    }


def outs_message(outs: dict[str, str]) -> dict[str, Any]:
    """The message of what a stage made, for Recorder.outs: data, models and the card."""
    kept = {
        path: md5
        for path, md5 in outs.items()
        if not (is_lineage(path) or is_metric(path) or is_plot(path))
    }
    return {"do": "outs", "outs": kept}


def numbers_of(tree: dict[str, Any]) -> dict[str, float]:
    """What MLflow takes as metrics: nested keys become dots, what is no number stays out.

    >>> numbers_of({"kept": {"champ": 3}, "dtype": "float32", "is_new": True})
    {'kept.champ': 3.0}
    """
    return {
        key: float(value)
        for key, value in flatten(tree).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
