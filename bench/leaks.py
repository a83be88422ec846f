"""Count the real leaks that the filter finds, among the pairs that another measure proposes.

    python -m bench.leaks [--rows ROWS.jsonl --items ITEMS.jsonl] [--unfound OUT.jsonl]

The default compares the AIME, AMC and olympiad problems of NuminaMath-CoT with the problems of MATH
train, MATH-500, AMC, AIME 2024 and AIME 2025 in ../shared. Every pair with a high cosine of words,
signs and parts of words is proposed; the filter has no share in this. leaks_read.jsonl has what a
reader says about the pairs that the filter does not call leaks: one problem, or two. A problem that
asks for its answer in another form, or that lost its figure or options, is one problem. OUT lists
the pairs that are not found, with their texts, and those that nobody has read.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from bench.measure import options, report, run_main
from mathledger.filters import decontaminate, overlap, overlap_index
from mathledger.run import params

DATASETS = Path("../shared/hub/datasets")
READ = Path("bench/leaks_read.jsonl")
MIN_COSINE = 0.6
COMPETITIONS = ("amc_aime", "olympiads", "aops_forum")  # Sources of NuminaMath-CoT.
DRAWING = re.compile(r"\[asy\].*?\[/asy\]", re.DOTALL | re.IGNORECASE)
LAYOUT = re.compile(r"\\(left|right|displaystyle|text|mathrm|textbf|qquad|quad|hspace|[dt]frac)")
SIGN = re.compile(r"\\?[a-z]+|\d+|[^\sa-z\d]")
PART = 4  # Letters in a part of a word.


class Pair(NamedTuple):
    row: str
    item: str

    @property
    def id(self) -> str:
        return hashlib.sha256("\0".join(self).encode()).hexdigest()[:16]


def published() -> tuple[list[str], list[str]]:
    """Return the problems of the competitions, and all items, of the published sets."""
    parts = sorted((DATASETS / "AI-MO/NuminaMath-CoT/data").glob("train-*.parquet"))
    numina = pa.concat_tables(
        [pq.read_table(part, columns=["source", "problem"]) for part in parts]
    )
    sourced = [*zip(*(column.to_pylist() for column in numina.columns), strict=True)]
    rows = [problem for source, problem in sourced if source in COMPETITIONS]
    items = [problem for source, problem in sourced if source == "math"]
    for name in ("HuggingFaceH4/MATH-500/test.jsonl", "math-ai/aime25/test.jsonl"):
        items += problems(DATASETS / name)
    for name in ("AI-MO/aimo-validation-amc", "HuggingFaceH4/aime_2024"):
        (file,) = (DATASETS / name / "data").glob("*.parquet")
        items += pq.read_table(file)["problem"].to_pylist()
    return rows, items


def problems(path: Path) -> list[str]:
    return [json.loads(line)["problem"] for line in path.read_text(encoding="utf-8").splitlines()]


def signs(text: str) -> list[str]:
    """Return words, macros, numbers and signs.

    >>> signs("a \\\\cdot b1")
    ['a', '\\\\cdot', 'b', '1']
    """
    return SIGN.findall(text)


def parts(text: str) -> list[str]:
    """Return the runs of PART letters in the words, with a blank at both ends.

    >>> parts("an area")
    [' an ', ' are', 'area', 'rea ']
    """
    words = (f" {word} " for word in text.split())
    return [word[at : at + PART] for word in words for at in range(max(1, len(word) - PART + 1))]


def vectors(texts: Iterable[str], split: Callable[[str], list[str]]) -> Any:
    """Return the texts' unit vectors, weighted by frequency (logarithmic) and rarity."""
    counts = [Counter(split(text)) for text in texts]
    place = {word: at for at, word in enumerate(dict.fromkeys(w for each in counts for w in each))}
    first = np.cumsum([0, *map(len, counts)])
    columns = np.array([place[word] for each in counts for word in each])
    values = 1 + np.log([number for each in counts for number in each.values()])
    holders = np.bincount(columns, minlength=len(place))
    values *= 1 + np.log((1 + len(counts)) / (1 + holders[columns]))
    matrix = sparse.csr_matrix((values, columns, first), (len(counts), len(place)))
    length = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    return matrix.multiply(1 / np.maximum(length, 1e-9)).tocsr()


def propose(rows: list[str], items: list[str]) -> list[Pair]:
    """Return the pairs whose cosines, of signs and of parts of words, have a mean of MIN_COSINE."""
    bare = [LAYOUT.sub("", DRAWING.sub("", text)).lower() for text in (*items, *rows)]
    cosines = 0
    for split in (signs, parts):
        every = vectors(bare, split)
        cosines += every[len(items) :] @ every[: len(items)].T
    similar = sparse.coo_matrix(cosines)
    near = similar.data >= 2 * MIN_COSINE
    places = zip(similar.row[near].tolist(), similar.col[near].tolist(), strict=True)
    return [Pair(rows[row], items[item]) for row, item in sorted(places)]


def leaks(pairs: list[Pair], sample: list[str]) -> list[bool]:
    """Return whether the filter calls each pair a leak; rarity is counted in the sample."""
    rows, items = (list(dict.fromkeys(texts)) for texts in zip(*pairs, strict=True))
    settings = params.load("decontaminate", decontaminate.Params)
    index = overlap_index.build(pa.array(items), pa.array(sample), settings.thresholds)
    found = overlap.match(pa.array(rows), index)
    is_leak = found.classes <= overlap.REPHRASE
    places = zip(found.rows[is_leak].tolist(), found.items[is_leak].tolist(), strict=True)
    called = {Pair(rows[row], items[item]) for row, item in places}
    return [pair in called for pair in pairs]


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(
        __doc__,
        arguments,
        ("--rows", {"type": Path}),
        ("--items", {"type": Path}),
        ("--unfound", {"type": Path}),
        is_timed=False,
    )
    rows, items = (
        published() if chosen.rows is None else (problems(chosen.rows), problems(chosen.items))
    )
    pairs = propose(rows, items)
    found = leaks(pairs, items)
    read = dict(json.loads(line) for line in READ.read_text(encoding="utf-8").splitlines())
    unfound = [pair for pair, is_found in zip(pairs, found, strict=True) if not is_found]
    verdicts = Counter(read.get(pair.id, "unread") for pair in unfound)
    num_leaks = sum(found) + verdicts["one"]
    if chosen.unfound:
        lines = (
            json.dumps({"id": pair.id, "verdict": read.get(pair.id), **pair._asdict()}) + "\n"
            for pair in unfound
        )
        chosen.unfound.write_text("".join(lines), encoding="utf-8")
    report(
        "leaks",
        chosen,
        f"{len(rows):,} rows and {len(items):,} items, {len(pairs):,} pairs with a cosine of "
        f"{MIN_COSINE} or more",
        ["pairs that are one problem", "found", "share", "not found", "unread"],
        [
            [
                str(num_leaks),
                sum(found),
                f"{sum(found) / max(1, num_leaks):.1%}",
                verdicts["one"],
                verdicts["unread"],
            ]
        ],
        {
            "found": [pair.id for pair, is_found in zip(pairs, found, strict=True) if is_found],
            "unfound": [pair.id for pair in unfound],
        },
    )


if __name__ == "__main__":
    run_main(main)
