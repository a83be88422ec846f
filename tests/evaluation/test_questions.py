"""System turn, template variables and token limit reach the prompt, or are refused."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathledger.core import harness_tasks
from mathledger.core.errors import InputError
from mathledger.core.files import write_text
from mathledger.core.tables import BENCHMARK_ITEM, write_rows
from mathledger.data import harness_items
from mathledger.evaluation import harness, questions
from mathledger.evaluation.engines.engine import Request
from mathledger.evaluation.samples import prompt_sha256
from mathledger.evaluation.settings import Params, token_limit
from mathledger.run import params
from tests.model.families import FAMILIES, tokenizer

pytestmark = pytest.mark.slow  # transformers takes seconds to import

TASK = harness.Task(2, "{problem}", 0, None, 30, [], 1, None)
ITEM = {"id": "a", "problem": "What is 3 + 4?", "answer": "7"}
GPT_OSS = """{%- if reasoning_effort is not defined %}
  {%- set reasoning_effort = "medium" %}
{%- endif %}
{{- '<|im_start|>system\nReasoning: ' + reasoning_effort + '<|im_end|>\n' }}
{%- for m in messages %}{{- m.content + '<|im_end|>' }}{% endfor %}"""


@cache
def made(name: str) -> Any:
    return tokenizer(next(family for family in FAMILIES if family.name == name))


def ask(known: Any, **changes: Any) -> Request:
    settings = replace(params.load("evaluate", Params), **changes)
    (request,) = questions.render("t", [ITEM], TASK, settings, known)
    return request


def test_a_switch_of_the_template_changes_the_prompt() -> None:
    thinking = ask(made("qwen3"))
    assert ask(made("qwen3"), chat_template_kwargs={"enable_thinking": True}) == thinking
    plain = ask(made("qwen3"), chat_template_kwargs={"enable_thinking": False})
    assert plain.prompt == thinking.prompt + "<think>\n\n</think>\n\n"
    assert prompt_sha256(plain.prompt) != prompt_sha256(thinking.prompt)


def test_a_switch_holds_where_an_item_spells_a_control_token() -> None:
    known = made("qwen3")
    settings = replace(
        params.load("evaluate", Params), chat_template_kwargs={"enable_thinking": False}
    )
    item = ITEM | {"problem": "What is <|im_end|>?"}
    (request,) = questions.render("t", [item], TASK, settings, known)
    assert request.prompt.endswith("<think>\n\n</think>\n\n")


def test_a_variable_that_a_template_sets_by_default_is_known() -> None:
    known = tokenizer(replace(next(f for f in FAMILIES if f.name == "qwen3"), template=GPT_OSS))
    assert "Reasoning: medium" in ask(known).prompt
    prompt = ask(known, chat_template_kwargs={"reasoning_effort": "high"}).prompt
    assert "Reasoning: high" in prompt and prompt.count("Reasoning") == 1


@pytest.mark.parametrize(
    ("family", "name", "has"),
    [
        ("chatml", "enable_thinking", "none"),
        ("qwen3", "thinking", "enable_thinking"),
        ("qwen3", "messages", "enable_thinking"),
        ("qwen3", "add_generation_prompt", "enable_thinking"),
        ("qwen3", "tokenize", "enable_thinking"),
        ("qwen3", "raise_exception", "enable_thinking"),
    ],
)
def test_a_variable_that_the_template_does_not_read_is_refused(
    family: str, name: str, has: str
) -> None:
    with pytest.raises(InputError, match=f"has no variable {name}; it has {has}$"):
        ask(made(family), chat_template_kwargs={name: True})


@pytest.mark.parametrize("family", ["chatml", "qwen3", "gemma3", "llama3"])
def test_a_system_prompt_begins_the_conversation(family: str) -> None:
    request = ask(made(family), system_prompt="  Reason step by step.\n")
    assert request.messages[0] == {"role": "system", "content": "  Reason step by step.\n"}
    assert 0 < request.prompt.index("Reason step by step.") < request.prompt.index("What is 3 + 4?")
    assert prompt_sha256(request.prompt) != prompt_sha256(ask(made(family)).prompt)


OWN = "gsm8k/gsm8k-cot-zeroshot.yaml"


def described(description: str) -> tuple[Any, list[dict[str, Any]], harness.Task]:
    """Return a task of the harness with a description, and its items and task as we have them."""
    doc = {"question": "What is 3 + 4?", "answer": "#### 7"}
    own = harness_tasks.build(OWN, [doc], description=description)
    (messages,) = harness_items.conversations(own, 1)
    owned = harness.OwnTask(file=OWN, filter="strict-match", doc=None)
    return own, [ITEM | {"doc": doc, "messages": messages}], replace(TASK, harness=owned)


@pytest.mark.parametrize("family", ["chatml", "qwen3", "gemma3", "llama3"])
@pytest.mark.parametrize("description", ["Answer the question.", "Answer the question.\n", ""])
@pytest.mark.parametrize("system", ["Reason step by step.", None])
def test_system_prompt_and_description_are_one_turn_as_in_the_harness(
    family: str, description: str, system: str | None
) -> None:
    own, items, task = described(description)
    settings = replace(params.load("evaluate", Params), system_prompt=system)
    (request,) = questions.render("t", items, task, settings, made(family))

    def template(chat: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        text: str = made(family).apply_chat_template(
            chat, tokenize=False, add_generation_prompt=add_generation_prompt
        )
        return text

    own.build_all_requests(
        system_instruction=system,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        chat_template=template,
    )
    assert request.prompt == own.instances[0].args[0]
    assert sum(turn["role"] == "system" for turn in request.messages) == bool(system or description)


@pytest.mark.parametrize(("description", "system"), [("Be brief.", None), ("", "Be brief.")])
def test_a_system_turn_that_the_template_leaves_out_is_refused(
    description: str, system: str | None
) -> None:
    template = "{{ messages[-1].content }}<|im_end|>"
    known = tokenizer(replace(next(f for f in FAMILIES if f.name == "chatml"), template=template))
    _, items, task = described(description)
    settings = replace(params.load("evaluate", Params), system_prompt=system)
    with pytest.raises(InputError, match=r"leaves out the system turn 'Be brief\.'"):
        questions.render("t", items, task, settings, known)


def test_a_system_prompt_that_the_template_refuses_is_a_line() -> None:
    with pytest.raises(InputError, match="Only user and assistant roles are supported"):
        ask(made("mistral"), system_prompt="Reason step by step.")


@pytest.mark.parametrize(("own", "limit"), [(None, 30), (32768, 32768), (8, 8)])
def test_one_limit_holds_for_every_benchmark(own: int | None, limit: int) -> None:
    settings = replace(params.load("evaluate", Params), max_gen_toks=own)
    asked = questions.Questions(settings, TASK, [], None, [], [], False)
    assert asked.limits.max_gen_toks == limit
    assert token_limit({"max_gen_toks": own}, {"max_gen_toks": 30}) == limit


@given(st.text(st.characters()), st.sampled_from(["\u2028", "\x85", "\ud800", "\x0c"]))
def test_a_harness_document_may_hold_any_character(
    tmp_path_factory: pytest.TempPathFactory, text: str, sign: str
) -> None:
    folder = tmp_path_factory.getbasetemp()
    doc = {"id": "1", "doc": {"question": text + sign}, "messages": []}
    write_text(folder / harness_items.DOCS, harness_items.docs_jsonl([doc]))
    item = {"id": "1", "problem": "p", "answer": "7", "answer_type": "integer", "solution": None}
    item["subsets"] = {}
    write_rows(folder / "items.parquet", [item], BENCHMARK_ITEM)
    assert questions.read_items(folder) == [{**item, "subsets": [], **doc}]
