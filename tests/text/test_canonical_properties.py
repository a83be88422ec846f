"""Properties of canonical tokens: typesetting does not change them, another number or sign does.

The problems are generated; tests/text/reference.py holds the rules, against which test_lexer.py
compares the compiled lexer token by token.
"""

import re

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from mathledger.text import canonical

FAST = settings(max_examples=200, deadline=None, database=None)

TERMS = ["3x", "y^2", "\\frac{a}{7}", "\\sqrt{12}", "(a + 5)", "2^{10}", "\\sin 40", "n!", "1.5"]
SENTENCES = [
    "Find the value of {}.",
    "How many integers satisfy {}?",
    "A farmer sells {} eggs and buys 7 hens.",
    "Suppose that {} is positive.",
    "Let {} be given.",
]
FORMULAS = st.lists(st.sampled_from(TERMS), min_size=1, max_size=4).flatmap(
    lambda terms: st.lists(
        st.sampled_from([" + ", " - ", " = ", " < "]),
        min_size=len(terms) - 1,
        max_size=len(terms) - 1,
    ).map(lambda signs: terms[0] + "".join(map(str.__add__, signs, terms[1:])))
)
PROBLEM = st.builds(
    lambda text, formula: text.format(f"${formula}$"), st.sampled_from(SENTENCES), FORMULAS
)
PROBLEMS = st.lists(PROBLEM, min_size=1, max_size=3).map(" ".join)


def key(text: str) -> bytes:
    return bytes(canonical.keys(pa.array([text])).tobytes())


TYPESETTING = [
    lambda text: re.sub(r"\$([^$]*)\$", r"\\(\1\\)", text),
    lambda text: re.sub(r"\$([^$]*)\$", r"$$\1$$", text),
    lambda text: text.replace("\\frac", "\\dfrac"),
    # A letter before != makes it the sign of inequality.
    lambda text: re.sub("(?<!n!) = ", "=", text.replace(" + ", "+")),
    lambda text: text.replace(" ", "  "),
    lambda text: text.replace(". ", ".\n\n"),
    lambda text: text.replace(" - ", " \u2212 "),
    lambda text: text.replace("(a + 5)", "\\left( a + 5 \\right)"),
    str.lower,
    str.strip,
    lambda text: f"\n{text}\n",
    lambda text: f"**Problem.** {text}",
]


@FAST
@given(PROBLEMS, st.lists(st.sampled_from(TYPESETTING), max_size=4))
def test_typesetting_does_not_change_a_problem(problem: str, changes: list) -> None:  # type: ignore[type-arg]
    changed = problem
    for change in changes:
        changed = change(changed)
    assert key(changed) == key(problem), changed


@FAST
@given(PROBLEMS, st.data())
def test_another_number_makes_another_problem(problem: str, data: st.DataObject) -> None:
    places = list(re.finditer(r"\d+", problem))
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    other = str(int(place[0]) + data.draw(st.integers(1, 50)))
    assert key(problem[: place.start()] + other + problem[place.end() :]) != key(problem)


@FAST
@given(PROBLEMS, st.data())
def test_another_sign_makes_another_problem(problem: str, data: st.DataObject) -> None:
    places = list(re.finditer(r" [+-] ", problem))
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    other = " - " if "+" in place[0] else " + "
    assert key(problem[: place.start()] + other + problem[place.end() :]) != key(problem)


@FAST
@given(st.lists(st.text(max_size=40), min_size=1, max_size=6))
def test_a_text_has_its_key_in_any_company(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    keys = canonical.keys(pa.array(texts))
    for text, own in zip(texts, keys, strict=True):
        assert bytes(own.tobytes()) == key(text)
