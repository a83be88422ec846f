"""Probe a model through its server alone, which completes raw text at /completions.

Nobody here has its tokenizer, so a problem is halved by its words, and a completion is cut to as
many words as the rest of the problem has.
"""

import re
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.http import Answer, Endpoint, ServerError, api_key, ask_each
from mathledger.core.replies import max_bytes, read_reply
from mathledger.evaluation.probe import Halves
from mathledger.evaluation.served import described

WORD = re.compile(r"\S+")
AT_ONCE = 8  # requests


class Words:
    """Stands for an unknown tokenizer: a word is a token, and none is a control token."""

    added_tokens_decoder: dict[int, Any] = {}  # noqa: RUF012  as a tokenizer has it
    chat_template = None

    def __call__(self, text: str, **_: Any) -> dict[str, list[Any]]:
        spans = [match.span() for match in WORD.finditer(text)]
        return {"offset_mapping": spans, "input_ids": list(range(len(spans)))}


def completes_text(folder: Path) -> bool:
    """Return True if params.yaml says that the model's server also completes raw text."""
    return bool((described(folder) or {}).get("completes_text"))


def complete(folder: Path, texts: list[Halves]) -> dict[str, str]:
    """Complete the first half of each problem with as many words as its rest has.

    Raises:
        InputError: the server does not answer, or does not follow OpenAI's protocol.
    """
    own = described(folder)
    assert own
    distinct = list({each.problem: each for each in texts}.values())
    endpoint = Endpoint(
        f"{own['base_url'].rstrip('/')}/completions",
        own["timeout_s"],
        max_bytes(max(map(_limit, distinct), default=0)),
        f"models.{folder.name}.source",
        api_key("OPENAI_API_KEY"),
        own["max_retries"],
    )

    def body(halves: Halves) -> dict[str, Any]:
        asked = {"model": own["model"], "prompt": halves.prompt, "temperature": 0}
        return {**asked, "max_tokens": _limit(halves)}

    found: dict[str, str] = {}
    try:
        ask_each(
            endpoint,
            distinct,
            body,
            _completion,
            lambda halves, text: found.update({halves.problem: text}),
            AT_ONCE,
        )
    except ServerError as error:
        raise InputError(
            f"{endpoint.url}: problem {error.job.id}: {error}; fix the server and run again, or "
            "set completes_text: false in conf/models/"
        ) from None
    return {each.problem: found[each.problem] for each in distinct}


def _limit(halves: Halves) -> int:
    """Return the limit of tokens in a completion: a token has a byte or more."""
    return len(halves.rest.encode())


def _completion(halves: Halves, answer: Answer) -> str:
    reply = read_reply(answer.body, _limit(halves), is_chat=False)
    text = reply.text.encode("utf-8", "replace").decode()  # a file holds no half of a pair
    return cut(text, halves.num_tokens)


def cut(text: str, num_words: int) -> str:
    """Return the first words of a text, with the space before and between them.

    >>> cut(" one two  three", 2)
    ' one two'
    """
    words = list(WORD.finditer(text))
    return text[: words[num_words - 1].end()] if len(words) > num_words else text
