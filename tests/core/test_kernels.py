"""Compiled kernels always match the current code of every module that they use."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from mathledger.core import kernels
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

# Only compiled functions call functions with these decorators.
HELPERS = {"allocating", "borrowing", "inlined"}
COMPILED = HELPERS | {"kernel", "borrowing_kernel"}
DECORATORS = [f"@{name}" for name in sorted(COMPILED)]
# A constant of text/hashing.py and its replacement.
HASH_CONSTANT = "0xBF58476D1CE4E5B9", "0xFF51AFD7ED558CCD"
ASK = """
import pyarrow as pa
from mathledger.text import groups
print(groups.coins(pa.array(["row-a", "row-b"]), 7), sum(groups._coins.stats.cache_hits.values()))
"""


def coins(checkout: Path, cache: Path) -> tuple[str, bool]:
    """Return the coins that a checkout's kernels draw, and whether the cache had the kernels."""
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=checkout,
        env=os.environ | {"XDG_CACHE_HOME": str(cache), "HOME": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    value, _, hits = done.stdout.strip().rpartition(" ")
    return value, hits != "0"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mathledger", tmp_path / "a/mathledger", ignore=ignored)
    return tmp_path / "a"


def edit(checkout: Path) -> None:
    """Change a constant that kernels of other modules also use."""
    old, new = HASH_CONSTANT
    (found,) = (p for p in checkout.glob("mathledger/text/*.py") if old in p.read_text("utf-8"))
    assert found.name != "groups.py"
    found.write_text(found.read_text("utf-8").replace(old, new), "utf-8")


def test_an_edit_of_one_module_reaches_the_kernels_of_others(
    checkout: Path, tmp_path: Path
) -> None:
    first, _ = coins(checkout, tmp_path / "cache")
    assert coins(checkout, tmp_path / "cache") == (first, True)
    edit(checkout)
    edited, from_cache = coins(checkout, tmp_path / "cache")
    assert not from_cache and edited != first
    assert edited == coins(checkout, tmp_path / "other-cache")[0]


def test_checkouts_with_the_same_code_share_what_was_compiled(
    checkout: Path, tmp_path: Path
) -> None:
    shutil.copytree(checkout, tmp_path / "b")
    first, _ = coins(checkout, tmp_path / "cache")
    assert coins(tmp_path / "b", tmp_path / "cache") == (first, True)


def test_every_module_that_a_kernel_can_see_is_in_the_digest(checkout: Path) -> None:
    """The digest covers kernel modules and the modules they import, but not the whole package."""
    package = checkout / "mathledger"
    found = kernels.modules(package)
    assert package / "core/kernels.py" in found
    for path in package.rglob("*.py"):
        uses_kernels = any(name in path.read_text("utf-8") for name in DECORATORS)
        assert not uses_kernels or path in found, path
    assert package / "run/tracking.py" not in found


def decorators(function: ast.FunctionDef) -> set[str]:
    return {each.id for each in function.decorator_list if isinstance(each, ast.Name)}


@cache
def helpers(module: Path) -> set[str]:
    body = ast.parse(module.read_text("utf-8")).body if module.is_file() else []
    functions = [node for node in body if isinstance(node, ast.FunctionDef)]
    return {each.name for each in functions if decorators(each) & HELPERS}


def calls_outside_kernels(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield what a module calls outside of the functions that numba compiles."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) and decorators(node) & COMPILED:
            continue
        if isinstance(node, ast.Call):
            yield node.func
        yield from calls_outside_kernels(node)


@pytest.mark.parametrize("path", kernels.modules(ROOT / "mathledger"), ids=lambda path: path.stem)
def test_only_kernels_call_functions_without_a_wrapper(path: Path) -> None:
    """Called from elsewhere they run as plain Python, slowly and with warnings."""
    tree, names = ast.parse(path.read_text("utf-8")), {*helpers(path)}
    modules: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mathledger"):
            source = ROOT / (node.module or "").replace(".", "/")
            own = helpers(source.with_suffix(".py"))
            names |= {each.asname or each.name for each in node.names if each.name in own}
            for each in node.names:
                modules[each.asname or each.name] = helpers(source / f"{each.name}.py")
    for called in calls_outside_kernels(tree):
        if isinstance(called, ast.Name):
            assert called.id not in names, f"{path}:{called.lineno}"
        elif isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            assert called.attr not in modules.get(called.value.id, ()), f"{path}:{called.lineno}"


def test_a_cache_that_cannot_be_written_is_done_without(checkout: Path, tmp_path: Path) -> None:
    first, _ = coins(checkout, tmp_path / "cache")
    (tmp_path / "file").write_text("")
    assert coins(checkout, tmp_path / "file") == (first, False)


def test_a_long_compilation_is_announced_once(checkout: Path, tmp_path: Path) -> None:
    def shown() -> str:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                f"from mathledger.core import kernels\nkernels.SILENT_S = 0{ASK}",
            ],
            cwd=checkout,
            env=os.environ | {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stderr

    assert shown() == "compiling the filters, which takes up to a minute and is done once\n"
    assert shown() == ""
