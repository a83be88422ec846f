"""Tabulate the overlap of benchmarks with the training data, and the scores on it."""

from mathledger.card.ledger import Ledger
from mathledger.card.markdown import percent, points, table
from mathledger.card.views.scores import score_cell
from mathledger.data.canary_forms import CONTROLS, COPIES


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


def reviewed(ledger: Ledger) -> str:
    """Say how many pairs people judged; return "" if nobody judged any."""
    counts = ledger.decontaminate.reviewed
    if counts is None or not any(counts.content().values()):
        return ""
    text = (
        f"People judged {counts.num_same + counts.num_different} pairs of a training text and an "
        f"item: {counts.num_same} as the same problem and {counts.num_different} as different "
        f"problems. {counts.num_overruled} of these verdicts overrule the filter."
    )
    if counts.num_stale:
        text += f" Ignored: {counts.num_stale} older verdicts about texts that have changed."
    return text


def reviewed_copies(ledger: Ledger) -> str:
    """Say how many pairs of training problems people judged; return "" if nobody judged any."""
    counts = ledger.decontaminate.reviewed_copies
    if counts is None or not counts.num_same + counts.num_different:
        return ""
    return (
        f"People judged {counts.num_same + counts.num_different} pairs of training problems: "
        f"{counts.num_same} as copies and {counts.num_different} as different problems."
    )


def judged(ledger: Ledger) -> str:
    """Say what a language model judged; return "" if none did."""
    counts = ledger.decontaminate.judged
    if counts is None:
        return ""
    num_pairs = counts.num_same + counts.num_different + counts.num_undecided
    return (
        f"The language model {counts.model} (prompt {counts.prompt}) judged {num_pairs} pairs that "
        f"an embedding model proposes: {counts.num_same} as the same problem in both orders, "
        f"{counts.num_different} as different problems, and {counts.num_undecided} without a "
        "verdict."
    )


def remaining(ledger: Ledger) -> str:
    """Say how many leaks remain by capture-recapture; return "" if there are too few to tell."""
    leaks = ledger.decontaminate.leaks
    if leaks is None or leaks.remaining is None:
        return ""
    left = leaks.remaining
    return (
        f"Of the leaks that the filter recognises, shared {leaks.first} propose {leaks.num_first}, "
        f"{leaks.second} propose {leaks.num_second}, and both propose {leaks.num_both}. Another "
        f"{left.value:g} [{left.low:g}, {left.high:g}] leaks remain by Chapman's estimate, which "
        "assumes that the two find leaks independently of each other; they both find near copies, "
        "so the true number is probably higher."
    )


def canary_table(ledger: Ledger, *, controls: bool) -> str:
    """Tabulate the filter's test by form: recall on copies, or false alarms on controls."""
    described = CONTROLS if controls else COPIES
    rows = [
        [
            row.form.replace("_", " "),
            described.get(row.form, ""),
            row.num,
            row.num_found,
            f"{percent(row.found_rate, row.num)} "
            f"[{percent(row.low, row.num)}, {percent(row.high, row.num)}]",
        ]
        for row in ledger.decontaminate.canaries
        if row.is_control == controls
    ]
    what = "different problem" if controls else "changed copy"
    share = "false alarms, %" if controls else "recall, %"
    return table([what, "change", "shown", "called contamination", share], rows, 2)
