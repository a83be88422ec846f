"""Measures, decimals, marks of lists and repeated numbers may be written in several ways."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.filters.matching import check_border, check_forms

numbers = st.lists(st.integers(3, 99), min_size=3, max_size=3, unique=True)

# One problem in two forms, and another problem; <a>, <b> and <c> are numbers.
FORMS = {
    "cents": (
        "A baker sells <a> rolls at 5 cents each and <b> loaves at $<c> each. What does he earn?",
        "A baker sells <a> rolls at $0.05 each and <b> loaves at $<c> each. What does he earn?",
        "A baker sells <a> rolls at $5 each and <b> loaves at $<c> each. What does he earn?",
    ),
    "a mixed number": (
        "A baker mixes <a> cups of milk, <b> eggs and 2.5 cups of flour for <c> rolls. How much "
        "flour does a roll need?",
        r"A baker mixes <a> cups of milk, <b> eggs and $2\frac12$ cups of flour for <c> rolls. How "
        "much flour does a roll need?",
        "A baker mixes <a> cups of milk, <b> eggs and 1.25 cups of flour for <c> rolls. How much "
        "flour does a roll need?",
    ),
    "inches": (
        "Each of <a> rolls is 4 inches long, and each of <b> loaves is <c> feet long. How long is "
        "the row?",
        "Each of <a> rolls is 4 in. long, and each of <b> loaves is <c> ft long. How long is the "
        "row?",
        "Each of <a> rolls is 4 feet long, and each of <b> loaves is <c> feet long. How long is "
        "the row?",
    ),
    "a speed": (
        "A snail crawls <a> feet per minute and rests <b> times for <c> minutes. How far does it "
        "get?",
        "A snail crawls <a> ft/min and rests <b> times for <c> min. How far does it get?",
        "A snail crawls <a> ft/sec and rests <b> times for <c> min. How far does it get?",
    ),
    "or more": (
        "At least 2 of <a> coins show heads, and <b> of <c> dice show a six. Find the odds.",
        "2 or more of <a> coins show heads, and <b> of <c> dice show a six. Find the odds.",
        "2 or fewer of <a> coins show heads, and <b> of <c> dice show a six. Find the odds.",
    ),
    "a set of numbers": (
        r"Let $x \in \mathbb{R}^+$ be such that $<a>x + <b> = <c>x^2$. Find $x$.",
        r"Let $x$ be a positive real number such that $<a>x + <b> = <c>x^2$. Find $x$.",
        r"Let $x$ be a negative real number such that $<a>x + <b> = <c>x^2$. Find $x$.",
    ),
    "a norm": (
        r"The vectors satisfy $\|\mathbf{v}\| = <a>$, $\|\mathbf{w}\| = <b>$ and meet at an angle "
        r"of $<c>^\circ$. Find the dot product.",
        r"The vectors satisfy $|\vec{v}| = <a>$, $|\vec{w}| = <b>$ and meet at an angle of "
        r"$<c>^\circ$. Find the dot product.",
        r"The vectors satisfy $|\vec{v}| = <a>$, $|\vec{w}| = <b>$ and meet at an angle of "
        r"$<c>^\circ$. Find the dot product of $\vec{v}$ and $2\vec{w}$.",
    ),
    "a negation": (
        "A club of <a> men and <b> women cannot seat Ann by Bob at <c> tables. In how many ways do "
        "they sit?",
        "A club of <a> men and <b> women can't seat Ann by Bob at <c> tables. In how many ways do "
        "they sit?",
        "A club of <a> men and <b> women can seat Ann by Bob at <c> tables. In how many ways do "
        "they sit?",
    ),
    "marks of a list": (
        "A box holds <a> cards:\n(a) <b> are red,\n(b) <c> are torn.\nHow many may be neither?",
        "A box holds <a> cards:\n1. <b> are red,\n2. <c> are torn.\nHow many may be neither?",
        "A box holds <a> cards:\n1. <b> are red,\n2. <c> are not torn.\nHow many may be neither?",
    ),
    "the number of a problem": (
        "Ann has <a> red cards, <b> blue ones and <c> dice. How many cards has Ann?",
        "17) Ann has <a> red cards, <b> blue ones and <c> dice. How many cards has Ann?",
        "17) Ann has <a> red cards, <b> blue ones and <c> dice. How many dice has Ann?",
    ),
    "a number in figures, too": (
        "Ann has two cats, <a> dogs, <b> hens and <c> cows. How many paws are in her barn?",
        "Ann has two (2) cats, <a> dogs, <b> hens and <c> cows. How many paws are in her barn?",
        "Ann has six (6) cats, <a> dogs, <b> hens and <c> cows. How many paws are in her barn?",
    ),
    "as many as the names": (
        r"Points $A$ and $B$ lie on the circle $x^2 + <a>y^2 = <b>$, at a distance of $<c>$. Find "
        "the chord.",
        r"Two points $A$ and $B$ lie on the circle $x^2 + <a>y^2 = <b>$, at a distance of $<c>$. "
        "Find the chord.",
        r"Two points $A$ and $B$ lie on the circle $x^2 + <a>y^2 = <b>^2$, at a distance of $<c>$. "
        "Find the chord.",
    ),
    "what the steps of a list imply": (
        r"Of the cards $1, 2, 3, \ldots, 200$, Ann takes $<a>$, Bob $<b>$ and Cid $<c>$. What "
        "stays?",
        r"Of the cards $1, 2, \dots, 200$, Ann takes $<a>$, Bob $<b>$ and Cid $<c>$. What stays?",
        r"Of the cards $2, 4, \dots, 200$, Ann takes $<a>$, Bob $<b>$ and Cid $<c>$. What stays?",
    ),
    "brackets among words": (
        "Ann divides the sum of $<a> - n$ and $n + <b>$ among <c> men. What does each get?",
        "Ann divides the sum of $(<a> - n)$ and $(n + <b>)$ among <c> men. What does each get?",
        "Ann divides the sum of $(<a> - n)$ and $(n - <b>)$ among <c> men. What does each get?",
    ),
    "a word in two": (
        "The windstorm broke <a> trees, <b> roofs and <c> masts. How many things are broken?",
        "The wind storm broke <a> trees, <b> roofs and <c> masts. How many things are broken?",
        "The wind storm broke <a> trees, <b> roofs and <c> masts. How many more trees than roofs?",
    ),
}


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=10, deadline=None, database=None)
@given(values=numbers, at=st.integers(0, 2))
def test_a_problem_may_be_written_in_another_way(name: str, values: list[int], at: int) -> None:
    check_forms(FORMS[name], values, at)


# Pairs of different problems at the border of a rule.
DIFFERENT = {
    "a sharp bound": (
        "Let $K$ be the number of sequences of $n$ cards of 12 kinds, where $n$ is a positive "
        "integer {} 10. Find the last 3 digits of $K$.",
        "less than or equal to",
        "less than",
    ),
    "another polygon": (
        "Each vertex of a regular {0} is red or blue at random. Find the odds that the {0} may "
        "turn by 40 degrees so that blue meets red.",
        "hexagon",
        "octagon",
    ),
    "a word more in a note": (
        "In how many ways can 8 people sit at a square table? (Two seatings are the same if one is "
        "a rotation {}of the other.)",
        "",
        "or a reflection ",
    ),
    "one word more after and": (
        "Ann drinks water with breakfast, lunch and dinner for 5 days, and on 2 days she has soda "
        "with {}dinner. How much water does she drink?",
        "",
        "lunch and ",
    ),
    "each and all": (
        "5 squirrels found 575 nuts and need 130 each. How many more nuts {}?",
        "does each squirrel need",
        "do the squirrels need in all",
    ),
    "another one of two": (
        "Of 20 students, 5 are good at math only, 8 at music only, and 7 at both math and music. "
        "How many are good at {}?",
        "math",
        "music",
    ),
    "what is counted": (
        "One third of the fish in a tank are blue, and half of the blue fish have spots. 10 blue{} "
        "fish swim. How many fish are there?",
        ", spotted",
        "",
    ),
    "more of one than of another": (
        "There are 5 times as many {} in a tank of 90 fish. How many pike are there?",
        "pike as eels",
        "eels as pike",
    ),
    "a place in a sequence": (
        "Find $x + y$ if $2, 6, 10, \\ldots, x, {}$ is an arithmetic sequence of 9 terms.",
        "y, 26",
        "26, y",
    ),
    "a remainder": (
        "A cubic $P$ has the remainder ${}$ when divided by $(x - 1)(x - 4)$ and $P(0) = 5$. Find "
        "$P(5)$ if $R$ is linear.",
        "2R(x)$ when divided by $(x - 2)(x - 3)$ and the remainder $R(x)",
        "R(x)$ when divided by $(x - 2)(x - 3)$ and the remainder $2R(x)",
    ),
    "a noun that looks like a pronoun": (
        "A herring has 40 oz of fat, an eel 20 oz, and a pike 10 oz more than {}. How much fat "
        "have 7 fish of each?",
        "a herring",
        "an eel",
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_small_change_makes_another_problem(name: str) -> None:
    check_border(*DIFFERENT[name])
