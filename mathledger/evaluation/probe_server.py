"""Probe a model through its server alone, which completes raw text at /completions.

Nobody here has its tokenizer, so a problem is halved by its words, and a completion is cut to as
many words as the rest of the problem has.
"""

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.evaluation.engines.engine import Limits
from mathledger.evaluation.engines.server import ReplyError, read_reply
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
    import httpx2

    own = described(folder)
    assert own
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    distinct = list({each.problem: each for each in texts}.values())
    with (
        httpx2.Client(timeout=own["timeout_s"], headers=headers) as client,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        answers = list(pool.map(lambda each: _complete(client, own, each), distinct))
    return {each.problem: text for each, text in zip(distinct, answers, strict=True)}


def _complete(client: Any, own: dict[str, Any], halves: Halves) -> str:
    import httpx2

    url = f"{own['base_url'].rstrip('/')}/completions"
    limits = Limits(len(halves.rest.encode()), [])  # a token has a byte or more
    body = {"model": own["model"], "prompt": halves.prompt, "temperature": 0}
    failure = ""
    for attempt in range(1 + own["max_retries"]):
        if attempt:
            time.sleep(min(30.0, 0.5 * 2 ** (attempt - 1)))
        try:
            reply = client.post(url, json={**body, "max_tokens": limits.max_gen_toks})
            reply.raise_for_status()
            completion = read_reply(reply.content, limits, is_chat=False)
            return cut(completion.text, halves.num_tokens)
        except (httpx2.HTTPError, OSError, ReplyError) as error:
            failure = " ".join(str(error).split()) or type(error).__name__
    raise InputError(
        f"{url}: problem {halves.id}: {failure}; fix the server and run again, or set "
        "completes_text: false in conf/models/"
    )


def cut(text: str, num_words: int) -> str:
    """Return the first words of a text, with the space before and between them.

    >>> cut(" one two  three", 2)
    ' one two'
    """
    words = list(WORD.finditer(text))
    return text[: words[num_words - 1].end()] if len(words) > num_words else text
