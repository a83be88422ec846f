"""Search all rows for overlap with benchmark items, and write the kept rows and the evidence.

Each distinct problem is searched once, together with the canaries. `overlap.class_of` classifies a
pair of text and item, and `decision.decide` decides about a row.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.files import write_json
from mathledger.core.tables import EXAMPLE, Row, Writer, read_batches, removed_schema
from mathledger.data import engine
from mathledger.data.streams import ahead
from mathledger.filters import (
    canaries,
    embeddings,
    judge,
    meaning,
    overlap,
    overlap_index,
    remaining,
    reviewed,
    solutions,
)
from mathledger.filters.decision import (
    EVIDENCE,
    KEPT,
    OVERLAP,
    Match,
    Policy,
    Tally,
    decide,
    evidence_of,
    nearest,
    stop_at_broad_item,
)
from mathledger.filters.items import Item
from mathledger.filters.problem_keys import by_spelling, canonical_keys
from mathledger.text import canonical

_PROBLEM = pa.schema([EXAMPLE.field("id"), EXAMPLE.field("problem")])
# Rarity is counted in this many training problems, those with the smallest hashes, so that the
# order of the rows does not matter.
SAMPLE_SIZE = 100_000

Flags = npt.NDArray[np.bool_]

# Inside Params, the fields `embeddings` and `judge` hide the modules.
Embeddings = embeddings.Params
Judge = judge.Params


class Search(NamedTuple):
    """The indexes of the items, which are numbered alike."""

    problems: overlap_index.Index
    solutions: solutions.Index


@dataclass(frozen=True, config=STRICT)
class Params:
    action: Literal["remove", "flag", "keep"] = Field(
        description=(
            "remove drops contaminated rows; flag reports them but trains on them, to measure the "
            "effect of the leak; keep trains on them on purpose."
        ),
    )
    variants: Literal["keep", "quarantine"] = Field(
        description="Whether to keep the same problem with other numbers; quarantine removes it."
    )
    thresholds: overlap_index.Thresholds = Field(description="Thresholds of the overlap classes.")
    canaries_per_benchmark: int = Field(
        ge=1,
        description="Number of canaries of each form and benchmark.",
    )
    min_canary_recall: float = Field(
        description=(
            "The stage fails if it finds a smaller share of the verbatim, reformatted, rewrapped "
            "or embedded canaries."
        ),
    )
    embeddings: Embeddings | None = Field(
        description=(
            "Model that proposes paraphrases and translations for review in candidates.parquet; "
            "null proposes none."
        ),
    )
    judge: Judge | None = Field(
        description=(
            "Language model that judges the proposed pairs; null leaves them to people. It needs "
            "embeddings."
        ),
    )
    max_rate_per_item: float = Field(
        gt=0,
        le=1,
        description="Largest share of the problems that one item may remove, if over 100 of them.",
    )
    seed: int = Field(description="Seed of the canaries.")

    def __post_init__(self) -> None:
        if self.judge and not self.embeddings:
            raise ValueError("judge needs embeddings, which proposes the pairs")

    def policy(self) -> Policy:
        """Return which classes remove a row, and the action recorded for the other rows."""
        contaminated = {*overlap.CONTAMINATION} if self.action == "remove" else set()
        variants = {"variant"} if self.variants == "quarantine" else set()
        kept_as = "flagged" if self.action == "flag" else "kept"
        return Policy(frozenset(contaminated | variants), kept_as)


def filter_rows(
    path: Path, items: list[Item], out: Path, settings: Params, verdicts: list[reviewed.Verdict]
) -> dict[str, Any]:
    """Write kept, removed and evidence.parquet and canaries.json into out; return the metrics.

    Args:
        verdicts: People's verdicts about pairs, which override the rule.

    Raises:
        InputError: There are no rows, all are contaminated, or the filter misses its canaries.
    """
    group, first, hashes = problem_groups(path)
    if not len(group):
        raise InputError(f"{path} has no rows; see metrics/deduplicate.json")
    is_first = np.zeros(len(group), np.bool_)
    is_first[first] = True
    is_sampled = np.zeros(len(group), np.bool_)
    is_sampled[first[np.argsort(hashes, kind="stable")[:SAMPLE_SIZE]]] = True
    sample = column_where(path, "problem", is_sampled).combine_chunks()
    problems = pa.array([item.problem for item in items])
    index = overlap_index.build(problems, sample, settings.thresholds)
    search = Search(index, solutions.build(items, first_solutions(path), index))
    overlay = reviewed.Overlay(verdicts, items)

    out.mkdir(parents=True, exist_ok=True)
    short = {*overlap_index.too_short(index).tolist()}
    hidden = canaries.choose(items, settings.canaries_per_benchmark, settings.seed)
    hidden = [canary for canary in hidden if canary.item not in short]
    forbidden = {canary.id for canary in hidden}
    with tempfile.TemporaryDirectory(dir=out, prefix=".scratch-") as scratch:
        unique = Path(scratch) / "problems.parquet"
        write_problems(path, is_first, hidden, unique)
        by_id, leaks = search_problems(unique, search, overlay)
        similar, proposals = meaning.propose(
            unique, out, items, settings.embeddings, settings.judge, by_id, forbidden
        )
    own_leaks = {name: text for name, text in leaks.items() if name not in forbidden}
    found = remaining.count(own_leaks, by_id, items, settings.thresholds, similar)
    counts, wrong = canaries.measure(hidden, by_id, items)
    canaries.stop_at_low_recall(counts, settings.min_canary_recall)
    ids = column_where(path, "id", is_first)
    has_match = pc.is_in(ids, pa.array([*by_id], pa.string()))
    numbers = group[is_first][has_match.to_numpy()].tolist()
    by_group = {
        number: nearest(by_id[name], items)
        for number, name in zip(numbers, ids.filter(has_match).to_pylist(), strict=True)
    }
    stop_at_broad_item(by_group.values(), items, len(first), settings.max_rate_per_item)
    tally = write_results(path, out, settings, items, search, overlay, group, by_group)
    canary_ids = pa.array([*forbidden], pa.string())
    for batch in read_batches(out / "kept.parquet", ["id"]):
        is_canary = pc.is_in(batch.column(0), canary_ids)
        assert not pc.any(is_canary).as_py(), "a canary is in the training set"
    write_json(out / "canaries.json", {"by_form": counts, "wrong": wrong})
    return {
        **tally,
        "num_items_checked": len(items) - len(short),
        "items_too_short": [f"{items[item].benchmark} {items[item].id}" for item in sorted(short)],
        "reviewed": overlay.counts(),
        "canaries": counts,
        "leaks": remaining.metrics(found, with_embeddings=similar is not None),
        **proposals,
    }


def first_solutions(path: Path) -> pa.Array:
    """Return the first solutions of a file; because it is sorted by hash, they are a sample."""
    return next(read_batches(path, ["solution"], [0])).column(0)


def problem_groups(
    path: Path,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Return the problem number of each row, and the first row and the hash of each problem."""
    found, rows, number = by_spelling([path], canonical_keys, 16)
    keys = found.view(np.uint64)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    ordered = keys[order]
    fresh = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))
    first = rows[np.minimum.reduceat(order, np.flatnonzero(fresh))]
    group = np.empty(len(keys), np.int64)
    group[order] = np.cumsum(fresh) - 1
    return group[number], first, ordered[fresh][:, 0]


def column_where(path: Path, column: str, wanted: npt.NDArray[np.bool_]) -> pa.ChunkedArray:
    """Return a text column of the wanted rows of a file, which is read as a stream."""
    return pa.chunked_array([*engine.stream_column(path, column, wanted)], pa.string())


def overlapping(
    path: Path, column: str, search: Search, overlay: reviewed.Overlay
) -> Iterator[Flags]:
    """Yield, in batches from the engine, whether each row's text overlaps any item.

    A text that somebody judged counts as well. `matches_of` returns the items of these rows.
    """
    judged = overlay.texts(column)

    def overlaps(texts: pa.Array) -> npt.NDArray[np.uint8]:
        is_match = np.zeros((len(texts), 1), np.uint8)
        is_match[overlapping_rows(texts, column, search)] = 1
        if len(judged):
            is_match[np.isin(canonical.keys(texts)[:, 0], judged)] = 1
        return is_match

    for part in engine.stream_rows(path, [column], overlaps, 1):
        yield part.ravel().astype(np.bool_)


def overlapping_rows(texts: pa.Array, column: str, search: Search) -> npt.NDArray[np.int64]:
    """Return the numbers of the texts that overlap any item, with repeats."""
    if column == "problem":
        return overlap.match(texts, search.problems).rows.astype(np.int64)
    may = solutions.may_take(texts, search.solutions, search.problems)
    holds = np.flatnonzero(may & solutions.MAY_HOLD)
    found = overlap.match(texts.take(pa.array(holds)), search.problems, solutions=True)
    takes = np.flatnonzero(may & (solutions.MAY_COPY | solutions.RESTATES))
    taken = solutions.match(texts.take(pa.array(takes)), search.solutions)
    return np.concatenate([holds[found.rows], takes[taken.rows]])


def matches_of(
    texts: pa.Array, place: str, search: Search, overlay: reviewed.Overlay
) -> dict[int, list[Match]]:
    """Return the matches of each text that has any, by the text's index.

    Args:
        place: The column of the texts, "problem" or "solution".
    """
    matches: dict[int, list[Match]] = defaultdict(list)
    pairs = overlap.match(texts, search.problems, solutions=place == "solution")
    for row, *rest in zip(*(each.tolist() for each in asdict(pairs).values()), strict=True):
        item, kind, *measures = rest
        matches[row].append(Match(item, kind, place, *measures))
    if place == "solution":
        taken = solutions.match(texts, search.solutions)
        for row, item, is_copy, share, text_in_item in zip(
            *map(np.ndarray.tolist, taken), strict=True
        ):
            if all(match.item != item for match in matches[row]):
                kind = overlap.SOLUTION if is_copy else overlap.CONTAINED
                matches[row].append(Match(item, kind, place, share, share, text_in_item))
    if overlay.verdicts:
        for row, key in enumerate(reviewed.keys(texts)):
            matches[row] = overlay.apply(place, key, matches[row])
    return {row: own for row, own in matches.items() if own}


def search_problems(
    path: Path, search: Search, overlay: reviewed.Overlay
) -> tuple[dict[str, list[Match]], dict[str, str]]:
    """Return, by id, the matches of each problem that has any, and the problems with a leak."""
    is_match = np.concatenate([*overlapping(path, "problem", search, overlay)])
    texts = column_where(path, "problem", is_match).combine_chunks()
    ids = column_where(path, "id", is_match).to_pylist()
    matches = matches_of(texts, "problem", search, overlay)
    leaks = {
        ids[row]: texts[row].as_py()
        for row, own in matches.items()
        if any(match.holds_item for match in own)
    }
    return {ids[row]: own for row, own in matches.items()}, leaks


def _searched_solutions(
    path: Path, search: Search, overlay: reviewed.Overlay
) -> Iterator[tuple[pa.RecordBatch, dict[int, list[Match]]]]:
    """Yield batches of rows, with the matches of their solutions by index in the batch.

    The engine runs ahead of the reader by one of its own batches, which may be larger.
    """
    parts = ahead(overlapping(path, "solution", search, overlay))
    is_match = np.empty(0, np.bool_)  # Flags of the rows that have not been yielded yet.
    for batch in ahead(read_batches(path)):
        while len(is_match) < len(batch):
            is_match = np.append(is_match, next(parts))
        rows = np.flatnonzero(is_match[: len(batch)])
        is_match = is_match[len(batch) :]
        texts = batch.column("solution").take(pa.array(rows))
        matches = matches_of(texts, "solution", search, overlay)
        yield batch, {int(rows[at]): own for at, own in matches.items()}


def write_results(
    path: Path,
    out: Path,
    settings: Params,
    items: list[Item],
    search: Search,
    overlay: reviewed.Overlay,
    group: npt.NDArray[np.int64],
    by_group: dict[int, list[Match]],
) -> dict[str, Any]:
    """Write kept, removed and evidence in one pass over the rows; return the metrics.

    Args:
        group: The problem number of each row.
        by_group: The matches of each problem that has any.
    """
    tally, policy, at = Tally(), settings.policy(), 0
    has_match = np.isin(group, np.fromiter(by_group, np.int64, len(by_group)))
    with (
        Writer(out / "kept.parquet", KEPT) as kept,
        Writer(out / "removed.parquet", removed_schema(pa.struct(OVERLAP))) as removed,
        Writer(out / "evidence.parquet", EVIDENCE) as shown,
    ):
        for batch, by_solution in _searched_solutions(path, search, overlay):
            is_hit = has_match[at : at + len(batch)].copy()
            is_hit[[*by_solution]] = True
            stays, is_withheld = np.ones(len(batch), np.bool_), np.zeros(len(batch), np.bool_)
            removed_rows: list[Row] = []
            evidence_rows: list[Row] = []
            for place in np.flatnonzero(is_hit).tolist():
                row = batch.slice(place, 1).to_pylist()[0]
                in_solution = nearest(by_solution.get(place, []), items)
                decision = decide([*by_group.get(int(group[at + place]), []), *in_solution], policy)
                is_withheld[place] = any(
                    match.holds_item or items[match.item].private for match in decision.matches
                )
                tally.add(row, decision, items)
                overlaps = evidence_of(row, decision, items, settings.thresholds.ngram_size)
                head = {column: row[column] for column in ("id", "corpus", "source")}
                evidence_rows += [{**head, **each} for each in overlaps.values()]
                if decision.is_removed:
                    stays[place] = False
                    worst = overlaps[decision.worst]
                    removed_rows.append({**row, "reason": worst["class"], "evidence": worst})
            left = batch.append_column("is_withheld", pa.array(is_withheld))
            left = left.filter(pa.array(stays)) if removed_rows else left
            tally.add_kept(left)
            kept.write(left)
            removed.write(pa.Table.from_pylist(removed_rows, schema=removed.schema))
            shown.write(pa.Table.from_pylist(evidence_rows, schema=EVIDENCE))
            at += len(batch)
        if not kept.num_rows:
            raise InputError(f"all {at} rows are contaminated; see conf/decontaminate/")
    assert kept.num_rows + removed.num_rows == len(group)
    return {
        "num_in": len(group),
        "num_kept": kept.num_rows,
        "num_removed": removed.num_rows,
        **tally.metrics(),
    }


def write_problems(path: Path, is_first: Flags, hidden: list[canaries.Canary], out: Path) -> None:
    """Write the unique problems of a file that is sorted by id, with the canaries among them."""
    rows = [{"id": canary.id, "problem": canary.problem} for canary in hidden]
    left, at = pa.Table.from_pylist(rows, _PROBLEM), 0
    with Writer(out, _PROBLEM) as writer:
        for batch in read_batches(path, _PROBLEM.names):
            own = pa.Table.from_batches([batch.filter(pa.array(is_first[at : at + len(batch)]))])
            is_next = pc.less_equal(left["id"], batch["id"][-1])
            both = pa.concat_tables([own.cast(_PROBLEM), left.filter(is_next)])
            writer.write(both.sort_by("id"))
            left = left.filter(pc.invert(is_next))
            at += len(batch)
        writer.write(left.sort_by("id"))
