"""The project runs without Linux-only features; `make check` also runs mypy as for macOS."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mathledger.core.machine import num_cores
from mathledger.grading import judges
from tests.conftest import ROOT, Workspace, clean_environment

pytestmark = pytest.mark.kernels

MAC = str(ROOT / "tests/macos")


def on_mac(*arguments: str, folder: Path = ROOT) -> str:
    """Return the output of a Python process that lacks what macOS lacks."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=clean_environment() | {"PYTHONPATH": MAC},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


REMOVED = """\
import os, resource
from pathlib import Path
assert not hasattr(os, "sched_getaffinity")
try:
    resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))
except ValueError:
    print("refused")
from mathledger.run import environment
from mathledger.core.machine import num_cores
print(num_cores() == os.cpu_count(), environment.hardware()["cpu"] != "")
assert Path("/proc/cpuinfo").exists()
"""


def test_the_names_are_gone() -> None:
    assert on_mac("-c", REMOVED).splitlines() == ["refused", "True True"]


IMPORT_ALL = """\
import importlib, pkgutil
import hydra_plugins, mathledger, stages
for package in (mathledger, stages, hydra_plugins):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            print(module.name)
"""


@pytest.mark.slow
def test_every_module_can_be_imported() -> None:
    assert len(on_mac("-c", IMPORT_ALL).splitlines()) > 200


GRADE = """\
from mathledger.grading import judges
if __name__ == "__main__":
    with judges.Judges(limit_s=1, num_processes=1) as found:
        answers = (r"\\sqrt{2}", "9^{9^{9^9}}", r"\\sqrt{3}")
        asked = [("####" + each, r"\\frac{2}{\\sqrt{2}}", "expression") for each in answers]
        print(*(grade.verdict for grade in found.grade(asked)))
"""


@pytest.mark.slow
def test_answers_are_graded() -> None:
    """Without a limit on memory, the CPU time limit still ends an endless computation."""
    assert on_mac("-c", GRADE) == "correct no_answer wrong\n"


HUNGRY = """\
import time
print("ready", flush=True)
for line in open(0):
    if "hungry" in line:
        hoard = b"x" * (300 * 2**20)
        time.sleep(30)
    print("correct", flush=True)
"""


def test_a_process_that_holds_too_much_memory_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process sets no limit itself, as on a system that does not support one."""
    start = subprocess.Popen
    monkeypatch.setattr(judges, "MAX_BYTES", 200 * 2**20)
    monkeypatch.setattr(
        "mathledger.grading.judges.subprocess.Popen",
        lambda _, **options: start([sys.executable, "-c", HUNGRY], **options),
    )
    with judges.Judges(limit_s=10, num_processes=1) as found:
        answers = [r"\boxed{x+modest}", r"\boxed{x+hungry}", r"\boxed{x+again}"]
        grades = found.grade([(answer, r"\sqrt{2}", "expression") for answer in answers])
        assert [grade.verdict for grade in grades] == ["correct", "no_answer", "correct"]


def test_cores_are_counted_where_processes_cannot_be_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    assert num_cores() == 7


COMMANDS = """\
import sys
from mathledger import cli
for command in sys.argv[1:]:
    print("status:", cli.main(command.split()))
"""


def test_commands_run(smoke: Workspace) -> None:
    """`verify` hashes every file, grades every response again and reruns the filter."""
    commands = ["audit model_card/README.md", "trace tiny_chain_sum"]
    commands.append("verify --overrides experiment=smoke")
    shown = on_mac("-c", COMMANDS, *commands, folder=smoke.path)
    audit, trace, verify = shown.split("status: 0\n")[:3]
    assert "claims" in audit and "tiny_chain_sum" in trace and "holds: all" in verify


STAGES = ("prepare tiny_numinamath_cot", "deduplicate", "decontaminate", "mix")


def test_the_data_stages_write_the_same_bytes(smoke_copy: Workspace) -> None:
    """They lock, grade solutions, run kernels on every core and write an MLflow run."""

    def contents(stage: str) -> dict[str, bytes]:
        folder = smoke_copy.path / "data" / stage.replace(" ", "/")
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    for stage in STAGES:
        before = contents(stage)
        shutil.rmtree(smoke_copy.path / "data" / stage.replace(" ", "/"))
        on_mac("-m", *f"stages.{stage}".split(), folder=smoke_copy.path)
        assert before and contents(stage) == before, stage
