"""The commands work where only the base package is installed, or say which extra they need."""

import importlib.metadata
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.conftest import ROOT, Workspace, clean_environment
from tests.test_locks import pins

pytestmark = pytest.mark.slow
# Refuses, as if it were not installed, every module of a package that locks/base.txt lacks.
HOOK = """
import sys
from importlib.abc import MetaPathFinder

class Refuse(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in REFUSED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
from mathledger.cli import main
sys.exit(main(sys.argv[1:]))
"""


@cache
def refused() -> set[str]:
    """The modules that only extras bring: top-level ones, as they are installed here."""
    base = {*pins("base"), *pins("build"), "mathledger"}
    installed = importlib.metadata.packages_distributions().items()
    return {name for name, found in installed if not set(map(canonicalize_name, found)) & base}


def base(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `mathledger` there, by this checkout's code, with the base package's modules alone."""
    code = f"REFUSED = {refused()!r}\n{HOOK}"
    environment = clean_environment() | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_what_is_refused_is_what_training_needs() -> None:
    heavy = {"torch", "transformers", "trl", "datasets", "mlflow", "lm_eval", "peft", "ray"}
    assert heavy <= refused()
    assert not {"numpy", "pyarrow", "dvc", "hydra", "math_verify", "yaml"} & refused()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["audit", "tests/audit/cards/seed.md"],
        ["diff", "model_card", "model_card/ledger.json"],
    ],
    ids=" ".join,
)
def test_a_card_is_read_with_the_base_package(arguments: list[str]) -> None:
    done = base(ROOT, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout and not done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["trace", "tiny_chain_sum"],
        ["trace", "tiny_chain_sum", "--json"],
        ["compare", "HEAD", "HEAD"],
        ["diff", "HEAD", "workspace"],
    ],
    ids=" ".join,
)
def test_results_are_explained_with_the_base_package(
    arguments: list[str], smoke: Workspace
) -> None:
    done = base(smoke.path, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout and not done.stderr


def test_verify_names_the_extra_of_the_links_that_need_it(smoke: Workspace) -> None:
    done = base(smoke.path, "verify", "--overrides", "experiment=smoke")
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("broken ")]
    needing = {"prompts", "probe", "parts", "sources", "data", "drawings"}
    assert {line.split()[1] for line in failed} == needing
    for line in failed:
        assert re.search(r"is not installed: run `pip install [^`]+`$", line)
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["plan"], "pipeline"),
        (["sync-mlflow"], "pipeline"),
        (["attest", "--private-key", "key.pem"], "sign"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_command_that_needs_an_extra_says_so_in_one_line(
    arguments: list[str], extra: str, smoke: Workspace
) -> None:
    done = base(smoke.path, *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"mathledger {arguments[0]}: ")
    assert line.endswith(f"run `pip install '.[{extra}]'`")
