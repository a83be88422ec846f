"""Untrusted text is printed without its control characters and is otherwise unchanged."""

import contextlib
import io
import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mathledger import terminal
from mathledger.core.escaping import CONTROLS
from tests.texts import TEXTS, Terminal, is_control


@given(TEXTS)
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    printable = terminal.printable(text)
    assert not any(map(is_control, printable))
    printable.encode("utf-8")  # It can be printed.


@given(TEXTS)
def test_text_without_controls_stays_and_escaping_twice_changes_nothing(text: str) -> None:
    kept = "".join(each for each in text if not CONTROLS.match(each))
    assert terminal.printable(kept) == kept
    assert terminal.printable(terminal.printable(text)) == terminal.printable(text)


@given(st.dictionaries(TEXTS, TEXTS))
def test_json_has_no_controls_and_the_same_content(content: dict[str, str]) -> None:
    text = terminal.json_text(content, 1)
    assert not any(map(is_control, text))
    assert json.loads(text) == content


STYLES = {"^PASS": "green", "^FAIL": "bold red"}
ANSI = re.compile("\x1b\\[[0-9;]*m")


def shown(out: io.StringIO, text: str) -> str:
    with contextlib.redirect_stdout(out):
        terminal.show(text, STYLES)
    return out.getvalue()


@given(TEXTS)
@example("[bold]a[/bold] [link=x]b[/link] :smile: " + "long " * 100)
def test_a_terminal_shows_the_same_text_as_a_file(text: str) -> None:
    """Nothing in the text is markup, and no line is wrapped or cut."""
    text = text.replace("\t", " ")  # rich expands tabs.
    assert ANSI.sub("", shown(Terminal(), text)) == shown(io.StringIO(), text)


@pytest.mark.parametrize(
    ("environment", "is_styled"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colours_are_for_terminals_that_want_them(
    environment: dict[str, str], is_styled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    text = "FAIL  digests  a file differs\nno FAIL here\n"
    assert shown(io.StringIO(), text) == text
    on_terminal = shown(Terminal(), text)
    assert ("\x1b[1;31mFAIL\x1b[0m  digests" in on_terminal) == is_styled
    assert on_terminal.count("\x1b") == 2 * is_styled


@given(TEXTS)
def test_a_table_keeps_the_text_of_its_cells(text: str) -> None:
    """In a narrow terminal a cell is wrapped, but loses no text."""
    text = "".join(text.split())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "60")
        out = Terminal()
        with contextlib.redirect_stdout(out):
            terminal.show_table("title", [text, "b"], [["[red]x[/red]", text]])
    plain = "".join(ANSI.sub("", out.getvalue()).split())
    assert "[red]x[/red]" in plain
    assert not any(map(is_control, plain))
