"""Find every training example that overlaps an item of any configured benchmark.

Problems are compared with every item of every benchmark, solutions are searched for whole items;
the classes are in mathledger/filters/overlap.py. On the way the filter measures itself on canaries,
which never leave this stage.
"""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from dataclasses import dataclass as plain_dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field
from pydantic.dataclasses import dataclass
from tqdm import tqdm  # type: ignore[import-untyped]

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_json
from mathledger.core.hashing import content_id
from mathledger.core.tables import (
    EXAMPLE,
    Row,
    Writer,
    num_rows,
    read_batches,
    read_rows,
    removed_schema,
)
from mathledger.data import engine
from mathledger.data.sorting import write_sorted
from mathledger.data.streams import ahead
from mathledger.filters import canaries, embeddings, overlap, spelling
from mathledger.filters.overlap import CLASSES, VARIANT
from mathledger.text import canonical
from mathledger.text.tokens import MACRO, NUMBER, OPERATOR

_SPANS = pa.list_(pa.struct([pa.field("start", pa.int32()), pa.field("end", pa.int32())]))
_STRINGS = pa.list_(pa.string())
HIT = [
    pa.field("class", pa.string()),
    pa.field("place", pa.string()),  # problem or solution
    pa.field("benchmark", pa.string()),
    pa.field("benchmark_revision", pa.string()),
    pa.field("benchmark_split", pa.string()),
    pa.field("item_id", pa.string()),
    pa.field("item_problem", pa.string()),  # null where the benchmark is private
    pa.field("containment", pa.float32()),
    pa.field("item_in_text", pa.float32()),  # stem overlap, both ways
    pa.field("text_in_item", pa.float32()),
    pa.field("missing_numbers", _STRINGS),
    pa.field("extra_numbers", _STRINGS),
    pa.field("missing_operators", _STRINGS),
    pa.field("extra_operators", _STRINGS),
    pa.field("row_spans", _SPANS),  # characters of the problem or solution that the item has too
    pa.field("item_spans", _SPANS),
    pa.field("action", pa.string()),  # removed, flagged or kept
]
EVIDENCE = pa.schema([*(pa.field(name, pa.string()) for name in ("id", "corpus", "source")), *HIT])
CANDIDATE = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("problem", pa.string()),
        pa.field("benchmark", pa.string()),
        pa.field("item_id", pa.string()),
        pa.field("item_problem", pa.string()),  # null where the benchmark is private
        pa.field("cosine", pa.float32()),
    ]
)
_PROBLEM = pa.schema([EXAMPLE.field("id"), EXAMPLE.field("problem")])
# Training problems that rarity is counted in: the ones of smallest hash, so that no order matters.
SAMPLE_SIZE = 100_000


Embeddings = embeddings.Params  # in the class, the field of this name hides the module


@dataclass(frozen=True, config=STRICT)
class Params:
    action: Literal["remove", "flag", "keep"] = Field(
        description=(
            "flag reports contaminated rows but trains on them, to see what the leak buys; keep "
            "trains on them on purpose."
        ),
    )
    variants: Literal["keep", "quarantine"] = Field(
        description="What becomes of the same problem with other numbers: quarantine removes it."
    )
    thresholds: overlap.Thresholds = Field(description="Where the classes of overlap begin.")
    canaries_per_benchmark: int = Field(
        ge=1,
        description="Items that are planted as canaries, each in seven forms.",
    )
    min_canary_recall: float = Field(
        description=(
            "The stage fails if it finds a smaller share of verbatim, reformatted, rewrapped and "
            "embedded canaries."
        ),
    )
    embeddings: Embeddings | None = Field(
        description=(
            "Propose paraphrases and translations to a person, in candidates.parquet; null "
            "proposes none."
        ),
    )
    seed: int = Field(description="Seed of the canaries.")


@plain_dataclass(frozen=True)
class Item:
    benchmark: str
    revision: str
    split: str | None
    id: str
    problem: str
    private: bool


@plain_dataclass(frozen=True)
class Found:
    """One pair of a training text and an item."""

    item: int
    kind: int
    place: str
    containment: float
    item_in_text: float
    text_in_item: float


def read_items(folder: Path, benchmarks: Iterable[str]) -> list[Item]:
    """All items of all benchmarks, evaluated or not; folder holds a folder of each.

    Raises:
        InputError: a benchmark is missing, or an item has no token to be found by.
    """
    items = []
    for benchmark in benchmarks:
        receipt = read_json(folder / benchmark / "receipt.json")
        for row in read_rows(folder / benchmark / "all_items.parquet"):
            if not canonical.spellings(row["problem"]):
                raise InputError(f"{benchmark}: item {row['id']} cannot be checked: no token in it")
            split, private = receipt.get("split"), bool(receipt.get("private"))
            item = Item(benchmark, receipt["revision"], split, row["id"], row["problem"], private)
            items.append(item)
    if not items:
        raise InputError(f"{folder} holds no benchmark item: nothing can be checked")
    return items


def problem_groups(
    path: Path,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
    """Of each row the number of its problem; of each problem its first row, and its hash."""
    keys = engine.map_rows(path, ["problem"], _keys, 16).copy().view(np.uint64).reshape(-1, 2)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    ordered = keys[order]
    fresh = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))
    first = np.minimum.reduceat(order, np.flatnonzero(fresh))
    group = np.empty(len(keys), np.int64)
    group[order] = np.cumsum(fresh) - 1
    return group, first, ordered[fresh][:, 0]


def _keys(problems: pa.Array) -> npt.NDArray[np.uint8]:
    return canonical.keys(problems).view(np.uint8).reshape(-1, 16)


def column_where(path: Path, column: str, wanted: npt.NDArray[np.bool_]) -> pa.ChunkedArray:
    """A column of the wanted rows of a file, read as a stream."""
    chunks, at = [], 0
    for batch in read_batches(path, [column]):
        chunks.append(batch.column(0).filter(pa.array(wanted[at : at + len(batch)])))
        at += len(batch)
    return pa.chunked_array(chunks, pa.string())


def flags(
    path: Path, column: str, index: overlap.Index, *, solutions: bool
) -> Iterator[npt.NDArray[np.bool_]]:
    """Whether each row's text overlaps any item, told by the engine, some rows at a time.

    `look` says which items.
    """

    def overlaps(texts: pa.Array) -> npt.NDArray[np.uint8]:
        found = np.zeros((len(texts), 1), np.uint8)
        found[overlap.match(texts, index, solutions=solutions).rows] = 1
        return found

    for part in engine.stream_rows(path, [column], overlaps, 1):
        yield part.ravel().astype(np.bool_)


def look(
    texts: pa.Array, rows: list[int], index: overlap.Index, *, solutions: bool
) -> dict[int, list[Found]]:
    """Row -> the items that its text overlaps."""
    found: dict[int, list[Found]] = defaultdict(list)
    place = "solution" if solutions else "problem"
    matches = overlap.match(texts, index, solutions=solutions)
    for at, *rest in zip(*(each.tolist() for each in asdict(matches).values()), strict=True):
        item, kind, *measures = rest
        found[rows[at]].append(Found(item, kind, place, *measures))
    return found


def telling(found: list[Found], items: list[Item]) -> list[Found]:
    """Every same, contained and rephrased item; of the variants the nearest of each benchmark."""
    nearest: dict[str, Found] = {}
    kept = []
    for pair in found:
        if pair.kind != VARIANT:
            kept.append(pair)
            continue
        benchmark = items[pair.item].benchmark
        if benchmark not in nearest or pair.containment > nearest[benchmark].containment:
            nearest[benchmark] = pair
    return sorted([*kept, *nearest.values()], key=lambda pair: (pair.kind, pair.item))


def evidence(pair: Found, item: Item, raw: str, ngram_size: int) -> Row:
    """What a person needs to judge a pair. A private item's text stays out of it."""
    own, other = spelling.spelled(raw), spelling.spelled(item.problem)

    def difference(left: spelling.Tokens, right: spelling.Tokens, *kinds: int) -> list[str]:
        has = Counter(token.spelling for token in left if token.kind in kinds)
        has -= Counter(token.spelling for token in right if token.kind in kinds)
        return sorted(has.elements())

    shown = not item.private
    signs = (OPERATOR, MACRO)
    return {
        "class": CLASSES[pair.kind],
        "place": pair.place,
        "benchmark": item.benchmark,
        "benchmark_revision": item.revision,
        "benchmark_split": item.split,
        "item_id": item.id,
        "item_problem": item.problem if shown else None,
        "containment": pair.containment,
        "item_in_text": pair.item_in_text,
        "text_in_item": pair.text_in_item,
        "missing_numbers": difference(other, own, NUMBER) if shown else [],
        "extra_numbers": difference(own, other, NUMBER) if shown else [],
        "missing_operators": difference(other, own, *signs) if shown else [],
        "extra_operators": difference(own, other, *signs) if shown else [],
        "row_spans": spelling.spans(own, other, ngram_size) if shown else [],
        "item_spans": spelling.spans(other, own, ngram_size) if shown else [],
    }


def write_candidates(
    path: Path,
    unique: Path,
    items: list[Item],
    embedder: embeddings.Embedder,
    found: dict[int, list[Found]],
    forbidden: set[str],
) -> int:
    """Write the pairs that the model proposes and no class holds; returns how many."""
    classified = {(row, pair.item) for row, pairs in found.items() for pair in pairs}
    at = 0
    with (
        Writer(path, CANDIDATE) as writer,
        tqdm(total=num_rows(unique), unit=" problems", unit_scale=True, disable=None) as bar,
    ):
        for batch in read_batches(unique, _PROBLEM.names):
            ids, problems = (column.to_pylist() for column in batch.columns)
            rows = []
            for pair in embedder.propose(problems):
                if (at + pair.row, pair.item) in classified or ids[pair.row] in forbidden:
                    continue
                item = items[pair.item]
                rows.append(
                    {
                        "id": ids[pair.row],
                        "problem": problems[pair.row],
                        "benchmark": item.benchmark,
                        "item_id": item.id,
                        "item_problem": None if item.private else item.problem,
                        "cosine": pair.cosine,
                    }
                )
            writer.write(pa.Table.from_pylist(rows, schema=CANDIDATE))
            bar.update(len(batch))
            at += len(batch)
    return writer.num_rows


def measure(
    hidden: list[canaries.Canary], found: dict[int, list[Found]], row_of: dict[str, int]
) -> tuple[dict[str, dict[str, int]], list[Row]]:
    """By form: canaries and how many were called contamination; and the wrong ones."""
    counts: dict[str, dict[str, int]] = {}
    wrong = []
    for canary in hidden:
        pairs = found.get(row_of[canary_id(canary)], [])
        classes = {pair.kind for pair in pairs if pair.item == canary.item}
        hit = bool(classes - {VARIANT})
        count = counts.setdefault(canary.form, {"num": 0, "num_found": 0})
        count["num"] += 1
        count["num_found"] += hit
        if hit == (canary.form in canaries.CONTROLS):
            wrong.append({"benchmark": canary.benchmark, "item": canary.item, "form": canary.form})
    return counts, wrong


def canary_id(canary: canaries.Canary) -> str:
    return content_id("canary", canary.benchmark, canary.form, str(canary.item), canary.problem)


def filter_rows(path: Path, items: list[Item], out: Path, settings: Params) -> dict[str, Any]:
    """Write kept, removed, evidence.parquet and canaries.json into out; return the metrics.

    Raises:
        InputError: there is no row, all are contaminated, or the filter misses its canaries.
    """
    group, first, hashes = problem_groups(path)
    if not len(group):
        raise InputError(f"{path} holds no rows: see metrics/deduplicate.json")
    is_first = np.zeros(len(group), np.bool_)
    is_first[first] = True
    is_sampled = np.zeros(len(group), np.bool_)
    is_sampled[first[np.argsort(hashes, kind="stable")[:SAMPLE_SIZE]]] = True
    sample = column_where(path, "problem", is_sampled).combine_chunks()
    problems = pa.array([item.problem for item in items])
    index = overlap.build(problems, sample, settings.thresholds)

    out.mkdir(parents=True, exist_ok=True)
    hidden = hidden_canaries(items, settings)
    with tempfile.TemporaryDirectory(dir=out, prefix=".scratch-") as scratch:
        unique = Path(scratch) / "problems.parquet"
        write_sorted(unique, _unique_problems(path, is_first, hidden), _as_rows(_PROBLEM))
        hit = np.concatenate([*flags(unique, "problem", index, solutions=False)])
        in_problems = look(
            column_where(unique, "problem", hit).combine_chunks(),
            np.flatnonzero(hit).tolist(),
            index,
            solutions=False,
        )
        ids = column_where(unique, "id", np.ones(num_rows(unique), np.bool_)).to_pylist()
        forbidden = {canary_id(canary) for canary in hidden}
        num_candidates = None
        if settings.embeddings:
            embedder = embeddings.Embedder(settings.embeddings, [i.problem for i in items])
            num_candidates = write_candidates(
                out / "candidates.parquet", unique, items, embedder, in_problems, forbidden
            )
    row_of = {name: row for row, name in enumerate(ids)}
    counts, wrong = measure(hidden, in_problems, row_of)
    stop_at_low_recall(counts, settings.min_canary_recall)
    group_of = {ids[row]: found for row, found in in_problems.items()}
    first_ids = column_where(path, "id", is_first).to_pylist()
    order = group[np.flatnonzero(is_first)]
    by_group = {
        int(number): telling(group_of[name], items)
        for number, name in zip(order, first_ids, strict=True)
        if name in group_of
    }
    tally = write_results(path, out, settings, items, index, group, by_group)
    for batch in read_batches(out / "kept.parquet", ["id"]):
        assert forbidden.isdisjoint(batch.column(0).to_pylist()), "a canary is in the training set"
    write_json(out / "canaries.json", {"by_form": counts, "wrong": wrong})
    metrics = {**tally, "num_items_checked": len(items), "canaries": counts}
    if num_candidates is not None:
        metrics["num_candidates"] = num_candidates
    return metrics


def hidden_canaries(items: list[Item], settings: Params) -> list[canaries.Canary]:
    """The canaries that these items and settings give."""
    return canaries.choose(
        [(item.benchmark, item.problem) for item in items],
        settings.canaries_per_benchmark,
        settings.seed,
    )


def _as_rows(schema: pa.Schema) -> pa.Schema:
    """The columns that write_sorted orders by, for rows that have no origin."""
    return pa.schema([*schema, EXAMPLE.field("origin_file"), EXAMPLE.field("origin_row")])


def _unique_problems(
    path: Path, is_first: npt.NDArray[np.bool_], hidden: list[canaries.Canary]
) -> Iterator[pa.RecordBatch]:
    schema = _as_rows(_PROBLEM)
    at = 0
    for batch in read_batches(path, schema.names):
        yield batch.filter(pa.array(is_first[at : at + len(batch)]))
        at += len(batch)
    rows = [
        {"id": canary_id(canary), "problem": canary.problem, "origin_file": "", "origin_row": 0}
        for canary in hidden
    ]
    yield from pa.Table.from_pylist(rows, schema=schema).to_batches()


def write_results(
    path: Path,
    out: Path,
    settings: Params,
    items: list[Item],
    index: overlap.Index,
    group: npt.NDArray[np.int64],
    by_group: dict[int, list[Found]],
) -> dict[str, Any]:
    """Write kept, removed and evidence in one pass over the rows; returns the metrics.

    Solutions are searched on the way: the engine is ahead by as many rows as it takes at once.
    """
    in_solutions = ahead(flags(path, "solution", index, solutions=True))
    told = np.empty(0, np.bool_)  # of the rows from here on
    hit = np.isin(group, np.fromiter(by_group, np.int64, len(by_group)))
    goes = {"same", "contained", "rephrase"} if settings.action == "remove" else set()
    goes |= {"variant"} if settings.variants == "quarantine" else set()
    stays = {"remove": "kept", "flag": "flagged", "keep": "kept"}[settings.action]
    by_class, by_reason, by_source, by_corpus = (
        Counter[str](),
        Counter[str](),
        Counter[str](),
        Counter[str](),
    )
    by_benchmark, cells = Counter[str](), Counter[tuple[str, str, str, str]]()
    items_hit = set()
    at = 0
    with (
        Writer(out / "kept.parquet", EXAMPLE) as kept,
        Writer(out / "removed.parquet", removed_schema(pa.struct(HIT))) as removed,
        Writer(out / "evidence.parquet", EVIDENCE) as shown,
    ):
        for batch in ahead(read_batches(path)):
            while len(told) < len(batch):
                told = np.append(told, next(in_solutions))
            rows = np.flatnonzero(told[: len(batch)])
            here = np.flatnonzero(hit[at : at + len(batch)] | told[: len(batch)])
            told = told[len(batch) :]
            solutions = batch.column("solution").take(pa.array(rows))
            by_solution = look(solutions, rows.tolist(), index, solutions=True)
            keep = np.ones(len(batch), np.bool_)
            gone, hits = [], []
            for place in here.tolist():
                row = batch.slice(place, 1).to_pylist()[0]
                pairs = [
                    *by_group.get(int(group[at + place]), []),
                    *telling(by_solution.get(place, []), items),
                ]
                known: dict[tuple[int, int], Found] = {}
                for pair in pairs:
                    known.setdefault((pair.item, pair.kind), pair)
                own = [
                    evidence(
                        pair, items[pair.item], row[pair.place], settings.thresholds.ngram_size
                    )
                    for pair in known.values()
                ]
                worst = min(own, key=lambda one: CLASSES.index(one["class"]))
                for one in own:
                    one["action"] = "removed" if worst["class"] in goes else stays
                    by_class[one["class"]] += 1
                    if one["class"] != "variant":
                        by_benchmark[one["benchmark"]] += 1
                        items_hit.add((one["benchmark"], one["item_id"]))
                worst_of: dict[str, str] = {}
                for one in sorted(own, key=lambda one: CLASSES.index(one["class"])):
                    worst_of.setdefault(one["benchmark"], one["class"])
                for benchmark, kind in worst_of.items():
                    cells[row["corpus"], row["source"], benchmark, kind] += 1
                head = {column: row[column] for column in ("id", "corpus", "source")}
                hits += [{**head, **one} for one in own]
                if worst["class"] in goes:
                    keep[place] = False
                    gone.append({**row, "reason": worst["class"], "evidence": worst})
                    by_reason[worst["class"]] += 1
                    by_source[row["source"]] += 1
            left = batch.filter(pa.array(keep)) if gone else batch
            counts = left.column("corpus").value_counts().to_pylist()
            by_corpus.update({one["values"]: one["counts"] for one in counts})
            kept.write(left)
            removed.write(pa.Table.from_pylist(gone, schema=removed.schema))
            shown.write(pa.Table.from_pylist(hits, schema=EVIDENCE))
            at += len(batch)
        if not kept.num_rows:
            raise InputError(f"all {at} rows are contaminated: see decontaminate in conf/")
    assert kept.num_rows + removed.num_rows == len(group)
    return {
        "num_in": len(group),
        "num_kept": kept.num_rows,
        "num_removed": removed.num_rows,
        "num_items_hit": len(items_hit),
        "contaminated_rows_by_benchmark": dict(sorted(by_benchmark.items())),
        "hits_by_class": dict(sorted(by_class.items())),
        "kept_by_corpus": dict(sorted(by_corpus.items())),
        "removed_by_reason": dict(sorted(by_reason.items())),
        "removed_by_source": dict(sorted(by_source.items())),
        "contamination": [
            dict(zip(("corpus", "source", "benchmark", "class"), cell, strict=True))
            | {"num_rows": count}
            for cell, count in sorted(cells.items())
        ],
    }


def stop_at_low_recall(counts: dict[str, dict[str, int]], least: float) -> None:
    """Raise InputError where copies that must be found are not: the filter cannot be trusted."""
    forms = [
        form for form in ("verbatim", "reformatted", "rewrapped", "embedded") if form in counts
    ]
    for form in forms:
        count = counts[form]
        if count["num_found"] < least * count["num"]:
            raise InputError(
                f"of {count['num']} canaries ({form}) the filter found {count['num_found']}, less "
                f"than decontaminate.min_canary_recall={least}: see conf/decontaminate/"
            )
