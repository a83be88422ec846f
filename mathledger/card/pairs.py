"""Choose the pairs of texts by which a person can judge the filters, and mark what they share.

The files are streamed, and memory holds a short list for each class and benchmark. Texts of private
benchmark items are never shown, nor are rows that overlap them.
"""

import difflib
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mathledger.card.outputs import Outputs
from mathledger.core.tables import Row, read_batches

CLASSES = ("solution", "rephrase", "contained", "same")  # from the hardest to judge to the easiest
OTHER_PROBLEMS = ("variant", "sibling")
NUM_PAIRS, NUM_OTHERS, PER_GROUP = 20, 6, 3
MAX_CHARACTERS = 2000  # a longer text is cut to this length around its first match

Span = tuple[int, int]
Piece = tuple[str, bool]  # a text, and whether the other side shares it


@dataclass(frozen=True)
class Side:
    """One text of a pair, cut into shared and other pieces."""

    label: str
    id: str
    pieces: list[Piece]


@dataclass(frozen=True)
class Pair:
    """A training row with the benchmark item or the kept row that it was compared with."""

    kind: str
    action: str
    sides: tuple[Side, Side]
    facts: dict[str, str]


def marked(text: str, spans: Iterable[Span]) -> list[Piece]:
    """Split a text into pieces inside and outside the spans; shorten a long one around the first.

    >>> marked("Let x be 2.", [(4, 8)])
    [('Let ', False), ('x be', True), (' 2.', False)]
    """
    ordered = sorted(spans)
    first = ordered[0][0] if ordered else 0
    start = max(0, min(first - MAX_CHARACTERS // 4, len(text) - MAX_CHARACTERS))
    end = min(len(text), start + MAX_CHARACTERS)
    pieces, at = [("… ", False)] if start else [], start
    for left, right in ordered:
        left, right = max(left, at), min(right, end)
        if left < right:
            pieces += [(text[at:left], False), (text[left:right], True)]
            at = right
    pieces += [(text[at:end], False), (" …" if end < len(text) else "", False)]
    return [piece for piece in pieces if piece[0]]


def shared(own: str, other: str) -> tuple[list[Span], list[Span]]:
    """Return the spans of the word runs that two texts share, for each of the texts.

    >>> shared("a red box", "a box")
    ([(0, 1), (6, 9)], [(0, 1), (2, 5)])
    """
    words = [[*re.finditer(r"[^\W\d_]+|\d+|\S", text)] for text in (own, other)]
    left, right = ([word[0] for word in each] for each in words)
    matcher = difflib.SequenceMatcher(None, left, right)
    blocks = [block for block in matcher.get_matching_blocks() if block.size]

    def spans(words: Sequence[re.Match[str]], starts: Iterable[int]) -> list[Span]:
        sizes = (block.size for block in blocks)
        return [
            (words[start].start(), words[start + size - 1].end())
            for start, size in zip(starts, sizes, strict=True)
        ]

    return spans(words[0], (b.a for b in blocks)), spans(words[1], (b.b for b in blocks))


def doubt(hit: Row) -> tuple[Any, ...]:
    """Return a sort key that puts the most doubtful decisions first.

    These are the removals that share least with their item, and the other pairs that share most.
    """
    row, item = (
        sum(span["end"] - span["start"] for span in hit[spans])
        for spans in ("row_spans", "item_spans")
    )
    is_other = hit["class"] in OTHER_PROBLEMS
    if is_other:
        differences = ("missing_numbers", "extra_numbers", "missing_operators", "extra_operators")
        measure = [-hit["containment"], sum(len(hit[each]) for each in differences)]
    else:
        measure = [hit["containment"], -abs(row - item)]
    is_other_of_removed = is_other and hit["action"] == "removed"
    return is_other_of_removed, *measure, hit["id"], hit["item_id"], hit["place"]


class Shortlist:
    """The PER_GROUP rows with the smallest keys in each group, with one row per subject."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, tuple[tuple[Any, ...], Row]]] = {}

    def offer(self, group: str, subject: str, key: tuple[Any, ...], row: Row) -> None:
        own = self._groups.setdefault(group, {})
        if subject not in own or key < own[subject][0]:
            own[subject] = key, row
        if len(own) > PER_GROUP:
            del own[max(own, key=lambda each: own[each][0])]

    def bars(self) -> dict[str, tuple[Any, ...]]:
        """Return the largest key of each full group; rows with larger keys need not be offered."""
        full = {group: own for group, own in self._groups.items() if len(own) == PER_GROUP}
        return {group: max(key for key, _ in own.values()) for group, own in full.items()}

    def in_turn(self) -> list[Row]:
        """Return the best row of each group, then the second best of each, and so on."""
        keys = sorted(self._groups)
        return in_turn(
            [row for _, row in sorted(self._groups[key].values(), key=lambda each: each[0])]
            for key in keys
        )


def in_turn(lists: Iterable[Iterable[Row]]) -> list[Row]:
    """Interleave lists: return the first row of each, then the second of each, and so on."""
    rounds = itertools.zip_longest(*lists)
    return [row for each in rounds for row in each if row is not None]


def rows_of_private_items(evidence: Path) -> set[str]:
    """Return the ids of the rows that overlap an item of a private benchmark."""
    ids: set[str] = set()
    for batch in read_batches(evidence, ["id", "item_problem"]):
        ids.update(batch["id"].filter(batch["item_problem"].is_null()).to_pylist())
    return ids


def telling_hits(evidence: Path, private: set[str]) -> dict[str, list[Row]]:
    """Return for each class the hits that are hardest to judge, alternating between benchmarks."""
    shortlists = {kind: Shortlist() for kind in (*CLASSES, *OTHER_PROBLEMS)}
    hidden = pa.array(sorted(private), pa.string())
    for batch in read_batches(evidence):
        shown = batch.filter(pc.invert(pc.is_in(batch["id"], value_set=hidden)))
        undecided = shown.filter(pc.not_equal(shown["decided_by"], "person"))
        for kind in OTHER_PROBLEMS:
            undecided = promising(undecided, kind, shortlists[kind])
        for hit in undecided.to_pylist():
            shortlists[hit["class"]].offer(hit["benchmark"], hit["item_id"], doubt(hit), hit)
    return {kind: shortlist.in_turn() for kind, shortlist in shortlists.items()}


def promising(hits: pa.RecordBatch, kind: str, shortlist: Shortlist) -> pa.RecordBatch:
    """Drop the hits of a class that cannot enter its short list."""
    for benchmark, (is_other_of_removed, least, *_) in shortlist.bars().items():
        if not is_other_of_removed:
            of_benchmark = pc.and_(
                pc.equal(hits["class"], kind), pc.equal(hits["benchmark"], benchmark)
            )
            beyond = pc.greater(pc.negate(hits["containment"]), pa.scalar(least, pa.float32()))
            hits = hits.filter(pc.invert(pc.and_(of_benchmark, beyond)))
    return hits


def telling_duplicates(duplicates: Path, private: set[str]) -> list[Row]:
    """Return the near duplicates least similar to the kept row, alternating between corpora."""
    shortlist = Shortlist()
    columns = ["id", "corpus", "source", "reason", "evidence"]
    for batch in read_batches(duplicates, columns):
        near = batch.filter(pc.equal(batch["reason"], "near_duplicate"))
        for row in near.to_pylist():
            kept = row["evidence"]
            # A duplicate of a row that overlaps a private item may hold that item too.
            # Without a similarity a person decided, and there is nothing to judge.
            is_judged = kept["jaccard"] is None
            if kept["kept_problem"] and not is_judged and kept["kept_id"] not in private:
                group = f"{row['corpus']} {kept['kept_corpus']}"
                key = kept["jaccard"], row["id"]
                shortlist.offer(group, kept["kept_id"], key, {**row, "class": "near duplicate"})
    return shortlist.in_turn()


def texts(paths: list[Path], ids: Iterable[str]) -> dict[str, Row]:
    """Read the id, problem and solution of the named rows; return them by id."""
    wanted = pa.array(sorted(set(ids)), pa.string())
    by_id: dict[str, Row] = {}
    for path in paths:
        for batch in read_batches(path, ["id", "problem", "solution"]):
            rows = batch.filter(pc.is_in(batch["id"], value_set=wanted)).to_pylist()
            by_id |= {row["id"]: row for row in rows}
            if len(by_id) == len(wanted):
                return by_id
    return by_id


def hit_pair(hit: Row, row: Row) -> Pair:
    """Pair a training row with the benchmark item that it overlaps."""
    spans = [
        [(span["start"], span["end"]) for span in hit[f"{side}_spans"]] for side in ("row", "item")
    ]
    split = f", {hit['benchmark_split']}" if hit["benchmark_split"] else ""
    facts = {"n-grams of the item in the row": f"{100 * hit['containment']:.0f}%"}
    for what in ("numbers", "operators"):
        facts[f"missing {what}"] = listed(hit[f"missing_{what}"])
        facts[f"extra {what}"] = listed(hit[f"extra_{what}"])
    return Pair(
        hit["class"],
        hit["action"],
        (
            Side(
                f"{hit['corpus']} / {hit['source']}, {hit['place']}",
                hit["id"],
                marked(row[hit["place"]], spans[0]),
            ),
            Side(
                f"{hit['benchmark']}{split}, revision {hit['benchmark_revision']}",
                hit["item_id"],
                marked(hit["item_solution"] or hit["item_problem"], spans[1]),
            ),
        ),
        facts,
    )


def duplicate_pair(removed: Row, row: Row) -> Pair:
    """Pair a removed row with the kept row that it duplicates."""
    kept = removed["evidence"]
    own, other = shared(row["problem"], kept["kept_problem"])
    return Pair(
        removed["class"],
        "removed",
        (
            Side(
                f"{removed['corpus']} / {removed['source']}, problem",
                removed["id"],
                marked(row["problem"], own),
            ),
            Side(
                f"kept: {kept['kept_corpus']} / {kept['kept_source']}, problem",
                kept["kept_id"],
                marked(kept["kept_problem"], other),
            ),
        ),
        {"Jaccard similarity": f"{kept['jaccard']:.2f}"},
    )


def listed(values: list[str]) -> str:
    """Format a list of at most twelve values, or `none` if it is empty."""
    more = f" and {len(values) - 12} more" if len(values) > 12 else ""
    return (", ".join(values[:12]) or "none") + more


def choose(outputs: Outputs) -> tuple[list[Pair], list[Pair]]:
    """Choose up to NUM_PAIRS contaminated rows and near duplicates, and NUM_OTHERS others.

    The others are variants and siblings. Pairs are chosen from the classes in turn, so that each
    class is present, and then sorted by class.
    """
    private = rows_of_private_items(outputs.evidence)
    hits = telling_hits(outputs.evidence, private)
    near = telling_duplicates(outputs.duplicates, private)
    chosen = in_turn([*(hits[kind] for kind in CLASSES), near])[:NUM_PAIRS]
    others = in_turn(hits[kind] for kind in OTHER_PROBLEMS)[:NUM_OTHERS]
    overlapping = [row for row in chosen if row["class"] in CLASSES]
    duplicates = [row for row in chosen if row["class"] not in CLASSES]
    files = [outputs.removed, outputs.kept]
    text_of = texts(files, (hit["id"] for hit in (*overlapping, *others)))
    copy_of = texts([outputs.duplicates], (row["id"] for row in duplicates))
    overlapping.sort(key=lambda hit: (CLASSES.index(hit["class"]), hit["benchmark"], doubt(hit)))
    return (
        [hit_pair(hit, text_of[hit["id"]]) for hit in overlapping]
        + [duplicate_pair(row, copy_of[row["id"]]) for row in duplicates],
        [hit_pair(hit, text_of[hit["id"]]) for hit in others],
    )
