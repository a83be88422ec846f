"""The card shows exactly what the ledger holds, and the ledger what the responses give."""

import contextlib
import copy
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from huggingface_hub import ModelCard

from mathledger.card import card, collect, markdown, plot_tables, plots, scores, settings
from mathledger.card.ledger import Comparison, Interval, Ledger
from mathledger.card.outputs import Outputs
from mathledger.card.views import scores as score_views
from mathledger.card.views import sources
from mathledger.chain.lock import folder_md5
from mathledger.core import configuration
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.tables import Row, read_rows, write_rows
from mathledger.evaluation import statistics
from mathledger.evaluation.samples import SAMPLE
from mathledger.run.compose import compose
from mathledger.run.params import read
from stages import params
from tests import evaluated
from tests.conftest import ROOT, Workspace

SETTINGS = read(ROOT / "params.yaml")
CLAIMS = [
    settings.Claim("a/seed", "aime24", 0.95, 0.99, "its card: AIME 95-99%"),
    settings.Claim("a/seed", "math500", 0.9, 0.94, "its card | table"),
]


def make_ledger(content: dict[str, Any], claims: Any) -> dict[str, Any]:
    """Return the ledger's JSON for the project in this folder."""
    return collect.ledger(Outputs(Path()), content, claims).content()


def render(content: dict[str, Any]) -> str:
    """Return the card for a ledger's JSON."""
    return card.text(Ledger.read(content, "ledger"))


NUMBER = r"\d(?:[\d,]*\d)?(?:\.\d+)?"


@dataclass(frozen=True)
class Project:
    """A made-up project (tests/evaluated.py), its ledger and its card."""

    path: Path
    settings: dict[str, Any]
    ledger: dict[str, Any]

    @property
    def text(self) -> str:
        return render(self.ledger)

    def entry(self, benchmark: str) -> dict[str, Any]:
        return next(e for e in self.ledger["benchmarks"] if e["benchmark"] == benchmark)

    def samples(self, model: str, benchmark: str) -> dict[str, list[Row]]:
        """Return the responses by item."""
        rows = read_rows(self.path / f"data/evaluate/{model}-{benchmark}/samples.parquet")
        return {
            item: list(own) for item, own in itertools.groupby(rows, lambda row: row["item_id"])
        }


def make(
    path: Path, num_repeats: int, *, models: Any = None, claims: Any = (), **changes: Any
) -> Project:
    with contextlib.chdir(path):
        content = evaluated.write_project(SETTINGS, num_repeats, models) | changes
        return Project(path, content, make_ledger(content, claims))


BAND = "grader's band"  # heading of a column of the score table


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Build a project with one response per item."""
    return make(tmp_path_factory.mktemp("single"), 1)


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Build a project with four responses per item."""
    return make(tmp_path_factory.mktemp("repeated"), 4)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Build a project with three models and claims about two benchmarks, one not evaluated."""
    own = {"name": "three", "language": "en", "url": None}
    models = ["base", "tuned", "reinforced"]
    claims = [settings.Claim("b/other", "exam", 0.7, 0.7, "about 70%"), *CLAIMS]
    path = tmp_path_factory.mktemp("three")
    return make(path, 4, models=models, claims=claims, model_card=own)


@pytest.fixture(params=["single", "repeated", "three"])
def project(request: pytest.FixtureRequest) -> Project:
    found: Project = request.getfixturevalue(request.param)
    return found


def leaves(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        node = list(node.keys()) + list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from leaves(each)
    else:
        yield node


def tables(text: str) -> dict[tuple[str, ...], list[list[str]]]:
    """Return the rows of every table by its header."""
    found: dict[tuple[str, ...], list[list[str]]] = {}
    for block in re.findall(r"(?:^\|.*\|\n)+", text, flags=re.M):
        head, _, *rows = [
            [cell.strip().replace("\u00a0", " ") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in block.splitlines()
        ]
        found.setdefault(tuple(head), []).extend(rows)
    return found


def test_every_number_of_the_card_is_in_the_ledger(project: Project) -> None:
    """A number may have thousands separators or be a percentage of a share.

    Exempt are the constants of the methods (95% intervals), code and links.
    """
    numbers = {"95"}
    for leaf in leaves(project.ledger):
        if isinstance(leaf, str):
            numbers |= set(re.findall(NUMBER, leaf))
        elif isinstance(leaf, int | float) and not isinstance(leaf, bool):
            numbers |= {f"{leaf:,}", f"{leaf:g}", f"{leaf:.2g}", f"{abs(100 * leaf):.4g}"}
            numbers |= {f"{abs(100 * leaf):.{digits}f}" for digits in (0, 1)}
    numbers.add("0.001")  # As in p <0.001.
    for entry in project.ledger["benchmarks"]:
        for score in entry["models"].values():
            total = score["num_samples"]
            for key in ("num_truncated", "num_no_answer", "num_unsure", "num_too_long"):
                numbers |= {markdown.percent(score[key] / total, total)}
    body = project.text.split("---\n", 2)[2]
    body = re.sub(r"```.*?```|\]\([^)]*\)|pass@|avg@k", "", body, flags=re.S)
    shown = set(re.findall(rf"(?<![\w.]){NUMBER}(?!\w)", body))
    assert len(shown) > 60
    assert shown <= numbers


def test_a_typed_number_would_be_noticed(single: Project) -> None:
    """If a number in the ledger changes, the old one disappears from the card."""
    ledger = json.loads(json.dumps(single.ledger))
    ledger["benchmarks"][0]["models"]["tuned"]["num_correct"] = 987
    changed = "987\u00a0of\u00a060: "
    assert changed in render(ledger) and changed not in single.text


def test_the_card_is_made_from_the_ledger_alone(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert render(json.loads(json.dumps(project.ledger))) == project.text


def test_the_committed_card_is_the_one_of_the_committed_ledger() -> None:
    """Changes of the card's text show in a commit, and manual edits are noticed."""
    content = json.loads((ROOT / "model_card/ledger.json").read_text("utf-8"))["predicate"]
    assert render(content) == (ROOT / "model_card/README.md").read_text("utf-8")


def test_texts_of_the_ledger_are_neither_code_nor_markup(single: Project) -> None:
    """They cannot break a template, a table's columns or the HTML around a model's text."""
    ledger = copy.deepcopy(single.ledger)
    code = "{{ 7 * 7 }} {% if x %}"
    ledger["name"] = f"My {code}"
    ledger["benchmarks"][0]["about"] = code
    ledger["corpora"]["web"]["licence"] = f"a|b {code}"
    ledger["held_out"]["train"] = {"problem": f"1 < 2? {code}</pre><script>", "answer": "4"}
    response = f"</pre><script>alert(1)</script>\n\n{code}"
    ledger["samples"]["train"] = [{"step": "0", "id": "held-out", "response": response}] * 2
    text = render(ledger)
    assert text.replace("\\", "").count(code) == 8
    assert r"| a\|b {{ 7 \* 7 }} {% if x %} |" in text
    assert "<script>" not in text and text.count("</pre>") == 3
    assert "1 &lt; 2?" in text and "&lt;script&gt;alert(1)&lt;/script&gt;\n{{ 7" in text


def test_no_held_out_problem_is_shown_if_each_is_withheld(single: Project) -> None:
    ledger = copy.deepcopy(single.ledger)
    ledger["samples"]["train"], ledger["held_out"] = [], {}
    text = " ".join(render(ledger).split())
    assert "No held-out problem is shown, because each one holds a benchmark item" in text
    assert "Step 0" not in text


def test_an_edited_figure_or_template_reruns_the_card_alone(smoke_copy: Workspace) -> None:
    """Drawing code and templates are dependencies of the card."""
    for name in ("plots.py", "templates/limits.md.jinja"):
        path = smoke_copy.path / "mathledger/card" / name
        before = path.read_text("utf-8")
        path.write_text(before + "\n", encoding="utf-8")
        shown = smoke_copy.run("dvc", "repro", "--dry")
        assert re.findall(r"Running stage '(\w+)", shown) == ["model_card"], name
        path.write_text(before, encoding="utf-8")


def test_single_scores_are_those_of_the_responses(single: Project) -> None:
    for entry in single.ledger["benchmarks"]:
        for model, score in entry["models"].items():
            rows = [rows[0] for rows in single.samples(model, entry["benchmark"]).values()]
            right = [row["correct"] for row in rows]
            found = statistics.accuracy(right)
            assert (score["num_correct"], score["num_items"]) == (sum(right), len(rows))
            assert [score["accuracy"], score["low"], score["high"]] == [
                round(value, 8) for value in (found.value, found.low, found.high)
            ]
            assert score["pass_at"] == {} and score["majority"] is None


def test_repeated_scores_are_those_of_the_responses(repeated: Project) -> None:
    """avg@k is the mean, pass@k means any correct response, and maj@k is between the two."""
    for entry in repeated.ledger["benchmarks"]:
        for model, score in entry["models"].items():
            items = repeated.samples(model, entry["benchmark"]).values()
            table = np.array([[row["correct"] for row in rows] for rows in items])
            assert (score["num_samples"], score["num_correct"]) == (table.size, table.sum())
            assert score["accuracy"] == pytest.approx(table.mean(), abs=1e-8)
            assert set(score["pass_at"]) == {"2", "4"}
            assert score["pass_at"]["4"]["value"] == pytest.approx(
                table.any(axis=1).mean(), abs=1e-4
            )
            pairs = [
                table[:, list(pair)].any(axis=1) for pair in itertools.combinations(range(4), 2)
            ]
            assert score["pass_at"]["2"]["value"] == pytest.approx(np.mean(pairs), abs=1e-8)
            assert score["majority"]["value"] <= score["pass_at"]["4"]["value"]


def test_comparisons_are_of_every_pair_and_adjusted_together(three: Project) -> None:
    made = [each for entry in three.ledger["benchmarks"] for each in entry["comparisons"]]
    pairs = [("tuned", "base"), ("reinforced", "base"), ("reinforced", "tuned")]
    assert [(each["model"], each["against"]) for each in made] == pairs * 3
    assert three.ledger["num_comparisons"] == 9
    assert [each["p_holm"] for each in made] == pytest.approx(
        statistics.holm([each["p_value"] for each in made]), rel=1e-3
    )
    assert "9 comparisons are made at once" in " ".join(three.text.split())


def test_a_comparison_is_paired_by_item(single: Project) -> None:
    for entry in single.ledger["benchmarks"]:
        base, tuned = (single.samples(model, entry["benchmark"]) for model in ("base", "tuned"))
        (each,) = entry["comparisons"]
        steps = [tuned[item][0]["correct"] - base[item][0]["correct"] for item in base]
        assert (each["num_gained"], each["num_lost"]) == (steps.count(1), steps.count(-1))
        assert each["difference"]["value"] == pytest.approx(np.mean(steps), abs=1e-8)


@pytest.mark.parametrize(
    ("p_value", "p_holm", "value", "said"),
    [
        (0.2, 0.2, 0.3, "no difference shown"),
        (0.01, 0.04, 0.3, "better"),
        (0.01, 0.04, -0.3, "worse"),
        (0.01, 0.09, 0.3, "better, but not after Holm"),
    ],
)
def test_the_verdict_goes_by_the_adjusted_p(
    p_value: float, p_holm: float, value: float, said: str
) -> None:
    each = Comparison(
        model="tuned",
        against="base",
        difference=Interval(value=value, low=-1.0, high=1.0),
        p_value=p_value,
        num_gained=0,
        num_lost=0,
        minimum_detectable=None,
        p_holm=p_holm,
    )
    assert score_views.verdict(each) == said


def test_clean_and_overlapping_items_are_all_items(project: Project) -> None:
    """The corpora contained ten items of exam; a variant of an aime item does not count."""
    for entry in project.ledger["benchmarks"]:
        leaked = evaluated.NUM_LEAKED if entry["benchmark"] == "exam" else 0
        assert entry["num_items_overlapping_training_candidates"] == leaked
        for model, score in entry["models"].items():
            clean, overlapping = score["items_without_overlap"], score["items_with_overlap"]
            assert overlapping["num_items"] == leaked
            for key in ("num_items", "num_samples", "num_correct"):
                assert clean[key] + overlapping[key] == score[key]
            items = project.samples(model, entry["benchmark"])
            right = [
                row["correct"]
                for item, rows in items.items()
                for row in rows
                if entry["benchmark"] == "exam" and int(item[-3:]) < leaked
            ]
            if not leaked:
                assert score["overlap_gap"] is None and overlapping["accuracy"] is None
                continue
            assert overlapping["accuracy"] == pytest.approx(np.mean(right), abs=1e-8)
            gap = overlapping["accuracy"] - clean["accuracy"]
            assert score["overlap_gap"]["value"] == pytest.approx(gap, abs=2e-8)
            assert score["overlap_gap"]["low"] < gap < score["overlap_gap"]["high"]
    assert "The corpora hold no item of aime, secret." in project.text


def test_a_subsets_values_hold_all_items_in_their_order(project: Project) -> None:
    for model, score in project.entry("exam")["models"].items():
        assert {key: list(values) for key, values in score["subsets"].items()} == {
            "level": ["1", "2", "3", "4", "5"],
            "subject": evaluated.SUBJECTS,
        }
        for values in score["subsets"].values():
            assert sum(each["num_items"] for each in values.values()) == score["num_items"]
            assert sum(each["num_correct"] for each in values.values()) == score["num_correct"]
        hardest = [
            row["correct"]
            for item, rows in project.samples(model, "exam").items()
            for row in rows
            if int(item[-3:]) % 5 == 4
        ]
        assert score["subsets"]["level"]["5"]["num_correct"] == sum(hardest)
    assert project.entry("aime")["models"]["base"]["subsets"] == {}


def test_how_the_responses_ended_is_counted(project: Project) -> None:
    for entry in project.ledger["benchmarks"]:
        for model, score in entry["models"].items():
            items = project.samples(model, entry["benchmark"]).values()
            rows = [row for own in items for row in own]
            ends = [row["finish_reason"] for row in rows]
            assert score["num_truncated"] == ends.count("length") > 0
            assert score["num_too_long"] == ends.count("too_long")
            assert score["num_no_answer"] == sum(row["extracted_answer"] is None for row in rows)
            lengths = score["response_lengths"]
            assert sum(lengths["counts"]) == len(rows) - ends.count("too_long")
            assert lengths["counts"][-1] >= ends.count("length")


def test_thinking_has_a_histogram_and_a_mean_of_its_own(single: Project) -> None:
    rows = [
        {"finish_reason": end, "num_tokens": tokens, "num_thinking_tokens": thought}
        for end, tokens, thought in
        [("stop", 40, 33), ("stop", 9, None), ("length", 64, 64), ("too_long", 0, None)]
    ]  # fmt: skip
    lengths = scores.response_lengths(rows, 64)
    assert lengths.thinking_counts and sum(lengths.thinking_counts) == 2
    assert [at for at, count in enumerate(lengths.thinking_counts) if count] == [16, 31]
    assert scores.response_lengths(rows[1:2], 64).thinking_counts is None
    assert "Dotted lines" not in single.text
    ledger = copy.deepcopy(single.ledger)
    own = ledger["benchmarks"][0]["models"]["tuned"]
    own["mean_num_thinking_tokens"] = 33.5
    own["response_lengths"]["thinking_counts"] = list(own["response_lengths"]["counts"])
    text = render(ledger)
    assert ", 33.5 of them thinking |" in text and "Dotted lines" in text
    bins = plot_tables.lengths(Ledger.read(ledger, ""))
    assert Counter(row.part for row in bins)["thinking"] == len(own["response_lengths"]["counts"])
    assert plots.lengths(bins)


def test_where_the_harness_judges_otherwise_is_said(project: Project) -> None:
    """The harness differs on one item of exam; the other benchmarks have no such task."""
    repeats = project.entry("exam")["num_repeats"]
    every = {
        model: [row for own in project.samples(model, "exam").values() for row in own]
        for model in ("base", "tuned")
    }
    counts = [
        f"{repeats} of {60 * repeats} ({model}; it calls {sum(r['harness_correct'] for r in rows)}"
        for model, rows in every.items()
    ]
    assert f"- exam: {counts[0]} right), {counts[1]} right)" in project.text
    assert "- aime: " not in project.text.split("## Limits")[0]


def test_no_score_of_30_items_has_a_decimal(project: Project) -> None:
    for head, rows in tables(project.text).items():
        for row in rows:
            if row[0] == "aime" and not {"revision", "mean tokens", "grader"} & set(head):
                assert (
                    not re.search(r"\d\.\d", " ".join(row[1:]).replace("<0.001", "")) or "p" in head
                )
    scores = tables(project.text)[
        ("benchmark", *project.settings["evaluated_models"], BAND, "items", "ledger")
    ]
    assert all("." not in cell for row in scores if row[0] == "aime" for cell in row)
    # 240 items are enough for a decimal.
    assert any("." in cell for row in scores if row[0] == "secret" for cell in row)


def test_single_counts_on_the_card_are_the_ledgers(single: Project) -> None:
    rows = tables(single.text)[("benchmark", "base", "tuned", BAND, "items", "ledger")]
    assert [row[0] for row in rows] == list(evaluated.SIZES)
    for name, *cells, _, count, _ in rows:
        assert count == str(evaluated.SIZES[name])
        for model, cell in zip(("base", "tuned"), cells, strict=True):
            found = re.fullmatch(r"(\d+) of (\d+): (\S+)% \[(\S+), (\S+)\]", cell)
            score = single.entry(name)["models"][model]
            assert found
            assert (int(found[1]), int(found[2])) == (score["num_correct"], score["num_items"])
            assert float(found[4]) <= float(found[3]) <= float(found[5])


def test_the_graders_band_goes_from_the_score_to_all_unjudged_answers_right(
    single: Project,
) -> None:
    table = tables(single.text)[("benchmark", "base", "tuned", BAND, "items", "ledger")]
    bands = {row[0]: dict(re.findall(r"(\w+) (\S+ to [^\s,]+)", row[3])) for row in table}
    for row in table:
        name, scores = row[0], dict(zip(("base", "tuned"), row[1:3], strict=True))
        for model, score in scores.items():
            rows = [row for each in single.samples(model, name).values() for row in each]
            unsure = sum(not row["is_sure"] for row in rows)
            right = sum(row["correct"] for row in rows)
            assert single.entry(name)["models"][model]["num_unsure"] == unsure
            own = re.search(r"(\S+)%", score)
            assert own
            band = bands[name].get(model, f"{own[1]} to {own[1]}")
            ends = [float(end) for end in band.split(" to ")]
            assert (model in bands[name]) == (ends[0] != ends[-1])
            assert ends[0] == pytest.approx(100 * right / len(rows), abs=0.51)
            assert ends[-1] == pytest.approx(100 * (right + unsure) / len(rows), abs=0.51)
    changed = copy.deepcopy(single.ledger)
    score = changed["benchmarks"][0]["models"]["base"]
    score["accuracy_if_unsure_right"] = score["accuracy"]
    assert "base" in table[0][3] and "tuned" in table[0][3]
    row = tables(render(changed))[("benchmark", "base", "tuned", BAND, "items", "ledger")][0]
    assert row[3] == f"tuned {bands[row[0]]['tuned']}"


def test_how_a_score_was_measured_is_on_the_card(repeated: Project) -> None:
    head = ("benchmark", "model", "backend", "dtype", "batch size", "task version", "grader")
    assert ["aime", "tuned", "hf", "bfloat16", "48", "2", "1"] in tables(repeated.text)[head]
    assert "sampled at temperature 0.6 and top_p 0.95" in repeated.text
    assert "30 x 4" in repeated.text


def test_variables_of_the_chat_template_stand_on_the_card(single: Project) -> None:
    assert "The chat template got" not in single.text
    changed = copy.deepcopy(single.ledger)
    changed["params"]["evaluate"]["chat_template_kwargs"] = {"enable_thinking": False}
    assert "The chat template got `enable_thinking=False`." in render(changed)


def test_greedy_is_said_of_greedy(single: Project) -> None:
    assert "Each item was answered once, with greedy decoding." in single.text
    assert "pass@" not in single.text and "Sampled" not in single.text


def test_claims_are_not_measurements(three: Project) -> None:
    """Claims have their own table, change no measured number and stay out of the header."""
    without = make_again(three)
    assert {**three.ledger, "claims": []} == without
    rows = tables(three.text)[
        ("model", "benchmark", "claimed", "benchmark evaluated here", "where it is stated")
    ]
    assert rows == [
        ["b/other", "exam", "70%", "yes", "about 70%"],
        ["a/seed", "aime24", "95-99%", "no", "its card: AIME 95-99%"],
        ["a/seed", "math500", "90-94%", "no", r"its card \| table"],
    ]
    head, body = three.text.split("---\n", 2)[1:]
    assert "seed" not in head and "other" not in head
    assert body.count("a/seed") == 2 and body.count("b/other") == 1
    assert "## Claims" not in render(without)


def make_again(project: Project) -> dict[str, Any]:
    """Return the ledger without claims."""
    with contextlib.chdir(project.path):
        return make_ledger(project.settings, [])


def test_only_claims_about_what_is_evaluated_are_drawn(
    three: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    real = plots.scores

    def scores(rows: Any, claims: Any) -> Any:
        drawn.append([claim.benchmark for claim in claims])
        return real(rows, claims)

    monkeypatch.setattr(plots, "scores", scores)
    plots.figures(Ledger.read(three.ledger, ""), Outputs(three.path).loss_curve())
    assert drawn == [["exam"]]


def test_a_claim_about_an_unknown_benchmark_is_an_error() -> None:
    wrong = settings.Claim("a/seed", "aime", 0.9, 0.9, "its card")
    with pytest.raises(
        InputError,
        match=r"model_card\.claims\[2\]\.benchmark: conf/benchmark/aime.yaml does not exist",
    ):
        settings.check_claims([*CLAIMS, wrong], ["aime24", "math500"])
    with pytest.raises(InputError, match=r"model_card\.claims\[0\]: low=0\.9 exceeds high=0\.5"):
        settings.check_claims(
            [settings.Claim("a/seed", "aime24", 0.9, 0.5, "its card")], ["aime24"]
        )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"low": 95}, "claims.0.low: Input should be less than or equal to 1, got 95"),
        ({"high": "0.99"}, "claims.0.high: Input should be a valid number"),
        ({"score": 0.9}, "claims.0.score: unknown key"),
    ],
)
def test_a_claim_in_percent_or_with_other_keys_is_an_error(
    changes: dict[str, Any], said: str
) -> None:
    claim = {"model": "a", "benchmark": "aime24", "low": 0.9, "high": 0.99, "source": "b"} | changes
    with pytest.raises(InputError, match=re.escape(said)):
        configuration.check(
            "model_card", {"name": "x", "language": "en", "claims": [claim]}, settings.Params
        )


def test_a_misspelled_claim_stops_the_compilation() -> None:
    claim = "{model: a, benchmark: aime, low: 0.9, high: 0.9, source: b}"
    text = compose([f"model_card.claims=[{claim}]"])
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(OmegaConf.create(text))
    assert isinstance(content, dict)
    with pytest.raises(InputError, match=r"conf/benchmark/aime\.yaml does not exist"):
        params.check_all({str(key): value for key, value in content.items()})


def test_the_seed_cards_claims_are_all_there() -> None:
    """They cover the benchmarks that the experiment evaluates and one that it does not."""
    text = compose(["model_card=seed_claims"])
    from omegaconf import OmegaConf

    claims = OmegaConf.create(text).model_card.claims
    seed = {
        (each.benchmark, each.low, each.high)
        for each in claims
        if each.model == "sid172002/deepseek-math-7b-rl-5500steps" and each.low < each.high
    }
    assert {(name, low, high) for name, low, high in seed} == {
        ("aime24", 0.95, 0.99),
        ("aime25", 0.95, 0.99),
        ("math500", 0.90, 0.94),
        ("gsm8k", 0.96, 0.98),
        ("amc12", 0.96, 0.99),
    }
    assert ("frontiermath_tier1", 0.67) in {(each.benchmark, each.low) for each in claims}
    others = {each.model for each in claims if each.model != claims[0].model}
    assert others == {"DeepSeek R1 14B", "GPT-4", "o3-mini"}


def test_the_order_of_the_samples_does_not_matter(single: Project, tmp_path: Path) -> None:
    again = make(tmp_path, 1)
    for path in tmp_path.glob("data/evaluate/*/samples.parquet"):
        rows = read_rows(path)
        write_rows(path, rows[::-1], SAMPLE)
    with contextlib.chdir(tmp_path):
        found = make_ledger(again.settings, [])
    expected = copy.deepcopy(single.ledger)
    for entry in (*found["benchmarks"], *expected["benchmarks"]):
        for score in entry["models"].values():
            del score["samples_sha256"]
    assert found == expected


@pytest.mark.parametrize("change", ["one response missing", "another item", "none"])
def test_samples_that_do_not_fit_the_items_are_an_error(change: str, tmp_path: Path) -> None:
    project = make(tmp_path, 2)
    path = tmp_path / "data/evaluate/tuned-exam/samples.parquet"
    rows = {
        "one response missing": lambda rows: rows[1:],
        "another item": lambda rows: [{**row, "item_id": "x" + row["item_id"]} for row in rows],
        "none": lambda rows: [],
    }[change](read_rows(path))
    write_rows(path, rows, SAMPLE)
    with (
        contextlib.chdir(tmp_path),
        pytest.raises(InputError, match=r"data/evaluate/tuned-exam/samples\.parquet does not hold"),
    ):
        make_ledger(project.settings, [])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is missing: run `dvc repro`"),
        ({}, "deps: missing key"),
        ({"deps": ["data/model/tuned"]}, "deps: Input should be an object"),
        (
            evaluated.lineage("evaluate@tuned-exam", {"data/model/tuned": "m"}),
            "has no digest of data/download_benchmark/exam",
        ),
        (
            evaluated.lineage("evaluate@tuned-exam", {"data/download_benchmark/exam": "b"}),
            "has no digest of data/model/tuned",
        ),
    ],
)
def test_a_score_without_lineage_is_refused(content: Any, said: str, tmp_path: Path) -> None:
    project = make(tmp_path, 1)
    path = tmp_path / "lineage/evaluate/tuned-exam.json"
    path.unlink()
    if content is not None:
        path.write_text(json.dumps(content))
    with contextlib.chdir(tmp_path), pytest.raises(InputError) as raised:
        make_ledger(project.settings, [])
    assert str(raised.value).startswith("lineage/evaluate/tuned-exam.json")
    assert said in str(raised.value) and "run `dvc repro" in str(raised.value)


@pytest.mark.parametrize(
    "path",
    [
        "data/train/samples.csv",
        "data/evaluate/base-aime/samples.parquet",
        "data/model/base/receipt.json",
        "metrics/mix.json",
        "metrics/train.json",
    ],
)
def test_a_missing_file_is_named(path: str, tmp_path: Path) -> None:
    project = make(tmp_path, 1)
    (tmp_path / path).unlink()
    with contextlib.chdir(tmp_path), pytest.raises(InputError, match=re.escape(path)):
        make_ledger(project.settings, [])


def test_a_damaged_metric_is_named_with_its_key(tmp_path: Path) -> None:
    project = make(tmp_path, 1)
    path = tmp_path / "metrics/train.json"
    path.write_text(path.read_text().replace('"last_loss": 0.5', '"last_loss": "0.5"'))
    with (
        contextlib.chdir(tmp_path),
        pytest.raises(InputError, match=r"metrics/train\.json: last_loss: Input should be a valid"),
    ):
        make_ledger(project.settings, [])


def test_no_line_breaks_within_a_count_or_an_interval(project: Project) -> None:
    """On a narrow screen a cell breaks only at plain spaces."""
    rows = [line for line in project.text.splitlines() if line.startswith("| ")]
    whole = "\n".join(rows)
    assert "[" in whole and not re.search(r"\d of \d|\[-?[\d.]+, ", whole)
    assert re.search(r"\[-?[\d.]+,\u00a0-?[\d.]+\]", whole)


@pytest.mark.parametrize(
    ("base", "corpus", "head"),
    [
        ("Apache-2.0", "MIT", ("apache-2.0", None, None)),
        ("Apache-2.0", "CC-BY-SA-4.0", ("cc-by-sa-4.0", None, None)),
        ("deepseek", "CC-BY-4.0", ("other", "deepseek", "https://github.com/deepseek-ai/")),
        ("Apache-2.0", "not stated", ("unknown", None, None)),
    ],
)
def test_the_front_matter_has_the_derived_licence(
    base: str, corpus: str, head: tuple[str, str | None, str | None], single: Project
) -> None:
    found = collect.licence(base, {"web": corpus}).content()
    text = render({**single.ledger, "licence": found})
    data = ModelCard(text).data
    assert (data.license, data.get("license_name")) == head[:2]
    assert str(data.get("license_link")).startswith(str(head[2]))
    assert ("Do not publish this model yet" in text) == (head[0] == "unknown")


def test_what_the_inputs_come_from_is_cited(single: Project) -> None:
    """Each known work is cited once, by the name of its source or of the base model."""
    ledger = copy.deepcopy(single.ledger)
    ledger["base_model"]["base_model"] = None
    assert "Works behind the base model" not in render(ledger)
    ledger["base_model"]["base_model"] = "deepseek-ai/deepseek-math-7b-rl"
    for corpus in ledger["corpora"].values():
        corpus["name"] = "AI-MO/NuminaMath-CoT"
    shown = render(ledger)
    own, entries = re.findall(r"```bibtex\n(.*?)```", shown, flags=re.S)
    assert f"{{{{{ledger['name']}}}}}" in own
    assert re.findall(r"^@misc\{(\w+),$", entries, flags=re.M) == ["deepseekmath", "numinamath"]
    assert "eprint = {2402.03300}" in entries
    for code in (own, entries):
        assert code.count("{") == code.count("}")


def test_every_work_is_that_of_a_source_of_conf() -> None:
    text = "".join(path.read_text() for path in (ROOT / "conf").rglob("*.yaml"))
    # Sources of reasoning-gym have `kind: practice` and no name in conf/.
    names = {name for name in sources.works() if name != "reasoning-gym"}
    assert names == {name for name in names if re.search(rf": {re.escape(name)}$", text, re.M)}
    keys = [work["key"] for work in sources.works().values()]
    assert len(keys) == len(set(keys))


def test_the_usage_snippet_says_how_each_benchmark_was_asked(
    single: Project, repeated: Project
) -> None:
    """The snippet says whether decoding was greedy, and which benchmarks differ."""
    assert ", do_sample=False, " in single.text
    assert ", do_sample=True, temperature=0.6, top_p=0.95, " in repeated.text
    assert "The exceptions are" not in single.text
    ledger = copy.deepcopy(single.ledger)
    ledger["params"]["benchmark"]["exam"]["task"]["num_fewshot"] = 4
    ledger["params"]["benchmark"]["secret"]["task"]["doc_to_text"] = "{problem}"
    shown = " ".join(render(ledger).split())
    assert "The exceptions are exam, secret, with their own prompt or worked examples" in shown


def test_one_model_alone_is_compared_with_nothing(tmp_path: Path) -> None:
    project = make(tmp_path, 1, models=["base"])
    assert project.ledger["num_comparisons"] == 0
    assert "compared" not in project.text.split("## Contamination")[0]


def test_without_levels_there_is_no_picture_of_them(single: Project) -> None:
    ledger = json.loads(json.dumps(single.ledger))
    assert "](levels.png)" in single.text and plot_tables.levels(Ledger.read(ledger, ""))
    for score in ledger["benchmarks"][0]["models"].values():
        del score["subsets"]["level"]
    assert "](levels.png)" not in render(ledger) and not plot_tables.levels(Ledger.read(ledger, ""))
    assert "exam, by subject" in render(ledger)


def test_front_matter_is_valid_and_holds_the_ledgers_scores(repeated: Project) -> None:
    data = ModelCard(repeated.text).data
    assert data.datasets == ["org/corpus"] and data.license == "mit"
    for each in data.eval_results:
        assert each.dataset_revision == "0123abc"
        assert each.source_url == "model_card/ledger.json" and each.source_name.startswith(
            "ledger "
        )
    shown = {each.dataset_name: (each.metric_name, each.metric_value) for each in data.eval_results}
    assert shown == {
        entry["benchmark"]: (
            f"avg@4, n={entry['num_items']}",
            entry["models"]["tuned"]["accuracy"],
        )
        for entry in repeated.ledger["benchmarks"]
    }


def test_what_is_folded_can_be_opened(project: Project) -> None:
    """Markdown inside HTML is parsed as Markdown only after an empty line."""
    folds = re.findall(
        r"<details>\n<summary>[^<]+</summary>\n\n(?:\|.*?\||```.*?```)\n\n</details>\n",
        project.text,
        re.S,
    )
    assert len(folds) == project.text.count("<details>") == project.text.count("</details>") > 2


@pytest.mark.parametrize(
    ("share", "num_items", "shown"), [(29 / 30, 30, "97"), (0.9, 500, "90.0"), (0.0, 12, "0")]
)
def test_percent_shows_no_more_than_an_item_is_worth(
    share: float, num_items: int, shown: str
) -> None:
    assert markdown.percent(share, num_items) == shown


def test_a_score_of_no_items_is_not_a_number() -> None:
    assert score_views.score_cell(scores.score_of([])) == "no items"


def test_the_pipelines_ledger_can_be_recomputed_from_its_samples(smoke: Workspace) -> None:
    ledger = json.loads((smoke.path / "model_card/ledger.json").read_text())["predicate"]
    for entry in ledger["benchmarks"]:
        for model, score in entry["models"].items():
            path = smoke.path / f"data/evaluate/{model}-{entry['benchmark']}/samples.parquet"
            assert score["samples_sha256"] == sha256(path)
            rows = read_rows(path)
            found = statistics.accuracy([row["correct"] for row in rows])
            assert score["num_items"] == len(rows)
            assert score["accuracy"] == round(found.value, 8)
            assert [score["low"], score["high"]] == [round(found.low, 8), round(found.high, 8)]


def test_the_pipelines_metrics_and_card_agree(smoke: Workspace) -> None:
    ledger = json.loads((smoke.path / "model_card/ledger.json").read_text())["predicate"]
    for entry in ledger["benchmarks"]:
        for model, score in entry["models"].items():
            path = smoke.path / f"metrics/evaluate/{model}-{entry['benchmark']}.json"
            measured = json.loads(path.read_text())
            assert (score["accuracy"], score["low"], score["high"]) == (
                measured["accuracy"],
                measured["accuracy_low"],
                measured["accuracy_high"],
            )
            for key in ("truncated", "no_answer", "too_long"):
                share = score[f"num_{key}"] / score["num_samples"]
                assert measured[f"{key}_rate"] == pytest.approx(share, abs=1e-8)


def test_ledgers_inputs_are_the_digests_of_the_lock(smoke: Workspace) -> None:
    import yaml

    lock = yaml.safe_load((smoke.path / "dvc.lock").read_text())["stages"]
    made = {out["path"]: out["md5"] for stage in lock.values() for out in stage.get("outs", [])}
    ledger = json.loads((smoke.path / "model_card/ledger.json").read_text())["predicate"]
    assert set(ledger["stages"]) == set(lock) - {"model_card"}
    for name, inputs in ledger["stages"].items():
        locked = {dep["path"]: dep["md5"] for dep in lock[name]["deps"]}
        assert {path: locked[path] for path in inputs} == inputs
        for path in locked.keys() - inputs.keys():  # Stage files and rooms.
            files = {
                file.removeprefix(f"{path}/"): md5
                for file, md5 in ledger["code"].items()
                if file.startswith(f"{path}/")
            }
            assert locked[path] == (ledger["code"].get(path) or folder_md5(files)), path
        assert all(made.get(path, digest) == digest for path, digest in inputs.items())


def test_planted_rows_are_reported(smoke: Workspace) -> None:
    ledger = json.loads((smoke.path / "model_card/ledger.json").read_text())["predicate"]
    assert {row["kind"]: (row["num_planted"], row["num_removed"]) for row in ledger["planted"]} == {
        "planted_wrong_answer": (2, 2),
        "planted_leak": (2, 2),
        "planted_exact_copy": (3, 3),
        "planted_near_copy": (3, 3),
    }
    for entry in ledger["benchmarks"]:
        assert entry["num_items_overlapping_training_candidates"] == 2


def test_the_report_shows_the_planted_leaks_next_to_their_items(smoke: Workspace) -> None:
    page = (smoke.path / "model_card/report.html").read_text()
    pairs = re.findall(r"<article.*?</article>", page, flags=re.S)
    leaks = [pair for pair in pairs if "planted_leak" in pair and "same <small>removed" in pair]
    assert leaks and all("tiny_chain_sum" in pair for pair in leaks)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("contamination", "source,benchmark,num_rows"),
        ("canaries", "form,"),
        ("scores", "benchmark,model,num_items,accuracy,low,high"),
        ("lengths", "benchmark,model,part,tokens_from,tokens_to,limit"),
    ],
)
def test_the_tables_of_the_card_are_dvc_plots(smoke: Workspace, name: str, columns: str) -> None:
    text = (smoke.path / f"plots/model_card/{name}.csv").read_text()
    assert text.startswith(columns)
    shown = smoke.run("dvc", "plots", "show", "--show-vega", name)
    assert text.splitlines()[1].split(",")[0] in shown


def test_funnel_never_widens(smoke: Workspace) -> None:
    ledger = json.loads((smoke.path / "model_card/ledger.json").read_text())["predicate"]
    for counts in ledger["funnel"].values():
        assert counts == sorted(counts, reverse=True) and counts[-1] > 0


def test_links_and_pictures_are_there(smoke: Workspace) -> None:
    shown = (smoke.path / "model_card/README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", shown):
        assert (smoke.path / "model_card" / target).exists(), target


def test_the_usage_snippet_asks_as_the_benchmark_did(smoke: Workspace) -> None:
    """Given an item's problem instead of its own, it prints the stored response."""
    text = (smoke.path / "model_card/README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    item = read_rows(smoke.path / "data/download_benchmark/tiny_chain_sum/items.parquet")[0]
    samples = read_rows(smoke.path / "data/evaluate/tuned-tiny_chain_sum/samples.parquet")
    (stored,) = (row["response"] for row in samples if row["item_id"] == item["id"])
    assert '"12 + 30 - 5 ="' in code
    shown = smoke.python("-c", code.replace('"12 + 30 - 5 ="', repr(item["problem"])))
    assert len(stored) > 4 and f"{stored}\n" in shown


def test_two_runs_are_the_same_bytes(smoke: Workspace, again: Workspace) -> None:
    first, second = (
        {path.name: sha256(path) for path in (run.path / "model_card").iterdir()}
        for run in (smoke, again)
    )
    assert first and first == second


def test_the_card_names_the_model_that_judged_pairs(single: Project) -> None:
    assert "language model" not in single.text
    ledger = copy.deepcopy(single.ledger)
    counts = {"num_same": 3, "num_different": 5, "num_undecided": 2, "num_private": 1}
    ledger["decontaminate"]["judged"] = {"model": "judge-7b", "prompt": "same_problem_1", **counts}
    text = " ".join(render(ledger).split())
    assert "The language model judge-7b (prompt same_problem_1) judged 10 pairs" in text
    assert "3 as the same problem in both orders, 5 as different problems, and 2 without" in text


def test_the_card_estimates_what_remains_only_from_enough_leaks(single: Project) -> None:
    assert "Chapman" not in single.text
    ledger = copy.deepcopy(single.ledger)
    leaks = {"num_first": 90, "num_second": 60, "num_both": 54}
    leaks |= {"remaining": {"value": 3.9, "low": 0, "high": 11}}
    ledger["decontaminate"]["leaks"] |= leaks
    text = " ".join(render(ledger).split())
    assert "n-grams propose 90, numbers and word stems propose 60, and both propose 54" in text
    assert "Another 3.9 [0, 11] leaks remain by Chapman's estimate, which assumes" in text


def test_recall_and_false_alarms_are_tabulated_by_form(single: Project) -> None:
    head = ("change", "shown", "called contamination")
    found = tables(single.text)
    copies = found["changed copy", *head, "recall, %"]
    controls = found["different problem", *head, "false alarms, %"]
    assert [row[0] for row in copies] == ["verbatim"]
    assert [[row[0], *row[2:]] for row in controls] == [["sign changed", "40", "1", "2 [0, 13]"]]


def test_the_card_counts_what_people_judged(single: Project) -> None:
    assert "People judged" not in single.text
    ledger = copy.deepcopy(single.ledger)
    counts = {"num_overruled": 3, "num_same": 5, "num_different": 2, "num_stale": 1}
    ledger["decontaminate"]["reviewed"] = counts
    text = " ".join(render(ledger).split())
    assert "People judged 7 pairs of a training text and an item: 5 as the same problem" in text
    assert "3 of these verdicts overrule the filter. Ignored: 1 older" in text
    ledger["decontaminate"]["reviewed_copies"] = {
        "num_same": 1, "num_different": 4, "num_stale": 0,
    }  # fmt: skip
    text = " ".join(render(ledger).split())
    assert "5 pairs of training problems: 1 as copies and 4 as different problems" in text
    del ledger["decontaminate"]["reviewed_copies"]
    del ledger["decontaminate"]["reviewed"]
    assert "People judged" not in render(ledger)
