"""Text from a corpus, benchmark, model or server stays text, wherever it is written."""

import csv
import html
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mathledger.card.markdown import table, wrapped
from mathledger.card.templating import environment
from mathledger.core import escaping

HOSTILE = st.sampled_from(
    [
        "<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "</pre>", "<!--", "&lt;b&gt;",
        "![100%](https://evil.example/t.png)", "[click](javascript:alert(1))", "[a]: http://b.c",
        "[^1]: note", "https://evil.example", "www.evil.example", "`code`", "```", "**AIME: 100%**",
        "__init__", "~~no~~", "| AIME 2025 | 30 of 30 |", "# Scores", "> quote", "- item",
        "1. item",
        "===", "---", "$x$", "\\", "\\`", "\\|", "\n", "\n\n", "\r", "\t", "\x1b[31m", "\u202e",
        "\u2028", "\x9b", "=1+1", "+1", "-1", "@SUM(1)", " =1", "\uff1d1",
        "'", '"', ",", "{{ 7 }}", "{% if x %}", "x_y", "2 < 3", "[29, 53]", "x" * 300,
    ]
)  # fmt: skip
TEXTS = st.lists(st.one_of(HOSTILE, st.text(max_size=8)), max_size=6).map(" ".join)
PARSER = MarkdownIt("gfm-like", {"linkify": False})
LINKED = re.compile(r"(?i)\bhttps?://|\bftp://|\bwww\.")


def tags(text: str) -> list[str]:
    """Return the HTML tags that a Markdown text renders to."""
    return re.findall(r"<[^>]*>", PARSER.render(text))


@given(TEXTS)
def test_a_cell_stays_a_cell(text: str) -> None:
    row = table(["name", "score"], [[text, "5"], ["other", "6"]])
    assert tags(row) == tags(table(["name", "score"], [["a", "5"], ["other", "6"]]))
    assert row.count("\n") == 4
    assert not escaping.CONTROLS.search(row) and not LINKED.search(row)


@given(TEXTS)
def test_a_sentence_stays_a_sentence(text: str) -> None:
    template = environment("mathledger.card", "templates", writes="markdown")
    # A value may stand in the middle of a line, at its start, and in a wrapped paragraph.
    for shape in ("Said {{ x }}.", "{{ x }} was said.", "a\n\n{{ x }}", "{{ w }}"):
        made = template.from_string(shape).render(x=text, w=wrapped(f"Some words {text} and more"))
        empty = template.from_string(shape).render(x="a", w=wrapped("Some words a and more"))
        if text.strip():
            assert tags(made) == tags(empty), shape
        assert not escaping.CONTROLS.search(made) and not LINKED.search(made)


@given(TEXTS)
def test_a_quotation_shows_its_lines_and_nothing_else(text: str) -> None:
    made = f"Before\n\n<pre>{escaping.quoted(text)}</pre>\n\nAfter *it*"
    assert tags(made) == ["<p>", "</p>", "<pre>", "</pre>", "<p>", "<em>", "</em>", "</p>"]
    assert not escaping.CONTROLS.search(made)


@given(TEXTS)
def test_a_page_shows_the_text_and_no_control_characters(text: str) -> None:
    page = environment("mathledger.card", writes="html").from_string("<p title='{{ x }}'>{{ x }}")
    made = page.render(x=text)
    assert re.findall(r"<[^>]*>", made)[1:] == []
    assert not escaping.CONTROLS.search(made)
    assert html.unescape(made.partition(">")[2]) == escaping.printable(text)


@given(st.lists(TEXTS | st.text(";\n\t '=-@x1 "), min_size=1, max_size=4))
def test_no_cell_of_a_csv_file_is_a_formula_and_reading_gives_the_texts_back(
    texts: list[str],
) -> None:
    """Where a comma is a decimal sign, a spreadsheet splits at semicolons instead."""
    # The csv module reads no lone carriage return back; UTF-8 holds no surrogate.
    texts = [text.replace("\r", " ") for text in texts]
    made = escaping.csv_text(["text", "n"], [{"text": text, "n": -1.5} for text in texts])
    for text, number in list(csv.reader(io.StringIO(made, newline="")))[1:]:
        assert number == "-1.5"
        if re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", text):
            continue
        assert not text.startswith(("\t", "\r"))
        for cell in re.split(r"[;\t\n]", text):
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
    assert escaping.read_csv(made) == [{"text": text, "n": "-1.5"} for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "chain_sum_twins", "3 of 64: 5% [2, 13]", "+36 [25, 48]", "<0.001", "p < 0.001",
        "2/math-verify-0.9.0", "reasoning-gym", "0.1.25, seed 900000, twins", "19 / - / -",
        "no difference shown", "tuned - base", "30 x 16", "none: 64 too short",
    ],
)  # fmt: skip
def test_what_the_card_writes_is_left_as_it_is(text: str) -> None:
    assert escaping.markdown(text) == text
