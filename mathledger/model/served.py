"""Record a model that a server answers for: how to reach it, and what it says about itself.

Its folder data/model/<name>/ holds only receipt.json, because nobody here has its weights.
"""

from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.escaping import one_line
from mathledger.core.http import Endpoint, ServerError, api_key, get
from mathledger.core.replies import ReplyError, read_json

MAX_BYTES = 1 << 20  # of the list of models; a longer one is not read
MAX_TEXT = 300  # characters of a value that is recorded
MAX_KEYS = 100
TIMES = ("created",)  # some servers state the time of the request here


def describe(base_url: str, model: str, timeout_s: float) -> dict[str, Any] | None:
    """Return what a server says about its model; None if it has no list of models.

    Raises:
        InputError: the server does not answer, or lists other models only.
    """
    url = f"{base_url.rstrip('/')}/models"
    endpoint = Endpoint(url, timeout_s, MAX_BYTES, "source", api_key("OPENAI_API_KEY"))
    try:
        answer = get(endpoint)
    except ServerError as error:
        raise InputError(f"{url} does not answer ({error}): start the server") from None
    if answer.status in (401, 403):
        raise InputError(f"{url} refuses the request ({answer.status}): set OPENAI_API_KEY")
    if answer.status >= 500:
        raise InputError(
            f"{url} answers with status {answer.status}: fix the server, then run again"
        )
    return _own_entry(model, url, answer.body) if answer.status == 200 else None


def _own_entry(model: str, url: str, body: bytes) -> dict[str, Any] | None:
    """Return the plain values of the model's entry in a list of models, without times."""
    try:
        entries = {str(each["id"]): each for each in read_json(body)["data"]}
    except (ReplyError, LookupError, TypeError):
        return None
    if model not in entries:
        names = one_line(", ".join(sorted(entries)), MAX_TEXT) or "none"
        raise InputError(f"{url} lists no model {model!r}, only {names}: correct its name")
    return {
        one_line(key): one_line(value, MAX_TEXT) if isinstance(value, str) else value
        for key, value in sorted(entries[model].items())[:MAX_KEYS]
        if key not in TIMES and isinstance(value, str | int | float)
    }
