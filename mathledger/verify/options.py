"""What a verification is asked for."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.signing import Authorities, Identity, Key, Verifier


@dataclass(frozen=True)
class Signature:
    """A signature to check, and whose it must be: it proves nothing without its signer."""

    file: Path
    verifier: Verifier


@dataclass(frozen=True)
class VerifyOptions:
    overrides: tuple[str, ...] = ()  # what params.yaml was compiled with
    num_regenerated: int = 0  # responses to generate again, chosen by chance
    signature: Signature | None = None


def from_arguments(arguments: argparse.Namespace) -> VerifyOptions:
    """The options that the command line of `verify` gives.

    Raises:
        InputError: a signature does not come with exactly one way to check it.
    """
    return VerifyOptions(overrides(arguments), arguments.deep or 0, signature(arguments))


def overrides(arguments: argparse.Namespace) -> tuple[str, ...]:
    """What the command line says that params.yaml was compiled with."""
    return tuple(arguments.overrides or ())


def signature(arguments: argparse.Namespace) -> Signature | None:
    """The signature that the command line of `verify` or `publish` asks to check.

    Raises:
        InputError: it does not come with exactly one way to check it.
    """
    verifiers: list[Verifier] = []
    if arguments.public_key:
        verifiers.append(Key(arguments.public_key))
    if arguments.certificate_chain:
        verifiers.append(Authorities(tuple(arguments.certificate_chain)))
    if arguments.identity and arguments.identity_provider:
        verifiers.append(Identity(arguments.identity, arguments.identity_provider))
    if not arguments.signature:
        if verifiers or arguments.identity or arguments.identity_provider:
            raise InputError("a signer is given, but no --signature to check")
        return None
    if len(verifiers) != 1:
        raise InputError(
            "--signature wants one of --public-key, --certificate-chain, or --identity with "
            "--identity-provider: a signature proves nothing without its signer"
        )
    for path in (arguments.public_key, *(arguments.certificate_chain or [])):
        if path and not path.is_file():
            raise InputError(f"{path}: there is no such key or certificate")
    return Signature(arguments.signature, verifiers[0])
