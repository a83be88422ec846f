"""A benchmark is posed in the harness's terms, and its verdicts are the harness's own."""

import dataclasses

import pytest

from mathledger.core.errors import InputError
from mathledger.evaluation import harness, questions
from mathledger.evaluation.engines.engine import Request, Response
from mathledger.evaluation.samples import grade_responses

TASK = harness.Task(1, "{problem}\nThink.", 0, None, 8, [], 1, None)
GSM8K = harness.OwnTask(
    "gsm8k/gsm8k.yaml", "flexible-extract", {"question": "problem", "answer": "solution"}
)
MATH = harness.OwnTask(
    "hendrycks_math/hendrycks_math500.yaml", "none", {"problem": "problem", "solution": "solution"}
)
AIME = harness.OwnTask("aime/aime24.yaml", "none", {"Problem": "problem", "Answer": "answer"})


def item(answer: str, solution: str) -> dict[str, str]:
    return {"id": "a", "problem": "1 + 1?", "answer": answer, "solution": solution}


def test_an_item_is_asked_in_one_turn_of_the_template() -> None:
    assert harness.turns("t", [item("2", "2"), {**item("3", "3"), "problem": "{x}?"}], TASK) == [
        [{"role": "user", "content": "1 + 1?\nThink."}],
        [{"role": "user", "content": "{x}?\nThink."}],
    ]


def test_examples_are_turns_before_the_item() -> None:
    samples = [harness.Example("0 + 0?", "So \\boxed{0}."), harness.Example("0 + 1?", "It is 1.")]
    task = dataclasses.replace(TASK, num_fewshot=2, fewshot_config=harness.Fewshot(samples))
    (turns,) = harness.turns("t", [item("2", "2")], task)
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2 + ["user"]
    assert turns[0]["content"] == "0 + 0?\nThink."
    assert turns[1]["content"].strip() == "So \\boxed{0}."
    assert turns[4]["content"] == "1 + 1?\nThink."


@pytest.mark.parametrize(
    ("example", "is_item"),
    [
        ("1 + 1?", True),
        ("  1+1 ? ", True),  # The filters' comparison: layout means nothing.
        ("$1 + 1$?", True),
        ("1 + 2?", False),
        ("1 - 1?", False),
    ],
)
def test_an_example_that_is_an_item_is_refused(example: str, is_item: bool) -> None:
    samples = [harness.Example("0 + 1?", "1"), harness.Example(example, "2")]
    task = dataclasses.replace(TASK, num_fewshot=2, fewshot_config=harness.Fewshot(samples))
    items = [{**item("9", "9"), "id": "b", "problem": "4 + 5?"}, item("2", "2")]
    turns = harness.turns("t", items, task)
    if is_item:
        with pytest.raises(InputError, match="item a is also example 2 of the prompt: remove it"):
            questions.expect_other_examples(items, turns)
    else:
        questions.expect_other_examples(items, turns)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_fewshot": 1}, "num_fewshot=1, but fewshot_config has 0"),
        ({"max_gen_toks": 0}, "at least 1"),
        ({"doc_to_text": "Solve it."}, "{problem} must be the template's only field"),
    ],
)
def test_a_task_that_cannot_be_asked_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TASK, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("own", "row", "response", "expected"),
    [
        (GSM8K, item("72", "x\n#### 72"), "It is 72.", True),
        (GSM8K, item("72", "x\n#### 72"), "It is \\boxed{72}, not 71", False),  # Last number.
        (AIME, item("25", "-"), "So \\boxed{25}", True),
        (AIME, item("25", "-"), "So \\boxed{025}", False),  # Compares strings.
        (MATH, item("\\frac12", "\\boxed{\\frac{1}{2}}"), "So $\\frac{1}{2}$", True),
        (MATH, item("\\frac12", "\\boxed{\\frac{1}{2}}"), "So \\boxed{\\frac{1}{2}}", False),
    ],
)
def test_the_harness_judges_by_its_own_rules(
    own: harness.OwnTask, row: dict[str, str], response: str, expected: bool
) -> None:
    assert harness.judge(own, [row], [response]) == [expected]


def test_only_the_equality_is_the_harnesss_if_it_reads_our_answer() -> None:
    said = ["So $x$ is \\boxed{\\frac12}.", "It costs $3, so \\boxed{0.5}", "no idea"]
    items = [{**item("\\frac12", "\\boxed{\\frac{1}{2}}"), "id": name} for name in "abc"]
    items = [{**each, "answer_type": "expression"} for each in items]
    requests = [Request(name, 0, [], "", [], None) for name in "abc"]
    found = {
        each.key: Response(text, 1, "stop", 0.0) for each, text in zip(requests, said, strict=True)
    }
    for own, expected in (
        (MATH, [False, False, False]),
        (dataclasses.replace(MATH, reads="answer"), [True, True, False]),
    ):
        rows = grade_responses(requests, found, items, own)
        assert [row["harness_correct"] for row in rows] == expected


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (dataclasses.replace(GSM8K, file="gsm9k.yaml"), "harness has no file gsm9k.yaml"),
        (
            dataclasses.replace(GSM8K, filter="strict"),
            "has no filter strict, only strict-match, flex",
        ),
        (dataclasses.replace(GSM8K, doc={"question": "text"}), "items have no column text"),
    ],
)
def test_a_task_that_the_harness_does_not_have_is_a_line(
    own: harness.OwnTask, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        harness.judge(own, [item("1", "1")], ["1"])
