"""Find the training rows that hold a benchmark item, from the evidence of `decontaminate`."""

from pathlib import Path

from mathledger.core.tables import Row, read_batches

# In these classes a row holds the item or its solution.
CONTAMINATION = ("same", "contained", "rephrase", "solution")

Hits = dict[str, dict[str, dict[str, bool]]]  # benchmark -> item -> training row -> removed?


def holds_item(hit: Row) -> bool:
    """Return True if a hit means that the row holds the item.

    A variant and a sibling are different problems, and so is a pair judged to be `different`.
    """
    return hit["class"] in CONTAMINATION


def overlapping_rows(path: Path) -> Hits:
    """Read which training rows hold an item, and whether they were removed.

    Args:
        path: the evidence file of `decontaminate`.

    Raises:
        InputError: the file is missing.
    """
    hits: Hits = {}
    for batch in read_batches(path, ["id", "benchmark", "item_id", "class", "action"]):
        for hit in batch.to_pylist():
            if holds_item(hit):
                rows = hits.setdefault(hit["benchmark"], {}).setdefault(hit["item_id"], {})
                rows[hit["id"]] = hit["action"] == "removed"
    return hits
