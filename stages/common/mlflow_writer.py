"""The process that writes one stage's MLflow run: `python -m stages.common.mlflow_writer URI ROOT`.

It reads one JSON message a line and answers those that ask. A process of its own, because importing
MLflow and opening its store take four seconds, which here pass beside the stage's work; and because
it outlives the stage: a stage that is killed, even by SIGKILL, closes the pipe, and its run is then
marked KILLED instead of standing as RUNNING for ever.
"""

import contextlib
import fcntl
import gc
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

EXPERIMENT = "mathledger"


def experiment_id(uri: str, root: Path) -> str:
    """Find or create the experiment; on a new SQLite file, create that too.

    Both race when several stages start at once (MLflow's migrations fail on "duplicate column
    name", a run lands in the Default experiment), so one process at a time goes through here.
    """
    from mlflow import MlflowClient

    scratch = root / ".scratch"
    scratch.mkdir(exist_ok=True)
    with (scratch / "mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        client = MlflowClient(uri)
        found = client.get_experiment_by_name(EXPERIMENT)
        if found:
            return str(found.experiment_id)
        location = (root / "mlartifacts").as_uri() if uri.startswith("sqlite:") else None
        return str(client.create_experiment(EXPERIMENT, artifact_location=location))


def start(message: dict[str, Any], experiment: str) -> Any:
    """Open the run with its tags, params, and the DVC digests of what the stage reads."""
    import mlflow
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.data.sources import LocalArtifactDatasetSource

    run = mlflow.start_run(experiment_id=experiment, run_name=message["name"], tags=message["tags"])
    if message["params"]:
        mlflow.log_params(message["params"])
    # MLflow's own digest covers a prefix of the rows; DVC's covers every byte.
    for path, digest in message["datasets"].items():
        dataset = MetaDataset(LocalArtifactDatasetSource(path), name=path, digest=digest)
        mlflow.log_input(dataset, context=message["tags"]["mathledger.stage"])
    return run


def main() -> None:
    uri, root = sys.argv[1], Path(sys.argv[2])
    gc.disable()  # saves a fifth of the import; the process is short and small
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    mlflow.set_tracking_uri(uri)
    run: Any = None
    status = "KILLED"
    for line in sys.stdin:
        message = json.loads(line)
        match message["do"]:
            case "start":
                run = start(message, experiment_id(uri, root))
            case "metrics":
                mlflow.log_metrics(message["metrics"], step=message["step"])
            case "text":
                mlflow.log_text(message["text"], message["file"])
            case "run_id":
                print(run.info.run_id, flush=True)
            case "end":
                status = message["status"]
                break
    if run:
        mlflow.end_run(status)
    with contextlib.suppress(BrokenPipeError):  # nobody is left to hear it
        print(status, flush=True)
    os._exit(0)  # all is written; taking MLflow apart would cost another second


if __name__ == "__main__":
    main()
