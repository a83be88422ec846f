"""The page for whoever wants to judge the data: what went, why, and would a person agree?

Reads   metrics/{prepare/<corpus>,deduplicate,decontaminate,mix}.json, and what pairs.py reads

`page` is one HTML file that needs nothing else: no script, no network, no clock. Its layout is in
report.html.jinja, which escapes every text.
"""

import itertools
from collections import Counter
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from mathledger.card import pairs
from mathledger.core.files import read_json
from mathledger.core.tables import Row
from mathledger.evaluation import statistics

METRICS = Path("metrics")
STEPS = ["downloaded", "prepared", "deduplicated", "decontaminated", "training set"]
CONTROLS = ("number_changed", "sign_changed")  # other problems, which must not be found
MAX_SOURCES = 30  # lines of a table by source; the smaller ones are added up in one


def prepared(corpora: list[str]) -> dict[str, Row]:
    """The metrics of `prepare` by corpus."""
    return {corpus: read_json(METRICS / "prepare" / f"{corpus}.json") for corpus in corpora}


def total(counts: Iterable[dict[str, int]]) -> Counter[str]:
    """Counts added up by key."""
    return sum((Counter(each) for each in counts), Counter[str]())


def funnel_by_corpus(corpora: list[str]) -> dict[str, list[int]]:
    """Rows of each corpus after each of STEPS."""
    deduplicate = read_json(METRICS / "deduplicate.json")["kept_by_corpus"]
    decontaminate = read_json(METRICS / "decontaminate.json")["kept_by_corpus"]
    mix = read_json(METRICS / "mix.json")["train_by_corpus"]
    counts = {}
    for corpus, prepare in prepared(corpora).items():
        counts[corpus] = [prepare["num_in"], prepare["num_kept"]]
        counts[corpus] += [step.get(corpus, 0) for step in (deduplicate, decontaminate, mix)]
    return counts


def funnel_by_source(corpora: list[str]) -> dict[str, list[int]]:
    """Rows of each source, over all corpora, after each of STEPS; the largest source first."""
    prepare = prepared(corpora).values()
    raw = total(each["in_by_source"] for each in prepare)
    gone = [
        total(each["removed_by_source"] for each in prepare),
        read_json(METRICS / "deduplicate.json")["removed_by_source"],
        read_json(METRICS / "decontaminate.json")["removed_by_source"],
    ]
    train = read_json(METRICS / "mix.json")["train_by_source"]
    counts = {}
    for source, num_rows in sorted(raw.items(), key=lambda item: (-item[1], item[0])):
        losses = [removed.get(source, 0) for removed in gone]
        counts[source] = [*itertools.accumulate([num_rows, *(-loss for loss in losses)])]
        counts[source].append(train.get(source, 0))
    return counts


def largest(counts: dict[str, list[int]]) -> dict[str, list[int]]:
    """The first MAX_SOURCES entries, and the others added up."""
    if len(counts) <= MAX_SOURCES:
        return counts
    shown = dict(itertools.islice(counts.items(), MAX_SOURCES - 1))
    others = [values for key, values in counts.items() if key not in shown]
    total = [sum(column) for column in zip(*others, strict=True)]
    return shown | {f"{len(others)} other sources": total}


def removals(corpora: list[str]) -> list[Row]:
    """Stage, reason and rows of every removal; rows are of all corpora."""
    stages = {
        "prepare": total(each["removed_by_reason"] for each in prepared(corpora).values()),
        "deduplicate": read_json(METRICS / "deduplicate.json")["removed_by_reason"],
        "decontaminate": read_json(METRICS / "decontaminate.json")["removed_by_reason"],
    }
    return [
        {"stage": stage, "reason": reason, "num_rows": count}
        for stage, counts in stages.items()
        for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def contamination(corpora: list[str], benchmarks: list[str]) -> list[Row]:
    """A cell for each source of each corpus and each benchmark, also where nothing was found.

    Cells hold source, benchmark, num_rows (contaminated, without the variants), num_variants,
    share (of the source's raw rows), and the rows of each class. The sources with the most come
    first.
    """
    raw = {
        (corpus, source): num_rows
        for corpus, prepare in prepared(corpora).items()
        for source, num_rows in prepare["in_by_source"].items()
    }
    found = {key: {benchmark: Counter[str]() for benchmark in benchmarks} for key in raw}
    for cell in read_json(METRICS / "decontaminate.json")["contamination"]:
        own = found[cell["corpus"], cell["source"]]
        own[cell["benchmark"]][cell["class"]] += cell["num_rows"]

    def rank(key: tuple[str, str]) -> tuple[Any, ...]:
        hits = (counts.total() - counts["variant"] for counts in found[key].values())
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
            by_class = total(found[key][benchmark] for key in keys)
            num_variants = by_class.pop("variant", 0)
            cells.append(
                {
                    "source": line,
                    "benchmark": benchmark,
                    "num_rows": by_class.total(),
                    "num_variants": num_variants,
                    "share": by_class.total() / num_raw,
                    **{kind: by_class[kind] for kind in pairs.CLASSES},
                }
            )
    return cells


def canaries() -> list[Row]:
    """What the filter said of the changed copies of items that it was shown, by form.

    Rows hold form, is_control, num, num_found, and found_rate with its 95% interval (low, high).
    """
    counts = read_json(METRICS / "decontaminate.json")["canaries"]
    rows = []
    for form in sorted(counts, key=lambda form: form in CONTROLS):
        num, num_found = counts[form]["num"], counts[form]["num_found"]
        rate = statistics.accuracy([True] * num_found + [False] * (num - num_found))
        rows.append(
            {
                "form": form,
                "is_control": form in CONTROLS,
                "num": num,
                "num_found": num_found,
                "found_rate": round(rate.value, 4),
                "low": round(rate.low, 4),
                "high": round(rate.high, 4),
            }
        )
    return rows


def share(value: float) -> str:
    """A share in percent, never rounded to nothing.

    >>> share(0.0), share(0.00002), share(0.25)
    ('0%', '< 0.1%', '25.0%')
    """
    return "0%" if value == 0 else "< 0.1%" if value < 0.001 else f"{100 * value:.1f}%"


def page(name: str, corpora: list[str], benchmarks: list[str]) -> str:
    """The HTML page of a finished pipeline.

    Raises:
        InputError: a file that it reads is missing or unreadable.
    """
    import jinja2

    by_corpus, by_source = funnel_by_corpus(corpora), funnel_by_source(corpora)
    totals = [sum(column) for column in zip(*by_corpus.values(), strict=True)]
    assert totals == [sum(column) for column in zip(*by_source.values(), strict=True)]
    removed, variants = pairs.choose()
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"comma": "{:,}".format, "share": share}
    template = resources.files("mathledger.card").joinpath("report.html.jinja")
    return environment.from_string(template.read_text(encoding="utf-8")).render(
        name=name,
        steps=STEPS,
        by_corpus=by_corpus,
        by_source=largest(by_source),
        totals=totals,
        removals=removals(corpora),
        benchmarks=benchmarks,
        contamination=contamination(corpora, benchmarks),
        canaries=canaries(),
        pairs=removed,
        variants=variants,
    )
