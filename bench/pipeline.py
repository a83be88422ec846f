"""Time the data stages, as the commands that DVC runs, on a generated corpus.

    python -m bench.pipeline SCRATCH --rows 5200000

Makes the corpus of bench.make_corpus in SCRATCH/corpus-<rows> (if it is not there), then a clone of
the project's HEAD in SCRATCH/project-<rows> whose params.yaml names it, and runs there
download_corpus and download_benchmark (not timed: they copy), then prepare without the answer
check, deduplicate and decontaminate. All of it is run on a small corpus first, since the first run
on a machine compiles. Prints a Markdown table and writes bench/results/pipeline-<rows>.json.
For the growth table: 1000000, 5200000 and 15000000 rows.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.make_corpus import write_corpus
from bench.measure import Measured, circumstances, measure, progress, write_result
from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_text
from mathledger.run.params import read
from stages import params

MAPPINGS: dict[str, dict[str, str | None]] = {
    "numinamath_cot": {
        "problem": "problem",
        "solution": "solution",
        "answer": None,
        "source": "source",
        "messages": "messages",
    },
    "openmathinstruct2": {
        "problem": "problem",
        "solution": "generated_solution",
        "answer": "expected_answer",
        "source": "problem_source",
        "messages": None,
    },
}
SMALL = 10_000  # rows of the corpus that is run first


def sections(
    corpora: dict[str, tuple[dict[str, str], dict[str, str | None]]], benchmark: dict[str, str]
) -> dict[str, Any]:
    """The corpus and benchmark sections of params.yaml, from local files.

    Args:
        corpora: name -> (files as path -> sha256, mapping).
        benchmark: its files, as path -> sha256.
    """
    source = {"kind": "local", "licence": "none"}
    return {
        "corpus": {
            name: {
                "source": {**source, "files": files},
                "mapping": mapping,
                "mix": {"weight": 1.0, "max_examples": None},
            }
            for name, (files, mapping) in corpora.items()
        },
        "benchmark": {
            "generated": {
                "source": {**source, "files": benchmark, "private": False},
                "mapping": {
                    "columns": {
                        "problem": "problem",
                        "answer": "answer",
                        "solution": None,
                        "subset": None,
                        "id": None,
                    },
                    "answer_type": "number",
                    "max_items": None,
                },
                "task": {"version": 1, "max_gen_toks": 16},
                "about": "generated items, for timing.",
            }
        },
    }


def make_project(path: Path) -> None:
    """A clone of HEAD that has run nothing."""
    shutil.rmtree(path, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", ".", str(path)], check=True)


def configure(path: Path, choice: dict[str, Any]) -> None:
    """Put these sections into the project's params.yaml."""
    from omegaconf import OmegaConf

    content = read(path / "params.yaml")
    content.update(choice)
    content["prepare"]["check_answers"] = False
    params.check_all(content)
    write_text(path / "params.yaml", OmegaConf.to_yaml(OmegaConf.create(content)))


def use_corpus(project: Path, corpus: Path, num_rows: int) -> dict[str, Any]:
    """Make a corpus and name it in the project's params.yaml; returns its manifest."""
    manifest = write_corpus(corpus, num_rows, seed=0)
    files = {str(corpus.resolve() / name): d for name, d in manifest.pop("files").items()}
    choice = sections(
        {
            name: ({p: d for p, d in files.items() if f"/{name}/" in p}, mapping)
            for name, mapping in MAPPINGS.items()
        },
        {p: d for p, d in files.items() if p.endswith("/benchmark.jsonl")},
    )
    configure(project, choice)
    return manifest


def run_stage(project: Path, stage: str, item: str = "") -> Measured:
    """One stage of the project, by the command that DVC would run."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DVC_", "MLF"))}
    environment = kept | {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", f"stages.{stage}", *filter(None, [item])]
    measured = measure(command, project, environment)
    progress(f"{stage} {item}: {measured}")
    return measured


def run(project: Path, num_rows: int) -> dict[str, Any]:
    """Run the stages; time, memory and what each did."""
    for corpus in MAPPINGS:
        run_stage(project, "download_corpus", corpus)
    run_stage(project, "download_benchmark", "generated")
    timed = []
    todo = [
        *(("prepare", corpus) for corpus in MAPPINGS),
        ("deduplicate", ""),
        ("decontaminate", ""),
    ]
    for stage, item in todo:
        measured = run_stage(project, stage, item)
        metrics = read_json(
            project / "metrics" / (f"{stage}/{item}.json" if item else f"{stage}.json")
        )
        timed.append(
            {
                "stage": f"{stage}@{item}" if item else stage,
                "num_in": metrics["num_in"],
                "num_kept": metrics["num_kept"],
                "removed_by_reason": metrics["removed_by_reason"],
                "rows_per_second": round(metrics["num_in"] / measured.seconds),
                **vars(measured),
            }
        )
    seconds = sum(stage["seconds"] for stage in timed)
    return {
        "stages": timed,
        "seconds": round(seconds, 2),
        "rows_per_second": round(num_rows / seconds),
        "peak_rss_mb": max(stage["peak_rss_mb"] for stage in timed),
    }


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        f"{result['num_rows']:,} rows, {result['num_problems']:,} problems",
        "",
        "| stage | rows in | seconds | rows/s | peak memory, GB |",
        "|---|---:|---:|---:|---:|",
    ]
    total = {**result, "stage": "all", "num_in": result["num_rows"]}
    for stage in [*result["stages"], total]:
        lines.append(
            f"| {stage['stage']} | {stage['num_in']:,} | {stage['seconds']:.1f} | "
            f"{stage['rows_per_second']:,} | {stage['peak_rss_mb'] / 1000:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "scratch", type=Path, help="a folder with room; nothing in it is removed but project-<rows>"
    )
    parser.add_argument("--rows", type=int, required=True)
    arguments = parser.parse_args()
    corpus = arguments.scratch / f"corpus-{arguments.rows}"
    project = arguments.scratch / f"project-{arguments.rows}"
    head = circumstances()
    try:
        make_project(project)
        use_corpus(project, arguments.scratch / f"corpus-{SMALL}", SMALL)
        first = run(project, SMALL)["seconds"]
        again = run(project, SMALL)["seconds"]
        manifest = use_corpus(project, corpus, arguments.rows)
        result = {**head, **manifest, "compile_seconds": round(first - again, 2)}
        result |= run(project, arguments.rows)
    except InputError as error:
        sys.exit(f"error: {error}")
    write_result(f"pipeline-{arguments.rows}", result)
    print(table(result))


if __name__ == "__main__":
    main()
