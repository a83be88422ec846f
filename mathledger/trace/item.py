"""Trace a benchmark item: the responses to it, and the rows that the filter matched to it."""

from dataclasses import dataclass, replace
from itertools import islice

import pyarrow.compute as pc

from mathledger.card.outputs import EVIDENCE, KEPT, REMOVED, responses_path
from mathledger.card.overlap import holds_item
from mathledger.chain import facts
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.core.tables import Row
from mathledger.trace.lookup import (
    MAX_NAMED,
    WITHHELD,
    everything,
    having,
    rows_where,
)

TEXTS = {"problem", "answer", "solution", "response", "thinking", "extracted_answer", "reference"}
TEXTS |= {"item_problem", "item_solution"}


@dataclass(frozen=True)
class ItemTrace:
    """A benchmark item with its responses and the rows that overlap it."""

    revision: str
    commit: str | None
    benchmark: str
    is_private: bool
    left_out: str | None  # reason why the item is not evaluated
    item: Row
    is_overlapping: bool
    responses: list[Row]  # each with its model
    hits: list[Row]  # rows of the evidence, each with the texts of its training row


def trace(chain: Chain, target: str) -> ItemTrace:
    """Gather an item, its responses and the rows that the filter matched to it.

    Args:
        target: the item as BENCHMARK/ID.

    Raises:
        InputError: the item does not exist, or a file is missing.
    """
    benchmark, _, name = target.partition("/")
    if not name:
        raise InputError(f"{target} is not an item: give BENCHMARK/ID")
    models = list(chain.benchmark(benchmark).models)
    item, left_out = _item(chain, benchmark, name)
    responses = [
        {"model": model, **row}
        for model in models
        for row in rows_where(chain, responses_path(model, benchmark), *having("item_id", name))
    ]
    hits = _hits(chain, benchmark, name)
    trace = ItemTrace(
        chain.name,
        chain.commit,
        benchmark,
        facts.is_private(chain.params, benchmark),
        left_out,
        item,
        any(map(holds_item, hits)),
        responses,
        hits,
    )
    return withheld(trace) if trace.is_private else trace


def _item(chain: Chain, benchmark: str, name: str) -> tuple[Row, str | None]:
    """Return an item, and the reason why it is not evaluated, or None if it is."""
    folder = f"data/download_benchmark/{benchmark}"
    # Search all items of the source, because the filter also checks those that are not evaluated.
    items = list(rows_where(chain, f"{folder}/all_items.parquet", *having("id", name)))
    if not items:
        others = rows_where(chain, f"{folder}/all_items.parquet", ["id"], everything, ["id"])
        named = ", ".join(each["id"] for each in islice(others, MAX_NAMED))
        raise InputError(f"{benchmark} of {chain.label} has no item {name}; it has {named}, ...")
    evaluated = list(rows_where(chain, f"{folder}/items.parquet", *having("id", name)))
    reasons = {each["id"]: each["reason"] for each in chain.json(f"{folder}/left_out.json")}
    item = {
        "answer_type": None,
        **(evaluated or items)[0],
        "subsets": dict(items[0]["subsets"]),
    }
    return item, None if evaluated else reasons.get(name, "no reason recorded")


def _hits(chain: Chain, benchmark: str, name: str) -> list[Row]:
    hits = list(
        rows_where(
            chain,
            EVIDENCE,
            ["benchmark", "item_id"],
            lambda table: pc.and_(
                pc.equal(table["benchmark"], benchmark), pc.equal(table["item_id"], name)
            ),
        )
    )
    rows = texts(chain, [hit["id"] for hit in hits]) if hits else {}
    return [{**hit, "row": rows[hit["id"]]} for hit in hits]


def texts(chain: Chain, ids: list[str]) -> dict[str, Row]:
    """Read the problems and solutions of rows that reached the filter, removed or not, by id.

    Raises:
        InputError: a row is missing.
    """
    rows = {
        each.pop("id"): each
        for part in (KEPT, REMOVED)
        for each in rows_where(
            chain,
            f"data/decontaminate/{part}",
            *having("id", *ids),
            ["id", "problem", "solution"],
        )
    }
    for lost in set(ids) - rows.keys():
        raise InputError(
            f"data/decontaminate of {chain.label} has evidence about row {lost}, but lacks the "
            "row: run `dvc repro`"
        )
    return rows


def withheld(trace: ItemTrace) -> ItemTrace:
    """Return the trace without texts, because a private benchmark's texts must not be shown."""
    return replace(
        trace,
        item=_without_texts(trace.item),
        responses=[_without_texts(response) for response in trace.responses],
        hits=[{**_without_texts(hit), "row": _without_texts(hit["row"])} for hit in trace.hits],
    )


def _without_texts(row: Row) -> Row:
    return {key: WITHHELD if key in TEXTS else value for key, value in row.items()}
