"""No value, kill or damaged file keeps MLflow from taking the runs."""

import json
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from sqlalchemy.exc import OperationalError

from mathledger.core.errors import InputError
from mathledger.run import mlflow_store, mlflow_view
from mathledger.run.messages import KIND, RESULT, numbers_of, stages_message
from mathledger.run.mlflow_attach import attach
from mathledger.run.mlflow_names import fit_name
from mathledger.run.mlflow_store import is_lost, open_experiments, patient, refusal, sqlite_file
from mathledger.run.mlflow_writer import record, written
from mathledger.run.recorder import AWAY, REPEATS, RUN_ID, Recorder
from mathledger.run.writer_lock import WriterLock
from mathledger.sync_mlflow import known
from tests.conftest import clean_environment

NAMES = ["Counting & Probability", "train (1).jsonl", "~/rows.jsonl", "a+b", "100%", "x" * 400]
KINDS = ["metrics", "text", "outs", "repeats", "end"]  # of messages after the first, in order
NAMES += ["../up", "//", "", "\ud800", "\0", "Zahlentheorie: Übung", "数论"]


def start(name: str = "stage", **params: Any) -> dict[str, Any]:
    tags = {"mathledger.stage": "prepare", "mathledger.item": "?", "mathledger.experiment": "e"}
    tags |= {"mathledger.git_revision": "0" * 40}
    message = {"do": "start", "name": name, "tags": tags, "params": params, "time": 1}
    return message | {"outs": [], "datasets": {}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a new store; making one takes seconds."""
    folder = tmp_path_factory.mktemp("store")
    open_experiments(f"sqlite:///{folder}/mlflow.db", folder)
    return folder


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    shutil.copy(made / "mlflow.db", tmp_path)
    return tmp_path


@pytest.fixture
def uri(root: Path) -> str:
    return f"sqlite:///{root}/mlflow.db"


@pytest.fixture
def recorder(root: Path, uri: str) -> Recorder:
    return Recorder(uri, root)


def runs(recorder: Recorder) -> dict[str, Any]:
    found = MlflowClient(recorder.client.tracking_uri).search_runs([*recorder.experiments])
    return {run.info.run_name: run for run in found}


@pytest.mark.slow
def test_a_run_with_any_names_is_whole(
    recorder: Recorder, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = numbers_of({"in_by_source": {name: n for n, name in enumerate(NAMES)}})
    outs = {f"data/{name}": "0" * 32 for name in NAMES}
    params = {f"corpus.files.{name}": name * 30 for name in NAMES}
    messages = [start("x" * 300, **params), {"do": "metrics", "rows": [[0, numbers]]}]
    messages += [{"do": "text", "text": "\0\ud800", "file": "error.txt"}]
    messages += [{"do": "outs", "outs": outs}, {"do": "end", "status": "FINISHED"}]
    for message in messages:
        assert written(uri, recorder, message)
    (run,) = runs(recorder).values()
    assert run.info.status == "FINISHED" and capsys.readouterr().err == ""
    assert len(run.data.params) == len(params)
    assert run.data.metrics == {fit_name(key): value for key, value in numbers.items()}
    tags = {key for key in run.data.tags if key.startswith("mathledger.out.")}
    assert len(tags) == len(outs) and "mathledger.refused" not in run.data.tags
    assert not list((recorder.root / ".scratch/runs").iterdir())


def test_a_store_in_a_folder_of_any_name_is_found(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "it's (1) #ü~%41 @x: ?a=1"
    root.mkdir()
    shutil.copy(made / "mlflow.db", root)
    uri = mlflow_store.sqlite_uri(root / "mlflow.db")
    assert sqlite_file(uri) == root / "mlflow.db"
    Recorder(uri, root).start(start())
    assert len(MlflowClient(uri).search_runs(["1", "2"])) == 1


def test_a_refused_value_is_named_and_the_rest_is_written(
    recorder: Recorder,
    uri: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A store may have rules that we do not know."""
    log = recorder.client.log_batch

    def refuse(run_id: str, **batch: Any) -> None:
        if any("bad" in each.key for values in batch.values() for each in values):
            raise MlflowException.invalid_parameter_value("bad is reserved")
        log(run_id, **batch)

    monkeypatch.setattr(recorder.client, "log_batch", refuse)
    numbers = {f"n{number}": 1.0 for number in range(40)} | {"bad": 2.0}
    for message in (start(), {"do": "metrics", "rows": [[0, numbers]]}):
        assert written(uri, recorder, message)
    assert written(uri, recorder, {"do": "end", "status": "FINISHED"})
    (run,) = runs(recorder).values()
    assert run.info.status == "FINISHED" and len(run.data.metrics) == 40
    assert "bad is reserved" in run.data.tags["mathledger.refused"]
    shown = capsys.readouterr().err
    assert (
        "refused 1 value; the rest of the run is written. It says: " in shown
        and shown.count("\n") == 1
    )


def gone(said: str) -> MlflowException:
    error = MlflowException(said)
    error.__cause__ = OperationalError("INSERT", {}, Exception(said))
    return error


LOST = [
    MlflowException("API request to http://h failed with exception Connection refused"),
    MlflowException("API request to endpoint /api failed with error code 502 != 200."),
    RestException({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"}),
    gone("database is locked"),
    ConnectionResetError(),
]
REFUSED = [
    MlflowException.invalid_parameter_value("no such name"),
    MlflowException("API request to endpoint /api failed with error code 413 != 200."),
    RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "no such name"}),
    RestException({"error_code": "INTERNAL_ERROR", "message": "null byte"}),
]


@pytest.mark.parametrize("error", LOST, ids=str)
def test_a_server_that_is_away_is_lost(error: Exception) -> None:
    assert is_lost(error)


@pytest.mark.parametrize("error", REFUSED, ids=str)
def test_a_server_that_refuses_a_value_is_not_lost(error: Exception) -> None:
    assert not is_lost(error)


def test_a_run_whose_processes_were_killed_is_marked_by_the_next_sync(
    recorder: Recorder, uri: str
) -> None:
    for name in ("dead", "alive", "another's"):
        recorder.start(start(name))
        if name == "alive":
            alive = recorder._lock  # held, as by a writer that works
        elif recorder._lock:
            recorder._lock._lock.release()  # as the operating system does
            if name == "another's":
                recorder._lock.path.unlink()
    known(recorder, set(), is_own=False)
    status = {name: run.info.status for name, run in runs(recorder).items()}
    assert status == {"dead": "KILLED", "alive": "RUNNING", "another's": "RUNNING"}
    recorder.start(start("has a lineage file"))
    assert recorder._lock
    recorder._lock.remove()
    assert recorder.run_id not in known(recorder, {recorder.run_id}, is_own=False)
    assert "has a lineage file" not in runs(recorder)
    known(recorder, set(), is_own=True)
    assert runs(recorder)["another's"].info.status == "KILLED"
    assert runs(recorder)["alive"].info.status == "RUNNING"
    assert alive and alive.exists()


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
@pytest.mark.parametrize("lost_at", KINDS)
def test_a_run_that_ended_while_its_store_was_away_is_ended_by_the_next_sync(
    lost_at: str, status: str, recorder: Recorder, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no lineage file of its own, because it failed or repeats a result."""
    messages: list[dict[str, Any]] = [
        start("lost", a=1),
        {"do": "metrics", "rows": [[0, {"loss": 1.0}]]},
        {"do": "text", "text": "4", "file": "samples/1.txt"},
        {"do": "outs", "outs": {}},
        {"do": "repeats", "run_id": "1" * 32},
        *([] if status == "KILLED" else [{"do": "end", "status": status}]),
    ]

    def away(*_: Any) -> None:
        raise OperationalError("", None, Exception("away"))

    with monkeypatch.context() as patch:
        for name in KINDS[KINDS.index(lost_at) :]:
            patch.setattr(Recorder, name, away)
        record(uri, recorder.root, [json.dumps(each) + "\n" for each in messages])
    assert runs(recorder)["lost"].info.status == "RUNNING"
    known(recorder, set(), is_own=False)
    run = runs(recorder)["lost"]
    assert run.info.status == status and run.info.end_time > 1
    assert run.data.tags[REPEATS] == "1" * 32
    assert (AWAY in run.data.tags) == (status != "KILLED")
    assert run.info.run_id in known(recorder, set(), is_own=False)
    known(recorder, {run.info.run_id}, is_own=False)  # now a lineage file can write all of it
    assert "lost" not in runs(recorder)


def test_a_lock_is_free_when_its_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from mathledger.run.writer_lock import WriterLock\n"
        f"lock = WriterLock(Path({str(tmp_path)!r}), 'a'); print(lock.take(), flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"True\n"
        lock = WriterLock(tmp_path, "a")
        assert lock.exists() and not lock.take()
        process.kill()
        process.wait()
    assert lock.exists() and lock.take()
    lock.remove()
    assert not lock.exists()


def half_made(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE trace_info (request_id TEXT)")
        db.execute("CREATE TABLE experiments (experiment_id INTEGER)")
        db.execute("CREATE TABLE alembic_version (version_num TEXT)")


def without_end(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def nul(file: Path) -> None:
    file.write_bytes(bytes(70_000))


def other_program(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE mine (x TEXT)")


def with_a_run(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("INSERT INTO runs (run_uuid) VALUES ('a')")


def fresh(file: Path) -> None:
    file.unlink()
    half_made(file)


@pytest.mark.fault("SQLite corrupt")
@pytest.mark.parametrize(
    ("damage", "can_be_replaced"),
    [(fresh, True), (nul, True), (without_end, False), (other_program, False), (with_a_run, False)],
)
def test_only_a_store_without_runs_is_replaced(
    root: Path, damage: Callable[[Path], None], can_be_replaced: bool
) -> None:
    file = root / "mlflow.db"
    damage(file)
    assert mlflow_store._holds_no_run(file) == can_be_replaced


@pytest.mark.slow
@pytest.mark.fault("SQLite corrupt")
def test_a_half_made_store_is_replaced(
    root: Path, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = root / "mlflow.db"
    file.unlink()
    half_made(file)
    (root / "mlflow.db.partial").write_bytes(b"of a kill")
    assert open_experiments(uri, root)
    assert f"{file} was half made: moved to {file}.half-made" in capsys.readouterr().err
    assert not (root / "mlflow.db.partial").exists()


def test_a_folder_in_the_place_of_a_store_is_named_at_once(tmp_path: Path) -> None:
    """MLflow would try to open it for two minutes."""
    (tmp_path / "mlflow.db").mkdir()
    uri = mlflow_store.sqlite_uri(tmp_path / "mlflow.db")
    with pytest.raises(OSError) as error:
        open_experiments(uri, tmp_path)
    assert "it is a folder: remove it" in mlflow_store.refusal(uri, error.value)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [without_end, nul])
def test_a_damaged_store_with_runs_names_the_command(
    root: Path, uri: str, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(root / "mlflow.db")
    monkeypatch.setattr(mlflow_store, "_holds_no_run", lambda file: False)
    with pytest.raises(Exception) as error:  # MLflow's, or SQLAlchemy's
        open_experiments(uri, root)
    shown = refusal(uri, error.value)
    file = root / "mlflow.db"
    assert f"run `mv {file} {file}.damaged && mathledger sync-mlflow`" in shown
    assert "\n" not in shown


@pytest.mark.parametrize("kind", ["postgresql+psycopg", "postgresql", "mysql+pymysql"])
def test_a_database_that_does_not_answer_is_named_at_once(tmp_path: Path, kind: str) -> None:
    """MLflow would try for two minutes."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        uri = f"{kind}://ann:Pa55word@127.0.0.1:{taken.getsockname()[1]}/mlflow"
        with pytest.raises(OSError) as error:
            open_experiments(uri, tmp_path)
    shown = refusal(uri, error.value)
    assert "is the server running" in shown and "Pa55word" not in shown


def test_another_process_that_writes_is_waited_for() -> None:
    assert patient("sqlite:////tmp/a.db") == "sqlite:////tmp/a.db?timeout=60"
    assert patient("sqlite:////tmp/a.db?x=1") == "sqlite:////tmp/a.db?x=1&timeout=60"
    for uri in ("sqlite:////tmp/a.db?timeout=1", "http://host"):
        assert patient(uri) == uri
    assert "another process holds it" in refusal("sqlite:////a.db", gone("database is locked"))


@pytest.mark.slow
def test_a_writer_shows_no_password_and_ends_the_run_of_a_torn_message(
    root: Path, uri: str
) -> None:
    command = [sys.executable, "-m", "mathledger.run.mlflow_writer", str(root)]
    content = json.dumps(start("torn")) + "\n" + json.dumps({"do": "metrics"})[:9]
    environment = clean_environment() | {"MLFLOW_TRACKING_URI": uri}
    done = subprocess.run(command, input=content, capture_output=True, text=True, env=environment)
    assert done.stdout == "KILLED\n" and done.stderr == ""
    environment["MLFLOW_TRACKING_URI"] = "http://ann:Pa55word@127.0.0.1:9"
    environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
    done = subprocess.run(command, input=content, capture_output=True, text=True, env=environment)
    assert done.stdout.startswith("error: MLflow at http://ann:***@127.0.0.1:9 cannot"), done.stderr
    assert "Pa55word" not in done.stdout + done.stderr
    assert done.stdout.count("\n") == 1 and "Traceback" not in done.stderr


def test_a_password_of_a_database_is_not_shown() -> None:
    uri = "postgresql+psycopg://ann:Pa55:w@rd@db.example/mlflow"
    shown = refusal(uri, MlflowException(f"no connection to {uri}: Pa55:w@rd is wrong"))
    assert "Pa55" not in shown and "ann:***@db.example/mlflow" in shown


def test_results_have_an_experiment_of_their_own_with_their_scores_as_columns(
    recorder: Recorder,
) -> None:
    for name, kind in (("mix", "stage"), ("first", "result"), ("second", "result")):
        message = start(name)
        message["tags"][KIND] = kind
        recorder.start(message)
        recorder.metrics({"rows": [[0, {f"champ.{name}.accuracy": 0.5}]]})
        recorder.stages(stages_message({"evaluate@base-champ": {"mlflow_run_id": "f" * 32}}))
        recorder.end({"status": "FINISHED"})
    found = {
        name: sorted(run.info.run_name for run in recorder.client.search_runs([each]))
        for name, each in recorder.experiments._asdict().items()
    }
    assert found == {"results": ["first", "second"], "stages": ["mix"]}
    (run, *_) = recorder.client.search_runs([recorder.experiments.results])
    assert run.data.tags["mathledger.run.evaluate/base-champ"] == "f" * 32
    tags = recorder.client.get_experiment(recorder.experiments.results).tags
    shown = mlflow_view.metrics_of(tags[mlflow_view.TAG])
    assert shown == ["champ.first.accuracy", "champ.second.accuracy"]


def test_a_store_that_holds_every_run_in_one_experiment_goes_on(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older versions wrote stage runs and models next to the results; a model stays one model."""
    now = recorder.experiments
    monkeypatch.setattr(recorder, "experiments", now._replace(stages=now.results))
    digests = {"data/model/tuned": "a" * 32}
    for name in ("train", "evaluate"):
        message = start(name)
        (message["outs"], message["datasets"]) = (
            (list(digests), {}) if name == "train" else ([], digests)
        )
        recorder.start(message)
        if name == "train":
            recorder.outs({"outs": digests})
        recorder.metrics({"rows": [[0, {"accuracy": 0.5}]]})
        recorder.end({"status": "FINISHED"})
        monkeypatch.setattr(recorder, "experiments", now)
    (model,) = recorder.client.search_logged_models([*now])
    assert model.experiment_id == now.results and model.metrics[0].value == 0.5
    old, new = (recorder.client.search_runs([each])[0].info.run_id for each in now)
    assert known(recorder, {old, new}, is_own=True) == {old, new}


@pytest.mark.slow
@pytest.mark.parametrize("tag", ["", RUN_ID, REPEATS])
def test_a_page_is_attached_to_the_run_of_the_result(
    recorder: Recorder, root: Path, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", recorder.client.tracking_uri)
    page = root / "view.html"
    page.write_text("<p>")
    message = start("quick")
    message["tags"] |= {KIND: RESULT} | ({tag: "f" * 32} if tag else {})
    recorder.start(message)
    assert attach(page, "f" * 32 if tag else recorder.run_id, root) == "quick"
    assert [each.path for each in recorder.client.list_artifacts(recorder.run_id)] == ["view.html"]
    with pytest.raises(InputError, match="MLflow has no run of this result"):
        attach(page, "e" * 32, root)


@pytest.mark.parametrize("tag", [None, "", "{}", '{"state": "deflate;x"}', '{"state": 1}'])
def test_a_view_that_is_not_ours_is_replaced(tag: str | None) -> None:
    assert mlflow_view.metrics_of(tag) == []


def test_a_view_of_many_metrics_fits_into_a_tag() -> None:
    names = [f"benchmark_{number}.{number * 7919 % 1000}.accuracy" for number in range(2000)]
    value = mlflow_view.saved_view(names, 1)
    assert len(value) <= 5000 and 100 < len(mlflow_view.metrics_of(value)) < 2000
