"""The process that writes one stage's MLflow run: python -m mathledger.run.mlflow_writer URI ROOT.

It reads one JSON message a line and answers those that ask. A process of its own, because importing
MLflow and opening its store take four seconds, which here pass beside the stage's work; and because
it outlives the stage: a stage that is killed, even by SIGKILL, closes the pipe, and its run is then
marked KILLED instead of standing as RUNNING for ever.

`mathledger sync-mlflow` puts the same messages together from git and lineage/ and gives them to the
same `Recorder`, so that a rebuilt store holds what a live one does.
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
MODEL = re.compile(r"data/model/[^/]+")  # the folder of one model
BENCHMARK = re.compile(r"data/download_benchmark/[^/]+")
REFUSED = "error: "  # how the answer begins that says why there is no run
# What a server says that refuses, and the mend.
MENDS = {
    "You are not authenticated": "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
    "write both into ~/.mlflow/credentials",
    "Permission denied": "an admin of the server has to permit that to this user",
    "Invalid Host header": "whoever starts the server names this address in --allowed-hosts",
}


@contextlib.contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Keep the block from running in two stages at once."""
    scratch = root / ".scratch"
    scratch.mkdir(exist_ok=True)
    with FileLock(scratch / "mlflow.lock"):
        yield


def experiment_id(uri: str, root: Path) -> str:
    """Find or create the experiment; on a new SQLite file, create that too.

    Both race: MLflow's migrations fail on "duplicate column name", a run lands in the Default
    experiment. On a server that another machine writes to, too, the other may have been first.
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
    """What MLflow's list of models shows; it takes only some characters.

    >>> model_name("data/model/tuned", "lr-3.5e-5")
    'tuned-lr-3-5e-5'
    """
    return re.sub(r"[/:.%\"']", "-", f"{Path(path).name}-{experiment}")


class Recorder:
    """Writes one run at a time from messages, each a dictionary whose `do` names a method.

    Times are milliseconds since 1970; a message without one is of now.
    """

    def __init__(self, uri: str, root: Path) -> None:
        from mlflow import MlflowClient

        self.root = root
        self.experiment_id = experiment_id(uri, root)  # first: a client opens the store, too
        self.client = MlflowClient(uri)
        self.run_id = ""
        self.tags: dict[str, str] = {}
        self.params: dict[str, Any] = {}
        # What metrics are about: of one model, on one benchmark (name and digest).
        self.model_id: str | None = None
        self.benchmark: tuple[str | None, str | None] = (None, None)

    def start(self, message: dict[str, Any]) -> None:
        """Open the run with its tags, params, and the DVC digests of what the stage reads.

        Of a stage that reads one model, or one benchmark, the metrics are about these; but those of
        a stage that makes a model are not about the one that it starts from.
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
        """`rows`: pairs of a step and the numbers by name."""
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
        """The DVC digests of what the stage made, as tags; a model becomes a LoggedModel."""
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
        """The id of the LoggedModel of these weights, which stay in DVC: there is one a digest.

        One that this store does not know, for another made it, is created without a source run.
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
                "mlflow.model.isExternal": "true",  # as create_external_model has it
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
    # A scheduler may send it to every process of a job: the stage saves first, and reports on.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    uri, root = sys.argv[1], Path(sys.argv[2])
    gc.disable()  # saves a fifth of the import; the process is short and small
    # MLflow's 7 take minutes, for which the stage would wait at its end.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # stdout is for the answers
    quiet()
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        record(uri, root)
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        answer(f"{REFUSED}{refusal(uri, error)}")
        os._exit(1)
    os._exit(0)  # all is written; taking MLflow apart would cost another second


def record(uri: str, root: Path) -> None:
    """Write the run that stdin tells of.

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
            message["tags"] = resolve_tags(message["tags"])  # who runs it, and what plugins add
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
    """Send the stage an answer, if it still runs."""
    with contextlib.suppress(BrokenPipeError):
        print(text, flush=True)


def refusal(uri: str, error: Exception) -> str:
    """Return why a store cannot be used, and how to fix it."""
    said = " ".join(str(error).split())
    for words, mend in MENDS.items():
        if words in said:
            return f"MLflow at {uri} says {words!r}: {mend}"
    return (
        f"MLflow at {uri} cannot be used: is the server running, and the store made by this "
        f"version? It says: {said[:200]}"
    )


def written(uri: str, recorder: Recorder, message: dict[str, Any]) -> bool:
    """Whether the store took a message. A store that goes away while a stage works is no reason to
    end the stage: its lineage file will tell what the store has missed.

    Raises:
        MlflowException: the run cannot even be opened, for then the address may be wrong.
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
            f"warning: MLflow at {uri} does not answer any more; the stage goes on, and "
            f"`mathledger sync-mlflow` writes its run later. It says: {said}",
            file=sys.stderr,
            flush=True,
        )
        return False
    return True


def quiet() -> None:
    """Silence the log messages of MLflow and of its migrations, but for errors."""
    import mlflow  # noqa: F401 - it sets its own level when it is imported

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)


if __name__ == "__main__":
    main()
