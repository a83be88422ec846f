"""One training row through every stage, back to its row of the download."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mathledger.card.outputs import EVIDENCE, KEPT, REMOVED
from mathledger.chain import facts
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.core.tables import Row
from mathledger.data import readers
from mathledger.trace.lookup import (
    MAX_NAMED,
    WITHHELD,
    having,
    rows_where,
)

ORIGIN = ("corpus", "origin_file", "origin_row")  # tells rows of equal id apart: exact copies
FILTERS = ("deduplicate", "decontaminate")


@dataclass(frozen=True)
class Removal:
    reason: str
    evidence: Row | None


@dataclass(frozen=True)
class Passage:
    """A row in a stage."""

    stage: str
    removal: Removal | None  # null: the stage kept it


@dataclass(frozen=True)
class Decontaminated(Passage):
    hits: list[Row]  # of the evidence


@dataclass(frozen=True)
class Sampled:
    """How often the mix drew a row."""

    train: int
    validation: int


@dataclass(frozen=True)
class Raw:
    """The row of the download as it is there, and the file that holds it."""

    file: str
    row: int  # from 0
    sha256: str  # of the file, as its md5
    md5: str
    name: str  # of the source, as revision and licence
    revision: str
    licence: str
    content: Row


@dataclass(frozen=True)
class Copy:
    """One of the rows that have the same text, and so the same id."""

    corpus: str
    source: str
    problem: str
    solution: str
    answer: str | None
    sampled: Sampled | None  # null: it was removed before
    stages: list[Passage]  # those that it reached, the last one first
    raw: Raw


@dataclass(frozen=True)
class RowTrace:
    revision: str
    commit: str | None
    id: str
    copies: list[Copy]


@dataclass(frozen=True)
class _Rows:
    """The rows of one id in the files of the later stages."""

    by_file: dict[tuple[str, str], list[Row]]  # by stage, and KEPT or REMOVED
    hits: list[Row]
    sampled: Sampled


def trace(chain: Chain, head: str) -> RowTrace:
    """Follow a training row through every stage.

    Args:
        head: its id, or as much of it as no other id begins with.

    Raises:
        InputError: no row, or more than one, has such an id; or a file is missing.
    """
    name = whole_id(chain, head)
    rows = _Rows(
        {
            (stage, part): list(rows_where(chain, f"data/{stage}/{part}", *having("id", name)))
            for stage in FILTERS
            for part in (KEPT, REMOVED)
        },
        list(rows_where(chain, EVIDENCE, *having("id", name))),
        Sampled(*(_num_sampled(chain, part, name) for part in ("train", "validation"))),
    )
    copies = [
        follow(chain, row, _prepared(corpus, part, row), rows)
        for corpus in chain.params["corpus"]
        for part in (KEPT, REMOVED)
        for row in rows_where(chain, f"data/prepare/{corpus}/{part}", *having("id", name))
    ]
    if overlaps_private(chain, copies):
        copies = [withheld(copy) for copy in copies]
    return RowTrace(chain.name, chain.commit, name, copies)


def _num_sampled(chain: Chain, part: str, name: str) -> int:
    return len(list(rows_where(chain, f"data/mix/{part}.parquet", *having("id", name), ["id"])))


def _prepared(corpus: str, part: str, row: Row) -> Passage:
    return Passage(f"prepare@{corpus}", _removal(part, row))


def _removal(part: str, row: Row) -> Removal | None:
    return Removal(row["reason"], row["evidence"]) if part == REMOVED else None


def follow(chain: Chain, row: Row, prepared: Passage, rows: _Rows) -> Copy:
    """Follow one copy of a row through the stages that it reached."""
    stages = [prepared]
    for stage in FILTERS:
        if stages[0].removal:
            break
        stages.insert(0, _filtered(chain, row, stage, rows))
    return Copy(
        row["corpus"],
        row["source"],
        row["problem"],
        row["solution"],
        row["answer"],
        None if stages[0].removal else rows.sampled,
        stages,
        raw(chain, row),
    )


def _filtered(chain: Chain, row: Row, stage: str, rows: _Rows) -> Passage:
    """Return what a filter did with one copy of a row."""
    reached = [
        (part, each)
        for part in (KEPT, REMOVED)
        for each in rows.by_file[stage, part]
        if all(each[key] == row[key] for key in ORIGIN)
    ]
    if not reached:
        raise InputError(
            f"data/{stage} of {chain.label} holds row {row['id']} of {row['origin_file']} "
            "neither as kept nor as removed: run `dvc repro`"
        )
    removal = _removal(*reached[-1])
    if stage == "decontaminate":
        return Decontaminated(stage, removal, rows.hits)
    return Passage(stage, removal)


def overlaps_private(chain: Chain, copies: list[Copy]) -> bool:
    """Return True if a row, or the one that it duplicates, overlaps a private benchmark's item."""
    stages = [stage for copy in copies for stage in copy.stages]
    originals = {
        stage.removal.evidence["kept_id"]
        for stage in stages
        if stage.stage == "deduplicate" and stage.removal and stage.removal.evidence
    }
    hits = [hit for stage in stages if isinstance(stage, Decontaminated) for hit in stage.hits]
    if originals:
        hits += rows_where(chain, EVIDENCE, *having("id", *originals))
    return any(
        facts.is_private(chain.params, benchmark)
        for benchmark in {hit["benchmark"] for hit in hits}
    )


def withheld(copy: Copy) -> Copy:
    """Drop the texts, and keep where the row is in the download."""
    return replace(
        copy,
        problem=WITHHELD,
        solution=WITHHELD,
        answer=WITHHELD,
        stages=[_withheld(stage) for stage in copy.stages],
        raw=replace(copy.raw, content={"row": WITHHELD}),
    )


def _withheld(stage: Passage) -> Passage:
    removal = stage.removal
    if removal and removal.evidence:
        stage = replace(stage, removal=replace(removal, evidence=_without_texts(removal.evidence)))
    if isinstance(stage, Decontaminated):
        stage = replace(stage, hits=[_without_texts(hit) for hit in stage.hits])
    return stage


def _without_texts(row: Row) -> Row:
    texts = ("kept_problem", "item_problem")
    return {key: WITHHELD if key in texts else value for key, value in row.items()}


def whole_id(chain: Chain, head: str) -> str:
    """Complete the first digits of an id."""
    if not re.fullmatch("[0-9a-f]{1,32}", head):
        raise InputError(f"{head} is no id of a row: 32 digits of 0-9 and a-f, or the first of one")
    ids: set[str] = set()
    for corpus in chain.params["corpus"]:
        for part in (KEPT, REMOVED):
            rows = rows_where(
                chain,
                f"data/prepare/{corpus}/{part}",
                ["id"],
                lambda table: pc.starts_with(table["id"], head),
                ["id"],
            )
            for each in rows:
                ids.add(each["id"])
                if len(ids) > MAX_NAMED:
                    break  # enough to say so
    if not ids:
        raise InputError(
            f"no row of {', '.join(chain.params['corpus'])} has an id that begins with {head} in "
            f"{chain.label}; the column `id` of data/mix/train.parquet names those trained on"
        )
    if len(ids) > 1:
        named = ", ".join(sorted(ids)[:MAX_NAMED]) + (", ..." if len(ids) > MAX_NAMED else "")
        raise InputError(f"{head} begins the ids of several rows: {named}; give more digits")
    return ids.pop()


def raw(chain: Chain, row: Row) -> Raw:
    """Return the row of the download that a training row was made from.

    Raises:
        InputError: there is no such row, or it has another text than the training row.
    """
    corpus, name, number = (row[key] for key in ORIGIN)
    path = f"data/download_corpus/{corpus}/{name}"
    receipt = chain.json(f"data/download_corpus/{corpus}/receipt.json")
    content = raw_row(chain, path, number)
    mapping = chain.stage(f"prepare@{corpus}").params[f"corpus.{corpus}.mapping"]
    for column in ("problem", "solution"):
        if text_of(content.get(mapping[column])) != row[column]:
            raise InputError(
                f"{path}, row {number}: {mapping[column]} is not the {column} of row "
                f"{row['id']}: the download is another than `prepare` read; run `dvc repro`"
            )
    return Raw(
        path,
        number,
        receipt["files"][name]["sha256"],
        chain.md5(path),
        receipt["name"],
        receipt["revision"],
        receipt["licence"],
        content,
    )


def raw_row(chain: Chain, path: str, number: int) -> Row:
    """Return a row of a downloaded file, counted from 0.

    Raises:
        InputError: the file cannot be read, or has no such row.
    """
    try:
        row = readers.raw_row(chain.cached(path), Path(path).suffix, number)
    except (ValueError, pa.ArrowException, OSError) as error:
        raise InputError(f"{path} of {chain.label}, row {number}: {error}") from None
    if row is None:
        raise InputError(f"{path} of {chain.label} has no row {number}: run `dvc repro`")
    return row


def text_of(value: Any) -> str | None:
    """Return a text as `prepare` reads it: without space around it; None if none is left."""
    return (
        pc.utf8_trim_whitespace(pa.scalar(readers.valid_text(value), pa.string())).as_py() or None
    )
