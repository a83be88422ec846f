"""`mathledger reproduce`: run somebody's results again, and sign a statement of what came out.

The command works in a clone after `dvc pull`. It writes statements/<name>/, which the author of the
results can merge; `mathledger verify` shows every statement. docs/verify.md says what each level
proves.
"""

import argparse
import contextlib
import re
import shutil
import sys
from pathlib import Path

from mathledger import signing, terminal
from mathledger.card.statement import TYPE
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.core.files import write_json
from mathledger.reproduce import levels
from mathledger.run.git import git, head
from mathledger.verify import statements
from mathledger.verify.options import VerifyOptions, overrides
from mathledger.verify.project import Project
from mathledger.verify.statements import Finding, Reproduction, Signer, Statement


def run(arguments: argparse.Namespace) -> int:
    """Reproduce, sign and write a statement; return 0 if the asked level holds, else 1."""
    signer, by = person(arguments)
    config = signing.signing_config(signer)  # fail before the work if the key cannot sign
    options = VerifyOptions(overrides(arguments), arguments.responses)
    chain = Chain.open()
    with contextlib.chdir(chain.at):
        project = Project(chain, options)
        findings, sample = levels.reproduce(project, arguments.level, show)
        level = statements.proved(findings)
        statement = Statement(
            _type=TYPE,
            subject=[statements.subject(chain)],
            predicateType=statements.PREDICATE_TYPE,
            predicate=Reproduction(
                ledger_sha256=chain.ledger_sha256,
                commit=head(chain.at),
                level=level,
                findings=findings,
                sample=sample,
                signer=by,
                **levels.versions(),
            ),
        )
        folder = write(statement, signer, config, chain.ledger_sha256)
    print(f"{folder}: {level or 'no level'} holds; signed by {by.name}")
    return 0 if level == arguments.level else 1


def person(arguments: argparse.Namespace) -> tuple[signing.Signer, Signer]:
    """Return the key or identity that signs, and how the statement names the person.

    Raises:
        InputError: there is no name, or an identity without its provider.
    """
    if arguments.keyless:
        if not (arguments.identity and arguments.identity_provider):
            raise InputError(
                "--keyless needs --identity and --identity-provider, with which others check it"
            )
        own = Signer(
            name=arguments.name or arguments.identity,
            identity=arguments.identity,
            identity_provider=arguments.identity_provider,
        )
        return signing.Keyless(), own
    name = arguments.name or _git_name()
    if not name:
        raise InputError("nobody is named: add --name, or set git's user.name")
    return signing.Key(arguments.private_key), Signer(name=name)


def _git_name() -> str:
    with contextlib.suppress(InputError):
        return git("config", "user.name").strip()
    return ""


def show(found: Finding) -> None:
    """Print what was found at one level."""
    word = "holds" if found.holds else "moved"
    lines = [f"{found.level}  {word}  {statements.LEVELS[found.level]}"]
    lines += [f"      equal  {line}" for line in found.equal]
    lines += [f"      moved  {line}" for line in found.moved[:20]]
    if len(found.moved) > 20:
        lines.append(f"      and {len(found.moved) - 20} more")
    terminal.show("\n".join(lines) + "\n")
    sys.stdout.flush()


def write(statement: Statement, signer: signing.Signer, config: object, ledger_sha256: str) -> Path:
    """Write and sign a statement in a folder of its own, and return the folder."""
    own = statement.predicate
    name = re.sub("[^a-z0-9]+", "-", own.signer.name.lower()).strip("-")[:40] or "unnamed"
    folder = statements.FOLDER / f"{ledger_sha256[:10]}-{own.level or 'none'}-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    path = folder / statements.FILE
    write_json(path, statement.content())
    if isinstance(signer, signing.Key):
        (folder / statements.KEY).write_bytes(public_key(signer.file))
    with statements.alone(path) as signed:
        signing.sign(signed, folder / statements.SIGNATURE, config)
    return folder


def public_key(private: Path) -> bytes:
    """Return the public part of a private key, as PEM."""
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(private.read_bytes(), password=None)
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
