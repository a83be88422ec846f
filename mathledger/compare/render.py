"""Format a comparison as text for the terminal, Markdown, CSV or JSON."""

import csv
import io
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from mathledger.card.ledger import Score
from mathledger.card.markdown import chance, percent, points, table, wrapped
from mathledger.compare.compute import Comparison, Part, Result, Row, Split
from mathledger.compare.groups import Group
from mathledger.compare.load import Experiment
from mathledger.core.escaping import csv_cell
from mathledger.evaluation import statistics
from mathledger.evaluation.statistics import FamilyTest

CHANGES_SHOWN = 3
WIDTH = 100  # Columns of the notes.


@dataclass(frozen=True)
class Sheet:
    """A table with a title; the first columns are texts, and the others are numbers."""

    title: str
    num_texts: int
    head: list[str]
    lines: list[list[str]]


def text(comparison: Comparison) -> str:
    """Return the tables for a terminal."""
    parts = [f"{each.title}\n\n{aligned(each.head, each.lines)}" for each in sheets(comparison)]
    return "\n".join([*parts, wrapped_notes(comparison)])


def markdown(comparison: Comparison) -> str:
    parts = [
        f"{each.title}\n\n{table(each.head, each.lines, each.num_texts)}"
        for each in sheets(comparison)
    ]
    said = notes(comparison)
    return "\n".join([*parts, wrapped(said) if said else ""])


def sheets(comparison: Comparison) -> Iterator[Sheet]:
    """Yield the tables of scores and cost, differences from the baseline, and the overlap split."""
    rows, baseline = comparison.rows, comparison.baseline.experiment.name
    benchmarks = list(dict.fromkeys(name for row in rows for name in row.results))
    yield Sheet(
        "Scores of the final model, % [95% interval]",
        1,
        ["experiment", *benchmarks, "rows", "train s", "kWh"],
        [
            [
                row.experiment.name,
                *(
                    _score(row.results[name].responses.score) if name in row.results else "-"
                    for name in benchmarks
                ),
                *_cost(row.experiment),
            ]
            for row in rows
        ],
    )
    if comparison.others:
        yield Sheet(
            f"Difference from {baseline}, points [95% interval], p",
            2,
            ["experiment", "changed", *benchmarks],
            [
                [
                    row.experiment.name,
                    _listed(row.experiment.changed),
                    *(_difference(row.results.get(name)) for name in benchmarks),
                ]
                for row in comparison.others
            ],
        )
    if any(len(group.trainings) > 1 for group in comparison.groups):
        yield _over_trainings(comparison, benchmarks)
    split = [
        [benchmark, row.experiment.name, *_parts(result.by_overlap)]
        for benchmark in benchmarks
        for row in rows
        if (result := row.results.get(benchmark)) and result.by_overlap
    ]
    if split:
        yield Sheet(
            f"Items found in the corpora of {baseline}, and the others, % [95% interval]",
            2,
            [
                "benchmark",
                "experiment",
                "overlapping items",
                "difference",
                "other items",
                "difference",
            ],
            split,
        )


def _over_trainings(comparison: Comparison, benchmarks: list[str]) -> Sheet:
    """Return the scores over trainings that differ only in their seeds."""
    return Sheet(
        "Over trainings with other seeds, %: mean [95% interval over items and trainings], sd; "
        "difference from the baseline's, points",
        1,
        ["setting", "trainings", *benchmarks],
        [
            [
                group.names,
                str(len(group.trainings)),
                *(_spread(group, name) for name in benchmarks),
            ]
            for group in comparison.groups
        ],
    )


def _spread(group: Group, benchmark: str) -> str:
    found = group.spreads.get(benchmark)
    if found is None:
        return "-"
    num_items = group.trainings[0].responses[benchmark].score.num_items
    shown = percent(found.mean, num_items)
    if found.interval:
        low, high = (percent(end, num_items) for end in (found.interval.low, found.interval.high))
        shown += f" [{low}, {high}]"
    shown += f", sd {percent(found.sd, 200)}" if found.sd is not None else ", sd unknown"
    step = group.differences.get(benchmark)
    return shown + (f"; {points(step, num_items)}" if step else "")


def wrapped_notes(comparison: Comparison) -> str:
    """Return the notes as a paragraph for a terminal."""
    said = textwrap.fill(notes(comparison), WIDTH, break_on_hyphens=False)
    return f"{said}\n" if said else ""


def notes(comparison: Comparison) -> str:
    """Return notes on the signs in the tables, and on numbers that were not tested."""
    text = ""
    if comparison.others and (single := _single(comparison)):
        text = (
            f"One training cannot tell how much of a difference its seeds made: {single}. "
            "`mathledger replicate` trains again with other seeds. "
        )
    if comparison.num_tests:
        text += (
            f"The exact tests ({comparison.num_tests}) are paired by item, and p is adjusted by "
            f"Holm for all of them; * marks p < {statistics.LEVEL}. "
        )
    results = [result for row in comparison.others for result in row.results.values()]
    reasons = sorted({each.not_tested for each in results if each.not_tested})
    text += "".join(f"Some scores were not tested: {reason}. " for reason in reasons)
    costs = [row.experiment.cost for row in comparison.rows]
    if any(cost.is_resumed for cost in costs):
        text += "+ marks a resumed training, whose cost excludes the work before the checkpoint. "
    devices = {cost.device for cost in costs}
    if len(devices) > 1:
        text += (
            "Times are not comparable, because training ran on different machines: "
            f"{'; '.join(sorted(devices))}."
        )
    return text.strip()


def _single(comparison: Comparison) -> str:
    """Name the settings that were trained once."""
    names = [group.names for group in comparison.groups if len(group.trainings) == 1]
    more = len(names) - CHANGES_SHOWN
    return ", ".join(names[:CHANGES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _score(score: Score | Part) -> str:
    shares = (score.accuracy, score.low, score.high)
    value, low, high = (percent(share or 0, score.num_items) for share in shares)
    return f"{value} [{low}, {high}]"


def _cost(experiment: Experiment) -> list[str]:
    cost = experiment.cost
    sign, energy = "+" * cost.is_resumed, cost.energy_kwh
    return [
        f"{experiment.num_rows_trained_on:,}",
        f"{cost.train_seconds:,.0f}{sign}",
        "-" if energy is None else f"{energy:{'.2g' if energy < 10 else ',.0f'}}{sign}",
    ]


def _difference(result: Result | None) -> str:
    if result is None or result.test is None:
        return "-"
    test = result.test
    difference = points(test.difference, result.responses.score.num_items)
    return f"{difference}, {chance(test.p_holm)}{'*' * test.is_significant}"


def _parts(split: Split) -> Iterator[str]:
    """Yield the score of each kind of item, and its difference from the baseline."""
    for part in (split.items_with_overlap, split.items_without_overlap):
        yield f"{part.num_correct} of {part.num_samples}: {_score(part)}"
        yield points(part.difference, part.num_items) if part.difference else ""


def _listed(changed: list[str]) -> str:
    more = len(changed) - CHANGES_SHOWN
    text = ", ".join(changed[:CHANGES_SHOWN]) or "nothing"
    return text + (f", {more} more" if more > 0 else "")


def aligned(head: list[str], lines: list[list[str]]) -> str:
    """Format a table for the terminal."""
    widths = [max(len(line[at]) for line in [head, *lines]) for at in range(len(head))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        + "\n"
        for line in [head, *lines]
    )


def csv_text(comparison: Comparison) -> str:
    """Return CSV with one line for each experiment and benchmark, at full precision."""
    test_head = ("difference", "difference_low", "difference_high", "p_value", "p_holm")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    score_head = tuple(Score.model_fields)
    own_head = ("name", "commit", "model", "num_rows_trained_on")
    cost_head = ("train_seconds", "energy_kwh", "is_resumed", "device")
    writer.writerow([*own_head, *cost_head, "changed", "benchmark", *score_head, *test_head])
    for row in comparison.rows:
        own = row.experiment
        facts = [getattr(own, key) for key in own_head]
        facts += [getattr(own.cost, key) for key in cost_head]
        for benchmark, result in row.results.items():
            tested: list[float | None] = [None] * len(test_head)
            if test := result.test:
                tested = [*vars(test.difference).values(), test.p_value, test.p_holm]
            score = result.responses.score.statistics().values()
            changed = "; ".join(own.changed)
            cells = [*facts, changed, benchmark, *score, *tested]
            writer.writerow(map(csv_cell, cells))
    return text.getvalue()


def content(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as `--json` prints it."""
    return {
        "baseline": comparison.baseline.experiment.name,
        "num_tests": comparison.num_tests,
        "experiments": [_row(row, row is comparison.baseline) for row in comparison.rows],
        "settings": [_setting(group) for group in comparison.groups],
    }


def _setting(group: Group) -> dict[str, Any]:
    return {
        "trainings": [each.name for each in group.trainings],
        "scores": {
            benchmark: {
                "each": list(found.scores),
                "mean": found.mean,
                "sd": found.sd,
                "interval": asdict(found.interval) if found.interval else None,
                "difference": asdict(step) if (step := group.differences.get(benchmark)) else None,
            }
            for benchmark, found in group.spreads.items()
        },
    }


def _row(row: Row, is_baseline: bool) -> dict[str, Any]:
    own = row.experiment
    return {
        "name": own.name,
        "commit": own.commit,
        "changed": own.changed,
        "num_rows_trained_on": own.num_rows_trained_on,
        **asdict(own.cost),
        "model": own.model,
        "scores": {
            benchmark: {
                **result.responses.score.statistics(),
                "items_digest": result.responses.items_digest,
                **({} if is_baseline else _tested(result)),
                "by_overlap": asdict(result.by_overlap) if result.by_overlap else None,
            }
            for benchmark, result in row.results.items()
        },
    }


def _tested(result: Result) -> dict[str, Any]:
    return {
        "against_baseline": _test(result.test) if result.test else None,
        "not_tested": result.not_tested,
    }


def _test(test: FamilyTest) -> dict[str, Any]:
    return {
        "difference": vars(test.difference),
        "p_value": test.p_value,
        "num_items_gained": test.num_gained,
        "num_items_lost": test.num_lost,
        "minimum_detectable": test.minimum_detectable,
        "p_holm": test.p_holm,
        "is_significant": test.is_significant,
    }
