"""Make and check signatures of what is published, in the format of OpenSSF model signing.

What is signed is the folder as it is published: the final model's files and those of model_card/
side by side, so that the command line of https://github.com/sigstore/model-transparency checks a
published folder without this project. The ledger in it holds the digests of the responses and of
all that they rest on, so that one signature covers the chain.
"""

import contextlib
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.run.params import evaluated_models

CARD = "model_card"
MISMATCH = re.compile(r"Hash mismatch for '([^']*)'")  # in the library's text


@dataclass(frozen=True)
class Key:
    """An elliptic-curve key: private to sign with, public to check with."""

    file: Path


@dataclass(frozen=True)
class CertifiedKey:
    """A private key with its certificate, and those that lead from it to an authority."""

    file: Path
    certificate: Path
    chain: tuple[Path, ...]


@dataclass(frozen=True)
class Authorities:
    """The root certificates, one of which must stand behind the signer's certificate."""

    files: tuple[Path, ...]


@dataclass(frozen=True)
class Identity:
    """A person or machine that an identity provider vouches for, through Sigstore."""

    name: str  # a mail address
    provider: str  # a URL


@dataclass(frozen=True)
class Keyless:
    """Sign by one's own identity, which Sigstore asks for in the browser; needs network."""


Signer = Key | CertifiedKey | Keyless
Verifier = Key | Authorities | Identity


@contextlib.contextmanager
def published(settings: Mapping[str, Any], root: Path) -> Iterator[Path]:
    """A folder of links to the files that are published, under their names there.

    It has the card's name, which the signature states, and the final model's files.

    Args:
        settings: the content of params.yaml.
        root: the project's folder.

    Raises:
        InputError: a file is missing, or two of them have one name.
    """
    model = f"data/model/{evaluated_models(settings)[-1]}"
    for folder in (model, CARD):
        if not (root / folder).is_dir():
            raise InputError(f"{folder} is missing: run `dvc repro`, or `dvc pull`")
    with tempfile.TemporaryDirectory(prefix="mathledger-") as scratch:
        top = Path(scratch) / settings["model_card"]["name"]
        top.mkdir()
        for folder in (model, CARD):
            for path in sorted(each for each in (root / folder).rglob("*") if each.is_file()):
                link = top / path.relative_to(root / folder)
                if link.is_symlink():
                    raise InputError(
                        f"{path.relative_to(root)}: {model} and {CARD} both have a file of this "
                        "name"
                    )
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.resolve())
        yield top


def num_files(folder: Path) -> int:
    """How many files a signature of a folder is about."""
    return sum(path.is_file() for path in folder.rglob("*"))


def hashing_config() -> Any:
    """sha256 of whole files. The links lead out of the folder, which must be allowed.

    Raises:
        InputError: the library is not installed.
    """
    try:
        from model_signing import hashing
    except ImportError as error:
        raise InputError(f"{error}: run `pip install 'mathledger[sign]'`") from None
    config = hashing.Config()
    config.use_file_serialization(hashing_algorithm="sha256", allow_symlinks=True)
    return config.set_allow_symlinks(True)


def signing_config(signer: Signer) -> Any:
    """What signs a folder: model_signing's own object, with a method `sign`.

    Raises:
        InputError: a file is missing, or is no key that can sign.
    """
    hashing = hashing_config()
    from model_signing import signing

    config = signing.Config().set_hashing_config(hashing)
    if isinstance(signer, Keyless):
        return config.use_sigstore_signer()
    key = existing(signer.file, "private key")
    try:
        if isinstance(signer, CertifiedKey):
            return config.use_certificate_signer(
                private_key=key,
                signing_certificate=existing(signer.certificate, "certificate"),
                certificate_chain=[existing(path, "certificate") for path in signer.chain],
            )
        return config.use_elliptic_key_signer(private_key=key)
    except (ValueError, TypeError, AttributeError) as error:  # the last of a key of another kind
        raise InputError(
            f"{key} cannot sign: {error}; an elliptic-curve key is made with `openssl ecparam "
            "-name prime256v1 -genkey -noout -out KEY`, "
            "and it must not be encrypted"
        ) from None


def sign(folder: Path, signature: Path, config: Any) -> None:
    """Sign a folder; the signature is written aside, then renamed.

    Args:
        config: what `signing_config` returned.

    Raises:
        InputError: the signature cannot be written.
    """
    aside = signature.with_name(signature.name + ".partial")
    try:
        config.sign(folder, aside)
    except (ValueError, TypeError, OSError) as error:
        aside.unlink(missing_ok=True)
        raise InputError(f"{signature} cannot be written: {error}") from None
    aside.rename(signature)


def mismatches(folder: Path, signature: Path, verifier: Verifier) -> list[str]:
    """Why a signature is not of this signer and of all files of a folder; empty if it is.

    Raises:
        InputError: a file that is needed to check it is missing.
    """
    existing(signature, "signature")
    hashing = hashing_config()
    from model_signing import verifying

    logging.getLogger("model_signing").setLevel(logging.ERROR)
    config = verifying.Config().set_hashing_config(hashing)
    try:
        match verifier:
            case Key(file):
                config.use_elliptic_key_verifier(public_key=existing(file, "public key"))
            case Authorities(files):
                chain = [existing(path, "certificate") for path in files]
                config.use_certificate_verifier(certificate_chain=chain)
            case Identity(name, provider):
                config.use_sigstore_verifier(identity=name, oidc_issuer=provider)
        config.verify(folder, signature)
    except InputError:
        raise
    except Exception as error:  # the library's errors for a bad signature are of many kinds
        differing = MISMATCH.findall(str(error).replace("\\", ""))
        if differing:
            return [f"{signature}: {name} is not the file that was signed" for name in differing]
        return [f"{signature}: {' '.join(str(error).split()) or type(error).__name__}"]
    return []


def shown(verifier: Verifier) -> str:
    """Who signed, for messages."""
    match verifier:
        case Key(file):
            return str(file)
        case Authorities(files):
            return f"a certificate of {files[0]}"
        case Identity(name, provider):
            return f"{name} ({provider})"


def existing(path: Path, what: str) -> Path:
    """The path of a file that is there.

    Raises:
        InputError: it is not.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such {what}")
    return path
