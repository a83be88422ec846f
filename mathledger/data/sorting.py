"""Sort more rows than fit in memory."""

import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mathledger.core.tables import Writer
from mathledger.data.streams import ahead

SORT_BYTES = 256 * 1024**2  # write_sorted collects this much while it writes as much again.


def write_sorted(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """Write rows sorted by (id, origin_file, origin_row) and return their number.

    More than SORT_BYTES of rows go through temporary files next to the output, one for each first
    byte of the id, so that memory holds two such parts at a time: one is sorted while the other is
    written.
    """
    spill = path.with_name(path.name + ".parts")
    shutil.rmtree(spill, ignore_errors=True)
    parts: dict[int, pa.RecordBatchStreamWriter] = {}
    waiting: list[pa.Table] = []
    num_bytes = 0
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, spill, ignore_errors=True)
        with ExitStack() as files, ThreadPoolExecutor(1) as thread:
            spilled: Future[None] | None = None
            for batch in batches:
                table = pa.table(batch).select(schema.names).cast(schema)
                waiting.append(table)
                num_bytes += table.nbytes
                if num_bytes > SORT_BYTES:
                    if spilled:
                        spilled.result()
                    spilled = thread.submit(_spill, waiting, spill, parts, files)
                    waiting, num_bytes = [], 0
            if spilled:
                spilled.result()
                _spill(waiting, spill, parts, files)
                waiting = []
        with Writer(path, schema) as writer:
            if waiting:
                writer.write(_sorted(pa.concat_tables(waiting)))
            for table in ahead(_sorted_parts(spill, sorted(parts))):
                writer.write(table)
            return writer.num_rows


def _sorted_parts(folder: Path, parts: list[int]) -> Iterator[pa.Table]:
    """Yield the rows of each part in order, and delete its file."""
    for part in parts:
        path = folder / f"{part:02x}"
        with pa.memory_map(str(path)) as file:
            table = _sorted(pa.ipc.open_stream(file).read_all())
        path.unlink()
        yield table


def _sorted(table: pa.Table) -> pa.Table:
    keys = [("id", "ascending"), ("origin_file", "ascending"), ("origin_row", "ascending")]
    return table.take(pc.sort_indices(table, sort_keys=keys))


def _spill(
    tables: list[pa.Table],
    folder: Path,
    parts: dict[int, pa.RecordBatchStreamWriter],
    files: ExitStack,
) -> None:
    """Append each row to the part named after the first byte (two hex digits) of its id."""
    folder.mkdir(parents=True, exist_ok=True)
    if not tables:
        return
    table = pa.concat_tables(tables)
    heads = pc.utf8_slice_codeunits(table["id"], 0, 2).combine_chunks().dictionary_encode()
    values = np.array([int(head, 16) for head in heads.dictionary.to_pylist()])
    part_of = values[heads.indices.to_numpy()]
    order = np.argsort(part_of, kind="stable")
    table = table.take(pa.array(order)).combine_chunks()
    bounds = np.searchsorted(part_of[order], np.arange(257))
    for part in range(256):
        low, high = int(bounds[part]), int(bounds[part + 1])
        if low == high:
            continue
        if part not in parts:
            name = str(folder / f"{part:02x}")
            parts[part] = files.enter_context(pa.ipc.new_stream(name, table.schema))
        parts[part].write_table(table.slice(low, high - low))
