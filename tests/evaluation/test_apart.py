"""The grader sees the answer alone, and the tokens of thinking and answer add up."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from mathledger.evaluation.apart import thinking_apart
from mathledger.evaluation.engines.engine import Request, Response, fault
from mathledger.evaluation.samples import grade_responses
from mathledger.model.thinking import FORMS
from tests.model.families import FAMILIES, tokenizer

pytestmark = pytest.mark.slow  # transformers takes seconds to import
ITEM = {"id": "a", "problem": "3 + 4", "answer": "7", "answer_type": "integer"}


@cache
def made() -> Any:
    return tokenizer(next(family for family in FAMILIES if family.name == "qwen3"))


def apart(text: str, prompt: str = "", known: Any = None, **changed: Any) -> Response:
    count = len(made()(text, add_special_tokens=False)["input_ids"]) + 1
    raw = Response(text, changed.pop("num_tokens", count), "stop", 0.1, **changed)
    (found,) = thinking_apart([raw], [Request("a", 0, [], prompt, [], None)], known or made())
    assert fault(found) is None
    return found


@pytest.mark.parametrize(
    ("text", "prompt", "verdict"),
    [
        ("<think>I guess \\boxed{8}.</think>\\boxed{7}", "", "correct"),
        ("<think>It is \\boxed{7}.</think>\\boxed{8}", "", "wrong"),
        ("<think>It is \\boxed{7}.</think>I do not know", "", "no_answer"),
        ("<think>It is \\boxed{7}. But wait", "", "no_answer"),
        ("It is \\boxed{7}. But wait", "assistant\n<think>\n", "no_answer"),
        ("It is \\boxed{8}.</think>\\boxed{7}", "assistant\n<think>\n", "correct"),
        ("It is \\boxed{7}.", "assistant\n<think>\n\n</think>\n\n", "correct"),
    ],
)
def test_only_the_answer_is_graded(text: str, prompt: str, verdict: str) -> None:
    found = apart(text, prompt)
    request = Request("a", 0, [], prompt, [], None)
    (row,) = grade_responses([request], {request.key: found}, [ITEM], None)
    assert row["verdict"] == verdict
    assert (row["thinking"], row["num_thinking_tokens"]) == (
        found.thinking,
        found.num_thinking_tokens,
    )
    again = Response(
        row["response"], row["num_tokens"], row["finish_reason"], 0.0, row["thinking"],
        row["num_thinking_tokens"],
    )  # fmt: skip
    assert grade_responses([request], {request.key: again}, [ITEM], None) == [row]


def test_marks_around_an_answer_without_thinking_are_left_out() -> None:
    marked = "<|start|>assistant<|channel|>final<|message|>It is 7.<|return|>"
    family = next(family for family in FAMILIES if family.name == "chatml")
    special = [*family.special, *FORMS[-1].tokens]
    found = apart(marked, known=tokenizer(replace(family, special=special)))
    assert (found.text, found.thinking) == ("It is 7.", None)


def test_tokens_of_thinking_and_answer_add_up() -> None:
    assert apart("It is 7.").num_thinking_tokens is None
    found = apart("<think>3 + 4</think>It is 7.")
    # One token for each byte and mark, and the end of turn.
    assert (found.num_tokens, found.num_thinking_tokens) == (16, 8)
    cut = apart("<think>3 + 4")
    assert cut.num_thinking_tokens == cut.num_tokens


def test_a_server_may_have_put_them_apart() -> None:
    found = apart("It is 7.", "assistant\n<think>\n", thinking="3 + 4", num_tokens=20)
    assert (found.text, found.thinking) == ("It is 7.", "3 + 4")
    assert found.num_thinking_tokens == 12
    (unknown,) = thinking_apart(
        [Response("It is 7.", 20, "stop", 0.1, "3 + 4", 11)],
        [Request("a", 0, [], "[]", [], None)],
        None,
    )
    assert (unknown.text, unknown.num_thinking_tokens) == ("It is 7.", 11)
