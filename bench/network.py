"""Cut the network under the pipeline, and see that nothing is lost and no number changes.

    python -m bench.network SCRATCH [--seed 0]

MLflow's server and the DVC remote (S3, a local server) stand behind relays, which drop all
connections and refuse new ones when they are told to. The smoke configuration runs from nothing;
in each stage MLflow is cut off at a random moment until the stage has ended. Then `dvc push`, and
`dvc pull` in a second clone, are cut at random moments and repeated until they succeed.
"""

import argparse
import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from bench import faults
from bench.measure import circumstances, clone, commit, progress, run, write_result
from mathledger.core.errors import InputError

BUCKET = "results"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
KEYS["AWS_MAX_ATTEMPTS"] = "1"
MAX_TRIES = 40


class Relay:
    """Passes TCP connections on to a port of this machine, unless it is cut."""

    def __init__(self, target: int) -> None:
        self.target = target
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.num_dropped = 0
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.mend()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def mend(self) -> None:
        """Take connections."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Drop all connections, and refuse new ones."""
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for each in list(self._open):
            self.num_dropped += 1
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # it was cut
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self._open.add(client)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for each in (source, target):
            self._open.discard(each)
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def server(command: list[str], port: int, path: str) -> Iterator[Relay]:
    """A server behind a relay, from when it answers."""
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(1200):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2).close()
                break
            if process.poll() is not None:
                raise InputError(f"{' '.join(command)} ended with {process.returncode}")
            time.sleep(0.1)
        yield Relay(port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def repro_cut_off(folder: Path, relay: Relay, seconds: Mapping[str, float], seed: int) -> int:
    """Run `dvc repro` with MLflow behind the relay, cut in each stage; returns how many there were.

    Raises:
        InputError: a stage fails.
    """
    draw = random.Random(seed)
    log = folder / ".scratch" / "network.log"
    log.parent.mkdir(exist_ok=True)
    environment = os.environ | {"MLFLOW_TRACKING_URI": relay.url, "OMP_NUM_THREADS": "1"}
    with log.open("w") as output:
        dvc = subprocess.Popen(
            ["dvc", "repro"], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    seen: set[str] = set()
    while stage := faults.wait_for_stage(dvc, log, seconds.keys() - seen):
        seen.add(stage)
        processes = faults.wait_for_processes(dvc, stage)
        # Not before it has spoken to MLflow: an address that never answers is an error.
        started = wait_for_run(folder, relay, stage, processes)
        if started:
            psutil.wait_procs(processes, timeout=draw.uniform(0, seconds[stage] / 2))
        relay.cut()
        psutil.wait_procs(processes, timeout=600)
        relay.mend()
        progress(f"{stage}: cut off")
    if dvc.returncode:
        raise InputError(f"`dvc repro` failed:\n{log.read_text()[-3000:]}")
    return len(seen)


def wait_for_run(folder: Path, relay: Relay, stage: str, processes: list[psutil.Process]) -> bool:
    """Whether the stage's run came to be in MLflow before the stage ended."""
    from mlflow import MlflowClient

    client = MlflowClient(f"http://127.0.0.1:{relay.target}")
    while any(process.is_running() for process in processes):
        experiment = client.get_experiment_by_name("mathledger")
        if experiment and client.search_runs(
            [experiment.experiment_id], f"attributes.run_name = '{stage}'"
        ):
            return True
        psutil.wait_procs(processes, timeout=0.2)
    return False


def repeated(command: list[str], folder: Path, relay: Relay, draw: random.Random) -> int:
    """Run a command, cut off each time, until it succeeds; returns how often it was cut."""
    started = time.perf_counter()
    longest = 2.0
    for number in range(MAX_TRIES):
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | KEYS,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=draw.uniform(0.5, longest))
        relay.cut()
        output, _ = process.communicate()
        relay.mend()
        if process.returncode == 0:
            progress(
                f"{' '.join(command)}: cut off {number} times, "
                f"{time.perf_counter() - started:.0f} s"
            )
            return number
        if "ERROR" not in output or "Traceback" in output:
            raise InputError(
                f"{' '.join(command)} ended with no error of its own:\n{output[-2000:]}"
            )
        longest *= 1.3  # else it may never come to its end
    raise InputError(
        f"{' '.join(command)} has not succeeded in {MAX_TRIES} tries:\n{output[-2000:]}"
    )


def finished_runs(uri: str) -> dict[str, int]:
    """How many finished runs each stage has in a store, by the run's name."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("mathledger")
    found = client.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'")
    return Counter(each.info.run_name for each in found)


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    return "\n".join(
        [
            "| cut off | times |",
            "|---|---:|",
            f"| MLflow, in each stage of the pipeline | {result['num_stages']} |",
            f"| `dvc push` to S3 | {result['num_push']} |",
            f"| `dvc pull` from S3 | {result['num_pull']} |",
            "",
            f"{result['num_dropped']} open connections were dropped. Finished runs in MLflow at "
            f"the end of the pipeline: {result['num_finished_before']} of {result['num_stages']}; "
            f"after `mathledger sync-mlflow`: {result['num_finished']}.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scratch", type=Path, help="a folder for throw-away clones")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    facts = circumstances()
    draw = random.Random(options.seed)
    second, store = options.scratch / "network-second", options.scratch / "network.db"
    shutil.rmtree(options.scratch / "network", ignore_errors=True)
    shutil.rmtree(second, ignore_errors=True)
    store.unlink(missing_ok=True)
    folder = clone(options.scratch / "network", ["experiment=smoke"], [])
    expected, seconds = faults.results(folder), faults.stage_seconds(folder)
    faults.empty(folder)
    ports = free_port(), free_port()
    mlflow = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(ports[0])]
    mlflow += ["--backend-store-uri", f"sqlite:///{store.resolve()}"]
    moto = [
        str(Path(sys.executable).parent / "moto_server"),
        "-H",
        "127.0.0.1",
        "-p",
        str(ports[1]),
    ]
    with (
        server(mlflow, ports[0], "/health") as tracking,
        server(moto, ports[1], "/moto-api/") as s3,
    ):
        num_stages = repro_cut_off(folder, tracking, seconds, options.seed)
        faults.expect_same(folder, expected, "with MLflow cut off")
        before = finished_runs(tracking.url)
        commit(folder, "Results")
        run(folder, sys.executable, "-m", "mathledger", "sync-mlflow", "--uri", tracking.url)
        after = finished_runs(tracking.url)
        if sorted(after) != sorted(seconds) or set(after.values()) != {1}:
            raise InputError(f"after sync-mlflow, MLflow has these finished runs: {after}")

        request = urllib.request.Request(f"http://127.0.0.1:{ports[1]}/{BUCKET}", method="PUT")
        request.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=test/x/us-east-1/s3/x")
        urllib.request.urlopen(request).close()
        run(folder, "dvc", "remote", "add", "--default", "storage", f"s3://{BUCKET}/results")
        run(folder, "dvc", "remote", "modify", "storage", "endpointurl", s3.url)
        commit(folder, "Share the results")
        num_push = repeated(["dvc", "push"], folder, s3, draw)
        run(options.scratch, "git", "clone", "--quiet", folder.name, second.name)
        num_pull = repeated(["dvc", "pull"], second, s3, draw)
        faults.expect_same(second, expected, "pulled")
        faults.expect_whole_cache(second)
        run(second, sys.executable, "-m", "mathledger", "verify", "--overrides", "experiment=smoke")
        num_dropped = tracking.num_dropped + s3.num_dropped
    result = {
        "num_stages": num_stages,
        "num_push": num_push,
        "num_pull": num_pull,
        "num_dropped": num_dropped,
        "num_finished_before": len(before),
        "num_finished": len(after),
        "moto": version("moto"),
    }
    write_result("network", {**facts, **result})
    print(table(result))


if __name__ == "__main__":
    main()
