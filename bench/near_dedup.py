"""Near duplicates among generated problems: Mathledger and public peers, side by side.

    python -m bench.near_dedup SCRATCH --peers PEERS/bin/python --rows 200000

PEERS is the virtual environment of bench/peers.txt. Every tool gets the same parquet files (one
problem a row) and is timed as a command of its own, from files to files, its start-up included
(stated as the time for 1,000 rows); the tools take turns, so that a slower minute of the machine
falls on all. Mathledger runs its stage deduplicate, on rows with one solution for all; it writes
more than the peers do: every removed row with its evidence. Prints a Markdown table and writes
bench/results/near_dedup-<rows>.json.

The truth is planted (see bench.make_corpus): near copies must be found, copies with another number
are other problems. A pair counts as found when one of the two is removed.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bench.make_corpus import EDITED, GENUINE, OTHER_NUMBER, REFORMATTED, Generator
from bench.measure import Measured, circumstances, measure, progress, write_result
from bench.peers import JACCARD, shingles
from bench.pipeline import configure, make_project, run_stage, sections
from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_text
from mathledger.core.hashing import sha256

PEERS = ("datatrove", "text-dedup", "datasketch", "rensa")
OURS = "mathledger"
NUM_SHARDS = 2  # datatrove gives each of its two workers files of its own
START_UP_ROWS = 1_000
MAPPING: dict[str, str | None] = {
    "problem": "text",
    "solution": "solution",
    "answer": None,
    "source": None,
    "messages": None,
}

Removed = npt.NDArray[np.bool_]
Tool = Callable[[], tuple[Measured, Removed]]


def write_input(folder: Path, num_rows: int) -> None:
    """Shards with the columns id (row number, as text), text and solution."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    keys = np.arange(num_rows, dtype=np.uint64)
    table = pa.table(
        {
            "id": pa.array(keys).cast(pa.string()),
            "text": Generator(num_rows, seed=0).problems(keys),
            "solution": pa.repeat("The answer is $\\boxed{1}$.", num_rows),
        }
    )
    size = -(-num_rows // NUM_SHARDS)
    for number in range(NUM_SHARDS):
        pq.write_table(table.slice(number * size, size), folder / f"part-{number}.parquet")


def peer(python: Path, tool: str, folder: Path, num_rows: int) -> tuple[Measured, Removed]:
    """Run a peer once."""
    with tempfile.NamedTemporaryFile(suffix=".json") as output:
        command = [str(python), "bench/peers.py", "near", tool, str(folder), output.name]
        measured = measure(command)
        rows = read_json(Path(output.name))
    removed = np.zeros(num_rows, dtype=np.bool_)
    removed[rows] = True
    return measured, removed


def prepare_project(project: Path, folder: Path) -> None:
    """A project that is one `deduplicate` away from the result."""
    benchmark = folder.with_suffix(".jsonl")  # beside it: datatrove reads all that is in the folder
    write_text(benchmark, '{"problem": "What is 1 + 1?", "answer": "2"}\n')
    files = {str(path.resolve()): sha256(path) for path in sorted(folder.glob("*.parquet"))}
    choice = sections(
        {"generated": (files, MAPPING)}, {str(benchmark.resolve()): sha256(benchmark)}
    )
    make_project(project)
    configure(project, choice)
    run_stage(project, "download_corpus", "generated")
    run_stage(project, "prepare", "generated")
    metrics = read_json(project / "metrics/prepare/generated.json")
    if metrics["num_removed"]:
        raise InputError(f"prepare removed rows that the peers get: {metrics['removed_by_reason']}")
    run_stage(project, "deduplicate")  # the first run on a machine compiles


def ours(project: Path, num_rows: int) -> tuple[Measured, Removed]:
    """Run the stage once; its removed rows are told by their origin."""
    measured = run_stage(project, "deduplicate")
    table = pq.read_table(
        project / "data/deduplicate/removed.parquet", columns=["origin_file", "origin_row"]
    )
    size = -(-num_rows // NUM_SHARDS)
    removed = np.zeros(num_rows, dtype=np.bool_)
    for file, row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        removed[int(Path(file).stem.removeprefix("part-")) * size + row] = True
    return measured, removed


def quality(removed: Removed) -> dict[str, float | int]:
    """Shares of the planted pairs of which one is removed; and how many other rows are.

    Edited copies count where the edit left the pair at JACCARD or more, by plain words.
    """
    num_rows = len(removed)
    keys = np.arange(num_rows, dtype=np.uint64)
    generator = Generator(num_rows, seed=0)
    kind, base = generator.kinds(keys)
    base = np.minimum(base, np.uint64(num_rows - 1))  # a benchmark item is no row here
    found = removed | removed[base]
    copied = np.isin(keys, base[kind != GENUINE])
    edited = keys[kind == EDITED]
    pairs = zip(
        generator.problems(edited).to_pylist(),
        generator.problems(base[edited]).to_pylist(),
        strict=True,
    )
    near = edited[np.array([jaccard(*pair) >= JACCARD for pair in pairs], dtype=np.bool_)]
    return {
        "num_edited": len(near),
        "recall_edited": float(found[near].mean()),
        "recall_reformatted": float(found[kind == REFORMATTED].mean()),
        "other_number_removed": float(found[kind == OTHER_NUMBER].mean()),
        "num_unrelated_removed": int(removed[(kind == GENUINE) & ~copied].sum()),
        "num_removed": int(removed.sum()),
    }


def jaccard(left: str, right: str) -> float:
    """Of the 3-grams of words and signs, as a peer without a tokenizer of its own gets them."""
    one, two = set(shingles(left)), set(shingles(right))
    return len(one & two) / len(one | two)


def versions(python: Path) -> dict[str, str]:
    """The peers' versions, and ours."""
    code = "import sys, importlib.metadata as m; print(*(m.version(p) for p in sys.argv[1:]))"
    done = subprocess.run(
        [str(python), "-c", code, *PEERS], capture_output=True, text=True, check=True
    )
    return {OURS: version(OURS), **dict(zip(PEERS, done.stdout.split(), strict=True))}


def take_turns(tools: dict[str, Tool], rounds: int) -> dict[str, list[tuple[Measured, Removed]]]:
    """Every tool once a round."""
    runs: dict[str, list[tuple[Measured, Removed]]] = {name: [] for name in tools}
    for number in range(rounds):
        for name, tool in tools.items():
            runs[name].append(tool())
            progress(f"round {number + 1}: {name}: {runs[name][-1][0]}")
    return runs


def compare(tools: dict[str, Tool], few: dict[str, Tool], rounds: int) -> dict[str, Any]:
    """Time (median of the rounds) and quality of the tools; `few` are the same on START_UP_ROWS."""
    start_up = {name: seconds(runs) for name, runs in take_turns(few, rounds).items()}
    results: dict[str, Any] = {}
    for name, runs in take_turns(tools, rounds).items():
        removed = runs[-1][1]
        results[name] = {
            "seconds": seconds(runs),
            "seconds_of_rounds": [measured.seconds for measured, _ in runs],
            "start_up_seconds": start_up[name],
            "rows_per_second": round(len(removed) / seconds(runs)),
            "peak_rss_mb": max(measured.peak_rss_mb for measured, _ in runs),
            "rounds_agree": all(np.array_equal(removed, other) for _, other in runs),
            **quality(removed),
        }
    slow = results["datatrove"]
    for result in results.values():
        result["times_datatrove"] = round(slow["seconds"] / result["seconds"], 2)
        net = [r["seconds"] - r["start_up_seconds"] for r in (slow, result)]
        # No number where the run is lost in the noise of its start-up.
        result["net_times_datatrove"] = round(net[0] / net[1], 2) if min(net) > 1 else None
    return results


def seconds(runs: list[tuple[Measured, Removed]]) -> float:
    return statistics.median(measured.seconds for measured, _ in runs)


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        f"{result['num_rows']:,} problems, median of {result['rounds']} rounds",
        "",
        "| tool | version | seconds | start-up, s | rows/s | times datatrove | without start-up | "
        "peak memory, GB | "
        "edited copies found | reformatted copies found | other number removed | "
        "unrelated rows removed |",
        "|---|---|" + "---:|" * 10,
    ]
    for name, tool in result["tools"].items():
        spread = f"{min(tool['seconds_of_rounds']):.1f}-{max(tool['seconds_of_rounds']):.1f}"
        lines.append(
            f"| {name} | {result['versions'][name]} | {tool['seconds']:.1f} ({spread}) | "
            f"{tool['start_up_seconds']:.1f} | {tool['rows_per_second']:,} | "
            f"{tool['times_datatrove']:.1f} | {tool['net_times_datatrove'] or '-'} | "
            f"{tool['peak_rss_mb'] / 1000:.2f} | "
            f"{tool['recall_edited']:.1%} | {tool['recall_reformatted']:.1%} | "
            f"{tool['other_number_removed']:.1%} | {tool['num_unrelated_removed']} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--peers", type=Path, required=True, help="its Python interpreter")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    def tools(num_rows: int) -> dict[str, Tool]:
        folder = arguments.scratch / f"near-{num_rows}"
        project = arguments.scratch / f"near-project-{num_rows}"
        write_input(folder, num_rows)
        prepare_project(project, folder)
        peers = {name: partial(peer, arguments.peers, name, folder, num_rows) for name in PEERS}
        return {OURS: partial(ours, project, num_rows), **peers}

    head = circumstances()
    try:
        result = {
            **head,
            "num_rows": arguments.rows,
            "rounds": arguments.rounds,
            "versions": versions(arguments.peers),
            "tools": compare(tools(arguments.rows), tools(START_UP_ROWS), arguments.rounds),
        }
    except InputError as error:
        sys.exit(f"error: {error}")
    write_result(f"near_dedup-{arguments.rows}", result)
    print(table(result))


if __name__ == "__main__":
    main()
