"""Tabulate the four probes of memorisation."""

from mathledger.card.ledger_memorisation import (
    Completions,
    Parts,
    Responses,
    Right,
    TwinDrop,
    Twins,
    Verbatim,
)
from mathledger.card.markdown import percent, table
from mathledger.evaluation.parts import LABELS


def twins_table(probe: Twins) -> str:
    """Tabulate each model's scores on items and on their twins."""
    rows = [
        [
            row.benchmark,
            row.model,
            share_cell(row.all.accuracy, row.all.num_items),
            share_cell(row.all.accuracy_twins, row.all.num_items),
            drop_cell(row.all),
            drop_cell(row.overlapping),
        ]
        for row in probe.rows
    ]
    head = ["benchmark", "model", "items right", "twins right", "drop, points"]
    return table([*head, "drop on items found in the corpora"], rows, 2)


def share_cell(share: float | None, num_items: int) -> str:
    """Format a share of items as `62% of 96 items`."""
    return "no items" if share is None else f"{percent(share, num_items)}% of {num_items} items"


def drop_cell(part: TwinDrop) -> str:
    """Format a drop in percentage points as `+12 [-4, 29], p = 0.25 (n = 24)`."""
    drop = part.drop
    if drop is None or drop.low is None or drop.high is None:
        return "no items"
    shares = (drop.difference, drop.low, drop.high)
    value, low, high = (percent(share, part.num_items) for share in shares)
    sign = "+" if drop.difference > 0 else ""
    return f"{sign}{value} [{low}, {high}], {p_of(drop.p_value)} (n = {part.num_items})"


def p_of(p_value: float) -> str:
    """Format a p-value as `p = 0.25` or `p < 0.001`."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"


def completions_table(probe: Completions) -> str:
    """Tabulate how many problems each model completes verbatim, next to the controls."""

    def rouge(part: Verbatim | None) -> str:
        return percent(part.mean_rouge_l, part.num) if part else "-"

    rows = [
        [
            row.benchmark,
            row.model,
            verbatim_cell(row.items) if row.items else left_out_cell(row.left_out),
            verbatim_cell(row.twins),
            verbatim_cell(row.controls),
            " / ".join(rouge(part) for part in (row.items, row.twins, row.controls)),
        ]
        for row in probe.rows
    ]
    head = ["benchmark", "model", "items, verbatim", "their twins", "held-out texts"]
    return table([*head, "ROUGE-L of the three, %"], rows, 2)


def verbatim_cell(part: Verbatim | None) -> str:
    """Format a rate of verbatim completions as `0 of 24: 0% [0, 14]`."""
    if part is None:
        return "none"
    shares = (part.verbatim_rate, part.verbatim_low, part.verbatim_high)
    share, low, high = (percent(each, part.num) for each in shares)
    return f"{part.num_verbatim} of {part.num}: {share}% [{low}, {high}]"


def left_out_cell(reasons: dict[str, int]) -> str:
    """Format the reasons why no item was probed as `none: 64 too short`."""
    return "none: " + ", ".join(f"{n} {why.replace('_', ' ')}" for why, n in reasons.items())


def parts_table(probe: Parts) -> str:
    """Tabulate how many problems each model answers from a part, next to the controls."""
    rows = [
        [
            row.benchmark,
            row.model,
            LABELS[row.part],
            right_cell(row.items),
            right_cell(row.twins),
            right_cell(row.overlapping),
            right_cell(row.others),
            percent(row.whole_accuracy, row.items.num if row.items else 1) + "%",
        ]
        for row in probe.rows
    ]
    head = ["benchmark", "model", "shown", "items right", "their twins", "items in the corpora"]
    return table([*head, "items free of overlap", "whole problem"], rows, 3)


def right_cell(part: Right | None) -> str:
    """Format a rate of right answers as `13 of 24: 54% [35, 72]`."""
    if part is None:
        return "none"
    shares = (part.accuracy, part.accuracy_low, part.accuracy_high)
    share, low, high = (percent(each, part.num) for each in shares)
    return f"{part.num_correct} of {part.num}: {share}% [{low}, {high}]"


def parts_left_out(probe: Parts) -> str:
    """Say which items are not asked in parts: `gsm: 8 too short; aime: 2 too long`."""
    told = {
        name: ", ".join(f"{n:,} {why.replace('_', ' ')}" for why, n in reasons.items())
        for name, reasons in probe.left_out.items()
        if reasons
    }
    return "; ".join(f"{name}: {reasons}" for name, reasons in told.items())


def solutions_table(probe: Responses) -> str:
    """Tabulate how much responses share with training solutions of the same item."""
    rows = [
        [
            row.benchmark,
            row.model,
            f"{row.num_solutions}, {row.num_solutions_kept} kept",
            share_cell(row.solutions_share, row.num_items),
            share_cell(row.unrelated_share, row.num_items),
            share_cell(row.reference_share, row.num_with_reference),
            share_cell(row.others_reference_share, row.num_others),
        ]
        for row in probe.rows
    ]
    head = ["benchmark", "model", "solutions found", "shared with them", "with unrelated ones"]
    return table([*head, "with the benchmark's own", "same for other items"], rows, 2)
