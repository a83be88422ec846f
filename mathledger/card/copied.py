"""Measure how much of a response also appears in training solutions of the same item.

A share counts the response's distinct n-grams of canonical tokens, without those of the problem.
Two solutions of one problem in one style are alike without any copying, so there are two controls.
The first is as many unrelated solutions from the training set. The second is the benchmark's own
solution, which allows items with overlap to be compared with the others.

Training rows are streamed; memory use grows with the responses and the hits.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mathledger.card.ledger_memorisation import Difference, ResponsesRow
from mathledger.card.overlap import Hits
from mathledger.core.tables import Row, read_batches
from mathledger.evaluation import statistics
from mathledger.evaluation.apart import whole
from mathledger.text import canonical, groups
from mathledger.text.groups import F64, U64

# PaLM's contamination report also uses 8 (Chowdhery et al. 2022). Unrelated solutions seldom share
# so long a run of words, yet three written lines hold a dozen.
NGRAM_SIZE = 8
SOLUTIONS_AT_ONCE = 1024
SEED = 42  # for drawing unrelated solutions

Item = tuple[str, str]  # benchmark, id
Flags = npt.NDArray[np.bool_]


def from_solutions(
    samples: dict[tuple[str, str], list[Row]],
    items: dict[str, list[Row]],
    hits: Hits,
    removed: Path,
    kept: Path,
) -> list[ResponsesRow]:
    """Return the mean shares over items for each model and benchmark with overlap.

    `samples` is keyed by (model, benchmark), and `items` by benchmark; `removed` and `kept` are the
    row files of `decontaminate`.
    """
    grams = {
        (model, benchmark): response_ngrams(rows, items[benchmark])
        for (model, benchmark), rows in samples.items()
        if benchmark in hits
    }
    parts: dict[Item, list[U64]] = defaultdict(list)
    for (_, benchmark), of_items in grams.items():
        for name, responses in of_items.items():
            parts[benchmark, name] += responses
    vocabularies = {item: np.unique(np.concatenate(own)) for item, own in parts.items()}

    owners: dict[str, list[Item]] = defaultdict(list)  # training row -> its items
    paths = [removed]
    for item in vocabularies:
        for name, was_removed in hits[item[0]].get(item[1], {}).items():
            owners[name].append(item)
            paths = paths if was_removed else [removed, kept]
    overlapping = {item: vocabularies[item] for own in owners.values() for item in own}
    related = {name for by_item in hits.values() for rows in by_item.values() for name in rows}
    references = {
        (benchmark, row["id"]): row["solution"]
        for benchmark, rows in items.items()
        for row in rows
        if row["solution"] and (benchmark, row["id"]) in vocabularies
    }
    in_own, counts = seen(overlapping, solutions_of(paths, owners))
    in_unrelated, _ = seen(
        overlapping, unrelated_solutions(kept, sorted(counts.elements()), related)
    )
    in_reference, _ = seen(
        {item: vocabularies[item] for item in references}, iter(references.items())
    )

    def shares(model: str, benchmark: str, flags: dict[Item, Flags]) -> dict[Item, float]:
        means = {}
        for name, responses in grams[model, benchmark].items():
            item = benchmark, name
            if item in flags:
                places = [np.searchsorted(vocabularies[item], own) for own in responses]
                means[item] = float(np.mean([flags[item][at].mean() for at in places]))
        return means

    rows = []
    for model, benchmark in grams:
        own = shares(model, benchmark, in_own)
        if not own:
            continue
        reference = shares(model, benchmark, in_reference)
        with_overlap = [share for item, share in reference.items() if item in overlapping]
        others = [share for item, share in reference.items() if item not in overlapping]
        removals = [was for _, name in own for was in hits[benchmark][name].values()]
        rows.append(
            ResponsesRow(
                benchmark=benchmark,
                model=model,
                num_items=len(own),
                num_solutions=sum(counts[item] for item in own),
                num_solutions_kept=len(removals) - sum(removals),
                solutions_share=_mean(own.values()),
                unrelated_share=_mean(shares(model, benchmark, in_unrelated).values()),
                num_with_reference=len(with_overlap),
                reference_share=_mean(with_overlap),
                num_others=len(others),
                others_reference_share=_mean(others),
                tests=against_others(with_overlap, others),
            )
        )
    return rows


def response_ngrams(samples: list[Row], items: list[Row]) -> dict[str, list[U64]]:
    """Map each item to the n-grams of its responses that are not in the problem.

    An item is left out if its responses have no such n-grams.
    """
    problems = ngrams([row["problem"] for row in items])
    of_problem = dict(zip((row["id"] for row in items), problems, strict=True))
    of_items: dict[str, list[U64]] = {}
    # A model may recall a solution while it thinks, or in its answer.
    texts = [whole(row.get("thinking"), row["response"]) for row in samples]
    for row, grams in zip(samples, ngrams(texts), strict=True):
        own = np.setdiff1d(grams, of_problem[row["item_id"]], assume_unique=True)
        if len(own):
            of_items.setdefault(row["item_id"], []).append(own)
    return of_items


def ngrams(texts: list[str]) -> list[U64]:
    """Return the sorted hashes of each text's distinct runs of NGRAM_SIZE canonical tokens."""
    tokens = canonical.tokenize(pa.array(texts, pa.large_string()))
    runs = np.zeros(max(len(tokens.hashes) - NGRAM_SIZE + 1, 0), np.uint64)
    for step in range(NGRAM_SIZE):
        runs = runs * np.uint64(0x9E3779B97F4A7C15) + tokens.hashes[step : step + len(runs)]
    return [
        np.unique(runs[low : max(low, high - NGRAM_SIZE + 1)])
        for low, high in itertools.pairwise(tokens.offsets.tolist())
    ]


def seen(
    vocabularies: dict[Item, U64], solutions: Iterator[tuple[Item, str]]
) -> tuple[dict[Item, Flags], Counter[Item]]:
    """Mark which n-grams of each item appear in its solutions, and count the solutions."""
    flags = {item: np.zeros(len(grams), np.bool_) for item, grams in vocabularies.items()}
    counts: Counter[Item] = Counter()
    while part := list(itertools.islice(solutions, SOLUTIONS_AT_ONCE)):
        for (item, _), grams in zip(part, ngrams([each for _, each in part]), strict=True):
            flags[item] |= np.isin(vocabularies[item], grams)
            counts[item] += 1
    return flags, counts


def solutions_of(paths: list[Path], owners: dict[str, list[Item]]) -> Iterator[tuple[Item, str]]:
    """Yield the solution of each named row once for every item that the row holds."""
    wanted = pa.array(sorted(owners), pa.string())
    for path in paths:
        for batch in read_batches(path, ["id", "solution"]):
            part = batch.filter(pc.is_in(batch["id"], value_set=wanted))
            for name, solution in zip(*part.to_pydict().values(), strict=True):
                for item in owners[name]:
                    yield item, solution


def unrelated_solutions(
    path: Path, items: list[Item], related: Iterable[str]
) -> Iterator[tuple[Item, str]]:
    """Yield for each entry of `items` a solution from a training row that holds no item.

    Rows are drawn by a hash of their id. If there are fewer rows than entries, a row serves several
    entries.
    """
    excluded = pa.array(sorted(related), pa.string())

    def draw(batch: pa.RecordBatch) -> F64:
        is_related = pc.is_in(batch["id"], value_set=excluded).to_numpy(zero_copy_only=False)
        return np.where(is_related, np.inf, groups.coins(batch["id"], SEED))

    smallest = np.empty(0)
    for batch in read_batches(path, ["id"]):
        smallest = np.sort(np.append(smallest, draw(batch)))[: len(items)]
    smallest = smallest[np.isfinite(smallest)]
    if not len(smallest):
        return
    for batch in read_batches(path, ["id", "solution"]):
        coins = draw(batch)
        for at in np.flatnonzero(coins <= smallest[-1]).tolist():
            rank = int(np.searchsorted(smallest, coins[at]))
            for item in items[rank :: len(smallest)]:
                yield item, batch["solution"][at].as_py()


def against_others(overlapping: list[float], others: list[float]) -> list[Difference]:
    """Test the means of two groups by permutation; return no test if a group has under 2 items."""
    from scipy.stats import permutation_test

    if min(len(overlapping), len(others)) < 2:
        return []

    def difference(left: Any, right: Any, axis: int) -> Any:
        return np.mean(left, axis=axis) - np.mean(right, axis=axis)

    result = permutation_test(
        (overlapping, others), difference, vectorized=True, rng=np.random.default_rng(0)
    )
    return [
        Difference(
            against="items without overlap",
            difference=statistics.stored(float(result.statistic)),
            p_value=statistics.stored_p(float(result.pvalue)),
            is_higher=bool(result.statistic > 0),
        )
    ]


def _mean(shares: Iterable[float]) -> float | None:
    values = list(shares)
    return statistics.stored(sum(values) / len(values)) if values else None
