"""A signature covers every file of a folder, whatever it is called, and nothing can be added."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mathledger import release, signing
from mathledger.core.errors import InputError

pytest.importorskip("model_signing")
ADDED = [
    ".gitattributes",
    ".gitignore",
    ".git/config",
    ".github/x.yml",
    "sub/.git/hooks/y",
    "a b",
    ".hidden",
]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("key")
    make = "openssl ecparam -name prime256v1 -genkey -noout -out one.pem"
    command = f"{make} && openssl ec -in one.pem -pubout -out one.pub"
    subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    (path / "adapter").mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"weights")
    (path / "adapter/config.json").write_bytes(b"{}")
    return path


def sign(folder: Path, key: Path, **ignored: object) -> Path:
    signature = folder.parent / "model.sig"
    config = signing.signing_config(signing.Key(key / "one.pem"))
    if ignored:
        config._hashing_config.set_ignored_paths(**ignored)
    signing.sign(folder, signature, config)
    return signature


def add(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("x")


@pytest.mark.parametrize("target", ["..", ".", "adapter"])
def test_a_link_to_a_folder_that_was_added_is_named(folder: Path, key: Path, target: str) -> None:
    signature = sign(folder, key)
    (folder / "code").symlink_to(target)
    (found,) = signing.mismatches(folder, signature, signing.Key(key / "one.pub"))
    assert "code is not covered by the signature" in found


@pytest.mark.parametrize("name", ADDED)
@pytest.mark.parametrize("ignored", [{}, {"paths": [], "ignore_git_paths": True}], ids=["", "old"])
def test_a_file_that_was_added_is_named(
    folder: Path, key: Path, name: str, ignored: dict[str, object]
) -> None:
    """Older signatures, made with the library's defaults, list git's files as ignored."""
    signature = sign(folder, key, **ignored)
    verifier = signing.Key(key / "one.pub")
    assert signing.mismatches(folder, signature, verifier) == []
    add(folder, name)
    (line,) = signing.mismatches(folder, signature, verifier)
    assert name in line


@pytest.mark.parametrize("name", ADDED)
def test_files_of_any_name_are_signed(folder: Path, key: Path, name: str) -> None:
    add(folder, name)
    signature = sign(folder, key)
    verifier = signing.Key(key / "one.pub")
    assert signing.mismatches(folder, signature, verifier) == []
    (folder / name).write_text("y")
    assert signing.mismatches(folder, signature, verifier) == [
        f"{signature}: {name} is not the file that was signed"
    ]
    (folder / name).unlink()
    assert signing.mismatches(folder, signature, verifier)


def test_a_signature_that_ignores_files_does_not_cover_them(folder: Path, key: Path) -> None:
    signature = sign(folder, key, paths=["model.safetensors"], ignore_git_paths=False)
    (line,) = signing.mismatches(folder, signature, signing.Key(key / "one.pub"))
    assert "model.safetensors is not covered by the signature" in line


@pytest.mark.parametrize("to", ["elsewhere", "nowhere"])
def test_a_link_to_a_folder_is_not_passed_over(tmp_path: Path, to: str) -> None:
    for folder in ("data/model/base", "model_card", "elsewhere"):
        add(tmp_path / folder, f"{folder[:4]}.txt")
    (tmp_path / "data/model/base/more").symlink_to(tmp_path / to)
    settings = {"evaluated_models": ["base"], "model_card": {"name": "m"}}
    chain: Any = SimpleNamespace(at=tmp_path, params=settings)
    wanted = pytest.raises(InputError, match="data/model/base/more is a link to no file")
    with wanted, release.published(chain):
        pass
