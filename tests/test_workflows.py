"""GitHub workflows are pinned, have timeouts and minimal rights, and their commands work."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, clean_environment, forking_environment

WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text()) for path in Path(".github/workflows").glob("*.yml")
}
JOBS = {
    f"{name}/{job}": content
    for name, workflow in WORKFLOWS.items()
    for job, content in workflow["jobs"].items()
}
FILES = sorted(Path(".github").rglob("*.yml"))
ON = True  # YAML 1.1 reads the key `on` as a boolean.


def scripts(job: dict[str, Any]) -> Iterator[str]:
    return (step["run"] for step in job["steps"] if "run" in step)


def test_an_action_has_one_version() -> None:
    text = "\n".join(path.read_text() for path in FILES)
    pins = set(re.findall(r"uses: ([^.].*)", text))
    assert len(pins) == len({pin.split("@")[0] for pin in pins})


@pytest.mark.parametrize("job", JOBS)
def test_a_job_is_bounded_and_says_its_rights(job: str) -> None:
    assert JOBS[job]["timeout-minutes"] <= 120
    assert JOBS[job]["permissions"]
    assert WORKFLOWS[job.split("/")[0]]["permissions"] == {}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_with_a_token_that_writes_runs_no_code_of_a_pull_request(job: str) -> None:
    workflow = WORKFLOWS[job.split("/")[0]]
    assert "pull_request_target" not in workflow[ON]
    if "write" not in JOBS[job]["permissions"].values():
        return
    assert list(workflow[ON]) == ["workflow_run"]
    assert not [step for step in JOBS[job]["steps"] if "uses" in step]
    assert not re.search(r"\b(python|make|dvc|mathledger|source|eval)\b", _code(JOBS[job]))


def _code(job: dict[str, Any]) -> str:
    return re.sub(r"'[^']*'|#.*", "", "\n".join(scripts(job)))


@pytest.mark.parametrize("job", JOBS)
def test_a_checkout_leaves_no_token_behind(job: str) -> None:
    for step in JOBS[job]["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_what_is_made_is_a_target() -> None:
    text = "\n".join(path.read_text() for path in FILES)
    targets = set(re.findall(r"^([a-z]+):", Path("Makefile").read_text(), re.M))
    assert {"check", "lock", "test", "smoke", "repro"} <= set(re.findall(r"make (\w+)", text))
    assert set(re.findall(r"make (\w+)", text)) <= targets


def test_make_keeps_bytecode_where_the_environment_forbids_it() -> None:
    """Without it, each of the suite's processes compiles all modules that it imports."""
    show = "include Makefile\nshow:\n\t@python -c 'import sys; print(sys.dont_write_bytecode)'\n"
    done = subprocess.run(
        ["make", "--no-print-directory", "--file", "-", "show"],
        cwd=ROOT,
        env=clean_environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
        input=show,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "False\n", done.stderr


def test_the_metrics_that_the_quickstart_compares_exist() -> None:
    (script,) = (s for s in scripts(JOBS["quickstart/quickstart"]) if "metrics/mix.json" in s)
    paths = script.split(" -- ")[1].split()
    assert len(paths) == 5
    assert all(Path(path).exists() for path in paths)


# --- What they run --------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Clone the last commit without data."""
    git(tmp_path, "clone", "--quiet", str(ROOT), "clone")
    return tmp_path / "clone"


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, env=clean_environment(), check=True)


def lock(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `make lock` in the folder, with the tests' environment."""
    command = ["make", "--old-file", ".venv/.ready", "lock"]
    return subprocess.run(
        command, cwd=folder, env=forking_environment(), capture_output=True, text=True
    )


@pytest.mark.slow
def test_the_committed_lock_is_current(clone: Path) -> None:
    done = lock(clone)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Stage 'model_card' didn't change" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("stages/download_model.py", "download_model"),  # Its inputs exist, so it would run.
        ("stages/mix.py", "mix"),  # Its data is missing.
    ],
)
def test_a_lock_that_an_edit_has_left_behind_is_found(clone: Path, name: str, stage: str) -> None:
    with (clone / name).open("a") as file:
        file.write("# an edit\n")
    git(clone, "commit", "--quiet", "--all", "--message", "Edit")
    done = lock(clone)
    assert done.returncode != 0
    assert f"'{stage}'" in (done.stdout + done.stderr).replace(f"'{stage}' didn't change", "")
    assert "run make repro and commit the changes" in done.stdout


def install(clone: Path) -> None:
    """Make the commands of the tests' environment those of the clone."""
    (clone / ".venv/bin").mkdir(parents=True)
    python = shutil.which("python", path=forking_environment()["PATH"])
    for name, module in {"dvc": "dvc", "mathledger": "mathledger"}.items():
        (clone / f".venv/bin/{name}").write_text(f'#!/bin/sh\n{python} -m {module} "$@"\n')
        (clone / f".venv/bin/{name}").chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize(("num_lost", "status"), [(0, 0), (25, 1)])
def test_a_pull_request_that_breaks_the_policy_fails(
    clone: Path, num_lost: int, status: int
) -> None:
    """The clone has no data, so the counts of the two committed ledgers decide."""
    git(clone, "switch", "--quiet", "--create", "topic")
    ledger = clone / "model_card/ledger.json"
    content = json.loads(ledger.read_text())
    metric = yaml.safe_load((clone / ".github/gate.yaml").read_text())["rules"][0]["metric"]
    benchmark, _, model = metric.partition("@")
    (entry,) = (
        each for each in content["predicate"]["benchmarks"] if each["benchmark"] == benchmark
    )
    score = entry["models"][model]
    score["num_correct"] -= num_lost
    score["accuracy"] = score["num_correct"] / score["num_items"]
    score["samples_sha256"] = "0" * 64
    ledger.write_text(json.dumps(content))
    git(clone, "commit", "--quiet", "--all", "--message", "Change")
    git(clone, "switch", "--quiet", "-")
    git(clone, "merge", "--quiet", "--no-ff", "--no-edit", "topic")
    install(clone)
    (script,) = (each for each in scripts(JOBS["ci/gate"]) if "mathledger gate" in each)
    done = subprocess.run(
        ["bash", "-ec", script], cwd=clone, env=clean_environment(), capture_output=True, text=True
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert ("1 of 2 rules failed." if num_lost else "No failure among 2 rules.") in done.stdout


@pytest.mark.slow
def test_the_report_on_a_pull_request_says_what_it_changes(clone: Path) -> None:
    """The clone has no data, and the project has no DVC remote."""
    git(clone, "switch", "--quiet", "--create", "topic")
    metrics, ledger = clone / "metrics/mix.json", clone / "model_card/ledger.json"
    count = re.search(r'"num_train": (\d+)', metrics.read_text())
    assert count
    metrics.write_text(metrics.read_text().replace(count[0], '"num_train": 7'))
    content = json.loads(ledger.read_text())
    (benchmark,) = (
        each for each in content["predicate"]["benchmarks"] if each["benchmark"] == "chain_sum"
    )
    score = benchmark["models"]["tuned"]
    score["num_correct"] += 1
    ledger.write_text(json.dumps(content))
    git(clone, "commit", "--quiet", "--all", "--message", "Change")
    git(clone, "switch", "--quiet", "-")
    git(clone, "merge", "--quiet", "--no-ff", "--no-edit", "topic")
    install(clone)
    (script,) = scripts(JOBS["results/compare"])
    summary = clone.parent / "summary.md"
    environment = clean_environment() | {"GITHUB_STEP_SUMMARY": str(summary)}
    subprocess.run(["bash", "-ec", script], cwd=clone, env=environment, check=True)
    text = (clone / "results/comment.md").read_text()
    assert re.search(rf"num_train\s*\|\s*{count[1]}\s*\|\s*7\s*\|", text)
    change = f"{score['num_correct'] - 1}/{score['num_items']} -> {score['num_correct']}"
    assert f"chain_sum@tuned  {change}" in text
    assert "| chain_sum@tuned |" in text and "No failure among 2 rules." in text
    assert summary.read_text() == text


GH = """#!{python}
import os, pathlib, shutil, sys
line = " ".join(sys.argv[1:])
with open("calls", "a") as calls:
    print(line, file=calls)
if "/pulls" in line:
    print(os.environ["NUMBER"])
elif line.startswith("run download"):
    shutil.copytree("artifact", "results", symlinks=True)
elif "--paginate" in line:
    print(os.environ["PREVIOUS"])
"""


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """Make a folder with a long report and a `gh` that records its calls."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gh").write_text(GH.format(python=sys.executable))
    (tmp_path / "bin/gh").chmod(0o755)
    (tmp_path / "artifact").mkdir()
    (tmp_path / "artifact/comment.md").write_text("é" * 100_000, encoding="utf-8")
    return tmp_path


def comment(runner: Path, number: str, previous: str) -> tuple[int, list[str]]:
    """Return the exit status of the commenting script, and its calls of gh that change things."""
    (step,) = JOBS["comment/comment"]["steps"]
    values = dict.fromkeys(step["env"], "x") | {"MARK": step["env"]["MARK"]}
    environment = clean_environment() | values | {"NUMBER": number, "PREVIOUS": previous}
    environment["PATH"] = f"{runner / 'bin'}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(["bash", "-ec", step["run"]], cwd=runner, env=environment)
    calls = (runner / "calls").read_text().splitlines()
    return done.returncode, [call for call in calls if "POST" in call or "PATCH" in call]


def test_a_pull_request_gets_one_comment_that_fits(runner: Path) -> None:
    status, calls = comment(runner, "7", "")
    assert status == 0
    assert calls == ["api --method POST repos/x/issues/7/comments -F body=@body.md --silent"]
    body = (runner / "body.md").read_text(encoding="utf-8")  # No character is split.
    assert body.startswith("<!-- mathledger results -->\né") and 30_000 < len(body) < 65_536


def test_the_comment_is_replaced_when_the_pull_request_changes(runner: Path) -> None:
    status, calls = comment(runner, "7", "42\n43")
    assert status == 0
    assert calls == ["api --method PATCH repos/x/issues/comments/42 -F body=@body.md --silent"]


def test_without_an_open_pull_request_nothing_is_posted(runner: Path) -> None:
    assert comment(runner, "", "") == (0, [])


def test_a_report_that_is_a_link_is_not_posted(runner: Path) -> None:
    (runner / "artifact/comment.md").unlink()
    (runner / "artifact/comment.md").symlink_to("/proc/self/environ")
    assert comment(runner, "7", "") == (1, [])
