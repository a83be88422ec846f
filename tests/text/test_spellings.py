"""Spellings of one formula have equal canonical tokens, and other formulas have other ones.

spellings.txt lists them by kind of notation. The property tests write random formulas in several
notations and check that the tokens depend on the formula alone.
"""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathledger.text import canonical, divided_words, folding, names, vocabulary
from mathledger.text.wrappers import split
from tests.text import reference


def read(mode: str) -> Iterator[tuple[str, list[str]]]:
    """Return the kind and the spellings of each line under "# same" or "# differ"."""
    kind = ""
    for line in Path(__file__).with_name("spellings.txt").read_text("utf-8").splitlines()[1:]:
        if line.startswith("# "):
            kind = line[2:]
        elif line and kind.startswith(mode):
            yield kind, line.split("  |  ")


def pairs(mode: str) -> list[tuple[str, str, str]]:
    found = []
    for kind, (first, *others) in read(mode):
        if mode == "same":
            found += [(kind, first, other) for other in others]
        else:
            found += [(kind, *pair) for pair in combinations([first, *others], 2)]
    return found


def test_there_are_spellings_of_every_kind() -> None:
    same, differ = pairs("same"), pairs("differ")
    assert len(same) > 200 and len(differ) > 100
    assert len({kind for kind, *_ in same}) > 15


@pytest.mark.parametrize("mode", ["same", "differ"])
def test_tokens_tell_what_is_the_same(mode: str) -> None:
    wrong = [
        f"{kind}: {one!r} and {other!r} -> {canonical.canonical(one)!r}"
        for kind, one, other in pairs(mode)
        if (canonical.spellings(one) == canonical.spellings(other)) != (mode == "same")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("blanks", ["\n", "\r\n", "\t", "  ", " \n "])
def test_blanks_between_words_change_nothing(blanks: str) -> None:
    """Where an idiom such as "a third of" is wrapped, it stays one."""
    lines = Path(__file__).parent.parent.joinpath("filters/pairs.jsonl").read_text("utf-8")
    problems = {json.loads(line)["query"] for line in lines.splitlines()}
    problems |= {text for _, one, other in pairs("same") for text in (one, other)}
    wrong = []
    for problem in sorted(problems):
        wrapped = re.sub(r"(?<=[A-Za-z0-9]) (?=[A-Za-z0-9]{2})", lambda _: blanks, problem)
        if canonical.canonical(wrapped) != canonical.canonical(problem):
            wrong.append(wrapped)
    assert not wrong, wrong


# --- formulas written at random ------------------------------------------------------------------

# A formula is a name, a number, or an operation on formulas.
Formula = str | tuple[str, "Formula"] | tuple[str, "Formula", "Formula"]
ATOMS = st.sampled_from(["x", "y", "n", "k", "p", "2", "7", "15", "120", "3.5"])
BINARY = ("sum", "difference", "product", "fraction", "power")
FORMULAS: st.SearchStrategy[Formula] = st.recursive(
    ATOMS,
    lambda parts: (
        st.tuples(st.sampled_from(BINARY), parts, parts) | st.tuples(st.just("root"), parts)
    ),
    max_leaves=6,
)


def latex(formula: Formula, cross: str) -> str:
    """Write a formula in LaTeX, with this sign between the factors of a product."""
    if isinstance(formula, str):
        return formula
    parts = [latex(part, cross) for part in formula[1:]]
    if formula[0] == "root":
        return rf"\sqrt{{{parts[0]}}}"
    if formula[0] == "fraction":
        return rf"\frac{{{parts[0]}}}{{{parts[1]}}}"
    if formula[0] == "power":
        base = parts[0] if isinstance(formula[1], str) else rf"\left({parts[0]}\right)"
        return f"{base}^{{{parts[1]}}}"
    if formula[0] == "product":
        inside = [rf"({part})" for part in parts]
        return f"{inside[0]} {cross} {inside[1]}"
    sign = "+" if formula[0] == "sum" else "-"
    return f"({parts[0]} {sign} {parts[1]})"


def plain(formula: Formula) -> str:
    """Write the same formula in plain text, with the brackets that LaTeX does without."""
    if isinstance(formula, str):
        return formula
    parts = [plain(part) for part in formula[1:]]
    if formula[0] == "root":
        return f"sqrt({parts[0]})"
    if formula[0] == "fraction":
        return f"({parts[0]})/({parts[1]})"
    if formula[0] == "power":
        base = parts[0] if isinstance(formula[1], str) else f"({parts[0]})"
        return f"{base}**({parts[1]})"
    if formula[0] == "product":
        return f"({parts[0]})*({parts[1]})"
    return f"({parts[0]}{'+' if formula[0] == 'sum' else MINUS}{parts[1]})"


MINUS = "\u2212"
FEW = settings(max_examples=150, deadline=None, database=None)


@FEW
@given(FORMULAS)
def test_a_formula_has_the_same_tokens_in_plain_text(formula: Formula) -> None:
    text = f"Find {latex(formula, '*')} today."
    for cross in (r"\cdot", r"\times", "·", "\u00d7"):
        assert canonical.canonical(f"Find ${latex(formula, cross)}$ today.") == canonical.canonical(
            text
        )


@FEW
@given(st.sampled_from(["sum", "difference", "root", "power"]), ATOMS, ATOMS, ATOMS)
def test_a_fraction_has_the_same_tokens_in_plain_text(
    kind: str, one: str, two: str, three: str
) -> None:
    top: Formula = ("root", one) if kind == "root" else (kind, one, two)
    fraction: Formula = ("fraction", top, three)
    inside = latex(fraction, "*").replace("((", "(").replace("))", ")")
    spelled = canonical.canonical(f"Find ${inside}$ today.")
    assert spelled == canonical.canonical(f"Find {plain(fraction)} today."), inside
    turned: Formula = ("fraction", three, top)
    assert spelled != canonical.canonical(f"Find ${latex(turned, '*')}$ today.")


@FEW
@given(FORMULAS, FORMULAS)
def test_brackets_around_a_fraction_that_bind_nothing_change_nothing(
    one: Formula, other: Formula
) -> None:
    fraction = latex(("fraction", one, other), "*")
    bare = canonical.canonical(f"Find $7 + {fraction} - k$ today.")
    inside = rf"\left({fraction}\right)"
    assert canonical.canonical(f"Find $7 + {inside} - k$ today.") == bare
    power = canonical.canonical(f"Find $7 + {inside}^9 - k$ today.")
    assert power != canonical.canonical(f"Find $7 + {fraction}^9 - k$ today.")


@FEW
@given(FORMULAS)
def test_the_escapes_of_json_change_nothing(formula: Formula) -> None:
    text = f"Find ${latex(formula, '*')}$ in $\\mathbb{{R}}$.\n\nThen find it\nonce more."
    assert canonical.canonical(json.dumps(text)[1:-1]) == canonical.canonical(text)


def words(number: int) -> str:
    """Write a number below a billion in words."""
    small = vocabulary._NUMBER_WORDS.split()
    tens = vocabulary._TENS_WORDS.split()
    for scale, name in ((10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= scale:
            rest = words(number % scale) if number % scale else ""
            joint = " and " if rest and scale == 100 else " "
            return f"{words(number // scale)} {name}{joint if rest else ''}{rest}"
    if number < 20:
        return small[number]
    return tens[number // 10 - 2] + ("-" + small[number % 10] if number % 10 else "")


@FEW
@given(st.one_of(st.integers(2, 1200), st.integers(2, 10**9 - 1)))
def test_a_number_has_the_same_tokens_in_words(number: int) -> None:
    expected = f"there are {number} cows"
    assert canonical.canonical(f"There are {words(number)} cows.") == expected
    assert canonical.canonical(f"There are {number:,} cows.") == expected
    assert canonical.canonical(f"There are ${number:,}$ cows.".replace(",", "{,}")) == expected


SEPARATORS = (" ", "'", "\u202f", r"\,")


@FEW
@given(st.integers(1000, 10**9), st.integers(1, 999), st.integers(100, 999))
def test_a_number_has_the_same_tokens_with_other_separators(
    number: int, one: int, other: int
) -> None:
    expected = f"there are {number} cows"
    for separator in SEPARATORS + (".",) * (number >= 10**6):
        written = f"{number:,}".replace(",", separator)
        assert canonical.canonical(f"There are {written} cows.") == expected
        assert canonical.canonical(f"There are ${written}$ cows.") == expected
    apart = f"add {one} {other}"  # A noun or a zero must show that this is one number.
    assert canonical.canonical(f"Add {one} {other}.") == apart
    assert canonical.canonical(f"Add 5 {one} {other} and 5.") == f"add 5 {one} {other} and 5"
    assert canonical.canonical(f"Add {one}.{other} and 5.") != f"add {one}{other} and 5"


@FEW
@given(st.integers(0, 99), st.text("0123456789", min_size=1, max_size=4))
def test_digits_in_brackets_after_a_point_repeat(whole: int, digits: str) -> None:
    text = f"Write {whole}.({digits}) + (1) now."
    barred = f"Write $ {whole}.\\overline{{{digits}}} + (1)$ now."
    assert canonical.canonical(text) == canonical.canonical(barred)
    for other in (f"{whole}.{digits}", f"{whole}. ({digits})", f"{whole}.0({digits})"):
        assert canonical.canonical(text) != canonical.canonical(f"Write {other} + (1) now.")


@FEW
@given(st.integers(1, 99), st.integers(1, 9), st.integers(-30, 30))
def test_a_power_of_ten_has_the_same_tokens_with_an_e(whole: int, tenths: int, power: int) -> None:
    number = f"{whole}.{tenths}"
    expected = canonical.canonical(rf"Find ${number} \times 10^{{{power}}}$ now.")
    for written in (f"{number}e{power}", f"{number}E{power}", f"{number} x 10^{power}"):
        assert canonical.canonical(f"Find {written} now.") == expected
    for other in (f"{number}e{power + 1}", rf"${number}e^{{{power}}}$", f"{number}e - {power}"):
        assert canonical.canonical(f"Find {other} now.") != expected


NUMBERS = st.lists(st.integers(-99, 999), min_size=2, max_size=4)


@FEW
@given(NUMBERS, st.sampled_from(["()", "(]", "[)"]))
def test_semicolons_between_coordinates_are_commas(numbers: list[int], brackets: str) -> None:
    left, right = brackets
    spelled = {
        canonical.canonical(f"The point {left}{sep.join(map(str, numbers))}{right} is given.")
        for sep in (", ", "; ", ";")
    }
    assert len(spelled) == 1
    turned = "; ".join(map(str, (*numbers[1:], numbers[0])))
    other = canonical.canonical(f"The point {left}{turned}{right} is given.")
    assert (other in spelled) == (len({*numbers}) == 1)


@FEW
@given(NUMBERS)
def test_a_vector_has_the_same_tokens_in_ascii(numbers: list[int]) -> None:
    inside = ", ".join(map(str, numbers))
    spelled = {
        canonical.canonical(f"Find {each} now.")
        for each in (rf"$\langle {inside} \rangle$", f"<{inside}>", f"⟨{inside}⟩")
    }
    assert len(spelled) == 1
    assert canonical.canonical(f"Find ({inside}) now.") not in spelled


@FEW
@given(st.permutations(["2x", "x + 1", "-t", "3", "n^2", r"\frac{x}{2}", "ab"]))
def test_a_function_has_the_same_tokens_by_another_name(arguments: list[str]) -> None:
    one, other, *_ = arguments
    for written, others in (
        (rf"e^{{{one}}}", ("exp", r"\exp")),
        (rf"\sin^{{-1}}({one})", ("arcsin", r"\arcsin")),
        (rf"\tan({one})", ("tg", r"\operatorname{tg}")),
        (rf"\log_{{10}}({one})", ("lg", r"\lg")),
    ):
        expected = canonical.canonical(f"Find $7 + k {written} - k$ today.")
        for name in others:
            assert canonical.canonical(f"Find 7 + k {name}({one}) - k today.") == expected
        text = f"Find 7 + k {others[0]}({other}) - k today."
        assert canonical.canonical(text) != expected


@FEW
@given(st.integers(2, 9), st.integers(2, 99), st.integers(2, 99), st.integers(100, 199))
def test_a_modulus_makes_a_congruence(factor: int, one: int, other: int, modulus: int) -> None:
    expected = canonical.canonical(rf"Solve ${factor}x + {one} \equiv {other} \pmod{{{modulus}}}$.")
    for written in (
        f"{factor}x + {one} = {other} (mod {modulus})",
        rf"${factor}x + {one} = {other} \pmod{{{modulus}}}$",
        f"{factor}x + {one} ≡ {other} (mod {modulus})",
    ):
        assert canonical.canonical(f"Solve {written}.") == expected
    equation = canonical.canonical(f"Solve {factor}x + {one} = {other}. Find x mod {modulus}.")
    assert r"\equiv" not in equation


@FEW
@given(st.integers(1, 9999), st.integers(2, 16), st.integers(2, 16))
def test_a_base_has_the_same_tokens_in_words(number: int, base: int, other: int) -> None:
    expected = canonical.canonical(f"Convert ${number}_{{{base}}}$ to base 10.")
    for written in (f"{number} base {base}", f"{number} base {words(base)}"):
        assert canonical.canonical(f"Convert {written} to base 10.") == expected
    turned = canonical.canonical(f"Convert {number} base {other} to base 10.")
    assert (turned == expected) == (base == other)
    assert "_" not in canonical.canonical(f"A height of {number}, base {base}, is given.")


@FEW
@given(st.lists(st.sampled_from("ABCEHKMOPTX"), min_size=3, max_size=3, unique=True))
def test_letters_of_other_alphabets_that_look_alike_are_the_same(points: list[str]) -> None:
    text = "In triangle {0}{1}{2}, {0}{1} = 5 and {1}'{2} = x. Find the angle {0}."
    cyrillic = {latin: letter for letter, latin in folding.LOOKALIKES.items()}
    written = text.format(*points)
    others = text.format(*(cyrillic[point] for point in points)).replace("x", cyrillic["x"])
    assert others != written
    assert canonical.canonical(others) == canonical.canonical(written)
    mixed = text.format(points[0], cyrillic[points[1]], points[2])
    assert canonical.canonical(mixed) == canonical.canonical(written)
    russian = f"Найдите треугольник {cyrillic[points[0]]}."
    assert canonical.canonical(russian) != canonical.canonical(
        russian.replace(cyrillic[points[0]], points[0])
    )


@FEW
@given(
    st.lists(st.integers(1, 999), min_size=4, max_size=4),
    st.sampled_from(["({})", "{})"]),
    st.sampled_from([("1", "2", "3", "4"), ("i", "ii", "iii", "iv")]),
)
def test_short_options_are_left_out_whatever_their_marks(
    numbers: list[int], bracket: str, marks: tuple[str, ...]
) -> None:
    stem = "A bag has 7 red and 9 blue balls. How many balls does it have?"
    options = [f"{bracket.format(mark)} {n}" for mark, n in zip(marks, numbers, strict=True)]
    for blank in (" ", "\n"):
        assert canonical.canonical(f"{stem}{blank}{blank.join(options)}") == canonical.canonical(
            stem
        )
    for kept in (
        f"{stem} {' '.join(options[:3])}",
        f"{stem} {' '.join(options)} and how many balls would it have with one ball more?",
        f"{stem.replace('?', '.')} {' '.join(options)}",
        f"{stem.replace('How many', 'Which of the following numbers of')} {' '.join(options)}",
    ):
        assert str(numbers[0]) in canonical.spellings(kept)


@FEW
@given(st.lists(st.integers(100, 999), min_size=2, max_size=6), st.sampled_from(["()", "[]", "{}"]))
def test_a_list_without_blanks_is_a_list(numbers: list[int], brackets: str) -> None:
    left, right = brackets if brackets != "{}" else (r"\{", r"\}")
    tight, loose = (f"Let {left}{sep.join(map(str, numbers))}{right} be." for sep in (",", ", "))
    assert canonical.canonical(tight) == canonical.canonical(loose)
    assert canonical.canonical(tight).count(" ") == len(numbers) + 3


@FEW
@given(st.lists(st.lists(st.integers(-9, 99), min_size=2, max_size=2), min_size=1, max_size=3))
def test_a_matrix_has_the_same_tokens_as_rows(rows: list[list[int]]) -> None:
    inside = r" \\ ".join(" & ".join(map(str, row)) for row in rows)
    spelled = {
        canonical.canonical(rf"Find $\begin{{{name}}} {inside} \end{{{name}}}$ now.")
        for name in ("pmatrix", "bmatrix", "matrix")
    }
    assert spelled == {canonical.canonical(f"Find {rows} now.")}


DRAWING = "Find x. [asy]\nsize(9);\n\nfor (int i = 0; i < 3; ++i) {{\ndraw((0,0)--({},{}));\n}}\n"


@FEW
@given(st.integers(1, 9), st.integers(1, 9))
def test_the_escapes_of_json_do_not_change_a_drawing(x: int, y: int) -> None:
    text = DRAWING.format(x, y) + 'label("$\\frac{1}{2}$", (1,1));\n[/asy]'
    other = DRAWING.format(x + 1, y) + 'label("$\\frac{1}{2}$", (1,1));\n[/asy]'
    drawn = [reference.lex(each)[1] for each in (text, json.dumps(text)[1:-1], other)]
    assert drawn[0] == drawn[1] != drawn[2]


NAMES = st.lists(st.sampled_from("cpqvwxz"), min_size=3, max_size=3, unique=True)
PROBLEM = "Let {0} + 3{1} = 7 and {1}{2} = 5, where {2} > 0. What is {0} - {1}^{2}?"


@FEW
@given(NAMES, NAMES)
def test_names_do_not_matter_and_their_places_do(one: list[str], other: list[str]) -> None:
    turned = PROBLEM.replace("3{1}", "3{2}")
    asks = PROBLEM.replace("{0} - {1}", "{1} - {0}")
    texts = [PROBLEM.format(*one), *(each.format(*other) for each in (PROBLEM, turned, asks))]
    problem, _ = names.forms(pa.array(texts)).T
    assert problem[0] == problem[1] and problem[2] != problem[0] != problem[3]


STEM = "A bag has 7 red and 9 blue balls; two are drawn. "
FORMS = (r"\frac{%s}{%s}", "%s + %s", r"%s\sqrt{%s}")
INTRODUCED = "where $%s$ and $%s$ are relatively prime positive integers"
ANSWERS = (
    f"The chance of two red ones is ${{form}}$, {INTRODUCED}. Find $%s{{sign}}%s$.",
    f"The chance of two red ones can be written in the form ${{form}}$, {INTRODUCED}. What is "
    "$%s{sign}%s$?",
    f"Let ${{form}}$ be the chance of two red ones, {INTRODUCED}. Compute $%s{{sign}}%s$.",
)


@FEW
@given(
    st.sampled_from(ANSWERS),
    st.sampled_from(FORMS),
    st.lists(st.sampled_from("cmnpqz"), min_size=4, max_size=4, unique=True),
)
def test_a_wrapper_is_compared_on_its_own(text: str, form: str, letters: list[str]) -> None:
    def wrapped(one: str, other: str, sign: str) -> str:
        return STEM + text.replace("{form}", form).replace("{sign}", sign) % ((one, other) * 3)

    first, second = letters[:2], letters[2:]
    texts = [wrapped(*first, "+"), wrapped(*second, "+"), wrapped(*first, "-")]
    problem, answer = names.forms(pa.array(texts)).T
    assert len(set(problem.tolist())) == 1
    assert answer[0] == answer[1] != answer[2]
    assert split(texts[0])[0].endswith("the chance of 2 red ones")
    assert names.forms(pa.array([STEM]))[0, 1] == 0


@pytest.mark.parametrize(
    "text",
    [
        "Let m and n be positive integers with $m - n = 2$ and $mn = 143$. Find $m + n$.",
        "If $\\frac{m}{n} = 0.75$, where m and n are relatively prime integers, find $m + n$.",
        "The roots of $x^2 - ax + b$ are 3 and 5, where a and b are integers. Find $a + b$.",
        "Find the area of the circle.",
    ],
)
def test_a_request_for_names_of_the_problem_is_not_a_wrapper(text: str) -> None:
    assert wrappers_of(text) == ""


def wrappers_of(text: str) -> str:
    return split(text)[1]


LIST = ["54 rolls at 3 for $1", "20 buns at $2 each", "35 cakes"]


@pytest.mark.parametrize("mark", ["-", "*", "•", " * ", "  - "])
@pytest.mark.parametrize("end", [",", ";", "."])
def test_marks_of_a_list_are_no_signs(mark: str, end: str) -> None:
    lines = (end + "\n").join(f"{mark} {line}" for line in LIST)
    text = f"They sell\n{lines}\nHow much do they earn?"
    assert canonical.spellings(text) == canonical.spellings(
        f"They sell {', '.join(LIST)} How much do they earn?"
    )


@given(
    word=st.from_regex(r"[a-z]{4,12}", fullmatch=True),
    at=st.integers(2, 10),
    line=st.sampled_from(["-\n", "-\r\n", "-\n  "]),
)
def test_a_word_may_be_divided_at_the_end_of_a_line(word: str, at: int, line: str) -> None:
    first, second = word[:at], word[at:]
    if len(second) < 2 or first in divided_words.BEFORE_HYPHEN.split():
        return
    text = "Ann counts her {} and 5 cats."
    assert canonical.spellings(text.format(first + line + second)) == canonical.spellings(
        text.format(word)
    )


@pytest.mark.parametrize("word", ["two", "Left", "self"])
def test_a_hyphen_of_a_compound_stays_at_the_end_of_a_line(word: str) -> None:
    one, other = (f"Find the {word}{line}digit code." for line in ("-\n", "-"))
    assert canonical.spellings(one) == canonical.spellings(other)
    assert canonical.spellings("Find x -\ny now.") == canonical.spellings("Find x - y now.")
