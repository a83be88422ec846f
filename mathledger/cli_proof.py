"""Define the arguments of the commands that check, reproduce, sign and publish results."""

import argparse
from pathlib import Path

from mathledger.cli_experiments import Commands
from mathledger.core.arguments import absolute, positive_integer
from mathledger.destination import to_write

SIGNATURE = Path("model.sig")


def add_verify(commands: Commands) -> None:
    command = commands.add_parser(
        "verify",
        help="check that everything behind the card still holds",
        description="Check a clone after `dvc pull`: compare every digest, grade every response "
        "again and recompute every number. The command prints a line for each link of the chain. "
        "It ends in `holds` (exit status 0), in `new` for results that were made here and are not "
        "committed (3), or in `broken` (1).",
    )
    command.set_defaults(module="mathledger.verify")
    command.add_argument(
        "--deep", type=positive_integer, metavar="N", help="regenerate N randomly chosen responses"
    )
    command.add_argument("--json", action="store_true", help="print everything as JSON")
    _add_verification(command)


def add_reproduce(commands: Commands) -> None:
    command = commands.add_parser(
        "reproduce",
        help="run somebody's results again, and sign what came out",
        description="In a clone after `dvc pull`, run every level up to the one asked: V0 "
        "arithmetic, V1 grading, V2 data, V3 a random sample of responses, V4 training. Then write "
        "a signed statement to statements/. The exit status is 1 if a level does not hold.",
    )
    command.set_defaults(module="mathledger.reproduce")
    command.add_argument(
        "--level",
        choices=["V0", "V1", "V2", "V3", "V4"],
        default="V3",
        help="the highest level to run; default: %(default)s",
    )
    command.add_argument(
        "--responses",
        type=positive_integer,
        default=32,
        metavar="N",
        help="responses to generate again at V3; default: %(default)s",
    )
    _add_signer(command)
    command.add_argument("--name", help="your name; default: git's user.name")
    command.add_argument("--identity", metavar="MAIL", help="your identity, with --keyless")
    command.add_argument(
        "--identity-provider", metavar="URL", help="provider that vouches for it, with --keyless"
    )
    _add_overrides(command)


def add_attest(commands: Commands) -> None:
    command = commands.add_parser(
        "attest",
        help="sign the model and its ledger",
        description="Verify, then sign the final model's files, the card and the ledger (OpenSSF "
        "model signing). A key, with or without a certificate, works offline.",
    )
    command.set_defaults(module="mathledger.publish.attest")
    command.add_argument(
        "--signature",
        type=to_write,
        default=SIGNATURE,
        metavar="FILE",
        help=f"file to write; default: {SIGNATURE}",
    )
    _add_signer(command)
    command.add_argument(
        "--certificate", type=absolute, metavar="PEM", help="certificate of the private key"
    )
    command.add_argument(
        "--certificate-chain",
        type=absolute,
        nargs="+",
        default=[],
        metavar="PEM",
        help="certificates from the key's certificate to the authority's",
    )
    _add_overrides(command)


def add_publish(commands: Commands) -> None:
    command = commands.add_parser(
        "publish",
        help="write the folders for the hub, and upload them",
        description="Verify, then write FOLDER/model (weights, card, ledger, signature) and "
        "FOLDER/results (every response, as a dataset). Nothing is uploaded without --upload.",
    )
    command.set_defaults(module="mathledger.publish")
    command.add_argument("folder", type=to_write, metavar="FOLDER", help="a new folder")
    command.add_argument("--upload", metavar="ORG/NAME", help="the model's repository on the hub")
    _add_verification(command)


def _add_verification(command: argparse.ArgumentParser) -> None:
    """Add the options that `verify` and `publish` share."""
    _add_overrides(command)
    command.add_argument(
        "--signature",
        type=absolute,
        nargs="?",
        const=SIGNATURE,
        metavar="FILE",
        help=f"check a signature (default: {SIGNATURE}) against one of the following signers",
    )
    command.add_argument("--public-key", type=absolute, metavar="PEM", help="the signer's key")
    command.add_argument(
        "--certificate-chain", type=absolute, nargs="+", metavar="PEM", help="root certificates"
    )
    command.add_argument("--identity", metavar="MAIL", help="identity of a signer without a key")
    command.add_argument(
        "--identity-provider", metavar="URL", help="provider that vouches for the identity"
    )


def _add_overrides(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--overrides",
        nargs="+",
        metavar="KEY=VALUE",
        help="overrides with which params.yaml was compiled, such as experiment=smoke",
    )


def _add_signer(command: argparse.ArgumentParser) -> None:
    """Add the ways to sign that `attest` and `reproduce` share."""
    by = command.add_mutually_exclusive_group(required=True)
    by.add_argument(
        "--private-key", type=absolute, metavar="PEM", help="sign with an elliptic-curve key"
    )
    by.add_argument(
        "--keyless",
        action="store_true",
        help="sign with your identity through Sigstore; this needs a network",
    )
