"""Make docs/images/mlflow_compare.png: MLflow's compare view of two experiments' result runs.

    pip install playwright && python docs/images/compare.py [--picture-only]

It runs the quickstart and its ablation `contaminated` in a throw-away clone of the last commit,
.scratch/compare, starts an MLflow server on their store, and takes the picture with a headless
Chromium: the one in PATH (Debian: apt install chromium), else Playwright's own (`playwright install
chromium`). About 25 minutes on two CPU cores, nearly all of it the two experiments, whose scores
mathledger compare prints; --picture-only takes those of the last time. Playwright is no dependency
of the project.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

CLONE = Path(".scratch/compare")
OUT = Path("docs/images/mlflow_compare.png")
RUNS = ["model_card", "contaminated"]  # as MLflow calls the result of a repro, and an experiment's


def run_experiments() -> None:
    """Run the default, commit it as what the ablation is compared with, and run the ablation."""
    shutil.rmtree(CLONE, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", ".", str(CLONE)], check=True)
    # Stages run this clone's code; `python` and `dvc` are those that run this script.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": ""}
    environment.pop("MLFLOW_TRACKING_URI", None)
    identity = ["-c", "user.name=docs", "-c", "user.email=docs@localhost"]
    for command in (
        ["dvc", "repro"],
        ["git", *identity, "commit", "--quiet", "--all", "--message", "Results"],
        ["dvc", "exp", "run", "--name", "contaminated", "-S", "ablation=contaminated"],
        [sys.executable, "-m", "mathledger", "compare"],
    ):
        subprocess.run(command, cwd=CLONE, env=environment, check=True)


@contextlib.contextmanager
def server(store: str) -> Iterator[str]:
    """An MLflow server on a store, as its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--uvicorn-opts", "--log-level warning"]
    environment = os.environ | {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    process = subprocess.Popen(command, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 120
        while True:
            with contextlib.suppress(urllib.error.URLError):
                urllib.request.urlopen(f"{address}/health", timeout=5).close()
                break
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit("error: the MLflow server did not start")
            time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait()


def result_runs(store: str) -> tuple[str, list[str]]:
    """The experiment's id, and those of its result runs, the oldest first."""
    from mlflow import MlflowClient

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("mathledger")
    assert experiment
    runs = client.search_runs(
        [experiment.experiment_id],
        "tags.`mathledger.kind` = 'result'",
        order_by=["attributes.start_time ASC"],
    )
    return experiment.experiment_id, [run.info.run_id for run in runs]


def photograph(address: str, experiment: str, runs: list[str]) -> None:
    """The compare view of some runs: the params that differ, and all metrics."""
    from playwright.sync_api import sync_playwright

    query = f"runs={json.dumps(runs)}&experiments={json.dumps([experiment])}"
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", *quiet]
        )
        page = browser.new_page(viewport={"width": 1120, "height": 920})
        page.goto(f"{address}/#/compare-runs?{query}")
        page.get_by_label("Close").first.click()  # the assistant
        page.get_by_label("Toggle sidebar").click()
        page.get_by_role("button", name="Visualizations").click()
        page.get_by_label("Parameters - Show diff only").click()
        page.wait_for_timeout(2000)  # sections slide
        page.screenshot(path=str(OUT))
        browser.close()


def main() -> None:
    if "--picture-only" not in sys.argv:
        run_experiments()
    store = f"sqlite:///{CLONE.resolve()}/mlflow.db"
    experiment, runs = result_runs(store)
    if len(runs) != len(RUNS):
        raise SystemExit(f"error: {len(runs)} result runs in {store}, not {len(RUNS)}")
    with server(store) as address:
        photograph(address, experiment, runs)
    print(OUT)


if __name__ == "__main__":
    main()
