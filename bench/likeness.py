"""How alike unrelated problems are, in real corpora and in the generated one.

    python -m bench.likeness NUMINAMATH_COT.parquet ...

Takes files with the columns source and problem, and of each source with at least MIN_PROBLEMS
problems random pairs; prints a Markdown table of their Jaccard similarity over token 3-grams, with
the same for bench.make_corpus, and writes bench/results/likeness.json. It decides how many
candidates a near-duplicate search meets, so whether a generated corpus can stand for a real one.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from bench.make_corpus import Generator
from bench.measure import circumstances, write_result
from bench.peers import shingles

NUM_PAIRS = 300_000
MIN_PROBLEMS = 500
NUM_GENERATED = 10_000


def likeness(problems: list[str]) -> dict[str, float]:
    """Of random pairs: mean Jaccard, its 99.9th percentile, and how often LSH proposes them."""
    random = np.random.default_rng(0)
    sets = [set(shingles(problem)) for problem in problems]
    left, right = random.integers(0, len(sets), (2, NUM_PAIRS))
    values = np.array(
        [
            len(sets[i] & sets[j]) / max(1, len(sets[i] | sets[j]))
            for i, j in zip(left, right, strict=True)
            if i != j
        ]
    )
    return {
        "num_problems": len(problems),
        "mean_bytes": float(np.mean([len(problem.encode()) for problem in problems])),
        "mean_jaccard": float(values.mean()),
        "jaccard_999": float(np.quantile(values, 0.999)),
        "proposed_rate": float((1 - (1 - values**4) ** 32).mean()),
    }


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        f"{NUM_PAIRS:,} random pairs each",
        "",
        "| problems | number | mean bytes | mean Jaccard | 99.9th percentile | "
        "proposed by 32 bands of 4 hashes, of 100,000 pairs |",
        "|---|" + "---:|" * 5,
    ]
    for name, of in result["likeness"].items():
        lines.append(
            f"| {name} | {of['num_problems']:,} | {of['mean_bytes']:.0f} | "
            f"{of['mean_jaccard']:.4f} | {of['jaccard_999']:.3f} | "
            f"{of['proposed_rate'] * 1e5:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+")
    by_source: dict[str, list[str]] = {}
    for path in parser.parse_args().files:
        columns = pq.read_table(path, columns=["source", "problem"])
        for source, problem in zip(*(c.to_pylist() for c in columns.columns), strict=True):
            by_source.setdefault(source, []).append(problem)
    keys = np.arange(NUM_GENERATED, dtype=np.uint64)
    generated = Generator(1_400_000, seed=0).problems(keys).to_pylist()
    real = {name: of for name, of in sorted(by_source.items()) if len(of) >= MIN_PROBLEMS}
    found = {name: likeness(of) for name, of in {**real, "generated": generated}.items()}
    result = {**circumstances(), "likeness": found}
    write_result("likeness", result)
    print(table(result))


if __name__ == "__main__":
    main()
