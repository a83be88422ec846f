"""Trace a training row through every stage, back to its row in the download."""

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
from mathledger.data import formats, values
from mathledger.data.chats import examples_of
from mathledger.trace.lookup import (
    MAX_NAMED,
    WITHHELD,
    having,
    rows_where,
)

ORIGIN = ("corpus", "origin_file", "origin_row")  # distinguishes exact copies, which share an id
FILTERS = ("deduplicate", "decontaminate")


@dataclass(frozen=True)
class Removal:
    """The reason why a stage removed a row, with evidence."""

    reason: str
    evidence: Row | None


@dataclass(frozen=True)
class Passage:
    """A row's passage through one stage."""

    stage: str
    removal: Removal | None  # null if the stage kept the row


@dataclass(frozen=True)
class Decontaminated(Passage):
    """A row's passage through `decontaminate`, with its rows of the evidence."""

    hits: list[Row]


@dataclass(frozen=True)
class Sampled:
    """The number of times that the mix drew a row for each split."""

    train: int
    validation: int


@dataclass(frozen=True)
class Raw:
    """The raw row of the download, with its file and source."""

    file: str
    row: int  # counted from 0
    sha256: str  # digest of the file
    md5: str
    name: str  # name of the source
    revision: str
    licence: str
    content: Row


@dataclass(frozen=True)
class Copy:
    """One of the rows with the same text and therefore the same id."""

    corpus: str
    source: str
    problem: str
    solution: str
    answer: str | None
    sampled: Sampled | None  # null if the row was removed before the mix
    stages: list[Passage]  # the stages that the row reached, the last one first
    raw: Raw


@dataclass(frozen=True)
class RowTrace:
    """A training row with all its copies."""

    revision: str
    commit: str | None
    id: str
    copies: list[Copy]


@dataclass(frozen=True)
class _Rows:
    """The rows with one id in the files of the later stages."""

    by_file: dict[tuple[str, str], list[Row]]  # keyed by stage, and KEPT or REMOVED
    hits: list[Row]
    sampled: Sampled


def trace(chain: Chain, head: str) -> RowTrace:
    """Follow a training row through every stage.

    Args:
        head: the row's id, or a unique prefix of it.

    Raises:
        InputError: no row or more than one matches the prefix, or a file is missing.
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
    """Return the passage of one copy of a row through a filter."""
    reached = [
        (part, each)
        for part in (KEPT, REMOVED)
        for each in rows.by_file[stage, part]
        if all(each[key] == row[key] for key in ORIGIN)
    ]
    if not reached:
        raise InputError(
            f"data/{stage} of {chain.label} neither kept nor removed row {row['id']} of "
            f"{row['origin_file']}: run `dvc repro`"
        )
    removal = _removal(*reached[-1])
    if stage == "decontaminate":
        return Decontaminated(stage, removal, rows.hits)
    return Passage(stage, removal)


def overlaps_private(chain: Chain, copies: list[Copy]) -> bool:
    """Return True if the row, or the row it duplicates, overlaps an item of a private benchmark."""
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
    """Return the copy without texts, but with its position in the download."""
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
    texts = ("kept_problem", "item_problem", "item_solution")
    return {key: WITHHELD if key in texts else value for key, value in row.items()}


def whole_id(chain: Chain, head: str) -> str:
    """Return the only row id with this prefix."""
    if not re.fullmatch("[0-9a-f]{1,32}", head):
        raise InputError(f"{head} is not a row id: give 32 hex digits (0-9, a-f), or the first few")
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
                    break  # enough ids for the error message
    if not ids:
        raise InputError(
            f"no row of {', '.join(chain.params['corpus'])} has an id that begins with {head} in "
            f"{chain.label}: the column `id` of data/mix/train.parquet lists the training rows"
        )
    if len(ids) > 1:
        named = ", ".join(sorted(ids)[:MAX_NAMED]) + (", ..." if len(ids) > MAX_NAMED else "")
        raise InputError(f"{head} is a prefix of several row ids: {named}; give more digits")
    return ids.pop()


def raw(chain: Chain, row: Row) -> Raw:
    """Return the row of the download from which a training row was made.

    Raises:
        InputError: the raw row does not exist, or its text differs from the training row's.
    """
    corpus, name, number = (row[key] for key in ORIGIN)
    path = f"data/download_corpus/{corpus}/{name}"
    receipt = chain.json(f"data/download_corpus/{corpus}/receipt.json")
    content = raw_row(chain, path, number)
    mapping = chain.stage(f"prepare@{corpus}").params[f"corpus.{corpus}.mapping"]
    for column in ("problem", "solution"):
        if stated(content, mapping, column) != row[column]:
            source = mapping[column] or mapping["messages"]
            raise InputError(
                f"{path}, row {number}: {source} does not hold the {column} of row "
                f"{row['id']}, so the download has changed since `prepare` read it: run `dvc repro`"
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
        InputError: the file cannot be read, or is shorter.
    """
    try:
        row = formats.raw_row(chain.cached(path), Path(path).name, number)
    except (ValueError, pa.ArrowException, OSError) as error:
        raise InputError(f"{path} of {chain.label}, row {number}: {error}") from None
    if row is None:
        raise InputError(f"{path} of {chain.label} has no row {number}: run `dvc repro`")
    return row


def stated(content: Row, mapping: dict[str, str | None], column: str) -> str | None:
    """Return the problem or the solution of a raw row, as `prepare` reads it."""
    name = mapping[column]
    if name is not None:
        return text_of(content.get(name))
    chat = content.get(mapping["messages"] or "")
    try:
        example = examples_of([chat])[0].as_py()
    except values.UnfitError:
        return None
    return text_of(example and example[column])


def text_of(value: Any) -> str | None:
    """Return a text as `prepare` reads it, stripped of white space, or None if it is empty."""
    try:
        text = values.text_of(value, "text")
    except values.UnfitError:
        return None
    return pc.utf8_trim_whitespace(pa.scalar(text, pa.string())).as_py() or None
