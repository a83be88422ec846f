"""Find the rows that a data stage gained and lost, by merging the sorted ids of two files.

Only the id column is read, one batch at a time, and files with equal digests are skipped. During
the walk, the reason for each difference is looked up in the sorted ids of the stage's other files.
Texts are read only for the few rows that are shown.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from mathledger.card.outputs import KEPT, REMOVED
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.core.tables import Row, num_rows, read_batches

EXAMPLES = 2  # rows shown for each reason
NOT_IN_INPUT = "not in its input"
MIX = ("train.parquet", "validation.parquet")
MIXED = f"data/decontaminate/{KEPT}"


@dataclass(frozen=True)
class Example:
    """An example of the rows that a file gained or lost."""

    id: str
    change: str  # gained or lost
    reason: str
    problem: str | None  # null, like the evidence, if a benchmark is private
    evidence: Row | None


@dataclass(frozen=True)
class RowsDifference:
    """A file of rows that differs between the sides."""

    stage: str
    file: str
    num_a: int
    num_b: int
    gained_by: dict[str, int]  # reason for the absence on the other side -> number of rows
    lost_by: dict[str, int]
    examples: list[Example]
    columns: list[str]  # columns that differ although the ids are the same

    @property
    def num_gained(self) -> int:
        return sum(self.gained_by.values())

    @property
    def num_lost(self) -> int:
        return sum(self.lost_by.values())


def walk(old: Iterable[str], new: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield each id in only one of two sorted streams, and whether it was gained; copies count.

    >>> list(walk(["a", "b", "b", "d"], ["b", "c", "d"]))
    [('a', False), ('b', False), ('c', True)]
    """
    left, right = iter(old), iter(new)
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        if a == b:
            a, b = next(left, None), next(right, None)
        elif b is None or (a is not None and a < b):
            assert a is not None
            yield a, False
            a = next(left, None)
        else:
            yield b, True
            b = next(right, None)


class Lookup:
    """A lookup of texts by id in a sorted stream, for ids in ascending order.

    >>> lookup = Lookup(iter([("b", "same"), ("d", "too_long")]))
    >>> [lookup.find(row) for row in ("a", "b", "b", "c", "d", "e")]
    [None, 'same', 'same', None, 'too_long', None]
    """

    def __init__(self, said: Iterator[tuple[str, str]]) -> None:
        self._said = said
        self._here = next(said, None)

    def find(self, row: str) -> str | None:
        while self._here and self._here[0] < row:
            self._here = next(self._said, None)
        return self._here[1] if self._here and self._here[0] == row else None


def ids(path: Path) -> Iterator[str]:
    """Yield the ids of a file of rows.

    Raises:
        InputError: the ids are not sorted.
    """
    return (row for row, _ in _said(path, None))


def _said(path: Path, column: str | None) -> Iterator[tuple[str, str]]:
    """Yield pairs of an id and a column's text, which is "" if no column is given."""
    last = ""
    for batch in read_batches(path, ["id", *([column] if column else [])]):
        own = batch["id"]
        if not len(own):
            continue
        is_less = pc.any(pc.less(own.slice(1), own.slice(0, len(own) - 1))).as_py()
        if is_less or own[0].as_py() < last:
            raise InputError(f"{path}: the ids are not sorted: run `dvc repro` to rewrite the file")
        texts = batch[column].to_pylist() if column else [""] * len(own)
        yield from zip(own.to_pylist(), texts, strict=True)
        last = own[-1].as_py()


def differences(a: Chain, b: Chain, stage: str, is_private: bool) -> list[RowsDifference]:
    """Return the rows gained and lost in each file of rows that a stage passes on.

    Args:
        is_private: True if a benchmark is private, so that no texts may be shown.
    """
    kind, _, item = stage.partition("@")
    folder = f"data/{kind}/{item}" if item else f"data/{kind}"
    if kind == "download_benchmark":
        names: tuple[str, ...] = ("items.parquet",)
    elif kind == "mix":
        names = MIX
    elif kind in ("prepare", "deduplicate", "decontaminate"):
        names = (KEPT,)
    else:
        return []
    return [
        _difference(a, b, stage, f"{folder}/{name}", is_private)
        for name in names
        if a.md5(f"{folder}/{name}") != b.md5(f"{folder}/{name}")
    ]


def _difference(a: Chain, b: Chain, stage: str, path: str, is_private: bool) -> RowsDifference:
    old, new = a.cached(path), b.cached(path)
    if path.endswith("items.parquet"):
        streams = [iter(sorted(ids_in_any_order(file))) for file in (old, new)]
    else:
        streams = [ids(old), ids(new)]
    before, after = _lookups(a, path), _lookups(b, path)
    counts = {"gained": Counter[str](), "lost": Counter[str]()}
    shown: dict[tuple[str, str], list[str]] = {}
    for row, is_gained in walk(*streams):
        change = "gained" if is_gained else "lost"
        answers = (lookup.find(row) for lookup in (before if is_gained else after))
        reason = next((text for text in answers if text is not None), NOT_IN_INPUT)
        counts[change][reason] += 1
        own = shown.setdefault((change, reason), [])
        if len(own) < EXAMPLES:
            own.append(row)
    return RowsDifference(
        stage,
        path,
        num_rows(old),
        num_rows(new),
        dict(counts["gained"].most_common()),
        dict(counts["lost"].most_common()),
        _examples(a, b, path, shown, is_private) if shown else [],
        [] if shown else _changed_columns(old, new),
    )


def ids_in_any_order(path: Path) -> list[str]:
    return [row for batch in read_batches(path, ["id"]) for row in batch["id"].to_pylist()]


def _lookups(chain: Chain, path: str) -> list[Lookup]:
    """Return lookups for the reason why a row is absent from a file of this state."""
    folder, _, name = path.rpartition("/")
    if name == KEPT:
        return [Lookup(_said(chain.cached(f"{folder}/{REMOVED}"), "reason"))]
    if name in MIX:
        other = MIX[1 - MIX.index(name)]
        return [
            Lookup((row, f"in {other}") for row in ids(chain.cached(f"{folder}/{other}"))),
            Lookup((row, "not drawn") for row in ids(chain.cached(MIXED))),
        ]
    return []


def _examples(
    a: Chain, b: Chain, path: str, shown: dict[tuple[str, str], list[str]], is_private: bool
) -> list[Example]:
    """Return examples with their texts, and with the evidence if they were removed."""
    folder, _, name = path.rpartition("/")
    examples = []
    for (change, reason), rows in shown.items():
        # Read a row's text on the side that has it, and the evidence on the side that removed it.
        here, there = (b, a) if change == "gained" else (a, b)
        texts = {} if is_private else _read(here.cached(path), rows)
        evidence = {}
        if name == KEPT and not is_private and reason != NOT_IN_INPUT:
            evidence = _read(there.cached(f"{folder}/{REMOVED}"), rows)
        examples += [
            Example(
                row,
                change,
                reason,
                _problem(texts.get(row, {})),
                evidence.get(row, {}).get("evidence"),
            )
            for row in rows
        ]
    return examples


def _problem(row: Row) -> str | None:
    """Return a row's problem, which in a training row is the last message to the model."""
    if "prompt" in row:
        return str(row["prompt"][-1]["content"])
    return row.get("problem")


def _read(path: Path, rows: list[str]) -> dict[str, Row]:
    """Read a few rows of a file by id, and only from the row groups that hold them."""
    by_id: dict[str, Row] = {}
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            own = file.read_row_group(group, ["id"])["id"].to_pylist()
            for place in [place for place, row in enumerate(own) if row in rows]:
                whole = file.read_row_group(group).slice(place, 1)
                by_id.setdefault(own[place], whole.to_pylist()[0])
            if len(by_id) == len(set(rows)):
                break
    return by_id


def _changed_columns(old: Path, new: Path) -> list[str]:
    """Return the columns that differ between two files with the same ids."""
    columns_changed: dict[str, None] = {}
    for before, after in zip(read_batches(old), read_batches(new), strict=True):
        columns = dict.fromkeys([*before.schema.names, *after.schema.names])
        for column in columns:
            sides = [
                batch[column] if column in batch.schema.names else None for batch in (before, after)
            ]
            if sides[0] is None or sides[1] is None or not sides[0].equals(sides[1]):
                columns_changed[column] = None
    return list(columns_changed)
