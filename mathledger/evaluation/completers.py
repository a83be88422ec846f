"""Open the backend that completes problems: a model's weights, or the server that holds them."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathledger.evaluation import probe, probe_server
from mathledger.evaluation.probe import Halves
from mathledger.evaluation.served import server_of


@dataclass(frozen=True)
class Completer:
    """Completes the first halves of problems greedily."""

    complete: Callable[[list[Halves]], dict[str, str]]  # a completion for each problem
    tokenizer: Any  # unknown for a server, where words count as tokens
    context: int  # tokens
    facts: dict[str, str]  # device and dtype


def open_completer(folder: Path, settings: probe.Params) -> Completer | None:
    """Load the model, or connect to its server; None if the server only chats."""
    if server_of(folder):
        if not probe_server.completes_text(folder):
            return None
        facts = {"device": "as served", "dtype": "as served"}
        return Completer(
            lambda texts: probe_server.complete(folder, texts),
            probe_server.Words(),
            sys.maxsize,
            facts,
        )
    model, tokenizer = probe.load_model(folder, settings.dtype)
    return Completer(
        lambda texts: probe.complete(model, tokenizer, texts, settings.batch_size),
        tokenizer,
        model.config.max_position_embeddings,
        {"device": str(model.device), "dtype": str(model.dtype).split(".")[-1]},
    )
