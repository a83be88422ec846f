"""A lost MLflow store can be rebuilt from git and lineage/ without duplicates."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from mathledger.cli import main
from mathledger.run.mlflow_store import RESULTS, STAGES, Experiments
from mathledger.run.recorder import RUN_ID, STAGE_RUN
from tests.conftest import Workspace

NAMES = ("mathledger.", "mlflow.source.name", "mlflow.source.git.commit", "mlflow.runName")


class Store:
    """The content of a store, with names in place of MLflow's ids."""

    def __init__(self, path: Path) -> None:
        self.uri = f"sqlite:///{path}"
        self.client = MlflowClient(self.uri)
        names = {each.name: each.experiment_id for each in self.client.search_experiments()}
        self.experiments = Experiments(names[RESULTS], names[STAGES])
        self.all = list(self.experiments)

    def runs(self) -> dict[str, Run]:
        """Return the runs by stage, such as mix and evaluate@tuned-champ."""
        named = {}
        for found in self.client.search_runs(self.all, max_results=1000):
            tags = found.data.tags
            name = "@".join(filter(None, [tags["mathledger.stage"], tags["mathledger.item"]]))
            named[name] = self.client.get_run(found.info.run_id)
        return named

    def models(self) -> dict[str, Any]:
        found = self.client.search_logged_models(self.all)
        return {model.model_id: model for model in found}

    def of_run(self, run: Run) -> dict[str, Any]:
        models = {key: model.name for key, model in self.models().items()}
        return {
            "status": run.info.status,
            "params": run.data.params,
            "tags": {
                key: value
                for key, value in run.data.tags.items()
                if key.startswith(NAMES) and key != RUN_ID
            },
            "reads": sorted(
                (each.dataset.name, each.dataset.digest, each.tags[0].value)
                for each in run.inputs.dataset_inputs
            ),
            "models read": [models[each.model_id] for each in run.inputs.model_inputs],
            "models made": [models[each.model_id] for each in run.outputs.model_outputs],
            "texts": {
                file.path: self.client.download_artifacts(run.info.run_id, file.path)
                for file in self.client.list_artifacts(run.info.run_id, "samples")
            }.keys(),
        }

    def curves(self, run: Run) -> dict[str, dict[int, float]]:
        """Return the values by metric and step."""
        return {
            key: {
                each.step: each.value
                for each in self.client.get_metric_history(run.info.run_id, key)
            }
            for key in run.data.metrics
        }

    def of_model(self, model: Any) -> dict[str, Any]:
        source = self.client.get_run(model.source_run_id).info.run_name
        metrics = sorted(
            (each.key, each.value, each.dataset_name or "", each.dataset_digest or "")
            for each in model.metrics
        )
        return {"source": source, "tags": model.tags, "params": model.params, "metrics": metrics}


@pytest.fixture(scope="module")
def clone(smoke: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fresh clone of the finished run that can reach its cache but has no data."""
    path = tmp_path_factory.mktemp("sync") / "clone"
    smoke.run("git", "clone", "--quiet", str(smoke.path), str(path))
    config = f"[cache]\n    dir = {smoke.path}/.dvc/cache\n"
    (path / ".dvc/config.local").write_text(config)
    return path


def sync(folder: Path, *arguments: str) -> int:
    """Run the command in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        return main(["sync-mlflow", *arguments])


@pytest.fixture(scope="module")
def rebuilt(clone: Path) -> Store:
    """Return a store that was empty before one sync from the clone."""
    path = clone.parent / "rebuilt.db"
    assert sync(clone, "--uri", f"sqlite:///{path}") == 0
    return Store(path)


@pytest.fixture(scope="module")
def live(smoke: Workspace) -> Store:
    """Return the store that the stages wrote as they ran."""
    return Store(smoke.path / "mlflow.db")


def test_a_rebuilt_store_shows_the_runs_that_the_stages_wrote(live: Store, rebuilt: Store) -> None:
    runs, again = live.runs(), rebuilt.runs()
    assert again.keys() == runs.keys()
    for name, run in runs.items():
        other = again[name]
        assert rebuilt.of_run(other) == live.of_run(run), name
        assert other.data.tags[RUN_ID] == run.info.run_id
        assert other.info.start_time // 1000 == run.info.start_time // 1000
        assert abs(other.info.end_time - run.info.end_time) < 10_000


def test_a_rebuilt_store_has_every_number_at_its_step(live: Store, rebuilt: Store) -> None:
    again = rebuilt.runs()
    for name, run in live.runs().items():
        curves, others = live.curves(run), rebuilt.curves(again[name])
        assert others.keys() == curves.keys(), name
        for key, steps in curves.items():  # The files have six digits.
            assert others[key] == pytest.approx(steps, rel=1e-5, abs=1e-6), (name, key)
    assert len(curves) > 0 and len(live.curves(live.runs()["train"])["loss"]) > 1


def test_a_rebuilt_store_has_the_models(live: Store, rebuilt: Store) -> None:
    models, again = (
        {model.name: store.of_model(model) for model in store.models().values()}
        for store in (live, rebuilt)
    )
    assert again == models


def test_a_model_shows_its_scores_by_benchmark_and_the_run_that_made_it(
    live: Store, smoke: Workspace
) -> None:
    lineage = json.loads((smoke.path / "lineage/evaluate/tuned-tiny_chain_sum.json").read_text())
    digests = lineage["deps"]
    scores = json.loads((smoke.path / "metrics/evaluate/tuned-tiny_chain_sum.json").read_text())
    models = {model.name: model for model in live.models().values()}
    assert models.keys() == {"base-repro", "tuned-repro"}
    tuned = models["tuned-repro"]
    assert tuned.tags["mathledger.digest"] == digests["data/model/tuned"]
    assert live.client.get_run(tuned.source_run_id).info.run_name == "train"
    assert tuned.params["train.learning_rate"] == "0.001" and tuned.status == "READY"
    (accuracy,) = [each for each in tuned.metrics if each.key == "accuracy"]
    assert accuracy.value == scores["accuracy"]
    assert accuracy.dataset_name == "data/download_benchmark/tiny_chain_sum"
    assert accuracy.dataset_digest == digests["data/download_benchmark/tiny_chain_sum"]
    assert live.client.get_run(accuracy.run_id).info.run_name == "evaluate@tuned-tiny_chain_sum"
    # The metrics of training are not about the model from which it started.
    assert not {"loss", "first_loss"} & {each.key for each in models["base-repro"].metrics}


def test_runs_are_joined_by_what_they_read_and_made(live: Store) -> None:
    made = live.runs()["mix"].data.tags["mathledger.out.data/mix"]
    found = live.client.search_runs(live.all, f"tags.`mathledger.dep.data/mix` = '{made}'")
    readers = {run.data.tags["mathledger.stage"] for run in found}
    assert readers == {"train", "model_card"}


@pytest.mark.parametrize("name", ["live", "rebuilt"])
def test_the_results_are_apart_and_name_the_runs_behind_them(
    name: str, request: pytest.FixtureRequest, live: Store, smoke: Workspace
) -> None:
    store: Store = request.getfixturevalue(name)
    (result,) = store.client.search_runs([store.experiments.results])
    revision = json.loads((smoke.path / "lineage/model_card.json").read_text())["git_revision"]
    assert result.info.run_name.startswith(f"repro-{revision[:8]}")
    assert "tiny_chain_sum.tuned.accuracy" in result.data.metrics
    behind = {
        key.removeprefix(STAGE_RUN): value
        for key, value in result.data.tags.items()
        if key.startswith(STAGE_RUN)
    }
    stages = {stage: run.info.run_id for stage, run in live.runs().items()}
    del stages["model_card"]
    assert behind == {stage.replace("@", "/"): run for stage, run in stages.items()}


def test_a_second_sync_writes_nothing(
    clone: Path, rebuilt: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(rebuilt.uri.removeprefix("sqlite:///")).read_bytes()
    assert sync(clone, "HEAD", "--uri", rebuilt.uri) == 0
    assert (
        f"nothing to write; all {len(rebuilt.runs())} runs are already there"
        in capsys.readouterr().out
    )
    assert Path(rebuilt.uri.removeprefix("sqlite:///")).read_bytes() == before


def test_runs_that_the_stages_wrote_are_left_alone(
    live: Store, smoke: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (smoke.path / "mlflow.db").read_bytes()
    assert sync(smoke.path) == 0
    assert "nothing to write" in capsys.readouterr().out
    assert (smoke.path / "mlflow.db").read_bytes() == before


def test_a_sync_that_was_cut_off_is_finished(
    clone: Path, rebuilt: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(rebuilt.uri.removeprefix("sqlite:///"), tmp_path / "cut.db")
    cut = Store(tmp_path / "cut.db")
    runs = cut.runs()
    cut.client.update_run(runs["evaluate@base-tiny_chain_sum"].info.run_id, status="RUNNING")
    cut.client.delete_run(runs["model_card"].info.run_id)
    assert sync(clone, "--uri", cut.uri) == 0
    assert f"wrote 2 of {len(runs)} runs" in capsys.readouterr().out
    again = cut.runs()
    assert {name: cut.of_run(run) for name, run in again.items()} == {
        name: rebuilt.of_run(run) for name, run in rebuilt.runs().items()
    }
    assert len(cut.models()) == len(rebuilt.models())  # Each digest is one model.


def test_a_lineage_file_of_another_run_is_not_taken_for_this_one(
    clone: Path, rebuilt: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(clone, other, symlinks=True)
    path = other / "lineage/model_card.json"
    lineage = json.loads(path.read_text())
    lineage["deps"]["data/evaluate"] = "0" * 32 + ".dir"
    path.write_text(json.dumps(lineage | {"mlflow_run_id": "f" * 32}))
    assert sync(other, "--uri", rebuilt.uri) == 1
    shown = capsys.readouterr().out
    assert "left out model_card of workspace: lineage/model_card.json belongs to another" in shown
    path.unlink()
    assert sync(other, "--uri", rebuilt.uri) == 1
    assert "lineage/model_card.json is missing, so its run is unknown" in capsys.readouterr().out
    assert "f" * 32 not in {run.data.tags[RUN_ID] for run in rebuilt.runs().values()}


def test_runs_whose_files_the_cache_lacks_are_named_and_the_others_written(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Git alone holds what the card's run needs."""
    other = tmp_path / "other"
    shutil.copytree(clone, other, symlinks=True)
    (other / ".dvc/config.local").unlink()
    assert sync(other) == 1
    *left_out, last = capsys.readouterr().out.splitlines()
    assert len(left_out) > 5
    assert all("is not in the cache" in line and "run `dvc pull`" in line for line in left_out)
    assert "wrote 1 of 1 runs" in last
    assert Store(other / "mlflow.db").runs().keys() == {"model_card"}


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////proc/none/all.db"])
def test_a_store_that_cannot_be_reached_is_one_line(
    clone: Path, uri: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert sync(clone, "--uri", uri) == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"mathledger sync-mlflow: MLflow at {uri} cannot be used")
    assert shown.count("\n") == 1


def test_an_experiment_is_written_when_asked_for(
    clone: Path, rebuilt: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The experiment differs only in its card's run; the earlier stages are those of HEAD."""
    other = tmp_path / "other"
    shutil.copytree(clone, other, symlinks=True)
    workspace = Workspace(other)
    path = other / "lineage/model_card.json"
    lineage = json.loads(path.read_text()) | {"mlflow_run_id": "e" * 32, "experiment": "tall-tree"}
    path.write_text(json.dumps(lineage))
    workspace.run("git", "commit", "--all", "--quiet", "--message", "experiment")
    workspace.run("git", "update-ref", f"refs/exps/ab/{'c' * 38}/tall-tree", "HEAD")
    workspace.run("git", "reset", "--hard", "--quiet", "HEAD~1")
    shutil.copy(rebuilt.uri.removeprefix("sqlite:///"), tmp_path / "all.db")
    store = Store(tmp_path / "all.db")
    assert sync(other, "--uri", store.uri) == 0
    assert "nothing to write" in capsys.readouterr().out
    assert sync(other, "--all-experiments", "--uri", store.uri) == 0
    results = store.client.search_runs([store.experiments.results])
    names = Counter(run.data.tags["mathledger.experiment"] for run in results)
    assert "tall-tree" in {run.info.run_name for run in results}
    assert names == {"repro": 1, "tall-tree": 1}
