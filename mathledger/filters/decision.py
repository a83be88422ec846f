"""Decide whether a training row that overlaps benchmark items is removed, and collect evidence.

`overlap.class_of` classifies a pair of row and item; `decide` then decides about the row.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from mathledger.core.errors import InputError
from mathledger.core.tables import EXAMPLE, Row
from mathledger.filters import spelling
from mathledger.filters.items import Item
from mathledger.filters.overlap import (
    CLASSES,
    CONTAMINATION,
    NO_CLASS,
    SIBLING,
    SOLUTION,
    VARIANT,
)
from mathledger.text.tokens import MACRO, NUMBER, OPERATOR

_SPANS = pa.list_(pa.struct([pa.field("start", pa.int32()), pa.field("end", pa.int32())]))
_STRINGS = pa.list_(pa.string())
OVERLAP = [
    pa.field("class", pa.string()),
    pa.field("decided_by", pa.string()),  # One of "rule", "judge" and "person".
    pa.field("rule_class", pa.string()),  # Null if the rule finds no overlap.
    pa.field("note", pa.string()),  # Who decided and why; null if the rule did.
    pa.field("place", pa.string()),  # Either "problem" or "solution".
    pa.field("benchmark", pa.string()),
    pa.field("benchmark_revision", pa.string()),
    pa.field("benchmark_split", pa.string()),
    pa.field("item_id", pa.string()),
    pa.field("item_problem", pa.string()),  # Null if the benchmark is private.
    pa.field("item_solution", pa.string()),  # Only in the class "solution"; null if it is private.
    pa.field("containment", pa.float32()),
    pa.field("item_in_text", pa.float32()),  # These two are the stem overlap in both directions.
    pa.field("text_in_item", pa.float32()),
    pa.field("missing_numbers", _STRINGS),
    pa.field("extra_numbers", _STRINGS),
    pa.field("missing_operators", _STRINGS),
    pa.field("extra_operators", _STRINGS),
    pa.field("row_spans", _SPANS),  # Character ranges that the item shares.
    pa.field("item_spans", _SPANS),
    pa.field("action", pa.string()),  # One of "removed", "flagged" and "kept".
]
# A row is withheld if it holds an item or overlaps a private one: it may be trained on, but no
# result shows its text.
KEPT = pa.schema([*EXAMPLE, pa.field("is_withheld", pa.bool_(), nullable=False)])
EVIDENCE = pa.schema(
    [*(pa.field(name, pa.string()) for name in ("id", "corpus", "source")), *OVERLAP]
)


# One item may always remove this many problems, as copies of it in other words.
MIN_PROBLEMS_PER_ITEM = 100
# A pair has this class if somebody judged that its texts are different problems.
DIFFERENT = len(CLASSES)
NAMES = (*CLASSES, "different")
# In these classes the row does not hold the item.
NO_ITEM = tuple(name for name in NAMES if name not in CONTAMINATION)


class Ruling(NamedTuple):
    """A decision about a pair that replaces the rule's."""

    by: str  # Either "judge" or "person".
    rule_kind: int  # What the rule says: an index into CLASSES, or NO_CLASS.
    note: str


class Match(NamedTuple):
    """A pair of a training row and a benchmark item that it overlaps."""

    item: int  # The item's number in the index.
    kind: int  # Index into NAMES; a smaller value is a closer match.
    place: str  # Either "problem" or "solution".
    containment: float
    item_in_text: float
    text_in_item: float
    ruling: Ruling | None = None  # Null if the rule decided.

    @property
    def name(self) -> str:
        """Return the name of the match's class."""
        return NAMES[self.kind]

    @property
    def holds_item(self) -> bool:
        """Return True if the match means that the row holds the item."""
        return self.kind != NO_CLASS and self.name not in NO_ITEM

    @property
    def by_rule(self) -> "Match":
        """Return the match as the rule decides it; the class NO_CLASS means that it finds none."""
        return self._replace(kind=self.ruling.rule_kind, ruling=None) if self.ruling else self

    @property
    def rule_class(self) -> str | None:
        """Return the class by the rule, or None if it finds no overlap."""
        kind = self.by_rule.kind
        return None if kind == NO_CLASS else CLASSES[kind]


@dataclass(frozen=True)
class Policy:
    """The policy for rows that overlap items, as the params set it."""

    removed: frozenset[str]  # The classes that cause removal.
    kept_as: str  # Action recorded for a row that stays: "kept" or "flagged".


@dataclass(frozen=True)
class Decision:
    """The decision about a row that overlaps items."""

    matches: tuple[Match, ...]  # Each item occurs at most once per class.
    worst: Match
    is_removed: bool
    action: str  # "removed", "kept" or "flagged", the same for all matches of the row.


def decide(matches: Iterable[Match], policy: Policy) -> Decision:
    """Remove a row if the worst class of its matches is one that the policy removes.

    In this example the problem is a variant of item 7, and the solution contains item 3:

    >>> variant = Match(7, CLASSES.index("variant"), "problem", 0.7, 0.9, 0.9)
    >>> contained = Match(3, CLASSES.index("contained"), "solution", 0.9, 1.0, 0.2)
    >>> policy = Policy(removed=frozenset({"same", "contained", "rephrase"}), kept_as="kept")
    >>> decision = decide([variant, contained], policy)
    >>> decision.worst.name, decision.action
    ('contained', 'removed')
    >>> decide([variant], policy).action
    'kept'
    """
    distinct: dict[tuple[int, int], Match] = {}
    for match in matches:
        distinct.setdefault((match.item, match.kind), match)
    worst = min(distinct.values(), key=lambda match: match.kind)
    is_removed = worst.name in policy.removed
    action = "removed" if is_removed else policy.kept_as
    return Decision(tuple(distinct.values()), worst, is_removed, action)


def nearest(matches: list[Match], items: list[Item]) -> list[Match]:
    """Return all matches, but only the nearest variant and sibling of each benchmark."""
    near: dict[tuple[str, int], Match] = {}
    others = []
    for match in matches:
        if match.kind not in (VARIANT, SIBLING):
            others.append(match)
            continue
        group = items[match.item].benchmark, match.kind
        if group not in near or match.containment > near[group].containment:
            near[group] = match
    return sorted([*others, *near.values()], key=lambda match: (match.kind, match.item))


def evidence(match: Match, item: Item, raw: str, ngram_size: int) -> Row:
    """Return what a person needs to judge a match, without the text of a private item."""
    text = item.solution or "" if match.kind == SOLUTION else item.problem
    own, other = spelling.spelled(raw), spelling.spelled(text)

    def difference(left: spelling.Tokens, right: spelling.Tokens, *kinds: int) -> list[str]:
        has = Counter(token.spelling for token in left if token.kind in kinds)
        has -= Counter(token.spelling for token in right if token.kind in kinds)
        return sorted(has.elements())

    shown = not item.private
    signs = (OPERATOR, MACRO)
    return {
        "class": match.name,
        "decided_by": match.ruling.by if match.ruling else "rule",
        "rule_class": match.rule_class,
        "note": match.ruling.note if match.ruling else None,
        "place": match.place,
        "benchmark": item.benchmark,
        "benchmark_revision": item.revision,
        "benchmark_split": item.split,
        "item_id": item.id,
        "item_problem": item.problem if shown else None,
        "item_solution": item.solution if shown and match.kind == SOLUTION else None,
        "containment": match.containment,
        "item_in_text": match.item_in_text,
        "text_in_item": match.text_in_item,
        "missing_numbers": difference(other, own, NUMBER) if shown else [],
        "extra_numbers": difference(own, other, NUMBER) if shown else [],
        "missing_operators": difference(other, own, *signs) if shown else [],
        "extra_operators": difference(own, other, *signs) if shown else [],
        "row_spans": spelling.spans(own, other, ngram_size) if shown else [],
        "item_spans": spelling.spans(other, own, ngram_size) if shown else [],
    }


def stop_at_broad_item(
    matches: Iterable[list[Match]], items: list[Item], num_problems: int, limit: float
) -> None:
    """Raise InputError if one item is found in too many problems to be a leak of all of them."""
    counts = Counter(
        item for own in matches for item in {match.item for match in own if match.holds_item}
    )
    for number, count in counts.most_common(1):
        if count > max(MIN_PROBLEMS_PER_ITEM, limit * num_problems):
            item = items[number]
            raise InputError(
                f"{item.benchmark}: item {item.id} is found in {count} of {num_problems} problems, "
                f"more than decontaminate.max_rate_per_item={limit}; correct or remove it"
            )


class Tally:
    """Counts of matches and decisions over all rows."""

    def __init__(self) -> None:
        self.hits_by_class = Counter[str]()
        self.rows_by_benchmark = Counter[str]()  # Rows that hold an item of the benchmark.
        self.items_hit = set[tuple[str, str]]()  # Variants are not counted here.
        self.kept_by_corpus = Counter[str]()  # Rows without a match are counted as well.
        self.removed_by_reason = Counter[str]()
        self.removed_by_source = Counter[str]()
        # Counts rows by corpus, source, benchmark and the worst class of a match with it.
        self.cells = Counter[tuple[str, str, str, str]]()

    def add_kept(self, rows: pa.RecordBatch) -> None:
        counts = rows.column("corpus").value_counts().to_pylist()
        self.kept_by_corpus.update({each["values"]: each["counts"] for each in counts})

    def add(self, row: Row, decision: Decision, items: list[Item]) -> None:
        """Count a row that overlaps items."""
        worst: dict[str, Match] = {}
        held = set[str]()
        for match in sorted(decision.matches, key=lambda match: match.kind):
            benchmark = items[match.item].benchmark
            self.hits_by_class[match.name] += 1
            if match.kind != DIFFERENT:
                worst.setdefault(benchmark, match)
            if match.holds_item:
                held.add(benchmark)
                self.items_hit.add((benchmark, items[match.item].id))
        self.rows_by_benchmark.update(held)
        for benchmark, match in worst.items():
            self.cells[row["corpus"], row["source"], benchmark, match.name] += 1
        if decision.is_removed:
            self.removed_by_reason[decision.worst.name] += 1
            self.removed_by_source[row["source"]] += 1

    def metrics(self) -> dict[str, Any]:
        """Return the tally's part of metrics/decontaminate.json."""
        return {
            "num_items_hit": len(self.items_hit),
            "contaminated_rows_by_benchmark": dict(sorted(self.rows_by_benchmark.items())),
            "hits_by_class": dict(sorted(self.hits_by_class.items())),
            "kept_by_corpus": dict(sorted(self.kept_by_corpus.items())),
            "removed_by_reason": dict(sorted(self.removed_by_reason.items())),
            "removed_by_source": dict(sorted(self.removed_by_source.items())),
            "contamination": [
                dict(zip(("corpus", "source", "benchmark", "class"), cell, strict=True))
                | {"num_rows": count}
                for cell, count in sorted(self.cells.items())
            ],
        }


def evidence_of(
    row: Row, decision: Decision, items: list[Item], ngram_size: int
) -> dict[Match, Row]:
    """Return the evidence for each match of a row."""
    return {
        match: evidence(match, items[match.item], row[match.place], ngram_size)
        | {"action": decision.action}
        for match in decision.matches
    }
