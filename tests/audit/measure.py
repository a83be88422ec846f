"""Measure the audit's precision and recall over the labelled cards.

    python -m tests.audit.measure            # print the table of docs/audit.md
    python -m tests.audit.measure --errors   # print each error of the audit

labelled/NAME.md is a card that we wrote, and NAME.labels is what a reader sees in it: one line per
claim (value, benchmark, whose, metric, xPASSES; `a|b` if either is right, `?` for an unknown
benchmark). The lines below the claims are `findings:` (all true findings), `stated:` (what the card
states about how the scores were measured), `unread: some` if numbers must be counted as unread, and
`model:` if the audit is told the name of the repository.
"""

import argparse
import re
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mathledger.audit import audit
from mathledger.audit.types import Audit, Claim

LABELLED = Path(__file__).parent / "labelled"
SCORED = ("impossible", "one_pass", "rounding", "inconsistent", "average", "gain", "miscounted")


@dataclass(frozen=True)
class Label:
    value: str
    benchmarks: frozenset[str]
    whose: frozenset[str]
    metric: str | None
    passes: int | None


@dataclass
class Labels:
    model: str | None = None
    claims: list[Label] = field(default_factory=list)
    findings: set[str] = field(default_factory=set)
    stated: set[str] = field(default_factory=set)
    has_unread: bool = False


def read(path: Path) -> Labels:
    """Read the labels of a card."""
    labels = Labels()
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, rest = line.partition(": ")
        words = rest.replace(",", " ").split()
        if key == "model":
            labels.model = rest
        elif key == "findings":
            labels.findings |= set(words)
        elif key == "stated":
            labels.stated |= set(words)
        elif key == "unread":
            labels.has_unread = True
        elif line.strip():
            value, benchmark, whose, *more = line.split()
            passes = next((int(word[1:]) for word in more if word[0] == "x"), None)
            metric = next((word for word in more if word[0] != "x"), None)
            labels.claims.append(
                Label(
                    value,
                    frozenset(benchmark.split("|")),
                    frozenset(whose.split("|")),
                    metric,
                    passes,
                )
            )
    return labels


def _benchmark(claim: Claim) -> str:
    return claim.benchmark or "?"


def _bare(text: str) -> str:
    return re.split(r"±|\(|\[| of | to ", text)[0].strip(" %~≈")


def _fit(claim: Claim, label: Label) -> int:
    """Rate how well a claim and a label agree; 0 if their values differ."""
    if _bare(claim.text) != _bare(label.value) and claim.text != label.value:
        return 0
    score = 1 + 4 * (_benchmark(claim) in label.benchmarks) + 2 * (claim.whose in label.whose)
    is_metric = label.metric is None or (claim.metric or "").lower() == label.metric.lower()
    return score + is_metric


def match(claims: list[Claim], labels: list[Label]) -> list[tuple[Label, Claim | None]]:
    """Pair each label with its claim, best matches first; None if no claim matches."""
    pairs = [(_fit(c, one), -n, -m) for n, one in enumerate(labels) for m, c in enumerate(claims)]
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for score, number, at in sorted(pairs, reverse=True):
        if score and -number not in matched and -at not in taken:
            matched[-number] = -at
            taken.add(-at)
    return [(one, claims[matched[n]] if n in matched else None) for n, one in enumerate(labels)]


@dataclass
class Tally:
    counts: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def add(self, what: str, is_right: bool, error: str) -> None:
        self.counts[what] += 1
        self.counts[f"{what}: right"] += is_right
        if not is_right:
            self.errors.append(f"{what}: {error}")

    def share(self, what: str) -> float:
        return self.counts[f"{what}: right"] / max(1, self.counts[what])


def compare(name: str, result: Audit, labels: Labels, tally: Tally) -> None:
    """Count where an audit agrees with the labels."""
    pairs = match(result.claims, labels.claims)
    found = {id(claim) for _, claim in pairs}
    for label, claim in pairs:
        what = f"{name}: {label.value} on {'|'.join(label.benchmarks)}"
        tally.add("claims found", claim is not None, what)
        if claim is None:
            continue
        what += f" (line {claim.line})"
        tally.add(
            "right benchmark",
            _benchmark(claim) in label.benchmarks,
            f"{what} is read as {_benchmark(claim)} ({claim.label})",
        )
        told = f"{what} is read as {claim.whose} ({claim.model})"
        if label.whose == {"this"}:
            tally.add("own labelled this model", claim.whose == "this", told)
        elif "this" not in label.whose:
            tally.add("others not labelled this model", claim.whose != "this", told)
        if label.metric:
            same = (claim.metric or "").lower() == label.metric.lower()
            tally.add("right metric", same, f"{what}: {claim.metric}, not {label.metric}")
        if label.passes:
            same = claim.passes == label.passes
            tally.add("right passes", same, f"{what}: {claim.passes}, not {label.passes}")
    for claim in result.claims:
        told = f"{name}, line {claim.line}: {claim.text} on {claim.label}"
        tally.add("listed is a claim", id(claim) in found, told)
    _compare_findings(name, result, labels, tally)


def _compare_findings(name: str, result: Audit, labels: Labels, tally: Tally) -> None:
    seen = {f.kind: f for f in result.findings if f.strength != "missing"}
    for kind, finding in seen.items():
        is_true = kind in labels.findings
        told = f"{name}: {finding.points[0]}"
        tally.add(f"{finding.strength} true", is_true, told)
        tally.add(f"{kind} true", is_true, told)
    for kind in sorted(labels.findings):
        is_seen = kind in seen or any(f.kind == kind for f in result.findings)
        tally.add("findings found", is_seen, f"{name}: {kind}")
    own = [claim for claim in result.claims if claim.whose == "this"]
    for kind in sorted(labels.stated) if own else []:
        is_seen = any(kind in claim.stated for claim in own)
        tally.add("stated, and not called missing", is_seen, f"{name}: {kind}")
    if labels.has_unread:
        tally.add("left out and counted", bool(result.unread.all_lines), name)
    if not labels.claims and not labels.findings:
        kinds = [f.kind for f in result.findings if f.strength != "missing"]
        tally.add("no scores, no findings", not kinds and not result.claims, f"{name}: {kinds}")


def measure(folder: Path = LABELLED) -> Tally:
    """Return the tally over all labelled cards."""
    tally = Tally()
    for path in sorted(folder.glob("*.md")):
        labels = read(path.with_suffix(".labels"))
        compare(path.stem, audit(path, repo=labels.model), labels, tally)
        tally.counts["cards"] += 1
    return tally


ROWS = (
    "claims found",
    "listed is a claim",
    "right benchmark",
    "own labelled this model",
    "others not labelled this model",
    "right metric",
    "right passes",
    "contradiction true",
    "question true",
    "findings found",
    "stated, and not called missing",
    "left out and counted",
    "no scores, no findings",
)


def table(tally: Tally) -> str:
    """Render the measures as a Markdown table."""
    kinds = sorted(
        key.removesuffix(" true")
        for key in tally.counts
        if key.endswith(" true") and not key.startswith(("contradiction", "question"))
    )
    lines = ["| measure | of | right |", "|---|---:|---:|"]
    for what in (*ROWS, *(f"{kind} true" for kind in kinds)):
        if tally.counts[what]:
            shown = f"{100 * tally.share(what):.1f}%"
            lines.append(f"| {what} | {tally.counts[what]:,} | {shown} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--errors", action="store_true", help="list every difference")
    arguments = parser.parse_args()
    tally = measure()
    print(f"{tally.counts['cards']} cards, {tally.counts['claims found']:,} claims\n")
    print(table(tally))
    if arguments.errors:
        print(*["", *tally.errors], sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
