"""Nothing that an evaluation server sends is trusted."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mathledger.core.configuration import check
from mathledger.core.errors import InputError
from mathledger.core.replies import Reply, ReplyError, read_reply
from mathledger.evaluation.engines.engine import Limits, Request, Response, fault
from mathledger.evaluation.engines.server import Client
from mathledger.evaluation.responses import Store
from mathledger.evaluation.served import software_version
from mathledger.evaluation.settings import Params, Server
from mathledger.evaluation.store_key import decides
from mathledger.run import params
from tests.local_http import serving

LIMITS = Limits(8, [])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CHOICE = st.fixed_dictionaries(
    {"index": JSON}, optional={"text": JSON, "finish_reason": JSON, "message": JSON}
)
REPLY = st.fixed_dictionaries(
    {},
    optional={
        "choices": JSON | st.lists(CHOICE),
        "usage": JSON | st.fixed_dictionaries({}, optional={"completion_tokens": JSON}),
    },
)


def reply(text: Any = "It is 7.", reason: Any = "stop", tokens: Any = 5) -> dict[str, Any]:
    return {
        "choices": [{"text": text, "finish_reason": reason}],
        "usage": {"completion_tokens": tokens},
    }


@given(REPLY | JSON, st.booleans())
@example(reply(), False)
def test_any_reply_is_read_or_refused(content: Any, is_chat: bool) -> None:
    try:
        got = read_reply(json.dumps(content).encode(), 8, is_chat=is_chat)
    except ReplyError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
        return
    assert type(got.text) is str and type(got.finish_reason) is str
    assert got.num_tokens is None or (type(got.num_tokens) is int and got.num_tokens <= 8)
    assert got.thinking is None or (type(got.thinking) is str and got.thinking and is_chat)


@given(st.binary(max_size=50))
@example(b"[" * 200_000)
@example(b"\xff\xfe{}")
@example(b"9" * 5000)
@example(b"<html>login</html>")
def test_any_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(ReplyError):
        read_reply(body, 8, is_chat=False)


@pytest.mark.parametrize("is_chat", [True, False])
def test_a_reply_without_a_text_is_no_empty_response(is_chat: bool) -> None:
    """Otherwise a server of another protocol would make a model answer every item wrongly."""
    usage = {"completion_tokens": 5}
    for choice in ({}, {"message": {}}, {"message": {"refusal": "no"}}, {"text": None}):
        content = {"choices": [{"index": 0, "finish_reason": "stop", **choice}], "usage": usage}
        with pytest.raises(ReplyError):
            read_reply(json.dumps(content).encode(), 8, is_chat=is_chat)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(st.builds(Response, *[VALUES] * 6))
def test_what_is_stored_is_what_a_model_can_give(response: Response) -> None:
    if fault(response) is None:
        (response.text + (response.thinking or "")).encode()
        assert response.finish_reason in ("stop", "length") and response.num_tokens >= 0


def sound(text: str = "7", **changed: Any) -> dict[str, Any]:
    row = {"key": "k", "text": text, "num_tokens": 1, "finish_reason": "stop", "seconds": 0.1}
    return row | changed


BAD_ROWS = [
    sound(num_tokens=-5), sound(num_tokens="five"), sound(num_tokens=True),
    sound(finish_reason=None), sound(finish_reason="too_long"), sound(finish_reason=["stop"]),
    sound(text=5), sound(text="\ud83d"), sound(seconds="1"), sound(seconds=-1),
    sound(thinking=5), sound(thinking="\ud83d"), sound(num_thinking_tokens=2),
    sound(num_thinking_tokens=True), sound(key=3), sound(more=1), {"key": "k"}, {}, [], 5,
    None, "text",
]  # fmt: skip


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("answer", ["It is 7.", None])
def test_a_chat_server_may_give_the_thinking_apart(key: str, answer: str | None) -> None:
    content = {
        "choices": [{"message": {"content": answer, key: "3 + 4"}, "finish_reason": "length"}],
        "usage": {"completion_tokens": 8, "completion_tokens_details": {"reasoning_tokens": 3}},
    }
    got = read_reply(json.dumps(content).encode(), 8, is_chat=True)
    assert got == Reply(answer or "", 8, "length", "3 + 4", 3)
    content["choices"][0]["message"][key] = ["3 + 4"]
    with pytest.raises(ReplyError, match=f"{key} is .*, not of type str"):
        read_reply(json.dumps(content).encode(), 8, is_chat=True)


@pytest.mark.parametrize("row", BAD_ROWS, ids=str)
def test_a_bad_stored_response_is_generated_again(tmp_path: Path, row: Any) -> None:
    lines = [json.dumps(row), json.dumps(sound(key="good")), "{", "\0\0\0", "NaN"]
    (tmp_path / "responses-0.jsonl").write_text("\n".join(lines))
    assert Store(tmp_path).responses.keys() == {"good"}


# ------------------------------------------------------------------------ over the wire


@contextlib.contextmanager
def serve(answer: Any) -> Iterator[tuple[str, list[str]]]:
    """Serve bytes, a redirect or a stream; yield the URL and the list of requested paths."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.path)
            content = answer(self.path)
            is_redirect = isinstance(content, str)
            self.send_response(307 if is_redirect else 200)
            self.send_header("Location", content if is_redirect else "")
            data = b"" if is_redirect else content
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(data)

    with serving(Handler) as port:
        yield f"http://127.0.0.1:{port}", asked


def ask(url: str, monkeypatch: pytest.MonkeyPatch, *, max_retries: int = 0) -> list[Response]:
    """Ask for one response with a client whose payload is not the harness's."""
    server = Server(f"{url}/v1/completions", "m", None, max_retries, 5)
    settings = replace(params.load("evaluate", Params), backend="local-completions", server=server)
    harness = SimpleNamespace(header={}, _seed=1, _create_payload=lambda message, **_: {})
    monkeypatch.setattr(Client, "_harness_client", lambda self: harness)
    client = Client(settings, server, Path("m"), None)
    found: list[Response] = []
    request = Request("an-item", 0, [], "", [1], None)
    client.answer([request], LIMITS, lambda pairs: found.extend(each for _, each in pairs))
    return found


def test_a_good_reply_is_a_response(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(lambda path: json.dumps(reply()).encode()) as (url, _):
        (response,) = ask(url, monkeypatch)
    assert (response.text, response.num_tokens, response.finish_reason) == ("It is 7.", 5, "stop")


BAD = {
    "a negative count": reply(tokens=-1000),
    "too many tokens": reply(tokens=9),
    "none for a text": reply(tokens=0),
    "another finish reason": reply(reason="content_filter"),
    "ours": reply(reason="too_long"),
    "half a pair": reply(text="\ud83d"),
    "a list": [],
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_a_bad_reply_is_one_line_and_is_not_stored(
    content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = pytest.raises(InputError, match=r"item an-item: the reply does not follow")
    with serve(lambda path: json.dumps(content).encode()) as (url, asked), wanted as error:
        ask(url, monkeypatch)
    assert "\n" not in str(error.value) and len(asked) == 1


@pytest.mark.usefixtures("impatient")
def test_a_reply_that_is_good_at_the_second_try_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = iter([b"<html>", json.dumps(reply()).encode()])
    with serve(lambda path: next(replies)) as (url, asked):
        assert len(ask(url, monkeypatch, max_retries=1)) == 1
    assert len(asked) == 2


def test_prompts_go_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(lambda path: json.dumps(reply()).encode()) as (other, asked):
        targets = [
            f"{other}/v1",
            f"{other.replace('127.0.0.1', 'localhost')}/v1",
            "file:///etc/passwd",
        ]
        for target in [*targets, "//other.example/x", "https://127.0.0.1/v1"]:
            with serve(lambda path, to=target: to) as (url, first):
                with pytest.raises(InputError, match="it redirects to another server"):
                    ask(url, monkeypatch)
                assert len(first) == 1
    assert asked == []


def test_redirects_within_the_server_are_followed_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = json.dumps(reply()).encode()
    with serve(lambda path: good if path.endswith("/") else f"{path}/") as (url, asked):
        assert len(ask(url, monkeypatch)) == 1
    assert asked == ["/v1/completions", "/v1/completions/"]
    wanted = pytest.raises(InputError, match="it redirects more than 3 times")
    with serve(lambda path: path) as (url, asked), wanted:
        ask(url, monkeypatch)
    assert len(asked) == 4


def test_a_reply_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = pytest.raises(InputError, match="it has more than 4,196,352 bytes")
    with serve(lambda path: b" " * (5 << 20)) as (url, _), wanted:
        ask(url, monkeypatch)


@pytest.mark.parametrize("url", ["ftp://host/v1", "host:8000/v1", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must start with http"):
        Server(url, None, None, 1, 1)


def test_an_address_with_a_password_is_refused() -> None:
    server = {"base_url": "http://me:Pa55word@host/v1", "model": None, "software": None}
    content = {"server": server | {"max_retries": 1, "timeout_s": 5}}
    with pytest.raises(InputError, match="set OPENAI_API_KEY instead") as error:
        check("evaluate", content, Params)
    assert "Pa55word" not in str(error.value)


@pytest.mark.parametrize(
    ("software", "path", "said", "version"),
    [
        ("vllm", "/version", {"version": "0.30.0"}, "0.30.0"),
        ("sglang", "/get_server_info", {"version": "0.6.0", "tp_size": 1}, "0.6.0"),
        ("llama.cpp", "/props", {"build_info": "b9000-abc"}, "b9000-abc"),
        ("vllm", "/version", ["0.30.0"], None),
        ("vllm", "/other", {"version": "0.30.0"}, None),
        (None, "/version", {"version": "0.30.0"}, None),
    ],
)
def test_a_servers_software_tells_its_version(
    software: Any, path: str, said: Any, version: str | None
) -> None:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            data = json.dumps(said).encode()
            self.send_response(200 if self.path == path else 404)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with serving(Handler) as port:
        url = f"http://127.0.0.1:{port}/v1/completions"
        server = Server(url, None, software, 0, 5)
        given = {f"evaluate.server.{key}": value for key, value in asdict(server).items()}
        key = decides(Path("m"), {"m": "0"}, {**given, "evaluate.backend": "local-completions"})
        assert software_version(server) == key["server"] == version
    assert software_version(server) is None  # it does not answer any more
