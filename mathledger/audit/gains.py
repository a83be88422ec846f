"""Compare stated gains with the two numbers that they connect."""

import re
from collections import defaultdict
from collections.abc import Iterator

from mathledger.audit import known
from mathledger.audit.arithmetic import Printed, printed
from mathledger.audit.blocks import Body, Text
from mathledger.audit.types import Claim, Finding
from mathledger.audit.words import percent, said, whose


def _value(claim: Claim) -> Printed:
    assert claim.value
    return claim.value


_FROM_TO = re.compile(
    r"(?i)\bfrom\s[~≈]?(?P<a>\d{1,3}(?:\.\d{1,3})?)\s?%?\s(?:up |all the way "
    r")?to\s[~≈]?(?P<b>\d{1,3}(?:\.\d{1,3})?)\s?%?"
)
_BY = re.compile(
    r"(?i)(?:\bby|\b(?:gain|improvement|increase|boost|jump|uplift) of"
    r"|\()\s?(?P<sign>\+?)(?P<c>\d{1,3}(?:\.\d{1,3})?)"
    r"\s?(?P<unit>%|points?|pp|percentage points?|absolute)"
)


def gains(body: Body, claims: list[Claim]) -> Iterator[Finding]:
    """Find stated gains that are not the difference of their two numbers."""
    points, lines = [], []
    for block in body.blocks:
        if not isinstance(block, Text):
            continue
        for at, line in enumerate(block.plain):
            for sentence in re.split(r"(?<=[.!?;])\s", line[:2000]):
                text = _gain_in(sentence)
                if text:
                    points.append(f"Line {block.line + at}: {text}")
                    lines.append(block.line + at)
    for claim, base in _gains_in_tables(claims):
        difference = _value(claim).low - _value(base).low
        points.append(
            f"{said(claim)} is given with {claim.gain}; the difference is {percent(difference)} "
            f"from the {base.text} of {whose(base)} (line {base.line}), from which the other gains "
            "of the row are measured."
        )
        lines.append(claim.line)
    if points:
        yield Finding(
            "gain",
            "contradiction",
            "A stated gain that is not the difference of its two numbers",
            sorted(set(lines)),
            points,
            "the two scores behind the gain.",
            num=len(points),
        )


def _gain_in(sentence: str) -> str | None:
    pair, gain = [*_FROM_TO.finditer(sentence)], [*_BY.finditer(sentence)]
    if len(pair) != 1 or len(gain) != 1:
        return None
    if not (known.mentions(sentence) or re.search(r"(?i)accura|score|pass@", sentence)):
        return None
    if len({each.key for each in known.mentions(sentence)}) > 1:
        return None  # The gain may be on another benchmark.
    a, b, c = printed(pair[0]["a"]), printed(pair[0]["b"]), printed(gain[0]["c"])
    slack = a.half + b.half + 2 * c.half
    differences = [abs(b.low - a.low)]
    if a.low and gain[0]["unit"] == "%":
        differences.append(100 * abs(b.low - a.low) / a.low)
        slack += 100 * (a.half + b.half) / a.low
        if a.low < 100:  # The gain may be the reduction of the error rate.
            differences.append(100 * abs(b.low - a.low) / (100 - a.low))
            slack += 100 * (a.half + b.half) / (100 - a.low)
    if any(abs(difference - c.low) <= slack for difference in differences):
        return None
    said_so = f"the step from {pair[0]['a']} to {pair[0]['b']}"
    return f"{said_so} is {percent(differences[0])} points; the card states {gain[0]['c']}."


def _gains_in_tables(claims: list[Claim]) -> Iterator[tuple[Claim, Claim]]:
    """Yield cells whose gain contradicts the baseline row that the other gains agree on."""
    tables: dict[int, list[Claim]] = defaultdict(list)
    for claim in claims:
        if (
            claim.place
            and claim.axis == "columns"
            and claim.value
            and not claim.value.is_range
            and not claim.is_about
        ):
            tables[claim.place[0]].append(claim)
    for group in tables.values():
        cells = {claim.place: claim for claim in group}
        rows = {claim.place[1] for claim in group if claim.place}
        if len(rows) > 60:
            continue
        for row in rows:
            own = [c for c in group if c.place and c.place[1] == row and c.gain]
            for base in rows - {row} if len(own) >= 3 else ():
                pairs = []
                for claim in own:
                    assert claim.place
                    other = cells.get((claim.place[0], base, claim.place[2]))
                    if other:
                        pairs.append((claim, other))
                wrong = [pair for pair in pairs if not _is_gain(*pair)]
                if len(pairs) >= 3 and wrong and len(wrong) * 3 <= len(pairs):
                    yield from wrong
                    break


def _is_gain(claim: Claim, base: Claim) -> bool:
    gain = printed(re.sub(r"[^\d.]", "", claim.gain or "0"))
    sign = -1 if re.match(r"[−-]", claim.gain or "") else 1
    slack = _value(claim).half + _value(base).half + 2 * gain.half
    return abs(_value(claim).low - _value(base).low - sign * gain.low) <= slack
