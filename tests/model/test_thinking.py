"""Thinking and answer are separated, whichever marks are missing, repeated or cut."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathledger.model import thinking
from mathledger.model.thinking import FORMS, Parts, split
from tests.model.families import FAMILIES, tokenizer

TAGS = [form for form in FORMS if form.opens == re.escape(form.tokens[0])]
BY_MARK = {form.tokens[0]: form for form in FORMS}
HARMONY, GEMMA = BY_MARK["<|channel|>"], BY_MARK["<|channel>"]
WORDS = st.text("abc 37+=\n", max_size=12)


@pytest.mark.parametrize("form", TAGS, ids=lambda form: form.tokens[0])
@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("It is 7.", None, "It is 7."),
        ("(3 + 4)It is 7.", "3 + 4", "It is 7."),
        ("\n(\n3 + 4\n)\n\nIt is 7.", "3 + 4", "It is 7."),
        ("()It is 7.", "", "It is 7."),
        ("(3 + 4 is", "3 + 4 is", ""),  # cut
        ("(", "", ""),
        ("3 + 4)It is 7.", "3 + 4", "It is 7."),  # opened by a template that we do not see
        ("(a(b)It is 7.", "a(b", "It is 7."),  # opened again
        ("(a)b)It is 7.", "a\n\nb", "It is 7."),
        ("(a)It is (b)7.", "a\n\nb", "It is 7."),  # thinks again before it goes on
        ("(a)It is 7.(b", "a\n\nb", "It is 7."),
    ],
)
def test_tags(form: thinking.Form, text: str, thought: str | None, answer: str) -> None:
    marks = {"(": form.tokens[0], ")": form.tokens[1]}
    table = str.maketrans(marks)
    expected = thought.translate(table) if thought else thought
    assert split(text.translate(table), "", [form]) == Parts(expected, answer)


@pytest.mark.parametrize("form", TAGS, ids=lambda form: form.tokens[0])
@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("3 + 4)It is 7.", "3 + 4", "It is 7."),
        ("3 + 4 is", "3 + 4 is", ""),  # cut
        ("(3 + 4)It is 7.", "(3 + 4", "It is 7."),  # opened once more by the model
        ("", "", ""),
    ],
)
def test_a_prompt_may_open_the_thinking(
    form: thinking.Form, text: str, thought: str, answer: str
) -> None:
    table = str.maketrans({"(": form.tokens[0], ")": form.tokens[1]})
    prompt = f"<|im_start|>assistant\n{form.tokens[0]}\n"
    found = split(text.translate(table), prompt, [form])
    assert found == Parts(thought.translate(table), answer)
    closed = f"{prompt}\n{form.tokens[1]}\n\n"  # thinking is switched off
    assert split("It is 7.", closed, [form]) == Parts(None, "It is 7.")


FINAL = "<|start|>assistant<|channel|>final<|message|>"


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        (f"<|channel|>analysis<|message|>3 + 4<|end|>{FINAL}7<|return|>", "3 + 4", "7"),
        (f"<|channel|>analysis<|message|>3 + 4<|end|>{FINAL}It is", "3 + 4", "It is"),
        ("<|channel|>analysis<|message|>3 + 4", "3 + 4", ""),
        ("<|channel|>analysis<|message|>3 + 4<|end|>", "3 + 4", ""),
        ("<|channel|>final<|message|>It is 7.<|end|>", None, "It is 7."),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary"
            f"<|message|>b<|end|>{FINAL}It is 7.",
            "a\n\nb",
            "It is 7.",
        ),
    ],
)  # fmt: skip
def test_harmony(text: str, thought: str | None, answer: str) -> None:
    assert split(text, "<|start|>assistant", [HARMONY]) == Parts(thought, answer)


def test_gemma() -> None:
    assert split("<|channel>thought\n3 + 4<channel|>7", "", [GEMMA]) == Parts("3 + 4", "7")
    assert split("<|channel>thought\n3 +", "<|turn>model\n", [GEMMA]) == Parts("3 +", "")


def test_marks_of_other_models_are_text() -> None:
    assert split("So <think> is a tag.", "", []) == Parts(None, "So <think> is a tag.")
    assert split("a </think> b", "", []) == Parts(None, "a </think> b")
    # A model that was fine-tuned on marked solutions has no such token.
    assert split("<think>a</think>b", "", []) == Parts("a", "b")


@given(st.lists(WORDS | st.sampled_from(["<think>", "</think>"]), max_size=9), st.booleans())
def test_no_text_is_lost_or_doubled(pieces: list[str], is_open: bool) -> None:
    text = "".join(pieces)
    found = split(text, "<think>" if is_open else "", [BY_MARK["<think>"]])
    both = (found.thinking or "") + found.answer
    marks = re.compile("</?think>|\\s")
    assert sorted(marks.sub("", both)) == sorted(marks.sub("", text))
    if "think>" not in text and not is_open:
        assert found == Parts(None, text)
    if found.thinking is not None:
        last = max(text.rfind("<think>"), -1)
        is_cut = "</think>" not in text[last + 1 :] and (is_open or last >= 0)
        assert is_cut or found.answer.endswith(text.rsplit("</think>", 1)[-1].strip())
        assert "<think>" not in found.answer and "</think>" not in found.answer


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "marks"), [("qwen3", ["<think>"]), ("r1", ["<think>"]), ("phi4", []), ("chatml", [])]
)
def test_a_models_marks_are_those_of_its_tokenizer(name: str, marks: list[str]) -> None:
    family = next(each for each in FAMILIES if each.name == name)
    known = tokenizer(family)
    assert [form.tokens[0] for form in thinking.forms_of(known)] == marks
    assert not thinking.control_ids(known)
    template = replace(family, template="{{ '[THINK]' }}" + family.template)
    assert "[THINK]" in [form.tokens[0] for form in thinking.forms_of(tokenizer(template))]


@pytest.mark.slow
def test_control_tokens_that_mark_thinking_stay_in_the_text() -> None:
    from mathledger.model.generated import read_tokens

    family = next(each for each in FAMILIES if each.name == "chatml")
    special = [*family.special, *HARMONY.tokens]
    known = tokenizer(replace(family, special=special))
    kept = thinking.control_ids(known)
    assert kept == set(known.convert_tokens_to_ids(list(HARMONY.tokens)))
    text = f"<|channel|>analysis<|message|>3 + 4<|end|>{FINAL}It is 7."
    ids = known(text + "<|im_end|><|endoftext|>", add_special_tokens=False)["input_ids"]
    assert read_tokens(ids, {known.eos_token_id}, [], known, kept)[0] == text
    shown = read_tokens(ids, {known.eos_token_id}, [], known)[0]
    assert shown == "analysis3 + 4assistantfinalIt is 7."
