"""Which training rows hold a benchmark's item, from the evidence that `decontaminate` wrote."""

from pathlib import Path

from mathledger.core.tables import Row, read_batches

Hits = dict[str, dict[str, dict[str, bool]]]  # benchmark -> item -> training row -> was it removed


def holds_item(hit: Row) -> bool:
    """Return True if a row of the evidence holds its item; a variant is another problem."""
    return bool(hit["class"] != "variant")


def overlapping_rows(path: Path) -> Hits:
    """Read the training rows that hold an item, removed or not.

    Args:
        path: the file of evidence.

    Raises:
        InputError: it is missing.
    """
    hits: Hits = {}
    for batch in read_batches(path, ["id", "benchmark", "item_id", "class", "action"]):
        for hit in batch.to_pylist():
            if holds_item(hit):
                rows = hits.setdefault(hit["benchmark"], {}).setdefault(hit["item_id"], {})
                rows[hit["id"]] = hit["action"] == "removed"
    return hits
