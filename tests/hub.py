"""Serve a folder as a small Hugging Face hub, with faults on demand, for tests that download.

The server supports what the hub's client needs: HEAD and GET of a file at a commit, with headers
for commit, size and digest; redirects of large files to a storage host; byte ranges; and the
listing of a repository. Any token opens a gated repository.

    with serve(folder) as hub:
        hub.cut_after["datasets/org/name/train.jsonl"] = 10_000_000
"""

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.local_http import serving

NUM_BYTES = 256 * 1024  # Size of a written chunk.


def commit_of(repo: str) -> str:
    """Return the only commit of a data set `datasets/org/name` or of a model `org/name`."""
    return hashlib.sha1(repo.encode()).hexdigest()


@dataclass
class Hub:
    """A running hub, its planned faults and the requests it got; keys are paths in the folder."""

    folder: Path
    url: str = ""  # Address for the client's HF_ENDPOINT.
    storage: str = ""  # Large files have another host, as on the real hub.
    gated: set[str] = field(default_factory=set)  # E.g. datasets/org/name.
    moved: set[str] = field(default_factory=set)  # These answer with another commit.
    cut_after: dict[str, int] = field(default_factory=dict)  # Cut once, after this many bytes.
    errors: dict[str, int] = field(default_factory=dict)  # Answer 500 this many times.
    wrong_bytes: set[str] = field(default_factory=set)  # Flip one bit, which changes the sha256.
    extra_bytes: dict[str, int] = field(default_factory=dict)  # Send more than HEAD announces.
    seconds_per_piece: dict[str, float] = field(default_factory=dict)  # Delay each chunk.
    ranges: list[tuple[str, int]] = field(default_factory=list)  # Path and first byte of each GET.
    _digests: dict[str, str] = field(default_factory=dict)

    def sha256(self, name: str) -> str:
        if name not in self._digests:
            data = (self.folder / name).read_bytes()
            self._digests[name] = hashlib.sha256(data).hexdigest()
        return self._digests[name]

    def is_large(self, name: str) -> bool:
        """Return True if the hub stores the file by its sha256 and not in git."""
        num_bytes = (self.folder / name).stat().st_size
        return name.endswith((".parquet", ".safetensors")) or num_bytes > 10_000_000


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[Hub]:
    """Serve a folder with datasets/ORG/NAME/ and ORG/NAME/ as a hub on a free port."""
    hub = Hub(folder)

    class Handler(_Handler):
        pass

    Handler.hub = hub
    with serving(Handler) as port:
        hub.url, hub.storage = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
        yield hub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/storage/"):
            self._send_file(path.removeprefix("/storage/"), {})
        elif found := re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(*found.groups())
        elif found := re.fullmatch(r"/api/(\w+/[^/]+/[^/]+)/(revision|tree)/([^/]+)", path):
            repo, what, revision = found.groups()
            self._list(repo.removeprefix("models/"), what, revision)
        else:
            self._fail(404, "RepoNotFound")

    def _may_read(self, repo: str, revision: str) -> bool:
        """Return True if the client may read the repository; otherwise send the hub's refusal."""
        if not (self.hub.folder / repo).is_dir():
            self._fail(401, "RepoNotFound")  # Missing or private: the real hub does not say.
        elif repo in self.hub.gated and not self.headers["Authorization"]:
            self._fail(401, "GatedRepo")
        elif revision not in ("main", commit_of(repo)):
            self._fail(404, "RevisionNotFound")
        else:
            return True
        return False

    def _resolve(self, repo: str, revision: str, name: str) -> None:
        if not self._may_read(repo, revision):
            return
        path = f"{repo}/{name}"
        if not (self.hub.folder / path).is_file():
            self._fail(404, "EntryNotFound")
            return
        commit = commit_of("elsewhere" if repo in self.hub.moved else repo)
        headers = {"X-Repo-Commit": commit}
        if not self.hub.is_large(path):
            data = (self.hub.folder / path).read_bytes()
            blob = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
            self._send_file(path, headers | {"ETag": f'"{blob}"'})
            return
        headers["X-Linked-Etag"] = f'"{self.hub.sha256(path)}"'
        headers["X-Linked-Size"] = str((self.hub.folder / path).stat().st_size)
        headers["Location"] = f"{self.hub.storage}/storage/{path}"
        self._send(302, headers)

    def _list(self, repo: str, what: str, revision: str) -> None:
        if not self._may_read(repo, revision):
            return
        content: Any = {"id": repo.removeprefix("datasets/"), "sha": commit_of(repo)}
        if what == "tree":
            content = []
            root = self.hub.folder / repo
            for file in sorted(path for path in root.rglob("*") if path.is_file()):
                name, num_bytes = f"{file.relative_to(root)}", file.stat().st_size
                entry: dict[str, Any] = {"type": "file", "path": name, "size": num_bytes}
                entry["oid"] = "0" * 40
                if self.hub.is_large(f"{repo}/{name}"):
                    digest = self.hub.sha256(f"{repo}/{name}")
                    entry["lfs"] = {"oid": digest, "size": num_bytes, "pointerSize": 132}
                content.append(entry)
        self._send(200, {"Content-Type": "application/json"}, json.dumps(content).encode())

    def _send_file(self, name: str, headers: dict[str, str]) -> None:
        data = (self.hub.folder / name).read_bytes()
        if name in self.hub.wrong_bytes:
            data = bytes([data[0] ^ 1]) + data[1:]
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        first = int(wanted[1]) if wanted else 0
        if self.command == "GET":
            data += bytes(self.hub.extra_bytes.get(name, 0))
            self.hub.ranges.append((name, first))
            if self.hub.errors.get(name):
                self.hub.errors[name] -= 1
                self._fail(500, None)
                return
        headers |= {"Accept-Ranges": "bytes", "Content-Length": str(len(data) - first)}
        if wanted:
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        self._send(206 if wanted else 200, headers)
        if self.command == "HEAD":
            return
        last = len(data)
        if name in self.hub.cut_after:
            last = self.hub.cut_after.pop(name)
            self.close_connection = True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # The client was killed.
            for start in range(first, last, NUM_BYTES):
                self.wfile.write(data[start : min(start + NUM_BYTES, last)])
                time.sleep(self.hub.seconds_per_piece.get(name, 0))

    def _send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _fail(self, status: int, code: str | None) -> None:
        self._send(status, {"X-Error-Code": code} if code else {})
