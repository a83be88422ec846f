"""A signature without a key of one's own holds for one person, one provider and these files.

The Sigstore is our own (tests/sigstore.py); its client is the real one.
"""

import base64
import contextlib
import json
import shutil
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("model_signing")

from sigstore.models import ClientTrustConfig

from mathledger import signing
from mathledger.chain.chain import LEDGER, Chain
from mathledger.core.errors import InputError
from mathledger.core.files import read_json, write_json
from mathledger.reproduce import write
from mathledger.verify import statements
from tests.conftest import ROOT
from tests.sigstore import Sigstore, serve
from tests.verify.test_statements import statement

PERSON = "ada@example.org"


@contextlib.contextmanager
def trusted(own: Sigstore) -> Iterator[None]:
    """Let the client trust this Sigstore alone, and let its browser follow every link."""

    def follow(url: str) -> bool:
        threading.Thread(target=lambda: urllib.request.urlopen(url).close()).start()
        return True

    with pytest.MonkeyPatch.context() as patch:
        config = ClientTrustConfig.from_json(own.trust())
        patch.setattr(ClientTrustConfig, "production", lambda **_: config)
        patch.setattr("webbrowser.open", follow)
        yield


@pytest.fixture(scope="module")
def sigstore() -> Iterator[Sigstore]:
    with serve(PERSON) as own, trusted(own):
        yield own


@pytest.fixture(scope="module")
def signed(sigstore: Sigstore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a signed folder, with its signature beside it."""
    folder = tmp_path_factory.mktemp("signed") / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    config = signing.signing_config(signing.Keyless())
    signing.sign(folder, folder.with_name("model.sig"), config)
    return folder


@pytest.fixture
def folder(signed: Path, tmp_path: Path) -> Path:
    shutil.copytree(signed.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "model"


def faults(folder: Path, person: str, provider: str) -> list[str]:
    verifier = signing.Identity(person, provider)
    return signing.mismatches(folder, folder.with_name("model.sig"), verifier)


def test_a_signature_holds_for_its_person_and_provider_alone(
    folder: Path, sigstore: Sigstore
) -> None:
    assert faults(folder, PERSON, sigstore.url) == []
    (other,) = faults(folder, "eve@example.org", sigstore.url)
    assert "do not match eve@example.org" in other
    assert faults(folder, PERSON, "https://accounts.example.org")


def test_a_file_that_was_changed_or_added_is_named(folder: Path, sigstore: Sigstore) -> None:
    (folder / "more.json").write_text("{}")
    (added,) = faults(folder, PERSON, sigstore.url)
    assert "more.json" in added
    (folder / "more.json").unlink()
    (folder / "model.safetensors").write_bytes(b"others")
    (changed,) = faults(folder, PERSON, sigstore.url)
    assert "model.safetensors is not the file that was signed" in changed


def proof(bundle: Any) -> Any:
    return bundle["verificationMaterial"]["tlogEntries"][0]


DAMAGES: list[Callable[[Any], Any]] = [
    lambda bundle: proof(bundle).update(integratedTime="1"),
    lambda bundle: proof(bundle).update(logIndex="7"),
    lambda bundle: proof(bundle)["inclusionProof"].update(rootHash=base64.b64encode(b"0" * 32)),
    lambda bundle: proof(bundle)["inclusionPromise"].update(signedEntryTimestamp="AAAA"),
    lambda bundle: bundle["verificationMaterial"].update(tlogEntries=[]),
    lambda bundle: bundle["dsseEnvelope"]["signatures"][0].update(sig="AAAA"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_signature_that_the_log_does_not_hold_is_refused(
    folder: Path, sigstore: Sigstore, damage: Callable[[Any], Any]
) -> None:
    path = folder.with_name("model.sig")
    bundle = read_json(path)
    damage(bundle)
    path.write_text(json.dumps(bundle, default=bytes.decode))
    assert faults(folder, PERSON, sigstore.url)


def test_a_signature_of_another_sigstore_is_refused(folder: Path, sigstore: Sigstore) -> None:
    """It certifies whomever its owner likes."""
    with serve(PERSON) as other:
        other.url = sigstore.url
        with trusted(other):
            assert faults(folder, PERSON, sigstore.url)


def test_a_statement_is_shown_with_the_person_whom_the_provider_vouches_for(
    sigstore: Sigstore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / LEDGER).parent.mkdir()
    shutil.copy(ROOT / LEDGER, tmp_path / LEDGER)
    monkeypatch.chdir(tmp_path)
    chain = Chain("workspace", None, tmp_path)
    by = {"name": "Ada", "identity": PERSON, "identity_provider": sigstore.url}
    content = statements.Statement.read(statement(chain, signer=by), "statement")
    config = signing.signing_config(signing.Keyless())
    path = write(content, signing.Keyless(), config, chain.ledger_sha256) / statements.FILE
    (seen,) = statements.read(chain)
    assert seen.faults == () and f"{PERSON} ({sigstore.url}): V3" in seen.line
    # Who names another person than the one that signed in is not believed.
    by["identity"] = "grace@example.org"
    write_json(path, statement(chain, signer=by))
    (forged,) = statements.read(chain)
    assert "not valid" in forged.line


def test_a_sigstore_that_cannot_be_reached_is_one_line(
    folder: Path, sigstore: Sigstore, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = json.loads(sigstore.trust())
    for services in ("caUrls", "oidcUrls", "rekorTlogUrls"):
        away["signingConfig"][services][0]["url"] = "http://127.0.0.1:9"
    config = ClientTrustConfig.from_json(json.dumps(away))
    monkeypatch.setattr(ClientTrustConfig, "production", lambda **_: config)
    with pytest.raises(InputError, match=r"^Sigstore cannot be used: "):
        signing.signing_config(signing.Keyless())
