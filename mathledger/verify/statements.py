"""Read people's signed statements that they reproduced results, and check them.

A statement is statements/<name>/statement.json, an in-toto Statement whose subject is the ledger;
statement.sig next to it is its signature (OpenSSF model signing), and signer.pub the key. A key
identifies the signer only to those who already know it, so its fingerprint is shown.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mathledger import signing
from mathledger.card.quantities import Sha256
from mathledger.card.statement import Digest
from mathledger.chain.chain import LEDGER, Chain
from mathledger.core.errors import InputError
from mathledger.core.escaping import one_line
from mathledger.core.files import json_text, read_json
from mathledger.core.typed import Record
from mathledger.verify.chances import chances

FOLDER = Path("statements")
MAX_LINE = 400  # characters; a statement may hold any text
FILE, SIGNATURE, KEY = "statement.json", "statement.sig", "signer.pub"
PREDICATE_TYPE: Literal["urn:mathledger:reproduction:1"] = "urn:mathledger:reproduction:1"
LEVELS = {
    "V0": "arithmetic: every number was computed again",
    "V1": "grading: every response was graded again",
    "V2": "data: pins, filters and training set were made again",
    "V3": "responses: a random sample was generated again",
    "V4": "training: the model was trained again",
}
Level = Literal["V0", "V1", "V2", "V3", "V4"]


class Finding(Record):
    """What the person found at one level."""

    level: Level
    is_equal: bool = Field(description="Everything was exactly as stated.")
    holds: bool = Field(description="Equal, or different within the tolerance.")
    equal: list[str] = Field(description="What was equal.")
    moved: list[str] = Field(description="What was not, and by how much.")
    tolerance: str = Field(description="What may differ at this level.")


class Sample(Record):
    """The responses that were generated again."""

    nonce: str = Field(description="The person's own random digits.")
    num_all: int
    num_drawn: int
    num_same_text: int
    num_same_verdict: int
    num_better_before: int = Field(description="Correct as stored, but not when generated again.")
    num_better_again: int
    p_value: float = Field(description="Exact McNemar test of the verdicts.")
    chances: dict[str, float] = Field(
        description="Chance that a forger of so many responses passes unnoticed."
    )


class Signer(Record):
    """The person who signed, as named by themselves; only the key or identity is proved."""

    name: str
    identity: str | None = Field(default=None, description="Identity at Sigstore; null for a key.")
    identity_provider: str | None = None


class Reproduction(Record):
    """The predicate: what a person ran, and what came out."""

    ledger_sha256: Sha256 = Field(description="Digest of the ledger, as the card shows it.")
    commit: str = Field(description="The person's own commit.")
    level: Level | None = Field(description="The highest level up to which everything holds.")
    findings: list[Finding]
    sample: Sample | None
    signer: Signer
    hardware: dict[str, Any]
    packages: dict[str, str]


class Subject(Record):
    """The ledger, as a file."""

    name: str
    digest: Digest


class Statement(Record):
    """A person's in-toto Statement about a ledger."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: list[Subject] = Field(min_length=1, max_length=1)
    predicate_type: Literal["urn:mathledger:reproduction:1"] = Field(alias="predicateType")
    predicate: Reproduction


@dataclass(frozen=True)
class Seen:
    """A statement as it is shown."""

    folder: str
    statement: Statement | None  # None if it is unreadable
    signer: str
    faults: tuple[str, ...]  # reasons not to believe it; empty if the signature is valid
    is_about: bool  # this very ledger

    @property
    def line(self) -> str:
        """Return one line that says who reproduced what."""
        return one_line(self._text, MAX_LINE)

    @property
    def _text(self) -> str:
        if self.faults or self.statement is None:
            return f"{self.folder}: not valid: {'; '.join(self.faults)}"
        own = self.statement.predicate
        level = f"{own.level} {LEVELS[own.level]}" if own.level else "nothing was reproduced"
        about = "" if self.is_about else f"; about another ledger, {own.ledger_sha256[:10]}"
        sample = ""
        if own.sample:
            sample = (
                f"; {own.sample.num_same_text} of {own.sample.num_drawn} drawn responses had the "
                "same text"
            )
        return f"{self.folder}: {self.signer}: {level}{sample}{about}"

    def content(self) -> dict[str, Any]:
        """Return the statement as `--json` prints it."""
        return {
            "folder": self.folder,
            "is_valid": not self.faults,
            "faults": list(self.faults),
            "is_about_this_ledger": self.is_about,
            "signer": self.signer,
            "statement": self.statement.content() if self.statement else None,
        }


def read(chain: Chain) -> list[Seen]:
    """Return every statement in the project, those about its ledger first."""
    folder = chain.at / FOLDER
    found: list[Seen] = []
    first: dict[str, str] = {}  # the same statement twice is one person's word
    for path in sorted(folder.glob(f"*/{FILE}")):
        seen = _seen(path, chain)
        own = _what_makes_it_one(path, seen)
        if same := next((first[each] for each in own if each in first), None):
            seen = replace(seen, faults=(*seen.faults, f"it repeats {same}"))
        for each in own:
            first.setdefault(each, seen.folder)
        found.append(seen)
    return sorted(found, key=lambda each: not each.is_about)


def files(folder: Path) -> list[Path]:
    """Return the files of a statement."""
    return [path for name in (FILE, SIGNATURE, KEY) if (path := folder / name).is_file()]


def _what_makes_it_one(path: Path, seen: Seen) -> list[str]:
    """Return what no second statement can share: its content, and the digits that it drew by."""
    if seen.statement is None:
        return [hashlib.sha256(path.read_bytes()).hexdigest()]
    sample = seen.statement.predicate.sample
    return [json_text(seen.statement.content()), *([f"nonce {sample.nonce}"] if sample else [])]


def proved(findings: Sequence[Finding]) -> Level | None:
    """Return the highest level up to which everything holds."""
    found: Level | None = None
    for each in findings:
        if not each.holds:
            break
        found = each.level
    return found


def highest(found: Sequence[Seen]) -> str | None:
    """Return the highest level that a statement names, described; None if there is none."""
    known = {each.statement.predicate.level for each in found if each.statement}
    level = max(filter(None, known), default=None)
    return f"{level} {LEVELS[level]}" if level else None


def _seen(path: Path, chain: Chain) -> Seen:
    name = path.parent.relative_to(chain.at).as_posix()
    try:
        content = read_json(path)
        statement = Statement.read(content, f"{name}/{FILE}")
        faults = (*_faults(path, statement), *_contradictions(statement.predicate))
        # Readers of JSON disagree about a key that stands twice; `reproduce` writes it once.
        if path.read_text(encoding="utf-8") != json_text(content):
            faults += ("it is not formatted as `mathledger reproduce` writes it",)
    except InputError as error:
        return Seen(name, None, "", (str(error),), False)
    own = statement.predicate
    is_about = False
    with contextlib.suppress(InputError):
        is_about = own.ledger_sha256 == chain.ledger_sha256
        is_about &= statement.subject[0] == subject(chain)
    return Seen(name, statement, signer_of(path, own.signer), faults, is_about)


def _faults(path: Path, statement: Statement) -> Iterator[str]:
    known = {FILE, SIGNATURE, KEY}
    for other in sorted(signing.names(path.parent) - known):
        yield f"nobody signed {other}, which lies next to it: remove it"
    signer = statement.predicate.signer
    verifier: signing.Verifier = signing.Key(path.with_name(KEY))
    if signer.identity and signer.identity_provider:
        verifier = signing.Identity(signer.identity, signer.identity_provider)
    with alone(path) as folder:
        signature = path.with_name(SIGNATURE)
        for fault in signing.mismatches(folder, signature, verifier):
            yield fault.removeprefix(f"{signature}: ")


def _contradictions(own: Reproduction) -> Iterator[str]:
    """Yield where a statement says two things; its signature shows only who says them."""
    reached = [each.level for each in own.findings]
    if reached != list(LEVELS)[: len(reached)]:
        yield f"its findings are of the levels {', '.join(reached) or 'none'}"
    if own.level != proved(own.findings):
        yield f"its level is {own.level}, but its findings hold up to {proved(own.findings)}"
    yield from (
        f"{each.level} is called equal, and something moved"
        for each in own.findings
        if each.is_equal and each.moved
    )
    sample = own.sample
    if (sample and "V3" not in reached) or (own.level in ("V3", "V4") and not sample):
        yield "it has a sample without V3, or V3 without a sample"
    if sample and not (
        0 <= sample.num_same_text <= sample.num_drawn <= sample.num_all
        and 0 <= sample.num_same_verdict <= sample.num_drawn
        and sample.chances == chances(sample.num_all, sample.num_drawn)
    ):
        yield "the numbers of its sample contradict each other"


class alone(tempfile.TemporaryDirectory[str]):  # noqa: N801  used as `with alone(path)`
    """A folder that holds a link to the statement alone, which is what the signature covers."""

    def __init__(self, path: Path) -> None:
        super().__init__(prefix="mathledger-")
        self.path = path

    def __enter__(self) -> Path:  # type: ignore[override]
        folder = Path(super().__enter__()) / "reproduction"
        folder.mkdir()
        (folder / FILE).symlink_to(self.path.resolve())
        return folder


def signer_of(path: Path, signer: Signer) -> str:
    """Return the signer's name with the fingerprint of the key, or the proved identity."""
    if signer.identity:
        return f"{signer.identity} ({signer.identity_provider})"
    return f"{signer.name} (key {fingerprint(path.with_name(KEY))[:16]})"


def fingerprint(key: Path) -> str:
    """Return the sha256 of a public key's file without white space at its ends."""
    try:
        return hashlib.sha256(key.read_bytes().strip()).hexdigest()
    except OSError:
        return "missing"


def subject(chain: Chain) -> Subject:
    """Return the subject of a statement: the ledger file, which names every other file."""
    digest = hashlib.sha256(chain.read(LEDGER)).hexdigest()
    return Subject(name=LEDGER, digest=Digest(sha256=digest))
