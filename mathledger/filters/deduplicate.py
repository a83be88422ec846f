"""Remove exact and near duplicates across all corpora.

Rows are numbered through the corpora in the order given, and the first of several copies stays.
Texts are streamed and only hashes stay in memory. Where a hash alone decides, it has 128 bits, so
that a chance collision is practically impossible.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.tables import EXAMPLE, Writer, num_rows, read_batches, removed_schema
from mathledger.data import engine
from mathledger.data.streams import ahead, merged
from mathledger.filters import minhash, near_copies, reviewed
from mathledger.filters.near_copies import NearCopies
from mathledger.filters.problem_keys import by_spelling, canonical_keys, hashes
from mathledger.text import groups

EVIDENCE = pa.struct(
    [
        pa.field("kept_id", pa.string()),
        pa.field("kept_corpus", pa.string()),
        pa.field("kept_source", pa.string()),
        pa.field("kept_problem", pa.string()),  # Null if identical to the removed problem.
        # Similarity of the n-grams of what the problems say; null if a person decided.
        pa.field("jaccard", pa.float64()),
    ]
)
FAMILY = pa.schema(
    [
        pa.field("template", pa.string()),  # Hash of the problem with its numbers masked.
        pa.field("id", pa.string()),  # Id of a row with the family's first problem.
        pa.field("num_problems", pa.int64()),
    ]
)
_ROW = pa.schema([*EXAMPLE, pa.field("row", pa.int64())])
_NAMED = pa.schema([_ROW.field(name) for name in ("id", "corpus", "source", "problem", "row")])
KEPT, EXACT, NEAR, CAP = range(4)
REASONS = ("kept", "exact_duplicate", "near_duplicate", "solution_cap")
# Smaller sources are exempt from max_removed_rate: one may well be a copy of a larger source.
MIN_SOURCE_ROWS = 1000

# Counts rows by corpus, source, reason, and the corpus of the row kept instead.
Counts = Counter[tuple[str, str, str, str]]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, config=STRICT)
class Params:
    action: Literal["remove", "keep"] = Field(
        description="remove drops copies; keep trains on them, to measure what they cost."
    )
    num_bands: int = Field(
        description="Number of MinHash bands; problems that agree in one band are compared exactly."
    )
    rows_per_band: int = Field(
        description=(
            "Hashes in a band, all of which must agree; 32 bands of 4 propose 99% of the pairs "
            "with Jaccard similarity 0.6."
        ),
    )
    ngram_size: int = Field(
        description="Number of words, numbers and signs in an n-gram, without words like `the`."
    )
    jaccard: float = Field(
        description=(
            "Smallest Jaccard similarity of near duplicates' n-grams; filters/near_copies.py "
            "states the other conditions."
        ),
    )
    seed: int = Field(description="Seed of the hashes.")
    max_solutions_per_problem: Annotated[int, Field(ge=1)] | None = Field(
        description=(
            "Number of distinct solutions to keep per problem, chosen by hash; null keeps all."
        ),
    )
    max_removed_rate: float = Field(
        description=(
            "The stage fails if it removes a larger share of a corpus, or of a source with at "
            "least 1000 rows."
        ),
    )

    def bands(self) -> minhash.Bands:
        return minhash.Bands(self.num_bands, self.rows_per_band, self.ngram_size, self.seed)


@plain_dataclass(frozen=True)
class Decisions:
    """The decision about each row; rows are numbered through the corpora in order."""

    state: npt.NDArray[np.int8]  # One of KEPT, EXACT, NEAR and CAP.
    kept_row: I64  # The row that is kept instead; a kept row names itself.
    jaccard: F64


@plain_dataclass(frozen=True)
class Families:
    """Families: groups of two or more problems that differ only in their numbers."""

    template: U64  # Has shape (families, 2).
    row: I64  # The first row of the family's first problem.
    num_problems: I64


def row_keys(paths: list[Path]) -> tuple[U64, I64]:
    """Return hashes of each row's problem and solution, shape (rows, 4), and `first` of `decide`.

    The only solution of a problem is compared with no other, so its hash is 0.
    """
    found, rows, number = by_spelling(paths, canonical_keys, 16)
    keys = found.view(np.uint64)
    problems, first = keys[number], rows[groups.first_of(keys)][number]
    has_several = (np.bincount(first, minlength=len(first)) > 1)[first]
    parts = engine.split(paths, has_several)
    solutions = np.zeros_like(problems)
    solutions[has_several] = np.concatenate(
        [hashes(path, "solution", canonical_keys, part) for path, part in parts]
    )
    return np.hstack([problems, solutions]), first


def find_families(near: NearCopies, first_rows: I64) -> Families:
    """Return the families among the kept problems.

    Args:
        first_rows: The first row of each problem.
    """
    kept = np.flatnonzero(near.kept < 0)
    sizes = np.bincount(groups.first_of(near.template[kept]), minlength=len(kept))
    several = np.flatnonzero(sizes > 1)
    return Families(near.template[kept[several]], first_rows[kept[several]], sizes[several])


def decide(keys: U64, first: I64, near: NearCopies, settings: Params) -> Decisions:
    """Decide about every row.

    Args:
        keys: Hashes of each row's problem and solution, shape (rows, 4).
        first: The first row with the same problem, for each row.
    """
    rows = np.arange(len(keys))
    problem = (np.cumsum(first == rows) - 1)[first]
    same = groups.first_of(keys) if settings.action == "remove" else rows
    # NEAR takes precedence: the original of an exact copy within a removed problem is not kept.
    state = np.select([near.kept[problem] >= 0, same != rows], [NEAR, EXACT], KEPT)
    if settings.max_solutions_per_problem:
        coins = keys[:, 2] * np.uint64(2 * settings.seed + 1)
        state[over_cap(problem, coins, state, settings.max_solutions_per_problem)] = CAP
        state[(state == EXACT) & (state[same] == CAP)] = CAP
    # Find the first row of each problem that stays; the cap may have removed the very first.
    stays = np.full(len(near.kept), len(rows))
    np.minimum.at(stays, problem[state == KEPT], rows[state == KEPT])
    other = [stays[near.kept[problem]], stays[problem]]
    kept_row = np.select([state == NEAR, state == CAP], other, same)
    likeness = np.where(state == NEAR, near.jaccard[problem], 1.0)
    return Decisions(state.astype(np.int8), kept_row, likeness)


def over_cap(problem: I64, coins: U64, state: I64, cap: int) -> I64:
    """Return the kept rows beyond the first `cap` rows of their problem in the order of coins.

    A coin is a hash of the solution, so an additional solution never reshuffles the others.
    """
    kept = np.flatnonzero(state == KEPT)
    ranked = kept[np.lexsort((coins[kept], problem[kept]))]
    begins = np.flatnonzero(np.diff(problem[ranked], prepend=-1))
    rank = np.arange(len(ranked)) - np.repeat(begins, np.diff(begins, append=len(ranked)))
    return ranked[rank >= cap]


def routed(
    paths: list[Path], is_kept: npt.NDArray[np.bool_], is_named: npt.NDArray[np.bool_]
) -> Iterator[tuple[pa.Table, pa.Table, pa.Table]]:
    """Yield, ordered by id, the kept rows, the removed rows, and the rows that others refer to."""
    for table, order in merged(paths):
        rows = table["row"].to_numpy()[order]
        masks = (is_kept[rows], ~is_kept[rows], is_named[rows])
        kept, gone, named = (table.take(pa.array(order[mask])) for mask in masks)
        yield kept, gone.cast(_ROW), named.select(_NAMED.names).cast(_NAMED)


def write_all(
    paths: list[Path], out: Path, decisions: Decisions, families: Families, scratch: Path
) -> None:
    """Write the three files in one pass over the rows, in the order of their ids."""
    is_kept = decisions.state == KEPT
    # A removed row and the kept row it refers to may be far apart, so they are joined at the end.
    is_named = np.zeros(len(is_kept), np.bool_)
    is_named[decisions.kept_row[~is_kept]] = True
    is_named[families.row] = True
    place, num_named = np.zeros(len(is_kept), np.int64), 0
    with (
        Writer(out / "kept.parquet", EXAMPLE) as kept_file,
        pa.ipc.new_stream(scratch / "gone", _ROW) as gone_file,
        pa.ipc.new_stream(scratch / "named", _NAMED) as named_file,
    ):
        for kept, gone, named in ahead(routed(paths, is_kept, is_named)):
            kept_file.write(kept)
            gone_file.write_table(gone)
            named_file.write_table(named)
            place[named["row"].to_numpy()] = num_named + np.arange(len(named))
            num_named += len(named)

    reasons = pa.array(REASONS)
    named_rows = pa.ipc.open_stream(pa.memory_map(str(scratch / "named"))).read_all()
    with Writer(out / "removed.parquet", removed_schema(EVIDENCE)) as removed:
        for batch in pa.ipc.open_stream(pa.memory_map(str(scratch / "gone"))):
            rows, table = batch["row"].to_numpy(), pa.Table.from_batches([batch])
            other = named_rows.take(pa.array(place[decisions.kept_row[rows]]))
            likeness = decisions.jaccard[rows]
            is_same = pc.equal(other["problem"], table["problem"])
            evidence = pa.table(
                {
                    "kept_id": other["id"],
                    "kept_corpus": other["corpus"],
                    "kept_source": other["source"],
                    "kept_problem": pc.if_else(is_same, None, other["problem"]),
                    "jaccard": pa.array(likeness, mask=np.isinf(likeness)),
                }
            )
            table = table.append_column("reason", reasons.take(pa.array(decisions.state[rows])))
            removed.write(table.append_column("evidence", evidence.to_struct_array()))

    order = np.lexsort(families.template.T[::-1])
    templates = [f"{high:016x}{low:016x}" for high, low in families.template[order].tolist()]
    columns = {
        "template": pa.array(templates, pa.string()),
        "id": named_rows["id"].take(pa.array(place[families.row[order]])),
        "num_problems": families.num_problems[order],
    }
    with Writer(out / "families.parquet", FAMILY) as writer:
        writer.write(pa.table(columns))


def tally(paths: list[Path], decisions: Decisions) -> Counts:
    """Count rows by corpus, source, reason, and the corpus of the row that is kept instead."""
    corpora = [path.parent.name for path in paths]
    starts = np.cumsum([0, *(num_rows(path) for path in paths)])[:-1]
    counts: Counts = Counter()
    for corpus, path, start in zip(corpora, paths, starts, strict=True):
        at = start
        for batch in read_batches(path, ["source"]):
            part = slice(at, at + len(batch))
            others = np.searchsorted(starts, decisions.kept_row[part], side="right") - 1
            table = pa.table(
                [batch["source"], decisions.state[part], others], ["s", "state", "other"]
            )
            sizes = table.group_by(table.column_names).aggregate([([], "count_all")])
            for source, state, other, count in zip(*sizes.to_pydict().values(), strict=True):
                counts[corpus, source, REASONS[state], corpora[other]] += count
            at += len(batch)
    return counts


def stop_at_mass_removal(counts: Counts, limit: float) -> None:
    """Raise InputError if a corpus or a large source loses too large a share of its rows as copies.

    Such a loss points to a mistake in the data or the settings.
    """
    before: Counter[tuple[str, ...]] = Counter()
    gone: Counter[tuple[str, ...]] = Counter()
    for (corpus, source, reason, _), count in counts.items():
        parts: list[tuple[str, ...]] = [(corpus,), (corpus, source)]
        for part in parts:
            before[part] += count
            gone[part] += count * (reason in (REASONS[EXACT], REASONS[NEAR]))
    for part, count in sorted(gone.items()):
        large = len(part) == 1 or before[part] >= MIN_SOURCE_ROWS
        if large and count > limit * before[part]:
            raise InputError(
                f"{count} of {before[part]} rows of {', source '.join(part)} are duplicates, more "
                f"than deduplicate.max_removed_rate={limit}; inspect them or raise the limit"
            )


def summarise(counts: Counts) -> dict[str, Any]:
    """Return the tally's part of the metrics."""

    def add_up(column: int, *, kept: bool) -> dict[str, int]:
        sums: Counter[str] = Counter()
        for key, count in counts.items():
            if (key[2] == REASONS[KEPT]) == kept:
                sums[key[column]] += count
        return dict(sorted(sums.items()))

    copies: dict[str, dict[str, int]] = {}
    for (corpus, _, reason, other), count in sorted(counts.items()):
        if reason != REASONS[KEPT]:
            of = copies.setdefault(corpus, {})
            of[other] = of.get(other, 0) + count
    return {
        "kept_by_corpus": add_up(0, kept=True),
        "removed_by_reason": add_up(2, kept=False),
        "removed_by_source": add_up(1, kept=False),
        "removed_by_kept_corpus": copies,
    }


def filter_rows(
    paths: list[Path], out: Path, settings: Params, verdicts: list[reviewed.Verdict]
) -> dict[str, Any]:
    """Write kept, removed and families.parquet into out; return the metrics.

    Args:
        paths: The corpora's files, <corpus>/kept.parquet, in the order of preference.
        verdicts: People's verdicts about pairs of problems, which override the rule.

    Raises:
        InputError: There are no rows, or too many rows of a corpus or a source are copies.
    """
    if not sum(num_rows(path) for path in paths):
        raise InputError(f"{paths[0].parent.parent} has no kept rows; see metrics/prepare/")
    keys, first = row_keys(paths)
    is_first = first == np.arange(len(first))
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".scratch-") as folder:
        scratch = Path(folder)
        limit = settings.jaccard if settings.action == "remove" else None
        problems = keys[is_first][:, :2]
        ruled = reviewed.copies(verdicts, problems)
        near = near_copies.find(paths, is_first, settings.bands(), limit, scratch, ruled)
        families = find_families(near, np.flatnonzero(is_first))
        decisions = decide(keys, first, near, settings)
        counts = tally(paths, decisions)
        stop_at_mass_removal(counts, settings.max_removed_rate)
        write_all(paths, out, decisions, families, scratch)
    num_kept, num_removed = (num_rows(out / f"{part}.parquet") for part in ("kept", "removed"))
    assert num_kept + num_removed == len(keys)
    return {
        "num_in": len(keys),
        "num_kept": num_kept,
        "num_removed": num_removed,
        "num_unique_problems": int(is_first.sum()),
        "num_comparisons_capped": near.num_capped,
        "reviewed": reviewed.count_copies(verdicts, problems),
        "num_families": len(families.row),
        "largest_family": int(families.num_problems.max(initial=0)),
        **summarise(counts),
    }
