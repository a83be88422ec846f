"""Throw-away copies of the project for tests that run stages, and one smoke run that many read."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Workspace:
    """A copy of the project as it stands, in a git and DVC repository of its own."""

    path: Path

    def copy(self, path: Path) -> "Workspace":
        """All of it at another place, the DVC cache and MLflow's store too."""
        shutil.copytree(self.path, path, symlinks=True)
        copy_compiled(ROOT, path)
        return Workspace(path)

    def run(self, *command: str, ok: bool = True, **environment: str) -> str:
        """Run a command there; returns stdout and stderr. Fails the test unless it does as told."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env=clean_environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert (done.returncode == 0) == ok, (
            f"{command} ended with {done.returncode}:\n{done.stdout}"
        )
        return done.stdout

    def python(self, *arguments: str, ok: bool = True, **environment: str) -> str:
        return self.run(sys.executable, *arguments, ok=ok, **environment)

    def repro(self, *arguments: str, ok: bool = True) -> str:
        return self.run("dvc", "repro", *arguments, ok=ok)

    def popen(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command in a session of its own, so that a test can kill all of it."""
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


def copy_compiled(source: Path, target: Path) -> None:
    """The compiled kernels come along, since compiling them takes half a minute.

    Those that the target has stay: an index names the files that were compiled with it.
    """
    for cached in sorted(source.glob("stages/**/__pycache__/*.nb[ci]")):
        place = target / cached.relative_to(source)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(cached, place)


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The project as it stands, configured for smoke, in which nothing has run. Tests copy it."""
    path = tmp_path_factory.mktemp("start") / "project"
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


@pytest.fixture
def workspace(start: Workspace, tmp_path: Path) -> Workspace:
    """A fresh copy, configured for smoke, in which nothing has run."""
    return start.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def smoke(start: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The whole pipeline, run once. Tests read it and leave it as it is."""
    workspace = start.copy(tmp_path_factory.mktemp("smoke") / "project")
    workspace.repro()
    copy_compiled(workspace.path, ROOT)
    workspace.run("git", "add", "--all")
    workspace.run("git", "commit", "--quiet", "--message", "results")
    return workspace


@pytest.fixture
def smoke_copy(smoke: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished smoke run that a test may change; the cache comes along."""
    return smoke.copy(tmp_path / "project")
