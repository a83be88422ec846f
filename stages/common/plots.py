"""The card's pictures. The same numbers give the same bytes: no date, no version in the file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

BASE, TUNED, INK, GRID = "#9aa5b1", "#2f6f9f", "#22303c", "#e4e8ec"
MODELS = [BASE, TUNED, "#e0a458"]
CORPORA = ["#2f6f9f", "#e0a458", "#6a9c78", "#9b6a9c", "#c66b5d"]


def _figure(width: float, height: float) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update(
        {"font.size": 10, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GRID}
    )
    figure, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, colors=INK)
    axes.set_axisbelow(True)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=144, metadata={"Software": None})
    pyplot.close(figure)


def scores(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Accuracy with its 95% interval: for each benchmark a line a model, the base model on top.

    Rows hold benchmark, model, num_items, accuracy, low, high.
    """
    benchmarks = list(dict.fromkeys(row["benchmark"] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    figure, axes = _figure(7.2, 0.9 + (0.11 + 0.32 * len(models)) * len(benchmarks))
    for row in rows:
        number = models.index(row["model"])
        y = benchmarks.index(row["benchmark"]) + 0.64 / len(models) * (
            number - (len(models) - 1) / 2
        )
        axes.plot([100 * row["low"], 100 * row["high"]], [y, y], color=MODELS[number], lw=2)
        axes.plot(
            100 * row["accuracy"], y, "o", ms=8, color=MODELS[number], clip_on=False, zorder=3
        )
    items = {row["benchmark"]: row["num_items"] for row in rows}
    axes.set_yticks(range(len(benchmarks)), [f"{name}\nn = {items[name]}" for name in benchmarks])
    axes.set_ylim(len(benchmarks) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.grid(axis="x", color=GRID)
    axes.set_xlabel("items answered correctly, %, with 95% interval")
    for name, color in zip(models, MODELS, strict=False):
        axes.plot([], [], "o-", color=color, label=name, lw=2)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
    _save(figure, path)


def funnel(path: Path, stages: list[str], counts: dict[str, list[int]]) -> None:
    """Rows after each stage, stacked by corpus, from the download to the training set."""
    figure, axes = _figure(7.2, 0.9 + 0.42 * len(stages))
    left = [0] * len(stages)
    for number, (corpus, values) in enumerate(counts.items()):
        color = CORPORA[number % len(CORPORA)]
        axes.barh(range(len(stages)), values, left=left, color=color, label=corpus, height=0.62)
        left = [total + value for total, value in zip(left, values, strict=True)]
    for y, total in enumerate(left):
        axes.text(total + max(left) * 0.01, y, f"{total:,}", va="center")
    axes.set_yticks(range(len(stages)), stages)
    axes.invert_yaxis()
    axes.set_xlim(0, max(left) * 1.1)
    axes.grid(axis="x", color=GRID)
    axes.set_xlabel("rows")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    _save(figure, path)


def loss(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Training and validation loss over the steps, from the columns of plots/train/loss.csv."""
    figure, axes = _figure(7.2, 3.0)
    for column, color, style in (("loss", BASE, "-"), ("validation_loss", TUNED, "o-")):
        points = [(int(row["step"]), float(row[column])) for row in rows if row[column]]
        label = "training batch" if column == "loss" else "validation set"
        axes.plot(*zip(*points, strict=True), style, color=color, label=label, lw=1.6, ms=4)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=GRID)
    axes.set_xlabel("step")
    axes.set_ylabel("loss per token")
    axes.legend(frameon=False)
    _save(figure, path)
