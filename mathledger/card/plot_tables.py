"""Build the CSV tables for the figures and for `dvc plots`."""

import dataclasses
import inspect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mathledger.card.funnel import STEPS, Contamination, contamination
from mathledger.card.ledger import Ledger
from mathledger.card.ledger_filters import Canaries
from mathledger.card.outputs import Outputs
from mathledger.card.subsets import are_levels
from mathledger.core.escaping import csv_text, one_line
from mathledger.evaluation import statistics


@dataclass(frozen=True)
class ScoreRow:
    """A model's score on a benchmark."""

    benchmark: str
    model: str
    num_items: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class LevelRow:
    """A model's score on the items with one value of a subset, such as a level."""

    panel: str
    value: str
    model: str
    num_items: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class LengthRow:
    """A bin of response lengths, from more than tokens_from up to tokens_to tokens."""

    benchmark: str
    model: str
    part: str  # response (thinking included) or thinking
    tokens_from: int
    tokens_to: int
    limit: int
    num_responses: int
    share: float


@dataclass(frozen=True)
class FunnelRow:
    """The number of rows of a corpus after a step."""

    step: str
    corpus: str
    num_rows: int


def scores(ledger: Ledger) -> list[ScoreRow]:
    """Return every model's score on every benchmark."""
    return [
        ScoreRow(
            entry.benchmark, model, score.num_items, interval.value, interval.low, interval.high
        )
        for entry in ledger.benchmarks
        for model, score in entry.models.items()
        if (interval := score.interval)
    ]


def levels(ledger: Ledger) -> list[LevelRow]:
    """Return the scores on each value of every subset with ordered values."""
    return [
        LevelRow(
            f"{entry.benchmark}, {key}",
            value,
            model,
            score.num_items,
            interval.value,
            interval.low,
            interval.high,
        )
        for entry in ledger.benchmarks
        for model, of_model in entry.models.items()
        for key, values in of_model.subsets.items()
        if are_levels(values)
        for value, score in values.items()
        if (interval := score.interval)
    ]


def lengths(ledger: Ledger) -> list[LengthRow]:
    """Return the histograms of response lengths, and of the thinking of models that think."""
    rows = []
    for entry in ledger.benchmarks:
        for model, score in entry.models.items():
            bins = score.response_lengths
            parts = {"response": bins.counts, "thinking": bins.thinking_counts or []}
            for part, counts in parts.items():
                for number, count in enumerate(counts):
                    start = number * bins.bin_width
                    rows.append(
                        LengthRow(
                            entry.benchmark,
                            model,
                            part,
                            start,
                            min(start + bins.bin_width, bins.limit),
                            bins.limit,
                            count,
                            statistics.stored(count / max(1, sum(counts))),
                        )
                    )
    return rows


def funnel(ledger: Ledger) -> list[FunnelRow]:
    """Count the rows of each corpus after each step."""
    return [
        FunnelRow(f"{number} {step}", corpus, counts[number])
        for corpus, counts in ledger.funnel.items()
        for number, step in enumerate(STEPS)
    ]


def result_metrics(ledger: Ledger) -> dict[str, float]:
    """Return the metrics of the result run: accuracies, differences between models, and loss."""
    accuracies = {f"{row.benchmark}.{row.model}.accuracy": row.accuracy for row in scores(ledger)}
    differences = {
        f"{entry.benchmark}.{each.model}-{each.against}.difference": each.difference.value
        for entry in ledger.benchmarks
        for each in entry.comparisons
    }
    loss = {"train.last_validation_loss": ledger.training.last_validation_loss}
    return accuracies | differences | loss


def texts(
    ledger: Ledger, outputs: Outputs, corpora: Sequence[str], benchmarks: Sequence[str]
) -> dict[str, str]:
    """Return every table as CSV under its name."""
    cells = contamination(outputs, corpora, benchmarks)
    return {
        "scores": _csv(ScoreRow, map(dataclasses.asdict, scores(ledger))),
        "levels": _csv(LevelRow, map(dataclasses.asdict, levels(ledger))),
        "lengths": _csv(LengthRow, map(dataclasses.asdict, lengths(ledger))),
        "funnel": _csv(FunnelRow, map(dataclasses.asdict, funnel(ledger))),
        "contamination": _csv(Contamination, map(dataclasses.asdict, cells)),
        "canaries": _csv(Canaries, (row.content() for row in ledger.decontaminate.canaries)),
    }


def _csv(kind: Any, rows: Iterable[dict[str, Any]]) -> str:
    """Format rows as CSV with a column for each field of a class; always write the header.

    Names of sources and levels come from data, so each is put on one line and cut to length.
    """
    shown = (
        {key: one_line(value) if isinstance(value, str) else value for key, value in row.items()}
        for row in rows
    )
    return csv_text(list(inspect.get_annotations(kind)), shown)
