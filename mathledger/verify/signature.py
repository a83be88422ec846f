"""The link of the signature: it is of this signer and of these files, all of them and no other."""

from mathledger import signing
from mathledger.verify.project import Check, Project


def signature(project: Project) -> Check:
    """The signature is of this signer and of these files, all of them and no other."""
    asked = project.options.signature
    assert asked
    with signing.published(project.settings, project.chain.at) as folder:
        yield from signing.mismatches(folder, asked.file, asked.verifier)
        num_files = signing.num_files(folder)
    return f"{asked.file} by {signing.shown(asked.verifier)} is of these {num_files} files"
