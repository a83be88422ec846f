"""Store the thinking of a response apart from its answer, with the number of tokens of both."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from mathledger.evaluation.engines.engine import Request, Response
from mathledger.model import thinking


def thinking_apart(
    responses: Sequence[Response], requests: Sequence[Request], tokenizer: Any
) -> list[Response]:
    """Return the responses with the answer as their text, and the thinking apart from it.

    A chat server may have separated them already.

    Args:
        tokenizer: the model's; None if it is not known.
    """
    forms = thinking.forms_of(tokenizer)
    return [
        _apart(response, request, forms, tokenizer)
        for response, request in zip(responses, requests, strict=True)
    ]


def whole(thinking: str | None, answer: str) -> str:
    """Return thinking and answer as one text."""
    return answer if thinking is None else f"{thinking}\n\n{answer}"


def _apart(
    response: Response, request: Request, forms: list[thinking.Form], tokenizer: Any
) -> Response:
    is_apart = response.thinking is not None
    # Where the server has cut off the thinking, the text begins with the answer.
    parts = thinking.split(response.text, "" if is_apart else request.prompt, forms)
    both = [each for each in (response.thinking, parts.thinking) if each is not None]
    if not both:
        return dataclasses.replace(response, text=parts.answer)
    return dataclasses.replace(
        response,
        text=parts.answer,
        thinking="\n\n".join(both),
        num_thinking_tokens=_count(response, parts.answer, tokenizer),
    )


def _count(response: Response, answer: str, tokenizer: Any) -> int | None:
    """Return the number of tokens before the answer; None if they cannot be counted.

    The answer is tokenised again, which is exact up to a few tokens. Marks count as thinking.
    """
    if not answer:
        return response.num_tokens
    if tokenizer is None:
        return response.num_thinking_tokens
    own = len(tokenizer(answer, add_special_tokens=False)["input_ids"])
    return max(0, response.num_tokens - own)
