"""Throw-away copies of the project for tests that run stages, and one smoke run that many read."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from tests import durations
from tests.forkserver import ForkServer

ROOT = Path(__file__).resolve().parent.parent
# `make test` runs two processes of tests beside each other (pytest-xdist), each with one thread:
# threads of several processes that wait for each other on two cores double the time of training.
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The server of this process of tests; none where no test needs a pipeline, and off Linux.
_forks: list[ForkServer] = []


def pytest_configure(config: pytest.Config) -> None:
    os.chdir(ROOT)  # tests read the project's files, wherever pytest was started
    config.pluginmanager.register(durations.Durations(lambda: sum(f.cpu_seconds() for f in _forks)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where processes share the tests, the long ones first: what is left at the end is short."""
    if IS_WORKER:
        long = ("again", "smoke_copy", "smoke")
        items.sort(key=lambda item: [name not in item.fixturenames for name in long])  # type: ignore[attr-defined]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the fork server beside the first tests if any of them reads the smoke run."""
    needs_smoke = any("smoke" in getattr(item, "fixturenames", ()) for item in session.items)
    is_controller = getattr(session.config.option, "numprocesses", None)
    if needs_smoke and sys.platform == "linux" and not is_controller:
        if not session.config.option.collectonly:
            _forks.append(ForkServer(clean_environment()))


def pytest_sessionfinish() -> None:
    for forks in _forks:
        forks.stop()


@dataclass(frozen=True)
class Workspace:
    """A copy of the project as it stands, in a git and DVC repository of its own."""

    path: Path

    def copy(self, path: Path) -> "Workspace":
        """All of it at another place, the DVC cache and MLflow's store too."""
        shutil.copytree(self.path, path, symlinks=True)
        return Workspace(path)

    def run(self, *command: str, ok: bool = True, **environment: str) -> str:
        """Run a command there; returns stdout and stderr. Fails the test unless it does as told.

        What it starts as `python -m stages.x` is forked from a process that waits with all
        libraries imported: tests/forkserver.py.
        """
        done = subprocess.run(
            command,
            cwd=self.path,
            env=forking_environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (done.returncode == 0) == ok, (
            f"{command} ended with {done.returncode}:\n{done.stdout}"
        )
        return done.stdout

    def python(self, *arguments: str, ok: bool = True, **environment: str) -> str:
        return self.run("python", *arguments, ok=ok, **environment)

    def repro(self, *arguments: str, ok: bool = True) -> str:
        return self.run("dvc", "repro", *arguments, ok=ok)

    def popen(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command in a session of its own, in real processes alone: a test can kill all."""
        return subprocess.Popen(
            command,
            cwd=self.path,
            env=clean_environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def clean_environment() -> dict[str, str]:
    """The caller's, less what would lead a stage to the caller's own stores."""
    drop = ("DVC_", "MLFLOW_", "GIT_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(drop)}
    scripts = str(Path(sys.executable).parent)
    return kept | {
        "PATH": f"{scripts}{os.pathsep}{kept.get('PATH', '')}",
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "HF_HUB_OFFLINE": "1",
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@example.org",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@example.org",
    }


def forking_environment() -> dict[str, str]:
    """The clean one, in which `python` asks the fork server."""
    clean = clean_environment()
    folders = [str(forks.folder) for forks in _forks]
    return clean | {"PATH": os.pathsep.join([*folders, clean["PATH"]])}


def slurm_job(num_nodes: int) -> dict[str, str]:
    """What the script of a Slurm job sees; tests/slurm/srun starts all its nodes on this machine.

    The last two are torchrun's and gloo's, for nodes whose names do not lead to an address.
    """
    return {
        "PATH": f"{ROOT / 'tests/slurm'}{os.pathsep}{clean_environment()['PATH']}",
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_NNODES": str(num_nodes),
        "SLURMD_NODENAME": "127.0.0.1",
        "PET_LOCAL_ADDR": "127.0.0.1",
        "GLOO_SOCKET_IFNAME": "lo",
    }


@dataclass(frozen=True)
class Shared:
    """Workspaces that the processes of one test session have in common."""

    folder: Path

    def once(self, name: str, make: Callable[[Path], Workspace]) -> Workspace:
        """Made by the process that comes first; the others wait for it."""
        with FileLock(self.folder / f"{name}.lock"):
            path, is_made = self.folder / name / "project", self.folder / f"{name}.made"
            if not is_made.exists():
                make(path)
                is_made.touch()
        return Workspace(path)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    own = tmp_path_factory.getbasetemp()
    return Shared(own.parent if IS_WORKER else own)


def make_start(path: Path) -> Workspace:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("metrics/", "model_card/", "plots/")):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
    (path / "dvc.lock").unlink(missing_ok=True)
    workspace = Workspace(path)
    workspace.python("-m", "stages.params", "experiment=smoke")
    workspace.run("git", "init", "--quiet")
    workspace.run("git", "add", "--all")
    workspace.run("git", "commit", "--quiet", "--message", "start")
    return workspace


@pytest.fixture(scope="session")
def start(shared: Shared) -> Workspace:
    """The project as it stands, configured for smoke, in which nothing has run. Tests copy it."""
    return shared.once("start", make_start)


@pytest.fixture
def workspace(start: Workspace, tmp_path: Path) -> Workspace:
    """A fresh copy, configured for smoke, in which nothing has run."""
    return start.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def smoke(shared: Shared, start: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The whole pipeline, run once. Tests read it and leave it as it is."""

    def make(path: Path) -> Workspace:
        workspace = start.copy(path)
        for forks in _forks:
            forks.wait()
        workspace.repro()
        workspace.run("git", "add", "--all")
        workspace.run("git", "commit", "--quiet", "--message", "results")
        return workspace

    # A copy for each process: DVC allows one command at a time in a repository.
    return shared.once("smoke", make).copy(tmp_path_factory.mktemp("smoke") / "project")


@pytest.fixture(scope="session")
def again(shared: Shared, smoke: Workspace) -> Workspace:
    """The smoke run a second time, from nothing: no cache, no scratch folder, and two threads.

    Its stages are real processes, for libraries have read OMP_NUM_THREADS before a fork could set
    it; the smoke run's were forks. So what is the same here does not depend on that either.
    """

    def make(path: Path) -> Workspace:
        workspace = smoke.copy(path)
        made = ["data/prepare", "data/mix", "data/evaluate"]
        workspace.run("rm", "-rf", ".dvc/cache", ".scratch", *made)
        workspace.run("dvc", "repro", "--force", OMP_NUM_THREADS="2")
        return workspace

    return shared.once("again", make)


@pytest.fixture
def smoke_copy(smoke: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished smoke run that a test may change; the cache comes along."""
    return smoke.copy(tmp_path / "project")
