"""Run a compiled function over columns of parquet files, on this machine's cores or on Ray.

The row groups of a file are processed in parallel, and their results are yielded in the order of
the file. The outputs therefore do not depend on the runner, the threads or the nodes.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.extras import what_is_missing
from mathledger.core.machine import num_cores
from mathledger.core.tables import num_rows, read_batches

# Ray gets this many row groups of a file at once, so at most this many cores work on them.
GROUPS_ON_RAY = 240

# Maps string arrays of equal length, one per column, to a fixed number of bytes per row.
Kernel = Callable[..., npt.NDArray[np.uint8]]
Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Item = TypeVar("Item")


@dataclass(frozen=True, config=STRICT)
class Params:
    runner: Literal["native", "ray"] = Field(
        description="native uses threads on this machine; ray uses tasks on Ray."
    )
    num_threads: int | None = Field(
        description="Threads of the native runner; null takes every core."
    )
    ray_address: str | None = Field(
        description=(
            "null starts Ray on this machine; auto joins this machine's cluster; HOST:6379 joins "
            "another."
        ),
    )


_settings = Params("native", None, None)


def start(settings: Params) -> None:
    """Choose the runner of this process; the default is one thread per core.

    Raises:
        InputError: Ray is not installed, or no cluster answers at the address.
    """
    global _settings
    _settings = settings
    if settings.runner == "native":
        return
    try:
        import ray
    except ModuleNotFoundError as error:
        raise InputError(f"engine=ray: {what_is_missing(error)}") from None
    # Without an address, Ray would join a cluster that someone else started on this machine.
    address = settings.ray_address or "local"
    try:
        ray.init(address=address, logging_level=logging.WARNING)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            f"no Ray cluster answers at engine.ray_address={address}: start one with "
            f"`ray start --head`, or correct the address ({str(error).splitlines()[0]})"
        ) from None


def map_rows(
    path: Path, columns: list[str], kernel: Kernel, width: int, flags: Flags | None = None
) -> Bytes:
    """Return the kernel's bytes for every flagged row of a file, shape (rows, width)."""
    parts = [*stream_rows(path, columns, kernel, width, flags)]
    return np.concatenate([np.empty((0, width), np.uint8), *parts])


def stream_rows(
    path: Path, columns: list[str], kernel: Kernel, width: int, flags: Flags | None = None
) -> Iterator[Bytes]:
    """Yield the kernel's bytes for the flagged rows of each row group, in the order of the file.

    The kernel gets the columns of a batch of rows as Arrow string arrays without nulls and returns
    shape (batch, width). It runs on several threads at once, or in Ray's workers.

    Args:
        flags: Whether the kernel gets a row, for each row of the file; None gives it all of them.

    Raises:
        InputError: The file is missing or is not parquet.
    """
    num_rows(path)  # Raises the InputError.
    groups = _groups(path, flags)
    if _settings.runner == "ray":
        yield from _on_ray(path, columns, kernel, width, groups)
    else:
        yield from _on_threads(partial(run_group, path, columns, kernel, width), groups)


def stream_column(path: Path, column: str, flags: Flags) -> Iterator[pa.Array]:
    """Yield a column's texts in the flagged rows of each row group, in the order of the file.

    Only threads of this machine read them, because the texts are needed here.
    """
    for texts in _on_threads(partial(_texts, path, column), _groups(path, flags)):
        yield from texts


def _texts(path: Path, column: str, group: int, flags: Flags) -> list[pa.Array]:
    return [batch.column(0) for batch in _flagged(path, [column], group, flags)]


def split(paths: list[Path], flags: Flags) -> Iterator[tuple[Path, Flags]]:
    """Yield each file with the flags of its rows, given those of all files' rows."""
    start = 0
    for path in paths:
        end = start + num_rows(path)
        yield path, flags[start:end]
        start = end


def _on_threads(task: Callable[..., Item], groups: Sequence[tuple[Any, ...]]) -> Iterator[Item]:
    """Yield the results of a task with the arguments of each row group, in their order."""
    num_threads = _settings.num_threads or num_cores()
    with ThreadPoolExecutor(num_threads) as threads:
        futures = (threads.submit(task, *group) for group in groups)
        # One task more than there are threads, so that no thread waits for the caller.
        for future in _begun(futures, num_threads + 1):
            yield future.result()


def _groups(path: Path, flags: Flags | None) -> list[tuple[int, Flags | None]]:
    """Return the number of each row group and the flags of its rows."""
    footer, groups, start = pq.read_metadata(path), [], 0
    for group in range(footer.num_row_groups):
        end = start + footer.row_group(group).num_rows
        groups.append((group, None if flags is None else flags[start:end]))
        start = end
    return groups


def _begun(tasks: Iterator[Any], num_ahead: int) -> Iterator[Any]:
    """Yield tasks in order, with up to num_ahead of them begun; drawing a task begins it."""
    begun: deque[Any] = deque()
    for task in tasks:
        begun.append(task)
        if len(begun) == num_ahead:
            yield begun.popleft()
    while begun:
        yield begun.popleft()  # Ray frees a result once no reference to it is left.


def run_group(
    path: Path,
    columns: list[str],
    kernel: Kernel,
    width: int,
    group: int,
    flags: Flags | None = None,
) -> Bytes:
    """Return the kernel's bytes for the flagged rows of one row group."""
    parts = [np.empty((0, width), np.uint8)]
    for batch in _flagged(path, columns, group, flags):
        parts.append(kernel(*(batch.column(name) for name in columns)))
    return np.concatenate(parts)


def _flagged(
    path: Path, columns: list[str], group: int, flags: Flags | None
) -> Iterator[pa.RecordBatch]:
    """Yield the flagged rows of one row group in batches."""
    if flags is None:
        yield from read_batches(path, columns, [group])
    elif flags.any():
        at = 0
        for batch in read_batches(path, columns, [group]):
            yield batch.filter(pa.array(flags[at : at + len(batch)]))
            at += len(batch)


def _on_ray(
    path: Path,
    columns: list[str],
    kernel: Kernel,
    width: int,
    groups: list[tuple[int, Flags | None]],
) -> Iterator[Bytes]:
    """Yield the results of the row groups, each of which is a task that any node may take."""
    import ray

    # Kernels are compiled for writable arrays, but Ray would make the arrays in the function
    # read-only. Ray therefore gets the function's pickle.
    pickled = ray.put(ray.cloudpickle.dumps(kernel))  # type: ignore[no-untyped-call]
    task = ray.remote(scheduling_strategy="SPREAD")(_run_pickled)
    place = path.absolute()  # Each of Ray's workers was started in another folder.
    # The list makes Ray pass the reference to the workers, each of which fetches the pickle once.
    tasks = (task.remote([pickled], place, columns, width, *group) for group in groups)
    for begun in _begun(tasks, GROUPS_ON_RAY):
        try:
            yield np.array(ray.get(begun))  # a copy, which keeps nothing in Ray's object store
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, InputError):  # Hide Ray's traceback.
                raise InputError(f"on a node of Ray: {error.cause}") from None
            raise


def _run_pickled(
    pickled: list[Any], path: Path, columns: list[str], width: int, group: int, flags: Flags | None
) -> Bytes:
    return run_group(path, columns, _unpickled(pickled[0]), width, group, flags)


@lru_cache(maxsize=1)
def _unpickled(pickled: Any) -> Kernel:
    """Fetch and unpickle a kernel once for all row groups of a worker."""
    import ray

    kernel: Kernel = ray.cloudpickle.loads(ray.get(pickled))
    return kernel
