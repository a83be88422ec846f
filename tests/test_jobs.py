"""Cluster jobs run commands that exist and compose, and let a stopped stage save its state."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from mathledger.core.hashing import sha256
from tests.conftest import Workspace, clean_environment
from tests.plan import recipe
from tests.test_docs import TARGETS, check_overrides

JOBS = [
    Path("jobs") / name for name in ("hf.sh", "kubernetes.yaml", "skypilot.yaml", "slurm.sbatch")
]


def script(job: Path) -> str:
    """Return all shell code in it."""
    text = job.read_text()
    if job.suffix != ".yaml":
        return text
    content = yaml.safe_load(text)
    if job.stem == "skypilot":
        return f"{content['setup']}\n{content['run']}"
    (container,) = content["spec"]["template"]["spec"]["containers"]
    return str(container["command"][-1])


@pytest.mark.parametrize("job", JOBS, ids=str)
def test_a_job_runs_what_the_plan_was_counted_for(job: Path) -> None:
    found = re.search(r"seed-recipe \\\n((?:.*\\\n)*.*)", script(job))
    assert found and found[1].replace("\\\n", " ").split() == recipe.OVERRIDES


def test_what_the_jobs_run_composes() -> None:
    check_overrides(recipe.OVERRIDES)


@pytest.mark.parametrize("job", [*JOBS, Path("jobs/run.sh"), Path("jobs/gpu_check.sh")], ids=str)
def test_a_jobs_shell_parses_and_names_what_exists(job: Path) -> None:
    text = script(job)
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    assert set(re.findall(r"^\s*make (\w+)", text, re.M)) <= TARGETS
    named = set(re.findall(r"\b(?:conf|docs|jobs)/[\w/]+\.\w+", job.read_text()))
    assert named and all(Path(path).exists() for path in named)


# --- run.sh ---------------------------------------------------------------------------------------

DVC = """#!/bin/bash
[ "$1" = config ] && echo storage
echo "dvc $*" >> calls
if [ "$*" = "repro --pull train" ]; then
  bash -c '{python} stage.py; true' || true
  echo "dvc goes on" >> calls
  exit 1
fi
"""
SCANCEL = """#!/bin/sh
echo "scancel $*" >> calls
kill -TERM $(cat ready)
"""
STAGE = """
import os, pathlib, signal, sys, time
def stop(*_):
    time.sleep(0.2)
    pathlib.Path("calls").open("a").write("saved\\n")
    sys.exit(1)
signal.signal(signal.SIGTERM, stop)
pathlib.Path("ready").write_text(str(os.getpid()))
time.sleep(60)
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """Make a clone with one stage that trains, and a stand-in for DVC that only starts it."""
    folder, root = tmp_path / "clone", Path.cwd()
    git = ["git", "-C", str(folder)]
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "origin.git")], check=True)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    for name in ("conf", "stages", "dvc.yaml", "params.yaml", "stage.py"):
        (folder / name).write_text(STAGE if name == "stage.py" else "")
    programs = {
        "dvc": DVC.format(python=sys.executable),
        "scancel": SCANCEL,
        "python": "#!/bin/sh\n",
    }
    (folder / "bin").mkdir()
    for name, text in programs.items():
        (folder / "bin" / name).write_text(text)
        (folder / "bin" / name).chmod(0o755)
    (folder / "jobs").symlink_to(root / "jobs")
    subprocess.run([*git, "remote", "add", "origin", str(tmp_path / "origin.git")], check=True)
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "x"], env=clean_environment(), check=True)
    return folder


@pytest.mark.parametrize("to_all", [False, True], ids=["the script alone", "every process"])
def test_a_job_that_is_asked_to_stop_lets_training_save(stand_in: Path, to_all: bool) -> None:
    """Schedulers differ in which process they signal; DVC must survive to see its stage fail."""
    assert stopped(stand_in, to_all) == ["dvc repro --pull train", "saved", "dvc goes on"]


def test_a_job_of_several_nodes_leaves_it_to_slurm_to_tell_them(stand_in: Path) -> None:
    """An srun that gets SIGTERM kills its processes, whether or not they have saved."""
    calls = stopped(stand_in, False, SLURM_NNODES="2", SLURM_JOB_ID="7")
    assert calls == ["scancel --signal=TERM 7", "saved", "dvc goes on"]


def stopped(stand_in: Path, to_all: bool, **environment: str) -> list[str]:
    """Send SIGTERM in the middle of training; return the last three events."""
    environment = clean_environment() | environment
    environment["PATH"] = f"{stand_in / 'bin'}{os.pathsep}{environment['PATH']}"
    command = ["bash", "jobs/run.sh", "topic", "experiment=smoke"]
    job = subprocess.Popen(command, cwd=stand_in, env=environment)
    end = time.monotonic() + 20
    while not (stand_in / "ready").exists() or not (stand_in / "ready").read_text():
        assert time.monotonic() < end and job.poll() is None
        time.sleep(0.05)
    process = psutil.Process(job.pid)
    for each in [process, *process.children(recursive=True)] if to_all else [process]:
        each.send_signal(signal.SIGTERM)
    assert job.wait(20) == 75
    return (stand_in / "calls").read_text().splitlines()[-3:]


def test_a_job_leaves_its_results_with_the_team(smoke_copy: Workspace, tmp_path: Path) -> None:
    """A clone gets the card from the branch and the data from the remote."""
    origin = tmp_path / "origin.git"
    smoke_copy.run("git", "init", "--quiet", "--bare", str(origin))
    smoke_copy.run("git", "remote", "add", "origin", str(origin))
    smoke_copy.run("dvc", "remote", "add", "--default", "storage", str(tmp_path / "storage"))
    smoke_copy.run("git", "commit", "--quiet", "--all", "--message", "Add a remote")
    job = ["bash", "jobs/run.sh", "german", "experiment=smoke", "model_card.language=de"]
    shown = smoke_copy.run(*job)
    assert shown.count("Running stage") == 1 and "Running stage 'model_card'" in shown
    assert smoke_copy.run("git", "status", "--porcelain") == ""
    subprocess.run(
        ["git", "clone", "--quiet", "--branch=german", str(origin), str(tmp_path / "clone")],
        check=True,
    )
    clone = Workspace(tmp_path / "clone")
    assert "language: de" in (clone.path / "model_card/README.md").read_text()
    assert "language: de" in (clone.path / "params.yaml").read_text()
    clone.run("dvc", "pull", "data/model/tuned")
    weights = "data/model/tuned/model.safetensors"
    assert sha256(clone.path / weights) == sha256(smoke_copy.path / weights)


def test_a_job_without_a_remote_ends_at_once(smoke_copy: Workspace) -> None:
    shown = smoke_copy.run("bash", "jobs/run.sh", "topic", "experiment=smoke", ok=False)
    assert shown == "error: there is no default DVC remote: docs/team.md\n"
