"""One process writes the runs of all stages of a DVC process, and none outlives it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mathledger.run.mlflow_store import STAGES, sqlite_uri
from mathledger.run.writer import Meeting, meeting
from tests.conftest import clean_environment

# A stage in the place of DVC's, and the same stage when it must find a writer that waits.
STAGE = """
import os, signal, sys, time
from pathlib import Path
from mathledger.run import writer
root = Path(sys.argv[1])
at = writer.meeting(root, writer.store_uri(root))
print(at.folder)
run = writer.Writer(root)
run.send({"do": "start", "name": sys.argv[2], "tags": {"mathledger.stage": "s"}, "params": {},
          "datasets": {}, "outs": [], "time": 1})
run.ask({"do": "run_id"})
"""
WAIT = """
while not Path(at.address).exists():
    time.sleep(0.02)
writer.subprocess.Popen = None
"""
NEXT = STAGE.replace("run = ", f"{WAIT}run = ")
END = 'run.ask({"do": "end", "status": "FINISHED"})\n'
KILLED = "os.kill(os.getpid(), signal.SIGKILL)\n"
MOVED = '(root / "mlflow.db").rename(root / "moved.db")\n'
DVC = """
import os, subprocess, sys
for number, code in enumerate(sys.argv[2:]):
    subprocess.run([sys.executable, "-c", code, sys.argv[1], str(number)])
"""


def runs(file: Path) -> dict[str, str]:
    """Return the status of each run in a store by its name."""
    client = MlflowClient(sqlite_uri(file))
    experiment = client.get_experiment_by_name(STAGES)
    assert experiment
    found = client.search_runs([experiment.experiment_id])
    return {str(run.info.run_name): run.info.status for run in found}


@pytest.mark.slow
def test_the_stages_of_one_dvc_process_share_a_writer(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "dvc").write_text(DVC)
    stages = [STAGE + END, NEXT + KILLED, NEXT.replace(WAIT, WAIT + MOVED) + END]
    done = subprocess.run(
        [sys.executable, tmp_path / "dvc", root, *stages],
        env=clean_environment() | {"DVC_STAGE": "s", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,  # the writer keeps none of DVC's pipes open
    )
    assert done.returncode == 0 and done.stderr == ""
    assert runs(root / "moved.db") == {"0": "FINISHED", "1": "KILLED"}
    assert runs(root / "mlflow.db") == {"2": "FINISHED"}
    (folder,) = {Path(line) for line in done.stdout.split()}
    end = time.monotonic() + 60
    while folder.exists():  # until the writer sees that DVC has ended
        assert time.monotonic() < end, "the writer outlives DVC"
        time.sleep(0.05)


def test_a_stage_without_dvc_starts_its_own_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_STAGE", raising=False)
    assert meeting(tmp_path, "sqlite:///a.db") is None


@pytest.mark.parametrize("mode", [0o700, 0o770, 0o707])
def test_a_socket_is_used_if_nobody_else_can_have_put_it_there(mode: int) -> None:
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,  # a socket's path must be short
        socket.socket(socket.AF_UNIX) as listener,
        Path(os.devnull).open() as file,
    ):
        at = Meeting(Path(folder) / "m", (1, 0.0))
        at.folder.mkdir()
        at.folder.chmod(mode)
        listener.bind(at.address)
        assert at.is_private == (mode == 0o700)
        if mode != 0o700:
            listener.listen()
        assert not at.take_over([file.fileno()] * 3)  # nobody listens, or nobody is trusted
        Path(at.address).unlink()
        at.folder.rename(Path(folder) / "n")
        at.folder.symlink_to(Path(folder) / "n")
        assert not at.is_private
