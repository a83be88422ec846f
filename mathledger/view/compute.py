"""Turn items and responses into the content of the page, as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mathledger.card.overlap import holds_item
from mathledger.core.escaping import MAX_SHOWN, printable
from mathledger.core.tables import Row
from mathledger.view.formulas import Formulas
from mathledger.view.load import Asked, Loaded

MAX_REPEATS = 4  # responses of a model shown for an item; all of them are counted


@dataclass(frozen=True)
class Content:
    """The content of the page; a text is a list of strings and of numbers of formulas."""

    models: list[str]
    benchmarks: list[str]
    items: list[dict[str, Any]]
    formulas: list[tuple[str, str | None]]  # the source, and MathML if it can be drawn
    notes: list[str]


def content(loaded: Loaded) -> Content:
    formulas = Formulas()
    items = [_item(asked, formulas) for asked in loaded.asked]
    notes = list(loaded.notes)
    most = max((len(rows) for each in loaded.asked for rows in each.samples.values()), default=0)
    if most > MAX_REPEATS:
        notes.append(f"of {most} responses of a model to an item the first {MAX_REPEATS} are shown")
    chosen = loaded.chosen
    return Content(chosen.models, chosen.benchmarks, items, formulas.rows, notes)


def _item(asked: Asked, formulas: Formulas) -> dict[str, Any]:
    item = asked.item
    return {
        "benchmark": asked.benchmark,
        "id": printable(item["id"]),
        "subsets": [f"{printable(key)}: {printable(value)}" for key, value in _pairs(item)],
        "problem": formulas.parts(shortened(item["problem"])),
        "reference": printable(item["answer"]),
        "solution": formulas.parts(shortened(item["solution"])) if item["solution"] else None,
        "contaminated": any(map(holds_item, asked.hits)),
        "rows": [_row(hit, formulas) for hit in asked.hits],
        "answers": {name: _answers(rows, formulas) for name, rows in asked.samples.items()},
    }


def _pairs(item: Row) -> Sequence[tuple[str, str]]:
    """Return an item's subsets; parquet returns a map as pairs."""
    subsets = item["subsets"] or []
    return [*subsets.items()] if isinstance(subsets, dict) else list(subsets)


def _row(hit: Row, formulas: Formulas) -> dict[str, Any]:
    text = hit["text"]
    return {
        "id": hit["id"],
        "from": printable(f"{hit['corpus']} / {hit['source']}, {hit['place']}"),
        "kind": hit["class"],
        "action": hit["action"],
        "text": None if text is None else formulas.parts(shortened(text)),
    }


def _answers(rows: list[Row], formulas: Formulas) -> dict[str, Any]:
    ordered = sorted(rows, key=lambda row: row["repeat"])
    return {
        "correct": sum(row["correct"] for row in ordered),
        "asked": len(ordered),
        "shown": [
            {
                "verdict": row["verdict"],
                "sure": row["is_sure"],
                "ending": row["finish_reason"],
                "answer": printable(row["extracted_answer"] or ""),
                "tokens": row["num_tokens"],
                # Samples of older commits have no thinking.
                "thinking": formulas.parts(shortened(row.get("thinking") or "")),
                "response": formulas.parts(shortened(row["response"])),
            }
            for row in ordered[:MAX_REPEATS]
        ],
    }


def shortened(text: str) -> str:
    """Return a text with its control characters spelled out; a long one loses its middle.

    The end stays, because that is where a response states its answer.
    """
    shown = printable(text)
    half = MAX_SHOWN // 2
    if len(shown) <= MAX_SHOWN:
        return shown
    return f"{shown[:half]}\n… ({len(shown) - 2 * half:,} characters left out) …\n{shown[-half:]}"
