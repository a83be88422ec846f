"""Summarise what the filters did, from the metrics of the data stages."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mathledger.card.ledger_filters import Canaries, Planted
from mathledger.card.outputs import Outputs
from mathledger.card.overlap import CONTAMINATION
from mathledger.data import practice
from mathledger.data.canary_forms import CONTROLS
from mathledger.evaluation import statistics

STEPS = ("downloaded", "prepared", "deduplicated", "decontaminated", "training set")
MAX_SOURCES = 30  # lines in a table of sources; the smallest sources share the last line


@dataclass(frozen=True)
class Removal:
    """The number of rows that a stage removed for one reason."""

    stage: str
    reason: str
    num_rows: int


@dataclass(frozen=True)
class Contamination:
    """The overlap of a source of a corpus with a benchmark, which may be empty."""

    source: str
    benchmark: str
    num_rows: int  # contaminated rows, without variants and siblings
    num_variants: int
    num_siblings: int
    share: float  # contaminated share of the source's raw rows
    solution: int
    rephrase: int
    contained: int
    same: int


def total(counts: Iterable[dict[str, int]]) -> Counter[str]:
    """Return the sum of counts by key."""
    return sum((Counter(each) for each in counts), Counter[str]())


def by_corpus(outputs: Outputs, corpora: Sequence[str]) -> dict[str, list[int]]:
    """Count the rows of each corpus after each of STEPS."""
    deduplicate = outputs.metrics("deduplicate")["kept_by_corpus"]
    decontaminate = outputs.metrics("decontaminate")["kept_by_corpus"]
    mix = outputs.metrics("mix")["train_by_corpus"]
    counts = {}
    for corpus, prepare in outputs.prepared(corpora).items():
        counts[corpus] = [prepare["num_in"], prepare["num_kept"]]
        counts[corpus] += [step.get(corpus, 0) for step in (deduplicate, decontaminate, mix)]
    return counts


def by_source(outputs: Outputs, corpora: Sequence[str]) -> dict[str, list[int]]:
    """Count the rows of each source after each of STEPS, over all corpora, largest first."""
    prepare = outputs.prepared(corpora).values()
    raw = total(each["in_by_source"] for each in prepare)
    gone = [
        total(each["removed_by_source"] for each in prepare),
        outputs.metrics("deduplicate")["removed_by_source"],
        outputs.metrics("decontaminate")["removed_by_source"],
    ]
    train = outputs.metrics("mix")["train_by_source"]
    counts = {}
    for source, num_rows in sorted(raw.items(), key=lambda item: (-item[1], item[0])):
        losses = [removed.get(source, 0) for removed in gone]
        counts[source] = [*itertools.accumulate([num_rows, *(-loss for loss in losses)])]
        counts[source].append(train.get(source, 0))
    return counts


def largest(counts: dict[str, list[int]]) -> dict[str, list[int]]:
    """Return at most MAX_SOURCES entries; the last one sums up the entries beyond."""
    if len(counts) <= MAX_SOURCES:
        return counts
    shown = dict(itertools.islice(counts.items(), MAX_SOURCES - 1))
    others = [values for key, values in counts.items() if key not in shown]
    sums = [sum(column) for column in zip(*others, strict=True)]
    return shown | {f"{len(others)} other sources": sums}


def removed(outputs: Outputs, corpora: Sequence[str]) -> dict[str, dict[str, int]]:
    """Count the rows removed by stage and reason, over all corpora."""
    prepare = total(each["removed_by_reason"] for each in outputs.prepared(corpora).values())
    return {
        "prepare": dict(sorted(prepare.items())),
        "deduplicate": outputs.metrics("deduplicate")["removed_by_reason"],
        "decontaminate": outputs.metrics("decontaminate")["removed_by_reason"],
    }


def removals(outputs: Outputs, corpora: Sequence[str]) -> list[Removal]:
    """List the removals by stage, with the most frequent reason first."""
    return [
        Removal(stage, reason, count)
        for stage, counts in removed(outputs, corpora).items()
        for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def contamination(
    outputs: Outputs, corpora: Sequence[str], benchmarks: Sequence[str]
) -> list[Contamination]:
    """Return a cell for each source and benchmark, with the most contaminated sources first."""
    raw = {
        (corpus, source): num_rows
        for corpus, prepare in outputs.prepared(corpora).items()
        for source, num_rows in prepare["in_by_source"].items()
    }
    by_class = {key: {benchmark: Counter[str]() for benchmark in benchmarks} for key in raw}
    for cell in outputs.metrics("decontaminate")["contamination"]:
        own = by_class[cell["corpus"], cell["source"]]
        own[cell["benchmark"]][cell["class"]] += cell["num_rows"]

    def rank(key: tuple[str, str]) -> tuple[Any, ...]:
        hits = (counts[name] for counts in by_class[key].values() for name in CONTAMINATION)
        return -sum(hits), -raw[key], key

    ranked = sorted(raw, key=rank)
    lines = {f"{corpus} / {source}": [(corpus, source)] for corpus, source in ranked}
    if len(ranked) > MAX_SOURCES:
        others = ranked[MAX_SOURCES - 1 :]
        lines = dict(itertools.islice(lines.items(), MAX_SOURCES - 1))
        lines[f"{len(others)} other sources"] = others
    cells = []
    for line, keys in lines.items():
        num_raw = sum(raw[key] for key in keys)
        for benchmark in benchmarks:
            counts = total(by_class[key][benchmark] for key in keys)
            num_rows = sum(counts[name] for name in CONTAMINATION)
            cells.append(
                Contamination(
                    line,
                    benchmark,
                    num_rows,
                    counts["variant"],
                    counts["sibling"],
                    num_rows / num_raw,
                    counts["solution"],
                    counts["rephrase"],
                    counts["contained"],
                    counts["same"],
                )
            )
    return cells


def canaries(outputs: Outputs) -> list[Canaries]:
    """Count for each form of changed copy how many the filter was shown and how many it found."""
    counts = outputs.metrics("decontaminate")["canaries"]
    rows = []
    for form in sorted(counts, key=lambda form: form in CONTROLS):
        num, num_found = counts[form]["num"], counts[form]["num_found"]
        rate = statistics.accuracy([True] * num_found + [False] * (num - num_found))
        rows.append(
            Canaries(
                form=form,
                is_control=form in CONTROLS,
                num=num,
                num_found=num_found,
                found_rate=statistics.stored(rate.value),
                low=statistics.stored(rate.low),
                high=statistics.stored(rate.high),
            )
        )
    return rows


def planted(outputs: Outputs, corpora: Sequence[str]) -> list[Planted]:
    """Count for each kind of planted row how many were planted and how many were removed."""
    prepare = [*outputs.prepared(corpora).values()]
    in_by_source = total(each["in_by_source"] for each in prepare)
    filters = [*prepare, *(outputs.metrics(name) for name in ("deduplicate", "decontaminate"))]
    removed_by_source = total(each["removed_by_source"] for each in filters)
    return [
        Planted(kind=kind, num_planted=in_by_source[kind], num_removed=removed_by_source[kind])
        for kind in practice.PLANTED
        if in_by_source[kind]
    ]
