"""Tabulate the scores, their comparisons and the scores by subset."""

from collections.abc import Iterable

from mathledger.card.ledger import (
    Benchmark,
    Comparison,
    Interval,
    Ledger,
    ModelScore,
    OtherModel,
    Score,
)
from mathledger.card.markdown import chance, percent, points, table
from mathledger.card.subsets import are_levels
from mathledger.core.escaping import Markdown, code
from mathledger.evaluation import statistics


def final_model(ledger: Ledger) -> str:
    """Return the name of the last model that was trained here, which the card describes."""
    return ledger.own_models[-1]


def reference(score: ModelScore) -> str:
    """Return the first digits of the responses' sha256 as their short name."""
    return score.samples_sha256[:8]


def interval_cell(interval: Interval, num_items: int) -> str:
    """Format an interval in percent as `62 [53, 71]`."""
    shares = (interval.value, interval.low, interval.high)
    value, low, high = (percent(share, num_items) for share in shares)
    return f"{value} [{low}, {high}]"


def score_cell(score: Score) -> str:
    """Format a score as `60 of 96: 62% [53, 71]`, or without the count if items have repeats."""
    if not score.interval:
        return "no items"
    num_items, interval = score.num_items, score.interval
    shares = (interval.value, interval.low, interval.high)
    value, low, high = (percent(share, num_items) for share in shares)
    is_single = score.num_samples == num_items
    count = f"{score.num_correct} of {num_items}: " if is_single else ""
    return f"{count}{value}% [{low}, {high}]"


def count_cell(entry: Benchmark) -> str:
    """Format the number of items as `96`, or as `30 x 16` for 16 responses per item."""
    repeats = f" x {entry.num_repeats}" if entry.num_repeats > 1 else ""
    return f"{entry.num_items:,}{repeats}"


def verdict(comparison: Comparison) -> str:
    """Return in words what the paired test shows, adjusted for all comparisons of the card."""
    if comparison.p_value >= statistics.LEVEL:
        return "no difference shown"
    word = "better" if comparison.difference.value > 0 else "worse"
    return word if comparison.p_holm < statistics.LEVEL else f"{word}, but not after Holm"


def summary(entry: Benchmark) -> str:
    """Summarise one benchmark in a line for the terminal."""
    shown = [f"{model} {score_cell(score)}" for model, score in entry.models.items()]
    shown += [f"{each.model} {verdict(each)}" for each in entry.comparisons]
    return ", ".join(shown)


def band_cell(entry: Benchmark, names: Iterable[str]) -> str:
    """Format the error of the grader as `base 23 to 25`: all unjudged answers wrong, or all right.

    A model whose two ends read the same is left out.
    """
    bands = []
    for name in names:
        score = entry.models[name]
        ends = [score.accuracy, score.accuracy_if_unsure_right or score.accuracy]
        low, high = (percent(end, entry.num_items) for end in ends)
        if low != high:
            bands.append(f"{name} {low} to {high}")
    return ", ".join(bands)


def score_table(ledger: Ledger) -> str:
    """Tabulate the scores of the pipeline's own models on every benchmark."""
    names = ledger.own_models
    rows = [
        [entry.benchmark]
        + [score_cell(entry.models[name]) for name in names]
        + [band_cell(entry, names)]
        + [count_cell(entry)]
        + [Markdown(" ".join(f"`{code(reference(entry.models[name]))}`" for name in names))]
        for entry in ledger.benchmarks
    ]
    return table(["benchmark", *names, "grader's band", "items", "ledger"], rows)


def repeats_table(ledger: Ledger) -> str:
    """Tabulate pass@k and maj@k of benchmarks with repeats; return "" if there are none."""
    entries = [entry for entry in ledger.benchmarks if entry.num_repeats > 1]
    if not entries:
        return ""
    names = ledger.models
    ks = sorted({int(k) for entry in entries for k in entry.models[names[0]].pass_at})
    rows = []
    for entry in entries:
        for name in names:
            score = entry.models[name]
            intervals = [*(score.pass_at.get(str(k)) for k in ks), score.majority]
            cells = [interval_cell(each, entry.num_items) if each else "" for each in intervals]
            rows.append([entry.benchmark, name, *cells])
    return table(["benchmark", "model", *(f"pass@{k}" for k in ks), "maj@k"], rows, 2)


def comparison_table(ledger: Ledger) -> str:
    """Tabulate the comparison of every pair of own models on every benchmark."""
    rows = [
        [entry.benchmark, f"{each.model} - {each.against}", *comparison_cells(entry, each)]
        for entry in ledger.benchmarks
        for each in entry.comparisons
        if each.against not in ledger.others
    ]
    head = ["benchmark", "compared", "verdict", "points", "p", "p (Holm)", "detectable"]
    return table(head, rows, 3)


def comparison_cells(entry: Benchmark, each: Comparison) -> list[str]:
    """Return verdict, difference, both p-values and the detectable difference as cells."""
    least = each.minimum_detectable
    return [
        verdict(each),
        points(each.difference, entry.num_items),
        chance(each.p_value),
        chance(each.p_holm),
        percent(least, entry.num_items) if least else "none",
    ]


def others_table(ledger: Ledger) -> Markdown:
    """Tabulate the scores of other people's models next to ours, with the paired test."""
    final, rows = final_model(ledger), []
    for entry in ledger.benchmarks:
        tests = {each.against: each for each in entry.comparisons if each.model == final}
        for name in (final, *ledger.others):
            tested = [""] * 5 if name == final else comparison_cells(entry, tests[name])
            score = entry.models[name]
            digest = Markdown(f"`{code(reference(score))}`")
            row = [entry.benchmark, name, score_cell(score), *tested, count_cell(entry), digest]
            rows.append(row)
    head = ["benchmark", "model", "right", f"{final} against it", "points", "p", "p (Holm)"]
    return table([*head, "detectable", "items", "ledger"], rows, 2)


def said_text(model: OtherModel) -> str:
    """Return what a server says about its model, as `owned_by: x, root: y`."""
    return ", ".join(f"{key}: {value}" for key, value in (model.said or {}).items())


def subset_tables(ledger: Ledger) -> dict[str, str]:
    """Map titles such as `exam, by level` to tables of accuracy by value."""
    names = ledger.models
    return {
        f"{entry.benchmark}, by {key}": table(
            [key, *names],
            [
                [value, *(score_cell(entry.models[name].subsets[key][value]) for name in names)]
                for value in values
            ],
        )
        for entry in ledger.benchmarks
        for key, values in entry.models[names[0]].subsets.items()
    }


def has_levels(ledger: Ledger) -> bool:
    """Return True if levels.png shows any subset."""
    return any(
        are_levels(values)
        for entry in ledger.benchmarks
        for values in entry.models[ledger.models[0]].subsets.values()
    )
