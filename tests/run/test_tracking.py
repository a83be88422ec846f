"""Runs end with the status of their stages, and a new store survives a race."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mathledger.run.mlflow_store import STAGES
from tests.conftest import Workspace, clean_environment


@pytest.mark.slow
def test_four_writers_on_a_new_store_share_one_experiment(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    start = (
        '{"do": "start", "name": "r", "tags": {"mathledger.stage": "s"}, "params": {}, '
        '"datasets": {}, "outs": [], "time": 1}\n{"do": "end", "status": "FINISHED"}\n'
    )

    def write(_: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mathledger.run.mlflow_writer", str(tmp_path)]
        environment = clean_environment() | {"MLFLOW_TRACKING_URI": uri}
        return subprocess.run(command, input=start, capture_output=True, text=True, env=environment)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(write, range(4)))
    assert [process.stdout for process in done] == ["FINISHED\n"] * 4, done[0].stderr
    client = MlflowClient(uri)
    found = client.get_experiment_by_name(STAGES)
    assert found and len(client.search_runs([found.experiment_id])) == 4


def test_a_store_that_cannot_be_written_fails_the_stage(workspace: Workspace) -> None:
    shown = workspace.run(
        "dvc", "repro", "download_corpus@tiny_numinamath_cot",
        ok=False, MLFLOW_TRACKING_URI="sqlite:////proc/none/all.db",
    )  # fmt: skip
    assert "MLflow at sqlite:////proc/none/all.db cannot be used" in shown
    assert "Traceback" not in shown


def test_a_failed_stage_is_a_failed_run(workspace: Workspace) -> None:
    shown = workspace.python("-m", "stages.mix", ok=False)
    assert "error: mix: data/decontaminate/kept.parquet is missing: run `dvc repro`" in shown
    workspace.python("-m", "stages.params", "experiment=smoke", "prepare.max_problem_chars=1")
    workspace.repro("prepare@tiny_numinamath_cot", ok=False)
    client = MlflowClient(f"sqlite:///{workspace.path}/mlflow.db")
    (failed,) = client.search_runs(["1", "2"], "attributes.run_name LIKE 'prepare%'")
    assert failed.info.status == "FAILED"


def test_a_stage_that_is_not_configured_is_an_error(workspace: Workspace) -> None:
    shown = workspace.python("-m", "stages.download_benchmark", "aime24", ok=False)
    assert "params.yaml has no benchmark 'aime24'" in shown and "Traceback" not in shown


@pytest.mark.fault("full disk")
@pytest.mark.parametrize("name", ["kept.parquet", "removed.parquet"])
def test_a_full_disk_is_one_line_and_leaves_nothing_that_looks_whole(
    smoke_copy: Workspace, name: str
) -> None:
    folder = smoke_copy.path / "data/deduplicate"
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / f"{name}.partial").symlink_to("/dev/full")
    shown = smoke_copy.python("-m", "stages.deduplicate", ok=False)
    assert "error: deduplicate: the disk is full" in shown and "Traceback" not in shown
    assert not (folder / name).exists()
