"""The final answer of a solution is found in the forms that real corpora use."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mathledger.grading import solutions
from mathledger.grading.boxes import find_boxes
from tests import real_data, samples


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\boxed{1} so \boxed {\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\fbox{3}", "3"),
        (r"our answer is $\boxed 9$.", "9"),
        (r"$\boxed{\left\{1,2\right.}$", r"\left\{1,2\right."),
        (r"\boxed{\text{around } \boxed{7}}", "7"),
        (r"a text escaped twice: \\boxed{12}", "12"),
        ("\\boxed{1}\n#### 3\n\\boxed{2}", "2"),
        ("\\boxed{}\n#### 3", "3"),
        (r"\boxed{$x$.}", "x"),
        ("so\n#### 1,250\n", "1250"),
        ("#### 3\nor rather\n#### 4", "4"),
        ("The answer is 17.", "17"),
        ("The answer is .5", ".5"),
        ("the final answer is: $\\frac{1}{2}$.", r"\frac{1}{2}"),
        ("**Answer:** 3/4", "3/4"),
        ("So the answer is 12 more apples.", "12 more apples"),
        (r"so the answer is \(x^2\)", "x^2"),
        ("The answer is (B).", "(B)"),
        (r"which is $\textbf{(C)}$.", "C"),
        (r"$=48 \Rightarrow D$.", "D"),
        (r"$9\ \mathrm{(D)}$.", "D"),
        ("The answer is found by adding.", None),
        ("The answer is 3, which we double to get the sum of all", None),
        ("AB + CD", None),
        (r"\boxedname{3}", None),
        ("", None),
    ],
)
def test_final_answer(text: str, expected: str | None) -> None:
    assert solutions.final_answers(pa.array([text])).to_pylist() == [expected]


def test_each_text_has_its_own_answer() -> None:
    texts = pa.array([r"\boxed{4", "no", "#### 1", r"\boxed{2} \boxed{3}", "The answer is 4."])
    assert solutions.final_answers(texts).to_pylist() == [None, None, "1", "3", "4"]
    assert solutions.final_answers(texts[3:]).to_pylist() == ["3", "4"]
    assert solutions.final_answers(texts[:0]).to_pylist() == []


def test_boxes_know_their_place() -> None:
    texts = ["é \\boxed{1} \\boxed{ 2 }", "none", "\\boxed{3} \\boxed{4"]
    found = find_boxes(pa.array(texts))
    assert found.rows.tolist() == [0, 0, 2]
    assert found.contents.to_pylist() == ["1", "2", "3"]
    assert found.is_cut.tolist() == [False, False, True]
    for row, begin, content in zip(found.rows, found.begins, found.contents, strict=True):
        assert texts[row].encode()[begin:].decode().strip().startswith(content.as_py())


def test_a_text_of_nothing_but_boxes_takes_no_longer_than_any_other() -> None:
    """With 100,000 nested boxes, searching for the end of each one would take quadratic time."""
    texts = pa.array(["\\boxed{" * 100_000, "\\boxed{" * 100_000 + "1" + "}" * 100_000])
    assert find_boxes(texts).is_cut.tolist() == [True, False]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1,250", "1250"),
        ("-1{,}250{,}000.5", "-1250000.5"),
        (r"12\,345", "12345"),
        ("(1,250)", "(1,250)"),
        ("1,25", "1,25"),
        (r"\$5.", r"\$5"),
        (r" $\(3\)$ ", "3"),
    ],
)
def test_canonical(answer: str, expected: str) -> None:
    assert solutions.canonical(pa.array([answer, None])).to_pylist() == [expected, None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"The answer is $\boxed{3}$. Thus the answer is: $\boxed{4}$.", ("3", "4")),
        (r"\boxed{3}. Wait, that is wrong. \boxed{4}", ("3", "4")),
        (r"The answer is \boxed{A}. The answer is \boxed{(B)}", ("A", "(B)")),
        (r"The answer is \boxed{1/2}. The answer is \boxed{0.5}", None),
        (r"The answer is \boxed{3.14}. The answer is \boxed{22/7}", None),
        (r"The answer is \boxed{24}. The answer is \boxed{(B)}", None),
        (r"The answer to (a) is \boxed{3}, the answer to (b) is \boxed{4}", None),
        (r"The roots are \boxed{3} and \boxed{4}.", None),
        (r"In the first case \boxed{3}; in the second \boxed{4}", None),
    ],
)
def test_parts_of_an_answer_do_not_contradict_one_another(
    text: str, expected: tuple[str, str] | None
) -> None:
    found = find_boxes(pa.array([text]))
    assert (
        solutions.contradiction(text, found.contents.to_pylist(), found.begins.tolist()) == expected
    )


def test_the_answer_read_in_our_sample_solutions_is_the_stated_one() -> None:
    """The samples have boxes, fractions, intervals, and `####` after a calculator's notes."""
    rows = [*samples.GSM8K_TEST, *samples.GSM8K_TRAIN, *(row[:3] for row in samples.MATH500)]
    rows += samples.PLAIN
    read = solutions.final_answers(pa.array([solution for _, solution, _ in rows]))
    stated = solutions.canonical(pa.array([answer for _, _, answer in rows]))
    assert solutions.canonical(read).to_pylist() == stated.to_pylist()


@real_data.needs(real_data.HUB, "answers read in 7,576 published solutions")
def test_the_answer_read_in_a_published_solution_is_the_stated_one() -> None:
    path = "nvidia/OpenMathInstruct-2/data/train_1M-00000-of-00001.parquet"
    table = pq.read_table(real_data.DATASETS / path)
    stated = solutions.final_answers(table["generated_solution"].combine_chunks())
    reference = solutions.canonical(table["expected_answer"].combine_chunks())
    assert np.array_equal(stated.to_pylist(), reference.to_pylist())


def test_final_answer_prefers_the_last_box() -> None:
    assert solutions.final_answer("\\boxed{1}\n#### 3\n\\boxed{2}") == "2"
    assert solutions.final_answer("so\n#### 1,250\n") == "1250"
    assert solutions.final_answer("no answer") is None
