"""Compile functions with numba, and keep what was compiled for exactly the code that it came from.

numba stamps a compiled function with its own file alone, but kernels call each other across modules
and take constants from them (numba issues 1833 and 9483): after an edit of one module the others'
kernels would go on with its old code. So the cache lies in a folder that is named by the digest of
every module that a kernel can see and by the versions that compile it. It is in the user's cache
folder, where all checkouts and experiments with the same code share it. It may be deleted at will.
"""

import hashlib
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, Literal, Self, TypeVar, cast

import llvmlite
import numba
import numpy as np
import platformdirs
from numba.core.caching import _CacheLocator

from mathledger.core.code import modules_digest, with_imports

PACKAGE = Path(__file__).parents[1]

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(
    function: Function,
    inline: Literal["always", "never"] = "never",
    counts_references: bool = True,
) -> Function:
    """Compile a function with numba when it is first called; it lets other threads run meanwhile.

    Args:
        inline: "always" puts its code into every kernel that calls it.
        counts_references: Whether it may allocate arrays, and so counts the references to each.
    """
    config: Any = numba.config
    before = config.CACHE_LOCATOR_CLASSES
    config.CACHE_LOCATOR_CLASSES = f"{Cache.__module__}.{Cache.__qualname__}"
    try:
        # _nrt, numba's runtime for allocation, is an option that its type stubs lack.
        options: Any = {"inline": inline, "_nrt": counts_references}
        compiled: Any = numba.njit(nogil=True, cache=is_writable(), **options)(function)
    finally:
        config.CACHE_LOCATOR_CLASSES = before
    return cast(Function, compiled)


def inlined(function: Function) -> Function:
    """A kernel whose code is put into every kernel that calls it."""
    return kernel(function, inline="always")


def borrowing(function: Function) -> Function:
    """A kernel that allocates no array, and so need not count the references to its arguments.

    Counting costs two atomic instructions for each array in each call, which made small kernels
    that are called for every token three times as slow (numba prunes the counts of simple ones).
    """
    return kernel(function, counts_references=False)


@cache
def folder() -> Path:
    """The cache of the kernels of this code."""
    return platformdirs.user_cache_path("mathledger") / "kernels" / digest()


@cache
def is_writable() -> bool:
    """Return False where the cache cannot be written: then each process compiles for itself."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        (folder() / "writable").touch()
    except OSError:
        return False
    return True


@cache
def digest() -> str:
    """Of all modules that kernels can see, and of what compiles them."""
    versions = (sys.version, numba.__version__, llvmlite.__version__, np.__version__)
    code = modules_digest(modules(PACKAGE), PACKAGE)
    return hashlib.sha256(f"{versions!r} {code}".encode()).hexdigest()[:32]


def modules(package: Path) -> list[Path]:
    """The modules of a package that hold kernels, and all of its modules that these import."""
    own = f"{package.name}.core.kernels"
    return with_imports(
        (path for path in package.rglob("*.py") if own in path.read_text("utf-8")), package
    )


class Cache(_CacheLocator):
    """Where numba finds what it has compiled of a function: NUMBA_CACHE_LOCATOR_CLASSES."""

    def __init__(self, function: FunctionType) -> None:
        self.module = function.__module__
        self.line = function.__code__.co_firstlineno

    @classmethod
    def from_function(cls, function: FunctionType, file: str) -> Self:
        return cls(function)

    def get_cache_path(self) -> str:
        return str(folder() / self.module)

    def get_source_stamp(self) -> str:
        return digest()

    def get_disambiguator(self) -> str:
        return str(self.line)
