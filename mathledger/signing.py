"""Sign and verify folders in the format of OpenSSF model signing.

The command line of https://github.com/sigstore/model-transparency can check a signature without
this project.
"""

import base64
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.extras import install

MISMATCH = re.compile(r"Hash mismatch for '([^']*)'")  # part of the library's error message


@dataclass(frozen=True)
class Key:
    """An elliptic-curve key, private to sign or public to verify."""

    file: Path


@dataclass(frozen=True)
class CertifiedKey:
    """A private key with its certificate, and the certificate chain to an authority."""

    file: Path
    certificate: Path
    chain: tuple[Path, ...]


@dataclass(frozen=True)
class Authorities:
    """Root certificates, one of which must have issued the signer's certificate."""

    files: tuple[Path, ...]


@dataclass(frozen=True)
class Identity:
    """A person or machine that an identity provider vouches for, through Sigstore."""

    name: str  # mail address
    provider: str  # URL


@dataclass(frozen=True)
class Keyless:
    """A signer's identity, which Sigstore asks for in the browser; it needs a network."""


Signer = Key | CertifiedKey | Keyless
Verifier = Key | Authorities | Identity


def num_files(folder: Path) -> int:
    """Return the number of files that a signature of a folder covers."""
    return sum(path.is_file() for path in folder.rglob("*"))


def hashing_config() -> Any:
    """Return the library's configuration for sha256 digests of files, with links allowed.

    Raises:
        InputError: the library is not installed.
    """
    try:
        from model_signing import hashing
    except ImportError as error:
        raise InputError(f"{error}: run {install('sign')}") from None
    # By default the library leaves out .git, .github, .gitattributes and .gitignore.
    config = hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)
    config.use_file_serialization(hashing_algorithm="sha256", allow_symlinks=True)
    return config.set_allow_symlinks(True)


def signing_config(signer: Signer) -> Any:
    """Return model_signing's configuration of a signer, which has a method `sign`.

    Raises:
        InputError: a file is missing, or is not a key that can sign.
    """
    hashing = hashing_config()
    from model_signing import signing

    config = signing.Config().set_hashing_config(hashing)
    if isinstance(signer, Keyless):
        try:
            return config.use_sigstore_signer()
        except Exception as error:  # the library raises many types of errors if it is away
            raise InputError(f"Sigstore cannot be used: {said(error)}") from None
    key = existing(signer.file, "private key")
    try:
        if isinstance(signer, CertifiedKey):
            return config.use_certificate_signer(
                private_key=key,
                signing_certificate=existing(signer.certificate, "certificate"),
                certificate_chain=[existing(path, "certificate") for path in signer.chain],
            )
        return config.use_elliptic_key_signer(private_key=key)
    except OSError as error:
        raise InputError(f"{key} cannot be read: {error.strerror}; name a private key") from None
    except (ValueError, TypeError, AttributeError) as error:  # AttributeError for other key types
        raise InputError(
            f"{key} cannot sign: {error}; make an unencrypted elliptic-curve key with `openssl "
            "ecparam -name prime256v1 -genkey -noout -out KEY`"
        ) from None


def sign(folder: Path, signature: Path, config: Any) -> None:
    """Sign a folder, and write the signature atomically.

    Args:
        config: the configuration from `signing_config`.

    Raises:
        InputError: the signature cannot be written.
    """
    aside = signature.with_name(signature.name + ".partial")
    try:
        config.sign(folder, aside)
    except Exception as error:  # Sigstore's services may fail in many ways
        aside.unlink(missing_ok=True)
        raise InputError(f"{signature} cannot be written: {said(error)}") from None
    aside.rename(signature)


def mismatches(folder: Path, signature: Path, verifier: Verifier) -> list[str]:
    """Return the reasons why a signature is invalid for a signer and a folder; none if it is valid.

    Raises:
        InputError: the signature, a key or a certificate is missing.
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
    except Exception as error:  # the library raises many types of errors for a bad signature
        differing = MISMATCH.findall(str(error).replace("\\", ""))
        if differing:
            return [f"{signature}: {name} is not the file that was signed" for name in differing]
        return [f"{signature}: {said(error)}"]
    return [
        f"{signature}: {name} is not covered by the signature: remove it, or sign again"
        for name in sorted(names(folder) - covered(signature))
    ]


def said(error: Exception) -> str:
    """Return what an error says on one line, or its type if it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def names(folder: Path) -> set[str]:
    """Return the paths of all files in a folder, relative to it.

    A link to a folder counts as a file: the library does not look behind it.
    """
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def covered(signature: Path) -> set[str]:
    """Return the paths of the files that a valid signature lists.

    It may also list paths to ignore, and the library then ignores whatever is there.
    """
    bundle = json.loads(signature.read_bytes())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    return {str(resource["name"]) for resource in statement["predicate"]["resources"]}


def shown(verifier: Verifier) -> str:
    """Return the signer's name for messages."""
    match verifier:
        case Key(file):
            return str(file)
        case Authorities(files):
            return f"a certificate of {files[0]}"
        case Identity(name, provider):
            return f"{name} ({provider})"


def existing(path: Path, what: str) -> Path:
    """Return the path if the file exists.

    Raises:
        InputError: there is no such file.
    """
    if not path.is_file():
        said = "is not a file" if path.exists() else "does not exist"
        raise InputError(f"{path} {said}: name a {what} file")
    return path
