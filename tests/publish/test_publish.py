"""The hub gets complete, verified results without private text, or nothing at all."""

import base64
import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from mathledger import publish, signing
from mathledger.chain.chain import Chain
from mathledger.cli import main
from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_json
from mathledger.core.hashing import sha256
from mathledger.core.tables import read_rows
from mathledger.verify import links
from tests.conftest import Workspace
from tests.local_http import serving
from tests.publish.test_attest import make_key


@dataclass
class Hub:
    """A hub that supports the upload protocol: create, preupload, LFS, commit."""

    url: str = ""
    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)  # Content by name and path.
    blobs: dict[str, bytes] = field(default_factory=dict)  # LFS files by sha256.
    refuse: bool = False


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def answer(self, content: Any, status: int = 200) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_PUT(self) -> None:
            state.blobs[self.path.rsplit("/", 1)[1]] = self.body()
            self.answer({})

        def do_POST(self) -> None:
            body = self.body()
            if state.refuse:
                return self.answer({"error": "Invalid user token."}, 401)
            parts = self.path.strip("/").split("/")
            if self.path == "/api/repos/create":
                wanted = json.loads(body)
                name = f"{wanted['organization']}/{wanted['name']}"
                state.repos.setdefault(name, {})
                return self.answer({"url": f"{state.url}/{name}", "name": name, "id": name})
            if self.path == "/api/validate-yaml":
                return self.answer({"errors": [], "warnings": []})
            if self.path.endswith("/preupload/main"):
                files = json.loads(body)["files"]
                modes = [
                    {
                        "path": each["path"],
                        "uploadMode": "lfs" if each["path"].endswith(LARGE) else "regular",
                        "shouldIgnore": False,
                    }
                    for each in files
                ]
                return self.answer({"files": modes})
            if self.path.endswith("/info/lfs/objects/batch"):
                objects = [
                    {**each, "actions": {"upload": {"href": f"{state.url}/lfs/{each['oid']}"}}}
                    for each in json.loads(body)["objects"]
                ]
                return self.answer({"transfer": "basic", "objects": objects})
            if self.path.endswith("/commit/main"):
                repo = state.repos["/".join(parts[2:4])]
                for line in map(json.loads, body.splitlines()):
                    value = line["value"]
                    if line["key"] == "file":
                        repo[value["path"]] = base64.b64decode(value["content"])
                    elif line["key"] == "lfsFile":
                        repo[value["path"]] = state.blobs[value["oid"]]
                kind = "" if parts[1] == "models" else f"{parts[1]}/"
                url = f"{state.url}/{kind}{'/'.join(parts[2:4])}/commit/{'0' * 40}"
                return self.answer({"success": True, "commitOid": "0" * 40, "commitUrl": url})
            return self.answer({"error": self.path}, 404)

        def do_GET(self) -> None:
            self.answer({"error": self.path}, 404)

    from huggingface_hub import HfApi

    monkeypatch.setattr("huggingface_hub.HfApi", lambda: HfApi(endpoint=state.url, token="hf_x"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    with serving(Handler) as port:
        state.url = f"http://127.0.0.1:{port}"
        yield state


LARGE = (".safetensors", ".parquet", ".png")


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every link of `verify` pass; other tests cover what it finds."""
    monkeypatch.setattr(links, "LINKS", [])


@pytest.mark.usefixtures("verified")
def test_what_is_uploaded_is_the_folder_which_carries_the_signature(
    smoke: Workspace, tmp_path: Path, hub: Hub
) -> None:
    make_key(tmp_path, "one")
    key, signature = str(tmp_path / "one.pem"), str(tmp_path / "model.sig")
    with contextlib.chdir(smoke.path):
        assert not main(["attest", "--private-key", key, "--signature", signature])
        out = ["publish", str(tmp_path / "out"), "--upload", "org/name", "--signature", signature]
        assert not main([*out, "--public-key", str(tmp_path / "one.pub")])
    for part, repo in (("model", "org/name"), ("results", "org/name-results")):
        folder = tmp_path / "out" / part
        written = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and ".cache" not in path.parts
        }
        assert hub.repos[repo] == written
    assert {"model.safetensors", "README.md", "ledger.json", "model.sig"} <= set(
        hub.repos["org/name"]
    )
    ledger = read_json(smoke.path / "model_card/ledger.json")["predicate"]
    for entry in ledger["benchmarks"]:
        for model, score in entry["models"].items():
            data = hub.repos["org/name-results"][f"{entry['benchmark']}/{model}.parquet"]
            assert hashlib.sha256(data).hexdigest() == score["samples_sha256"]


@pytest.mark.usefixtures("verified")
def test_the_published_folder_is_checked_without_this_project(
    smoke: Workspace, tmp_path: Path
) -> None:
    """OpenSSF's own verifier needs only the folder, the signature in it and the key."""
    from model_signing import verifying

    make_key(tmp_path, "one")
    signature = tmp_path / "model.sig"
    with contextlib.chdir(smoke.path):
        key = str(tmp_path / "one.pem")
        assert not main(["attest", "--private-key", key, "--signature", str(signature)])
        out = ["publish", str(tmp_path / "out"), "--signature", str(signature)]
        assert not main([*out, "--public-key", str(tmp_path / "one.pub")])
    folder = tmp_path / "out" / "model"
    config = signing.hashing_config().set_ignored_paths(paths=[folder / "model.sig"])
    checker = verifying.Config().use_elliptic_key_verifier(public_key=tmp_path / "one.pub")
    checker.set_hashing_config(config).verify(folder, folder / "model.sig")
    (folder / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"config\.json"):
        checker.verify(folder, folder / "model.sig")
    shutil.copyfile(smoke.path / "data/model/tuned/config.json", folder / "config.json")
    checker.verify(folder, folder / "model.sig")
    leaderboard = folder / ".eval_results"
    (result,) = leaderboard.iterdir()
    stated = result.read_text()
    for path, text in ((result, stated.replace("value: ", "value: 1")), (ADDED, stated)):
        (leaderboard / path).write_text(text)
        with pytest.raises(ValueError, match=Path(path).name):
            checker.verify(folder, folder / "model.sig")
        result.write_text(stated)


ADDED = "aime26.yaml"


def test_the_results_dataset_loads(smoke: Workspace, tmp_path: Path) -> None:
    from huggingface_hub import DatasetCard

    with contextlib.chdir(smoke.path):
        publish.write_results(tmp_path / "results", Chain.open(), {})
    data = DatasetCard.load(tmp_path / "results" / "README.md").data
    assert data.license == "apache-2.0"
    for config in data.configs:
        for each in config["data_files"]:
            rows = read_rows(tmp_path / "results" / each["path"])
            assert rows and {"response", "verdict", "seed"} <= set(rows[0])


def test_what_does_not_verify_is_not_published(
    smoke_copy: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(links, "LINKS", [each for each in links.LINKS if each.name == "commit"])
    (smoke_copy.path / "Makefile").write_text("all:\n")
    with contextlib.chdir(smoke_copy.path):
        assert main(["publish", str(tmp_path / "out")]) == 2
    assert "verification failed, so nothing was published" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("verified")
def test_a_private_text_in_any_file_is_found_and_nothing_is_left(
    smoke_copy: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A response in another benchmark's results repeats the private text."""
    folder = smoke_copy.path / "data/download_benchmark/tiny_chain_sum"
    with contextlib.chdir(smoke_copy.path):
        chain = Chain.open()
        out = tmp_path / "out"
        publish.write_results(out / "results", chain, {})
        publish.refuse_private_texts(out, publish.private_benchmarks(chain))  # Nothing is private.
        chain.params["benchmark"]["tiny_chain_sum"]["source"]["private"] = True
        item = read_rows(folder / "items.parquet")[0]
        note = out / "results" / "notes.json"
        write_json(note, {"text": f"we saw {item['problem']} there"})
        with pytest.raises(InputError, match=rf"notes.json holds the text of item {item['id']}"):
            publish.refuse_private_texts(out, publish.private_benchmarks(chain))
        assert not out.exists()
        publish.write_results(out, chain, publish.private_benchmarks(chain))
    assert not list(out.rglob("*.parquet"))
    assert "tiny_chain_sum" in (out / "README.md").read_text()


@pytest.mark.usefixtures("verified")
def test_an_upload_that_is_refused_leaves_the_folder_whole(
    smoke: Workspace, tmp_path: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.refuse = True
    with contextlib.chdir(smoke.path):
        assert main(["publish", str(tmp_path / "out"), "--upload", "org/name"]) == 2
    error = capsys.readouterr().err
    assert "org/name could not be uploaded" in error and "hf auth login" in error
    assert sha256(tmp_path / "out/model/README.md") == sha256(smoke.path / "model_card/README.md")


def test_a_licence_that_is_not_known_and_a_folder_that_exists_are_refused(
    smoke_copy: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = smoke_copy.path / "model_card/ledger.json"
    content = read_json(path)
    content["predicate"]["licence"]["unknown"] = ["web"]
    write_json(path, content)
    with contextlib.chdir(smoke_copy.path):
        assert main(["publish", str(tmp_path / "out")]) == 2
        assert "the licence of web is unknown" in capsys.readouterr().err
        assert main(["publish", str(tmp_path)]) == 2
        assert f"{tmp_path} exists: name a new folder" in capsys.readouterr().err
    shutil.rmtree(smoke_copy.path / "model_card")
