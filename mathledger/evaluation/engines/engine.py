"""What every engine takes and gives: requests, the limits of a response, responses.

The code of this folder decides a response, together with the model, the settings, the packages and
the hardware. Stored responses are keyed by all of these (evaluation/store_key.py), so what does
not decide a response stands elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Limits:
    max_gen_toks: int
    until: list[str]  # texts that end a response, besides the model's own end of turn


@dataclass(frozen=True)
class Request:
    item_id: str
    repeat: int
    messages: list[dict[str, str]]
    prompt: str  # the messages as the chat template renders them
    prompt_ids: list[int]
    seed: int | None  # null: greedy

    @property
    def key(self) -> tuple[str, int]:
        return self.item_id, self.repeat


@dataclass(frozen=True)
class Response:
    text: str
    num_tokens: int  # the end of turn included
    finish_reason: str  # stop, or length: cut at max_gen_toks
    seconds: float  # for a batch, each response's share


Done = Callable[[list[tuple[Request, Response]]], None]  # takes responses as they come


@dataclass(frozen=True)
class Engine:
    """A loaded model, or a server."""

    answer: Callable[[list[Request], Limits, Done], None]
    num_at_once: int | None  # requests that answer() takes; null: any number
    device: str
    dtype: str
    layout: dict[str, Any] = field(default_factory=dict)  # how it fills several GPUs

    def facts(self) -> dict[str, Any]:
        """Return what the lineage says of it."""
        return {"device": self.device, "dtype": self.dtype, **self.layout}


def choose_dtype(wanted: str) -> str:
    """Return the dtype to load a model in; auto is bfloat16 if the accelerator has it."""
    import torch

    if wanted != "auto":
        return wanted
    return "bfloat16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "float32"
