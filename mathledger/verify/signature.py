"""Check the link `signature`: it is by the given signer, and covers exactly the given files."""

from mathledger import release, signing
from mathledger.verify.project import Check, Project


def signature(project: Project) -> Check:
    """Check that the signature is by the given signer and covers exactly these files."""
    asked = project.options.signature
    assert asked
    with release.published(project.chain) as folder:
        yield from signing.mismatches(folder, asked.file, asked.verifier)
        num_files = signing.num_files(folder)
    return f"{asked.file} by {signing.shown(asked.verifier)} covers these {num_files} files"
