"""Read a server's reply in OpenAI's protocol; a reply that does not follow it is refused."""

import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn

from mathledger.core.http import MAX_SHOWN, ServerError

MAX_CHARS = 300  # of a message
MAX_BYTES = 4 << 20, 256  # limit of a reply: this many, plus this many for each token


class ReplyError(ServerError):
    """The server's reply is not one that a model can give; the message says why."""

    def __init__(self, message: str) -> None:
        super().__init__(f"the reply does not follow OpenAI's protocol: {message[:MAX_CHARS]}")


@dataclass(frozen=True)
class Reply:
    text: str
    num_tokens: int | None  # null if the server does not count them
    finish_reason: str
    thinking: str | None = None  # null unless the server gives it apart from the text
    num_thinking_tokens: int | None = None


def max_bytes(max_gen_toks: int) -> int:
    """Return the longest reply that is read."""
    return MAX_BYTES[0] + MAX_BYTES[1] * max_gen_toks


def read_reply(body: bytes, max_gen_toks: int, *, is_chat: bool) -> Reply:
    """Return what a reply says.

    Raises:
        ReplyError: the reply does not follow OpenAI's protocol, or has more tokens than asked for.
    """
    reply = read_json(body)
    if isinstance(reply, dict) and reply.get("error") and not reply.get("choices"):
        raise ReplyError(f"it is the error {_shown(reply['error'], MAX_SHOWN)}")
    choices = _part(reply, "choices", list)
    if len(choices) != 1:
        raise ReplyError(f"it has {len(choices):,} choices, not the one that was asked for")
    choice = choices[0]
    if _part(choice, "index", int, or_null=True):
        raise ReplyError(f"its only choice has the index {choice['index']}")
    holder, key = (_part(choice, "message", dict), "content") if is_chat else (choice, "text")
    if key not in holder:
        raise ReplyError(f"it has no {key}")
    text = _part(holder, key, str, or_null=is_chat) or ""  # null if a chat only thinks
    reason = _part(choice, "finish_reason", str)
    usage = reply["usage"] if reply.get("usage") is not None else {}
    counted = _part(usage, "completion_tokens", int, or_null=True)
    if counted is not None and counted > max_gen_toks:
        raise ReplyError(f"it has {counted:,} tokens, but max_gen_toks is {max_gen_toks:,}")
    thinking = _thinking(holder) if is_chat else None
    details = usage.get("completion_tokens_details")
    part = _part(details, "reasoning_tokens", int, or_null=True) if details is not None else None
    return Reply(text, counted, reason, thinking, None if thinking is None else part)


def read_json(body: bytes) -> Any:
    """Return the value of strict JSON: UTF-8, finite numbers, and no key twice.

    >>> read_json(b'{"a": [1, 2.5]}')
    {'a': [1, 2.5]}

    Raises:
        ReplyError: the bytes are something else.
    """
    try:
        return json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=_object,
            parse_float=_finite,
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError):
        raise ReplyError(f"it is not JSON: {body[:60]!r}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ReplyError("a key occurs twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ReplyError(f"{text[:20]} is no number")


def _thinking(message: dict[str, Any]) -> str | None:
    """Return the thinking that a chat server gives apart from the answer.

    vLLM and SGLang call it reasoning_content, newer ones of them reasoning.
    """
    given = (_part(message, key, str, or_null=True) for key in ("reasoning", "reasoning_content"))
    return next((text for text in given if text), None)


def _part(tree: Any, key: str, kind: type, *, or_null: bool = False) -> Any:
    """Return a value of a reply, of the type that it must have."""
    found = tree.get(key) if isinstance(tree, dict) else None
    if type(found) is kind or (or_null and found is None and isinstance(tree, dict)):
        return found
    raise ReplyError(f"{key} is {_shown(found, 60)}, not of type {kind.__name__}")


def _shown(value: Any, max_chars: int) -> str:
    try:
        return json.dumps(value)[:max_chars]
    except RecursionError:
        return "a deep structure"
