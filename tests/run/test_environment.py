"""A run records the version of every installed package that can change its result."""

import importlib.metadata

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
