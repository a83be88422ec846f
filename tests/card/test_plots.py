"""The plots show every number once, legibly, and mark claims as claims."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba
from matplotlib.text import Text

from mathledger.card import plots
from mathledger.card.ledger import StatedScore
from mathledger.card.plot_tables import LengthRow, LevelRow, ScoreRow

MODELS = ["base", "tuned", "reinforced"]
SIZES = {"aime24": 30, "math500": 500, "gsm8k": 1319, "frontiermath_tier1": 8, "gsm_symbolic": 24}


def claim(model: str, benchmark: str, low: float, high: float) -> StatedScore:
    return StatedScore(
        model=model, benchmark=benchmark, low=low, high=high, source="a card", is_evaluated=True
    )


CLAIMS = [
    claim("org/a-model-with-a-very-long-name", "aime24", 0.95, 0.99),
    claim("org/a-model-with-a-very-long-name", "aime24", 0.97, 0.97),
    claim("GPT-4", "aime24", 0.5, 0.5),
    claim("GPT-4", "frontiermath_tier1", 0.02, 0.05),
]


def score(number: int, num_items: int) -> dict[str, Any]:
    """Draw scores from the lowest to the highest possible value."""
    accuracy = number % 5 / 4
    half = 0.4 / num_items**0.5
    low, high = max(0.0, accuracy - half), min(1.0, accuracy + half)
    return {"num_items": num_items, "accuracy": accuracy, "low": low, "high": high}


def score_rows() -> list[ScoreRow]:
    pairs = itertools.product(SIZES, MODELS)
    return [
        ScoreRow(name, model, **score(number, SIZES[name]))
        for number, (name, model) in enumerate(pairs)
    ]


def level_rows(panels: dict[str, int]) -> list[LevelRow]:
    return [
        LevelRow(panel, str(2010 + value), model, **score(value, 43))
        for panel, num_values in panels.items()
        for model in MODELS
        for value in range(num_values)
    ]


def length_rows() -> list[LengthRow]:
    return [
        LengthRow(
            name, model, "response", start, start + 64, limit=2048, num_responses=1, share=1 / 32
        )
        for name in SIZES
        for model in MODELS
        for start in range(0, 2048, 64)
    ]


FIGURES: dict[str, Callable[[], Any]] = {
    "scores": lambda: plots.scores(score_rows(), []),
    "claims": lambda: plots.scores(score_rows(), CLAIMS),
    "levels": lambda: plots.levels(level_rows({"math500, level": 5, "amc12, year": 12, "a": 2})),
    "level": lambda: plots.levels(level_rows({"math500, level": 5})),
    "lengths": lambda: plots.lengths(length_rows()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_covers_another_or_leaves_the_picture(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure, texts = FIGURES[name](), dict[Text, None]()
    real = Text.draw

    def draw(text: Text, *arguments: Any) -> None:
        if text.get_text() and text.get_visible():
            texts[text] = None
        real(text, *arguments)

    monkeypatch.setattr(Text, "draw", draw)
    FigureCanvasAgg(figure).draw()
    boxes = [text.get_window_extent() for text in texts]
    assert len(boxes) > 10
    for box, text in zip(boxes, texts, strict=True):
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width + 1, text.get_text()
        assert box.y0 >= 0 and box.y1 <= figure.bbox.height + 1, text.get_text()
    for (one, a), (other, b) in itertools.combinations(zip(boxes, texts, strict=True), 2):
        assert not one.shrunk(0.98, 0.9).overlaps(other), (a.get_text(), b.get_text())


def test_measured_scores_are_filled_and_claims_hollow() -> None:
    (axes,) = plots.scores(score_rows(), CLAIMS).axes
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    measured = {(round(float(dot.get_xdata()[0]), 6), dot.get_markerfacecolor()) for dot in dots}
    assert len(dots) == len(score_rows())
    assert {color for _, color in measured} == set(plots.MODELS.values())
    diamonds = [line for line in axes.lines if line.get_marker() == "D"]
    assert [float(each.get_xdata()[0]) for each in diamonds] == [97.0, 50.0]
    assert {each.get_markerfacecolor() for each in diamonds} == {"white"}
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches]
    assert bars == [pytest.approx((95, 99)), pytest.approx((2, 5))]
    assert {bar.get_facecolor()[3] for bar in axes.patches} == {0.0}
    assert not {to_rgba(plots.FAINT)} & {to_rgba(color) for color in plots.MODELS.values()}
    said = [text.get_text() for text in axes.texts if "claimed" in text.get_text()]
    assert "GPT-4, claimed 50%" in said and len(said) == 3


def test_intervals_are_drawn_where_they_are() -> None:
    rows = score_rows()
    (axes,) = plots.scores(rows, []).axes
    spans = [line.get_xdata() for line in axes.lines if len(line.get_xdata()) == 2]
    spans = [tuple(map(float, span)) for span in spans if tuple(span) != (0, 1)]
    assert spans == [pytest.approx((100 * row.low, 100 * row.high)) for row in rows]


def test_the_limit_is_drawn_in_every_histogram() -> None:
    for axes in plots.lengths(length_rows()).axes[: len(SIZES)]:
        assert [float(line.get_xdata()[0]) for line in axes.lines] == [2048.0]
        assert [text.get_text() for text in axes.texts] == ["cut at 2,048"]


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_numbers_are_the_same_bytes(name: str, tmp_path: Path) -> None:
    for file in ("a.png", "b.png"):
        plots.save(tmp_path / file, FIGURES[name]())
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
