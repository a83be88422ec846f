"""Answer HTTP requests with any bytes, as no server should, on a free port of this machine."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator

# Gets the connection and the path of the request, and sends what it likes.
Answer = Callable[[socket.socket, str], object]


def whole(body: bytes, status: int = 200, *headers: str) -> bytes:
    """Return a well-formed answer."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextlib.contextmanager
def serving_raw(answer: Answer) -> Iterator[tuple[str, list[bytes]]]:
    """Answer each connection once; yield the server's URL and the heads of the requests."""
    heads: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            data = b""
            while b"\r\n\r\n" not in data and (more := connection.recv(1 << 16)):
                data += more
            head, _, body = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            while length and len(body) < int(length[1]) and (more := connection.recv(1 << 16)):
                body += more
            heads.append(head)
            answer(connection, head.split()[1].decode())

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=[listener.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heads
        listener.shutdown(socket.SHUT_RDWR)
