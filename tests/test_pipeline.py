"""`dvc repro` and `dvc exp run` work as a user runs them."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests import faults
from tests.conftest import Experiment, Workspace


def ran(output: str) -> set[str]:
    return set(re.findall(r"Running stage '([^']+)'", output))


def runs(workspace: Workspace, where: str = "") -> list[object]:
    client = MlflowClient(f"sqlite:///{workspace.path}/mlflow.db")
    everything = [each.experiment_id for each in client.search_experiments()]
    return list(client.search_runs(everything, where))


def stage_of(run: object) -> str:
    tags = run.data.tags  # type: ignore[attr-defined]
    return "@".join(filter(None, [tags["mathledger.stage"], tags["mathledger.item"]]))


def test_second_repro_does_nothing(smoke: Workspace) -> None:
    shown = smoke.repro()
    assert ran(shown) == set() and "up to date" in shown


def test_git_shows_no_difference_after_a_second_run_from_nothing(again: Workspace) -> None:
    """Results are byte-identical, and so are dvc.lock and the records of who made them first."""
    assert again.run("git", "status", "--porcelain") == ""


def test_a_run_from_nothing_keeps_its_own_record_in_mlflow(
    smoke: Workspace, again: Workspace
) -> None:
    repeats = runs(again, "tags.`mathledger.repeats` != ''")
    assert len(repeats) == len(runs(smoke))
    client = MlflowClient(f"sqlite:///{again.path}/mlflow.db")
    firsts = {run.info.run_id: run for run in runs(smoke)}  # type: ignore[attr-defined]
    for run in repeats:
        tags, own = run.data.tags, run.info  # type: ignore[attr-defined]
        first = firsts[tags["mathledger.repeats"]]
        assert stage_of(first) == stage_of(run)
        path = client.download_artifacts(own.run_id, "lineage.json")
        record = json.loads(Path(path).read_text())
        assert record["mlflow_run_id"] == own.run_id


def test_data_and_weights_are_the_same_after_a_second_run_from_nothing(
    smoke: Workspace, again: Workspace
) -> None:
    assert faults.results(again.path) == faults.results(smoke.path)


def test_one_finished_run_for_each_executed_stage(smoke: Workspace) -> None:
    found = runs(smoke)
    stages = smoke.run("dvc", "stage", "list", "--name-only").split()
    assert sorted(map(stage_of, found)) == sorted(stages)
    for run in found:
        assert run.info.status == "FINISHED"  # type: ignore[attr-defined]
        tags = run.data.tags  # type: ignore[attr-defined]
        assert len(tags["mathledger.git_revision"]) == 40
        assert tags["mathledger.code_is_dirty"] == "false"


def test_the_result_run_holds_all_params_and_all_scores(smoke: Workspace) -> None:
    (result,) = runs(smoke, "tags.`mathledger.kind` = 'result'")
    params, metrics = result.data.params, result.data.metrics  # type: ignore[attr-defined]
    assert params["train.learning_rate"] == "0.001" and params["deduplicate.jaccard"] == "0.6"
    assert {"tiny_chain_sum.base.accuracy", "tiny_chain_sum.tuned.accuracy"} <= metrics.keys()


def test_dataset_digests_in_mlflow_are_those_of_the_lock(smoke: Workspace) -> None:
    (train,) = runs(smoke, "attributes.run_name = 'train'")
    inputs = {i.dataset.name: i.dataset.digest for i in train.inputs.dataset_inputs}  # type: ignore[attr-defined]
    lock = (smoke.path / "dvc.lock").read_text()
    assert set(inputs) == {"data/mix", "data/model/base"}
    assert all(f"md5: {digest}" in lock for digest in inputs.values())


def test_lineage_names_the_run_and_what_it_read(smoke: Workspace) -> None:
    lineage = json.loads((smoke.path / "lineage/evaluate/tuned-tiny_chain_sum.json").read_text())
    client = MlflowClient(f"sqlite:///{smoke.path}/mlflow.db")
    run = client.get_run(lineage["mlflow_run_id"])
    assert run.info.run_name == "evaluate@tuned-tiny_chain_sum"
    assert lineage["deps"].keys() >= {"data/model/tuned", "data/download_benchmark/tiny_chain_sum"}
    assert lineage["git_revision"] == run.data.tags["mathledger.git_revision"]


def test_exp_run_reruns_only_what_changed_and_the_cache_restores(
    smoke: Workspace, faster: Experiment, tmp_path: Path
) -> None:
    tuned = {"evaluate@tuned-tiny_chain_sum", "probe@tuned"}
    assert ran(faster.shown) == {"train", "model_card"} | tuned
    copy = faster.workspace.copy(tmp_path / "project")
    # The mix was not made again: its lineage still names the run that made it.
    mix = "lineage/mix.json"
    assert (copy.path / mix).read_text() == (smoke.path / mix).read_text()
    assert "learning_rate: 0.002" in copy.run("cat", "params.yaml")

    back = copy.run("dvc", "exp", "run", "-S", "experiment=smoke")
    assert ran(back) <= {"model_card"}  # Everything else comes from the run cache.


def test_a_benchmark_more_runs_it_and_what_it_touches(smoke_copy: Workspace) -> None:
    options = ["-S", "experiment=smoke", "-S", "benchmark=[tiny_chain_sum,gsm_symbolic]"]
    options += ["-S", "benchmark.gsm_symbolic.source.num_items=3"]
    options += ["-S", "benchmark.gsm_symbolic.task.max_gen_toks=4"]
    shown = smoke_copy.run("dvc", "exp", "run", *options)
    # The new benchmark overlaps nothing more, so the training set and the model stay the same.
    assert ran(shown) == {
        "download_benchmark@gsm_symbolic",
        "decontaminate",
        "evaluate@base-gsm_symbolic",
        "evaluate@tuned-gsm_symbolic",
        "probe@base",
        "probe@tuned",
        "model_card",
    } | ({"mix"} & ran(shown))
    card = (smoke_copy.path / "model_card/README.md").read_text()
    assert "| tiny_chain_sum |" in card and "| gsm_symbolic |" in card

    shown = smoke_copy.run("dvc", "exp", "run", "-S", "experiment=smoke")
    assert "gsm_symbolic" not in (smoke_copy.path / "model_card/README.md").read_text()


def test_every_changed_param_reaches_the_data(smoke_copy: Workspace) -> None:
    """This holds for the run cache too, although it ignores some keys (decisions/0004)."""
    path = smoke_copy.path / "data/download_corpus/tiny_numinamath_cot/train.jsonl"
    key = "corpus.tiny_numinamath_cot.source.tasks.chain_sum"
    counts = []
    for number in (24, 25, 24):
        smoke_copy.python("-m", "stages.params", "experiment=smoke", f"{key}={number}")
        (smoke_copy.path / "dvc.lock").unlink()  # Only the run cache can decide now.
        smoke_copy.repro("download_corpus@tiny_numinamath_cot")
        counts.append(len(path.read_text().splitlines()))
    assert counts == [40, 41, 40]


def test_a_temporary_experiment(smoke_copy: Workspace) -> None:
    """tests/test_experiments.py tests queued experiments."""
    head = smoke_copy.run("git", "rev-parse", "HEAD").strip()
    options = ["-S", "experiment=smoke", "-S", "evaluate.batch_size=4"]
    shown = smoke_copy.run("dvc", "exp", "run", "--temp", "--name", "small", *options)
    assert "evaluate@base-tiny_chain_sum" in ran(shown) and "train" not in ran(shown)
    assert "small" in smoke_copy.run("dvc", "exp", "list", "--rev", head)
    # The experiment wrote to this repository's store, not to one in its temporary folder.
    names = {run.data.tags["mathledger.experiment"] for run in runs(smoke_copy)}  # type: ignore[attr-defined]
    assert names == {"repro", "small"}
    assert smoke_copy.run("git", "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("number", "shell", "forks"),
    [(signal.SIGTERM, "/bin/bash", True), (signal.SIGKILL, "/bin/sh", False)],
)
def test_a_killed_repro_leaves_no_process_no_result_and_no_finished_run(
    smoke_copy: Workspace, number: signal.Signals, shell: str, forks: bool
) -> None:
    """Only DVC is killed, as by the out-of-memory killer, and the stage ends too.

    The stage is a fork in one case and a real process in the other.
    """
    smoke_copy.python("-m", "stages.params", "experiment=smoke", "train.max_steps=5000")
    running = smoke_copy.popen("dvc", "repro", "train", forks=forks, SHELL=shell)
    wait_for(lambda: "RUNNING" in statuses(smoke_copy, "train"))
    assert any("stages.train" in args for args in processes_of(running.pid))
    os.kill(running.pid, number)
    running.wait()
    wait_for(lambda: not processes_of(running.pid))
    wait_for(lambda: statuses(smoke_copy, "train") == {"FINISHED", "KILLED"})
    assert not (smoke_copy.path / "data/model/tuned").exists()
    assert "max_steps: 5000" not in (smoke_copy.path / "dvc.lock").read_text()
    smoke_copy.python("-m", "stages.params", "experiment=smoke", "train.max_steps=5")
    smoke_copy.repro("train")


def test_metrics_plots_and_dag_show(smoke: Workspace) -> None:
    assert "metrics/train.json" in smoke.run("dvc", "metrics", "show")
    page = smoke.path / "dvc_plots/index.html"
    smoke.run("dvc", "plots", "show")
    text = page.read_text()
    smoke.run("rm", "-r", "dvc_plots")
    assert "validation_loss" in text and "num_rows" in text and "accuracy" in text
    assert "train" in smoke.run("dvc", "dag")


def processes_of(group: int) -> list[str]:
    shown = subprocess.run(["ps", "-e", "-o", "pgid=,args="], capture_output=True, text=True).stdout
    lines = [line.split(maxsplit=1) for line in shown.splitlines()]
    return [args for pgid, args in lines if int(pgid) == group and "defunct" not in args]


def statuses(workspace: Workspace, stage: str) -> set[str]:
    found = runs(workspace, f"attributes.run_name = '{stage}'")
    return {run.info.status for run in found}  # type: ignore[attr-defined]


def wait_for(condition: Callable[[], bool], seconds: float = 60, every: float = 0.2) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(every)
