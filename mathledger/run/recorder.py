"""Write MLflow runs from messages.

A stage sends its messages to a process of its own (mlflow_writer.py). `mathledger sync-mlflow`
builds the same messages from git and lineage/ and passes them to the same `Recorder`, so that a
rebuilt store equals a live one.
"""

import json
import re
from pathlib import Path
from typing import Any

from mathledger.core.secrets import without_secrets
from mathledger.run import mlflow_view
from mathledger.run.messages import KIND, RESULT
from mathledger.run.mlflow_names import (
    MAX_NAME,
    MAX_PARAM,
    MAX_TAG,
    fit_model_name,
    fit_name,
    fit_value,
    storable,
)
from mathledger.run.mlflow_store import is_lost, one_at_a_time, open_experiments, patient
from mathledger.run.writer_lock import Ending, WriterLock

MODEL = re.compile(r"data/model/[^/]+")  # folder of one model
BENCHMARK = re.compile(r"data/download_benchmark/[^/]+")
RUN_ID = "mathledger.run_id"  # tag of a rebuilt run: its original id, as in lineage/
STAGE_RUN = "mathledger.run."  # tag of a result, followed by a stage: the id of its run in lineage/
REPEATS = "mathledger.repeats"  # tag: id in lineage/ of the run that made the same result first
AWAY = "mathledger.store_was_away"  # tag of a run whose store was away when it ended
MAX_REFUSALS = 20  # values that a store may refuse one by one; then it refuses everything


class Recorder:
    """A recorder that writes one run at a time from messages; their key `do` names a method.

    Times are in milliseconds since 1970; a message without a time means now.
    """

    def __init__(self, uri: str, root: Path) -> None:
        from mlflow import MlflowClient

        self.root = root
        self.experiments = open_experiments(uri, root)  # before the client, which opens the store
        self.client = MlflowClient(patient(uri))
        self.run_id = ""
        self.refused: list[str] = []  # what the store said about the values that it refused
        self._lock: WriterLock | None = None
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

        self.tags, datasets = fit_tags(message["tags"]), message["datasets"]
        self.refused, self.run_id = [], ""
        self.params = {
            fit_name(key): fit_value(str(value), MAX_PARAM)
            for key, value in message["params"].items()
        }
        is_result = self.tags.get(KIND) == RESULT
        run = self.client.create_run(
            self.experiments.results if is_result else self.experiments.stages,
            start_time=message["time"],
            tags=self.tags,
            run_name=fit_value(message["name"], MAX_NAME),
        )
        self.run_id = run.info.run_id
        self._lock = WriterLock(self.root, self.run_id)
        self._lock.take()
        self._log("params", [Param(key, value) for key, value in self.params.items()])
        models = {path: md5 for path, md5 in datasets.items() if MODEL.fullmatch(path)}
        ids = [self.find_or_create_model(path, md5) for path, md5 in models.items()]
        context = [InputTag("mlflow.data.context", self.tags["mathledger.stage"])]
        # MLflow's own digest covers a prefix of the rows; DVC's covers every byte.
        self.client.log_inputs(
            self.run_id,
            datasets=[
                DatasetInput(
                    Dataset(storable(path), md5, "local", json.dumps({"uri": path})), context
                )
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
                fit_name(key),
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
        self._log("metrics", metrics)
        if self.tags.get(KIND) == RESULT:
            self._show({each.key for each in metrics}, time)

    def text(self, message: dict[str, Any]) -> None:
        self.client.log_text(self.run_id, storable(message["text"]), message["file"])

    def outs(self, message: dict[str, Any]) -> None:
        """Log the DVC digests of the outputs as tags, and each new model as a LoggedModel."""
        from mlflow.entities import LoggedModelOutput, RunTag

        tags = {f"mathledger.out.{path}": md5 for path, md5 in message["outs"].items()}
        self._log("tags", [RunTag(key, value) for key, value in fit_tags(tags).items()])
        made = [
            self.find_or_create_model(path, md5, is_made_here=True)
            for path, md5 in message["outs"].items()
            if MODEL.fullmatch(path)
        ]
        if made:
            outputs = [LoggedModelOutput(model_id, step=0) for model_id in made]
            self.client.log_outputs(self.run_id, outputs)

    def stages(self, message: dict[str, Any]) -> None:
        """Tag a result with the ids of the runs behind it, as in lineage/, by stage."""
        from mlflow.entities import RunTag

        tags = {f"{STAGE_RUN}{stage}": run_id for stage, run_id in message["runs"].items()}
        self._log("tags", [RunTag(key, value) for key, value in fit_tags(tags).items()])

    def repeats(self, message: dict[str, Any]) -> None:
        """Tag the run with the id of the run that made the same result first."""
        self.client.set_tag(self.run_id, REPEATS, message["run_id"])

    def end(self, message: dict[str, Any]) -> None:
        self.client.set_terminated(self.run_id, message["status"], message.get("time"))
        if self._lock:
            self._lock.remove()
        if self.refused:
            said = fit_value("; ".join(self.refused), MAX_TAG)
            self.client.set_tag(self.run_id, "mathledger.refused", said)

    def close(self, run_id: str, ending: Ending) -> None:
        """End a run whose writer lost the store; numbers may be missing."""
        if ending.repeats:
            self.client.set_tag(run_id, REPEATS, ending.repeats)
        if ending.status != "KILLED":
            self.client.set_tag(run_id, AWAY, "numbers may be missing")
        self.client.set_terminated(run_id, ending.status, ending.time)

    def leave(self, ending: Ending) -> None:
        """Note how the run ended, for the store does not answer."""
        if self._lock:
            self._lock.leave(ending)

    def _show(self, metrics: set[str], time: int) -> None:
        """Show the metrics of a result as columns of the saved view."""
        from mlflow.exceptions import MlflowException

        at = self.experiments.results
        with one_at_a_time(self.root):
            shown = {
                *mlflow_view.metrics_of(self.client.get_experiment(at).tags.get(mlflow_view.TAG))
            }
            if metrics <= shown:
                return
            view = mlflow_view.saved_view(metrics | shown, time)
            try:
                self.client.set_experiment_tag(at, mlflow_view.TAG, view)
            except MlflowException as error:  # the user may not edit what another one created
                if is_lost(error):
                    raise
                self.refused.append(" ".join(str(error).split())[:300])

    def drop(self) -> None:
        """Delete the run that start opened."""
        if self.run_id:
            self.client.delete_run(self.run_id)
        if self._lock:
            self._lock.remove()

    def _log(self, kind: str, batch: list[Any]) -> None:
        """Log params, metrics or tags; leave out those that the store refuses, and note why."""
        from mlflow.exceptions import MlflowException

        try:
            self.client.log_batch(self.run_id, **{kind: batch})
        except MlflowException as error:
            if is_lost(error):
                raise
            if len(batch) == 1 or len(self.refused) >= MAX_REFUSALS:
                self.refused.append(" ".join(str(error).split())[:300])
                return
            middle = len(batch) // 2
            self._log(kind, batch[:middle])
            self._log(kind, batch[middle:])

    def find_or_create_model(self, path: str, md5: str, *, is_made_here: bool = False) -> str:
        """Return the id of the LoggedModel with a digest; the weights themselves stay in DVC.

        A model that was made under another store is created without a source run.
        """
        with one_at_a_time(self.root):
            models = self.client.search_logged_models(
                [*self.experiments], filter_string=f"tags.`mathledger.digest` = '{md5}'"
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
                self.experiments.stages,
                name=model_name(path, tags.get("mathledger.experiment", md5[:8])),
                source_run_id=self.run_id if is_made_here else None,
                tags=fit_tags(tags),
                params=self.params if is_made_here else None,
            )
            self.client.finalize_logged_model(model.model_id, "READY")
        return str(model.model_id)


def model_name(path: str, experiment: str) -> str:
    """Return the name that MLflow's list of models shows.

    >>> model_name("data/model/tuned", "lr-3e-5")
    'tuned-lr-3e-5'
    """
    return fit_model_name(f"{Path(path).name}-{experiment}")


def fit_tags(tags: dict[str, str]) -> dict[str, str]:
    """Return tags with names and values that MLflow takes, and without passwords of URLs."""
    return {fit_name(key): fit_value(without_secrets(tags[key]), MAX_TAG) for key in tags}
