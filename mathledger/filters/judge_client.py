"""Ask a server that speaks OpenAI's chat protocol, and trust nothing in its replies."""

import json
import os
import time
from dataclasses import dataclass
from typing import Any, Self

from mathledger.core.errors import InputError

MAX_BYTES = 1 << 20  # A longer reply is not read.


@dataclass(frozen=True)
class Endpoint:
    base_url: str
    api_key_variable: str | None
    timeout_s: float
    max_retries: int


class Client:
    """A connection that several threads share. Use it in a `with` statement."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __enter__(self) -> Self:
        import httpx2

        headers = {}
        if variable := self._endpoint.api_key_variable:
            key = os.environ.get(variable, "").strip()
            if not key or not key.isascii() or not key.isprintable():
                raise InputError(
                    f"decontaminate.judge.api_key_variable: the environment variable {variable} "
                    "holds no API key"
                )
            headers["Authorization"] = f"Bearer {key}"
        self._http = httpx2.Client(timeout=self._endpoint.timeout_s, headers=headers)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def answer(self, body: dict[str, Any]) -> str | None:
        """Return the reply's text, or None if the reply is not one of the protocol or is cut off.

        Raises:
            InputError: The server does not answer, or refuses the request.
        """
        import httpx2

        failure = ""
        for attempt in range(self._endpoint.max_retries + 1):
            if attempt:
                time.sleep(min(30.0, 0.5 * 2 ** (attempt - 1)))
            try:
                status, data = self._post(body)
            except httpx2.TimeoutException:
                failure = (
                    f"no reply within decontaminate.judge.timeout_s={self._endpoint.timeout_s:g}"
                )
                continue
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                failure = f"{type(error).__name__}: {error}".splitlines()[0]
                continue
            if status == 200:
                return read(data)
            failure = f"the server refuses the request with status {status}"
            if status < 500 and status not in (408, 429):
                break
        raise InputError(
            f"decontaminate.judge: {self._endpoint.base_url}: {failure}; the replies so far are "
            "kept: fix the server, then run again to continue"
        )

    def _post(self, body: dict[str, Any]) -> tuple[int, bytes]:
        """Return the status and the first MAX_BYTES of the reply, within the time limit."""
        data = bytearray()
        end = time.monotonic() + self._endpoint.timeout_s
        import httpx2

        with self._http.stream("POST", self._endpoint.base_url, json=body) as reply:
            for chunk in reply.iter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    break
                if time.monotonic() > end:
                    raise httpx2.ReadTimeout("the reply never ends")
            return reply.status_code, bytes(data)


def read(data: bytes) -> str | None:
    """Return the text of a reply, or None if it is not one of the protocol or is cut off.

    >>> read(b'{"choices": [{"message": {"content": "SAME"}, "finish_reason": "stop"}]}')
    'SAME'
    >>> read(b'{"choices": [{"message": {"content": "SA"}, "finish_reason": "length"}]}') is None
    True
    """
    try:
        choice = json.loads(data)["choices"][0]
        text, reason = choice["message"]["content"], choice["finish_reason"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if not isinstance(text, str) or reason != "stop":
        return None
    # A file cannot hold a lone surrogate, which JSON can.
    return text.encode("utf-8", "replace").decode()
