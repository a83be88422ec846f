"""The records of an audit: what a card claims, and what is found on its claims."""

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
Owner = tuple[Whose, str | None]  # whose model, and its name where the card gives one


@dataclass
class Claim:
    line: int
    where: Where
    label: str  # the benchmark as the card names it
    benchmark: str | None  # its key; null where it is not known
    whose: Whose
    model: str | None
    text: str  # the value as printed
    value: Printed | None  # null where it is no percentage
    is_about: bool  # ~80%
    count: tuple[int, int] | None  # k of n, where the card says so
    spread: str | None
    section: Section
    subset: str | None = None  # a part of the benchmark
    metric: str | None = None
    passes: int | None = None  # that the value is a mean over, as far as the card says
    is_repeated: bool = False  # it may be a mean over passes whose number is not clear
    has_own_passes: bool = False  # they stand in its cell, row or header: avg@64
    conditions: frozenset[str] = frozenset()  # other words of its row and column
    is_average: bool = False  # over benchmarks
    is_partial: bool = False  # on some of the benchmark's items
    is_normalised: bool = False  # rescaled, as leaderboards do: no share of items
    place: tuple[int, int, int] | None = None  # table, row, column
    axis: str = ""  # that holds the benchmarks of its table: columns or rows
    caption: str = ""  # the text before its table, where the table names no benchmark
    gain: str | None = None  # +5.2, stated beside it
    file: str | None = None  # beside the card, where it does not stand in the card itself
    is_member: bool = False  # of a card that is about several models of one name
    stated: dict[str, str] = field(default_factory=dict)  # what can be checked: the card's words


@dataclass(frozen=True)
class Unscaled:
    """A claim before its score is known to be in percent or a share of 1."""

    claim: Claim
    score: Score


@dataclass(frozen=True)
class Finding:
    kind: str
    strength: Strength
    title: str
    lines: list[int]
    points: list[str]
    settles: str
    sources: list[str] = field(default_factory=list)
    num: int = 1  # what it counts as in the summary


@dataclass
class Unread:
    """Lines with numbers that were left out, by the reason."""

    lines: dict[str, set[int]] = field(default_factory=dict)

    def add(self, reason: str, line: int) -> None:
        self.lines.setdefault(reason, set()).add(line)

    @property
    def all_lines(self) -> list[int]:
        return sorted({line for lines in self.lines.values() for line in lines})


@dataclass(frozen=True)
class Audit:
    card: Card
    identity: Identity
    claims: list[Claim]  # in the order of their lines
    findings: list[Finding]
    unread: Unread
    licences: "list[StatedLicence]"
    is_cut: bool  # the card makes more than MAX_CLAIMS
    commit: str | None = None  # of the hub's repository
    note: str | None = None  # on how the card came here

    @property
    def title(self) -> str:
        return self.identity.id or self.card.path.name
