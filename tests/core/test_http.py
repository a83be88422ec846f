"""One client asks every server, and no answer costs more than agreed or learns the API key."""

import gzip
import json
import socket
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathledger.core.errors import InputError
from mathledger.core.http import Answer, Endpoint, ServerError, api_key, ask_each, get
from mathledger.core.replies import ReplyError, read_json, read_reply
from tests.raw_server import serving_raw, whole

pytestmark = pytest.mark.usefixtures("impatient")

KEY = "sk-0123456789abcdef"
GOOD = {"choices": [{"index": 0, "text": "It is 7.", "finish_reason": "stop"}]}


def endpoint(url: str, **changes: Any) -> Endpoint:
    given = {"timeout_s": 0.5, "max_bytes": 1 << 20, "section": "server", "key": KEY}
    return Endpoint(f"{url}/v1", **{**given, **changes})


def ask(url: str, **changes: Any) -> str:
    """Return the text of the reply to one request."""
    found: list[str] = []
    ask_each(
        endpoint(url, **changes),
        ["job"],
        lambda job: {"prompt": job},
        lambda _, answer: read_reply(answer.body, 8, is_chat=False).text,
        lambda _, text: found.append(text),
        2,
    )
    return found[0]


def forever(first: bytes, again: bytes) -> Callable[[socket.socket, str], None]:
    def answer(connection: socket.socket, _: str) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(again)
            time.sleep(0.05)

    return answer


def once(data: bytes) -> Callable[[socket.socket, str], object]:
    return lambda connection, _: connection.sendall(data)


OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "a body of single bytes": forever(OK + b"Content-Length: 100000\r\n\r\n", b" "),
    "chunks of one byte": forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "a header of single bytes": forever(OK + b"X: ", b"x"),
    "a redirect of single bytes": forever(
        b"HTTP/1.1 307 X\r\nLocation: /z\r\nContent-Length: 99999\r\n\r\n", b" "
    ),
    "interim answers": forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "silence": forever(b"", b""),
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS.keys())
def test_an_answer_that_never_ends_costs_the_time_that_was_agreed(answer: Any) -> None:
    started = time.monotonic()
    with serving_raw(answer) as (url, _), pytest.raises(ServerError) as error:
        ask(url, timeout_s=0.25)
    assert time.monotonic() - started < 3
    if "redirect" not in str(error.value):
        assert "no complete answer within server.timeout_s=0.25" in str(error.value)


def flood(head: bytes, part: bytes) -> Callable[[socket.socket, str], None]:
    def answer(connection: socket.socket, _: str) -> None:
        connection.sendall(head)
        for _ in range(200):
            connection.sendall(part)

    return answer


FLOODS = {
    "a long body": flood(OK + b"\r\n", b" " * (1 << 20)),
    "a long chunked body": flood(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    ),
    "a long header": flood(OK + b"X: ", b"x" * (1 << 20)),
    "many headers": flood(OK, b"X: 1\r\n" * 10_000),
    "a bomb": once(
        whole(gzip.compress(b" " * (100 << 20)), 200, "Content-Encoding: gzip")
    ),
    "a compressed reply": once(
        whole(gzip.compress(json.dumps(GOOD).encode()), 200, "Content-Encoding: gzip")
    ),
}  # fmt: skip


@pytest.mark.parametrize("answer", FLOODS.values(), ids=FLOODS.keys())
def test_an_answer_takes_no_more_memory_than_was_agreed(answer: Any) -> None:
    with serving_raw(answer) as (url, heads), pytest.raises(ServerError) as error:
        get(endpoint(url, timeout_s=20))  # imports what it needs
        tracemalloc.start()
        try:
            ask(url, timeout_s=20)
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < 40 << 20
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    assert b"accept-encoding: identity" in heads[0].lower()


BROKEN = {
    "a cut body": OK + b"Content-Length: 99\r\n\r\n{",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a bad chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "a NUL in a header": OK + b"X: \0\x1b[2J\r\n\r\n{}",
    "no HTTP": b"hello\n",
    "nothing": b"",
    "another protocol": b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
    "an error": whole(json.dumps({"error": {"message": f"\x1b[2J {KEY}"}}).encode()),
    "an error with a status": whole(f"\x1b[2J\n {KEY}".encode(), 500),
    "the key in a header": OK + KEY.encode() + b"\r\n\r\n",
    "the key in a redirect": whole(b"", 307, f"Location: http://evil.example/{KEY}"),
    "an empty redirect": whole(b"", 307, "Location: "),
    "a redirect to no address": whole(b"", 307, "Location: http://[::1"),
    "a redirect with a user": whole(b"", 307, "Location: http://me:pw@127.0.0.1/"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_answer_is_one_line_without_the_key(data: bytes) -> None:
    with serving_raw(once(data)) as (url, _), pytest.raises(ServerError) as error:
        ask(url)
    message = str(error.value)
    assert message.isprintable() and len(message) < 500 and KEY not in message


@pytest.mark.parametrize("hide", [lambda text: text, lambda text: text.replace("s", "\\u0073")])
def test_a_reply_that_repeats_the_key_is_not_stored(hide: Callable[[str], str]) -> None:
    choice = {"index": 0, "text": f"your key is {KEY}", "finish_reason": "stop"}
    body = hide(json.dumps({"choices": [choice]})).encode()
    with serving_raw(once(whole(body))) as (url, _):
        with pytest.raises(ServerError, match="it repeats the API key"):
            ask(url)
        assert KEY in ask(url, key=None)
        assert KEY in ask(url, key="key")  # such a short one is no secret


def test_cookies_are_not_sent_back() -> None:
    answer = whole(json.dumps(GOOD).encode(), 200, "Set-Cookie: a=b; Path=/")
    with serving_raw(once(answer)) as (url, heads):
        ask_each(endpoint(url, timeout_s=20), "ab", str, lambda *_: None, lambda *_: None, 1)
    assert len(heads) == 2 and b"cookie" not in heads[1].lower()


def test_a_server_nearby_is_asked_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving_raw(once(whole(json.dumps(GOOD).encode()))) as (url, _):
        assert ask(url) == "It is 7."


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_asked_again(status: int) -> None:
    replies = iter([whole(b"", status, "Retry-After: 100000"), whole(json.dumps(GOOD).encode())])
    with serving_raw(lambda connection, _: connection.sendall(next(replies))) as (url, heads):
        assert ask(url, max_retries=1) == "It is 7."
    assert len(heads) == 2


@pytest.mark.parametrize("status", [204, 304, 400, 401, 404])
def test_what_will_not_pass_is_asked_once(status: int) -> None:
    data = whole(b"", status)
    with serving_raw(once(data)) as (url, heads), pytest.raises(ServerError, match=str(status)):
        ask(url, max_retries=3)
    assert len(heads) == 1


def test_after_a_failure_open_requests_are_kept_and_no_new_ones_sent() -> None:
    def answer(connection: socket.socket, _: str) -> None:
        is_first = len(heads) == 1
        time.sleep(0 if is_first else 0.2)
        connection.sendall(whole(b"", 400) if is_first else whole(json.dumps(GOOD).encode()))

    found: list[tuple[int, Answer]] = []
    with serving_raw(answer) as (url, heads), pytest.raises(ServerError) as error:
        ask_each(
            endpoint(url, timeout_s=20),
            range(9),
            str,
            lambda _, it: it,
            lambda *pair: found.append(pair),
            2,
        )
    assert error.value.job in (0, 1) and len(found) == 1 and len(heads) == 2


def test_an_error_of_the_receiver_is_passed_on() -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with serving_raw(once(whole(json.dumps(GOOD).encode()))) as (url, _), pytest.raises(OSError):
        ask_each(endpoint(url, timeout_s=20), range(9), str, lambda *_: None, full, 2)


@pytest.mark.parametrize("value", ["sk-\u00e9", "sk\nX: 1", "sk\x00"])
def test_a_key_that_no_header_can_hold_is_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "\x00" not in value:  # no environment holds it
        monkeypatch.setenv("A_KEY", value)
        with pytest.raises(InputError, match="A_KEY holds no API key"):
            api_key("A_KEY")
    monkeypatch.setenv("A_KEY", f" {KEY}\n")
    assert api_key("A_KEY") == KEY


NOT_JSON = [
    b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1e999}', b'{"a": 1, "a": 2}', b"", b"{", b"{}x",
    '{"a": 1}'.encode("utf-16"), b'"\xff"', b'"\xed\xa0\x80"', b"[" * 200_000, b"9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("body", NOT_JSON)
def test_only_strict_json_is_read(body: bytes) -> None:
    with pytest.raises(ReplyError) as error:
        read_json(body)
    assert str(error.value).isprintable()


TREE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(TREE)
@settings(max_examples=50)
def test_json_is_read_as_it_was_written(tree: Any) -> None:
    assert read_json(json.dumps(tree).encode()) == tree


@pytest.mark.parametrize(
    "choices",
    [
        GOOD["choices"] * 2,
        [{**GOOD["choices"][0], "index": 1}],
        [{**GOOD["choices"][0], "index": "0"}],
        [[]],
        {"0": GOOD["choices"][0]},
    ],
)
def test_a_reply_has_the_one_choice_that_was_asked_for(choices: Any) -> None:
    with pytest.raises(ReplyError):
        read_reply(json.dumps({"choices": choices}).encode(), 8, is_chat=False)
    deep = b'{"choices":' + b"[" * 800 + b"]" * 800 + b"}"
    with pytest.raises(ReplyError):
        read_reply(deep, 8, is_chat=False)
