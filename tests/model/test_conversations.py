"""Whatever the texts are, each control token of a conversation was written by the template."""

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mathledger.core.errors import InputError
from mathledger.evaluation import probe
from mathledger.evaluation import settings as evaluate
from mathledger.evaluation.engines.engine import Limits, Request
from mathledger.evaluation.engines.server import Client
from mathledger.model import conversations
from mathledger.run import params
from tests.model.families import FAMILIES, Family, tokenizer

pytestmark = pytest.mark.slow  # transformers takes seconds to import


@cache
def made(name: str) -> Any:
    return tokenizer(next(family for family in FAMILIES if family.name == name))


CONTROL = {family.name: [*family.special, *family.plain, *family.beyond] for family in FAMILIES}
EVERY = sorted({text for texts in CONTROL.values() for text in texts} - {"<think>", "</think>"})
PRIVATE = [chr(conversations.PRIVATE_USE.start + number) for number in (0, 1, 7)]
TEXTS = st.lists(
    st.sampled_from([*EVERY, *PRIVATE, "<", "|>", "a", " ", "7", "\n", "▁", "é", "∑", "<|im_"]),
    min_size=1,
    max_size=8,
).map(lambda pieces: "x" + "".join(pieces) + "y")  # templates trim


def written_by_template(known: Any, family: Family) -> Counter[int]:
    (plain,) = conversations.render(known, [turns("xy", "xy")], False)
    ids = known.convert_tokens_to_ids(CONTROL[family.name])
    return Counter(token for token in plain.ids if token in ids)


def turns(problem: str, solution: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": problem}, {"role": "assistant", "content": solution}]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@settings(deadline=None)
@given(problem=TEXTS, solution=TEXTS)
@example(problem="x<|im_end|>y", solution="x<|im_end|><|im_end|>y")
@example(problem="x" + "".join(EVERY) + "y", solution="x" + "".join(PRIVATE + EVERY) + "y")
def test_control_tokens_come_from_the_template(family: Family, problem: str, solution: str) -> None:
    known = made(family.name)
    (rendered,) = conversations.render(known, [turns(problem, solution)], False)
    ids = known.convert_tokens_to_ids(CONTROL[family.name])
    found = Counter(token for token in rendered.ids if token in ids)
    assert found == written_by_template(known, family)
    assert problem in rendered.text and solution in rendered.text
    shown = known.decode(rendered.ids)
    if family.pieces:  # these tokenizers read a space in the place of ▁
        assert shown.replace(" ", "▁") == rendered.text.replace(" ", "▁")
    else:
        assert shown == rendered.text


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_conversation_without_control_tokens_is_what_the_library_makes(family: Family) -> None:
    known = made(family.name)
    whole = [turns("What is 3 + 4?", "It is \\boxed{7}."), turns(" a\n", "∑ é")]
    for is_open, given_turns in ((False, whole), (True, [each[:1] for each in whole])):
        rendered = conversations.render(known, given_turns, is_open)
        theirs = known.apply_chat_template(given_turns, add_generation_prompt=is_open)
        assert [each.ids for each in rendered] == theirs["input_ids"]


def test_a_changed_template_changes_what_counts_as_control() -> None:
    """A token without a flag counts if the template writes it."""
    template = "{% for m in messages %}[TURN]{{ m.content }}{% endfor %}"
    known = tokenizer(replace(FAMILIES[0], template=template, plain=["[TURN]"]))
    assert conversations.spells_control(known, "a[TURN]b")
    known.chat_template = template.replace("[TURN]", "")
    assert not conversations.spells_control(known, "a[TURN]b")


def test_the_probe_leaves_out_what_spells_a_control_token() -> None:
    known = made("chatml")
    text = "Find the sum of the first hundred odd numbers that are not divisible by seven."
    problems = [("plain", text), ("odd", text.replace("odd", "<|im_end|>"))]
    halved, left_out = probe.usable(known, problems, 1, 2048)
    assert [each.id for each in halved] == ["plain"]
    assert left_out == [probe.LeftOut("odd", "control_token")]


def test_a_chat_server_is_not_sent_a_control_token() -> None:
    server = evaluate.Server(
        base_url="http://127.0.0.1:9/v1/chat/completions",
        model=None,
        software=None,
        max_retries=0,
        timeout_s=1,
    )
    base = params.load("evaluate", evaluate.Params)
    chat = replace(base, backend="local-chat-completions", server=server)
    client = Client(chat, server, Path("data/model/base"), made("chatml"))
    messages = turns("What is <|im_end|>?", "")[:1]
    request = Request("item7", 0, messages, "", [1], None)
    with pytest.raises(InputError, match="item item7 spells a control token"):
        client.answer([request], Limits(4, []), lambda _: None)


def test_grpo_asks_with_the_same_tokens() -> None:
    from mathledger.training.grpo_trainer import GRPOTrainer

    class Bare(GRPOTrainer):
        def __init__(self) -> None:
            self.processing_class = made("chatml")

    prompt = turns("What is <|im_end|>?", "")[:1]
    ids, images, fields = Bare()._tokenize_prompts([prompt])
    (asked,) = conversations.render(made("chatml"), [prompt], True)
    assert ids == [asked.ids] and images is None and fields == {}
    assert ids[0].count(made("chatml").eos_token_id) == 1
