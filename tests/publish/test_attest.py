"""A signature is valid only for the signed files and the key that signed them."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest

from mathledger import signing
from mathledger.chain.chain import Chain
from mathledger.cli import main
from mathledger.signing import Authorities, Key
from mathledger.verify import links
from mathledger.verify.options import Signature, VerifyOptions
from mathledger.verify.project import Project
from mathledger.verify.signature import signature as check_signature
from tests.conftest import Workspace


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_key(folder: Path, name: str) -> None:
    """Write a key pair, name.pem and name.pub."""
    key = folder / f"{name}.pem"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl("ec", "-in", key, "-pubout", "-out", folder / f"{name}.pub")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two keys, and a key with a certificate from a test authority."""
    folder = tmp_path_factory.mktemp("keys")
    make_key(folder, "one")
    make_key(folder, "other")
    make_key(folder, "root")
    subject = ("-subj", "/CN=mathledger test root", "-days", "30")
    openssl("req", "-x509", "-new", "-key", folder / "root.pem", "-out", folder / "root.crt",
            *subject, "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    openssl("req", "-new", "-key", folder / "one.pem", "-out", folder / "one.csr",
            "-subj", "/CN=mathledger test signer")  # fmt: skip
    (folder / "one.ext").write_text(
        "keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n"
        "basicConstraints=CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    openssl("x509", "-req", "-in", folder / "one.csr", "-CA", folder / "root.crt", "-CAkey",
            folder / "root.pem", "-CAcreateserial", "-out", folder / "one.crt", "-days", "30",
            "-extfile", folder / "one.ext")  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def signed(
    smoke: Workspace, keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Workspace, Path]:
    """Return the smoke project, signed with the key `one`."""
    signature = tmp_path_factory.mktemp("signed") / "model.sig"
    with contextlib.chdir(smoke.path):
        assert not sign(keys, signature)
    return smoke, signature


def sign(keys: Path, signature: Path, *more: str) -> int:
    """Sign the project in the current folder with the key `one`; return the exit status.

    Signing requires that the project verifies, which other tests cover.
    """
    key = f"{keys}/one.pem"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(links, "LINKS", [])
        return main(["attest", "--private-key", key, "--signature", str(signature), *more])


def reasons(top: Path, signature: Path, verifier: signing.Verifier) -> list[str]:
    """Return the reasons why a signature is invalid."""
    with contextlib.chdir(top):
        options = VerifyOptions(signature=Signature(signature, verifier))
        return list(check_signature(Project(Chain.open(), options)))


def test_a_signature_holds_for_its_key_and_no_other(
    signed: tuple[Workspace, Path], keys: Path
) -> None:
    project, signature = signed
    assert not reasons(project.path, signature, Key(keys / "one.pub"))
    (text,) = reasons(project.path, signature, Key(keys / "other.pub"))
    assert "Key mismatch" in text


def test_a_certificate_holds_for_its_authority_and_no_other(
    smoke: Workspace, keys: Path, tmp_path: Path
) -> None:
    signature = tmp_path / "model.sig"
    with contextlib.chdir(smoke.path):
        chain = ("--certificate", f"{keys}/one.crt", "--certificate-chain", f"{keys}/root.crt")
        assert not sign(keys, signature, *chain)
    assert not reasons(smoke.path, signature, Authorities((keys / "root.crt",)))
    assert reasons(smoke.path, signature, Authorities((keys / "one.crt",)))


@pytest.mark.parametrize("name", ["model_card/README.md", "data/model/tuned/model.safetensors"])
def test_a_changed_file_is_named(
    signed: tuple[Workspace, Path], keys: Path, tmp_path: Path, name: str
) -> None:
    project, signature = signed
    top = published_copy(project, tmp_path)
    data = bytearray((top / name).read_bytes())
    data[len(data) // 2] ^= 1
    (top / name).unlink()
    (top / name).write_bytes(data)
    (text,) = reasons(top, signature, Key(keys / "one.pub"))
    assert text == f"{signature}: {Path(name).name} is not the file that was signed"


def test_a_file_that_was_added_or_removed_is_found(
    signed: tuple[Workspace, Path], keys: Path, tmp_path: Path
) -> None:
    project, signature = signed
    top = published_copy(project, tmp_path)
    (top / "data/model/tuned/more.bin").write_bytes(b"x")
    assert reasons(top, signature, Key(keys / "one.pub"))
    (top / "data/model/tuned/more.bin").unlink()
    (top / "model_card/report.html").unlink()
    assert reasons(top, signature, Key(keys / "one.pub"))


def test_a_signature_of_another_result_does_not_hold_here(
    signed: tuple[Workspace, Path], keys: Path, tmp_path: Path
) -> None:
    """A replayed signature has the right key but belongs to other results."""
    project, signature = signed
    top = published_copy(project, tmp_path)
    ledger = top / "model_card/ledger.json"
    ledger.write_text(ledger.read_text().replace('"num_correct": 0', '"num_correct": 1', 1))
    new = tmp_path / "new.sig"
    with contextlib.chdir(top):
        assert not sign(keys, new)
    assert not reasons(top, new, Key(keys / "one.pub"))
    for at, other in ((top, signature), (project.path, new)):
        named = [
            each.removeprefix(f"{other}: ") for each in reasons(at, other, Key(keys / "one.pub"))
        ]
        assert "ledger.json is not the file that was signed" in named


def published_copy(project: Workspace, tmp_path: Path) -> Path:
    """Copy the signed files and the files that refer to them."""
    top = tmp_path / "project"
    for name in ("model_card", "data/model/tuned", "lineage/evaluate"):
        shutil.copytree(project.path / name, top / name)
    for name in ("dvc.yaml", "params.yaml", "dvc.lock"):
        shutil.copy(project.path / name, top / name)
    subprocess.run(["git", "init", "--quiet", top], check=True)
    return top


def test_what_does_not_verify_is_not_signed(
    smoke_copy: Workspace, keys: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Here the card says more than its ledger."""
    monkeypatch.setattr(links, "LINKS", [each for each in links.LINKS if each.name == "card"])
    card = smoke_copy.path / "model_card/README.md"
    card.write_text(card.read_text().replace("## Scores", "## Scores\n\nAIME: 97%"))
    arguments = ["attest", "--private-key", f"{keys}/one.pem", "--signature", f"{tmp_path}/s.sig"]
    with contextlib.chdir(smoke_copy.path):
        assert main(arguments) == 2
    printed = capsys.readouterr()
    assert "97 is not in the ledger" in printed.out and "nothing was signed" in printed.err
    assert not (tmp_path / "s.sig").exists()


def test_a_key_of_another_kind_is_refused_in_one_line(
    smoke: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    openssl("genrsa", "-out", tmp_path / "rsa.pem", "2048")
    with contextlib.chdir(smoke.path):
        assert main(["attest", "--private-key", f"{tmp_path}/rsa.pem"]) == 2
    error = capsys.readouterr().err
    assert "rsa.pem cannot sign" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["attest", "--private-key", "none.pem"], "none.pem does not exist: name a private key"),
        (["attest", "--private-key", "README.md"], "README.md cannot sign"),
        (["verify", "--signature"], "a signature proves nothing without its signer"),
        (["verify", "--public-key", "README.md"], "add --signature FILE"),
        (["verify", "--signature", "--public-key", "no.pub"], "no.pub does not exist: name a key"),
        (["attest", "--private-key", "README.md", "--signature", "docs"], "docs is a folder"),
        (["verify", "--signature", "--public-key", "a", "--identity", "b",
          "--identity-provider", "c"], "needs exactly one of"),
    ],
)  # fmt: skip
def test_wrong_arguments_get_one_line(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert text in error and error.count("\n") == 1
