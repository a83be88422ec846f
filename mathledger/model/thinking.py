"""Split a response into thinking and answer, by the marks of the model's family.

A mark counts if the model's vocabulary or chat template has it, or if the response begins with it:
a model that was fine-tuned on marked solutions writes plain text. Otherwise it is only text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PROMPT_END = 200  # characters at a prompt's end in which the template may open the thinking


@dataclass(frozen=True)
class Form:
    """How a family of models marks its thinking, as regular expressions."""

    opens: str
    closes: str
    tokens: tuple[str, ...]  # tokens in these marks; the vocabulary has the first of them
    others: str = "(?!)"  # marks around the answer
    # The opening mark may be in the prompt, so that a closing mark alone ends thinking.
    may_open_in_prompt: bool = True


def _tags(opens: str, closes: str) -> Form:
    return Form(re.escape(opens), re.escape(closes), (opens, closes))


FORMS = (
    _tags("<think>", "</think>"),  # Qwen3, DeepSeek-R1, Phi-4-reasoning, GLM-4.5, Nemotron, ...
    _tags("[THINK]", "[/THINK]"),  # Magistral since 1.1
    _tags("<thought>", "</thought>"),  # EXAONE Deep
    _tags("<thinking>", "</thinking>"),
    _tags("<reasoning>", "</reasoning>"),
    _tags("◁think▷", "◁/think▷"),  # Kimi-VL Thinking
    _tags("<seed:think>", "</seed:think>"),  # Seed-OSS
    # Gemma 4
    Form(r"<\|channel>thought\n?", r"<channel\|>", ("<|channel>", "<channel|>")),
    # gpt-oss, in OpenAI's harmony format
    Form(
        r"<\|channel\|>(?:analysis|commentary)[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>",
        r"<\|end\|>",
        ("<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|constrain|>", "<|return|>"),
        r"<\|start\|>assistant|<\|channel\|>final[^<]*<\|message\|>|<\|return\|>",
        may_open_in_prompt=False,
    ),
)


@dataclass(frozen=True)
class Parts:
    thinking: str | None  # null if the response has no mark of thinking
    answer: str


def forms_of(tokenizer: Any) -> list[Form]:
    """Return the forms that a model's vocabulary or chat template knows.

    Args:
        tokenizer: the model's; None if it is not known, which leaves every form possible.
    """
    if tokenizer is None:
        return list(FORMS)
    added, template = tokenizer.get_added_vocab(), str(tokenizer.chat_template)
    return [form for form in FORMS if form.tokens[0] in added or form.tokens[0] in template]


def control_ids(tokenizer: Any) -> frozenset[int]:
    """Return the ids of control tokens that mark thinking; decoding must not leave them out."""
    special = {
        token.content: id for id, token in tokenizer.added_tokens_decoder.items() if token.special
    }
    marks = [form.tokens for form in FORMS if form.tokens[0] in special]
    return frozenset(special[token] for tokens in marks for token in tokens if token in special)


def split(text: str, prompt: str, forms: Sequence[Form]) -> Parts:
    """Return thinking and answer of a response.

    Thinking that is not closed reaches to the end, so a response that was cut while thinking has
    no answer. A closing mark without an opening one ends thinking that began with the response.

    Args:
        prompt: the rendered prompt, which may open the thinking.
        forms: those that the model knows.

    >>> split("<think>3 + 4</think>It is 7.", "", FORMS)
    Parts(thinking='3 + 4', answer='It is 7.')
    >>> split("3 + 4 makes", "<|im_start|>assistant\\n<think>\\n", FORMS)
    Parts(thinking='3 + 4 makes', answer='')
    >>> split("It is 7.", "", FORMS)
    Parts(thinking=None, answer='It is 7.')
    """
    for form in FORMS:
        is_open = bool(re.search(rf"(?:{form.opens})\s*\Z", prompt[-PROMPT_END:]))
        if form in forms or re.match(rf"\s*(?:{form.opens})", text):
            marks = f"{form.opens}|{form.closes}|{form.others}"
            if is_open or re.search(marks, text):
                return _split_by(form, text, is_open)
    return Parts(None, text)


def _split_by(form: Form, text: str, is_open: bool) -> Parts:
    pattern = re.compile(f"(?P<opens>{form.opens})|(?P<closes>{form.closes})|(?:{form.others})")
    thinking: list[str] = []
    answer: list[str] = []
    is_thinking, has_thought, at = is_open, is_open, 0
    for mark in pattern.finditer(text):
        piece = text[at : mark.start()]
        if is_thinking and not mark["closes"]:
            continue  # a mark within thinking is a part of it
        at = mark.end()
        if is_thinking:
            thinking.append(piece)
        elif mark["closes"] and form.may_open_in_prompt:
            thinking += [*answer, piece]
            answer, has_thought = [], True
        else:
            answer.append(piece)
        is_thinking = bool(mark["opens"])
        has_thought |= is_thinking
    (thinking if is_thinking else answer).append(text[at:])
    whole = "\n\n".join(piece for each in thinking if (piece := each.strip()))
    return Parts(whole if has_thought else None, "".join(answer).strip())
