"""Render conversations as token ids, so that text which spells a control token stays text.

A chat template writes control tokens, such as <|im_end|>, around the texts. By default a tokenizer
also reads one wherever a text spells it: a solution with <|im_end|> in the middle would teach the
model to stop there, and a problem with one would end the user's turn. Training, evaluation, GRPO
and the held-out samples all render through `render`; the probe asks `spells_control`.
"""

import functools
import json
import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mathledger.core.errors import InputError
from mathledger.model.limited import OutOfTimeError, at_most
from mathledger.model.loading import reason

Conversation = list[dict[str, str]]

# A model marks its own thinking with these tokens, so they belong in a solution.
THINKING = re.compile(r"</?(think|thinking|thought|reasoning)>|\[/?THINK\]|◁/?think▷")
# Control tokens that published tokenizers do not flag as such.
LOOKS_LIKE_CONTROL = re.compile(r"<[|\uff5c].+[|\uff5c]>|</?tool_\w+>")
PRIVATE_USE = range(0xF0000, 0xFFFFE)  # characters that no tokenizer gives a meaning
# A template writes a conversation within a millisecond; it gets this much, plus so much for each.
SECONDS = 20.0, 0.1
MEMORY = 4 << 30  # bytes that it may take
PROBE = [
    [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
    [{"role": "user", "content": "a"}],
]


@dataclass(frozen=True)
class Rendered:
    text: str
    ids: list[int]


class Controls:
    """The control tokens of a tokenizer with its chat template."""

    def __init__(self, tokenizer: Any) -> None:
        added = tokenizer.added_tokens_decoder.values()
        texts = {
            token.content
            for token in added
            if token.special or LOOKS_LIKE_CONTROL.fullmatch(token.content)
        }
        # DeepSeek's tokenizers, for example, do not flag the tokens that mark the turns.
        written = ""
        if tokenizer.chat_template:
            written = "".join(
                apply_template(tokenizer, False, {}, PROBE)
                + apply_template(tokenizer, True, {}, PROBE[1:])
            )
        texts |= {token.content for token in added if token.content in written}
        self.texts = sorted(
            (text for text in texts if text.strip() and not THINKING.fullmatch(text)),
            key=lambda text: (-len(text), text),
        )
        pattern = "|".join(map(re.escape, self.texts)) or "(?!)"
        self.pattern = re.compile(pattern)
        self.backends: dict[int, Any] = {}  # tokenizers that know the control tokens by aliases


_KNOWN: weakref.WeakKeyDictionary[Any, dict[str, Controls]] = weakref.WeakKeyDictionary()


def controls(tokenizer: Any) -> Controls:
    """Return the control tokens of a tokenizer, computed once for each chat template."""
    known = _KNOWN.setdefault(tokenizer, {})
    template = str(tokenizer.chat_template)
    if template not in known:
        known[template] = Controls(tokenizer)
    return known[template]


def spells_control(tokenizer: Any, text: str) -> bool:
    """Return True if a tokenizer would read a control token in this text."""
    return bool(controls(tokenizer).pattern.search(text))


def render(
    tokenizer: Any,
    conversations: Sequence[Conversation],
    add_generation_prompt: bool,
    **variables: Any,
) -> list[Rendered]:
    """Render conversations by the chat template, and tokenise them.

    Every control token among the ids was written by the template; a text that spells one is
    tokenised as the characters that it is.

    Args:
        variables: variables of the chat template, such as enable_thinking.

    Raises:
        InputError: the chat template fails, or does not end.
    """
    known = controls(tokenizer)
    apply = functools.partial(apply_template, tokenizer, add_generation_prompt, variables)
    texts = apply(conversations)
    whole = tokenizer(texts, add_special_tokens=False)["input_ids"]
    rendered = [Rendered(text, ids) for text, ids in zip(texts, whole, strict=True)]
    for number, turns in enumerate(conversations):
        if any(known.pattern.search(turn["content"]) for turn in turns):
            rendered[number] = _render_spelled(tokenizer, known, turns, apply)
    return rendered


# What a template may raise, besides jinja's own errors: it is code that somebody else wrote.
WRONG = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RecursionError,
)


def apply_template(
    tokenizer: Any, is_open: bool, variables: Mapping[str, Any], turns: Sequence[Conversation]
) -> list[str]:
    """Return what the chat template writes for each conversation.

    Raises:
        InputError: the chat template fails, or does not end.
    """
    from jinja2 import TemplateError

    seconds = SECONDS[0] + SECONDS[1] * len(turns)
    try:
        with at_most(seconds, MEMORY):
            texts: list[str] = tokenizer.apply_chat_template(
                list(turns), tokenize=False, add_generation_prompt=is_open, **variables
            )
    except OutOfTimeError:
        raise InputError(
            f"the chat template of {tokenizer.name_or_path} has not ended after {seconds:g} s of "
            f"computing for {len(turns):,} conversation{'s' * (len(turns) > 1)}: set "
            "model.chat_template to one that ends"
        ) from None
    except (*WRONG, TemplateError) as error:
        raise InputError(
            f"the chat template of {tokenizer.name_or_path} fails: {reason(error)}; "
            "set model.chat_template to one that works"
        ) from error
    return texts


def _render_spelled(
    tokenizer: Any,
    known: Controls,
    turns: Conversation,
    apply: Callable[[Sequence[Conversation]], list[str]],
) -> Rendered:
    """Render a conversation whose texts spell control tokens.

    The template sees a mark in the place of each token that a text spells. Every control token in
    the rendered text therefore comes from the template; it gets an alias, and then the marks become
    text again. A copy of the tokenizer knows the control tokens by their aliases alone.
    """
    start = _free(known, [turn["content"] for turn in turns])
    marks = {text: chr(start + number) for number, text in enumerate(known.texts)}
    aliases = {text: chr(start + len(marks) + number) for number, text in enumerate(known.texts)}
    marked = [
        turn | {"content": known.pattern.sub(lambda found: marks[found[0]], turn["content"])}
        for turn in turns
    ]
    (text,) = apply([marked])
    text = known.pattern.sub(lambda found: aliases[found[0]], text)
    text = text.translate({ord(mark): spelled for spelled, mark in marks.items()})
    if start not in known.backends:
        known.backends[start] = _with_aliases(tokenizer, aliases)
    ids = known.backends[start].encode(text, add_special_tokens=False).ids
    shown = text.translate({ord(alias): control for control, alias in aliases.items()})
    return Rendered(shown, ids)


def _free(known: Controls, texts: list[str]) -> int:
    """Return the first of enough consecutive private characters that the texts do not have."""
    used = {ord(char) for text in texts for char in text if ord(char) in PRIVATE_USE}
    size = 2 * len(known.texts)
    starts = range(PRIVATE_USE.start, PRIVATE_USE.stop - size, size)
    return next(start for start in starts if used.isdisjoint(range(start, start + size)))


def _with_aliases(tokenizer: Any, aliases: dict[str, str]) -> Any:
    """Return a copy of a tokenizer whose control tokens have other texts and the same ids."""
    from tokenizers import Tokenizer

    content = json.loads(tokenizer.backend_tokenizer.to_str())
    content |= {"post_processor": None, "truncation": None, "padding": None}
    for token in content["added_tokens"]:
        token["content"] = aliases.get(token["content"], token["content"])
    model = content["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = {aliases.get(text, text): at for text, at in model["vocab"].items()}
    else:  # Unigram: pairs of text and score
        model["vocab"] = [[aliases.get(text, text), score] for text, score in model["vocab"]]
    if model.get("unk_token") in aliases:
        model["unk_token"] = aliases[model["unk_token"]]
    copy = Tokenizer.from_str(json.dumps(content))
    for text, alias in aliases.items():
        if copy.token_to_id(alias) != tokenizer.convert_tokens_to_ids(text):
            raise InputError(
                f"the tokenizer of {tokenizer.name_or_path} cannot keep {text!r} in a text apart "
                "from its control token: remove the row or item that spells it"
            )
    return copy
