"""Ask servers over HTTP, and believe nothing in their answers.

An answer has one limit of bytes and one of seconds, however it arrives. It is asked for
uncompressed, or few bytes could become many. Redirects are followed only within the server, because
prompts and the API key go to no other. Cookies are dropped, and an answer that repeats the API key
is refused, because answers are stored and published.
"""

import asyncio
import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar

from mathledger.core.errors import InputError
from mathledger.core.servers import is_near

MAX_REDIRECTS = 3
REDIRECTS = (301, 302, 303, 307, 308)
MAX_WAIT_S = 30.0  # between two tries
MAX_SHOWN = 200  # characters of a server's words in a message
MIN_KEY = 12  # a shorter API key, such as EMPTY, is no secret, and may occur in any text
_JSON_ESCAPE = re.compile(rb"\\u00([2-7][0-9a-fA-F])|\\/")

Job = TypeVar("Job")
Result = TypeVar("Result")


class ServerError(Exception):
    """A server gave no answer that can be used; the message says why in one line.

    Args:
        may_pass: Whether another try may succeed.
        job: What was asked, if `ask_each` asked it.
    """

    def __init__(self, message: str, may_pass: bool = True, job: Any = None) -> None:
        super().__init__(message)
        self.may_pass = may_pass
        self.job = job


@dataclass(frozen=True)
class Endpoint:
    """An address, and what an answer of it may cost.

    Args:
        timeout_s: Seconds from the request to the last byte of the answer.
        max_bytes: Longest body of an answer.
        section: Key in params.yaml that has `timeout_s`, for the messages.
    """

    url: str
    timeout_s: float
    max_bytes: int
    section: str
    key: str | None = None
    max_retries: int = 0


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    seconds: float


def api_key(variable: str) -> str | None:
    """Return the API key that an environment variable holds; None if it is empty or not set.

    Raises:
        InputError: it cannot be sent in a header.
    """
    key = os.environ.get(variable, "").strip()
    if not key.isascii() or not key.isprintable():
        raise InputError(f"the environment variable {variable} holds no API key")
    return key or None


def get(endpoint: Endpoint) -> Answer:
    """Return the answer to one GET request, whatever its status.

    Raises:
        ServerError: there is no answer within the limits.
    """

    async def ask() -> Answer:
        async with _client(endpoint) as client:
            return await _ask(client, endpoint, "GET", None)

    return asyncio.run(ask())


def ask_each(
    endpoint: Endpoint,
    jobs: Iterable[Job],
    body: Callable[[Job], Any],
    read: Callable[[Job, Answer], Result],
    done: Callable[[Job, Result], object],
    at_once: int,
) -> None:
    """Post a request for each job, several at once, and retry those that may pass.

    After a failure no new request is sent, but the open ones are waited for.

    Args:
        body: Returns the JSON of a job's request.
        read: Reads an answer with status 200; it raises ServerError if the answer is not usable.
        done: Receives each result as it arrives.

    Raises:
        ServerError: a request failed; `done` has received the results before it.
    """
    failed: list[ServerError] = []
    waiting = iter(jobs)

    async def work(client: Any) -> None:
        for job in waiting:
            if failed:
                return
            try:
                result = await _persist(client, endpoint, body(job), partial(read, job))
            except ServerError as error:
                failed.append(ServerError(str(error), error.may_pass, job))
                return
            done(job, result)

    async def work_all() -> None:
        async with _client(endpoint) as client:
            await asyncio.gather(*(work(client) for _ in range(at_once)))

    asyncio.run(work_all())
    if failed:
        raise failed[0]


async def _persist(
    client: Any, endpoint: Endpoint, body: Any, read: Callable[[Answer], Result]
) -> Result:
    """Return what an answer says; ask again after 0.5, 1, 2, ... seconds if that may help."""
    for attempt in range(endpoint.max_retries + 1):
        if attempt:
            await asyncio.sleep(min(MAX_WAIT_S, 0.5 * 2 ** min(attempt - 1, 9)))
        try:
            answer = await _ask(client, endpoint, "POST", body)
            if answer.status != 200:
                raise _refusal(endpoint, answer)
            return read(answer)
        except ServerError as error:
            if not error.may_pass or attempt == endpoint.max_retries:
                raise
    raise AssertionError("max_retries is negative")


def _client(endpoint: Endpoint) -> Any:
    import httpx2

    headers = {"Accept-Encoding": "identity"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    return httpx2.AsyncClient(
        headers=headers,
        timeout=None,  # `_ask` limits the whole answer
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        trust_env=not is_near(endpoint.url),  # a proxy is not on this machine or network
    )


async def _ask(client: Any, endpoint: Endpoint, method: str, body: Any) -> Answer:
    import httpx2

    started = time.monotonic()
    try:
        async with asyncio.timeout(endpoint.timeout_s):
            status, data = await _follow(client, endpoint, method, body)
    except TimeoutError:
        limit = f"{endpoint.section}.timeout_s={endpoint.timeout_s:g}"
        raise ServerError(f"no complete answer within {limit}") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        said = " ".join(str(error).split())[:MAX_SHOWN]
        name = type(error).__name__
        raise ServerError(f"{name}: {hidden(said, endpoint.key)}" if said else name) from None
    key = endpoint.key or ""
    if len(key) >= MIN_KEY and key.encode() in data + b" " + _unescaped(data):
        raise ServerError("it repeats the API key", may_pass=False)
    return Answer(status, data, time.monotonic() - started)


async def _follow(client: Any, endpoint: Endpoint, method: str, body: Any) -> tuple[int, bytes]:
    """Return status and body of the first answer that is no redirect within the server."""
    import httpx2

    url = httpx2.URL(endpoint.url)
    for _ in range(1 + MAX_REDIRECTS):
        async with client.stream(method, url, json=body) as reply:
            if reply.status_code not in REDIRECTS:
                return reply.status_code, await _body(reply, endpoint.max_bytes)
            target = reply.headers.get("Location", "")
        try:
            to = url.join(target)
        except httpx2.InvalidURL:
            to = httpx2.URL()
        if not target or _origin(to) != _origin(url):
            shown = hidden(repr(target[:MAX_SHOWN]), endpoint.key)
            raise ServerError(f"it redirects to another server, {shown}", may_pass=False)
        url = to
    raise ServerError(f"it redirects more than {MAX_REDIRECTS} times", may_pass=False)


def _origin(url: Any) -> tuple[Any, ...]:
    return url.scheme, url.host, url.port, url.userinfo


async def _body(reply: Any, max_bytes: int) -> bytes:
    if (encoding := reply.headers.get("Content-Encoding", "identity").lower()) != "identity":
        raise ServerError(f"it is compressed, though nobody asked for {encoding[:20]!r}")
    data = bytearray()
    async for chunk in reply.aiter_raw(1 << 16):
        data += chunk
        if len(data) > max_bytes:
            raise ServerError(f"it has more than {max_bytes:,} bytes")
    return bytes(data)


def _refusal(endpoint: Endpoint, answer: Answer) -> ServerError:
    """Return the error for a status that is not 200, with the first words of a body of JSON."""
    status = answer.status
    said = " ".join(answer.body[: 4 * MAX_SHOWN].decode(errors="replace").split())[:MAX_SHOWN]
    message = f"the server refuses the request with status {status}"
    if said.startswith("{"):  # no web page
        message += f", {hidden(repr(said), endpoint.key)}"
    return ServerError(message, may_pass=status >= 500 or status in (408, 429))


def hidden(text: str, key: str | None) -> str:
    """Return a message without the API key.

    >>> hidden("Bearer sk-0123456789 is wrong", "sk-0123456789")
    'Bearer *** is wrong'
    """
    return text.replace(key, "***") if key and len(key) >= MIN_KEY else text


def _unescaped(data: bytes) -> bytes:
    r"""Return JSON without the escapes that an ASCII key could hide behind.

    >>> _unescaped(rb"\u0073k-\/1")
    b'sk-/1'
    """
    return _JSON_ESCAPE.sub(lambda found: bytes([int(found[1], 16)]) if found[1] else b"/", data)
