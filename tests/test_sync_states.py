"""One bad run does not stop `mathledger sync-mlflow`, and its store takes every name."""

import json
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mathledger import sync_mlflow
from mathledger.cli import main
from mathledger.core.files import read_json, write_json, write_text
from mathledger.run.lineage import lineage_file
from mathledger.run.mlflow_names import fit_name
from mathledger.run.mlflow_store import open_experiments
from mathledger.run.recorder import Recorder
from tests.conftest import ROOT
from tests.states import Project, State

pytestmark = pytest.mark.slow
ODD = "Counting & Probability (1).jsonl"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("project"))
    made.git("init", "--quiet")
    shutil.copy(ROOT / "dvc.yaml", made.path)
    ignored = "data/\nlineage/*\n!lineage/model_card.json\n.dvc/cache/\n"
    (made.path / ".gitignore").write_text(ignored)

    def odd_names(state: State) -> None:
        state.settings["corpus"]["web"] = {"source": {"files": {f"data/{ODD}": "0" * 64}}}
        base = Path("data/model/base/receipt.json")
        old = read_json(base) if base.exists() else {}
        write_json(base, old | {"num_parameters": 9})
        write_text(Path("plots/train/loss.csv"), "step,loss\n1,2.0\n")
        write_text(Path("lineage/train.csv"), "step,tokens_per_second\n1,3.0\n")

    made.write(odd_names)
    open_experiments(f"sqlite:///{made.path}/empty.db", made.path)
    return made


@pytest.fixture
def here(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the project with an empty store, as the current folder."""
    at = tmp_path / "project"
    shutil.copytree(project.path, at, symlinks=True)
    (at / "empty.db").rename(at / "mlflow.db")
    monkeypatch.chdir(at)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return at


def names(at: Path) -> dict[str, str]:
    client = MlflowClient(f"sqlite:///{at}/mlflow.db")
    found = client.search_runs(["1", "2"], max_results=1000)
    return {run.info.run_name: run.info.status for run in found}


def test_every_name_is_written_and_a_second_sync_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sync-mlflow"]) == 0
    written = names(here)
    client = MlflowClient(f"sqlite:///{here}/mlflow.db")
    (odd,) = client.search_runs(["1", "2"], "attributes.run_name = 'download_corpus@web'")
    assert odd.data.params[fit_name(f"corpus.web.source.files.data/{ODD}")] == "0" * 64
    assert "mix" in written and set(written.values()) == {"FINISHED"}
    assert main(["sync-mlflow"]) == 0
    shown = capsys.readouterr().out
    assert f"wrote {len(written)} of {len(written)} runs" in shown and "nothing to write" in shown


def test_a_run_that_cannot_be_rebuilt_is_named_and_the_others_are_written(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = (here / "dvc.lock").read_text()
    entry = json.dumps(lineage_file("mix").as_posix()).strip('"')
    assert entry in lock
    md5 = lock.split(entry)[0].rsplit("md5: ", 1)[1].split("\n")[0]
    (here / ".dvc/cache/files/md5" / md5[:2] / md5[2:]).write_text("{")
    assert main(["sync-mlflow"]) == 1
    shown = capsys.readouterr().out
    assert "left out lineage/mix.json of workspace is not valid JSON" in shown
    assert "mix" not in names(here) and "train" in names(here)


def test_a_run_that_the_store_refuses_is_left_out_whole(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    outs = Recorder.outs

    def refuse(self: Recorder, message: dict[str, object]) -> None:
        if self.tags["mathledger.stage"] == "deduplicate":
            raise MlflowException.invalid_parameter_value("no such model")
        outs(self, message)

    monkeypatch.setattr(sync_mlflow.Recorder, "outs", refuse)
    assert main(["sync-mlflow"]) == 1
    shown = capsys.readouterr().out
    assert "left out deduplicate of workspace: MLflow refused it: no such model" in shown
    assert "deduplicate" not in names(here) and "mix" in names(here)
    assert not list((here / ".scratch/runs").iterdir())
    monkeypatch.setattr(sync_mlflow.Recorder, "outs", outs)
    assert main(["sync-mlflow"]) == 0
    assert f"wrote 1 of {len(names(here))} runs" in capsys.readouterr().out
