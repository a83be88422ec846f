"""Draw the card's figures.

The same numbers give the same bytes, because the files hold no date and no version. `figures`
returns all figures, and each function below it draws one.
"""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mathledger.card import plot_tables
from mathledger.card.funnel import STEPS
from mathledger.card.ledger import Ledger, StatedScore
from mathledger.card.markdown import claim_range, percent
from mathledger.card.plot_tables import LengthRow, LevelRow, ScoreRow
from mathledger.run.params import OWN_MODELS

INK, FAINT, GRID = "#22303c", "#7b8794", "#e4e8ec"
MODELS = dict(zip(OWN_MODELS, ["#9aa5b1", "#2f6f9f", "#e0a458"], strict=True))
OTHERS = ["#9b6a9c", "#6a9c78", "#c66b5d", "#7a6f5d", "#4d8f99"]  # other people's models, in turn
CORPORA = ["#2f6f9f", "#e0a458", "#6a9c78", "#9b6a9c", "#c66b5d"]
PARTS = {"response": "-", "thinking": ":"}  # lines in the plot of lengths
WIDTH = 7.2  # inches
LINE = 0.27  # inches for one model or claim in the plot of scores


def _figure(height: float, num_rows: int = 1, num_columns: int = 1) -> tuple[Any, list[Any]]:
    """Return an empty figure and its axes, row by row."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(
        {"font.size": 10, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GRID}
        | {"text.parse_math": False}  # a dollar in the name of a level starts no formula
    )
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    grid = list(figure.subplots(num_rows, num_columns, squeeze=False).flat)
    for axes in grid:
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(length=0, colors=INK)
        axes.set_axisbelow(True)
    return figure, grid


def _panels(titles: Sequence[str], height: float, x: str, y: str) -> tuple[Any, list[Any]]:
    """Return a figure with a panel for each title, in up to two columns, labelled at its edges."""
    num_columns = min(2, len(titles))
    num_rows = -(-len(titles) // num_columns)
    figure, grid = _figure(0.45 + height * num_rows, num_rows, num_columns)
    for axes in grid[len(titles) :]:
        axes.set_visible(False)
    panels = grid[: len(titles)]
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=10, loc="left")
        axes.grid(axis="y", color=GRID)
    for axes in panels[::num_columns]:
        axes.set_ylabel(y)
    for axes in panels[-num_columns:]:
        axes.set_xlabel(x)
    return figure, panels


def figures(ledger: Ledger, curve: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Return every figure of the card by file name; `levels` is absent if items have no level.

    Args:
        curve: the rows of plots/train/loss.csv.
    """
    claims = [claim for claim in ledger.claims if claim.is_evaluated]
    rows = plot_tables.levels(ledger)
    return {
        "scores": scores(plot_tables.scores(ledger), claims),
        **({"levels": levels(rows)} if rows else {}),
        "lengths": lengths(plot_tables.lengths(ledger)),
        "funnel": funnel(ledger.funnel),
        "loss": loss(curve),
    }


def save(path: Path, figure: Any) -> None:
    """Write a figure as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=144, metadata={"Software": None})


def _legend(figure: Any, models: Sequence[str], mark: str) -> None:
    """Draw the models' colours above the figure."""
    from matplotlib.lines import Line2D

    colors = _colors(models)
    lines = [Line2D([], [], marker=mark, color=color, lw=2) for color in colors.values()]
    figure.legend(lines, colors, loc="outside upper right", ncols=3, frameon=False)


def _colors(models: Sequence[str]) -> dict[str, str]:
    """Return a colour for each model; an own model always has the same one."""
    others = [name for name in models if name not in MODELS]
    return {name: MODELS.get(name) or OTHERS[others.index(name) % len(OTHERS)] for name in models}


def _order(values: Iterable[str]) -> list[str]:
    """Return the distinct values in the order of their first appearance."""
    return list(dict.fromkeys(values))


def scores(rows: Sequence[ScoreRow], claims: Sequence[StatedScore]) -> Any:
    """Draw the accuracies with their 95% intervals, and hollow marks for claims of other cards.

    Each benchmark has a line per model, the base model on top, and below them a line for each model
    with a claim.
    """
    benchmarks, models = _order(row.benchmark for row in rows), _order(row.model for row in rows)
    of_benchmark = {
        name: _order(claim.model for claim in claims if claim.benchmark == name)
        for name in benchmarks
    }
    num_lines = sum(len(models) + len(own) + 0.6 for own in of_benchmark.values())
    figure, (axes,) = _figure(0.95 + LINE * num_lines)
    ticks, y = [], 0.0
    for name in benchmarks:
        own = [row for row in rows if row.benchmark == name]
        ticks.append(y + (len(own) - 1) / 2)
        for row in own:
            _measured(axes, y, row, _colors(models)[row.model])
            y += 1
        for model in of_benchmark[name]:
            _claimed(axes, y, [c for c in claims if (c.benchmark, c.model) == (name, model)])
            y += 1
        if name != benchmarks[-1]:
            axes.axhline(y - 0.2, color=GRID, lw=0.8)
        y += 0.6
    items = {row.benchmark: row.num_items for row in rows}
    axes.set_yticks(ticks, [f"{name}\n{items[name]:,} items" for name in benchmarks])
    axes.tick_params(axis="y", pad=8)
    axes.set_ylim(y - 1, -0.6)
    axes.set_xlim(0, 100)
    axes.grid(axis="x", color=GRID)
    axes.set_xlabel(
        "right responses, %, with 95% interval" + ("; hollow: claims" if claims else "")
    )
    _legend(figure, models, "o")
    return figure


def _measured(axes: Any, y: float, row: ScoreRow, color: str) -> None:
    low, value, high = (100 * share for share in (row.low, row.accuracy, row.high))
    axes.plot([low, high], [y, y], color=color, lw=2.4, solid_capstyle="butt", clip_on=False)
    axes.plot(value, y, "o", ms=7.5, color=color, clip_on=False, zorder=3)
    _beside(axes, y, low, high, percent(row.accuracy, row.num_items), INK)


def _claimed(axes: Any, y: float, claims: Sequence[StatedScore]) -> None:
    """Draw the claims about one model: ranges as hollow bars, numbers as hollow diamonds."""
    for claim in claims:
        low, high = 100 * claim.low, 100 * claim.high
        if low == high:
            axes.plot(low, y, "D", ms=6, mfc="white", mec=FAINT, mew=1.2, clip_on=False, zorder=3)
        else:
            style = {"fill": False, "edgecolor": FAINT, "lw": 1.2, "clip_on": False}
            axes.barh(y, high - low, left=low, height=0.42, zorder=2, **style)
    stated = " and ".join(dict.fromkeys(claim_range(claim.low, claim.high) for claim in claims))
    text = f"{claims[0].model.split('/')[-1]}, claimed {stated}"
    low, high = min(c.low for c in claims), max(c.high for c in claims)
    _beside(axes, y, 100 * low, 100 * high, text, FAINT)


def _beside(axes: Any, y: float, low: float, high: float, text: str, color: str) -> None:
    """Put a label on the side of a mark that has more room."""
    is_right = high <= 50 or (len(text) < 5 and high < 92)
    axes.annotate(
        text,
        (high if is_right else low, y),
        xytext=(8 if is_right else -8, 0),
        textcoords="offset points",
        ha="left" if is_right else "right",
        va="center",
        color=color,
        fontsize=8.5,
    )


def levels(rows: Sequence[LevelRow]) -> Any:
    """Draw the accuracies with their 95% intervals by level, or by another ordered subset."""
    panels, models = _order(row.panel for row in rows), _order(row.model for row in rows)
    figure, grid = _panels(panels, 2.4, "", "right responses, %")
    for axes, panel in zip(grid, panels, strict=True):
        own = [row for row in rows if row.panel == panel]
        values = _order(row.value for row in own)
        items = {row.value: row.num_items for row in own}
        for number, model in enumerate(models):
            line = [row for row in own if row.model == model]
            shift = 0.16 * (number - (len(models) - 1) / 2)
            x = [values.index(row.value) + shift for row in line]
            y = [100 * row.accuracy for row in line]
            color = _colors(models)[model]
            axes.plot(x, y, "o-", color=color, lw=1.4, ms=5, clip_on=False, zorder=3)
            low, high = [100 * row.low for row in line], [100 * row.high for row in line]
            axes.vlines(x, low, high, color=color, lw=2, alpha=0.6)
        step = -(-len(values) // 7)  # more than seven labels would touch
        labels = [f"{value}\nn={items[value]}" if len(values) <= 7 else value for value in values]
        axes.set_xticks(range(0, len(values), step), labels[::step], fontsize=8.5)
        axes.set_xlim(-0.5, len(values) - 0.5)
        axes.set_ylim(0, 100)
    _legend(figure, models, "o")
    return figure


def lengths(rows: Sequence[LengthRow]) -> Any:
    """Draw histograms of tokens per response, and the limit at which responses are cut.

    A dotted line is the histogram of the thinking alone.
    """
    benchmarks, models = _order(row.benchmark for row in rows), _order(row.model for row in rows)
    final = [name for name in models if name in MODELS][-1]
    figure, grid = _panels(benchmarks, 1.9, "tokens", "responses, %")
    for axes, name in zip(grid, benchmarks, strict=True):
        own = [row for row in rows if row.benchmark == name]
        for (model, color), part in itertools.product(_colors(models).items(), PARTS):
            bins = [row for row in own if (row.model, row.part) == (model, part)]
            if not bins:
                continue
            edges = [bins[0].tokens_from, *(row.tokens_to for row in bins)]
            shares = [100 * row.share for row in bins]
            axes.stairs(shares, edges, color=color, lw=1.5, ls=PARTS[part])
            if (model, part) == (final, "response"):
                axes.stairs(shares, edges, color=color, fill=True, alpha=0.18)
        limit = own[0].limit
        axes.axvline(limit, color="#c66b5d", lw=1.2, ls=(0, (4, 2)))
        axes.annotate(
            f"cut at {limit:,}",
            (limit, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-4, -2),
            textcoords="offset points",
            ha="right",
            va="top",
            color="#c66b5d",
            fontsize=8.5,
        )
        axes.set_xlim(0, limit * 1.02)
        top = max(100 * row.share for row in own)
        axes.set_ylim(0, max(1.0, top * 1.22))  # room for the label
        axes.locator_params(nbins=5)
        axes.xaxis.set_major_formatter("{x:,.0f}")
    _legend(figure, models, "")
    return figure


def funnel(counts: dict[str, list[int]]) -> Any:
    """Draw the number of rows after each step, stacked by corpus."""
    figure, (axes,) = _figure(0.9 + 0.42 * len(STEPS))
    left = [0] * len(STEPS)
    for number, (corpus, values) in enumerate(counts.items()):
        color = CORPORA[number % len(CORPORA)]
        axes.barh(range(len(STEPS)), values, left=left, color=color, label=corpus, height=0.62)
        left = [total + value for total, value in zip(left, values, strict=True)]
    for y, total in enumerate(left):
        axes.text(total + max(left) * 0.01, y, f"{total:,}", va="center")
    axes.set_yticks(range(len(STEPS)), STEPS)
    axes.invert_yaxis()
    axes.set_xlim(0, max(left) * 1.1)
    axes.grid(axis="x", color=GRID)
    axes.set_xlabel("rows")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    return figure


def loss(rows: Sequence[dict[str, str]]) -> Any:
    """Draw training and validation loss over the steps, from plots/train/loss.csv."""
    figure, (axes,) = _figure(3.0)
    lines = (("loss", MODELS["base"], "-"), ("validation_loss", MODELS["tuned"], "o-"))
    for column, color, style in lines:
        drawn = [(int(row["step"]), float(row[column])) for row in rows if row[column]]
        label = "training batch" if column == "loss" else "validation set"
        axes.plot(*zip(*drawn, strict=True), style, color=color, label=label, lw=1.6, ms=4)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=GRID)
    axes.set_xlabel("step")
    axes.set_ylabel("loss per token")
    axes.legend(frameon=False)
    return figure
