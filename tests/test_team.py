"""A team shares results in an S3 remote, experiments through git and runs in MLflow."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Workspace

BUCKET = "team-storage"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[str], seconds: float = 60) -> None:
    """Wait until a server answers."""
    for _ in range(int(seconds * 10)):
        assert process.poll() is None, f"the server ended: {url}"
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} does not answer")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Start a local S3 server with an empty bucket and yield its endpoint."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    server = subprocess.Popen(
        [Path(sys.executable).parent / "moto_server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        wait_for(f"{url}/moto-api/", server)
        request = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")
        request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=test/x/us-east-1/s3/x")
        urllib.request.urlopen(request).close()
        yield url
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def pushed(
    smoke: Workspace, s3: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, Path]:
    """Return a project with its results pushed to S3 and its commits to a bare repository."""
    folder = tmp_path_factory.mktemp("shared")
    shutil.copytree(smoke.path, folder / "project", symlinks=True)
    first = Workspace(folder / "project")
    first.run("dvc", "remote", "add", "--default", "team", f"s3://{BUCKET}/results")
    first.run("dvc", "remote", "modify", "team", "endpointurl", s3)
    first.run("git", "commit", "--quiet", "--all", "--message", "Share the results")
    first.run("git", "init", "--quiet", "--bare", str(folder / "origin.git"))
    first.run("git", "remote", "add", "origin", str(folder / "origin.git"))
    first.run("git", "push", "--quiet", "origin", "HEAD:main")
    first.run("dvc", "push", **KEYS)
    return first, folder / "origin.git"


@pytest.fixture(scope="module")
def second(pushed: tuple[Workspace, Path], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a colleague's clone after `dvc pull`, with a cache of its own."""
    path = tmp_path_factory.mktemp("second") / "project"
    command = ["git", "clone", "--quiet", "--branch=main", str(pushed[1]), str(path)]
    subprocess.run(command, check=True)
    clone = Workspace(path)
    clone.run("dvc", "pull", **KEYS)
    return clone


def test_a_second_clone_has_the_results_from_the_remote_alone(
    pushed: tuple[Workspace, Path], second: Workspace
) -> None:
    assert "up to date" in second.run("dvc", "status")
    assert "Everything is up to date" in second.run("dvc", "push", **KEYS)
    for path in ("data/model/tuned/model.safetensors", "lineage/train.json"):
        assert (second.path / path).read_bytes() == (pushed[0].path / path).read_bytes()


def test_a_second_clone_makes_the_card_again_without_training(
    pushed: tuple[Workspace, Path], second: Workspace
) -> None:
    card = (second.path / "model_card/README.md").read_bytes()
    shutil.rmtree(second.path / "model_card")
    output = second.repro()
    assert output.count("Running stage") == 1 and "Running stage 'model_card'" in output
    assert (second.path / "model_card/README.md").read_bytes() == card
    second.run("git", "checkout", "--", ".")


def test_verify_passes_in_a_second_clone(second: Workspace) -> None:
    output = second.python("-m", "mathledger", "verify", "--overrides", "experiment=smoke")
    assert output.splitlines()[-1] == "holds: all 18 links hold"


def test_an_experiment_travels_with_its_results(
    pushed: tuple[Workspace, Path], second: Workspace
) -> None:
    """One person pushes it, and another pulls it by its name and gets the same number."""
    first, _ = pushed
    first.run("dvc", "exp", "run", "--name", "german", "-S", "experiment=smoke",
              "-S", "model_card.language=de")  # fmt: skip
    first.run("dvc", "exp", "push", "origin", "german", **KEYS)
    second.run("dvc", "exp", "pull", "origin", "german", **KEYS)
    assert "german" in second.run("dvc", "exp", "show", "--csv")
    card = second.run("git", "show", "german:model_card/README.md", ok=False)
    assert "language: de" not in card  # The name is DVC's, not git's.
    shown = second.run("dvc", "exp", "list", "--all-commits", "--sha-only")
    card = second.run("git", "show", f"{shown.strip().splitlines()[-1]}:model_card/README.md")
    assert "language: de" in card


def test_a_remote_that_is_down_ends_in_an_error_and_loses_nothing(second: Workspace) -> None:
    place = f"http://127.0.0.1:{free_port()}"
    second.run("dvc", "remote", "add", "gone", f"s3://{BUCKET}/x")
    second.run("dvc", "remote", "modify", "gone", "endpointurl", place)
    output = second.run("dvc", "push", "--remote", "gone", "lineage/train.json", ok=False,
                        AWS_MAX_ATTEMPTS="1", **KEYS)  # fmt: skip
    assert "ERROR" in output and place in output
    second.run("git", "checkout", "--", ".dvc/config")
    assert "up to date" in second.run("dvc", "status")
