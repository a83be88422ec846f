"""Serve OpenAI's protocol, with faults on demand, for tests of evaluation.

with serve(answer) as server:
    server.errors = 3          # the next three requests are answered with 503
    server.dies_after = 10     # from the tenth answer on with 500
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.local_http import serving

# Maps a request's body to the text, its tokens and the finish reason.
Answer = Callable[[dict[str, Any]], tuple[str, int, str]]


@dataclass
class Server:
    answer: Answer
    url: str = ""
    errors: int = 0
    dies_after: int | None = None
    seconds: float = 0.0  # Delay before each answer.
    models: list[dict[str, Any]] = field(default_factory=list)  # What /models lists.
    asked: list[dict[str, Any]] = field(default_factory=list)  # Bodies of answered requests.
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextlib.contextmanager
def serve(answer: Answer) -> Iterator[Server]:
    """Serve on a free port of the loopback interface; the url ends in /v1."""
    state = Server(answer)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            listed = {"object": "list", "data": state.models}
            data = json.dumps(listed).encode() if self.path.endswith("/models") else b"{}"
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            time.sleep(state.seconds)
            with state.lock:
                if state.errors:
                    state.errors -= 1
                    self.send_error(503)
                    return
                if state.dies_after is not None and len(state.asked) >= state.dies_after:
                    self.send_error(500)
                    return
                state.asked.append(body)
                text, num_tokens, reason = state.answer(body)
            choice: dict[str, Any] = {"index": 0, "finish_reason": reason}
            if "messages" in body:
                choice["message"] = {"role": "assistant", "content": text}
            else:
                choice["text"] = text
            reply = {"choices": [choice], "usage": {"completion_tokens": num_tokens}}
            data = json.dumps(reply).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with serving(Handler) as port:
        state.url = f"http://127.0.0.1:{port}/v1"
        yield state
