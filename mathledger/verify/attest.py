"""`mathledger attest`, and the check of its signature: who vouches for this model and its ledger?

What is signed is the folder as it is published: the final model's files and those of model_card/
side by side, in the format of OpenSSF model signing (https://github.com/sigstore/model-transparency),
so that its own command line checks a published folder without this project. The ledger in it holds
the digests of the responses and of all that they rest on, so that one signature covers the chain.
What does not verify is not signed.
"""

import argparse
import contextlib
import logging
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mathledger.core.errors import InputError

if TYPE_CHECKING:
    from mathledger.verify.project import Project

CARD = Path("model_card")
MODELS = Path("data/model")
MISMATCH = re.compile(r"Hash mismatch for '([^']*)'")  # in the library's text


@contextlib.contextmanager
def published() -> Iterator[Path]:
    """A folder of links to the files that are published, under their names there.

    It has the card's name, which the signature states, and the final model's files.

    Raises:
        InputError: a file is missing, or two of them have one name.
    """
    from mathledger.run import params

    settings = params.read()
    own, shown = MODELS / settings["evaluated_models"][-1], CARD
    for folder in (own, shown):
        if not folder.is_dir():
            raise InputError(f"{folder} is missing: run `dvc repro`, or `dvc pull`")
    with tempfile.TemporaryDirectory(prefix="mathledger-") as scratch:
        top = Path(scratch) / settings["model_card"]["name"]
        top.mkdir()
        for folder in (own, shown):
            for path in sorted(each for each in folder.rglob("*") if each.is_file()):
                link = top / path.relative_to(folder)
                if link.is_symlink():
                    raise InputError(f"{path}: {own} and {shown} both have a file of this name")
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.resolve())
        yield top


def hashing_config() -> Any:
    """sha256 of whole files. The links lead out of the folder, which must be allowed."""
    try:
        from model_signing import hashing
    except ImportError as error:
        raise InputError(f"{error}: run `pip install 'mathledger[sign]'`") from None
    config = hashing.Config()
    config.use_file_serialization(hashing_algorithm="sha256", allow_symlinks=True)
    return config.set_allow_symlinks(True)


def run(arguments: argparse.Namespace) -> int:
    """Verify, then sign; the signature is written aside, then renamed."""
    from mathledger import verify
    from mathledger.chain.git import root

    if arguments.signature.is_dir():
        raise InputError(f"{arguments.signature} is a folder: name a file with --signature")
    with contextlib.chdir(root()):
        config = _signer(arguments)
        if not verify.all_hold(verify.LINKS, arguments):
            raise InputError("what does not verify is not signed: see the links above")
        aside = arguments.signature.with_name(arguments.signature.name + ".partial")
        with published() as folder:
            num_files = sum(path.is_file() for path in folder.rglob("*"))
            try:
                config.sign(folder, aside)
            except (ValueError, TypeError, OSError) as error:
                aside.unlink(missing_ok=True)
                raise InputError(f"{arguments.signature} cannot be written: {error}") from None
        aside.rename(arguments.signature)
    print(f"{arguments.signature}: signed {num_files} files, the final model's and {CARD}/")
    return 0


def _signer(arguments: argparse.Namespace) -> Any:
    hashing = hashing_config()
    from model_signing import signing

    config = signing.Config().set_hashing_config(hashing)
    if arguments.keyless:
        return config.use_sigstore_signer()
    key = _file(arguments.private_key, "private key")
    try:
        if arguments.certificate:
            return config.use_certificate_signer(
                private_key=key,
                signing_certificate=_file(arguments.certificate, "certificate"),
                certificate_chain=[
                    _file(path, "certificate") for path in arguments.certificate_chain
                ],
            )
        return config.use_elliptic_key_signer(private_key=key)
    except (ValueError, TypeError, AttributeError) as error:  # the last of a key of another kind
        raise InputError(
            f"{key} cannot sign: {error}; an elliptic-curve key is made with `openssl ecparam "
            "-name prime256v1 -genkey -noout -out KEY`, "
            "and it must not be encrypted"
        ) from None


def check(project: "Project") -> Iterator[str]:
    """The signature is of this key and of these files, all of them and no other."""
    arguments = project.arguments
    signature = _file(arguments.signature, "signature")
    hashing = hashing_config()
    from model_signing import verifying

    logging.getLogger("model_signing").setLevel(logging.ERROR)
    config = verifying.Config().set_hashing_config(hashing)
    try:
        if arguments.public_key:
            key = _file(arguments.public_key, "public key")
            config.use_elliptic_key_verifier(public_key=key)
            by = str(arguments.public_key)
        elif arguments.certificate_chain:
            chain = [_file(path, "certificate") for path in arguments.certificate_chain]
            config.use_certificate_verifier(certificate_chain=chain)
            by = f"a certificate of {arguments.certificate_chain[0]}"
        else:
            by = f"{arguments.identity} ({arguments.identity_provider})"
            config.use_sigstore_verifier(
                identity=arguments.identity, oidc_issuer=arguments.identity_provider
            )
        with published() as folder:
            config.verify(folder, signature)
            num_files = sum(path.is_file() for path in folder.rglob("*"))
    except InputError:
        raise
    except Exception as error:  # the library's errors for a bad signature are of many kinds
        differing = MISMATCH.findall(str(error).replace("\\", ""))
        for name in differing:
            yield f"{signature}: {name} is not the file that was signed"
        if not differing:
            yield f"{signature}: {' '.join(str(error).split()) or type(error).__name__}"
        return
    project.looked_at = f"{signature} by {by} is of these {num_files} files"


def _file(path: Path, what: str) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: there is no such {what}")
    return path
