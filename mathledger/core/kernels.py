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
from numba.core import cgutils, event
from numba.core.caching import CacheImpl, _CacheLocator
from numba.extending import overload

from mathledger.core.code import modules_digest, with_imports

PACKAGE = Path(__file__).parents[1]
SILENT_S = 2.0  # Compiling for longer than this is announced.

Function = TypeVar("Function", bound=Callable[..., Any])


def kernel(function: Function) -> Function:
    """Compile a function that Python code calls, on its first call; it runs without the GIL."""
    return cast(Function, numba.njit(**_options(True))(function))


def borrowing_kernel(function: Function) -> Function:
    """Compile a kernel that allocates no arrays; numba does not count references to its arguments.

    The function `borrowing` says what the counting costs.
    """
    return cast(Function, numba.njit(**_options(False))(function))


def allocating(function: Function) -> Function:
    """Compile a function that only kernels call.

    Called from elsewhere it runs as plain Python. numba compiles no wrapper for such callers; it
    would be larger than most functions, because it unpacks each array of each named tuple.
    """
    return _called(function, _options(True))


def borrowing(function: Function) -> Function:
    """Compile a function that only kernels call and that allocates no arrays.

    numba does not count references to its arguments. Counting costs two atomic instructions per
    array and call. It made small functions that run once per token three times slower (numba
    removes the counting only from simple ones).
    """
    return _called(function, _options(False))


def inlined(function: Function) -> Function:
    """Compile a borrowing function that LLVM inlines into every function that calls it.

    A call passes each array of a named tuple as seven or more words. The calls of small functions
    with the lexer's scratch took half of its time.
    """
    return _called(function, _options(False, is_inlined=True))


def _called(function: Function, options: Any) -> Function:
    # numba compiles one version for each literal argument, so that LLVM sees the constants. Without
    # these versions the lexer was 8% slower.
    decorate = overload(function, jit_options=options, strict=False, prefer_literal=True)
    decorate(lambda *arguments: function)
    return function


def _options(counts_references: bool, is_inlined: bool = False) -> Any:
    # numba's type stubs lack three of these. _nrt switches the allocation runtime. no_cfunc_wrapper
    # leaves out a wrapper for callers in C, which there are none of. A function without the option
    # forceinline takes it over from the function for which it is compiled.
    return {
        "forceinline": is_inlined,
        "nogil": True,
        "cache": is_usable(),
        "_nrt": counts_references,
        "no_cfunc_wrapper": True,
    }


def address(compiled: Any, *arguments: Any) -> int:
    """Return the address of a kernel that takes arguments of these types."""
    types = tuple(numba.typeof(each) for each in arguments)  # type: ignore[no-untyped-call]
    result = _compiled(compiled, types)
    return int(result.library.get_pointer_to_function(result.fndesc.llvm_func_name))


def call_at(compiled: Any, types: tuple[Any, ...], find: Callable[..., Any]) -> tuple[Any, Any]:
    """Return what a numba intrinsic returns to call a kernel at its address.

    A kernel that calls another one by its name contains a copy of it, and LLVM compiles each copy.

    Args:
        compiled: The kernel.
        types: The types of its arguments, as numba names them.
        find: Returns the LLVM value of the address; takes the IR builder and the arguments' values.
    """
    returns = _compiled(compiled, types).signature.return_type

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        convention = context.call_conv
        kind = convention.get_function_type(returns, types).as_pointer()
        pointer = builder.inttoptr(find(builder, values), kind)
        status, result = convention.call_function(builder, pointer, returns, types, values)
        with cgutils.if_unlikely(builder, status.is_error):  # type: ignore[no-untyped-call]
            convention.return_status_propagate(builder, status)
        return result

    return returns(*types), generate


def _compiled(function: Any, types: tuple[Any, ...]) -> Any:
    function.compile(types)
    return function.overloads[types]


@cache
def folder() -> Path:
    """Return the cache folder for the kernels of this version of the code."""
    return platformdirs.user_cache_path("mathledger") / "kernels" / digest()


@cache
def is_usable() -> bool:
    """Return True if the cache can be used; if not, each process compiles its own kernels.

    With the setting NUMBA_CACHE_LOCATOR_CLASSES numba would cache kernels elsewhere.
    """
    config: Any = numba.config
    if config.CACHE_LOCATOR_CLASSES:
        return False
    try:
        folder().mkdir(parents=True, exist_ok=True)
        (folder() / "writable").touch()
    except OSError:
        return False
    return True


@cache
def digest() -> str:
    """Return a digest of all modules that kernels can see and of the compiler and its settings."""
    config: Any = numba.config
    versions = (sys.version, numba.__version__, llvmlite.__version__, np.__version__)
    settings = (config.BOUNDSCHECK, int(config.OPT))
    code = modules_digest(modules(PACKAGE), PACKAGE)
    return hashlib.sha256(f"{versions!r} {settings!r} {code}".encode()).hexdigest()[:32]


def modules(package: Path) -> list[Path]:
    """Return the modules of a package that define kernels, and all its modules they import."""
    own = f"{package.name}.core.kernels"
    return with_imports(
        (path for path in package.rglob("*.py") if own in path.read_text("utf-8")), package
    )


class Cache(_CacheLocator):
    """Tells numba where the compiled code of a function of this package is cached."""

    def __init__(self, function: FunctionType) -> None:
        self.module = function.__module__
        self.line = function.__code__.co_firstlineno

    @classmethod
    def from_function(cls, function: FunctionType, file: str) -> Self | None:
        return cls(function) if function.__module__.split(".")[0] == PACKAGE.name else None

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
_locators: list[Any] = CacheImpl._locator_classes  # numba asks these classes in turn
_locators.insert(0, Cache)
