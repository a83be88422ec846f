"""The lexer never writes past its working memory, whatever one byte becomes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathledger.text import folding, idiom_table, lexer, state, symbols, vocabulary

GUARD = 4096  # Elements after each array; a kernel that overflows changes them.
LONG = 12  # Repetitions of each piece.


def assert_fits(text: str) -> None:
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    memory, guards = state.scratch(len(data)), []
    for name in ("tokens", "spellings", "text", "source"):
        array = getattr(memory, name)
        larger = np.full((len(array) + GUARD, *array.shape[1:]), 77, array.dtype)
        memory = memory._replace(**{name: larger[: len(array)]})
        guards.append(larger[len(array) :])
    count, _ = lexer.lex_text(data, memory)
    assert count <= len(memory.tokens)
    for guard in guards:
        assert (guard == 77).all(), text[:80]


@pytest.mark.slow
def test_every_code_point_fits() -> None:
    for point in range(0x80, folding.FOLDED_BELOW):
        if len(folding.folded(chr(point))) > 2:
            assert_fits(chr(point) * LONG)


def test_the_table_holds_the_folding_of_every_code_point() -> None:
    offsets, pool = folding.fold_table()
    content = pool.tobytes()
    for point in range(folding.FOLDED_BELOW):
        held = content[offsets[point] : offsets[point + 1]]
        assert held == folding.folded(chr(point)).encode("utf-8", "ignore"), hex(point)


def test_every_word_macro_and_arrow_fits() -> None:
    pieces = [
        *vocabulary.known(),
        *idiom_table.IDIOMS,
        *symbols.ARROWS,
        "\\frac",
        "{a\\over",
        "½²₂",
    ]
    for piece in pieces:
        for joint in ("", " ", "{", "2", "}"):
            assert_fits((piece + joint) * LONG)


WORST = [
    "\u2a0c",
    "²",
    "₂",
    "½",
    "ﷺ",
    "∛",
    "->",
    "=>",
    "a million ",
    "\\\\",
    "\\begin{pmatrix}",
    "{",
]


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(st.sampled_from([*WORST, "}", "^", "(", ")", "\\frac", "\\to", "x", "1", "pi"])))
def test_mixtures_fit(pieces: list[str]) -> None:
    assert_fits("".join(pieces) * 3)
