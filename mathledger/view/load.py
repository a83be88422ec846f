"""Read the items of the chosen benchmarks, the models' responses and the training rows behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mathledger.card import pairs
from mathledger.card.outputs import Outputs
from mathledger.card.overlap import holds_item
from mathledger.core.configuration import PARAMS
from mathledger.core.errors import InputError
from mathledger.core.receipts import is_private
from mathledger.core.tables import Row, read_batches, read_rows
from mathledger.run.params import evaluated_models

MAX_ROWS = 5  # training rows shown for an item
HIT = ["id", "corpus", "source", "class", "place", "benchmark", "item_id", "containment", "action"]


@dataclass(frozen=True)
class Chosen:
    """What the page is about."""

    models: list[str]
    benchmarks: list[str]
    withheld: list[str]  # private benchmarks, which no page shows


@dataclass(frozen=True)
class Asked:
    """An item of a benchmark, with each model's responses by repeat."""

    benchmark: str
    item: Row
    samples: dict[str, list[Row]]
    hits: list[Row]  # overlaps with training rows, with their text as `text`; the closest first


@dataclass(frozen=True)
class Loaded:
    chosen: Chosen
    asked: list[Asked]
    notes: list[str]  # sentences about what the page leaves out


def choose(names: Sequence[str], settings: Mapping[str, Any], outputs: Outputs) -> Chosen:
    """Return the models and benchmarks of these names; without names, all of them.

    Raises:
        InputError: params.yaml has no such model or benchmark, or all chosen ones are private.
    """
    try:
        models, benchmarks = evaluated_models(settings), list(settings["benchmark"])
    except (KeyError, TypeError):
        raise InputError(f"{PARAMS} names no evaluation: run `python -m stages.params`") from None
    for name in names:
        if name not in models and name not in benchmarks:
            raise InputError(
                f"{name} is neither a model ({', '.join(models)}) nor a benchmark "
                f"({', '.join(benchmarks)}) of {PARAMS}"
            )
    wanted = [name for name in benchmarks if name in names] or benchmarks
    withheld = [name for name in wanted if is_private(outputs.benchmarks / name)]
    if withheld == wanted:
        raise InputError(
            f"nothing to show: {', '.join(wanted)} is private, and its items and the responses to "
            "them stay out of every page"
        )
    return Chosen(
        [name for name in models if name in names] or models,
        [name for name in wanted if name not in withheld],
        withheld,
    )


def read(chosen: Chosen, outputs: Outputs, max_items: int) -> Loaded:
    """Read up to `max_items` items of each benchmark, with everything that belongs to them.

    Raises:
        InputError: a file is missing or damaged.
    """
    notes = [
        f"withheld: {name} is private, so its items and the responses to them are not shown"
        for name in chosen.withheld
    ]
    items: dict[str, list[Row]] = {}
    for name in chosen.benchmarks:
        every = outputs.items(name)
        items[name] = every[:max_items]
        if len(every) > max_items:
            notes.append(
                f"{name}: the first {max_items:,} of {len(every):,} items; --max-items "
                f"{len(every)} shows all"
            )
    hits = _hits(outputs, {(name, item["id"]) for name in items for item in items[name]})
    asked: list[Asked] = []
    for name, shown in items.items():
        samples = {model: _samples(outputs, model, name) for model in chosen.models}
        asked += [
            Asked(
                name,
                item,
                {model: samples[model].get(item["id"], []) for model in chosen.models},
                hits.get((name, item["id"]), []),
            )
            for item in shown
        ]
    return Loaded(chosen, asked, notes)


def _samples(outputs: Outputs, model: str, benchmark: str) -> dict[str, list[Row]]:
    by_item: dict[str, list[Row]] = {}
    for row in read_rows(outputs.samples(model, benchmark)):
        by_item.setdefault(row["item_id"], []).append(row)
    return by_item


def _hits(outputs: Outputs, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], list[Row]]:
    """Return the overlaps of each wanted item: those that hold it first, and few of the others.

    A training row that also overlaps a private item is counted, but its text is withheld.
    """
    found: dict[tuple[str, str], list[Row]] = {}
    for batch in read_batches(outputs.evidence, HIT):
        for hit in batch.to_pylist():
            key = hit["benchmark"], hit["item_id"]
            if key in wanted:
                found.setdefault(key, []).append(hit)
    for key, own in found.items():
        own.sort(key=lambda hit: (not holds_item(hit), -(hit["containment"] or 0), hit["id"]))
        found[key] = own[:MAX_ROWS]
    private = pairs.rows_of_private_items(outputs.evidence)
    shown = {hit["id"] for own in found.values() for hit in own} - private
    texts = pairs.texts([outputs.removed, outputs.kept], shown) if shown else {}
    for own in found.values():
        for hit in own:
            hit["text"] = texts[hit["id"]][hit["place"]] if hit["id"] in texts else None
    return found
