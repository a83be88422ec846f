"""`mathledger view` shows responses side by side, as texts, and nothing of a private benchmark."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathledger.cli import main
from mathledger.core.escaping import MAX_SHOWN
from mathledger.core.files import write_json, write_text
from mathledger.core.tables import BENCHMARK_ITEM, Row, write_rows
from mathledger.evaluation.samples import SAMPLE
from mathledger.view import formulas
from mathledger.view.compute import MAX_REPEATS, shortened
from mathledger.view.formulas import ATTRIBUTES, ELEMENTS, Formulas, mathml
from mathledger.view.load import MAX_ROWS
from tests.card.test_report import example, hit, write_data
from tests.texts import TEXTS, is_control

SECRET = "How many walruses fit into 17 boats of rope?"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)> \u202e\x1b[2J"
MODELS = ("base", "tuned", "third")
# What a model may write: commands with braces, hostile arguments, and pieces that end too early.
TEX = st.recursive(
    st.sampled_from(["x", "<b>", "&lt;", '"', "'", "\\alpha", "\\left(", "}", "{", "&", "\\\\"]),
    lambda inner: st.one_of(
        st.builds(
            lambda name, first, second: f"\\{name}{{{first}}}{{{second}}}",
            st.sampled_from(
                ["frac", "text", "mathrm", "href", "color", "style", "boxed", "class", "tag"]
            ),
            inner,
            inner,
        ),
        st.builds(lambda first, second: f"{first}^{{{second}}}", inner, inner),
        st.builds(lambda name, body: f"\\begin{{{name}}}{body}\\end{{{name}}}",
                  st.sampled_from(["pmatrix", "align", "cases", "array"]), inner),
    ),
    max_leaves=8,
)  # fmt: skip


def sample(item: str, repeat: int, verdict: str, **other: Any) -> Row:
    fixed = {"seed": None, "prompt_sha256": "0" * 64, "harness_correct": None, "grader": "1"}
    row = {
        "item_id": item, "repeat": repeat, "response": f"So $x^2$, {verdict}", "thinking": None,
        "extracted_answer": "2", "reference": "4", "verdict": verdict, "is_sure": True,
        "correct": verdict == "correct", "num_tokens": 9, "num_thinking_tokens": None,
        "finish_reason": "stop",
    }  # fmt: skip
    return fixed | row | other


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write three models' responses to two open benchmarks and a private one, and overlaps."""
    monkeypatch.chdir(tmp_path)
    for benchmark, size in (("quiz", 3), ("exam", 2), ("secret", 1)):
        folder = Path("data/download_benchmark") / benchmark
        is_private = benchmark == "secret"
        problem = SECRET if is_private else rf"What is $\sqrt{{2}}$? {HOSTILE}"
        items = [
            {"id": str(n), "problem": problem, "answer": "4", "answer_type": "integer",
             "solution": None, "subsets": {"level": str(n)}}
            for n in range(size)
        ]  # fmt: skip
        write_rows(folder / "items.parquet", items, BENCHMARK_ITEM)
        write_json(folder / "receipt.json", {"private": is_private})
        for model in MODELS:
            rows = [
                sample(str(n), repeat, "wrong" if model == "base" else "correct",
                       thinking=f"hmm {HOSTILE}" if model == "third" else None,
                       response=SECRET if is_private else HOSTILE)
                for n in range(size)
                for repeat in range(6 if benchmark == "exam" else 1)
            ]  # fmt: skip
            write_rows(Path(f"data/evaluate/{model}-{benchmark}/samples.parquet"), rows, SAMPLE)
    row, private = example("r1", "What is 2?"), example("r2", SECRET)
    hits = [hit(row, "variant", "0", "?", benchmark="quiz", action="kept") for _ in range(9)]
    hits += [
        hit(row, "same", "0", "?", benchmark="quiz", action="removed"),
        hit(private, "same", "1", "?", benchmark="quiz", action="removed"),
        {**hit(private, "same", "0", "?", benchmark="secret"), "item_problem": None},
    ]
    write_data(hits, [], [row, private], [])
    settings = {"evaluated_models": MODELS, "benchmark": dict.fromkeys(("quiz", "exam", "secret"))}
    write_text(Path("params.yaml"), json.dumps(settings))
    return tmp_path


class Scripts(HTMLParser):
    """The content of the page's script elements, as a browser separates them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self._inside = tag == "script"
        if self._inside:
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = False


def view(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, dict[str, Any], str]:
    """Return the page, its content and what the command printed."""
    assert main(["view", *arguments]) == 0, capsys.readouterr().err
    page = Path("view.html").read_text()
    data, _ = Scripts(page).found
    return page, json.loads(data), capsys.readouterr().out


def test_each_item_has_the_responses_of_all_models(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, content, said = view(capsys)
    assert content["models"] == [*MODELS] and len(content["items"]) == 5
    first = content["items"][0]
    assert first["reference"] == "4" and first["subsets"] == ["level: 0"]
    assert [first["answers"][name]["shown"][0]["verdict"] for name in MODELS] == [
        "wrong", "correct", "correct",
    ]  # fmt: skip
    assert first["answers"]["third"]["shown"][0]["thinking"]
    exam = content["items"][-1]["answers"]["tuned"]
    assert (exam["correct"], exam["asked"], len(exam["shown"])) == (6, 6, MAX_REPEATS)
    assert "5 items, answered by base, tuned, third; 0.0 MB" in said
    assert f"of 6 responses of a model to an item the first {MAX_REPEATS} are shown" in said


def test_models_and_benchmarks_are_chosen_by_name(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, content, _ = view(capsys, "tuned", "quiz", "base")
    assert content["models"] == ["base", "tuned"] and content["benchmarks"] == ["quiz"]
    assert main(["view", "tunde"]) == 2
    shown = capsys.readouterr().err
    assert "tunde is neither a model (base, tuned, third) nor a benchmark (quiz, exam" in shown


def test_a_limit_of_items_is_stated(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, content, said = view(capsys, "quiz", "--max-items", "2")
    limit = "quiz: the first 2 of 3 items; --max-items 3 shows all"
    assert len(content["items"]) == 2 and limit in said and limit in page


def test_nothing_of_a_private_benchmark_is_shown(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, content, said = view(capsys)
    assert "walrus" not in page and content["benchmarks"] == ["quiz", "exam"]
    assert "withheld: secret is private" in said and "withheld: secret is private" in page
    # The text of a training row that overlaps a private item as well.
    assert [row["text"] for row in content["items"][1]["rows"]] == [None]
    assert main(["view", "secret"]) == 2
    assert "secret is private" in capsys.readouterr().err


def test_an_item_names_the_training_rows_that_overlap_it(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, content, _ = view(capsys, "quiz")
    first, second, third = content["items"]
    assert first["contaminated"] and second["contaminated"] and not third["contaminated"]
    assert len(first["rows"]) == MAX_ROWS and third["rows"] == []
    assert (first["rows"][0]["kind"], first["rows"][0]["text"]) == ("same", ["What is 2?"])


def test_hostile_text_stays_text_and_the_page_asks_for_nothing(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, content, _ = view(capsys)
    assert "img" not in Scripts(page).tags and page.count("</script>") == 2
    assert not [character for character in page if is_control(character)]
    assert "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" in page
    assert not re.search(r"(?:src|href)=|url\(|https?:", page.replace("src=x", ""))
    response = content["items"][0]["answers"]["base"]["shown"][0]["response"]
    assert response[0].startswith("</script><script>alert(1)")  # JavaScript writes it as text


@given(TEX)
def test_a_formula_is_mathml_with_known_elements_alone(tex: str) -> None:
    drawn = mathml(tex)
    if drawn is not None:
        elements = re.findall(r"<(\w+)((?: [\w]+=\"[^\"<>]*\")*)>", drawn)
        assert drawn.count("<") == 2 * len(elements)  # each is opened and closed; nothing else is
        assert {name for name, _ in elements} <= ELEMENTS
        keys = {key for _, rest in elements for key in re.findall(r" (\w+)=", rest)}
        assert keys <= ATTRIBUTES | {"class"}


@given(st.lists(st.one_of(TEXTS, TEX.map(lambda tex: f"${tex}$"), TEX.map(r"\[{}\]".format))))
def test_the_parts_of_a_text_are_the_text(texts: list[str]) -> None:
    text = "".join(texts)
    found = Formulas()
    parts = found.parts(text)
    assert "".join(each if isinstance(each, str) else found.rows[each][0] for each in parts) == text


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        (r"$x$ and $$y$$ and \(z\) and \[w\]", ["$x$", "$$y$$", r"\(z\)", r"\[w\]"]),
        (r"The answer is \boxed{\frac{1}{2}}.", [r"\boxed{\frac{1}{2}}"]),
        (r"\begin{align*}a&=1\\b&=2\end{align*}", [r"\begin{align*}a&=1\\b&=2\end{align*}"]),
        ("It costs $5 for one and $6 for two.", []),
        (r"It costs \$5 and \$6.", []),
        ("An open $x, a $ x$ and a $x $.", []),
        (r"\boxed{", []),
    ],
)
def test_formulas_are_found_and_prices_are_none(text: str, sources: list[str]) -> None:
    assert [piece for piece, tex, _ in formulas.pieces(text) if tex is not None] == sources


@pytest.mark.parametrize("tex", ["{" * 1000, "x^{" * 900 + "}" * 900, "\\frac" * 300, "x" * 3000])
def test_a_formula_that_cannot_be_drawn_is_shown_as_its_source(tex: str) -> None:
    assert mathml(tex) is None or "<math" in str(mathml(tex))


def test_a_long_response_keeps_its_end() -> None:
    text = shortened("a" * MAX_SHOWN + "the answer is 7")
    assert text.endswith("the answer is 7") and "(15 characters left out)" in text
