"""Build the messages that a stage's run sends to the Recorder (recorder.py).

`mathledger sync-mlflow` later builds the same messages from git and lineage/.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mathledger.core.keys import flatten
from mathledger.core.paths import is_code, is_lineage, is_metric, is_plot
from mathledger.run.lineage import Origin

KIND = "mathledger.kind"  # tag: RESULT for the run of the model card, STAGE for every other one
RESULT, STAGE = "result", "stage"


def start_message(origin: Origin, outs: Iterable[str], time: int) -> dict[str, Any]:
    """Return the message that opens a stage's MLflow run; see recorder.Recorder.start.

    Args:
        origin: the facts about the run.
        outs: the paths of the stage's outputs.
        time: the start time in milliseconds since 1970.
    """
    stage, experiment = origin.stage, origin.experiment
    is_result = stage == "model_card"
    datasets = {path: md5 for path, md5 in origin.deps.items() if not is_code(path)}
    # The MLflow UI filters by these tags, and they group runs that have no parent. The run of the
    # model card holds all params and scores, so it is the experiment's result and has its name.
    tags = {
        KIND: RESULT if is_result else STAGE,
        "mathledger.stage": stage,
        "mathledger.item": origin.item or "",
        "mathledger.experiment": experiment or "repro",
        "mathledger.git_revision": origin.git_revision,
        "mathledger.code_is_dirty": str(origin.code_is_dirty).lower(),
        "mlflow.source.name": f"stages/{stage}.py",
        "mlflow.source.git.commit": origin.git_revision,
    }
    if origin.visible_gpus is not None:  # older lineage files lack it
        tags["mathledger.gpus"] = origin.visible_gpus
    return {
        "do": "start",
        "name": result_name(origin) if is_result else origin.name,
        "tags": tags | {f"mathledger.dep.{path}": md5 for path, md5 in datasets.items()},
        "params": origin.params,
        "datasets": datasets,
        "outs": list(outs),
        "time": time,
    }


def result_name(origin: Origin) -> str:
    """Return the name of a result: that of its DVC experiment, else the commit checked out."""
    dirty = "-dirty" if origin.code_is_dirty else ""
    return origin.experiment or f"repro-{origin.git_revision[:8]}{dirty}"


def stages_message(runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the message for Recorder.stages from the facts about each stage's run by name.

    MLflow takes no @ in a tag's name, so a stage has the name of its file in lineage/.
    """
    ids = {name.replace("@", "/"): facts["mlflow_run_id"] for name, facts in runs.items()}
    return {"do": "stages", "runs": ids}


def outs_message(outs: dict[str, str]) -> dict[str, Any]:
    """Return the message for Recorder.outs, which lists the data, models and card of a stage."""
    kept = {
        path: md5
        for path, md5 in outs.items()
        if not (is_lineage(path) or is_metric(path) or is_plot(path))
    }
    return {"do": "outs", "outs": kept}


def numbers_of(tree: dict[str, Any]) -> dict[str, float]:
    """Return the numbers in a tree under dotted keys, which MLflow takes as metrics.

    >>> numbers_of({"kept": {"champ": 3}, "dtype": "float32", "is_new": True})
    {'kept.champ': 3.0}
    """
    return {
        key: float(value)
        for key, value in flatten(tree).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
