"""Text that is not ours is printed without its control characters, and otherwise as it is."""

import json

from hypothesis import given
from hypothesis import strategies as st

from mathledger import terminal
from tests.texts import TEXTS, is_control


@given(TEXTS)
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    printable = terminal.printable(text)
    assert not any(map(is_control, printable))
    printable.encode("utf-8")  # so that it can be printed


@given(TEXTS)
def test_text_without_controls_stays_and_escaping_twice_changes_nothing(text: str) -> None:
    kept = "".join(each for each in text if not terminal.CONTROLS.match(each))
    assert terminal.printable(kept) == kept
    assert terminal.printable(terminal.printable(text)) == terminal.printable(text)


@given(st.dictionaries(TEXTS, TEXTS))
def test_json_has_no_controls_and_the_same_content(content: dict[str, str]) -> None:
    text = terminal.json_text(content, 1)
    assert not any(map(is_control, text))
    assert json.loads(text) == content
