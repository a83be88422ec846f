"""Compile functions with numba and cache the result under a digest of all kernel code.

numba invalidates a cached function only when its own file changes, but kernels call functions and
use constants of other modules (numba issues 1833 and 9483): after an edit of one module, kernels in
other modules would keep running its old code. The cache folder is therefore named after a digest of
every module that a kernel can see and of the compiler versions. It is in the user's cache folder,
so checkouts and experiments with the same code share it, and it can be deleted at any time.
"""

import hashlib
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, Self, TypeVar, cast

import llvmlite
import numba
import numpy as np
import platformdirs
from numba.core import event
from numba.core.caching import _CacheLocator

from mathledger.core.code import modules_digest, with_imports

PACKAGE = Path(__file__).parents[1]
SILENT_S = 2.0  # Compiling for longer than this is announced.

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(
    function: Function,
    is_inlined: bool = False,
    counts_references: bool = True,
) -> Function:
    """Compile a function with numba on its first call; it runs without the GIL.

    Args:
        is_inlined: Whether LLVM inlines the function into every kernel that calls it.
        counts_references: Whether numba counts references to arrays; a function that allocates
            arrays needs this.
    """
    config: Any = numba.config
    before = config.CACHE_LOCATOR_CLASSES
    config.CACHE_LOCATOR_CLASSES = f"{Cache.__module__}.{Cache.__qualname__}"
    try:
        # numba's type stubs lack the option _nrt, which switches its allocation runtime.
        options: Any = {"forceinline": is_inlined, "_nrt": counts_references}
        compiled: Any = numba.njit(nogil=True, cache=is_writable(), **options)(function)
    finally:
        config.CACHE_LOCATOR_CLASSES = before
    return cast(Function, compiled)


def inlined(function: Function) -> Function:
    """Compile a borrowing kernel that is inlined into every kernel that calls it.

    A call passes each array of a named tuple as seven or more words. The calls of small kernels
    with the lexer's scratch took half of its time.
    """
    return kernel(function, is_inlined=True, counts_references=False)


def borrowing(function: Function) -> Function:
    """Compile a kernel that allocates no arrays, without reference counting of its arguments.

    Counting costs two atomic instructions per array and call. It made small kernels that run once
    per token three times slower (numba removes the counting only from simple kernels).
    """
    return kernel(function, counts_references=False)


@cache
def folder() -> Path:
    """Return the cache folder for the kernels of this version of the code."""
    return platformdirs.user_cache_path("mathledger") / "kernels" / digest()


@cache
def is_writable() -> bool:
    """Return True if the cache can be written; if not, each process compiles its own kernels."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        (folder() / "writable").touch()
    except OSError:
        return False
    return True


@cache
def digest() -> str:
    """Return a digest of all modules that kernels can see and of the compiler versions."""
    versions = (sys.version, numba.__version__, llvmlite.__version__, np.__version__)
    code = modules_digest(modules(PACKAGE), PACKAGE)
    return hashlib.sha256(f"{versions!r} {code}".encode()).hexdigest()[:32]


def modules(package: Path) -> list[Path]:
    """Return the modules of a package that define kernels, and all its modules they import."""
    own = f"{package.name}.core.kernels"
    return with_imports(
        (path for path in package.rglob("*.py") if own in path.read_text("utf-8")), package
    )


class Cache(_CacheLocator):
    """Tells numba where a function's compiled code is cached (NUMBA_CACHE_LOCATOR_CLASSES)."""

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


class Announcer(event.Listener):
    """Prints one line if a kernel takes long to compile, because nothing else is shown meanwhile.

    A kernel is compiled after the functions that it calls, which are compiled one by one.
    """

    def __init__(self) -> None:
        self.depth = 0
        self.began = 0.0
        self.is_done = False

    def on_start(self, event: Any) -> None:
        if not self.depth:
            self.began = time.monotonic()
        self.depth += 1
        if not self.is_done and time.monotonic() - self.began > SILENT_S:
            self.is_done = True
            print(
                "compiling the filters, which takes up to a minute and is done once",
                file=sys.stderr,
                flush=True,
            )

    def on_end(self, event: Any) -> None:
        self.depth -= 1


event.register("numba:compile", Announcer())  # type: ignore[no-untyped-call]
