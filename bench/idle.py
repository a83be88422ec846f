"""Time what DVC does where nothing is to be done.

    python -m bench.idle SCRATCH [--rounds 5]

`dvc repro` and `dvc exp run` without a change, from start to exit, on the smoke configuration and
on one with 3 corpora, 6 benchmarks and 2 models.
"""

import argparse
import os
import shutil
import statistics
from pathlib import Path
from typing import Any

from bench.experiments import SMOKE, options
from bench.measure import circumstances, clone, commit, measure, progress, run, write_result

WIDE = [
    SMOKE,
    "corpus=[tiny_numinamath_cot,tiny_openmathinstruct2,practice_numinamath_cot]",
    "benchmark=[tiny_chain_sum,chain_sum,chain_sum_twins,gsm_symbolic,gsm_symbolic_twins,champ]",
]
SHORT = ["chain_sum", "chain_sum_twins", "gsm_symbolic", "gsm_symbolic_twins", "champ"]
WIDE += [f"benchmark.{name}.task.max_gen_toks=4" for name in SHORT]


def idle(folder: Path, overrides: list[str], rounds: int) -> dict[str, Any]:
    """Seconds of the two commands where nothing is to be done, medians; and how many stages."""
    commands = {
        "repro": ["dvc", "repro"],
        "exp_run": ["dvc", "exp", "run", *options(overrides)],
    }
    found: dict[str, Any] = {}
    for name, command in commands.items():
        times = [measure(command, cwd=folder).seconds for _ in range(rounds)]
        found[name] = statistics.median(times)
        progress(f"{name}: {times}")
    found["num_stages"] = len(run(folder, "dvc", "stage", "list", "--name-only").split())
    return found


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        "| nothing to do | stages | `dvc repro`, s | `dvc exp run`, s |",
        "|---|---:|---:|---:|",
    ]
    for name, each in result["idle"].items():
        lines.append(
            f"| {name} | {each['num_stages']} | {each['repro']:.2f} | {each['exp_run']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scratch", type=Path, help="a folder for throw-away clones")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    facts, times = circumstances(), {}
    for name, overrides in (("smoke", [SMOKE]), ("3 corpora, 6 benchmarks, 2 models", WIDE)):
        folder = chosen.scratch / f"idle-{len(overrides)}"
        shutil.rmtree(folder, ignore_errors=True)
        commit(clone(folder, overrides, []), "Results")
        times[name] = idle(folder, overrides, chosen.rounds)
    write_result("idle", {**facts, "idle": times})
    print(table({"idle": times}))


if __name__ == "__main__":
    main()
