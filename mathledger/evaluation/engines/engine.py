"""The interface of every engine: requests and limits in, responses out.

The code in this folder determines a response, together with the model, the settings, the packages
and the hardware. Stored responses are keyed by all of these (evaluation/store_key.py), so code that
does not affect a response belongs elsewhere.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

FINISH_REASONS = ("stop", "length")  # length: cut at max_gen_toks


@dataclass(frozen=True)
class Limits:
    max_gen_toks: int
    until: list[str]  # strings that end a response, in addition to the model's end of turn


@dataclass(frozen=True)
class Request:
    item_id: str
    repeat: int
    messages: list[dict[str, str]]
    prompt: str  # the messages, rendered by the chat template
    prompt_ids: list[int]
    seed: int | None  # null if greedy

    @property
    def key(self) -> tuple[str, int]:
        return self.item_id, self.repeat


@dataclass(frozen=True)
class Response:
    text: str
    num_tokens: int  # includes the end of turn
    finish_reason: str  # one of FINISH_REASONS
    seconds: float  # responses of a batch share its time equally
    # Null unless the response has thinking apart: from a chat server, or split off
    # (evaluation/apart.py), as the text is then the answer alone.
    thinking: str | None = None
    num_thinking_tokens: int | None = None


def fault(response: Response) -> str | None:
    """Return what makes a response impossible; it comes from a server or from a damaged file.

    >>> fault(Response("7", 1, "stop", 0.1)), fault(Response("7", 0, "stop", 0.1))
    (None, '0 tokens for a text of 1 characters')
    """
    text, count, seconds = response.text, response.num_tokens, response.seconds
    if not isinstance(text, str) or not isinstance(response.thinking, str | None):
        kind = type(response.thinking if isinstance(text, str) else text).__name__
        return f"the text is of type {kind}"
    text += response.thinking or ""
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "the text has half a surrogate pair"
    if type(count) is not int or count < 0:
        return f"the number of tokens is {str(count)[:40]!r}"
    if text and not count:
        return f"0 tokens for a text of {len(text):,} characters"
    part = response.num_thinking_tokens
    if part is not None and (type(part) is not int or not 0 <= part <= count):
        return f"{str(part)[:40]!r} of {count:,} tokens are thinking"
    if response.finish_reason not in FINISH_REASONS:
        return (
            f"the finish reason is {str(response.finish_reason)[:40]!r}, not "
            f"{' or '.join(FINISH_REASONS)}"
        )
    if type(seconds) not in (int, float) or not 0 <= seconds < math.inf:
        return f"the time is {str(seconds)[:40]!r} seconds"
    return None


Done = Callable[[list[tuple[Request, Response]]], None]  # receives responses as they arrive


@dataclass(frozen=True)
class Engine:
    """A loaded model, or a connection to a server."""

    answer: Callable[[list[Request], Limits, Done], None]
    num_at_once: int | None  # most requests in a call of answer(); null if unlimited
    device: str
    dtype: str
    layout: dict[str, Any] = field(default_factory=dict)  # distribution over several GPUs

    def facts(self) -> dict[str, Any]:
        """Return the facts about the engine that the lineage records."""
        return {"device": self.device, "dtype": self.dtype, **self.layout}


def choose_dtype(wanted: str) -> str:
    """Return the dtype to load a model in; auto is bfloat16 if the accelerator has it."""
    import torch

    if wanted != "auto":
        return wanted
    return "bfloat16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "float32"
