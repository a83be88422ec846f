"""`mathledger review` shows a person the pairs, and its lines are verdicts that the stages obey."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathledger.cli import main
from mathledger.core.tables import EXAMPLE, read_rows, removed_schema, write_rows
from mathledger.filters import decontaminate, deduplicate, reviewed
from mathledger.filters.items import Item
from mathledger.review.compute import DIFFERS, MAX_TOKENS, SHARED, UNREAD, differences
from tests.filters.test_reviewed import SETTINGS, line
from tests.test_decontaminate import OTHERS

TEXT = "On Monday Eve <b>buys</b> {} ripe {} and gives 9 of them to her old neighbour, Mr. Lund."
WORDS = ("apples", "pears", "plums", "figs")
ITEMS = [
    Item("quiz", "rev", None, str(n), TEXT.format(n + 2, word), private=False)
    for n, word in enumerate(WORDS)
]
SECRET = Item(
    "secret", "rev", None, "1", "How many walruses fit into 17 boats of rope?", private=True
)
OTHER = "A train leaves Lyon at noon and drives 300 km. When does it arrive?"
PROBLEMS = [
    *(item.problem for item in ITEMS),
    *(item.problem.replace("9", "8") for item in ITEMS),
    SECRET.problem,
    OTHER,
    *OTHERS,
]


def row(number: int, problem: str) -> dict[str, Any]:
    named = {"id": f"{number:02}", "corpus": "web", "source": "forum", "problem": problem}
    return dict.fromkeys(EXAMPLE.names, "") | named | {"origin_row": number}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the outputs of both filters, with a near duplicate, and overlays without verdicts."""
    monkeypatch.chdir(tmp_path)
    for file in reviewed.FILES.values():
        file.parent.mkdir(parents=True)
        file.touch()
    rows = [row(number, problem) for number, problem in enumerate(PROBLEMS)]
    write_rows(Path("data/deduplicate/kept.parquet"), rows, EXAMPLE)
    kept = {"kept_id": "09", "kept_corpus": "web", "kept_source": "forum", "kept_problem": OTHER}
    copy = row(99, OTHER.replace("drives", "does")) | {"reason": "near_duplicate"}
    gone = [copy | {"evidence": {**kept, "jaccard": 0.81}}]
    write_rows(Path("data/deduplicate/removed.parquet"), gone, removed_schema(deduplicate.EVIDENCE))
    return tmp_path


def decontaminated() -> dict[str, Any]:
    return decontaminate.filter_rows(
        Path("data/deduplicate/kept.parquet"),
        [*ITEMS, SECRET],
        Path("data/decontaminate"),
        SETTINGS,
        reviewed.read(reviewed.FILES["decontaminate"]),
    )


def page(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[str, list[dict[str, str]]]:
    """Return the page and what the script reads about each pair."""
    assert main(["review", *options]) == 0, capsys.readouterr().err
    text = Path("review.html").read_text()
    articles = re.findall("<article[^>]*>", text)
    return text, [
        {key: html.unescape(value) for key, value in re.findall('data-([a-z]+)="([^"]*)"', each)}
        for each in articles
    ]


def verdict(shown: dict[str, str], verdict: str) -> str:
    """Return the line that the script writes."""
    keys = ("pair", "place", "row", "against")
    return json.dumps(
        {key: shown[key] for key in keys}
        | {"verdict": verdict, "reason": "", "by": "Ada", "date": "2026-11-29"}
    )


def test_the_page_shows_every_class_and_the_near_duplicates(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decontaminated()
    text, shown = page(capsys)
    assert {each["kind"] for each in shown} == {"same", "variant", "near duplicate"}
    assert {each["file"] for each in shown} == {
        "conf/decontaminate/reviewed.jsonl", "conf/deduplicate/reviewed.jsonl",
    }  # fmt: skip
    assert "&lt;b&gt;buys" in text and "<b>buys" not in text
    assert "walruses" not in text and "secret" not in text
    assert "1 pairs of rows that overlap private" in text
    assert not re.search("https?://", text)


def test_a_line_of_the_page_is_a_verdict_that_the_stage_obeys(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = decontaminated()
    _, shown = page(capsys)
    same = next(each for each in shown if each["kind"] == "same")
    variant = next(each for each in shown if each["kind"] == "variant")
    lines = verdict(same, "different"), verdict(variant, "same")
    reviewed.FILES["decontaminate"].write_text("\n".join(lines))
    _, left = page(capsys)
    pairs = {each["pair"] for each in left}
    assert same["pair"] not in pairs and variant["pair"] not in pairs, "judged pairs are not shown"
    after = decontaminated()
    assert after["reviewed"]["num_overruled"] == 2 and after["reviewed"]["num_stale"] == 0
    kept = {each["id"] for each in read_rows(Path("data/decontaminate/kept.parquet"))}
    assert same["row"] in kept and variant["row"] not in kept
    assert after["num_kept"] == before["num_kept"]
    assert pairs >= {each["pair"] for each in page(capsys)[1]}


def test_a_verdict_whose_text_changed_is_asked_for_again_first(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decontaminated()
    old = line("an older text", ITEMS[3].problem, "same", row="03", against="quiz/3")
    reviewed.FILES["decontaminate"].write_text(old)
    _, shown = page(capsys, "--pairs", "1")
    assert (shown[0]["row"], shown[0]["against"]) == ("03", "quiz/3")
    assert shown[0]["why"] == "judged before"


def test_without_data_the_command_says_what_to_run(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review"]) == 2
    said = capsys.readouterr().err
    assert "evidence.parquet is missing: run `dvc repro`" in said and said.count("\n") == 1


def test_tokens_that_differ_are_marked_and_formatting_is_not() -> None:
    own, other = differences(
        r"Find $\dfrac{1}{2}$ of 9 figs. Express your answer as a common fraction.",
        r"Find \frac12 of 8  figs.",
    )
    assert [text for text, kind in own if kind == DIFFERS] == ["9"]
    assert [text for text, kind in other if kind == DIFFERS] == ["8"]
    assert "common fraction" in "".join(text for text, kind in own if kind == UNREAD)
    assert {kind for _, kind in other} == {DIFFERS, SHARED}


PARTS = [
    *"ab x12$\\{}()+-^_.,=<é²\u200b\u00ad½ﬁ#%&\n'",
    r"\frac",
    "[asy]",
    "[/asy]",
    r"\[",
    "twelve",
]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(PARTS)).map("".join))


@given(TEXTS, TEXTS)
def test_no_character_is_lost(own: str, other: str) -> None:
    for text, pieces in zip((own, other), differences(own, other), strict=True):
        assert "".join(piece for piece, _ in pieces) == text


def test_a_long_text_is_cut() -> None:
    own, _ = differences("9 " * 5000, "9")
    assert "".join(piece for piece, _ in own) == "9 " * (MAX_TOKENS - 1) + "9 …"
