"""Measure the time and memory that the data stages need for a corpus of a given size.

    python -m bench.pipeline SCRATCH --rows 5200000

The script generates a corpus (bench/make_corpus.py) and clones this checkout in SCRATCH. It runs
`prepare` without the answer check, `deduplicate` and `decontaminate` by the commands that DVC runs.
A small corpus runs first, because the first run on a machine compiles kernels.
"""

import shutil
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.make_corpus import MIN_ROWS, write_corpus
from bench.measure import (
    Measured,
    copy_of,
    measure,
    options,
    report,
    run_main,
    stage_environment,
)
from mathledger.core.files import read_json, write_text
from mathledger.run.params import read
from stages import params

CORPORA = ("numinamath_cot", "openmathinstruct2")


def configure(project: Path, corpora: dict[str, Any], files: dict[str, str]) -> None:
    """Name local files in the project's params.yaml and keep it valid.

    Args:
        corpora: The corpus section.
        files: The sha256 of each benchmark file, with columns problem and answer, by path.
    """
    from omegaconf import OmegaConf

    content = read(project / "params.yaml")
    benchmark = dict(next(iter(content["benchmark"].values())))
    benchmark["source"] = {"kind": "local", "licence": "none", "private": False, "files": files}
    columns = {"problem": "problem", "answer": "answer"} | dict.fromkeys(("solution", "id"))
    benchmark["mapping"] = {"columns": {**columns, "subsets": {}}, "answer_type": "number"}
    benchmark["mapping"] |= {"max_items": None, "only_subset": None}
    content |= {"corpus": corpora, "benchmark": {"generated": benchmark}}
    content["prepare"]["check_answers"] = False
    params.check_all(content)
    write_text(project / "params.yaml", OmegaConf.to_yaml(OmegaConf.create(content)))


def corpus(files: dict[str, str], mapping: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of the corpus section for local files."""
    source = {"kind": "local", "licence": "none", "files": files}
    return {"source": source, "mapping": mapping, "mix": {"weight": 1.0, "max_examples": None}}


def use_corpus(project: Path, folder: Path, num_rows: int) -> dict[str, Any]:
    """Generate a corpus and name it in the project's params.yaml; return its manifest."""
    from mathledger.run.compose import compose

    manifest = write_corpus(folder, num_rows, seed=0)
    files = {str(folder.resolve() / name): digest for name, digest in manifest["files"].items()}
    from omegaconf import OmegaConf

    composed: Any = OmegaConf.to_container(
        OmegaConf.create(compose([f"corpus=[{','.join(CORPORA)}]"]))
    )
    corpora = {
        name: corpus(
            {path: digest for path, digest in files.items() if f"/{name}/" in path},
            composed["corpus"][name]["mapping"],
        )
        for name in CORPORA
    }
    items = {path: digest for path, digest in files.items() if path.endswith("/benchmark.jsonl")}
    configure(project, corpora, items)
    return manifest


def run_stage(project: Path, stage: str, *item: str) -> Measured:
    """Run one stage of the project by the command that DVC would run."""
    command = [sys.executable, "-m", f"stages.{stage}", *item]
    return measure(command, project, stage_environment())


def run_all(project: Path) -> dict[str, dict[str, Any]]:
    """Run the filters; return time, memory and counts of each stage."""
    for name in CORPORA:
        run_stage(project, "download_corpus", name)
    run_stage(project, "download_benchmark", "generated")
    found = {}
    todo = [*(("prepare", name) for name in CORPORA), ("deduplicate",), ("decontaminate",)]
    for stage in todo:
        measured = run_stage(project, *stage)
        metrics = read_json(project / "metrics" / f"{'/'.join(stage)}.json")
        counts = {key: metrics[key] for key in ("num_in", "num_kept", "removed_by_reason")}
        found["@".join(stage)] = {**vars(measured), **counts}
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(
        __doc__,
        arguments,
        ("scratch", {"type": Path, "help": "a folder with room"}),
        ("--project", {"type": Path, "default": Path(), "help": "a checkout; its HEAD is run"}),
        ("--rows", {"type": int, "required": True, "help": f"at least {MIN_ROWS}"}),
    )
    project = copy_of(chosen.project, chosen.scratch / "project", with_data=False)
    if chosen.rows > MIN_ROWS:
        use_corpus(project, chosen.scratch / f"corpus-{MIN_ROWS}", MIN_ROWS)
        run_all(project)
    manifest = use_corpus(project, chosen.scratch / f"corpus-{chosen.rows}", chosen.rows)
    runs = [run_all(project) for _ in range(chosen.rounds)]
    shutil.rmtree(project)
    rows: list[list[Any]] = []
    for stage, first in runs[0].items():
        seconds = statistics.median(run[stage]["seconds"] for run in runs)
        peak = max(run[stage]["peak_mb"] for run in runs) / 1000
        rows.append([stage, first["num_in"], seconds, first["num_in"] / seconds, peak])
    seconds, peak = sum(row[2] for row in rows), max(row[4] for row in rows)
    rows.append(["all", chosen.rows, seconds, chosen.rows / seconds, peak])
    report(
        f"pipeline-{chosen.rows}",
        chosen,
        f"{chosen.rows:,} rows, {manifest['num_problems']:,} problems",
        ["stage", "rows in", "seconds", "rows/s", "peak memory, GB"],
        rows,
        {"manifest": manifest, "runs": runs},
    )


if __name__ == "__main__":
    run_main(main)
