"""Make the screenshots of the docs from the results in this checkout.

    pip install playwright && python docs/images/screenshots.py [--ablation]

The checkout needs the results of `make repro`: data/, model_card/ and mlflow.db. With --ablation
the script also runs the quickstart and its ablation `contaminated` in a throw-away clone of the
last commit, .scratch/compare (20 minutes on two CPU cores), prints their scores with `mathledger
compare` and takes MLflow's view of the two. It uses the Chromium in PATH (Debian: apt install
chromium), else Playwright's own (`playwright install chromium`). The project does not depend on
Playwright.
"""

import contextlib
import io
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
from typing import TYPE_CHECKING

from mathledger.run.mlflow_store import RESULTS, STAGES
from mathledger.run.mlflow_view import KEY

if TYPE_CHECKING:
    from playwright.sync_api import Page

OUT = Path("docs/images")
TRACE, VIEW = Path(".scratch/trace.html"), Path(".scratch/view.html")
CLONE = Path(".scratch/compare")
SHARPNESS = 1.5  # pixels of the picture for each pixel of the page


@contextlib.contextmanager
def browser_page(width: int, height: int) -> Iterator["Page"]:
    """Open a page in a headless Chromium that sends nothing home."""
    from playwright.sync_api import sync_playwright

    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", *quiet]
        )
        yield browser.new_page(
            viewport={"width": width, "height": height}, device_scale_factor=SHARPNESS
        )
        browser.close()


def save(page: "Page", name: str) -> None:
    """Write what a page shows to docs/images/, in 128 colours."""
    from PIL import Image

    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").quantize(128).save(OUT / name, optimize=True)


@contextlib.contextmanager
def server(store: str) -> Iterator[str]:
    """Serve an MLflow store and yield its address."""
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


def run_experiments() -> None:
    """Run the default, commit its results as the baseline, and run the ablation."""
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


def runs_of(store: str, name: str, wanted: str) -> tuple[str, list[str]]:
    """Return the experiment's id and the ids of the runs that a filter matches, oldest first."""
    from mlflow import MlflowClient

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name(name)
    assert experiment
    order = ["attributes.start_time ASC"]
    runs = client.search_runs([experiment.experiment_id], wanted, order_by=order)
    return experiment.experiment_id, [run.info.run_id for run in runs]


def photograph_trace() -> None:
    """Take the graph of `mathledger trace --html` with the box `decontaminate` open."""
    TRACE.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "mathledger", "trace", "chain_sum", "--html", str(TRACE)]
    subprocess.run(command, check=True)
    with browser_page(1450, 650) as page:
        page.goto(f"{TRACE.resolve().as_uri()}#decontaminate")
        save(page, "trace.png")


def photograph_report() -> None:
    """Take the top of the report on the filters, and its first pairs to judge."""
    with browser_page(1000, 600) as page:
        page.goto(Path("model_card/report.html").resolve().as_uri())
        save(page, "report.png")
        page.evaluate("document.querySelector('#pairs').scrollIntoView()")
        save(page, "report_pairs.png")


def photograph_view() -> None:
    """Take the top of `mathledger view`."""
    subprocess.run([sys.executable, "-m", "mathledger", "view", "--out", str(VIEW)], check=True)
    with browser_page(1000, 620) as page:
        page.goto(VIEW.resolve().as_uri())
        save(page, "view.png")


def open_alone(page: "Page", address: str) -> None:
    """Open a page of MLflow without its assistant and its sidebar."""
    page.goto(address)
    page.get_by_label("Close").first.click()  # the assistant
    page.get_by_label("Toggle sidebar").click()


def photograph_results() -> None:
    """Take MLflow's table of results with their scores as columns."""
    store = f"sqlite:///{Path.cwd()}/mlflow.db"
    experiment, _ = runs_of(store, RESULTS, "")
    with server(store) as address, browser_page(1400, 500) as page:
        open_alone(page, f"{address}/#/experiments/{experiment}/runs?viewStateShareKey={KEY}")
        page.wait_for_timeout(2000)  # the table fills
        save(page, "mlflow_results.png")


def photograph_run() -> None:
    """Take the curves of the last training's run in MLflow."""
    store = f"sqlite:///{Path.cwd()}/mlflow.db"
    experiment, runs = runs_of(store, STAGES, "tags.`mathledger.stage` = 'train'")
    with server(store) as address, browser_page(1280, 620) as page:
        open_alone(page, f"{address}/#/experiments/{experiment}/runs/{runs[-1]}/model-metrics")
        page.get_by_placeholder("Search metric charts").fill("eval_loss|grad_norm|learning_rate")
        page.wait_for_timeout(4000)  # charts are drawn one by one
        save(page, "mlflow_run.png")


def photograph_ablation() -> None:
    """Take MLflow's compare view of the two experiments: differing params and all metrics."""
    store = f"sqlite:///{CLONE.resolve()}/mlflow.db"
    experiment, runs = runs_of(store, RESULTS, "tags.`mathledger.kind` = 'result'")
    query = f"runs={json.dumps(runs)}&experiments={json.dumps([experiment])}"
    with server(store) as address, browser_page(1120, 920) as page:
        open_alone(page, f"{address}/#/compare-runs?{query}")
        page.get_by_role("button", name="Visualizations").click()
        page.get_by_label("Parameters - Show diff only").click()
        page.wait_for_timeout(2000)  # sections slide
        save(page, "mlflow_compare.png")


def main() -> None:
    photograph_trace()
    photograph_report()
    photograph_view()
    photograph_results()
    photograph_run()
    if "--ablation" in sys.argv:
        run_experiments()
        photograph_ablation()


if __name__ == "__main__":
    main()
