"""Decode the tokens that a model generated; evaluation and GRPO's reward share these functions."""

import bisect
import functools
from collections.abc import Sequence, Set
from typing import Any


def end_ids(model: Any, tokenizer: Any) -> set[int]:
    """Return the ids of the tokens that end a response."""
    own = model.generation_config.eos_token_id
    return {tokenizer.eos_token_id, *([own] if isinstance(own, int) else own or [])}


def read_tokens(
    ids: Sequence[int],
    ends: Set[int],
    until: Sequence[str],
    tokenizer: Any,
    kept: Set[int] = frozenset(),
) -> tuple[str, int, str]:
    """Return text, number of tokens and finish reason of generated ids that may end in padding.

    Args:
        kept: control tokens that mark thinking, which the text keeps.
    """
    show = functools.partial(_show, tokenizer, kept)
    end = next((at for at, token in enumerate(ids) if token in ends), None)
    ids = ids if end is None else ids[: end + 1]
    text = show(ids)
    cuts = [text.index(stop) for stop in until if stop in text]
    if not cuts:
        return text, len(ids), "length" if end is None else "stop"
    text = text[: min(cuts)]
    # The first number of tokens whose text has a stop; a longer start of the ids has it as well.
    numbers = range(1, len(ids) + 1)
    at = bisect.bisect_left(numbers, True, key=lambda n: any(s in show(ids[:n]) for s in until))
    return text, numbers[min(at, len(ids) - 1)], "stop"


def _show(tokenizer: Any, kept: Set[int], ids: Sequence[int]) -> str:
    """Return the text of some tokens, without control tokens except those in `kept`."""
    text: str
    if kept.isdisjoint(ids):
        text = tokenizer.decode(ids, skip_special_tokens=True)
    else:
        special = set(tokenizer.all_special_ids) - kept
        text = tokenizer.decode([each for each in ids if each not in special])
    return text
