"""Signs, words and numbers that say nothing may be missing; those that say something may not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.filters.matching import check_border, check_forms, class_of, is_leak

numbers = st.lists(st.integers(3, 99), min_size=3, max_size=3, unique=True)

# One problem in two forms, and another problem; <a>, <b> and <c> are numbers.
FORMS = {
    "the exponent 1": (
        "The curve $y^1 + <a>x^2 = <b>$ meets the line $x = <c>$ at a point. Find its ordinate.",
        "The curve $y + <a>x^2 = <b>$ meets the line $x = <c>$ at a point. Find its ordinate.",
        "The curve $y^3 + <a>x^2 = <b>$ meets the line $x = <c>$ at a point. Find its ordinate.",
    ),
    "an index after the exponent": (
        r"Maria halves $\sum^{<c>}_{k=2} (<a>k + <b>)$ on the blackboard. What does she write?",
        r"Maria halves $\sum_{k=2}^{<c>} (<a>k + <b>)$ on the blackboard. What does she write?",
        r"Maria halves $\sum_{k=<c>}^{2} (<a>k + <b>)$ on the blackboard. What does she write?",
    ),
    "a degree sign that is a letter": (
        "A triangle has angles of $<a>^o$ and $<b>^o$. A side of <c> inches joins them. Find "
        "it all.",
        r"A triangle has angles of $<a>^\circ$ and $<b>^\circ$. A side of <c> inches joins them. "
        "Find it all.",
        "A triangle has angles of $<a>^2$ and $<b>^2$. A side of <c> inches joins them. Find "
        "it all.",
    ),
    "a sum beside an ellipsis": (
        r"A clerk divides $<a> + <b> \cdots + <c>$ by the number of terms. What does he get?",
        r"A clerk divides $<a> + <b> + \cdots + <c>$ by the number of terms. What does he get?",
        r"A clerk divides $<a> + <b> - \cdots - <c>$ by the number of terms. What does he get?",
    ),
    "a product beside an ellipsis": (
        r"Simplify the product $\frac{<a>}{4} \cdot \frac{<b>}{8} \dotsm \frac{<c>}{24}$.",
        r"Simplify the product $\frac{<a>}{4} \cdot \frac{<b>}{8} \cdot \cdots \cdot "
        r"\frac{<c>}{24}$.",
        r"Simplify the product $\frac{<a>}{4} \cdot \frac{<b>}{8} + \cdots + \frac{<c>}{24}$.",
    ),
    "a fraction after a function": (
        r"How often is $\sin \frac{x}{<a>} = <b> \cos \frac{y}{<c>}$ on this graph of a curve?",
        r"How often is $\sin(x/<a>) = <b> \cos(y/<c>)$ on this graph of a curve?",
        r"How often is $\frac{\sin x}{<a>} = <b> \frac{\cos y}{<c>}$ on this graph of a curve?",
    ),
    "a possessive": (
        "Circle A has <a> red dots and circle B has <b> blue ones. What is circle A's area "
        "in dots?",
        "Circle A has <a> red dots and circle B has <b> blue ones. What is the area of circle A in "
        "dots?",
        "Circle A has <a> red dots and circle B has <b> blue ones. What is circle B's area "
        "in dots?",
    ),
    "a sequence in brackets": (
        "The sequence $(a_n)$ satisfies $a_1 = <a>$ and $a_{n+1} = <b> a_n + <c>$. Find $a_9$.",
        r"The sequence $\{a_n\}$ satisfies $a_1 = <a>$ and $a_{n+1} = <b> a_n + <c>$. Find $a_9$.",
        r"The sequence $\{a_n\}$ satisfies $a_1 = <a>$ and $a_{n+1} = <b> a_n + <c>$. Find $a_8$.",
    ),
    "a word for several": (
        "Triangles $ABD$ and $ACD$ have the circumradii $<a>$ and $<b>$. Find the area of $ABCD$.",
        "The radii of the circles circumscribed about triangles $ABD$ and $ACD$ are $<a>$ "
        "and $<b>$. Find the area of $ABCD$.",
        "Triangles $ABD$ and $ACD$ have the inradii $<a>$ and $<b>$. Find the area of $ABCD$.",
    ),
    "no two": (
        "A league of <a> players has teams of <b>, but no teams have <c> common players. How many?",
        "A league of <a> players has teams of <b>, but no two teams have <c> common players. How "
        "many?",
        "A league of <a> players has teams of <b>, but no three teams have <c> common players. How "
        "many?",
    ),
    "all of a number that was said": (
        "<a> circles form a ring. All circles touch a large circle of radius <b>. Find its area.",
        "<a> circles form a ring. All <a> circles touch a large circle of radius <b>. Find "
        "its area.",
        "<a> circles form a ring. All 2 circles touch a large circle of radius <b>. Find its area.",
    ),
    "an equation without its zero": (
        "The equation $x^2 + <a>x + n$ has roots twice those of $x^2 + px + <b>$. Find $n/p$.",
        "The equation $x^2 + <a>x + n = 0$ has roots twice those of $x^2 + px + <b>$. Find $n/p$.",
        "The equation $x^2 + <a>x + n = 1$ has roots twice those of $x^2 + px + <b>$. Find $n/p$.",
    ),
    "a name that was said": (
        "The equations $<a>x + 7 = <b>$ and $bx - 10 = <c>$ have the same solution. Find $b$.",
        "The equations $<a>x + 7 = <b>$ and $bx - 10 = <c>$ have the same solution $x$. Find $b$.",
        "The equations $<a>x + 7 = <b>$ and $bx - 10 = <c>$ have the same negative solution $x$. "
        "Find $b$.",
    ),
    "a sum that is written out": (
        "The roots $m$ and $n$ of $x^2 - <a>x + <b> = 0$ exceed $<c>$. What is the largest sum "
        "$m + n$?",
        "The roots $m$ and $n$ of $x^2 - <a>x + <b> = 0$ exceed $<c>$. What is the largest "
        "$m + n$?",
        "The roots $m$ and $n$ of $x^2 - <a>x + <b> = 0$ exceed $<c>$. What is the largest "
        "$m - n$?",
    ),
    "real numbers": (
        "Suppose that $|x_i| < <a>$ for all $i$. Let $x_1 + x_2 = <b>$. What is the least "
        "$x_1 - x_2$?",
        "Let $x_1, x_2$ be real numbers which satisfy $|x_i| < <a>$ for all $i$. Let $x_1 + "
        "x_2 = <b>$. What is the least $x_1 - x_2$?",
        "Let $x_1, x_2$ be odd integers which satisfy $|x_i| < <a>$ for all $i$. Let $x_1 + "
        "x_2 = <b>$. What is the least $x_1 - x_2$?",
    ),
    "the number of a contest": (
        "The AMC 12 contests award <a> points for a right answer and <b> for none. Ana leaves <c> "
        "questions of 25 unanswered. How many points can she get?",
        "The AMC 10 awards <a> points for a right answer and <b> for none. Ana leaves <c> "
        "questions of 25 unanswered. How many points can she get?",
        "The AMC 10 awards <a> points for a right answer and <b> for none. Ana leaves <c> "
        "questions of 20 unanswered. How many points can she get?",
    ),
}


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=10, deadline=None, database=None)
@given(values=numbers, at=st.integers(0, 2))
def test_a_form_that_says_the_same_is_found_and_another_problem_is_not(
    name: str, values: list[int], at: int
) -> None:
    check_forms(FORMS[name], values, at)


TEAM = (
    "A volleyball team has 14 players, among them 3 triplets: Alicia, Amanda and Anna. In how many "
    "ways can the coach choose 6 starters if {} in the lineup?"
)
CHOSEN = ("all three triplets are", "exactly one of the triplets is", "two of the triplets are")


@pytest.mark.parametrize("own", CHOSEN)
@pytest.mark.parametrize("other", CHOSEN)
def test_a_number_that_the_question_sets_is_no_repetition(own: str, other: str) -> None:
    assert is_leak(TEAM.format(own), TEAM.format(other)) == (own == other)


SHOWN = (
    "In this magic square, the sums of the three entries in any row, column or diagonal are equal, "
    "and four of the nine entries are shown{}. Find $x$. {}"
)
DRAWN = (
    '[asy] pair A = (0, 1); label("$x$", A); pair B = (1, 4); label("$19$", B); draw(A--B); [/asy]'
)


def test_the_place_of_a_figure_may_be_missing_but_not_differ() -> None:
    below, above, nowhere = (SHOWN.format(word, DRAWN) for word in (" below", " above", ""))
    assert is_leak(nowhere, below) and is_leak(below, nowhere) and not is_leak(above, below)


@settings(max_examples=20, deadline=None, database=None)
@given(st.permutations(["draw(A--B);", "draw(B--C);", "fill(C--A--B--cycle);", "dot(C);"]))
def test_the_statements_of_a_drawing_may_come_in_another_order(order: list[str]) -> None:
    text = "What is the area of this triangle? [asy] pair A=(0,0), B=(4,0), C=(0,{}); {} [/asy]"
    item = text.format(3, "draw(A--B); draw(B--C); fill(C--A--B--cycle); dot(C);")
    assert is_leak(text.format(3, " ".join(order)), item)
    assert not is_leak(text.format(5, " ".join(order)), item)
    swapped = text.replace("(4,0)", "(0,4)").replace("(0,{})", "({},0)")
    assert not is_leak(swapped.format(3, " ".join(order)), item)


def test_other_numbers_in_the_place_of_a_drawing_make_another_problem() -> None:
    asked = (
        r"The equation of the ellipse{} can be written as \[\frac{{(x - h)^2}}{{a^2}} + "
        r"\frac{{(y - k)^2}}{{b^2}} = 1.\] Find $h + k + a + b$. {}"
    )
    item = asked.format(" shown below", DRAWN)
    own = "An ellipse has the foci $F = (0, 1)$ and $G = (4, 1)$, and $PF + PG = 6$. "
    assert class_of(asked.format(" shown", ""), item) in ("contained", "rephrase")
    assert not is_leak(own + asked.format("", ""), item)


# Pairs of different problems at the border of a rule.
DIFFERENT = {
    "a place with an object": (
        "Let $f(x) = x^2 - 5x + 6$. Find the projection of the part of the graph {} the line "
        "$y = 2$.",
        "above",
        "on",
    ),
    "an answer in a story": (
        "Ana throws a die 12 times and guesses each question of a quiz of 30, leaving the answer "
        "blank if the die shows an {} value. How many guesses does she make?",
        "odd",
        "even",
    ),
    "all of one kind": (
        "A box has 6 red cards and 9 blue ones. All {}cards with a number are given to Ann, who "
        "gives 3 away. How many red ones has she?",
        "6 ",
        "",
    ),
    "a value of zero": (
        "The polynomials $p$ and $q$ have degree 5, {} but $pq$ has 7 roots. How many are double?",
        "$p(2) = 0$ and $q(3) = 0$",
        "$p(2)$ and $q(3)$ are equal",
    ),
    "a product and a list": (
        "The positive {} written down by Ann. What is the last digit?",
        "integers $3, \\ldots, 99$ are",
        "integer $3 \\cdot \\ldots \\cdot 99$ is",
    ),
    "a number after a contest": (
        "In the AMC {} students scored 5 and 80 scored 7. Find the mean score of these students.",
        "120",
        "150",
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_says_something_is_not_left_out(name: str) -> None:
    check_border(*DIFFERENT[name])
