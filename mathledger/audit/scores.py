"""Find scores in a text: 88.2, ~80%, 95-99%, 73.7 ± 0.9, 48% [37, 60], 11/40, 31 of 64: 48%."""

import re
from dataclasses import dataclass, replace

from mathledger.audit.arithmetic import Printed, printed

_NUMBER = r"\d{1,3}(?:\.\d{1,20})?"
# Skip the tail of a name (GPT-4, pass@1, v0.3) and the head of one (7B, 5-shot, 1,319).
_SCORE = re.compile(
    r"(?<![\w@/.+-])(?<!\d,)"
    r"(?P<about>[~≈<>≥≤]\s?|(?:about|around|approximately|roughly|nearly)\s)?"
    rf"(?P<low>{_NUMBER})(?:\s?\\?%?\s?(?:[-–—]|to)\s?(?P<high>{_NUMBER}))?"
    r"(?P<unit>\s?\\?%|\s?percent\b)?(?P<points>\s?(?:points?|pp|pts)\b)?"
    r"(?![\w/@]|-\w|\.\d|,\d|\s?[/×x]\s?\d)",
    re.IGNORECASE,
)
_WHOLE = r"(?:\d{1,3}(?:,\d{3})+|\d{1,6})"
_COUNT = re.compile(
    rf"(?<![\w@/.,+-])(?P<k>{_WHOLE})\s?(?:/|\b(?:out )?of(?: (?:the|all))?\b)\s?(?P<n>{_WHOLE})"
    r"(?![\w/]|[.,]\d)"
)
_SPREAD = re.compile(
    rf"\s{{0,2}}\(?(?:±|\+/-|\+-)\s?({_NUMBER})\s?%?\)?"
    rf"|\s?(\[{_NUMBER}%?\s?[,;–-]\s?{_NUMBER}%?\])"
)


@dataclass(frozen=True)
class Score:
    """One score; start and end delimit it in the text, spread included."""

    text: str
    low: str | None  # Digits of the score or lower end; None for a bare k of n.
    high: str | None
    is_about: bool
    is_percent: bool  # True if a percent sign follows.
    count: tuple[int, int] | None
    spread: str | None
    start: int
    end: int

    @property
    def is_plain(self) -> bool:
        """Return True if it is a bare whole number, which need not be a score."""
        return not (self.is_percent or self.count or "." in (self.low or ""))

    def value(self, *, share: bool = False) -> Printed | None:
        """Return the printed percentage; with `share`, read the digits as a share of 1."""
        if self.low is None:
            return None
        return printed(self.low, self.high, share=share and not self.is_percent)


def scores(text: str) -> list[Score]:
    """Return the scores in a text, in order.

    >>> [score.text for score in scores("GPT-4: ~70%, ours 73.7 ± 0.9 with 7B, or 11/40 at pass@1")]
    ['~70%', '73.7 ± 0.9', '11/40']
    """
    all_scores, taken = _counts(text), 0
    counted = {at for score in all_scores for at in range(score.start, score.end)}
    for match in _SCORE.finditer(text):
        low, high = match["low"], match["high"]
        if match.start("low") < taken or match.start("low") in counted:
            continue
        if match["points"] or not 0 <= float(low) < float(high or 101) <= (100 if high else 101):
            continue
        spread = _SPREAD.match(text, match.end())
        taken = spread.end() if spread else match.end()
        all_scores.append(
            Score(
                text[match.start() : taken].strip(),
                low,
                high,
                bool(match["about"]),
                bool(match["unit"]),
                None,
                (spread[1] or spread[2]) if spread else None,
                match.start(),
                taken,
            )
        )
    return sorted(all_scores, key=lambda score: score.start)


def _counts(text: str) -> list[Score]:
    counts = []
    for match in _COUNT.finditer(text):
        k, n = (int(match[name].replace(",", "")) for name in "kn")
        if k <= n and n > 1:
            counts.append(Score(match[0], None, None, False, False, (k, n), None, *match.span()))
    return counts


def score_of(cell: str) -> Score | None:
    """Return the score that a table's cell begins with.

    Return None if the cell begins with something else or holds several scores (72.7 / 75.1).

    >>> score_of("11/30 (36.7%)").count, score_of("48% [37, 60]").spread, score_of("72.7 / 75.1")
    ((11, 30), '[37, 60]', None)
    """
    all_scores = scores(cell)
    if not all_scores or cell[: all_scores[0].start].strip(" $=|"):
        return None
    first, rest = all_scores[0], all_scores[1:]
    if first.count:  # 11/30 (36.7%); 31 of 64: 48% [37, 60]
        gap = cell[first.end : rest[0].start] if rest else ""
        is_beside = bool(rest and rest[0].low and re.fullmatch(r"\s?[(:=,]\s?", gap))
        return replace(rest[0], count=first.count, text=cell) if is_beside else first
    for other in rest:
        if other.count and re.fullmatch(r"\s?\(", cell[first.end : other.start]):
            return replace(first, count=other.count)
    if rest and not re.match(r"\s?[(\[]", cell[first.end :]):
        return None
    return first


def with_counts(text: str) -> list[Score]:
    """Return the scores in a text, each with the k of n in brackets next to it.

    >>> [(score.text, score.count) for score in with_counts("80% (23/30), 11/40 (27.5%) and 5%")]
    [('80% (23/30)', (23, 30)), ('11/40 (27.5%)', (11, 40)), ('5%', None)]
    """
    found: list[Score] = []
    for score in scores(text):
        last = found[-1] if found else None
        gap = text[last.end : score.start] if last else ""
        is_closed = text[score.end : score.end + 1] == ")"
        is_beside = bool(last and is_closed and re.fullmatch(r"\s?\(", gap))
        if last and is_beside and (not last.count) != (not score.count):
            value, count = (score, last) if last.count else (last, score)
            end = score.end + text[score.end : score.end + 1].count(")")
            found[-1] = replace(
                value, count=count.count, text=text[last.start : end], start=last.start, end=end
            )
        else:
            found.append(score)
    return found


def are_shares(table_scores: list[Score]) -> bool:
    """Return True if no score is above 1 and some have decimals, as in shares of 1."""
    bare = [score for score in table_scores if score.low and not score.is_percent]
    is_small = all(float(score.high or score.low or 0) <= 1 for score in bare)
    return is_small and any(re.search(r"\.\d\d", score.low or "") for score in bare)


def is_numeric(cell: str) -> bool:
    """Return True if a cell holds a bare number, which a reader would take for a score."""
    return bool(re.match(r"[~≈$<>≥≤+−-]?\s?\d(?![\d,.]*[\s-]?[A-Za-z])", cell))


_SPLIT_NUMBER = re.compile(r"(\d{1,3})\s?\.\s?(\d{1,3})\s?(%?)$")
_PAIR = re.compile(
    rf"\W{{0,3}}(?P<a>{_NUMBER}\s?%?)\s?(?:/|\||;|,\s|(?P<open>\())\s?(?P<b>{_NUMBER}\s?%?)\s?\)?\W{{0,3}}$"
)


def rejoined(cell: str) -> str:
    """Join a number that is split at its decimal point: 79 .8 becomes 79.8."""
    return _SPLIT_NUMBER.sub(r"\1.\2\3", cell) if " ." in cell or ". " in cell else cell


def pair_of(cell: str) -> tuple[Score, Score, bool] | None:
    """Return the two scores of a cell (61.6 (80.0), 35.9/48.7) and if the second is in brackets.

    >>> [score.text for score in pair_of("61.6 (80.0)")[:2]], pair_of("75.2 (+5.2)")
    (['61.6', '80.0'], None)
    """
    match = _PAIR.match(cell)
    if not match or (not match["open"] and "." not in match["a"] + match["b"]):
        return None
    both = [scores(match[name]) for name in "ab"]
    if any(len(found) != 1 or found[0].count for found in both):
        return None
    return both[0][0], both[1][0], bool(match["open"])
