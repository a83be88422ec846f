"""Count the benchmark items in the corpora of a folder (`--data DIR`).

The folder holds corpora and benchmarks in the hub's layout (ORG/NAME/...), or it is this project's
data/decontaminate, whose evidence is counted as it is.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from mathledger.audit import known
from mathledger.audit.inputs import Inputs
from mathledger.audit.types import Claim, Finding
from mathledger.core.errors import InputError

if TYPE_CHECKING:
    from mathledger.filters.overlap_index import Index, Thresholds

EVIDENCE = "evidence.parquet"  # In data/decontaminate.
PROBLEM_COLUMNS = ("problem", "question")
CLASSES = ("same", "contained", "rephrase")  # A variant has other numbers and is another item.
SAMPLE_SIZE = 100_000  # Problems in which rarity is counted.
SAMPLE_CHARS = 1 << 26  # Of these problems together; 100,000 usual ones have a third of it.
ROWS = 8192  # Rows of the evidence that are read at once.


@dataclass(frozen=True)
class Count:
    """The number of a benchmark's items found in one corpus."""

    corpus: str
    num_rows: int | None
    benchmark: str  # Its name.
    num_items: int | None
    num_found: int  # Distinct items.
    num_found_rows: int


def is_searched(folder: Path) -> bool:
    """Return True if the folder already holds the evidence of a search."""
    return (folder / EVIDENCE).exists()


def measure(
    folder: Path, claims: list[Claim], inputs: Inputs, thresholds: "Thresholds | None"
) -> Iterator[Finding]:
    """Count the items of the claimed benchmarks in every corpus of the folder.

    Args:
        thresholds: Decide when a row and an item are one problem; None if `is_searched(folder)`.

    Raises:
        InputError: If the folder holds no corpus, or no benchmark that the card names.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: --data needs one of corpora and benchmarks")
    wanted = {
        key
        for claim in claims
        if claim.benchmark
        for key in known.benchmarks()
        if known.related(key, claim.benchmark)
    }
    named = {one.corpus.id: one.line for one in inputs.sets if one.corpus}
    if thresholds is None:
        counts = _from_evidence(folder / EVIDENCE, wanted)
    else:
        counts = _from_files(folder, wanted, set(named), thresholds)
    by_corpus: dict[str, list[Count]] = defaultdict(list)
    for count in counts:
        by_corpus[count.corpus].append(count)
    points = []
    for corpus, parts in by_corpus.items():
        rows = f" ({parts[0].num_rows:,} rows)" if parts[0].num_rows is not None else ""
        is_named = any(each.id in named for each, _ in known.corpora_in(corpus))
        points.append(
            f"{corpus}{rows}{'' if is_named else ', which the card does not name'}: "
            f"{', '.join(map(_shown, parts))}."
        )
    hits = dict.fromkeys(count.benchmark for count in counts if count.num_found)
    yield Finding(
        "measured",
        "question",
        f"Benchmark items found in the corpora of {folder.name}: {', '.join(hits) or 'none'}",
        sorted(named.values()),
        points or ["No item of a benchmark that the card names was found."],
        "the same count on the rows that the model was trained on.",
    )


def _shown(count: Count) -> str:
    items = f"{count.num_found:,} {'item' if count.num_found == 1 else 'items'}"
    if count.num_items is not None:
        items = f"{count.num_found:,} of {count.num_items:,} items"
    rows = f" in {count.num_found_rows:,} {'row' if count.num_found_rows == 1 else 'rows'}"
    return f"{items} of {count.benchmark}{rows if count.num_found else ''}"


def _from_evidence(path: Path, wanted: set[str]) -> list[Count]:
    """Count the matches that the stage decontaminate found."""
    from mathledger.data import formats

    columns = ["corpus", "benchmark", "item_id", "class", "id"]
    items: dict[tuple[str, str], set[str]] = defaultdict(set)
    rows: dict[tuple[str, str], set[str]] = defaultdict(set)
    with formats.parquet_file(path, str(path), formats.format_of(path.name)) as file:
        if lost := [name for name in columns if name not in file.schema_arrow.names]:
            raise InputError(
                f"{path} has no column {lost[0]}: name the data/decontaminate of this project"
            )
        for batch in file.iter_batches(ROWS, columns=columns):
            for row in batch.to_pylist():
                if row["class"] in CLASSES:
                    items[row["corpus"], row["benchmark"]].add(row["item_id"])
                    rows[row["corpus"], row["benchmark"]].add(row["id"])
    folders = {name: key for key in known.benchmarks() for name in known.benchmarks()[key].folders}
    return [
        Count(
            corpus,
            None,
            _name(folders.get(name), name),
            None,
            len(items[corpus, name]),
            len(rows[corpus, name]),
        )
        for corpus, name in sorted(items)
        if folders.get(name) in wanted or name not in folders
    ]


def _name(key: str | None, fallback: str) -> str:
    return known.benchmarks()[key].name if key else fallback


def _from_files(
    folder: Path, wanted: set[str], named: set[str], thresholds: "Thresholds"
) -> list[Count]:
    """Match the corpora's problems against the items of the wanted benchmarks.

    Only the named corpora are searched, or all if the folder has none of them. A corpus may be
    larger than the memory, so it is read in batches: once for the sample, once for the matches.
    """
    import pyarrow as pa

    from mathledger.data import formats
    from mathledger.filters import overlap_index

    benchmarks: dict[str, list[str]] = defaultdict(list)
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(path for path in folder.rglob("*") if formats.is_table(path)):
        name = path.relative_to(folder).as_posix()
        key = _benchmark_of(name)
        if key in wanted:
            benchmarks[str(key)] += [text for part in problems(path) for text in part]
        elif key is None:
            files[_corpus_of(name)].append(path)
    corpora = {
        name: paths
        for name, paths in sorted(files.items())
        if name in named or not named & files.keys()
    }
    if not benchmarks:
        names = [file for key in sorted(wanted) for file in known.benchmarks()[key].files]
        hint = f", such as {names[0]}" if names else ""
        raise InputError(f"{folder} holds no benchmark that the card names{hint}")
    sample = _sample(path for paths in corpora.values() for path in paths)
    if not sample:
        raise InputError(
            f"{folder} holds no corpus: parquet, JSONL or CSV files with a problem column"
        )
    keys = [key for key, texts in sorted(benchmarks.items()) for _ in texts]
    items = pa.array(
        [text for _, texts in sorted(benchmarks.items()) for text in texts], pa.large_string()
    )
    index = overlap_index.build(items, pa.array(sample, pa.large_string()), thresholds)
    counts = []
    for corpus, paths in corpora.items():
        pairs, num_rows = _matches(paths, index)
        for key in sorted(benchmarks):
            own = [(item, row) for item, row in pairs if keys[item] == key]
            counts.append(
                Count(
                    corpus,
                    num_rows,
                    known.benchmarks()[key].name,
                    len(benchmarks[key]),
                    len({item for item, _ in own}),
                    len({row for _, row in own}),
                )
            )
    return counts


def _sample(paths: Iterable[Path]) -> list[str]:
    """Return the first distinct problems of some files, up to either limit of a sample."""
    texts = (text for path in paths for part in problems(path) for text in part)
    sample: dict[str, None] = {}
    left = SAMPLE_CHARS
    for text in texts:
        if text not in sample:
            left -= len(text)
            sample[text] = None
        if len(sample) == SAMPLE_SIZE or left < 0:
            break
    return [*sample]


def _matches(paths: list[Path], index: "Index") -> tuple[list[tuple[int, int]], int]:
    """Return the pairs of an item and a row of some files that match, and the number of rows."""
    import numpy as np
    import pyarrow as pa

    from mathledger.filters import overlap

    wanted = [overlap.CLASSES.index(name) for name in CLASSES]
    pairs: list[tuple[int, int]] = []
    num_rows = 0
    for texts in filter(None, (part for path in paths for part in problems(path))):
        matches = overlap.match(pa.array(texts, pa.large_string()), index)
        is_hit = np.isin(matches.classes, wanted)
        rows = matches.rows[is_hit].astype(np.int64) + num_rows
        pairs += zip(matches.items[is_hit].tolist(), rows.tolist(), strict=True)
        num_rows += len(texts)
    return pairs, num_rows


def _benchmark_of(name: str) -> str | None:
    """Return the benchmark that a file holds, judged by its path in the folder."""
    for key, benchmark in known.benchmarks().items():
        if any(fnmatchcase(f"/{name}", f"*/{pattern}") for pattern in benchmark.files):
            return key
    return None


def _corpus_of(name: str) -> str:
    """Return the known corpus in a file's path, or the path itself."""
    parts = name.split("/")
    for pair in pairwise(parts):
        corpus = known.corpora().get(known.words("/".join(pair)))
        if corpus:
            return corpus.id
    return name


def problems(path: Path) -> Iterator[list[str]]:
    """Yield the problems of a parquet, JSONL or CSV file in batches; none without such a column."""
    from mathledger.data import formats, readers

    names = formats.column_names(path)
    column = next((column for column in PROBLEM_COLUMNS if column in names), None)
    if not column:
        return
    for part in readers.read_columns(path, str(path), {"problem": column}):
        yield [text for text in part["problem"].to_pylist() if text]
