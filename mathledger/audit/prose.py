"""Read claims from running text, sentence by sentence."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from mathledger.audit import evidence, known
from mathledger.audit.blocks import Text
from mathledger.audit.claims import claim_of, in_percent, unnamed
from mathledger.audit.methods import METRIC
from mathledger.audit.owners import Identity
from mathledger.audit.scores import Score, scores, with_counts
from mathledger.audit.types import Claim, Owner, Unread, Unscaled

Place = Score | known.Mention
MAX_SENTENCE = 1000  # Characters.
SCORE_WORDS = re.compile(
    r"(?i)\b(?:accuracy|acc|f1|scor(?:e|es|ed|ing)|pass@\d+|maj@\d+|exact[ _-]match|solve rate"
    r"|em)\b"
)
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+(?=[A-Z(\"'*-])")
# These mark a change, a rank, a p-value or a confidence level.
_NO_SCORE_BEFORE = re.compile(
    r"(?i)(?:\b(?:by|top|p\s?[<=>]|n\s?=|between|above|below|least|over|under|exceed\w*"
    r"|surpass\w*|more than|less than|threshold(?: of)?|top[_-]?p|"
    r"temperature)\s?[=:]?\s?[~≈]?|[<>≥≤]\s?)$"
)
_CHANGE_BEFORE = re.compile(
    r"(?i)\b(?:gains?|improve\w*|increas\w*|boost\w*|drop\w*|decreas\w*|reduc\w*|lifts?|up|down|uplift|outperform\w*|surpass\w*|exceed\w*)"
    r"(?:\s\w+){0,4}\sby(?:\s\w+){0,2}\s?$"
)
_CHANGE_AFTER = re.compile(
    r"(?i)\s?(?:%|percent)?\s?(?:absolute |relative |percentage )?(?:points?|improvement|gain"
    r"|increase|higher|lower|better|worse|boost|uplift|of the (?:data|users|samples|training"
    r"|time))\b"
)
_NO_SCORE_AFTER = re.compile(r"(?i)\s?(?:confidence|credible|intervals?|CI)\b")
# Only these words may stand between a benchmark and its score.
_WORDS = """
a an the of is at to on in for and with by its our we it all full only just now from over up
nearly test set sets dataset benchmark benchmarks exam exams problems items competition math
mathematics accuracy acc score scores scored scoring performance result results rate success
overall correct exact match em strict correctly flexible zero few shot cot greedy average avg mean
maj cons pass majority vote achieves achieve achieved achieving reaches reach reached reaching
gets get got obtains obtained attains attained hits hit solves solved solving improves improved
improving increases increased rises rose boosts boosted goes went moves climbs jumps drops falls
lifts lift lifted grows grew has have was were are obtaining yields yielded shows showed about
around approximately roughly respectively model models percent which that this record records
recorded posts lands sits stands both against versus vs
"""
_BETWEEN = set(_WORDS.split())
_SIGN = re.compile(r"[:=()~≈|'’\-–—>*$\d]+")
_MADE_FROM = re.compile(
    r"(?i)(?:tuning (?:the )?|(?:version|tun(?:e|ed|ing)|based|built|trained|distill?ed|derived"
    r"|initiali[sz]ed|top"
    r"|start\w{0,5}|change\w{0,3} the base model|base model)\s+(?:of|on|from|with|to)"
    r"(?:\s+(?:the|top of|powerful|base model)){0,3}|from [\w.-]+ to)\s?\W{0,3}$"
)
_COMPARES = re.compile(
    r"(?i)exceed|outperform|surpass|beat|better|above|ahead|compar|compet|match|rival|vs\b|versus"
    r"|than|against"
)
_LEADS = re.compile(
    r"(?i)(?:['’]s)?[\s(:~≈=|,–-]{0,5}"
    r"(?:(?:at|with|of|scores?|gets?|reach(?:es)?|achiev\w{1,4})\b[\s(:~≈]{0,3})?"
)
_TELLS = re.compile(r"(?i)[\s)]{0,3}(?:for|by|from|of|with)\s(?:the\s)?")


_NEWS = re.compile(
    r"(?i)\b(?:news|updates?|changelog|related|acknowledg\w*|citation|roadmap|history)\b"
)
_WE = re.compile(r"(?i)\b(?:we|our|ours|it|this model|the model|this release|the final model)\b")
_ANOTHER = re.compile(
    r"(?i)\b(?:another|other|previous|earlier|intermediate|initial|preliminary) (?:[\w-]+ ){0,2}"
    r"(?:versions?|models?|checkpoints?|runs?|stages?)\b"
)
_PEOPLE = re.compile(
    r"(?i)\b(?:humans?|(?:non-)?experts?|annotators?|people|contestants?|physicians?)\b"
)
_WE_DID = re.compile(r"(?i)\b(?:we|it|our model)\b")
_GOES_ON = re.compile(
    r"[\s(),\d.%]*(?:and|or|&)?(?: (?:the|much|larger|smaller|even|both|also))*\s*"
)
_IS_ACCURACY = re.compile(
    r"(?i)(?:accuracy|\bf1(?:[ -]score)?|exact match|solve rate|pass@\d+"
    r"|maj@\d+)\s?(?:\([^()]{0,20}\)\s?)?(?:of|is|was|:|=|at|reache[sd]|rises to)?\s?[~≈]?$"
)
OTHER_SCRIPT = re.compile(
    "[\u0370-\u03ff\u0400-\u04ff\u0590-\u06ff\u0900-\u0dff\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)


def text_claims(
    block: Text, own: Identity, unread: Unread, intro: known.Mention | None = None
) -> Iterator[Claim]:
    """Yield the claims of a paragraph, list item or heading; count numbers that are left out.

    Args:
        intro: Benchmark that the sentence before a list names, as in "On MATH-500:".
    """
    text = "\n".join(block.plain)
    if not re.search(r"\d", text):
        return
    item = _ITEM.fullmatch(text.strip()) if intro and block.is_item else None
    if item and intro and (read := scores(item["value"])):
        whose, model = own.of_label(item["label"])
        owner: Owner = (whose, model) if whose != "unclear" else ("unclear", model)
        claim = claim_of(block.line, "text", intro, owner, read[0], block.section, item["label"])
        claim.conditions = frozenset(known.words(item["label"])) | {"in a list"}
        yield from in_percent([Unscaled(claim, read[0])])
        return
    starts = [0]
    for line in block.plain:
        starts.append(starts[-1] + len(line) + 1)
    title = known.mentions(block.section.topics[-1]) if block.section.topics else []
    heading = title[0] if len(title) == 1 and not block.is_heading else None
    ends = [0, *(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]
    parts = (part for start, end in pairwise(ends) for part in _parts(text, start, end))
    for start, end in parts:
        sentence = text[start:end]
        if not re.search(r"\d", sentence):
            continue
        if len(OTHER_SCRIPT.findall(sentence)) > 3:
            if scores(sentence) and (known.mentions(sentence) or "%" in sentence):
                for match in re.finditer(r"\d[\d.]*", sentence):
                    number = block.line + bisect_right(starts, start + match.start()) - 1
                    unread.add("text in a language that the audit does not read", number)
            continue
        slashed = _SLASHED.search(sentence)
        if slashed and known.mentions(sentence):
            number = block.line + bisect_right(starts, start + slashed.start()) - 1
            unread.add("numbers in a sentence that could not be assigned", number)
        teller = _Teller(sentence, own, block)
        stated: dict[str, str] | None = None
        for score, mention in _scored(sentence, heading, teller.spots):
            number = block.line + bisect_right(starts, start + score.start) - 1
            if mention is None:
                unread.add("numbers in a sentence that could not be assigned", number)
                continue
            first, last = min(score.start, mention.start), max(score.end, mention.end)
            near = sentence[first : last + 25]
            is_one_of_many = _is_one_of_many(sentence, score)
            for part, owner in teller.owners(score):
                owner = ("unclear", None) if is_one_of_many else owner
                context = near if METRIC.search(near) else sentence
                claim = claim_of(number, "text", mention, owner, part, block.section, context)
                if len(METRIC.findall(sentence)) > 1 and not METRIC.search(near):
                    claim.metric = None
                stated = evidence.in_words(sentence) if stated is None else stated
                claim.stated = dict(stated)
                claim.conditions = frozenset({"in a sentence"})
                yield from in_percent([Unscaled(claim, part)])


_LABEL = re.compile(r"\W{0,6}([\w.-]{3,40})\W{0,3}: ")
_SLASHED = re.compile(r"\d{1,3}\.\d{1,3}\s?/\s?\d{1,3}\.\d")
_ITEM = re.compile(
    r"\W{0,4}(?P<label>[^:=\n]{2,60}?)\s?[:=–—]\s?(?P<value>[~≈]?\d{1,3}(?:\.\d{1,3})?\s?%?)\W{0,3}"
)


def intro_of(block: Text) -> known.Mention | None:
    """Return the benchmark that a paragraph names before a list."""
    said = " ".join(block.plain)
    if block.is_item or not said.rstrip().endswith(":"):
        return None
    named = known.mentions(said[-200:])
    return named[0] if len(named) == 1 and named[0].key else None


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of a sentence, split between words if it is too long."""
    while end - start > MAX_SENTENCE:
        cut = text.rfind(" ", start + MAX_SENTENCE // 2, start + MAX_SENTENCE) + 1
        cut = cut or start + MAX_SENTENCE
        yield start, cut
        start = cut
    yield start, end


def _scored(
    sentence: str, heading: known.Mention | None, models: list[tuple[int, int]]
) -> Iterator[tuple[Score, known.Mention | None]]:
    """Yield the scores of a sentence with their benchmarks; None if that is unclear."""
    all_named = known.mentions(sentence)
    named = [m for m in all_named if not any(a < m.end and m.start < b for a, b in models)]
    all_scores = [s for s in with_counts(sentence) if not any(a <= s.start < b for a, b in models)]
    if not named and not (heading and all_scores) and not SCORE_WORDS.search(sentence):
        if len(all_scores) and ("%" in sentence or any(score.count for score in all_scores)):
            yield from ((score, None) for score in all_scores if score.is_percent or score.count)
        return
    apart = [score for score in _apart(all_scores, named) if _may_be_score(sentence, score)]
    unsorted: list[Place] = [*named, *apart]
    places = sorted(unsorted, key=lambda place: place.start)
    listed = _listed(sentence, places)
    bare = _bare(sentence, 0, len(sentence), models)
    told: dict[int, known.Mention] = {}
    for left, score, right in zip([None, *places], places, [*places[1:], None], strict=False):
        if isinstance(score, known.Mention):
            continue
        mention = listed.get(score.start) or _nearest(bare, score, left, right)
        if mention is None and isinstance(left, Score) and left.start in told:
            gap = _bare(sentence, left.end, score.start, models)
            mention = told[left.start] if _AGAINST.fullmatch(gap) else None
        if mention is None and told and sentence[: score.start].endswith("("):
            spots = [b for _, b in models if 0 <= score.start - b <= 3]
            mention = [*told.values()][-1] if spots else None
        if mention:
            told[score.start] = mention
        if mention:
            gap = sentence[mention.end : score.start] if mention.end <= score.start else ""
            if not score.is_plain or re.fullmatch(r"\s?[:=(]\s?", gap):
                yield score, mention
        elif named:
            if score.is_percent:
                yield score, None
        elif not score.is_plain:
            before = sentence[max(0, score.start - 40) : score.start]
            after = sentence[score.end : score.end + 20]
            is_said = _IS_ACCURACY.search(before) or re.match(r"(?i)\s?(?:accuracy|pass@\d)", after)
            near = SCORE_WORDS.search(sentence[max(0, score.start - 40) : score.end + 40])
            if near and (is_said or heading):
                of = heading or unnamed(near[0])
                yield score, replace(of, start=score.start, end=score.end)
            elif score.is_percent:
                yield score, None


_AGAINST = re.compile(
    r"(?i)[\s,)]*(?:(?:for|of|by|from|in)\s)?"
    r"[\s,(]*(?:vs\.?|versus|compared (?:to|with)|against|than|over|up from|from"
    r"|and)[\s:]*(?:the )?[\s~≈]*"
)


def _bare(sentence: str, start: int, end: int, models: list[tuple[int, int]]) -> str:
    """Blank out the models' names in a part of a sentence, keeping its length."""
    text = sentence
    for first, last in models:
        text = text[:first] + " " * (last - first) + text[last:]
    return text[start:end]


def _is_one_of_many(sentence: str, score: Score) -> bool:
    """Return True if a score is in a list whose sizes or models are listed elsewhere."""
    return bool(
        len(re.findall(r"\b\d+(?:\.\d+)?B\b", sentence)) > 1
        and re.search(r"\d[\d.]*%?,? (?:and|,) ?\d[\d.]*%?|\d[\d.]*%?, \d[\d.]*%?", sentence)
    )


def _may_be_score(sentence: str, score: Score) -> bool:
    before = sentence[max(0, score.start - 60) : score.start]
    return not (
        _NO_SCORE_BEFORE.search(before[-24:])
        or _CHANGE_BEFORE.search(before)
        or _NO_SCORE_AFTER.match(sentence, score.end)
        or _CHANGE_AFTER.match(sentence, score.end)
    )


def _listed(sentence: str, places: list[Place]) -> dict[int, known.Mention]:
    """Pair scores and benchmarks listed in order: 80.6% and 69.8% on AIME24 and AIME25."""
    runs: list[list[Place]] = []
    for place in places:
        last = runs[-1][-1] if runs else None
        gap = sentence[last.end : place.start] if last else ""
        is_same = last is not None and isinstance(place, Score) == isinstance(last, Score)
        if is_same and re.fullmatch(r"(?i)[\s,&/%]*(?:and|or)?[\s,]*(?:the\s)?", gap):
            runs[-1].append(place)
        else:
            runs.append([place])
    found: dict[int, known.Mention] = {}
    at = 0
    while at + 1 < len(runs):
        first, second = runs[at], runs[at + 1]
        is_pair = isinstance(first[0], Score) != isinstance(second[0], Score)
        if is_pair and len(first) == len(second) > 1 and second[0].start - first[-1].end < 80:
            both = zip(first, second, strict=True)
            for one, other in both:
                score, mention = (one, other) if isinstance(one, Score) else (other, one)
                assert isinstance(score, Score) and isinstance(mention, known.Mention)
                found[score.start] = mention
            at += 2
        elif is_pair and len(first) > 1 and isinstance(second[0], known.Mention):
            gap = sentence[first[-1].end : second[0].start]
            if re.fullmatch(r"(?i)[\s%]*(?:on|in|for|at)\s(?:the\s)?", gap):
                found |= {score.start: second[0] for score in first}
            at += 1
        else:
            at += 1
    return found


def _apart(all_scores: list[Score], named: list[known.Mention]) -> list[Score]:
    """Return the scores that are not part of a benchmark's name."""
    starts = [mention.start for mention in named]
    at = [bisect_right(starts, score.start) - 1 for score in all_scores]
    return [s for s, n in zip(all_scores, at, strict=True) if n < 0 or s.start >= named[n].end]


def _nearest(
    sentence: str, score: Score, left: Place | None, right: Place | None
) -> known.Mention | None:
    """Return a score's benchmark, judged by the words between: 97% on AIME, AIME: 97%.

    left and right are its neighbours among the scores and benchmarks of the sentence.
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
    """Return True if the text holds only words of scoring."""
    if len(text) > 80:
        return False
    text = re.sub(r"\([^()]{0,40}\)", " ", text)
    if "    " in text:  # A model's name was here: On AIME, Kestrel-7B scores 60%.
        text = text.replace(",", " ")
    tokens = re.findall(r"[A-Za-z]+|[^\sA-Za-z]+", METRIC.sub(" ", text))
    return all(token.lower() in _BETWEEN or _SIGN.fullmatch(token) for token in tokens)


class _Teller:
    """Decides whose the scores of one sentence are."""

    def __init__(self, sentence: str, own: Identity, block: Text) -> None:
        self.sentence, self.own, self.block = sentence, own, block
        self.models = own.in_text(sentence)
        self.spots = [(start, end) for start, end, _, _ in self.models]
        title = block.section.title if not block.is_heading else ""
        self.title = own.in_text(title)
        self.is_news = any(_NEWS.search(one) for one in block.section.titles[1:])

    def owners(self, score: Score) -> Iterator[tuple[Score, Owner]]:
        """Yield a score with its owner; of "from 66.5 to 77.7" both, the first as a baseline."""
        is_change = self.sentence[: score.start].rstrip().lower().endswith("from")
        if not (is_change and score.high):
            yield score, self.subject(score)
            return
        yield replace(score, text=str(score.low), high=None), ("unclear", "before")
        yield (
            replace(score, text=score.high, low=score.high, high=None),
            self.subject(replace(score, start=score.end - len(score.high))),
        )

    def subject(self, score: Score) -> Owner:
        sentence = self.sentence
        named = [
            each
            for each in self.models
            if each[2] in ("this", "family")
            or not _MADE_FROM.search(sentence[max(0, each[0] - 60) : each[0]])
        ]
        for start, end, whose, name in named:
            lead, tail = sentence[end : score.start], sentence[score.end : start]
            if end <= score.start and len(lead) < 25 and _LEADS.fullmatch(lead):
                return whose, name
            if start >= score.end and len(tail) < 25 and _TELLS.fullmatch(tail):
                return whose, name
        subject: Owner | None = None
        last, is_compared = 0, False
        for start, end, whose, name in (each for each in named if each[1] <= score.start):
            said = sentence[last:start]
            goes_on = is_compared and bool(_GOES_ON.fullmatch(said))
            is_compared = goes_on or bool(_COMPARES.search(said[-60:]))
            last = end
            if not is_compared:
                subject = (whose, name)
        if subject and (subject[0] == "this" or not _WE_DID.search(sentence[last : score.start])):
            return subject
        if _ANOTHER.search(sentence[: score.start]):
            return "unclear", None
        if people := _PEOPLE.search(sentence[: score.start]):
            return "other", people[0]
        if _WE.search(sentence[: score.start]):
            return ("unclear", None) if self.is_news and not _WE.match(sentence) else ("this", None)
        for start, _, _, name in named:
            between = sentence[score.end : start] if start >= score.end else ""
            if not _COMPARES.search(between):
                return "unclear", name
        label = _LABEL.match(sentence) if self.block.is_item else None
        if self.is_news or (label and known.model_names().match(label[1].title())):
            return "unclear", label[1] if label else None
        whose_title = {each[2] for each in self.title}
        if self.title and "this" not in whose_title:
            return self.title[0][2], self.title[0][3]
        return "this", None
