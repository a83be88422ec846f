"""Claims in running text, sentence by sentence."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from mathledger.audit import evidence, known
from mathledger.audit.blocks import Text
from mathledger.audit.claims import METRIC, claim_of, in_percent, unnamed
from mathledger.audit.scores import Score, scores
from mathledger.audit.types import Claim, Names, Owner, Unscaled

Place = Score | known.Mention
MAX_SENTENCE = 1000  # characters
SCORE_WORDS = re.compile(
    r"(?i)\b(?:accuracy|acc|scor(?:e|es|ed|ing)|pass@\d+|maj@\d+|exact[ _-]match|solve rate|em)\b"
)
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+(?=[A-Z(\"'*-])")
# A change, a rank, a p-value; a level of confidence.
_NO_SCORE_BEFORE = re.compile(r"(?i)\b(?:by|top|p\s?[<=>]|n\s?=)\s?$")
_NO_SCORE_AFTER = re.compile(r"(?i)\s?(?:confidence|credible|intervals?|CI)\b")
# What may stand between a benchmark and its score.
_WORDS = """
a an the of is at to on in for and with by its our we it all full only just now from over up nearly
test set sets dataset benchmark benchmarks exam exams problems items competition math mathematics
accuracy acc score scores scored scoring performance result results rate success overall correct
exact match em strict flexible zero few shot cot greedy average avg mean maj cons pass majority vote
achieves achieve achieved achieving reaches reach reached reaching gets get got obtains obtained
attains attained hits hit solves solved solving improves improved improving increases increased
rises rose boosts boosted
"""
_BETWEEN = set(_WORDS.split())
_SIGN = re.compile(r"[:=()~≈|'’\-–—>*$\d]+")
_MADE_FROM = re.compile(
    r"(?i)(?:version|tun(?:e|ed|ing)|based|built|trained|distill?ed|derived|initiali[sz]ed|top"
    r"|start\w{0,5})\s+(?:of|on|from|with)(?:\s+(?:the|top of))?\s?\W{0,3}$"
)
_COMPARES = re.compile(
    r"(?i)exceed|outperform|surpass|beat|better|above|ahead|compar|compet|match|rival|vs\b|versus"
    r"|than"
)
_LEADS = re.compile(
    r"(?i)(?:['’]s)?[\s(:~≈=|,–-]{0,5}"
    r"(?:(?:at|with|of|scores?|gets?|reach(?:es)?|achiev\w{1,4})\b[\s(:~≈]{0,3})?"
)
_TELLS = re.compile(r"(?i)[\s)]{0,3}(?:for|by|from|of|with)\s(?:the\s)?")


def text_claims(block: Text, own: Names, unread: list[int]) -> Iterator[Claim]:
    """The claims of a paragraph or list item; unread gets the lines of percentages left out."""
    text = "\n".join(block.plain)
    if not re.search(r"\d", text):
        return
    starts = [0]
    for line in block.plain:
        starts.append(starts[-1] + len(line) + 1)
    title = known.mentions(block.section.topics[-1]) if block.section.topics else []
    heading = title[0] if len(title) == 1 and block.line != block.section.line else None
    ends = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    parts = (part for start, end in pairwise(ends) for part in _parts(text, start, end))
    for start, end in parts:
        sentence = text[start:end]
        for score, mention in _scored(sentence, heading):
            number = block.line + bisect_right(starts, start + score.start) - 1
            if mention is None:
                unread.append(number)
                continue
            first, last = min(score.start, mention.start), max(score.end, mention.end)
            near = sentence[first : last + 15]
            for part, owner in _owners(sentence, score, own):
                claim = claim_of(number, "text", mention, owner, part, block.section, near)
                claim.stated = evidence.in_words(sentence)
                yield from in_percent([Unscaled(claim, part)])


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """A sentence, or what goes on for longer than one in parts that end between words."""
    while end - start > MAX_SENTENCE:
        cut = text.rfind(" ", start + MAX_SENTENCE // 2, start + MAX_SENTENCE) + 1
        cut = cut or start + MAX_SENTENCE
        yield start, cut
        start = cut
    yield start, end


def _scored(
    sentence: str, heading: known.Mention | None
) -> Iterator[tuple[Score, known.Mention | None]]:
    """The scores of a sentence with what they are of; null where that cannot be told."""
    named = known.mentions(sentence)
    if not named and not SCORE_WORDS.search(sentence):
        return
    all_scores = scores(sentence)
    unsorted: list[Place] = [*named, *_apart(all_scores, named)]
    places = sorted(unsorted, key=lambda place: place.start)
    for left, score, right in zip([None, *places], places, [*places[1:], None], strict=False):
        if isinstance(score, known.Mention):
            continue
        before = sentence[max(0, score.start - 6) : score.start]
        if _NO_SCORE_BEFORE.search(before) or _NO_SCORE_AFTER.match(sentence, score.end):
            continue
        mention = _nearest(sentence, score, left, right)
        if mention:
            gap = sentence[mention.end : score.start] if mention.end <= score.start else ""
            if not score.is_plain or re.fullmatch(r"\s?[:=(]\s?", gap):
                yield score, mention
        elif named:
            if score.is_percent:
                yield score, None
        elif not score.is_plain:
            near = SCORE_WORDS.search(sentence[max(0, score.start - 40) : score.end + 40])
            if near:
                of = heading or unnamed(near[0])
                yield score, replace(of, start=score.start, end=score.end)


def _apart(all_scores: list[Score], named: list[known.Mention]) -> list[Score]:
    """The scores that are no part of a benchmark's name."""
    starts = [mention.start for mention in named]
    at = [bisect_right(starts, score.start) - 1 for score in all_scores]
    return [s for s, n in zip(all_scores, at, strict=True) if n < 0 or s.start >= named[n].end]


def _nearest(
    sentence: str, score: Score, left: Place | None, right: Place | None
) -> known.Mention | None:
    """The benchmark that a score is of, by what stands between: 97% on AIME, AIME: 97%.

    left and right are the score's neighbours among the scores and benchmarks of the sentence.
    """
    before = sentence[left.end : score.start] if isinstance(left, known.Mention) else None
    after = sentence[score.end : right.start] if isinstance(right, known.Mention) else None
    choices = [
        (left, before is not None and re.fullmatch(r"[\s:=(~≈|–—-]*", before)),
        (right, after and re.search(r"(?i)\b(?:on|for|in|at|of)\b", after) and _is_between(after)),
        (left, before is not None and _is_between(before)),
        (right, after is not None and _is_between(after)),
    ]
    return next(
        (place for place, fits in choices if fits and isinstance(place, known.Mention)), None
    )


def _is_between(text: str) -> bool:
    """Return True if nothing but words of scoring stands here."""
    if len(text) > 80:
        return False
    tokens = re.findall(r"[A-Za-z]+|[^\sA-Za-z]+", METRIC.sub(" ", text))
    return all(token.lower() in _BETWEEN or _SIGN.fullmatch(token) for token in tokens)


def _owners(sentence: str, score: Score, own: Names) -> Iterator[tuple[Score, Owner]]:
    """A score with its owner; of "from 66.5 to 77.7" both, the first being of before."""
    is_change = sentence[: score.start].rstrip().lower().endswith("from")
    if not (is_change and score.high):
        yield score, subject(sentence, score, own)
        return
    yield replace(score, text=str(score.low), high=None), ("unclear", "before")
    yield replace(score, text=score.high, low=score.high, high=None), subject(sentence, score, own)


def subject(sentence: str, score: Score, own: Names) -> Owner:
    """Whose score it is, by the models that a sentence names besides this one."""
    others = [
        match
        for match in known.model_names().finditer(sentence)
        if known.words(match[0]) not in own
        and not _MADE_FROM.search(sentence[max(0, match.start() - 40) : match.start()])
    ]
    for match in others:
        lead, tail = sentence[match.end() : score.start], sentence[score.end : match.start()]
        if match.end() <= score.start and len(lead) < 25 and _LEADS.fullmatch(lead):
            return "other", match[0].strip(" .,-")
        if match.start() >= score.end and len(tail) < 25 and _TELLS.fullmatch(tail):
            return "other", match[0].strip(" .,-")
    for match in others:
        is_compared = match.start() >= score.end and _COMPARES.search(
            sentence[score.end : match.start()]
        )
        if not is_compared:
            return "unclear", match[0].strip(" .,-")
    return "this", None
