"""The compiled lexer agrees with the plain-Python reference."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mathledger.data import practice
from mathledger.text import drawings, lexer, state, vocabulary
from mathledger.text.hashing import hash_bytes
from mathledger.text.tokens import BEGIN, END, FROM, HASH, KIND, TO
from tests import real_data
from tests.conftest import ROOT
from tests.text import reference

NUM_REAL = 60  # Texts taken from each file, evenly spread.

# Characters that occur in the rules, and similar ones.
PIECES = r"""
    a b c x y z A B C D N 0 1 2 3 4 5 6 7 8 9 \ { } ( ) [ ] $ ^ _ + - * / = < > | ! ? . , ; : ' "
    % & ~ # @ -- __ .. ... ** [[ ]] != <= >= \| \{ \} \% \\ 1,000 10,000,000 0,123 1{,}000 1\,000
    1\!000 1,\!000 1{\,}000 (100,200) .5 0.50 2. 00.0 1..5 (A) (B) (C) (D) A. B. C. D. \textbf{(A)}
    a) x' f'' n! -word co-op and/or w/o n/m [asy] [/asy] <asy> </asy> \begin{asy} \end{asy}
    \begin{tikzpicture} \end{tikzpicture} [asy]size(9); [asy]// /*x*/ unitsize( ; 1.0 {size(2);}
    ![alt](x) http://x.y https </i> <br/> \frac12 \frac.5x \sqrt ^\circ ^{\circ} ^{ _{ ^{} {} {cc}
    [t] \begin{tabular} \operatorname* ² ₂ ½ ﬁ é ß µ Ω α ς 漢 字 かな 한글 я ქ 𝑥 😀 İ ﷺ ° º − –
    — √ ⁄ twenty-five degrees Problem Example
    \n \nThe \\\n \\\\\nu \\nu \nRightarrow \\frac \\\\ (1/2) (3)(4) (x/2) -sqrt( -sin(
    \log_264 \\log_10 *abc*
    \begin{array}{c} \end{array} \begin{pmatrix} \end{pmatrix} \left( \right) \left[ & \mathbb{R} ℝ
    _abc_ sum_ (AMC 8) cbrt( twenty-first one and a half a.m. P.M. !! .\overline{27}
    \times =(1,2) \mathrm{d} \sin( )\cos which equation below are ¢
    C(9,4) C(n,k) 9C4 _9C_4 ^{9}C_{4} C_9^4 C^4_9 choose \binom \lbrace \mid : \{ \} {n:n>3,4}
    {x∈ℝ: \left| \right| \begin{matrix} \end{matrix} \left\{ [2 1; 0 3] [1,2;3 -4] [1;2;3]
    \overset{\frown} \widehat{AB} \arc \sum_{k=1}^{30}( \sum_1^n(1/k) $n!=6$ n!=6 3!5!
    7,5 7{,}5 7,5\ m 7,5% 2+7,5 divided twice AB
"""
BLANKS = [" ", "  ", "\n", "\n\n", "\n- ", "\n* ", ". ", "\t", "\r", "\x00", "\x7f", "\xa0"]
OTHERS = [
    "one and a half",
    "(5 points) ",
    "which equation ",
    "7 a.m. ",
    "\u200b",
    "of the following",
    "Example 3",
    "12. ",
    "thirty one",
    "\\ ",
    " divided by 3",
    "3 times 5",
    "AB || CD",
    "n is at least 3",
    "\U000e0001",
]
KNOWN = sorted(vocabulary.known()) + [phrase.capitalize() for phrase in vocabulary.BOILERPLATE]
texts = st.lists(
    st.one_of(
        st.sampled_from(PIECES.split()),
        st.sampled_from(KNOWN),
        st.sampled_from(BLANKS + OTHERS),
        st.text(max_size=3),
    ),
    max_size=40,
).map("".join)


def assert_agrees(text: str) -> None:
    data = np.frombuffer(text.encode(), np.uint8)
    scratch = state.scratch(len(data))
    count, drawings = lexer.lex_text(data, scratch)
    compiled = [
        (
            scratch.spellings[token[FROM] : token[TO]].tobytes(),
            token[KIND],
            token[BEGIN],
            token[END],
        )
        for token in scratch.tokens[:count]
    ]
    tokens, expected_drawings = reference.lex(text)
    expected = [(token.spelling, token.kind, token.begin, token.end) for token in tokens]
    assert (compiled, drawings) == (expected, expected_drawings), text
    hashes = [hash_bytes(spelling) for spelling, *_ in expected]
    assert scratch.tokens[:count, HASH].astype(np.uint64).tolist() == hashes


@settings(max_examples=600, deadline=None, database=None)
@given(texts)
@example("")
@example(r"\frac.5x")
@example("{" * 62 + "x^{a+b}")
@example("{" * 63 + "x^{a+b}" + "}" * 70)
@example("Choose one of these (A) 1 (B) 2 (C) 3 (D) 4")
@example("Choose one of these now (A) 1 (B) 2 (C) 3 (D) 4")
@example(r"\lbrace x. Enter your answer. \rbrace")
def test_the_lexer_agrees_with_its_rules(text: str) -> None:
    assert_agrees(text)


drawing_code = st.lists(
    st.sampled_from(
        [*drawings.LAYOUT, *"(){};/*%$.0123 \n\\", "//", "/*", "*/", "\\(", "\\dfrac", "0.50", "a"]
    ),
    max_size=25,
).map("".join)


@settings(max_examples=300, deadline=None, database=None)
@given(drawing_code)
@example("size(2)")
@example("/*/;size;")
@example("00.0.5.")
def test_they_agree_on_drawings(code: str) -> None:
    tikz = rf"\begin{{tikzpicture}}{code}\end{{tikzpicture}}"
    assert_agrees(f"[asy]{code}[/asy] x {tikz} ![a]({code}")


def drawing(text: str) -> int:
    data = np.frombuffer(text.encode(), np.uint8)
    return lexer.lex_text(data, state.scratch(len(data)))[1]


CODE = r'size(80); draw((0,0)--(4,0)--(4,3.5)--cycle); label("$\frac12$",(2,0),S);'
ASY = f"[asy]{CODE}[/asy]"
COMMENTED = (
    "[asy]\n// The base\ndraw((0,0)--(4,0));\n//sides\nint j = 3;\nreal x;\ndot((j,x));\n[/asy]"
)
TIKZ = r"\begin{tikzpicture}[scale=2] \draw (0,0) -- (4,1.5); \node {$a$}; \end{tikzpicture}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ASY, ASY.replace(";", ";  \n").replace(",", ", ")),
        (ASY, f"<asy>{CODE}</asy>"),
        (ASY, rf"\begin{{asy}}{CODE}\end{{asy}}"),
        (ASY, ASY.replace("size(80)", "import graph; unitsize(1 cm)")),
        (ASY, ASY.replace("4,0", "4.0,0").replace("$", "")),
        (ASY, ASY.replace(r"$\frac12$", r"\(\dfrac12\)")),
        (ASY, ASY.replace("cycle);", "cycle); // the base\n")),
        (ASY, ASY.replace("size", "/* two\nlines */ size")),
        (COMMENTED, " ".join(COMMENTED.split())),
        ("![a](http://x.org/1.png)", "![the figure](http://x.org/1.png)"),
        (TIKZ, TIKZ.replace("[scale=2]", "").replace("; ", ";% the base\n")),
        (TIKZ, TIKZ.replace("; ", "; % the base\n ").replace("\n", " ")),
    ],
)
def test_a_drawing_is_the_same_in_another_layout(one: str, other: str) -> None:
    assert one != other and drawing(one) == drawing(other) != 0


@pytest.mark.parametrize(
    ("old", "new"), [("4,0", "4,1"), ("3.5", "35"), ("frac12", "frac13"), (",S)", ",N)")]
)
def test_a_drawing_with_another_coordinate_or_label_is_another(old: str, new: str) -> None:
    assert drawing(ASY) != drawing(ASY.replace(old, new))
    assert drawing(TIKZ) != drawing(TIKZ.replace("4,1.5", "4,15"))


@pytest.mark.parametrize("task", ["chain_sum", "gsm_symbolic"])
def test_they_agree_on_practice_problems(task: str) -> None:
    for problem in practice.problems(task, 3, 20):
        assert_agrees(problem.problem)
        assert_agrees(problem.solution)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["filters/pairs.jsonl", "grading/cases.jsonl"])
def test_they_agree_on_our_own_texts(path: str) -> None:
    """The texts are problems in several notations and languages, and the grader's cases."""
    for line in (ROOT / "tests" / path).read_text(encoding="utf-8").splitlines():
        for value in json.loads(line).values():
            if isinstance(value, str):
                assert_agrees(value.encode("utf-8", "replace").decode())  # Replace lone surrogates.


def published_files() -> list[Path]:
    names = ("*.parquet", "*.jsonl")
    return sorted(path for name in names for path in real_data.SHARED.glob(f"hub/**/{name}"))


@pytest.mark.slow
@real_data.needs(real_data.HUB, "the lexer against its reference on published problems")
def test_they_agree_on_published_texts() -> None:
    for path in published_files():
        if path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
        else:
            rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for row in rows[:: max(1, len(rows) // NUM_REAL)]:
            for value in row.values():
                if isinstance(value, str):
                    assert_agrees(value)
