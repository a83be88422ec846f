"""Record a model that a server answers for: how to reach it, and what it says about itself.

Its folder data/model/<name>/ holds only receipt.json, because nobody here has its weights.
"""

import json
import os
from typing import Any

from mathledger.core.errors import InputError
from mathledger.model.loading import reason

MAX_BYTES = 1 << 20  # of the list of models; a longer one is not read
MAX_TEXT = 300  # characters of a value that is recorded
TIMES = ("created",)  # some servers state the time of the request here


def describe(base_url: str, model: str, timeout_s: float) -> dict[str, Any] | None:
    """Return what a server says about its model; None if it has no list of models.

    Raises:
        InputError: the server does not answer, or lists other models only.
    """
    import httpx2

    url = f"{base_url.rstrip('/')}/models"
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        with httpx2.stream("GET", url, headers=headers, timeout=timeout_s) as reply:
            body = bytearray()
            for chunk in reply.iter_bytes(1 << 16):
                body += chunk
                if len(body) > MAX_BYTES:
                    raise InputError(f"{url}: the list of models has more than {MAX_BYTES:,} bytes")
            status = reply.status_code
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise InputError(f"{url} does not answer ({reason(error)}): start the server") from None
    if status in (401, 403):
        raise InputError(f"{url} refuses the request ({status}): set OPENAI_API_KEY")
    if status >= 500:
        raise InputError(f"{url} answers with status {status}: fix the server, then run again")
    return _own_entry(model, url, bytes(body)) if status == 200 else None


def _own_entry(model: str, url: str, body: bytes) -> dict[str, Any] | None:
    """Return the plain values of the model's entry in a list of models, without times."""
    try:
        listed = json.loads(body)["data"]
        entries = {str(each["id"]): each for each in listed}
    except (ValueError, RecursionError, LookupError, TypeError):
        return None
    if model not in entries:
        names = ", ".join(sorted(entries))[:MAX_TEXT] or "none"
        raise InputError(f"{url} lists no model {model!r}, only {names}: correct its name")
    return {
        key: value[:MAX_TEXT] if isinstance(value, str) else value
        for key, value in sorted(entries[model].items())
        if key not in TIMES and isinstance(value, str | int | float)
    }
