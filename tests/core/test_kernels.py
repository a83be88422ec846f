"""Compiled kernels always match the current code of every module that they use."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mathledger.core import kernels
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

DECORATORS = "@kernel", "@inlined", "@borrowing"
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
