"""Grades follow the conformance file, fit the benchmarks' answers and survive hostile responses."""

import importlib.metadata
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest

from mathledger.grading import extraction, grades
from mathledger.grading.judges import Judges
from tests import real_data, samples
from tests.grading import measure

NUM_PARTS = 5  # of the conformance file; `make quick` takes the first
CASES = [json.loads(line) for line in Path("tests/grading/cases.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, NUM_PARTS))]
)
def test_every_conformance_case_gets_its_verdict(part: int, judges: Judges) -> None:
    cases = CASES[part::NUM_PARTS]
    graded = measure.grade(cases, judges)
    wrong = [
        (case, grade)
        for case, grade in zip(cases, graded, strict=True)
        if case["verdict"] != grade.verdict
    ]
    assert not wrong


def test_the_conformance_file_holds_right_and_wrong_answers_of_every_type() -> None:
    """No id and no question occurs twice, and each case has a source."""
    verdicts = defaultdict(set)
    for case in CASES:
        verdicts[case["answer_type"]].add(case["verdict"])
        assert case["source"]
    assert set(verdicts) == set(get_args(grades.AnswerType))
    assert all({"correct", "wrong"} <= seen for seen in verdicts.values())
    assert len({case["id"] for case in CASES}) == len(CASES)
    asked = {(case["answer_type"], case["reference"], case["response"]) for case in CASES}
    assert len(asked) == len(CASES)


def same_by_math_verify(answer: str, other: str) -> bool:
    from math_verify import parse, verify

    return bool(verify(parse(f"${answer}$"), parse(f"${other}$")))


def expect_own_answer_alone(answers: list[str], answer_type: str) -> None:
    """In a box and in plain forms an answer equals itself, but not the next different answer."""
    answers = sorted(set(answers))
    forms = ("So it is $\\boxed{%s}$.", "The answer is %s.", "Therefore $%s$.")
    for answer, other in zip(answers, [*answers[1:], answers[0]], strict=True):
        for form in forms:
            assert grades.grade(form % answer, answer, answer_type).verdict == "correct", answer
        if not same_by_math_verify(answer, other):
            assert grades.grade(forms[0] % other, answer, answer_type).verdict == "wrong", answer


@pytest.mark.slow
@pytest.mark.parametrize("answer_type", ["integer", "number", "expression"])
def test_a_reference_of_the_conformance_file_equals_itself_and_no_other(answer_type: str) -> None:
    cases = [case for case in CASES if case["answer_type"] == answer_type]
    expect_own_answer_alone([case["reference"] for case in cases], answer_type)


def test_the_answers_of_our_sample_benchmarks_equal_themselves_and_no_other() -> None:
    expect_own_answer_alone([row[2] for row in samples.MATH500], "expression")
    expect_own_answer_alone([answer for _, _, answer in samples.GSM8K_TEST], "integer")
    expect_own_answer_alone([f"{answer:03}" for _, answer in samples.CONTEST], "integer")
    expect_own_answer_alone([str(answer) for _, answer in samples.AMC_ITEMS], "number")


def published_answers(name: str) -> list[str]:
    """Return the reference answers as the publisher wrote them."""
    root = real_data.DATASETS
    if name == "gsm8k":
        solutions = pq.read_table(root / "openai/gsm8k/main/test-00000-of-00001.parquet")["answer"]
        return [each.rpartition("####")[2].strip() for each in solutions.to_pylist()]
    file = {
        "math500": "HuggingFaceH4/MATH-500/test.jsonl",
        "aime25": "math-ai/aime25/test.jsonl",
        "aime24": "HuggingFaceH4/aime_2024/data/train-00000-of-00001.parquet",
        "amc12": "AI-MO/aimo-validation-amc/data/train-00000-of-00001.parquet",
    }[name]
    if file.endswith(".jsonl"):
        rows: list[Any] = [json.loads(line) for line in (root / file).read_text().splitlines()]
    else:
        rows = pq.read_table(root / file).to_pylist()
    return [str(row["answer"]) for row in rows]


PUBLISHED = {
    "math500": ("expression", 500),
    "gsm8k": ("number", 1319),
    "aime24": ("integer", 30),
    "aime25": ("integer", 30),
    "amc12": ("integer", 83),
}


@pytest.mark.slow
@real_data.needs(real_data.HUB, "the grader on all 1,962 answers of five published benchmarks")
def test_a_published_answer_equals_itself_and_no_other() -> None:
    for name, (answer_type, num_items) in PUBLISHED.items():
        answers = published_answers(name)
        assert len(answers) == num_items
        expect_own_answer_alone(answers, answer_type)


N = 100_000
HOSTILE = {
    "spaces after answer": "answer" + " " * N,
    "spaces after hashes": "####" + " " * N,
    "newlines": "\n" * N,
    "statements": "answer:" * (N // 7),
    "problems after an answer": "the answer is 5" + "\nQ: " * (N // 4),
    "tags": "<answer>" * (N // 8) + "<" * N,
    "dollars": "$" * N,
    "open formulas": "\\[" * (N // 2),
    "open boxes": "\\boxed{" * (N // 7),
    "boxes far apart": "\\boxed{1}" + " " * N + "\\boxed{2}",
    "many boxes": "\\boxed{1}, " * (N // 11),
    "nested braces": "\\boxed{" + "{" * 1000 + "5" + "}" * 1000 + "}",
    "nested brackets": "\\boxed{" + "(" * 450 + "5" + ")" * 450 + "}",
    "words and a bracket": "\\boxed{5" + "a" * 980 + "!}",
    "fractions": "\\boxed{" + "\\frac{" * 160 + "}",
    "text in text": "\\boxed{" + "\\text{" * 130 + "}" * 130 + "}",
    "a set of sets": "\\boxed{\\{" + ",".join(f"\\{{{each}\\}}" for each in range(120)) + "\\}}",
    "equals signs": "\\boxed{" + "=x" * 490 + "}",
    "lone surrogates": "\ud800" * N,
    "NUL bytes": "\x00" * N,
    "numbers": "7 " * (N // 2),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_response_is_read_and_settled_in_a_moment(name: str) -> None:
    """The parent process settles or rejects a response quickly before it asks a judge."""
    for answer_type in get_args(grades.AnswerType):
        start = time.process_time()
        extracted = extraction.extract(HOSTILE[name], answer_type, is_list=True)
        grades.settle(extracted, "5, 6", answer_type)
        assert time.process_time() - start < 2, answer_type


def test_the_version_names_the_library_in_use() -> None:
    """An update of math-verify must not pass as the same grader."""
    assert grades.VERSION.endswith(f"/math-verify-{importlib.metadata.version('math-verify')}")


def test_an_unknown_answer_type_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown answer type 'numeric'; use one of integer"):
        grades.grade("5", "5", "numeric")
