"""`mathledger attest`: verify the project, then sign the final model and its ledger.

mathledger/release/ assembles the signed files, and mathledger/signing.py documents the format.
"""

import argparse

from mathledger import destination, release, signing, terminal, verify
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.verify import options
from mathledger.verify.options import VerifyOptions


def run(arguments: argparse.Namespace) -> int:
    """Verify, then sign."""
    destination.check_file(arguments.signature, or_device=False)
    chain = Chain.open()
    config = signing.signing_config(signer(arguments))
    if not verify.check_aloud(VerifyOptions(options.overrides(arguments))).holds:
        raise InputError("verification failed, so nothing was signed: fix the links above")
    with release.published(chain) as folder:
        num_files = signing.num_files(folder)
        signing.sign(folder, arguments.signature, config)
    what = f"{num_files} files of the final model and {release.CARD}/"
    print(terminal.printable(f"{arguments.signature}: signed {what}"))
    return 0


def signer(arguments: argparse.Namespace) -> signing.Signer:
    """Return the signer that the command line names."""
    if arguments.keyless:
        return signing.Keyless()
    if arguments.certificate:
        return signing.CertifiedKey(
            arguments.private_key, arguments.certificate, tuple(arguments.certificate_chain)
        )
    return signing.Key(arguments.private_key)
