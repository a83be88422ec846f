"""Which of the things that make a score checkable a card states, in its own words.

A statement counts for a claim when it stands with it (cell, row, header, sentence), in the text of
its section, or in the text of a section on evaluation. It is quoted, never judged.
"""

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from ledger.audit.card import Card, Code, Section, Text, plain

if TYPE_CHECKING:
    from ledger.audit.claims import Claim

# What it takes to check a score, and what would supply it.
KINDS = {
    "n": "the number of items",
    "revision": "the benchmark's revision",
    "prompt": "the prompt or the number of shots",
    "sampling": "how answers were sampled",
    "grader": "the harness or grader",
    "predictions": "the predictions",
    "interval": "an interval",
}
PATTERNS = {
    "n": re.compile(
        r"(?i)\bn\s?=\s?\d{1,6}\b|\b\d{2,6}\s+(?:problems|questions|items|test (?:examples|samples))\b"
    ),
    "revision": re.compile(
        r"(?i)\b(?:revision|commit|sha)\b[^\w\n]{0,5}(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b|\b[0-9a-f]{40}\b"
    ),
    "prompt": re.compile(
        r"(?i)\b(?:zero|one|few|\d{1,2})[- ]?shots?\b|\bprompt(?:ed|s)?\s?(?:template|with|:)"
        r"|(?<![\w-])CoT(?![\w-])|chain[- ]of[- ]thought prompt\w*|\bnum_fewshot[ =]\d+|\bsystem prompt\b"
    ),
    "sampling": re.compile(
        r"(?i)\bgreedy\b|\btemperature\b\s?(?:of|=|:)?\s?\$?\d?(?:\.\d+)?|\btop[-_ ]?p\b|\b(?:avg|mean|maj|cons)\s?@\s?\d+"
        r"|\bmajority vot\w+|\bself-consistency\b|\bbest[- ]of[- ]\d+|\baverag\w+ over \d+"
        r"|\b\d+ (?:runs|samples|seeds|responses|generations)\b"
    ),
    "grader": re.compile(
        r"(?i)\blm[-_ ]eval(?:uation)?(?:[-_ ]harness)?\b|\blighteval\b|\bsimple-evals\b|\bmath[-_]verify\b"
        r"|\bopencompass\b|\bevalscope\b|\bevalplus\b|\bnemo[- ]skills\b|\bolmes\b|\bbigcode[- ]eval\w*"
        r"|\bopen llm leaderboard\b|\binspect[-_ ]evals?\b|\bexact[_ -]match\b|\bstrict-match\b"
        r"|\bevalchemy\b|\bLLM[- ](?:as[- ]a[- ])?judge\b"
    ),
    "predictions": re.compile(
        r"(?i)\b(?:predictions|model outputs|raw outputs|responses|generations|completions|transcripts"
        r"|details|detailed results|per-(?:item|sample) results)\b[^\n]{0,80}\bhttps?://[^\s)]{1,300}"
    ),
    "interval": re.compile(
        r"(?i)±|\+/-|\bconfidence interval|\b95 ?% CI\b|\bstd(?:err|dev)?\b|\bstandard (?:error|deviation)"
    ),
}
_OF_SCORES = re.compile(r"(?i)eval|benchmark|result|performance|accuracy|score")


def in_words(text: str) -> dict[str, str]:
    """What a piece of text states, by kind: its own words."""
    found = {}
    for kind, pattern in PATTERNS.items():
        match = pattern.search(text[:4000])
        if match:
            found[kind] = match[0].strip()[:120]
    return found


def attach(card: Card, claims: "list[Claim]") -> None:
    """Add to each claim what its section, and the sections on evaluation, state."""
    texts: dict[Section, list[str]] = defaultdict(list)
    for block in card.blocks:
        if isinstance(block, Text):
            texts[block.section].append("\n".join(block.lines))
        elif isinstance(block, Code):
            texts[block.section] += [line for line in block.lines if _runs_harness(line)]
    stated = {section: _stated(parts) for section, parts in texts.items()}
    repeats = {
        section: passes
        for section, parts in texts.items()
        if (passes := repeats_in("\n".join(parts)))
    }
    general: dict[str, str] = {}
    for section, found in stated.items():
        if any(_OF_SCORES.search(title) for title in section.titles[1:] or section.titles):
            general = found | general
    for claim in claims:
        near = stated.get(claim.section, {})
        around = {**general, **near}
        for kind in ("n", "interval"):  # these are said of one score, not of a page
            around.pop(kind, None)
        claim.stated = {**around, **claim.stated}
        if claim.spread:
            claim.stated["interval"] = f"± {claim.spread}"
        if claim.count:
            claim.stated["n"] = f"{claim.count[0]} of {claim.count[1]}"
        if claim.passes is None and not claim.count and not _is_vote(claim.metric):
            claim.passes = repeats.get(claim.section)
        if claim.metric and "@" in claim.metric:
            claim.stated.setdefault("sampling", claim.metric)
        if claim.passes:
            claim.stated["sampling"] = f"{claim.passes} passes"


REPEATS = re.compile(
    r"(?i)\b(?:averaged?|mean) (?:over|of|across) (\d{1,4})\b|\bnumber of runs\W{1,6}(\d{1,4})\b"
    r"|\b(\d{1,4}) (?:runs|seeds|repeats|passes|(?:samples|responses|generations) (?:per|for each))\b"
)


def repeats_in(text: str) -> int | None:
    """Over how many passes a text says that scores are means."""
    match = REPEATS.search(text)
    return next((int(group) for group in match.groups() if group), None) if match else None


def _is_vote(metric: str | None) -> bool:
    """Whether a metric is one score from many answers, such as maj@64 or run 3."""
    return bool(metric and re.match(r"(?i)maj|cons|best|bo|rm|prm|run", metric))


def _stated(parts: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in parts:
        for kind, words in in_words(part).items():
            found.setdefault(kind, plain(words) if kind != "predictions" else words)
    return found


def _runs_harness(line: str) -> bool:
    return bool(re.search(r"\blm[-_]eval\b|\blighteval\b|num_fewshot|--tasks\b|gen_kwargs", line))
