"""Tabulate what the filters removed, and describe how the model was trained."""

from typing import Any

from mathledger.card.funnel import STEPS
from mathledger.card.ledger import Ledger
from mathledger.card.markdown import table


def funnel_table(ledger: Ledger) -> str:
    """Tabulate the rows of each corpus after each step."""
    rows = [[corpus, *counts] for corpus, counts in ledger.funnel.items()]
    return table(["corpus", *STEPS], rows)


def removal_table(ledger: Ledger) -> str:
    """Tabulate the removed rows by stage and reason."""
    rows = [
        [stage, reason, count]
        for stage, counts in ledger.removed.items()
        for reason, count in counts.items()
    ]
    return table(["removed by", "reason", "rows"], rows, 2)


def planted_table(ledger: Ledger) -> str:
    """Tabulate the rows that were planted to test the filters."""
    rows = [[row.kind, row.num_planted, row.num_removed] for row in ledger.planted]
    return table(["planted", "rows", "removed"], rows)


def trained_part(train: dict[str, Any]) -> str:
    """Describe the trained part of the model: all weights, or an adapter.

    Args:
        train: the section `train` of params.yaml.
    """
    lora = train["lora"]
    if not lora:
        return "All weights"
    weights = " over weights in nf4" if lora["load_in_4bit"] else ""
    return f"LoRA of rank {lora['r']}{weights}"
