"""Build the numeric claims of a card: line, value, benchmark and model.

Numbers come from the front matter, from tables and from text. A number becomes a claim only if it
is clear what it is a score of. An unknown benchmark keeps the card's name for it, and a number that
fits more than one reading is counted as unread.
"""

import re
from collections import defaultdict
from fractions import Fraction

from mathledger.audit import evidence, known
from mathledger.audit.blocks import Section
from mathledger.audit.methods import is_vote, mean_over, metrics_in, repeats_in
from mathledger.audit.scores import Score, are_shares
from mathledger.audit.types import Claim, Owner, Unscaled, Where

_SHARES = re.compile(r"(?i)acc|exact.?match|\bem\b|(?:pass|maj|avg).?@|correct|solve|mc[12]|strict")
_HARNESS = re.compile(
    r"(?i)\b(acc_norm|acc|exact_match|exact match|f1|mc1|mc2|bleu|rouge\w*|em|percentile|rating"
    r"|win[- ]?rate|lc[- ]?winrate|strict|flexible|elo)\b"
)
# Metrics that are not a share of the items.
NO_SHARE = re.compile(r"(?i)f1|bleu|rouge|percentile|rating|win[- ]?rate|elo|ppl|mc2|\bem/?f1")
NORMALISED = re.compile(r"(?i)leaderboard|normali[sz]ed|rescaled")
_PARTIAL = re.compile(
    r"(?i)\bsubset\b|\bsubsample|\b(?:first|random(?:ly)?|sampled) \d{2,5}\b|\bonly\b|\bI{1,2} only"
    r"|\b(?:19|20)?\d\d\s?(?:[-–—~]|to)\s?(?:19|20)\d\d\b"  # Several years.
    r"|\b\d{2,5} (?:problems|questions|items|examples)\b|\bmini\b|\blite\b"
)
_AVERAGE = re.compile(r"(?i)^\W*(?:avg|average|mean|overall|macro[- ]avg|total avg)\b(?!\s?@)")


def claim_of(
    line: int,
    where: Where,
    mention: known.Mention,
    owner: Owner,
    score: Score,
    section: Section,
    context: str = "",
    metric: str | None = None,
) -> Claim:
    """Build a claim; `context` is text that may say how the score was measured."""
    named = metrics_in(context)
    plain = next((each for each in named if not mean_over(each)), named[0] if named else None)
    metric = metric or plain
    if metric is None and (harness := _HARNESS.search(context)):
        metric = harness[0]
    means = [passes for each in named if (passes := mean_over(each))]
    passes = (means[0] if means else repeats_in(context)) if not is_vote(metric) else None
    return Claim(
        line,
        where,
        mention.label,
        mention.key,
        *owner,
        score.text,
        score.value(),
        score.is_about,
        score.count,
        score.spread,
        section,
        metric=metric,
        passes=passes,
        has_own_passes=bool(passes),
        is_partial=bool(_PARTIAL.search(context)),
        is_average=mention.key is None and bool(_AVERAGE.match(mention.label)),
    )


def in_percent(claims: list[Unscaled]) -> list[Claim]:
    """Return the claims of one table or index, whose scores are all in percent or all shares."""
    if are_shares([each.score for each in claims]):
        for each in claims:
            each.claim.value = each.score.value(share=True)
    return [each.claim for each in claims]


def unnamed(label: str) -> known.Mention:
    """Return a mention of an unknown benchmark under the card's name for it."""
    return known.Mention(None, label, 0, 0)


def is_accuracy(*names: str) -> bool:
    """Return True if one of the names is that of a metric that is a share of the items."""
    return any(_SHARES.search(name) for name in names)


def words_of(text: str) -> dict[str, str]:
    """Return what a cell, header or sentence states about how its score was measured."""
    return evidence.in_words(text)


def settle(claims: list[Claim]) -> None:
    """Give a sentence's unnamed score to the sibling whose row of a table holds that number."""
    rows: dict[tuple[str, Fraction], list[Claim]] = defaultdict(list)
    for claim in claims:
        if claim.place and claim.benchmark and claim.value and not claim.subset:
            rows[claim.benchmark, claim.value.low].append(claim)
    for claim in claims:
        if claim.place or claim.whose != "this" or claim.model or not claim.value:
            continue
        same = rows.get((claim.benchmark or "", claim.value.low), [])
        family = [one for one in same if one.whose == "family"]
        if family and all(one.whose != "this" for one in same):
            claim.whose, claim.model = "family", family[0].model
