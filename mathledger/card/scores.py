"""Compute scores, comparisons and counts from the graded responses to a benchmark.

The formulas are in mathledger/evaluation/statistics.py and docs/statistics.md.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mathledger.card.ledger import (
    Benchmark,
    BenchmarkSource,
    Comparison,
    Interval,
    ModelScore,
    ResponseLengths,
    Score,
)
from mathledger.card.outputs import Outputs
from mathledger.card.subsets import are_numbers
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.tables import Row, read_batches
from mathledger.evaluation import statistics
from mathledger.run.params import OWN_MODELS

# The response texts are not read, because they may take gigabytes.
COLUMNS = ["item_id", "repeat", "extracted_answer", "verdict", "correct", "is_sure"]
COLUMNS += ["harness_correct", "grader", "num_tokens", "num_thinking_tokens", "finish_reason"]
NUM_BINS = 32  # bins in a histogram of lengths

Items = Sequence[Sequence[Row]]  # the responses to each item in order of repeat


def benchmark(
    outputs: Outputs,
    name: str,
    settings: Mapping[str, Any],
    leaked: set[str],
    models: list[str],
    limit: int,
) -> Benchmark:
    """Return the ledger's entry for one benchmark, with the digests of its responses and items.

    Args:
        settings: benchmark.<name> of params.yaml.
        leaked: the ids of the items that were found in the corpora.
        limit: the token limit of a response.
    """
    receipt, items = outputs.receipt("download_benchmark", name), outputs.items(name)
    subsets = subset_places([dict(item["subsets"]) for item in items])
    ids = [item["id"] for item in items]
    samples = {model: read_samples(outputs.samples(model, name), ids) for model in models}
    return Benchmark(
        benchmark=name,
        about=settings["about"],
        source=BenchmarkSource(
            name=receipt["name"],
            revision=receipt["revision"],
            licence=receipt["licence"],
            items_digest=receipt["items_digest"],
        ),
        num_items=len(items),
        num_repeats=len(samples[models[0]][0]),
        num_items_overlapping_training_candidates=len(leaked),
        models={
            model: model_score(outputs, model, name, own, subsets, leaked, limit)
            for model, own in samples.items()
        },
        comparisons=comparisons(samples),
    )


def read_samples(path: Path, ids: Sequence[str]) -> list[list[Row]]:
    """Read the responses without their texts, in the order of the ids and repeats.

    Raises:
        InputError: the items do not all have the same number of responses.
    """
    of_item: dict[str, list[Row]] = {item: [] for item in ids}
    for batch in read_batches(path, COLUMNS):
        for row in batch.to_pylist():
            of_item.setdefault(row["item_id"], []).append(row)
    repeats = {len(rows) for rows in of_item.values()}
    if len(of_item) != len(ids) or len(repeats) != 1 or 0 in repeats:
        raise InputError(
            f"{path} does not hold the same number of responses to each of the benchmark's "
            f"{len(ids)} items: run `dvc repro`"
        )
    return [sorted(rows, key=lambda row: row["repeat"]) for rows in of_item.values()]


def outcomes(items: Items) -> list[list[bool]]:
    """Return whether each response is correct, in the shape (items, repeats)."""
    return [[row["correct"] for row in rows] for rows in items]


def rounded(interval: statistics.Interval) -> Interval:
    """Round an interval as it is stored."""
    ends = (interval.value, interval.low, interval.high)
    value, low, high = (statistics.stored(each) for each in ends)
    return Interval(value=value, low=low, high=high)


def score_of(items: Items) -> Score:
    """Score the responses to some items; accuracy and interval are None if there are none."""
    correct = outcomes(items)
    interval = rounded(statistics.accuracy(correct)) if items else None
    return Score(
        num_items=len(items),
        num_samples=sum(len(each) for each in correct),
        num_correct=sum(sum(each) for each in correct),
        accuracy=interval.value if interval else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )


def pass_at(items: Items) -> dict[str, Interval]:
    """Return pass@k for each k above 1; for one response per item there is none."""
    return {
        str(k): rounded(statistics.pass_at(outcomes(items), k))
        for k in statistics.pass_ks(len(items[0]))
        if k > 1
    }


def majority(items: Items) -> Interval | None:
    """Return maj@k, or None for one response per item, where it equals the accuracy."""
    if len(items[0]) == 1:
        return None
    answers = [[row["extracted_answer"] for row in rows] for rows in items]
    return rounded(statistics.majority(outcomes(items), answers))


def subset_places(subsets: Sequence[dict[str, str]]) -> dict[str, dict[str, list[int]]]:
    """Map each key (subject, level, year) and each of its values to the indices of its items.

    >>> subset_places([{"level": "10"}, {"level": "9"}, {}, {"level": "9"}])
    {'level': {'9': [1, 3], '10': [0]}}
    """
    places: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, subset in enumerate(subsets):
        for key, value in subset.items():
            places[key][value].append(place)
    return {
        key: {value: own[value] for value in sorted(own, key=float if are_numbers(own) else str)}
        for key, own in sorted(places.items())
    }


def response_lengths(rows: Iterable[Row], limit: int) -> ResponseLengths:
    """Return a histogram of tokens per response, up to the limit, and one of their thinking.

    Requests that were too long to send are not counted. The first bin holds responses of 1 to
    bin_width tokens; the last one includes every response that was cut.
    """
    width = -(-limit // NUM_BINS)
    asked = [row for row in rows if row["finish_reason"] != "too_long"]

    def histogram(lengths: Iterable[int]) -> list[int]:
        counts = [0] * -(-limit // width)
        for length in lengths:
            counts[(min(max(length, 1), limit) - 1) // width] += 1
        return counts

    thought = [n for row in asked if (n := row.get("num_thinking_tokens")) is not None]
    optional = {"thinking_counts": histogram(thought)} if thought else {}
    counts = histogram(row["num_tokens"] for row in asked)
    return ResponseLengths(limit=limit, bin_width=width, counts=counts, **optional)


def overlap_gap(overlapping: Items, clean: Items) -> Interval | None:
    """Return the accuracy on overlapping items minus the accuracy on clean ones.

    Returns:
        The difference, or None if either group is empty.
    """
    if not overlapping or not clean:
        return None
    parts = (statistics.accuracy(outcomes(each)) for each in (overlapping, clean))
    return rounded(statistics.gap(*parts))


def model_score(
    outputs: Outputs,
    model: str,
    benchmark: str,
    items: Items,
    subsets: Mapping[str, Mapping[str, Sequence[int]]],
    leaked: set[str],
    limit: int,
) -> ModelScore:
    """Return the scores and counts of one model's responses to one benchmark."""
    measured = outputs.metrics("evaluate", f"{model}-{benchmark}")
    clean = [rows for rows in items if rows[0]["item_id"] not in leaked]
    overlapping = [rows for rows in items if rows[0]["item_id"] in leaked]
    every = [row for rows in items for row in rows]
    ends = Counter(row["finish_reason"] for row in every)
    judged = [row for row in every if row["harness_correct"] is not None]
    thought = [n for row in every if (n := row.get("num_thinking_tokens")) is not None]
    optional: dict[str, Any] = {}  # what does not apply has no key in the ledger
    if thought:
        optional["mean_num_thinking_tokens"] = round(sum(thought) / len(thought), 1)
    if judged:
        optional["num_right_by_harness"] = sum(row["harness_correct"] for row in judged)
    return ModelScore(
        **dict(score_of(items)),
        pass_at=pass_at(items),
        majority=majority(items),
        items_without_overlap=score_of(clean),
        items_with_overlap=score_of(overlapping),
        overlap_gap=overlap_gap(overlapping, clean),
        subsets={
            key: {value: score_of([items[place] for place in own]) for value, own in values.items()}
            for key, values in subsets.items()
        },
        num_truncated=ends["length"],
        num_truncated_correct=sum(
            row["finish_reason"] == "length" and row["correct"] for row in every
        ),
        num_too_long=ends["too_long"],
        num_no_answer=sum(row["verdict"] == "no_answer" for row in every),
        num_unsure=sum(not row["is_sure"] for row in every),
        accuracy_if_unsure_right=statistics.stored(
            sum(row["correct"] or not row["is_sure"] for row in every) / len(every)
        ),
        mean_num_tokens=round(sum(row["num_tokens"] for row in every) / len(every), 1),
        num_judged_by_harness=len(judged),
        num_harness_disagreements=sum(row["harness_correct"] != row["correct"] for row in judged),
        response_lengths=response_lengths(every, limit),
        graders=sorted({row["grader"] for row in every}),
        dtype=measured["dtype"],
        batch_size=measured["batch_size"],
        backend=measured["backend"],
        task_version=measured["task_version"],
        samples_sha256=sha256(outputs.samples(model, benchmark)),
        **optional,
    )


def comparisons(samples: Mapping[str, Items]) -> list[Comparison]:
    """Compare models by item; `adjusted` sets the final p_holm.

    Each pair of the pipeline's own models is compared, and the last of them with each other model.
    """
    own = [name for name in samples if name in OWN_MODELS]
    others = [name for name in samples if name not in OWN_MODELS]
    pairs = []
    for against, model in [*itertools.combinations(own, 2), *((name, own[-1]) for name in others)]:
        result = statistics.compare(outcomes(samples[against]), outcomes(samples[model]))
        least, p_value = result.minimum_detectable, statistics.stored_p(result.p_value)
        pairs.append(
            Comparison(
                model=model,
                against=against,
                difference=rounded(result.difference),
                p_value=p_value,
                num_gained=result.num_gained,
                num_lost=result.num_lost,
                minimum_detectable=statistics.stored(least) if least else None,
                p_holm=p_value,
            )
        )
    return pairs


def adjusted(benchmarks: Sequence[Benchmark]) -> list[Benchmark]:
    """Return the benchmarks with the p-values of all comparisons adjusted together."""
    p_values = [each.p_value for entry in benchmarks for each in entry.comparisons]
    by_holm = iter(statistics.holm(p_values))
    return [
        entry.model_copy(
            update={
                "comparisons": [
                    each.model_copy(update={"p_holm": statistics.stored_p(next(by_holm))})
                    for each in entry.comparisons
                ]
            }
        )
        for entry in benchmarks
    ]
