"""Compare the speed and quality of finding near duplicates with public tools.

    python -m bench.near_dedup SCRATCH [--peers PEERS/bin/python] [--rows 200000]

PEERS is the virtual environment of bench/peers.txt. Every tool gets the same parquet files, with
one problem per row, and is timed as a command from files to files, with start-up. Every tool uses
128 hashes over token 3-grams and a similarity of 0.8. Mathledger runs its stage `deduplicate` on
rows that all have the same solution, and writes more than the peers: every removed row with its
evidence.

bench/make_corpus.py plants the truth. Near copies must be found, while copies with another number
are different problems. A pair counts as found if one of the two is removed.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bench import peers, pipeline
from bench.make_corpus import EDITED, GENUINE, OTHER_NUMBER, REFORMATTED, Generator
from bench.measure import (
    Measured,
    alternate,
    copy_of,
    measure,
    medians,
    options,
    report,
    run_main,
)
from mathledger.core.files import read_json, write_text
from mathledger.core.hashing import sha256

PEERS = ("datatrove", "text-dedup", "datasketch", "rensa")
NUM_SHARDS = 2  # Each of datatrove's two workers needs its own files.
MAPPING = {"problem": "text", "solution": "solution"} | dict.fromkeys(
    ("answer", "source", "messages")
)

Removed = npt.NDArray[np.bool_]


def write_input(folder: Path, num_rows: int) -> None:
    """Write shards with the columns id (row number, as text), text and solution."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    keys = np.arange(num_rows, dtype=np.uint64)
    columns = {
        "id": pa.array(keys).cast(pa.string()),
        "text": Generator(num_rows, seed=0).problems(keys),
        "solution": pa.repeat("The answer is $\\boxed{1}$.", num_rows),
    }
    size = -(-num_rows // NUM_SHARDS)
    for number in range(NUM_SHARDS):
        part = pa.table(columns).slice(number * size, size)
        pq.write_table(part, folder / f"part-{number}.parquet")


def peer(python: Path, tool: str, folder: Path, num_rows: int) -> tuple[Measured, Removed]:
    with tempfile.NamedTemporaryFile(suffix=".json") as output:
        measured = measure(peers.command(python, "near", tool, str(folder), output.name))
        rows = read_json(Path(output.name))
    removed = np.zeros(num_rows, dtype=np.bool_)
    removed[rows] = True
    return measured, removed


def prepare_project(project: Path, folder: Path) -> None:
    """Run all stages up to `deduplicate`, including it, because its first run compiles."""
    items = folder.with_suffix(".jsonl")  # datatrove reads every file in the folder.
    write_text(items, '{"problem": "What is 1 + 1?", "answer": "2"}\n')
    files = {str(path.resolve()): sha256(path) for path in sorted(folder.glob("*.parquet"))}
    corpora = {"generated": pipeline.corpus(files, MAPPING)}
    pipeline.configure(project, corpora, {str(items.resolve()): sha256(items)})
    for stage in (["download_corpus", "generated"], ["prepare", "generated"], ["deduplicate"]):
        pipeline.run_stage(project, *stage)


def ours(project: Path, num_rows: int) -> tuple[Measured, Removed]:
    """Run the stage once; the origins of the removed rows give their numbers."""
    measured = pipeline.run_stage(project, "deduplicate")
    path = project / "data/deduplicate/removed.parquet"
    table = pq.read_table(path, columns=["origin_file", "origin_row"])
    size, removed = -(-num_rows // NUM_SHARDS), np.zeros(num_rows, dtype=np.bool_)
    for file, row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        removed[int(Path(file).stem.removeprefix("part-")) * size + row] = True
    return measured, removed


def quality(removed: Removed) -> dict[str, float]:
    """Return the shares of planted pairs with one row removed, and how many other rows are removed.

    Edited copies count only if the pair still has the required similarity in plain words.
    """
    num_rows = len(removed)
    keys = np.arange(num_rows, dtype=np.uint64)
    generator = Generator(num_rows, seed=0)
    kind, base = generator.kinds(keys)
    base = np.minimum(base, np.uint64(num_rows - 1))  # Benchmark items are not rows here.
    found = removed | removed[base]
    copied = np.isin(keys, base[kind != GENUINE])
    edited = keys[kind == EDITED]
    texts = (generator.problems(each).to_pylist() for each in (edited, base[edited]))
    alike = [jaccard(one, other) >= peers.JACCARD for one, other in zip(*texts, strict=True)]
    return {
        "edited": float(found[edited[np.array(alike, dtype=np.bool_)]].mean()),
        "reformatted": float(found[kind == REFORMATTED].mean()),
        "other_number": float(found[kind == OTHER_NUMBER].mean()),
        "unrelated": float(removed[(kind == GENUINE) & ~copied].sum()),
    }


def jaccard(left: str, right: str) -> float:
    one, two = set(peers.shingles(left)), set(peers.shingles(right))
    return len(one & two) / len(one | two)


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(
        __doc__,
        arguments,
        ("scratch", {"type": Path, "help": "a folder with room"}),
        ("--project", {"type": Path, "default": Path(), "help": "a checkout; its HEAD is run"}),
        ("--peers", {"type": Path, "default": Path(sys.executable)}),
        ("--rows", {"type": int, "default": 200_000}),
    )
    note, installed = peers.available(chosen.peers, PEERS)
    folder, project = chosen.scratch / f"near-{chosen.rows}", chosen.scratch / "project"
    write_input(folder, chosen.rows)
    copy_of(chosen.project, project, with_data=False)
    prepare_project(project, folder)
    tools: dict[str, Callable[[], tuple[Measured, Removed]]] = {
        "mathledger": partial(ours, project, chosen.rows)
    }
    for name in installed:
        tools[name] = partial(peer, chosen.peers, name, folder, chosen.rows)
    runs = alternate(tools, chosen.rounds)
    times = {name: medians([vars(each) for each, _ in found]) for name, found in runs.items()}
    rows: list[list[Any]] = []
    for name, found in runs.items():
        own, judged = times[name], quality(found[-1][1])
        shares = [f"{judged[key]:.1%}" for key in ("edited", "reformatted", "other_number")]
        ratio = own["seconds"] / times["mathledger"]["seconds"]
        peak = own["peak_mb"] / 1000
        rows.append([name, own["seconds"], ratio, peak, *shares, judged["unrelated"]])
    head = ["tool", "seconds", "times mathledger's", "peak memory, GB", "edited copies found"]
    head += ["reformatted copies found", "other number removed", "unrelated rows removed"]
    raw = {name: [vars(each) for each, _ in found] for name, found in runs.items()}
    n = f"{chosen.rows:,} problems{note}"
    report("near_dedup", chosen, n, head, rows, {"runs": raw, "versions": installed})


if __name__ == "__main__":
    run_main(main)
