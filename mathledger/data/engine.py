"""Run a compiled function over columns of parquet files: on this machine's cores, or on Ray.

The plan is the same Daft plan on either runner, and rows come back in the order of the files, so
that outputs do not depend on the runner, the threads or the partitions.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.tables import num_rows

# Row groups of one plan: on this machine Daft reads ahead all that a plan names. On Ray each is one
# task, and so many cores can work at most.
GROUPS_AT_ONCE = {"native": 24, "ray": 240}

# A function of string arrays of one length, one for each column, to a fixed number of bytes a row.
Kernel = Callable[..., npt.NDArray[np.uint8]]


@dataclass(frozen=True, config=STRICT)
class Params:
    runner: Literal["native", "ray"] = Field(
        description="native: Daft on this machine; ray: the same plan on Ray."
    )
    num_threads: int | None = Field(
        description="Threads of the native runner; null takes every core."
    )
    ray_address: str | None = Field(
        description=(
            "null starts Ray on this machine; auto: the cluster it belongs to; else HOST:6379."
        ),
    )


def start(settings: Params) -> None:
    """Choose the runner; once a process, before the first `map_rows`."""
    import daft

    if settings.runner == "ray":
        # Left to itself, Ray would join a cluster that someone else has started on this machine.
        daft.set_runner_ray(address=settings.ray_address or "local")
    else:
        daft.set_runner_native(num_threads=settings.num_threads)


def map_rows(path: Path, columns: list[str], kernel: Kernel, width: int) -> npt.NDArray[np.uint8]:
    """The kernel's bytes for every row of a file, as `stream_rows`, shape (rows, width)."""
    parts = [*stream_rows(path, columns, kernel, width)]
    return np.concatenate(parts) if parts else np.empty((0, width), np.uint8)


def stream_rows(
    path: Path, columns: list[str], kernel: Kernel, width: int
) -> Iterator[npt.NDArray[np.uint8]]:
    """The kernel's bytes for the rows of a file that is sorted by id, some rows at a time.

    The kernel gets the columns of a batch of rows as arrow string arrays without nulls, and
    returns shape (batch, width). It runs on many threads, or in Ray's workers, which deliver in
    any order: the id (32 hex digits) travels along and brings the rows back into the file's.
    Rows of equal id have equal text (the id is its hash), so that their order does not matter.
    """
    import daft

    @daft.func.batch(return_dtype=daft.DataType.binary())  # type: ignore[untyped-decorator]
    def run(*series: daft.Series) -> daft.Series:
        ids, *texts = (column.to_arrow() for column in series)
        records = np.concatenate([_unhex(ids), kernel(*texts)], axis=1)
        offsets = np.arange(len(records) + 1, dtype=np.int64) * (16 + width)
        array = pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), len(records), [None, pa.py_buffer(offsets), pa.py_buffer(records)]
        )
        return daft.Series.from_arrow(array)

    num_rows(path)  # InputError unless it is a parquet file
    place = str(path.absolute())  # Ray's workers were started in folders of their own
    num_groups = pq.read_metadata(path).num_row_groups
    runner = daft.get_or_infer_runner_type()
    for start in range(0, num_groups, GROUPS_AT_ONCE[runner]):
        groups = list(range(start, min(start + GROUPS_AT_ONCE[runner], num_groups)))
        # Daft makes one task of a file, however large, and one node would do all of it.
        tasks = [[group] for group in groups] if runner == "ray" else [groups]
        frame = daft.read_parquet([place] * len(tasks), row_groups=tasks)
        plan = frame.select(run(*(daft.col(column) for column in ["id", *columns])).alias("bytes"))
        parts = [
            np.frombuffer(_data(chunk), np.uint8).reshape(-1, 16 + width)
            for chunk in plan.to_arrow()["bytes"].chunks
            if len(chunk)
        ]
        rows = np.concatenate([np.empty((0, 16 + width), np.uint8), *parts])
        high, low = (rows[:, at : at + 8].copy().view(">u8").ravel() for at in (0, 8))
        in_order = (high[1:] > high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] >= low[:-1]))
        if not in_order.all():
            rows = rows[np.lexsort((low, high))]
        yield rows[:, 16:]


def _unhex(ids: pa.Array) -> npt.NDArray[np.uint8]:
    """32 hex digits a row -> shape (rows, 16)."""
    digits = np.frombuffer(_data(ids.cast(pa.large_string())), np.uint8).reshape(-1, 2)
    values = np.where(digits > 57, digits - 87, digits - 48)
    return (values[:, 0] * 16 + values[:, 1]).astype(np.uint8).reshape(-1, 16)


def _data(chunk: pa.Array) -> memoryview:
    """The bytes of a large string or binary array, which may be a slice of a larger one."""
    offsets = np.frombuffer(chunk.buffers()[1], np.int64)
    low, high = offsets[chunk.offset], offsets[chunk.offset + len(chunk)]
    return memoryview(chunk.buffers()[2])[low:high]
