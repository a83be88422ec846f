"""Parse the options of a verification."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.signing import Authorities, Identity, Key, Verifier, existing


@dataclass(frozen=True)
class Signature:
    """A signature to check, with its expected signer, without which it proves nothing."""

    file: Path
    verifier: Verifier


@dataclass(frozen=True)
class VerifyOptions:
    """The options of a verification."""

    overrides: tuple[str, ...] = ()  # overrides with which params.yaml was compiled
    num_regenerated: int = 0  # number of responses to regenerate, drawn at random
    signature: Signature | None = None


def from_arguments(arguments: argparse.Namespace) -> VerifyOptions:
    """Return the options on the command line of `verify`.

    Raises:
        InputError: a signature is not given with exactly one way to check it.
    """
    return VerifyOptions(overrides(arguments), arguments.deep or 0, signature(arguments))


def overrides(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return the overrides on the command line, with which params.yaml was compiled."""
    return tuple(arguments.overrides or ())


def signature(arguments: argparse.Namespace) -> Signature | None:
    """Return the signature to check from the command line of `verify` or `publish`.

    Raises:
        InputError: the signature is not given with exactly one way to check it.
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
            raise InputError("a signer is given without a signature: add --signature FILE")
        return None
    if len(verifiers) != 1:
        raise InputError(
            "--signature needs exactly one of --public-key, --certificate-chain, or --identity "
            "with --identity-provider: a signature proves nothing without its signer"
        )
    for path in (arguments.public_key, *(arguments.certificate_chain or [])):
        if path:
            existing(path, "key or certificate")
    return Signature(arguments.signature, verifiers[0])
