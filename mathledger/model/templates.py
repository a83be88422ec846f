"""Check a tokenizer and its chat template before any training with them."""

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mathledger.core.errors import InputError
from mathledger.model import conversations
from mathledger.model.conversations import Conversation, Rendered
from mathledger.model.folder import read_config

PROBLEM = "What is 3 + 4?"
SOLUTION = r"3 + 4 = 7, so the answer is \boxed{7}."
THINKING = f"<think>\nThree and four more make seven.\n</think>\n\n{SOLUTION}"
SYSTEM = "Answer briefly."
SWITCHES = ("enable_thinking", "thinking")
# Variables that the library or this project passes to a template.
NOT_SETTINGS = {"messages", "tools", "documents", "add_generation_prompt"}
# The date that Llama's template uses if it finds no clock.
DATE = datetime(2024, 7, 26)
_CLOCK = re.compile(r"""strftime_now\(\s*(?:format\s*=\s*)?(["'])((?:(?!\1).)*)\1\s*\)""")


@dataclass(frozen=True)
class Facts:
    """Facts about a chat template for later stages and the card."""

    has_system_turn: bool
    thinking_switches: list[str]  # the template's variables that turn thinking on or off
    keeps_thinking: bool  # a solution that begins with <think>...</think> is rendered whole
    num_bos: int  # begin-of-sequence tokens at the beginning of a prompt
    changes: list[str] = field(default_factory=list)  # what download_model changed, and why


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def what_is_wrong(prompt: Rendered, whole: Rendered, answer: str) -> str | None:
    """Return why a rendered row cannot be trained on, or None.

    Args:
        prompt: the row's prompt, with the generation prompt.
        whole: the prompt and the answer.
    """
    if whole.ids[: len(prompt.ids)] != prompt.ids:
        return (
            "the chat template renders the prompt differently when the answer follows it, so "
            "training would use a prompt that evaluation never sends: set model.chat_template to "
            "one that does not"
        )
    learned = whole.text.removeprefix(prompt.text)
    # Templates trim texts and set their own line breaks around thinking.
    if answer.strip() not in learned and _squashed(answer) not in _squashed(learned):
        return (
            f"the chat template leaves out a part of the answer, which begins {answer[:40]!r}: set "
            "model.chat_template to one that keeps it, or remove the thinking from the solutions"
        )
    return None


def _squashed(text: str) -> str:
    return "".join(text.split())


def pin_date(tokenizer: Any) -> str | None:
    """Replace a template's clock by a fixed date; return what was changed, if anything.

    Otherwise the prompts of Llama 3.2 or SmolLM3 would change every day.
    """
    template = tokenizer.chat_template
    if not isinstance(template, str) or not _CLOCK.search(template):
        return None
    shown = sorted({DATE.strftime(found[2]) for found in _CLOCK.finditer(template)})
    tokenizer.chat_template = _CLOCK.sub(lambda found: repr(DATE.strftime(found[2])), template)
    return f"the chat template writes today's date; it now always writes {' and '.join(shown)}"


def end_turn_with_eos(tokenizer: Any, folder: Path) -> str | None:
    """Make the token that ends a turn the tokenizer's eos_token; return what was changed.

    Gemma's eos_token ends a document, and its generation settings name <end_of_turn> as well. Every
    library stops at the eos_token, but not every one reads these settings.
    """
    learned = _render(tokenizer, folder, [user(PROBLEM), assistant(SOLUTION)], False).ids
    learned = learned[len(_render(tokenizer, folder, [user(PROBLEM)], True).ids) :]
    settings = folder / "generation_config.json"
    if tokenizer.eos_token_id in learned or not settings.exists():
        return None
    ends = read_config(settings).get("eos_token_id")
    ends = ends if isinstance(ends, list) else [ends]
    own = [token for token in learned if token in ends]
    if len(own) != 1:
        return None
    before, tokenizer.eos_token = tokenizer.eos_token, tokenizer.convert_ids_to_tokens(own[0])
    return f"the end of a turn, {tokenizer.eos_token}, is now the eos_token; it was {before}"


def check_template(tokenizer: Any, folder: Path) -> Facts:
    """Check that the chat template suits training and evaluation, and return facts about it.

    Raises:
        InputError: the template fails, changes with the day, leaves out a text, or marks the
            beginning of a sequence or the end of a turn wrongly.
    """
    where = f"the chat template of {folder}"
    prompt = _render(tokenizer, folder, [user(PROBLEM)], True)
    whole = _render(tokenizer, folder, [user(PROBLEM), assistant(SOLUTION)], False)
    if PROBLEM not in prompt.text:
        raise InputError(f"{where} leaves out the user's text: set model.chat_template")
    if wrong := what_is_wrong(prompt, whole, SOLUTION):
        raise InputError(f"{folder}: {wrong}")
    _expect_same_on_two_days(tokenizer, where)
    learned = whole.ids[len(prompt.ids) :]
    if (count := learned.count(tokenizer.eos_token_id)) != 1:
        raise InputError(
            f"{where} ends an assistant's turn with the tokenizer's eos_token "
            f"{tokenizer.eos_token!r} {count} times, and the model learns when to stop from "
            "exactly one: set model.chat_template"
        )
    # SmolLM2's bos_token begins every turn, so only those at the beginning count.
    others = (at for at, token in enumerate(prompt.ids) if token != tokenizer.bos_token_id)
    if (num_bos := next(others)) > 1:
        raise InputError(
            f"{where} begins a prompt with {num_bos} {tokenizer.bos_token}: set "
            "model.chat_template to one that writes it once"
        )
    return Facts(
        has_system_turn=_has_system_turn(tokenizer, folder),
        thinking_switches=[name for name in SWITCHES if _switches(tokenizer, name)],
        keeps_thinking=_keeps_thinking(tokenizer, folder, prompt),
        num_bos=num_bos,
    )


def expect_variables(tokenizer: Any, wanted: Iterable[str]) -> None:
    """Raise InputError if a chat template does not read a variable, and so would ignore it."""
    if not (wanted := sorted(wanted)):
        return
    known = sorted(_variables(tokenizer.get_chat_template()) - tokenizer.special_tokens_map.keys())
    if unknown := [name for name in wanted if name not in known]:
        raise InputError(
            f"evaluate.chat_template_kwargs: the model's chat template has no variable "
            f"{', '.join(unknown)}; it has {', '.join(known) or 'none'}"
        )


def _variables(template: str) -> set[str]:
    """Return the variables that a template takes from outside, or from its own default."""
    from jinja2 import meta, nodes
    from transformers.utils import chat_template_utils as library

    environment = library._compile_jinja_template(template).environment
    tree = environment.parse(template)
    names = [name for name in tree.find_all(nodes.Name) if name.ctx == "store"]
    own = {name.name for name in names}
    tests = [test.node for test in tree.find_all(nodes.Test) if test.name == "defined"]
    defaults = {node.name for node in tests if isinstance(node, nodes.Name)}
    read: set[str] = meta.find_undeclared_variables(tree)
    return read - (own - defaults) - NOT_SETTINGS - set(environment.globals)


def expect_system_turns(prompts: Iterable[Rendered], conversations: Iterable[Conversation]) -> None:
    """Raise InputError if a chat template left out a system turn."""
    for prompt, (first, *_others) in zip(prompts, conversations, strict=True):
        text = first["content"]
        if first["role"] == "system" and _squashed(text) not in _squashed(prompt.text):
            raise InputError(
                f"the model's chat template leaves out the system turn {text.strip()[:40]!r}, "
                "which is evaluate.system_prompt or the description of a task of "
                "lm-evaluation-harness: set model.chat_template, or put the text into the "
                "benchmarks' task.doc_to_text"
            )


def every_id(tokenizer: Any, folder: Path) -> list[int]:
    """Return the ids of the tokens that the template writes around a problem and its solution."""
    whole = _render(tokenizer, folder, [user(PROBLEM), assistant(SOLUTION)], False).ids
    return sorted({*whole, *_render(tokenizer, folder, [user(PROBLEM)], True).ids})


def _render(tokenizer: Any, folder: Path, turns: Conversation, is_open: bool) -> Rendered:
    (rendered,) = conversations.render(tokenizer, [turns], is_open)
    return rendered


def _has_system_turn(tokenizer: Any, folder: Path) -> bool:
    turns = [{"role": "system", "content": SYSTEM}, user(PROBLEM)]
    try:
        text = _render(tokenizer, folder, turns, True).text
    except InputError:
        return False
    return SYSTEM in text and PROBLEM in text


def _keeps_thinking(tokenizer: Any, folder: Path, prompt: Rendered) -> bool:
    whole = _render(tokenizer, folder, [user(PROBLEM), assistant(THINKING)], False)
    return what_is_wrong(prompt, whole, THINKING) is None


def _switches(tokenizer: Any, name: str) -> bool:
    on, off = (_apply(tokenizer, **{name: value}) for value in (True, False))
    return on != off


def _apply(tokenizer: Any, **variables: Any) -> str:
    (text,) = conversations.apply_template(tokenizer, True, variables, [[user(PROBLEM)]])
    return text


@contextlib.contextmanager
def clock_at(day: datetime) -> Iterator[None]:
    """Set the clock that templates read."""
    from transformers.utils import chat_template_utils as library

    real = library.datetime
    library.datetime = SimpleNamespace(now=lambda: day)
    try:
        yield
    finally:
        library.datetime = real


def _expect_same_on_two_days(tokenizer: Any, where: str) -> None:
    texts = {_apply(tokenizer), _apply(tokenizer)}
    for day in (datetime(2025, 1, 1, 8), datetime(2026, 12, 31, 20)):
        with clock_at(day):
            texts.add(_apply(tokenizer))
    if len(texts) > 1:
        raise InputError(
            f"{where} renders another prompt on another day, so no result could be reproduced: "
            "set model.chat_template to one without a date or chance"
        )
