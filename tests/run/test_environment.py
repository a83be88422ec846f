"""A run records the version of every installed package that can change its result."""

import importlib.metadata
import subprocess
import sys

import pytest

from mathledger.run import environment, tracking


def test_engine_grader_and_compiler_are_recorded() -> None:
    found = environment.packages()
    for package in ("torch", "transformers", "sympy", "latex2sympy2-extended", "numba", "gguf"):
        assert found[package] == importlib.metadata.version(package)
    assert sorted(set(environment.PACKAGES)) == environment.PACKAGES


def test_a_package_that_comes_later_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def version(package: str) -> str:
        return "0.30.0" if package == "vllm" else real(package)

    assert "vllm" not in environment.packages()
    before = tracking.fingerprint(["same"])
    monkeypatch.setattr(importlib.metadata, "version", version)
    assert environment.packages()["vllm"] == "0.30.0"
    assert tracking.fingerprint(["same"]) != before


@pytest.mark.parametrize("path", ["/nowhere", None])
def test_stages_run_with_the_python_of_their_command(
    path: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path is None:
        monkeypatch.delenv("PATH")
    else:
        monkeypatch.setenv("PATH", path)
    command = ["python", "-c", "import sys; print(sys.prefix)"]
    done = subprocess.run(command, env=environment.of_stages(), capture_output=True, text=True)
    assert done.stdout.strip() == sys.prefix
