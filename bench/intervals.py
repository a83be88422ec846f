"""Measure how often a 95% interval of avg@k, or of a difference of two, contains the truth.

    python -m bench.intervals [--evaluations 2000]

It simulates evaluations of n items with k responses each, for true scores from 0.02 to 0.95, and
for items that are equally hard, somewhat unequal, or almost all or nothing. In each cell, the
coverage of an interval is the share of evaluations in which it contains the true score. Several
intervals see the same evaluations; docs/statistics.md says which one is used and why.
"""

import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.measure import options, report, run_main
from mathledger.evaluation import statistics

F64 = npt.NDArray[np.float64]
Ends = tuple[F64, F64]

ITEMS = (30, 64, 500)
REPEATS = (1, 2, 4, 16, 64)
SCORES = (0.02, 0.03, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.95)
MOVED = (0.0, 0.05, 0.3)  # share of items that the second model finds easier
EASIER = 0.8  # how far those items move towards certainty
RESAMPLES = 399
Z = 1.959963984540054  # normal quantile for two-sided 5%
USED = "as used: "


@dataclass(frozen=True)
class Cell:
    """One kind of evaluation, with the evaluations' values by item, shape (evaluations, items)."""

    name: str
    truth: float
    values: F64
    repeats: int


def chances(kind: str, score: float, shape: tuple[int, int], rng: np.random.Generator) -> F64:
    """Draw each item's chance of a correct response; the mean over all items is the score."""
    rare = min(score, 1 - score)
    if kind == "equal":
        return np.full(shape, score, dtype=np.float64)
    if kind == "all or nothing":
        return (rng.random(shape) < score).astype(np.float64)
    if kind == "some at one half":
        halves = np.where(rng.random(shape) < 2 * rare, 0.5, 0.0)
        return halves if score <= 0.5 else 1 - halves
    strength = float(kind.removeprefix("beta "))
    found = rng.beta(score * strength, (1 - score) * strength, shape)
    return np.asarray(found, dtype=np.float64)


KINDS = ("equal", "beta 10", "beta 3", "beta 1", "beta 0.3", "some at one half", "all or nothing")


def score_cells(num: int, sizes: Sequence[int], repeats: Sequence[int]) -> Iterator[Cell]:
    for n, k, score, kind in itertools.product(sizes, repeats, SCORES, KINDS):
        if k == 1 and kind != "equal":
            continue  # single responses do not depend on the kind
        name = f"n {n}, k {k}, p {score}, {kind}"
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        values = rng.binomial(k, chances(kind, score, (num, n), rng)) / k
        yield Cell(name, score, values, k)


def step_cells(num: int, sizes: Sequence[int], repeats: Sequence[int]) -> Iterator[Cell]:
    """Yield pairs of models; single responses have Tango's interval, so k is above 1."""
    several = [k for k in repeats if k > 1]
    for n, k, score, kind, moved in itertools.product(sizes, several, SCORES, KINDS, MOVED):
        name = f"n {n}, k {k}, p {score}, {kind}, {moved:.0%} of items easier"
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        first = chances(kind, score, (num, n), rng)
        second = np.where(rng.random(first.shape) < moved, 1 - (1 - first) * (1 - EASIER), first)
        steps = (rng.binomial(k, second) - rng.binomial(k, first)) / k
        yield Cell(name, moved * EASIER * (1 - score), steps, k)


# --- Intervals of a score -------------------------------------------------------------------------


def used(cell: Cell) -> Ends:
    found = [statistics.mean_share(values) for values in cell.values]
    return np.array([each.low for each in found]), np.array([each.high for each in found])


def _spread(values: F64) -> tuple[F64, F64, F64]:
    """Return mean, standard error, and the t quantile for these items."""
    from scipy.stats import t

    num = values.shape[1]
    quantile = np.full(len(values), t.ppf(0.975, num - 1))
    return values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(num), quantile


def over_items(cell: Cell) -> Ends:
    mean, error, quantile = _spread(cell.values)
    return mean - quantile * error, mean + quantile * error


def logit(cell: Cell) -> Ends:
    mean, error, quantile = _spread(cell.values)
    with np.errstate(all="ignore"):
        middle, width = np.log(mean / (1 - mean)), quantile * error / (mean * (1 - mean))
        low, high = (1 / (1 + np.exp(-each)) for each in (middle - width, middle + width))
    return np.nan_to_num(low, nan=0.0), np.nan_to_num(high, nan=1.0)


def _design_effect(cell: Cell, added: float) -> F64:
    """Return the effective number of items, with `added` in both sums of squares."""
    mean, num = cell.values.mean(axis=1), cell.values.shape[1]
    most = num * mean * (1 - mean)
    own = ((cell.values - mean[:, None]) ** 2).sum(axis=1)
    with np.errstate(all="ignore"):
        found = num * (most + added) / (own + added)
    found = np.nan_to_num(found, nan=num, posinf=num * cell.repeats)
    return np.asarray(np.maximum(found, num), dtype=np.float64)


def _wilson(mean: F64, num: F64, z: float) -> Ends:
    middle = (mean + z * z / 2 / num) / (1 + z * z / num)
    width = z / (1 + z * z / num) * np.sqrt(mean * (1 - mean) / num + z * z / 4 / num**2)
    return middle - width, middle + width


def wilson_plain(cell: Cell) -> Ends:
    quantile = float(_spread(cell.values)[2][0])
    return _wilson(cell.values.mean(axis=1), _design_effect(cell, 0.0), quantile)


def wilson_shrunken(cell: Cell) -> Ends:
    effective = _design_effect(cell, statistics.EVEN_ITEM)
    return _wilson(cell.values.mean(axis=1), effective, Z)


def exact_plain(cell: Cell) -> Ends:
    """Korn and Graubard 1998: Clopper-Pearson with the effective number of items."""
    from scipy.stats import beta

    mean, quantile = cell.values.mean(axis=1), _spread(cell.values)[2]
    num = _design_effect(cell, 0.0) * (Z / quantile) ** 2
    low = beta.ppf(0.025, np.maximum(mean * num, 1e-12), (1 - mean) * num + 1)
    high = beta.ppf(0.975, mean * num + 1, np.maximum((1 - mean) * num, 1e-12))
    return np.where(mean > 0, low, 0.0), np.where(mean < 1, high, 1.0)


def _weights(num: int) -> F64:
    rng = np.random.default_rng(0)
    return rng.multinomial(num, np.full(num, 1 / num), size=RESAMPLES).T / num


def _percentiles(values: F64) -> Ends:
    low, high = np.percentile(values @ _weights(values.shape[1]), [2.5, 97.5], axis=1)
    return low, high


def _padded(values: F64, added: Sequence[float]) -> F64:
    return np.hstack([values, np.tile(np.array(added), (len(values), 1))])


def bootstrap(cell: Cell) -> Ends:
    return _percentiles(cell.values)


def bootstrap_padded(cell: Cell) -> Ends:
    return _percentiles(_padded(cell.values, [0.0, 0.0, 1.0, 1.0]))


def bootstrap_t(cell: Cell) -> Ends:
    values, weights = cell.values, _weights(cell.values.shape[1])
    mean, error, _ = _spread(values)
    means = values @ weights
    errors = np.sqrt(np.maximum(values**2 @ weights - means**2, 1e-12) / values.shape[1])
    low, high = np.percentile((means - mean[:, None]) / errors, [2.5, 97.5], axis=1)
    return mean - high * error, mean - low * error


# --- Intervals of a difference --------------------------------------------------------------------


def step_used(cell: Cell) -> Ends:
    found = [statistics.mean_step(values) for values in cell.values]
    return np.array([each.low for each in found]), np.array([each.high for each in found])


def step_largest(cell: Cell) -> Ends:
    """The bootstrap with two pseudo-items that change as much as the item that changed most."""
    most = np.abs(cell.values).max(axis=1)
    most[most == 0] = 1.0
    return _percentiles(np.hstack([cell.values, most[:, None], -most[:, None]]))


SCORE_INTERVALS: dict[str, Callable[[Cell], Ends]] = {
    f"{USED}Clopper-Pearson, effective items with one even item": used,
    "Clopper-Pearson, effective items (Korn and Graubard)": exact_plain,
    "Wilson, effective items with one even item": wilson_shrunken,
    "Wilson, effective items": wilson_plain,
    "t over items": over_items,
    "t over items, of the logit": logit,
    "bootstrap over items, percentiles": bootstrap,
    "bootstrap over items and four pseudo-items": bootstrap_padded,
    "bootstrap-t": bootstrap_t,
}
STEP_INTERVALS: dict[str, Callable[[Cell], Ends]] = {
    f"{USED}t over items and two full pseudo-items": step_used,
    "t over items": over_items,
    "bootstrap over items, percentiles": bootstrap,
    "bootstrap over items and two pseudo-items of the largest change": step_largest,
}


def coverages(
    cells: Iterator[Cell], intervals: dict[str, Callable[[Cell], Ends]]
) -> dict[str, list[tuple[float, float, str]]]:
    """Return coverage, mean width and name of each cell, by interval."""
    found: dict[str, list[tuple[float, float, str]]] = {name: [] for name in intervals}
    for cell in cells:
        for name, interval in intervals.items():
            low, high = interval(cell)
            holds = (low <= cell.truth + 1e-12) & (cell.truth <= high + 1e-12)
            found[name].append((float(holds.mean()), float((high - low).mean()), cell.name))
    return found


def rows(of: str, found: dict[str, list[tuple[float, float, str]]]) -> list[list[Any]]:
    """Return a line for each interval: lowest and mean coverage, cells below 93%, width."""
    first = np.array([width for _, width, _ in next(iter(found.values()))])
    lines: list[list[Any]] = []
    for name, cells in found.items():
        shares, widths = (np.array([each[at] for each in cells]) for at in (0, 1))
        lowest = min(cells)
        relative = float(np.exp(np.log(np.maximum(widths, 1e-9) / first).mean()))
        below = f"{(shares < 0.93).sum()} of {len(cells)}"
        lines.append(
            [of, name, f"{lowest[0]:.1%}", lowest[2], f"{shares.mean():.1%}", below, relative]
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    chosen = options(
        __doc__,
        arguments,
        ("--evaluations", {"type": int, "default": 2000}),
        ("--items", {"type": int, "nargs": "+", "default": ITEMS}),
        ("--repeats", {"type": int, "nargs": "+", "default": REPEATS}),
        is_timed=False,
    )
    shape = chosen.evaluations, chosen.items, chosen.repeats
    scores = coverages(score_cells(*shape), SCORE_INTERVALS)
    steps = coverages(step_cells(max(2, shape[0] // 4), *shape[1:]), STEP_INTERVALS)
    head = ["of", "interval", "lowest coverage", "in", "mean coverage", "below 93%", "width"]
    lines = [*rows("score", scores), *rows("difference", steps)]
    n = (
        f"{chosen.evaluations:,} simulated evaluations in each of {len(scores[next(iter(scores))])}"
        f" cells of a score, a quarter as many in each of {len(steps[next(iter(steps))])} of a "
        "difference; width relative to the one used"
    )
    report("intervals", chosen, n, head, lines, lines)


if __name__ == "__main__":
    run_main(main)
