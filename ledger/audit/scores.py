"""Scores in a text: 88.2, ~80%, 95-99%, 73.7 ± 0.9, 48% [37, 60], 11/40, 31 of 64: 48%."""

import re
from dataclasses import dataclass, replace

from ledger.audit.arithmetic import Printed, printed

_NUMBER = r"\d{1,3}(?:\.\d{1,20})?"
# Not the tail of a name (GPT-4, pass@1, v0.3), nor the head of one (7B, 5-shot, 1,319).
_SCORE = re.compile(
    r"(?<![\w@/.+-])(?<!\d,)(?P<about>[~≈<>≥≤]\s?|(?:about|around|approximately|roughly|nearly)\s)?"
    rf"(?P<low>{_NUMBER})(?:\s?\\?%?\s?(?:[-–—]|to)\s?(?P<high>{_NUMBER}))?"
    r"(?P<unit>\s?\\?%|\s?percent\b)?(?P<points>\s?(?:points?|pp|pts)\b)?"
    r"(?![\w/@]|-\w|\.\d|,\d|\s?[/×x]\s?\d)",
    re.IGNORECASE,
)
_COUNT = re.compile(
    r"(?<![\w@/.+-])(?P<k>\d{1,6})\s?(?:/|\bof\b|\bout of\b)\s?(?P<n>\d{1,6})(?![\w/.])"
)
_SPREAD = re.compile(
    rf"\s{{0,2}}\(?(?:±|\+/-|\+-)\s?({_NUMBER})\s?%?\)?|\s?(\[{_NUMBER}%?\s?[,;–-]\s?{_NUMBER}%?\])"
)


@dataclass(frozen=True)
class Score:
    """One score; start and end are its place in the text, with its spread."""

    text: str
    value: Printed | None  # in percent; null where only k of n is given
    is_about: bool
    is_percent: bool  # it says so
    count: tuple[int, int] | None
    spread: str | None
    start: int
    end: int


def scores(text: str) -> list[Score]:
    """The scores in a text, in their order.

    >>> [score.text for score in scores("GPT-4 has ~70%, we 73.7 ± 0.9 with 7B, or 11/40, at pass@1")]
    ['~70%', '73.7 ± 0.9', '11/40']
    """
    found, taken = _counts(text), 0
    counts = [(score.start, score.end) for score in found]
    for match in _SCORE.finditer(text):
        low, high = match["low"], match["high"]
        is_taken = match.start() < taken or any(a <= match.start() < b for a, b in counts)
        if is_taken or match["points"] or float(low) > 100:
            continue
        if high is not None and not float(low) < float(high) <= 100:
            continue
        spread = _SPREAD.match(text, match.end())
        taken = spread.end() if spread else match.end()
        found.append(
            Score(
                text[match.start() : taken].strip(),
                printed(low, high),
                bool(match["about"]),
                bool(match["unit"]),
                None,
                (spread[1] or spread[2]) if spread else None,
                match.start(),
                taken,
            )
        )
    return sorted(found, key=lambda score: score.start)


def _counts(text: str) -> list[Score]:
    found = []
    for match in _COUNT.finditer(text):
        k, n = int(match["k"]), int(match["n"])
        if k <= n and n > 1:
            found.append(Score(match[0], None, False, True, (k, n), None, *match.span()))
    return found


def score_of(cell: str) -> Score | None:
    """The score that a table's cell begins with.

    None where it begins with something else, or holds several (72.7 / 75.1).

    >>> score_of("11/30 (36.7%)").count, score_of("48% [37, 60]").spread, score_of("72.7 / 75.1")
    ((11, 30), '[37, 60]', None)
    """
    found = scores(cell)
    if not found or cell[: found[0].start].strip(" $=|"):
        return None
    first, rest = found[0], found[1:]
    if first.count:  # 11/30 (36.7%); 31 of 64: 48% [37, 60]
        return replace(rest[0], count=first.count, text=cell) if rest and rest[0].value else first
    for other in rest:
        if other.count and re.fullmatch(r"\s?\(", cell[first.end : other.start]):
            return replace(first, count=other.count)
    if rest and not re.match(r"\s?[(\[]", cell[first.end :]):
        return None
    return first


def as_share(score: Score) -> Score:
    """The same digits read as a share of 1: 0.727 is 72.7%."""
    digits = re.search(_NUMBER, score.text)
    if score.value is None or score.value.is_range or score.is_percent or not digits:
        return score
    return replace(score, value=printed(digits[0], share=True))


def are_shares(found: list[Score]) -> bool:
    """Whether the scores of one table are shares of 1: none is above 1, and some have decimals."""
    bare = [score.value for score in found if score.value and not score.is_percent]
    return (
        bool(bare)
        and all(value.high <= 1 for value in bare)
        and any(value.decimals >= 2 for value in bare)
    )


def is_numeric(cell: str) -> bool:
    """Whether a cell holds a bare number, which one would expect to be read."""
    return bool(re.match(r"[~≈$]?\s?\d", cell)) and not re.match(
        r"[~≈$]?\s?\d[\d,.]*[\s-]?[A-Za-z]", cell
    )
