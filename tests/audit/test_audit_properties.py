"""In generated cards, every planted number is read or counted as unread.

Layout, markup, spans, quotes and decoys are drawn at random. The numbers are k of n, so that only
findings about what is missing can be true.
"""

import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathledger.audit import audit
from mathledger.audit.types import Audit

BENCHMARKS = {
    "GSM8K": ("gsm8k", 1319),
    "MATH-500": ("math500", 500),
    "AIME 2024": ("aime24", 30),
    "AIME25": ("aime25", 30),
    "GPQA-Diamond": ("gpqa_diamond", 198),
    "HumanEval": ("humaneval", 164),
    "ARC-Challenge": ("arc_challenge", 1172),
    "SVAMP": ("svamp", 1000),
}
RIVALS = ("Basalt-7B", "Quarry2-13B-Instruct", "Slate-Math-7B-RL", "acme/Pebble-1.5B")
MARKUP = ("{}", "**{}**", "_{}_", "`{}`", "<b>{}</b>", "$\\mathbf{{{}}}$", "{}%", "~~1.1~~ {}")
DECOYS = (
    "The template uses `<table>` and `<!--` as markers.",
    "Sampling: `temperature=0.6`, top_p=0.95, max 32,768 tokens.",
    "Trained for 3 epochs with a learning rate of 2e-5 on 97% of the data.",
    "<div>\n\n<!-- hidden -->\n",
    "![logo](logo.png)",
    "| Parameter | Value |\n|---|---|\n| layers | 32 |\n| dropout | 0.05 |",
    "```python\nprint('GSM8K: 12.3%')\n```",
    "1. one\n2. two",
)


@dataclass(frozen=True)
class Planted:
    benchmark: str
    whose: str
    value: str


@st.composite
def cards(draw: st.DrawFn) -> tuple[str, list[Planted]]:
    """Draw a card together with the scores planted in its table."""
    names = draw(st.permutations(list(BENCHMARKS)))[: draw(st.integers(1, 5))]
    models = ["Kestrel-7B", *draw(st.permutations(RIVALS))[: draw(st.integers(0, 3))]]
    models = draw(st.permutations(models))
    decimals = draw(st.sampled_from([1, 2]))
    planted, cells = [], {}
    for name in names:
        key, n = BENCHMARKS[name]
        for model in models:
            k = draw(st.integers(1, n - 1))
            value = f"{100 * k / n:.{decimals}f}"
            cells[name, model] = draw(st.sampled_from(MARKUP)).format(value)
            whose = "this" if model == "Kestrel-7B" else "other"
            planted.append(Planted(key, whose, value))
    rows = [[name, *(cells[name, model] for model in models)] for name in names]
    head = ["Benchmark", *models]
    if draw(st.booleans()):
        head = ["Model", *names]
        rows = [[model, *(cells[name, model] for name in names)] for model in models]
    table = _written(draw(st.sampled_from(["pipes", "bare", "quote", "html", "list"])), head, rows)
    before = "\n\n".join(draw(st.lists(st.sampled_from(DECOYS), max_size=3)))
    after = "\n\n".join(draw(st.lists(st.sampled_from(DECOYS), max_size=2)))
    title = draw(
        st.sampled_from(["# Kestrel-7B", "# 🦅 Kestrel-7B: small birds", "Kestrel-7B\n==="])
    )
    text = f"---\nlicense: mit\n---\n{title}\n\n{before}\n\n## Evaluation\n\n{table}\n\n{after}\n"
    return text, planted


def _written(how: str, head: list[str], rows: list[list[str]]) -> str:
    if how == "html":
        lines = ["<table>", f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>"]
        lines += [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows]
        return "\n".join([*lines, "</table>"])
    edge = "" if how == "bare" else "|"
    lines = [f"{edge} {' | '.join(row)} {edge}" for row in (head, ["---"] * len(head), *rows)]
    if how == "quote":
        return "\n".join(f"> {line}" for line in lines)
    if how == "list":
        return "- Results:\n\n" + "\n".join(f"  {line}" for line in lines)
    return "\n".join(line.strip() for line in lines)


def audited(text: str) -> Audit:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "card.md"
        path.write_text(text, encoding="utf-8")
        return audit(path)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(cards())
def test_every_planted_number_is_read_and_no_card_is_accused(
    card: tuple[str, list[Planted]],
) -> None:
    text, planted = card
    result = audited(text)
    found = {(c.benchmark, c.whose, c.text.strip("% ")) for c in result.claims}
    lines = text.split("\n")
    unread = " ".join(lines[line - 1] for line in result.unread.all_lines if line <= len(lines))
    for one in planted:
        is_found = (one.benchmark, one.whose, one.value) in found
        assert is_found or one.value in unread, (one, text)
    wrong = [f for f in result.findings if f.strength != "missing"]
    assert not wrong, (wrong, text)


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="|-<>`*_$[]()#!\n ~:%0123456789.GSM8KAIMEtable", max_size=400))
def test_no_text_breaks_the_reader(text: str) -> None:
    if text.strip():
        audited(f"# Kestrel-7B\n\n{text}\n")


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=300))
def test_no_character_breaks_the_reader(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    audited(f"# Kestrel-7B {text}\n\n| {text} | GSM8K |\n|---|---|\n| {text} | 72.7 |\n")


@pytest.mark.parametrize(
    "part",
    [
        "| Model | AIME24 | GSM8K |\n|---|---|---|\n| A-7B | 96.7 | 80.1 |\n\ntext\n\n",
        "Kestrel-7B gets 80.1% on GSM8K, Basalt-7B 70.2%.\n\n",
        "- **GSM8K**: 80.1%\n",
        "<tr><td>GSM8K</td><td>80.1</td></tr>\n",
    ],
    ids=["tables", "sentences", "lists", "rows"],
)
def test_the_time_grows_with_the_length(part: str) -> None:
    """Four times the text takes about four times as long, never sixteen times."""
    few, many = (
        f"# Kestrel-7B\n\n{'<table>' if '<tr' in part else ''}{part * times}"
        for times in (150, 600)
    )
    audited(few)
    start = time.process_time()
    audited(few)
    short = time.process_time() - start
    audited(many)
    long = time.process_time() - start - short
    assert long < 9 * short + 0.2


@pytest.mark.slow
def test_three_thousand_tables_are_read(tmp_path: Path) -> None:
    values = random.Random(0)
    parts = []
    for _ in range(3000):
        k = values.randrange(1, 1319)
        parts.append(f"| Model | GSM8K |\n|---|---|\n| Kestrel-7B | {100 * k / 1319:.2f} |\n")
    path = tmp_path / "card.md"
    path.write_text("# Kestrel-7B\n\n" + "\n".join(parts))
    result = audit(path)
    assert len(result.claims) == 3000 and all(claim.whose == "this" for claim in result.claims)


@st.composite
def tables_of_means(draw: st.DrawFn) -> str:
    """Draw a card whose table gives means over runs, with or without the number of runs."""
    runs = draw(st.integers(2, 8))
    count = draw(st.sampled_from(["runs", "seeds", "trainings", "# runs", "number of seeds", ""]))
    spread = draw(st.sampled_from(["sd", "std", "standard deviation", ""]))
    mean = draw(st.sampled_from(["mean", "mean, %", "Mean accuracy", "average", "avg."]))
    items = draw(st.sampled_from(["n", "items", "# problems", ""]))
    names = draw(st.permutations(list(BENCHMARKS)))[: draw(st.integers(2, 5))]
    titles = ["Benchmark", items, count, mean, spread]
    rows = []
    for name in names:
        n = BENCHMARKS[name][1]
        total = sum(draw(st.integers(0, n)) for _ in range(runs))
        filled = [name, str(n), str(runs), f"{100 * total / (n * runs):.1f}", "1.3"]
        rows.append([cell for title, cell in zip(titles, filled, strict=True) if title])
    table = _written(draw(st.sampled_from(["pipes", "html"])), [t for t in titles if t], rows)
    before = "# Kestrel-7B\n\nThe model was trained with several seeds.\n\n## Evaluation\n\n"
    return f"{before}{table}\n"


@settings(max_examples=200, deadline=None)
@given(tables_of_means())
def test_a_mean_over_runs_is_not_read_as_one_pass(text: str) -> None:
    result = audited(text)
    assert result.claims and not any(claim.passes == 1 for claim in result.claims)
    assert not [finding for finding in result.findings if finding.strength != "missing"]


@st.composite
def tables_of_parts(draw: st.DrawFn) -> tuple[str, str | None, list[tuple[str, str]]]:
    """Draw a card with a table of one benchmark's parts, some called like other benchmarks.

    Returns:
        The card, the benchmark's key if it is a known one, and the label and value of each part.
    """
    name = draw(st.sampled_from(["GSM8K", "SVAMP", "Birdsong-Bench", "mine_2"]))
    head = draw(st.sampled_from(["kind", "Contest", "level", "Subject", "Difficulty level"]))
    others = [one for one in [*BENCHMARKS, "AIME 2025, I"] if one != name]
    plain = ["clock", "share", "3", "hard ones", "Number Theory", "2024"]
    labels = draw(st.permutations(draw(st.permutations(others))[:2] + plain[:4]))
    labels = labels[: draw(st.integers(2, len(labels)))]
    rows, planted = [], []
    for label in labels:
        n = draw(st.integers(2, 40))
        k = draw(st.integers(0, n))
        rows.append([label, f"0 of {n}: 0%", f"{k} of {n}: {100 * k / n:.1f}%"])
        planted.append((label, f"{k} of {n}"))
    table = _written(draw(st.sampled_from(["pipes", "html"])), [head, "base", "tuned"], rows)
    above = draw(
        st.sampled_from(
            [
                f"### {name}, by {head}\n",
                f"## By level\n\n<details>\n<summary>{name}, by {head}</summary>\n",
                f"**{name}, by {head}:**\n",
                f"## Results\n\nThe scores on {name} by {head}:\n",
            ]
        )
    )
    key = BENCHMARKS[name][0] if name in BENCHMARKS else None
    if key is None:
        above = above.replace(f"scores on {name} by", f"scores on {name}, by")
    return f"# Kestrel-7B\n\n{above}\n{table}\n", key, planted


@settings(max_examples=200, deadline=None)
@given(tables_of_parts())
def test_a_part_called_like_a_benchmark_is_not_read_as_that_benchmark(
    card: tuple[str, str | None, list[tuple[str, str]]],
) -> None:
    text, key, planted = card
    result = audited(text)
    assert {claim.benchmark for claim in result.claims} <= {key}, text
    assert not [finding for finding in result.findings if finding.strength != "missing"], text
    own = [claim for claim in result.claims if claim.whose == "this"]
    lines = text.split("\n")
    unread = " ".join(lines[line - 1] for line in result.unread.all_lines)
    for label, count in planted:
        found = [each for each in own if each.text.startswith(count)]
        assert found or count in unread, (label, count, text)
        if key:
            assert any(each.subset == label for each in found), (label, count, text)
        for each in found:
            assert key or label in each.label or len(found) > 1, (label, each)
