"""Claims in running text, sentence by sentence."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from ledger.audit import evidence, known
from ledger.audit.arithmetic import printed
from ledger.audit.card import Text, plain
from ledger.audit.claims import METRIC, Claim, Names, Owner, claim_of, unnamed
from ledger.audit.scores import Score, scores

SCORE_WORDS = re.compile(
    r"(?i)\b(?:accuracy|acc|scor(?:e|es|ed|ing)|pass@\d+|maj@\d+|exact[ _-]match|solve rate|em)\b"
)
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+(?=[A-Z(\"'*-])")
# What may stand between a benchmark and its score.
_BETWEEN = set(
    "a an the of is at to on in for and with by its our we it all full test set sets dataset benchmark"
    " benchmarks exam exams problems items accuracy acc score scores scored scoring performance result"
    " results rate success exact match em strict flexible zero few shot cot greedy average avg mean maj"
    " cons pass majority vote achieves achieve achieved achieving reaches reach reached reaching gets get"
    " got obtains obtained attains attained hits hit improves improved improving increases increased rises"
    " rose boosts boosted up overall around about approximately nearly over only just now from solves"
    " solved solving correct correctly competition math mathematics".split()
)
_SIGN = re.compile(r"[:=(~≈|'’\-–—>*$\d]+")
# Other models' names. Which one a number belongs to is told by what stands between.
_MODEL = re.compile(
    r"\b(?:GPT|ChatGPT|Claude|Gemini|Gemma|Llama|LLaMA|Qwen|QwQ|DeepSeek|Mistral|Mixtral|Mathstral|Phi|Grok"
    r"|PaLM|WizardMath|MetaMath|MAmmoTH|Llemma|InternLM|Yi|Kimi|OpenMath|NuminaMath|Skywork|DeepScaleR|o[134])"
    r"(?![a-z])[\w.+-]{0,40}(?: (?:[A-Z][\w.+-]{0,30}|\d[\w.]{0,10}|mini|pro)){0,3}"
)
_MADE_FROM = re.compile(
    r"(?i)(?:version|tun(?:e|ed|ing)|based|built|trained|distill?ed|derived|initiali[sz]ed|top|start\w{0,5})"
    r"\s+(?:of|on|from|with)(?:\s+(?:the|top of))?\s?\W{0,3}$"
)
_COMPARES = re.compile(
    r"(?i)exceed|outperform|surpass|beat|better|above|ahead|compar|compet|match|rival|vs\b|versus|than"
)
_LEADS = re.compile(
    r"(?i)(?:['’]s)?[\s(:~≈=|,–-]{0,5}(?:(?:at|with|of|scores?|gets?|reach(?:es)?|achiev\w{1,4})\b[\s(:~≈]{0,3})?"
)
_TELLS = re.compile(r"(?i)[\s)]{0,3}(?:for|by|from|of|with)\s(?:the\s)?")


def text_claims(block: Text, own: Names, unread: list[int]) -> Iterator[Claim]:
    """The claims of a paragraph or list item; unread gets the lines of percentages left out."""
    lines = [plain(line) for line in block.lines]
    text = "\n".join(lines)
    if not re.search(r"\d", text):
        return
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    title = known.mentions(block.section.titles[-1]) if block.section.titles else []
    heading = title[0] if len(title) == 1 and block.line != block.section.line else None
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    for start, end in pairwise([0, *ends, len(text)]):
        sentence = text[start:end]
        for score, mention in _scored(sentence, heading):
            line = block.line + bisect_right(starts, start + score.start) - 1
            if mention is None:
                unread.append(line)
                continue
            for part, owner in _owners(sentence, score, own):
                claim = claim_of(line, "text", mention, owner, part, block.section, sentence)
                claim.stated = evidence.in_words(sentence)
                yield claim


def _scored(
    sentence: str, heading: known.Mention | None
) -> Iterator[tuple[Score, known.Mention | None]]:
    """The scores of a sentence with what they are of; null where that cannot be told."""
    found = scores(sentence)
    named = known.mentions(sentence) if found else []
    found = [s for s in found if not any(m.start <= s.start < m.end for m in named)]
    for score in found:
        before = sentence[max(0, score.start - 4) : score.start].lower()
        if before.endswith(("by ", "top ")):  # a change, a rank
            continue
        is_score = score.is_percent or score.value is None or score.value.decimals > 0
        mention = _nearest(sentence, score, named, found)
        if mention:
            gap = sentence[mention.end : score.start] if mention.end <= score.start else ""
            if is_score or re.fullmatch(r"\s?[:=(]\s?", gap):
                yield score, mention
        elif named:
            if score.is_percent:
                yield score, None
        elif is_score:
            near = SCORE_WORDS.search(sentence[max(0, score.start - 40) : score.end + 40])
            if near:
                yield score, heading or unnamed(near[0])


def _nearest(
    sentence: str, score: Score, named: list[known.Mention], found: list[Score]
) -> known.Mention | None:
    """The benchmark that a score is of, by what stands between the two: 97% on AIME, AIME: 97%."""
    left = next((m for m in reversed(named) if m.end <= score.start), None)
    right = next((m for m in named if m.start >= score.end), None)
    if left and any(left.end <= other.start < score.start for other in found):
        left = None
    if right and any(score.end <= other.start < right.start for other in found):
        right = None
    before = sentence[left.end : score.start] if left else ""
    after = sentence[score.end : right.start] if right else ""
    if left and re.fullmatch(r"[\s:=(~≈|–—-]*", before):
        return left
    if right and re.search(r"(?i)\b(?:on|for|in|at|of)\b", after) and _is_between(after):
        return right
    if left and _is_between(before):
        return left
    if right and _is_between(after):
        return right
    return None


def _is_between(text: str) -> bool:
    """Whether nothing but words of scoring stands here."""
    if len(text) > 80:
        return False
    tokens = re.findall(r"[A-Za-z]+|[^\sA-Za-z]+", METRIC.sub(" ", text))
    return all(token.lower() in _BETWEEN or _SIGN.fullmatch(token) for token in tokens)


def _owners(sentence: str, score: Score, own: Names) -> Iterator[tuple[Score, Owner]]:
    """A score with its owner; of "from 66.5 to 77.7" both, the first being of before."""
    is_change = sentence[: score.start].rstrip().lower().endswith("from")
    if not (is_change and score.value and score.value.is_range):
        yield score, subject(sentence, score, own)
        return
    low, high = re.findall(r"\d[\d.]*", score.text)[:2]
    yield replace(score, text=low, value=printed(low)), ("unclear", "before")
    yield replace(score, text=high, value=printed(high)), subject(sentence, score, own)


def subject(sentence: str, score: Score, own: Names) -> Owner:
    """Whose score it is, by the models that a sentence names besides this one."""
    others = [
        match
        for match in _MODEL.finditer(sentence)
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
