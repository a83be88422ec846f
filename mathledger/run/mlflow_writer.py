"""Write one stage's MLflow run in its own process: python -m mathledger.run.mlflow_writer URI ROOT.

The process reads one JSON message per line and answers those that ask. It is separate for two
reasons. Importing MLflow and opening its store take four seconds, which overlap with the stage's
work. And it outlives the stage: if the stage is killed, even by SIGKILL, the pipe closes, and the
run is marked KILLED instead of staying RUNNING forever.

`mathledger sync-mlflow` builds the same messages from git and lineage/ and passes them to the same
`Recorder`, so that a rebuilt store equals a live one.
"""

import contextlib
import gc
import json
import logging
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

EXPERIMENT = "mathledger"
MODEL = re.compile(r"data/model/[^/]+")  # folder of one model
BENCHMARK = re.compile(r"data/download_benchmark/[^/]+")
REFUSED = "error: "  # prefix of an answer that says why there is no run
# Maps a part of a server's refusal to the advice for the user.
ADVICE = {
    "You are not authenticated": "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
    "write both into ~/.mlflow/credentials",
    "Permission denied": "ask an admin of the server to give this user the permission",
    "Invalid Host header": "start the server with this address in --allowed-hosts",
}


@contextlib.contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Hold a lock, so that only one stage at a time runs the body."""
    scratch = root / ".scratch"
    scratch.mkdir(exist_ok=True)
    with FileLock(scratch / "mlflow.lock"):
        yield


def experiment_id(uri: str, root: Path) -> str:
    """Find or create the experiment, and return its id; a new SQLite store is created as well.

    Without the lock, stages would race: MLflow's migrations fail on "duplicate column name", and
    runs land in the Default experiment. On a server, another machine may still create the
    experiment first.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    with one_at_a_time(root):
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment:
            return str(experiment.experiment_id)
        location = (root / "mlartifacts").as_uri() if uri.startswith("sqlite:") else None
        try:
            return str(client.create_experiment(EXPERIMENT, artifact_location=location))
        except MlflowException:
            if experiment := client.get_experiment_by_name(EXPERIMENT):
                return str(experiment.experiment_id)
            raise


def model_name(path: str, experiment: str) -> str:
    """Return the name that MLflow's list of models shows, with forbidden characters replaced.

    >>> model_name("data/model/tuned", "lr-3.5e-5")
    'tuned-lr-3-5e-5'
    """
    return re.sub(r"[/:.%\"']", "-", f"{Path(path).name}-{experiment}")


class Recorder:
    """A recorder that writes one run at a time from messages; their key `do` names a method.

    Times are in milliseconds since 1970; a message without a time means now.
    """

    def __init__(self, uri: str, root: Path) -> None:
        from mlflow import MlflowClient

        self.root = root
        self.experiment_id = experiment_id(uri, root)  # before the client, which opens the store
        self.client = MlflowClient(uri)
        self.run_id = ""
        self.tags: dict[str, str] = {}
        self.params: dict[str, Any] = {}
        # Metrics are logged for this model, and for this benchmark (name and digest).
        self.model_id: str | None = None
        self.benchmark: tuple[str | None, str | None] = (None, None)

    def start(self, message: dict[str, Any]) -> None:
        """Open the run with its tags and params, and with the DVC digests of the stage's inputs.

        If the stage reads one model or one benchmark, its metrics belong to these. But if it makes
        a model, its metrics do not belong to the model that it starts from.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, Param

        self.tags, self.params, datasets = message["tags"], message["params"], message["datasets"]
        run = self.client.create_run(
            self.experiment_id,
            start_time=message["time"],
            tags=self.tags,
            run_name=message["name"],
        )
        self.run_id = run.info.run_id
        params = [Param(key, str(value)) for key, value in self.params.items()]
        self.client.log_batch(self.run_id, params=params)
        models = {path: md5 for path, md5 in datasets.items() if MODEL.fullmatch(path)}
        ids = [self.find_or_create_model(path, md5) for path, md5 in models.items()]
        context = [InputTag("mlflow.data.context", self.tags["mathledger.stage"])]
        # MLflow's own digest covers a prefix of the rows; DVC's covers every byte.
        self.client.log_inputs(
            self.run_id,
            datasets=[
                DatasetInput(Dataset(path, md5, "local", json.dumps({"uri": path})), context)
                for path, md5 in datasets.items()
            ],
            models=[LoggedModelInput(each) for each in ids],
        )
        benchmarks = [each for each in datasets.items() if BENCHMARK.fullmatch(each[0])]
        is_about_model = len(ids) == 1 and not any(map(MODEL.fullmatch, message["outs"]))
        self.model_id = ids[0] if is_about_model else None
        self.benchmark = benchmarks[0] if is_about_model and len(benchmarks) == 1 else (None, None)

    def metrics(self, message: dict[str, Any]) -> None:
        """Log metrics; `rows` holds pairs of a step and its numbers by name."""
        from mlflow.entities import Metric
        from mlflow.utils.time import get_current_time_millis

        time = message.get("time") or get_current_time_millis()
        name, digest = self.benchmark
        metrics = [
            Metric(
                key,
                value,
                time,
                step,
                model_id=self.model_id,
                dataset_name=name,
                dataset_digest=digest,
                run_id=self.run_id,
            )
            for step, numbers in message["rows"]
            for key, value in numbers.items()
        ]
        self.client.log_batch(self.run_id, metrics=metrics)

    def text(self, message: dict[str, Any]) -> None:
        self.client.log_text(self.run_id, message["text"], message["file"])

    def outs(self, message: dict[str, Any]) -> None:
        """Log the DVC digests of the outputs as tags, and each new model as a LoggedModel."""
        from mlflow.entities import LoggedModelOutput, RunTag

        tags = [RunTag(f"mathledger.out.{path}", md5) for path, md5 in message["outs"].items()]
        self.client.log_batch(self.run_id, tags=tags)
        made = [
            self.find_or_create_model(path, md5, is_made_here=True)
            for path, md5 in message["outs"].items()
            if MODEL.fullmatch(path)
        ]
        if made:
            outputs = [LoggedModelOutput(model_id, step=0) for model_id in made]
            self.client.log_outputs(self.run_id, outputs)

    def end(self, message: dict[str, Any]) -> None:
        self.client.set_terminated(self.run_id, message["status"], message.get("time"))

    def find_or_create_model(self, path: str, md5: str, *, is_made_here: bool = False) -> str:
        """Return the id of the LoggedModel with a digest; the weights themselves stay in DVC.

        A model that was made under another store is created without a source run.
        """
        with one_at_a_time(self.root):
            models = self.client.search_logged_models(
                [self.experiment_id], filter_string=f"tags.`mathledger.digest` = '{md5}'"
            )
            if models:
                return str(models[0].model_id)
            tags = {
                "mathledger.path": path,
                "mathledger.digest": md5,
                "mlflow.model.isExternal": "true",  # create_external_model sets this too
            }
            if is_made_here:
                keys = ("mathledger.stage", "mathledger.experiment", "mathledger.git_revision")
                tags |= {key: self.tags[key] for key in keys}
            model = self.client.create_logged_model(
                self.experiment_id,
                name=model_name(path, tags.get("mathledger.experiment", md5[:8])),
                source_run_id=self.run_id if is_made_here else None,
                tags=tags,
                params={k: str(v) for k, v in self.params.items()} if is_made_here else None,
            )
            self.client.finalize_logged_model(model.model_id, "READY")
        return str(model.model_id)


def main() -> None:
    # A scheduler may send SIGTERM to every process of a job; the stage still saves and reports.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    uri, root = sys.argv[1], Path(sys.argv[2])
    gc.disable()  # saves a fifth of the import time; the process is short and small
    # The default of 7 retries takes minutes, and the stage would wait for them at its end.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # stdout carries the answers
    quiet()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        record(uri, root)
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        answer(f"{REFUSED}{refusal(uri, error)}")
        os._exit(1)
    os._exit(0)  # everything is written; a regular exit of MLflow would take another second


def record(uri: str, root: Path) -> None:
    """Write the run from the messages on stdin.

    Raises:
        MlflowException: the run cannot be opened.
    """
    from mlflow.tracking.context.registry import resolve_tags

    recorder: Recorder | None = None
    status, is_lost = "KILLED", False
    for line in sys.stdin:
        message = json.loads(line)
        if message["do"] == "start":
            recorder = Recorder(uri, root)
            message["tags"] = resolve_tags(message["tags"])  # adds the user and tags of plugins
        assert recorder, "the first message starts the run"
        if message["do"] == "run_id":
            answer(recorder.run_id)
        elif message["do"] == "end":
            status = message["status"]
            break
        elif not is_lost:
            is_lost = not written(uri, recorder, message)
    if recorder and not is_lost:
        written(uri, recorder, {"do": "end", "status": status})
    answer(status)


def answer(text: str) -> None:
    """Send an answer to the stage if it still runs."""
    with contextlib.suppress(BrokenPipeError):
        print(text, flush=True)


def refusal(uri: str, error: Exception) -> str:
    """Return why a store cannot be used, and how to fix it."""
    said = " ".join(str(error).split())
    for words, advice in ADVICE.items():
        if words in said:
            return f"MLflow at {uri} says {words!r}: {advice}"
    return (
        f"MLflow at {uri} cannot be used: is the server running, and was the store made by this "
        f"version? It says: {said[:200]}"
    )


def written(uri: str, recorder: Recorder, message: dict[str, Any]) -> bool:
    """Write a message, and return True if the store accepted it.

    If the store fails during a stage, the stage continues, because its lineage file holds
    everything that the store missed.

    Raises:
        MlflowException: the run cannot be opened at all, so the address may be wrong.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        getattr(recorder, message["do"])(message)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        if not recorder.run_id:
            raise
        said = " ".join(str(error).split())[:160]
        print(
            f"warning: MLflow at {uri} does not answer any more; the stage continues, and "
            f"`mathledger sync-mlflow` can write its run later. It says: {said}",
            file=sys.stderr,
            flush=True,
        )
        return False
    return True


def quiet() -> None:
    """Silence the log messages of MLflow and its migrations, except warnings and errors."""
    import mlflow  # noqa: F401  the import sets MLflow's own log level

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
