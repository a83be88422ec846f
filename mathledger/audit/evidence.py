"""What a card states of the things that make a score checkable, in its own words.

A statement counts for a claim when it stands with it (cell, row, header, sentence), in the text of
its section, or in a section on evaluation. It is quoted, never judged.
"""

import re
from collections import defaultdict

from mathledger.audit.blocks import Code, Section, Text
from mathledger.audit.card import Card
from mathledger.audit.markup import plain
from mathledger.audit.types import Claim

# What it takes to check a score.
KINDS = {
    "n": "the number of items",
    "revision": "the benchmark's revision",
    "prompt": "the prompt or the number of shots",
    "sampling": "how answers were sampled",
    "grader": "the harness or grader",
    "predictions": "the predictions",
    "interval": "an interval",
}
MAX_TEXTS = 500  # paragraphs of one section that are read
MAX_CHARACTERS = 4000  # of a paragraph


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


PATTERNS = {
    "n": _any(r"\bn\s?=\s?\d{1,6}\b", r"\b\d{2,6} (?:problems|questions|items|test examples)\b"),
    "revision": _any(
        r"\b(?:revision|commit|sha)\b[^\w\n]{0,5}(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b",
        r"\b[0-9a-f]{40}\b",
    ),
    "prompt": _any(
        r"\b(?:zero|one|few|\d{1,2})[- ]?shots?\b",
        r"\bnum_fewshot[ =:]{1,3}\d+",
        r"\bprompt(?:ed|s)?\s?(?:template|with|:)",
        r"\bsystem prompt\b",
        r"(?<![\w-])CoT(?![\w-])",
        r"\bchain[- ]of[- ]thought prompt\w*",
    ),
    "sampling": _any(
        r"\bgreedy\b",
        r"\btemperature\b(?:\s?(?:of|=|:)?\s?\$?\d(?:\.\d+)?)?",
        r"\btop[-_ ]?p\b",
        r"\b(?:avg|mean|maj|cons)\s?@\s?\d+",
        r"\bmajority vot\w+",
        r"\bself-consistency\b",
        r"\bbest[- ]of[- ]\d+",
        r"\baverag\w+ over \d+",
        r"\b\d+ (?:runs|samples|seeds|responses|generations)\b",
    ),
    "grader": _any(
        r"\blm[-_ ]eval(?:uation)?(?:[-_ ]harness)?\b",
        r"\b(?:lighteval|simple-evals|opencompass|evalscope|evalplus|evalchemy|olmes)\b",
        r"\b(?:math[-_]verify|nemo[- ]skills|open llm leaderboard)\b",
        r"\b(?:exact[_ -]match|strict-match)\b",
        r"\bLLM[- ](?:as[- ]a[- ])?judge\b",
    ),
    "predictions": _any(
        r"\b(?:predictions|outputs|responses|generations|completions|transcripts|details"
        r"|detailed results)\b[^\n]{0,80}?\b(?P<url>https?://[^\s)>\]]{1,300})"
    ),
    "interval": _any(
        r"±",
        r"\+/-",
        r"\bconfidence interval",
        r"\b95 ?% CI\b",
        r"\bstd(?:err|dev)?\b",
        r"\bstandard (?:error|deviation)",
    ),
}
_REPEATS = _any(
    r"\b(?:averaged?|mean) (?:over|of|across) (\d{1,4})\b",
    r"\bnumber of runs\W{1,6}(\d{1,4})\b",
    r"\b(\d{1,4}) (?:runs|seeds|repeats|passes)\b",
    r"\b(\d{1,4}) (?:samples|responses|generations) (?:per|for each)\b",
)
_VOTE = _any(r"maj|cons|best|bo|rm|prm|run")
_GENERAL = _any(r"eval|benchmark|result|performance|accuracy|score")
_RUNS_HARNESS = _any(r"\blm[-_]eval\b", r"\blighteval\b", "num_fewshot", r"--tasks\b", "gen_kwargs")


def in_words(text: str) -> dict[str, str]:
    """What a piece of text states, by kind: its own words."""
    matches = {kind: pattern.search(text[:MAX_CHARACTERS]) for kind, pattern in PATTERNS.items()}
    return {
        kind: match["url"].rstrip(".,;") if kind == "predictions" else plain(match[0])
        for kind, match in matches.items()
        if match
    }


def repeats_in(text: str) -> int | None:
    """Over how many passes a text says that scores are means."""
    match = _REPEATS.search(text[:MAX_CHARACTERS])
    return next((int(group) for group in match.groups() if group), None) if match else None


def attach(card: Card, claims: list[Claim]) -> None:
    """Add to each claim what its section, and the sections on evaluation, state."""
    own = {claim.section for claim in claims}
    texts = _texts(card, own) if claims else {}
    stated = {section: _stated(parts) for section, parts in texts.items()}
    general: dict[str, str] = {}
    for section, own_words in stated.items():
        if _is_general(section):
            general = own_words | general
    passes = {section: repeats_in("\n".join(parts)) for section, parts in texts.items()}
    for claim in claims:
        around = general | stated.get(claim.section, {})
        for kind in ("n", "interval"):  # these are said of one score, not of a page
            around.pop(kind, None)
        claim.stated = around | claim.stated
        is_vote = bool(claim.metric and _VOTE.match(claim.metric))
        if claim.passes is None and not claim.count and not is_vote:
            claim.passes = passes.get(claim.section)
        if claim.passes:
            claim.stated["sampling"] = f"{claim.passes} passes"
        elif claim.metric and "@" in claim.metric:
            claim.stated.setdefault("sampling", claim.metric)
        if claim.spread:
            sign = "" if claim.spread.startswith("[") else "± "
            claim.stated["interval"] = sign + claim.spread
        if claim.count:
            claim.stated["n"] = f"{claim.count[0]} of {claim.count[1]}"


def _texts(card: Card, own: set[Section]) -> dict[Section, list[str]]:
    """The text of the claims' sections and of those on evaluation, with the harness's commands."""
    texts: dict[Section, list[str]] = defaultdict(list)
    for block in card.blocks:
        section = block.section
        if len(texts[section]) > MAX_TEXTS or not (section in own or _is_general(section)):
            continue
        if isinstance(block, Text):
            texts[section].append("\n".join(block.lines))
        elif isinstance(block, Code):
            lines = block.lines[:MAX_TEXTS]
            texts[section] += [
                line for line in lines if _RUNS_HARNESS.search(line[:MAX_CHARACTERS])
            ]
    return texts


def _is_general(section: Section) -> bool:
    """Return True if a section is about evaluation."""
    return any(_GENERAL.search(title) for title in section.topics)


def _stated(parts: list[str]) -> dict[str, str]:
    words: dict[str, str] = {}
    for part in parts:
        words = in_words(part) | words
    return words
