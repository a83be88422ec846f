"""Records of an audit: claims, findings and lines that were not read."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mathledger.audit.arithmetic import Printed
from mathledger.audit.blocks import Section
from mathledger.audit.card import Card
from mathledger.audit.owners import Identity, Whose
from mathledger.audit.scores import Score

if TYPE_CHECKING:
    from mathledger.audit.inputs import StatedLicence

Where = Literal["model-index", "eval-results", "table", "text"]
Strength = Literal["contradiction", "question", "missing"]
Owner = tuple[Whose, str | None]  # Whose model it is, and its name if stated.


@dataclass
class Claim:
    """One number that a card states, with what it says about it."""

    line: int
    where: Where
    label: str  # The card's name for the benchmark.
    benchmark: str | None  # Its key; None if the benchmark is unknown.
    whose: Whose
    model: str | None
    text: str  # The value as printed.
    value: Printed | None  # None if the value is not a percentage.
    is_about: bool  # True for ~80%.
    count: tuple[int, int] | None  # k of n, if stated.
    spread: str | None
    section: Section
    subset: str | None = None  # Part of the benchmark, such as level 5.
    metric: str | None = None
    passes: int | None = None  # Stated passes that the value is a mean over.
    is_repeated: bool = False  # The number of passes may be above one.
    has_own_passes: bool = False  # Its cell, row or header states them: avg@64.
    conditions: frozenset[str] = frozenset()  # Other words of its row and column.
    is_average: bool = False  # True for a mean over benchmarks.
    is_partial: bool = False  # Only some of the items were scored.
    is_normalised: bool = False  # Rescaled by a leaderboard; not a share of items.
    place: tuple[int, int, int] | None = None  # Table, row and column.
    axis: str = ""  # Axis of the table's benchmarks: columns or rows.
    caption: str = ""  # Text above a table that names no benchmark.
    gain: str | None = None  # Stated gain, such as +5.2.
    file: str | None = None  # File next to the card that holds the claim, if any.
    is_member: bool = False  # The card covers several models; this is one.
    stated: dict[str, str] = field(default_factory=dict)  # Kind of evidence -> quote.


@dataclass(frozen=True)
class Unscaled:
    """A claim whose score may still be a percentage or a share of 1."""

    claim: Claim
    score: Score


@dataclass(frozen=True)
class Finding:
    """One result of a check, with its points, lines and what would settle it."""

    kind: str
    strength: Strength
    title: str
    lines: list[int]
    points: list[str]
    settles: str
    sources: list[str] = field(default_factory=list)
    num: int = 1  # Number of findings that it counts as in the summary.


@dataclass
class Unread:
    """Lines whose numbers were left out, by reason."""

    lines: dict[str, set[int]] = field(default_factory=dict)

    def add(self, reason: str, line: int) -> None:
        self.lines.setdefault(reason, set()).add(line)

    @property
    def all_lines(self) -> list[int]:
        return sorted({line for lines in self.lines.values() for line in lines})


@dataclass(frozen=True)
class Audit:
    """A card with its claims, its findings and what was not read."""

    card: Card
    identity: Identity
    claims: list[Claim]  # Sorted by line.
    findings: list[Finding]
    unread: Unread
    licences: "list[StatedLicence]"
    is_cut: bool  # True if the card makes more than MAX_CLAIMS claims.
    commit: str | None = None  # Commit of the repository on the hub.
    note: str | None = None  # Remark on the download, for the report.

    @property
    def title(self) -> str:
        return self.identity.id or self.card.path.name
