"""Audit a folder of cards: one line per card, and values on which two cards differ."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from mathledger.audit import known, report
from mathledger.audit.types import Audit, Claim
from mathledger.audit.words import benchmark_of
from mathledger.core.errors import InputError


@dataclass(frozen=True)
class Entry:
    """One card of the folder, with its audit or the error that prevented it."""

    name: str
    audit: Audit | None
    error: str | None


def cards(folder: Path) -> list[Path]:
    """List the cards of a folder, at any depth.

    Raises:
        InputError: If there are none.
    """
    found = sorted(path for path in folder.rglob("*.md") if path.is_file())
    if not found:
        raise InputError(f"{folder} is a folder without cards: name one with .md files")
    return found


COLUMNS = [
    "card",
    "claims",
    "this model",
    "others",
    "contradictions",
    "questions",
    "missing",
    "lines not read",
]


def row(entry: Entry) -> list[str]:
    """Return the table row of one card."""
    audit = entry.audit
    if audit is None:
        return [entry.name, f"not read: {entry.error}", *[""] * (len(COLUMNS) - 2)]
    own = sum(claim.whose == "this" for claim in audit.claims)
    counts = [report.num_of(audit, strength) for strength in report.STRENGTHS]
    numbers = [len(audit.claims), own, len(audit.claims) - own, *counts]
    return [entry.name, *map(str, [*numbers, len(audit.unread.all_lines)])]


def markdown(folder: Path, entries: list[Entry]) -> str:
    """Render the table of a folder's cards."""
    lines = [
        f"# Audit of {len(entries):,} card{'s' * (len(entries) != 1)} in {folder.resolve().name}",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|---|{'---:|' * (len(COLUMNS) - 1)}",
    ]
    for entry in entries:
        lines.append("| " + " | ".join(report.cell(part) for part in row(entry)) + " |")
    twice = differing(entries)
    if twice:
        lines += ["", "## One model, more than one value", ""]
        lines += [f"- {text}" for text in twice]
    return "\n".join(lines) + "\n"


def differing(entries: list[Entry]) -> list[str]:
    """List models with different values on one benchmark in two cards and no stated condition."""
    found: dict[tuple[object, ...], list[tuple[str, Claim]]] = defaultdict(list)
    for entry in entries:
        for claim in entry.audit.claims if entry.audit else []:
            name = claim.model or (entry.audit.identity.id if entry.audit else None)
            is_plain = claim.value and not claim.value.is_range and not claim.is_about
            if not name or not claim.benchmark or not is_plain or claim.whose == "unclear":
                continue
            key = known.words(name.rpartition("/")[2])
            metric = (claim.metric or "").lower()
            found[key, claim.benchmark, claim.subset, metric, claim.passes].append(
                (entry.name, claim)
            )
    texts = []
    for group in found.values():
        first = group[0][1]
        values = [claim.value for _, claim in group if claim.value]
        apart = max(v.low for v in values) - min(v.low for v in values)
        if len({name for name, _ in group}) < 2 or apart <= 2 * max(v.half for v in values):
            continue
        told = ", ".join(f"{claim.text} ({name}, line {claim.line})" for name, claim in group[:6])
        texts.append(
            f"{benchmark_of(first)}, {first.model}: {told}. Were they measured in the same way?"
        )
    return texts
