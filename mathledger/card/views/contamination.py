"""Tabulate the overlap of benchmarks with the training data, and the scores on it."""

from mathledger.card.ledger import Ledger
from mathledger.card.markdown import points, table
from mathledger.card.views.scores import score_cell


def overlap_table(ledger: Ledger) -> str:
    """Tabulate the scores on items with and without overlap; return "" if none overlaps."""
    rows = []
    for entry in ledger.benchmarks:
        if not entry.num_items_overlapping_training_candidates:
            continue
        for name, score in entry.models.items():
            clean, overlapping = score.items_without_overlap, score.items_with_overlap
            fewest = min(clean.num_items, overlapping.num_items)
            gap = points(score.overlap_gap, fewest) if score.overlap_gap else ""
            rows.append([entry.benchmark, name, score_cell(clean), score_cell(overlapping), gap])
    head = ["benchmark", "model", "items without overlap", "overlapping items"]
    return table([*head, "difference, points"], rows, 2) if rows else ""


def without_overlap(ledger: Ledger) -> list[str]:
    """Return the benchmarks without any item in the corpora."""
    return [
        entry.benchmark
        for entry in ledger.benchmarks
        if not entry.num_items_overlapping_training_candidates
    ]


def canary_table(ledger: Ledger) -> str:
    """Tabulate the results of testing the filter on changed copies, by form of change."""
    rows = [
        [row.form, row.num, row.num_found, "none" if row.is_control else "all"]
        for row in ledger.decontaminate.canaries
    ]
    head = ["changed copy of a benchmark item", "shown", "called contamination", "expected"]
    return table(head, rows)
