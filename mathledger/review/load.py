"""Read the pairs that a person could judge, without the texts of private benchmarks.

The files are streamed, and memory holds a short list for each class and benchmark.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mathledger.card import pairs
from mathledger.card.outputs import Outputs
from mathledger.core.tables import Row, read_batches
from mathledger.filters.reviewed import Verdict

DOUBTFUL, DRAWN, AGAIN = "doubtful", "drawn", "judged before"


@dataclass(frozen=True)
class Found:
    """A pair to judge: a training row, and the item or the kept row that it was compared with."""

    why: str  # One of DOUBTFUL, DRAWN and AGAIN.
    kind: str  # Class of the pair.
    stage: str  # The stage that obeys the verdict.
    hit: Row


@dataclass(frozen=True)
class Pool:
    """The pairs to choose from, in the order in which they should be judged."""

    found: list[Found]
    num_withheld: int  # Pairs that are not shown because of a private benchmark.


class Best:
    """The `size` rows with the smallest keys."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rows: dict[tuple[Any, ...], Row] = {}

    def offer(self, key: tuple[Any, ...], row: Row) -> None:
        self._rows[key] = row
        if len(self._rows) > 2 * self._size:
            self._rows = {key: self._rows[key] for key in heapq.nsmallest(self._size, self._rows)}

    def rows(self) -> list[Row]:
        return [self._rows[key] for key in heapq.nsmallest(self._size, self._rows)]


def read_pool(outputs: Outputs, size: int, stale: Iterable[Verdict]) -> Pool:
    """Return up to `size` drawn and `size` doubtful pairs of each class.

    Args:
        stale: Verdicts whose texts have changed; their pairs come first.
    """
    private = pairs.rows_of_private_items(outputs.evidence)
    again = {(verdict.row, verdict.against) for verdict in stale}
    hits = _overlaps(outputs.evidence, private, size, again)
    candidates = outputs.evidence.with_name("candidates.parquet")
    found = [*hits, *_candidates(candidates, private, size)] if candidates.exists() else hits
    found += _near_copies(outputs.duplicates, private, size, again)
    num_withheld = sum(
        pc.sum(pc.is_in(batch["id"], value_set=_strings(private))).as_py() or 0
        for batch in read_batches(outputs.evidence, ["id"])
    )
    return Pool(sorted(found, key=lambda each: each.why != AGAIN), num_withheld)


def _overlaps(path: Path, private: set[str], size: int, again: set[tuple[str, str]]) -> list[Found]:
    """Return the overlaps of rows with items: of each class some doubtful and some drawn ones.

    An id is a hash of the row, so the rows with the smallest ids are a fixed random draw.
    """
    doubtful: dict[str, dict[str, Best]] = {}
    drawn: dict[str, Best] = {}
    before: list[Row] = []
    named = _strings({row for row, _ in again})
    for batch in read_batches(path):
        hidden = pc.or_(
            pc.is_in(batch["id"], value_set=_strings(private)),
            pc.equal(batch["decided_by"], "person"),
        )
        shown = batch.filter(pc.invert(hidden))
        for hit in shown.filter(pc.is_in(shown["id"], value_set=named)).to_pylist():
            if (hit["id"], f"{hit['benchmark']}/{hit['item_id']}") in again:
                before.append(hit)
        for kind, benchmark, part in _groups(shown):
            best = doubtful.setdefault(kind, {}).setdefault(benchmark, Best(size))
            for hit in _extremes(part, size):
                best.offer(pairs.doubt(hit), hit)
            for hit in part.take(_first(part, size)).to_pylist():
                key = hit["id"], hit["benchmark"], hit["item_id"], hit["place"]
                drawn.setdefault(kind, Best(size)).offer(key, hit)
    found = [Found(AGAIN, hit["class"], "decontaminate", hit) for hit in before]
    # Pairs of the class `same` are the easiest to judge.
    for kind, by_benchmark in sorted(
        doubtful.items(), key=lambda each: (each[0] == "same", each[0])
    ):
        ranked = (by_benchmark[benchmark].rows() for benchmark in sorted(by_benchmark))
        chosen = pairs.in_turn(ranked)[:size]
        # The draw comes first, because a pair is shown once and the draw must stay complete.
        found += [Found(DRAWN, kind, "decontaminate", hit) for hit in drawn[kind].rows()]
        found += [Found(DOUBTFUL, kind, "decontaminate", hit) for hit in chosen]
    return found


def _groups(hits: pa.RecordBatch) -> Iterator[tuple[str, str, pa.RecordBatch]]:
    """Yield the hits of each class and benchmark of a batch."""
    for kind in pc.unique(hits["class"]).to_pylist():
        of_kind = hits.filter(pc.equal(hits["class"], kind))
        for benchmark in pc.unique(of_kind["benchmark"]).to_pylist():
            own = of_kind.filter(pc.equal(of_kind["benchmark"], benchmark))
            yield kind, benchmark, own


def _extremes(hits: pa.RecordBatch, size: int) -> list[Row]:
    """Return the hits at either end of containment; `pairs.doubt` then ranks them exactly."""
    both = [_first(hits, 4 * size, [("containment", way)]) for way in ("ascending", "descending")]
    return list(hits.take(pc.unique(pa.concat_arrays(both))).to_pylist())


def _first(hits: pa.RecordBatch, size: int, by: Sequence[tuple[str, str]] = ()) -> pa.Array:
    """Return the numbers of the first hits in this order, and then in the order of their ids."""
    order = [*by, *((name, "ascending") for name in ("id", "item_id", "place"))]
    return pc.sort_indices(hits, sort_keys=order)[:size]


def _candidates(path: Path, private: set[str], size: int) -> list[Found]:
    """Return the pairs that an embedding model proposes, the most similar first."""
    best = Best(size)
    for batch in read_batches(path):
        shown = batch.filter(
            pc.and_(
                pc.is_valid(batch["item_problem"]),
                pc.invert(pc.is_in(batch["id"], value_set=_strings(private))),
            )
        )
        for row in shown.to_pylist():
            best.offer((-row["cosine"], row["id"], row["benchmark"], row["item_id"]), row)
    return [Found(DOUBTFUL, "candidate", "decontaminate", row) for row in best.rows()]


def _near_copies(
    path: Path, private: set[str], size: int, again: set[tuple[str, str]]
) -> list[Found]:
    """Return the near duplicates: the least similar ones, and a fixed random draw."""
    doubtful, drawn = Best(size), Best(size)
    before: list[Row] = []
    columns = ["id", "corpus", "source", "problem", "reason", "evidence"]
    for batch in read_batches(path, columns):
        for row in batch.filter(pc.equal(batch["reason"], "near_duplicate")).to_pylist():
            kept = row["evidence"]
            is_judged = kept["jaccard"] is None
            if kept["kept_problem"] is None or is_judged or kept["kept_id"] in private:
                continue
            doubtful.offer((kept["jaccard"], row["id"]), row)
            drawn.offer((row["id"],), row)
            if (row["id"], kept["kept_id"]) in again:
                before.append(row)
    lists = ((AGAIN, before), (DRAWN, drawn.rows()), (DOUBTFUL, doubtful.rows()))
    return [Found(why, "near duplicate", "deduplicate", row) for why, rows in lists for row in rows]


def _strings(values: set[str]) -> pa.Array:
    return pa.array(sorted(values), pa.string())
