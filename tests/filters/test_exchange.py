"""Words, names and factors that change places make another problem, and so do words that decide."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathledger.text.tokens import FUNCTIONS
from tests.filters.copies import are_copies
from tests.filters.matching import is_leak

numbers = st.lists(st.integers(3, 99), min_size=4, max_size=4, unique=True)

# One template each; the two words in <> change places.
EXCHANGED = {
    "functions": r"Compute $\<sin> {0}^\circ \<cos> {1}^\circ + {2}$.",
    "a fraction": r"Simplify $\frac{{\<sec> {0}x}}{{\<sin> {0}x}} - \frac{{\sin {1}x}}{{\cos x}}$.",
    "extremes": r"Compute $\<max>({0}, {1}) - \<min>({2}, {3})$.",
    "a ratio": "The ratio of <boys> to <girls> is {0}:{1}, with {2} pupils. How many are boys?",
    "names": "<Al> is {0} and <Bo> is {1}. In how many years will Bo be {2} times as old as Al?",
    "halves of the day": "A shop opens at {0} <am> and closes at {1} <pm>. How long is it open?",
    "who is first": "<Al> is {0} years older than <Bo>. In {1} years they are {2}. How old is Al?",
    "animals": "The ratio of <cats> to <dogs> is {0}:{1} among {2} animals. How many are cats?",
    "deeds": "The <farmer> gives the <vet> {0} eggs and keeps {1}. How many had the farmer of {2}?",
    "sides": "A rectangle has <length> ${0}x + {1}$ and <width> $x - {2}$. Find its length.",
    "factors": r"Find $<\begin{{pmatrix}} {0} & 2 \\ 3 & {1} \end{{pmatrix}}> "
    r"<\begin{{pmatrix}} 0 & {2} \\ {3} & 7 \end{{pmatrix}}>$.",
}


@pytest.mark.parametrize("kind", EXCHANGED)
@settings(max_examples=5, deadline=None, database=None)
@given(values=numbers)
def test_two_that_change_places_make_another_problem(kind: str, values: list[int]) -> None:
    item = EXCHANGED[kind].format(*values)
    before, one, between, other, after = item.replace("<", ">").split(">")
    text = f"{before}{other}{between}{one}{after}"
    item = item.replace("<", "").replace(">", "")
    assert is_leak(item, item) and not is_leak(text, item) and not is_leak(item, text)


# Two problems with nearly the same words and signs.
TURNED = {
    "an unknown percentage": ("What is {0}% of {1}?", "{0} is what % of {1}?"),
    "an unknown whole": (
        "What number is {0}% of {1}, less {2}?",
        "{0}% of what number is {1}, less {2}?",
    ),
    "a multiple and a difference": (
        "Ana has {0} times more pens than Bob, who has {1}. How many pens has Ana?",
        "Ana has {0} more pens than Bob, who has {1}. How many pens has Ana?",
    ),
    "a set of sets": (
        r"How many subsets has $\{{{0}, \{{{1}, {2}\}}\}}$ in all?",
        r"How many subsets has $\{{{0}, {1}, {2}\}}$ in all?",
    ),
    "a product of matrices": (
        r"Let $A = \begin{{pmatrix}} {0} & {1} \\ {2} & {3} \end{{pmatrix}}$. Find $A^T A$.",
        r"Let $A = \begin{{pmatrix}} {0} & {1} \\ {2} & {3} \end{{pmatrix}}$. Find $A A^T$.",
    ),
    "a product for a sum": (
        "Compute Σ_{{k={0}}}^{{{1}}} ({2}k + {3}).",
        "Compute Π_{{k={0}}}^{{{1}}} ({2}k + {3}).",
    ),
    "a vector": (
        "Given A({0}, {1}) and B({2}, {3}), find the components of the vector AB.",
        "Given A({0}, {1}) and B({2}, {3}), find the components of the vector BA.",
    ),
    "the given and the asked angle": (
        "Angle PQR is {0} degrees and angle QRP is {1} degrees. Find angle RPQ less {2}.",
        "Angle PQR is {0} degrees and angle RPQ is {1} degrees. Find angle QRP less {2}.",
    ),
    "abbreviated functions": (
        "What is the GCD of {0}, {1} and {2}?",
        "What is the LCM of {0}, {1} and {2}?",
    ),
    "an abbreviated noun": (
        "The first terms of an AP are {0} and {1}. Find the sum of its first {2} terms.",
        "The first terms of a GP are {0} and {1}. Find the sum of its first {2} terms.",
    ),
}


@pytest.mark.parametrize("kind", TURNED)
@settings(max_examples=5, deadline=None, database=None)
@given(values=numbers)
def test_a_turned_problem_is_another_problem(kind: str, values: list[int]) -> None:
    one, other = (text.format(*values) for text in TURNED[kind])
    assert is_leak(one, one) and is_leak(other, other)
    assert not is_leak(one, other) and not is_leak(other, one) and not are_copies(one, other)


@settings(max_examples=20, deadline=None, database=None)
@given(
    names=st.permutations([*"KMPQRSTVW"]),
    order=st.permutations(range(3)),
    values=numbers,
)
def test_an_angle_is_told_by_its_vertex(
    names: list[str], order: list[int], values: list[int]
) -> None:
    story = (
        "A triangle has sides of {0} and {1} cm that enclose {2} degrees. Find angle %s less {3}."
    )
    story = story.format(*values)
    angle = "".join(names[:3])
    other = "".join(angle[at] for at in order)
    is_same = angle[1] == other[1]
    context = f"In triangle {angle} the side {angle[:2]} is the longest. "
    item, text = (context + story % each for each in (angle, other))
    assert is_leak(text, item) == is_leak(item, text) == is_same


@settings(max_examples=20, deadline=None, database=None)
@given(
    pair=st.lists(st.sampled_from(FUNCTIONS), min_size=2, max_size=2, unique=True),
    values=numbers,
)
def test_functions_in_capitals_are_no_points_that_another_letter_may_name(
    pair: list[str], values: list[int]
) -> None:
    one, other = (
        f"Compute {name.upper()}({values[0]}, {values[1]}) + {values[2]}." for name in pair
    )
    assert is_leak(one, one) and is_leak(one, one.lower()) and not is_leak(one, other)


@pytest.mark.parametrize(
    ("text", "item"),
    [
        (
            "Bob and Ann have 45 pens, and Bob has 7 more. How many has Ann?",
            "Ann and Bob have 45 pens, and Bob has 7 more. How many has Ann?",
        ),
        (
            "If Cindy owns four pets and Marcia owns two pets more than Cindy, while Jan has "
            "thrice as many pets as Marcia, what is the total number of pets that all three of "
            "them possess?",
            "Jan has three times the number of pets as Marcia. Marcia has two more pets than "
            "Cindy. If Cindy has four pets, how many total pets do the three have?",
        ),
    ],
    ids=["joined by and", "told in another order"],
)
def test_words_in_another_order_may_say_the_same(text: str, item: str) -> None:
    assert is_leak(text, item) and is_leak(item, text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("How many <> values of $k$ up to 500 solve $kx^2 = x + 9$?", ("real", "integer")),
        ("A score rose from 40<> to 50<>. What is the change, in words?", ("%", "")),
        ("A shirt of 40 dollars is sold at 35<> off. What is the new price?", ("%", " dollars")),
        ("A pen costs 75 <>. How many can be bought for 6 dollars?", ("cents", "dollars")),
        ("Find the <> when 2x^3 - 5x + 1 is divided by x - 3.", ("quotient", "remainder")),
        ("How many four-digit numbers have <> digits and end in 5?", ("distinct", "")),
        ("How many positive <> divisors does 360 have?", ("even", "")),
        (r"How many $n \in \mathbb{<>}$ satisfy $n^2 < 50$?", ("Z", "N")),
        ("Three friends buy 12 pencils <> and give 4 away. How many has each?", ("each", "in all")),
        ("The 5 shelves hold 20 books<>. Ann takes 7. How many are left?", (" each", "")),
        ("Ann has 5 <> cards than Bob's 14. How many has Ann?", ("times as many", "more")),
        ("The 14 by 9 lawn grows: its <> doubles. What is its area?", ("length", "width")),
        ("Reflect $(3, -5)$ in the $<>$-axis.", ("x", "y")),
        ("A pipe of 12 <> is cut into 4 parts. How long is one?", ("m", "g")),
        ("Write <> as an ordinary numeral.", ("XIV", "MCD")),
        ("How many of the numbers are in <>(12,5)?", ("C", "P")),
        ("For what $n$ is $n<>720$?", ("!=", r" \ne ")),
        ("Evaluate $2^{<>}$ at $x = 2$.", ("3x", "3}x{")),
        ("Find $<>$ for $A = [[1, 2], [3, 4]]$ and $B = [[0, 1], [5, 2]]$.", ("AB", "BA")),
        ("A shop closes at 5 <> and opens 14 hours later. When?", ("AM", "PM")),
        ("Ed buys 2 bags with 55 chips<>. How many chips has he?", (" each", " in total")),
        ("Ed ate 3 of 40 plums, then 1/5 of the <>plums. How many are left?", ("", "remaining ")),
        ("A board of 40 feet is cut. One piece is 4 <> longer. How long is it?", ("times", "feet")),
        ("There are 20 pens and 4 <>pens are lost. How many pairs of pens?", ("", "pairs of ")),
        ("Buy a <> of 40 inches at 300 dollars less 12%. What is its price?", ("TV", "DVD")),
    ],
)
def test_a_word_that_decides_may_not_differ(old: str, new: tuple[str, str]) -> None:
    one, other = (old.replace("<>", word) for word in new)
    assert is_leak(one, one) and not is_leak(one, other) and not is_leak(other, one)


@pytest.mark.parametrize(
    ("text", "item"),
    [
        (
            "They split 24 cards evenly. How many has each of 4?",
            "They split 24 cards. How many has each of 4?",
        ),
        (
            r"Find $\left( \begin{array}{cc} 1 & 2 \\ 3 & 4 \end{array} \right)^5$.",
            r"Find $\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}^5$.",
        ),
        (
            r"Find $\left[ \begin{array}{c} 5 \\ 6 \end{array} \right] + "
            r"\left( \begin{matrix} 7 \\ 8 \end{matrix} \right)$.",
            r"Find $\begin{bmatrix} 5 \\ 6 \end{bmatrix} + \begin{pmatrix} 7 \\ 8 \end{pmatrix}$.",
        ),
        (
            r"How many elements has $\{ n \in \mathbb{Z} : n^2 < 50 \}$?",
            r"How many elements has $\{ n \in \mathbb{Z} \mid n^2 < 50 \}$?",
        ),
        (
            r"How many $n \in \mathbb{Z}$ satisfy $n^2 < 50$?",
            "How many k ∈ \u2124 satisfy k² < 50?",
        ),
        (
            "There are 6 shelves with 12 books each. How many books are there?",
            "There are 6 shelves with 12 books on each. How many books are there?",
        ),
        ("What is 12.5% of $640?", "What is 12.5% of 640 dollars?"),
        (
            r"If $\angle ABC = 64^\circ$ and $\angle BAC = 51^\circ$, find $\angle ACB$.",
            "If angle CBA = 64 degrees and angle CAB = 51 degrees, find angle BCA.",
        ),
        (
            "If lcm[k, l] = 36 and gcd(k, l) = 3, find kl.",
            "If the LCM of k and l is 36 and the greatest common factor of k and l is 3, find kl.",
        ),
        (
            "He is paid $12 per hour and buys a television for $1,500. How long does he work?",
            "He is paid $12/hr and buys a TV for 1500 USD. How long does he work?",
        ),
        (
            "Turn it 60 degrees counterclockwise on Monday. Each story is 24 feet high.",
            "Turn it 60 degrees anti-clockwise on Mon. Each storey is 24 ft high.",
        ),
        (
            r"Find the norm of $\mathbf{a} = \begin{pmatrix} 1 \\ -7 \\ 3 \end{pmatrix}$.",
            r"Find the norm of $\vec a = \langle 1, -7, 3 \rangle$.",
        ),
        (
            r"Find the norm of $\begin{pmatrix} 1 \\ -7 \\ x_2 \end{pmatrix}$ by hand.",
            "Find the norm of (1, -7, x2) by hand.",
        ),
        (
            "If $f(x) = ax^4 - bx^2 + x + 5$ and $f(-3) = 2$, then what is $f(3)$?",
            "If f(t) = pt⁴ - qt² + t + 5 and f(-3) = 2, then what is f(3)?",
        ),
        (
            "It is $(Ax - 8)(Bx + 3)$ with integers $A$ and $B$. Find $AB + B$ for $x = 1$.",
            "It is $(Px - 8)(Qx + 3)$ with integers $P$ and $Q$. Find $PQ + Q$ for $x = 1$.",
        ),
        (
            r"Let $\frac{m}{n} @ \frac{p}{q} = mp + q$. Find $\frac{7}{30}@\frac{10}{21}$.",
            "Let (m/n) @ (p/q) = mp + q. Find (7/30) @ (10/21).",
        ),
    ],
    ids=[
        "evenly", "an array", "two arrays", "a set", "a set of numbers", "each", "dollars",
        "angles", "abbreviated functions", "abbreviated nouns", "British words",
        "a vector in angles", "a vector in round brackets", "coefficients", "capital coefficients",
        "an operation of its own",
    ],
)  # fmt: skip
def test_spellings_of_one_problem_are_found(text: str, item: str) -> None:
    assert is_leak(text, item) and is_leak(item, text)
