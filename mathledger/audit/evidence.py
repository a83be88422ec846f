"""Quote what a card states about the things that make a score checkable.

A statement counts for a claim if it is next to it (cell, row, header, sentence), in its section,
in a section on evaluation, or in any sentence of the card about evaluation. It is quoted, never
judged. Sampling settings in a section on usage or training do not count for the scores.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mathledger.audit import known, methods
from mathledger.audit.blocks import Body, Code, Section, Table, Text
from mathledger.audit.markup import plain
from mathledger.audit.owners import Identity

if TYPE_CHECKING:
    from mathledger.audit.types import Claim

# A reader needs these to check a score.
KINDS = {
    "n": "the number of items",
    "revision": "the benchmark's revision",
    "prompt": "the prompt or the number of shots",
    "sampling": "how answers were sampled",
    "grader": "the harness or grader",
    "predictions": "the predictions",
    "interval": "an interval",
}
MAX_TEXTS = 500  # Paragraphs read per section.
MAX_CHARACTERS = 4000  # Characters read per paragraph.
MAX_GROUP = 40  # Largest group of scores on one benchmark that is compared.


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
        r"\b(?:around|with|using|used|following) th(?:is|e following|e same) (?:system )?prompt\b",
        r"\bfew[- ]shot\b",
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
        r"\b\d+ (?:runs|samples|seeds|responses|generations|repetitions|repeats|trials)\b",
        r"\bsingle (?:run|pass|sample)\b",
        r"\bpass@1\b(?=.{0,40}\b(?:sampl|averag|estimat))",
    ),
    "grader": _any(
        r"\blm[-_ ]eval(?:uation)?(?:[-_ ]harness)?\b",
        r"\b(?:lighteval|simple-evals|opencompass|evalscope|evalplus|evalchemy|olmes)\b",
        r"\b(?:math[-_]verify|nemo[- ]skills|open llm leaderboard|prime[-_]rl|helm|verl"
        r"|lcb[-_]runner)\b",
        r"\bevaluation (?:code|scripts?|toolkit|framework|pipeline|repo(?:sitory)?)\b",
        r"\b(?:exact[_ -]match|strict-match)\b",
        r"\bLLM[- ](?:as[- ]a[- ])?judge\b",
    ),
    "predictions": _any(
        r"\b(?:predictions|outputs|responses|generations|completions|transcripts|details"
        r"|detailed results|logs|samples)\b[^\n]{0,80}?\b(?P<url>https?://[^\s)>\]]{1,300})",
        r"\b(?:predictions|outputs|responses|generations|completions)\b[^\n.]{0,30}? (?:are|is"
        r"|stand) "
        r"(?:kept |stored |listed |published |available )?in "
        r"(?P<path>`?[\w./-]{3,80}[/.][\w/-]*`?)",
    ),
    "interval": _any(
        r"±",
        r"\+/-",
        r"\bconfidence interval",
        r"\b9[059] ?% (?:CI|intervals?)\b",
        r"\bstd(?:err|dev)?\b",
        r"\bstandard (?:error|deviation)",
    ),
}
_GENERAL = _any(r"eval|benchmark|result|performance|accuracy|score|metric")
_USAGE = _any(
    r"usage|\buse\b|quick ?start|how to|getting started|inference|deploy|training|hyper|\bdata"
    r"|demo|example|serving|vllm|transformers"
)
_SPEAKS = _any(
    r"\bevaluat",
    r"\bbenchmark",
    r"\bscores?\b",
    r"\baccurac",
    r"\bdecoding\b",
    r"[- ]shot\b",
    r"\bpass@",
    r"\breport",
)
_RUNS_HARNESS = _any(r"\blm[-_]eval\b", r"\blighteval\b", "num_fewshot", r"--tasks\b", "gen_kwargs")
_SAID_OF_ONE = ("n", "interval")  # These hold for one score, not for a page.
_HEADS = {
    "revision": _any(r"^(?:revision|commit|sha|version)$"),
    "prompt": _any(r"^(?:prompt|(?:n-?)?shots?|few-?shot)$"),
    "grader": _any(r"^(?:grader|harness|judge|framework)$"),
    "sampling": _any(r"^(?:sampling|decoding|samples|repeats|runs)$"),
    "predictions": _any(r"^(?:predictions|responses|outputs|logs|details)$"),
    "n": _any(r"^(?:n|(?:(?:#|n|no\.|num(?:ber)?)(?: of)? ?)?(?:items|problems|questions))$"),
}


def in_words(text: str) -> dict[str, str]:
    """Return the quotes in a text, by kind of evidence."""
    words = {}
    for kind, pattern in PATTERNS.items():
        match = pattern.search(text[:MAX_CHARACTERS])
        if match and kind == "predictions":
            words[kind] = (match["url"] or match["path"]).rstrip(".,;").strip("`")
        elif match:
            words[kind] = plain(match[0])
    return words


def attach(body: Body, claims: list["Claim"], own_model: Identity) -> None:
    """Add what a claim's section, the sections on evaluation and the whole card state."""
    if not claims:
        return
    own = {claim.section for claim in claims}
    texts, anywhere = _texts(body, own)
    stated = {section: _stated(parts) for section, parts in texts.items()}
    general = _stated(anywhere)
    for section, own_words in stated.items():
        if _is_general(section):
            general = general | own_words
    has_intervals = any("interval" in words for words in [general, *stated.values()])
    for kind in _SAID_OF_ONE:
        general.pop(kind, None)
    listed = _listed(body)
    all_statements = methods.statements(body.blocks, own_model)
    for claim in claims:
        around = general | {
            kind: words
            for kind, words in stated.get(claim.section, {}).items()
            if kind not in _SAID_OF_ONE
        }
        claim.stated = around | listed.get(_label(claim, listed), {}) | claim.stated
        _passes(claim, all_statements)
        if claim.spread and (has_intervals or not claim.spread.startswith("[") or claim.count):
            sign = "" if claim.spread.startswith("[") else "± "
            claim.stated["interval"] = sign + claim.spread
        if claim.count:
            claim.stated["n"] = f"{claim.count[0]} of {claim.count[1]}"
    sampled = {
        claim.place[0] for claim in claims if claim.place and methods.mean_over(claim.metric)
    }
    for claim in claims:
        is_beside = claim.place and claim.place[0] in sampled and claim.passes is None
        if is_beside and not claim.count and not methods.is_vote(claim.metric):
            claim.is_repeated = True  # Its table gives means over passes.
    share(claims)


def _label(claim: "Claim", listed: dict[tuple[str, ...], dict[str, str]]) -> tuple[str, ...]:
    """Return the words of the benchmark's name in the card: its label, or its table's caption."""
    own = known.words(claim.label)
    if own in listed or not claim.caption:
        return own
    said = known.words(claim.caption)
    starts = (said[:size] for size in range(len(said), 0, -1))
    return next((start for start in starts if start in listed), own)


def share(claims: list["Claim"]) -> None:
    """Share evidence between the places where the card gives the same score."""
    groups: dict[tuple[object, ...], list[Claim]] = defaultdict(list)
    for claim in claims:
        if claim.value and not claim.subset:
            key = (known.words(claim.label), claim.benchmark, claim.whose)
            groups[key].append(claim)
    for group in groups.values():
        for claim in group if len(group) <= MAX_GROUP else []:
            for other in group:
                if other is not claim and _is_same(claim, other):
                    claim.stated = other.stated | claim.stated


def _is_same(claim: "Claim", other: "Claim") -> bool:
    assert claim.value and other.value
    half = max(claim.value.half, other.value.half)
    return {claim.where, other.where} != {"table"} and abs(
        claim.value.low - other.value.low
    ) <= half


# These words mark a column or row whose scores come from elsewhere.
_REPORTED = frozenset(["reported", "paper", "official", "published", "leaderboard", "claimed"])


def _passes(claim: "Claim", all_statements: list[methods.Statement]) -> None:
    """Set the number of passes that the claim is a mean over, as far as the card states it."""
    is_vote, where = methods.is_vote(claim.metric), ""
    is_open = claim.passes is None and not claim.is_repeated
    if is_open and not claim.count and not is_vote:
        metric = claim.metric if claim.metric and "@" in claim.metric else None
        claim.passes, claim.is_repeated, line = methods.passes_of(
            all_statements, claim.section, claim.benchmark, metric
        )
        where = f" (line {line})" if line else ""
        if claim.conditions & _REPORTED:  # The card says how its own scores were measured.
            claim.passes, claim.is_repeated, where = None, True, ""
    if re.match(r"(?i)pass\s?@\s?(?!1\b)\d", claim.metric or ""):
        claim.passes = None  # It is estimated from samples, not a mean over passes.
    if claim.passes and claim.passes > 1:
        claim.stated["sampling"] = f"{claim.passes} passes{where}"
    elif claim.passes == 1:
        words = claim.stated.get("sampling", "one pass")
        words += "" if words == "one pass" or methods.says_once(words) else ", one pass"
        claim.stated["sampling"] = f"{words}{where}"
    elif claim.metric and "@" in claim.metric and claim.metric.lower() != "pass@1":
        claim.stated.setdefault("sampling", claim.metric)


def _listed(body: Body) -> dict[tuple[str, ...], dict[str, str]]:
    """Return what tables of settings state per benchmark, such as revision, grader and prompt."""
    found: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for block in body.blocks:
        if not isinstance(block, Table):
            continue
        head = [cell.text.strip() for cell in block.rows[0].cells]
        for at, title in enumerate(head[1:], 1):
            kind = next((kind for kind, pattern in _HEADS.items() if pattern.search(title)), None)
            for row in block.rows[1:] if kind else ():
                if row.cells[0].text and row.cells[at].text.strip(" -"):
                    said = f"{title} {row.cells[at].text}"
                    if kind == "n":
                        said = f"{row.cells[at].text} items"
                    found[known.words(row.cells[0].text)].setdefault(str(kind), said)
    return found


def _texts(body: Body, own: set[Section]) -> tuple[dict[Section, list[str]], list[str]]:
    """Return the text of relevant sections, and sentences about evaluation from anywhere."""
    texts: dict[Section, list[str]] = defaultdict(list)
    anywhere: list[str] = []
    for block in body.blocks:
        section = block.section
        is_near = section in own or _is_general(section)
        if isinstance(block, Text):
            for part in ["\n".join(block.lines), "\n".join(block.plain)]:
                if is_near and len(texts[section]) < MAX_TEXTS:
                    texts[section].append(part)
                elif len(anywhere) < MAX_TEXTS:
                    anywhere += _speaking(part, section)
        elif isinstance(block, Code) and is_near and len(texts[section]) < MAX_TEXTS:
            lines = block.lines[:MAX_TEXTS]
            texts[section] += [
                line for line in lines if _RUNS_HARNESS.search(line[:MAX_CHARACTERS])
            ]
    return texts, anywhere


def _speaking(part: str, section: Section) -> Iterator[str]:
    """Yield sentences about evaluation; in a section on usage, only those about benchmarks."""
    is_usage = any(_USAGE.search(title) for title in section.titles[-1:])
    for sentence in re.split(r"(?<=[.!?])\s+", part[:MAX_CHARACTERS]):
        wanted = _any(r"\bbenchmark", r"\bevaluat") if is_usage else _SPEAKS
        if wanted.search(sentence) or (not is_usage and PATTERNS["predictions"].search(sentence)):
            yield sentence


def _is_general(section: Section) -> bool:
    """Return True if a section is about evaluation."""
    return any(_GENERAL.search(title) for title in section.topics)


def _stated(parts: list[str]) -> dict[str, str]:
    words: dict[str, str] = {}
    for part in parts:
        words = in_words(part) | words
    return words
