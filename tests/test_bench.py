"""Every script in bench/ runs, at a tiny size, and prints a table of finite numbers."""

import json
import math
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from bench import (
    commands,
    contamination,
    evaluation,
    faults,
    gpu_check,
    grading,
    intervals,
    leaks,
    meaning,
    measure,
    near_dedup,
    pipeline,
    training,
)
from mathledger.core.errors import InputError
from tests.conftest import ROOT, Workspace, become_forking
from tests.openai_server import serve

TINY = ("--loaded", "--rounds", "1")
BENCHMARK = "tiny_chain_sum"
SCRIPTS = {
    path.stem: path for path in (ROOT / "bench").glob("*.py") if "\nif __name__" in path.read_text()
}


@pytest.fixture
def forks(start: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork what a script measures; test_commands measures real processes."""
    become_forking(monkeypatch)


def table(
    main: Callable[[list[str]], None],
    capsys: pytest.CaptureFixture[str],
    results: Path,
    *arguments: str,
) -> list[list[str]]:
    """Run a script's main and return the cells of its table, which must be whole and finite."""
    main([*arguments, "--results", str(results)])
    printed = capsys.readouterr().out
    (file,) = results.glob("*.json")
    raw = json.loads(file.read_text())
    assert printed == raw["table"] + "\n" and raw["raw"]
    *lines, empty, foot = raw["table"].splitlines()
    assert empty == "" and re.search(r"^n: .*; \d{4}-\d\d-\d\d, commit [0-9a-f]{12}", foot)
    cells = [line.strip("| ").split(" | ") for line in [lines[0], *lines[2:]]]
    numbers = [cell.strip("%").replace(",", "") for row in cells[1:] for cell in row[1:]]
    found = [float(each) for each in numbers if re.fullmatch(r"-?[\d.e+-]+|nan|inf", each)]
    assert found and all(map(math.isfinite, found))
    return cells


@pytest.mark.slow
def test_contamination(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Without the peers' environment they are named and left out."""
    cells = table(contamination.main, capsys, tmp_path)
    assert cells[0][:3] == ["set", "label", "pairs"] and "datatrove" not in cells[0]
    assert "not installed, left out: datatrove" in (tmp_path / "contamination.json").read_text()


@pytest.mark.slow
def test_leaks(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Pairs that nobody has read are counted apart."""
    pairs = contamination.read_pairs(ROOT / contamination.PAIRS)[::20]
    own = []
    for name, key in (("--rows", "query"), ("--items", "ref")):
        lines = (json.dumps({"problem": pair[key]}) + "\n" for pair in pairs)
        (tmp_path / key).write_text("".join(lines))
        own += [name, str(tmp_path / key)]
    cells = table(leaks.main, capsys, tmp_path, *own, "--unfound", str(tmp_path / "unfound"))
    unread = (tmp_path / "unfound").read_text().splitlines()
    assert int(cells[1][1]) > 5 and int(cells[1][4]) == len(unread) > 5


@pytest.mark.slow
def test_meaning(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is left out here; tests/filters/test_embeddings.py loads it."""
    monkeypatch.setattr(meaning, "cosines", lambda _, pairs: [0.75] * len(pairs))
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with serve(lambda body: ("SAME", 1, "stop")) as server:
        own = ["--judge", "model", "--base-url", f"{server.url}/chat/completions", "--limit", "20"]
        cells = table(meaning.main, capsys, tmp_path, *own)
    assert cells[0][3:6] == ["rule", "cosine >= 0.6", "cosine >= 0.7"]
    assert {tuple(row[-2:]) for row in cells[1:]} == {("100.0%", "0.0%")}


def test_a_wrong_interpreter_of_the_peers_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--peers /nowhere/python: No such file"):
        contamination.main(["--peers", "/nowhere/python", "--results", str(tmp_path)])


@pytest.mark.slow
def test_intervals(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The intervals as used cover at least 93% in every cell, up to the noise of a small size."""
    own = ["--evaluations", "200", "--items", "30", "--repeats", "1", "64"]
    cells = table(intervals.main, capsys, tmp_path, *own)
    lowest = {(row[0], row[1]): float(row[2].strip("%")) for row in cells[1:]}
    shown = {key: share for key, share in lowest.items() if key[1].startswith(intervals.USED)}
    assert len(shown) == 2 and min(shown.values()) > 85
    assert lowest["score", "bootstrap over items, percentiles"] < 60


@pytest.mark.slow
def test_grading(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cells = table(grading.main, capsys, tmp_path, *TINY, "--cases", "20")
    assert [row[0] for row in cells] == ["grader", "mathledger", "math-verify"]


@pytest.mark.usefixtures("forks")
def test_pipeline(start: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    own = [str(tmp_path / "scratch"), "--project", str(start.path)]
    cells = table(pipeline.main, capsys, tmp_path, *own, "--rows", "10000", *TINY)
    assert cells[-1][:2] == ["all", "10,000"]


@pytest.mark.usefixtures("forks")
def test_near_dedup(start: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    own = [str(tmp_path / "scratch"), "--project", str(start.path)]
    cells = table(near_dedup.main, capsys, tmp_path, *own, "--rows", "3000", *TINY)
    assert [row[0] for row in cells] == ["tool", "mathledger"]


@pytest.mark.usefixtures("forks")
def test_training(smoke: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    own = [str(tmp_path / "scratch"), "--project", str(smoke.path), "--steps", "2"]
    cells = table(training.main, capsys, tmp_path, *own, *TINY)
    assert [row[0] for row in cells[1:4]] == ["stage", "bare", "ratio"]


@pytest.mark.usefixtures("forks")
def test_evaluation(smoke: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    own = [str(tmp_path / "scratch"), "--project", str(smoke.path), "--benchmark", BENCHMARK]
    cells = table(evaluation.main, capsys, tmp_path, *own, *TINY)
    assert [row[0] for row in cells[1:]] == ["stage", "bare", "ratio"]


def test_commands(smoke: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    own = ["--project", str(smoke.path), "--benchmark", BENCHMARK]
    cells = table(commands.main, capsys, tmp_path, *own, *TINY)
    assert [row[0] for row in cells[1:3]] == ["`md5sum`", "`sha256sum`"]


@pytest.mark.slow
def test_gpu_check(workspace: Workspace, tmp_path: Path) -> None:
    """The job runs on a CPU too, with tiny models."""
    shown = workspace.run("bash", "jobs/gpu_check.sh", "--results", str(tmp_path))
    found = json.loads((tmp_path / "gpu_check.json").read_text())
    parts = found["raw"]
    assert found["table"] in shown and found["commit"] and found["machine"]["torch"]
    no_gpu = {"training, LoRA, flash attention", "evaluation, vLLM"}
    for name, part in parts.items():
        assert part["status"] == ("not run" if name in no_gpu else "ran"), (name, part)
        assert part.get("reason") == ("there is no GPU" if name in no_gpu else None)
    full, lora = parts["training, all weights"], parts["training, LoRA"]
    assert full["num_trainable_parameters"] == full["num_parameters"]
    assert lora["num_trainable_parameters"] < lora["num_parameters"]
    for each in (full, lora):
        assert len(each["step_seconds"]) == gpu_check.NUM_STEPS and each["is_random"]
        assert each["tokens_per_second"] > 0 < each["memory_planned_gib"]
    assert parts["smoke"]["precision"] == "float32"
    assert parts["evaluation, transformers"]["num_tokens"] > 0


def test_a_part_that_fails_is_recorded_and_ends_the_check_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> dict[str, object]:
        raise KeyError("device")

    def refuse() -> dict[str, object]:
        raise gpu_check.NotRunError("there is no GPU")

    parts = [("one", fail), ("two", refuse), ("three", lambda: {"tokens_per_second": 12.0})]
    monkeypatch.setattr(gpu_check, "parts_of", lambda check: iter(parts))
    facts = {"gpu": None, "torch": "2", "cuda": None}
    monkeypatch.setattr(gpu_check, "facts_of", lambda python: facts)
    with pytest.raises(InputError, match=r"^failed: one$"):
        gpu_check.main([str(tmp_path / "scratch"), "--results", str(tmp_path)])
    found = json.loads((tmp_path / "gpu_check.json").read_text())["raw"]
    assert found["one"]["status"] == "failed" and "KeyError: 'device'" in found["one"]["error"]
    assert found["two"]["reason"] == "there is no GPU"
    assert found["three"]["status"] == "ran" and found["three"]["tokens_per_second"] == 12.0


@pytest.mark.slow
def test_the_check_takes_the_largest_shape_that_fits_by_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_check, "planned_gib", cache(gpu_check.planned_gib))

    def shape(gib: float, *overrides: str) -> str:
        facts = {"gpu": "a card", "gpu_gib": gib}
        return gpu_check.shape_that_fits(gpu_check.Check(tmp_path, tmp_path, facts), *overrides)[0]

    assert shape(79.2) == "smollm2_135m"
    assert shape(79.2, "train=lora") == shape(180.0) == "deepseek_math_7b_rl"
    with pytest.raises(gpu_check.NotRunError, match=r"no shape fits 1\.0 GiB"):
        shape(1.0)


@pytest.mark.slow
def test_faults(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Only the fault whose tests run no stage."""
    cells = table(faults.main, capsys, tmp_path, "--only", "torn lock")
    assert cells[1] == ["torn lock files", "tests/run/test_repair.py", "6", "0", "0"]


def test_the_memory_of_a_command_includes_its_children() -> None:
    child = "import time; held = bytearray(10**8); time.sleep(0.3)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    measured = measure.measure([sys.executable, "-c", code])
    assert measured.peak_mb > 100 and 0.3 < measured.seconds < 60
    with pytest.raises(InputError, match=r"ended with 3:\nwhy"):
        measure.measure([sys.executable, "-c", "print('why'); raise SystemExit(3)"])


def test_every_script_is_run_here_and_described() -> None:
    """peers.py runs in another environment, by the scripts above."""
    readme = (ROOT / "bench/README.md").read_text()
    for name in SCRIPTS:
        assert name == "peers" or f"test_{name}" in globals(), name
        assert name == "peers" or f"python -m bench.{name}" in readme, name


def test_a_claim_needs_a_quiet_machine_and_three_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure.os, "getloadavg", lambda: (1.5, 0.0, 0.0))
    with pytest.raises(InputError, match=r"the load average is 1\.50 .* --loaded"):
        measure.options(None, [])
    monkeypatch.setattr(measure.os, "getloadavg", lambda: (0.5, 0.0, 0.0))
    with pytest.raises(InputError, match="the rounds are 2: a claim needs"):
        measure.options(None, ["--rounds", "2"])
    assert measure.options(None, ["--rounds", "3"]).facts["load_before"] == 0.5
