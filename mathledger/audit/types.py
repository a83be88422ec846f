"""The records of an audit: what a card claims, and what is found on its claims."""

from dataclasses import dataclass, field
from typing import Literal

from mathledger.audit.arithmetic import Printed
from mathledger.audit.blocks import Section
from mathledger.audit.card import Card
from mathledger.audit.scores import Score

Where = Literal["model-index", "table", "text"]
Whose = Literal["this", "other", "unclear"]
Owner = tuple[Whose, str | None]  # whose model, and its name where it is not this one
Names = set[tuple[str, ...]]  # that this model goes by, in words


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
    passes: int | None = None  # that the value is a mean over
    stated: dict[str, str] = field(default_factory=dict)  # what can be checked: the card's words


@dataclass(frozen=True)
class Unscaled:
    """A claim before its score is known to be in percent or a share of 1."""

    claim: Claim
    score: Score


@dataclass(frozen=True)
class Finding:
    kind: str
    title: str
    lines: list[int]
    points: list[str]
    settles: str
    sources: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Audit:
    card: Card
    claims: list[Claim]  # in the order of their lines
    findings: list[Finding]
    unread: list[int]  # lines with numbers that could not be told apart
    is_cut: bool  # the card makes more than MAX_CLAIMS
