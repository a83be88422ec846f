"""Check a card's numbers against each other: counts, averages and scores given twice."""

import re
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction

from mathledger.audit import known
from mathledger.audit.arithmetic import Printed, fit, printed
from mathledger.audit.blocks import Body, Table, Text
from mathledger.audit.methods import METRIC
from mathledger.audit.owners import name_of
from mathledger.audit.types import Claim, Finding
from mathledger.audit.words import benchmark_of, brief, lines_of, percent, said, whose

_FLOAT = Fraction(1, 10**6)


def _value(claim: Claim) -> Printed:
    assert claim.value
    return claim.value


def _exact(claim: Claim) -> bool:
    return bool(claim.value and not claim.value.is_range and not claim.is_about)


def miscounted(claims: list[Claim]) -> Iterator[Finding]:
    """Find percentages that disagree with the k of n next to them."""
    hit = [
        claim
        for claim in claims
        if claim.count and _exact(claim) and not _is_share(_value(claim), *claim.count)
    ]
    own = [claim for claim in hit if claim.whose == "this"]
    if hit:
        yield Finding(
            "miscounted",
            "contradiction",
            f"A percentage that is not the k of n next to it: {brief(own)}"
            if own
            else "A percentage that is not the k of n next to it",
            lines_of(hit),
            [
                f"{said(claim)}: {claim.count[0]} of {claim.count[1]} is "
                f"{percent(Fraction(100 * claim.count[0], claim.count[1]))}%."
                for claim in hit
                if claim.count
            ],
            "which of the two is right.",
            num=len(hit),
        )


def recounted(claims: list[Claim]) -> Iterator[Finding]:
    """Find counts k of n whose n fits no known size of the benchmark."""
    hit = [
        claim
        for claim in claims
        if claim.count
        and claim.benchmark
        and claim.whose == "this"
        and not claim.subset
        and known.benchmarks()[claim.benchmark].is_fixed
        and all(claim.count[1] % size.n for size in known.benchmarks()[claim.benchmark].sizes)
    ]
    points = []
    for claim in hit:
        assert claim.count and claim.benchmark
        sizes = known.benchmarks()[claim.benchmark].sizes
        listed = ", ".join(f"{size.n:,} ({size.of})" for size in sizes)
        points.append(
            f"{said(claim)} is counted over {claim.count[1]:,} items; known are {listed}."
        )
    if hit:
        yield Finding(
            "recounted",
            "question",
            f"Which items? The number of items differs from the benchmark's: {brief(hit)}",
            lines_of(hit),
            points,
            "the list of the items that were scored.",
            num=len(hit),
        )


def _is_share(value: Printed, k: int, n: int) -> bool:
    if k in fit(value, n).possible:
        return True
    if value.high > 1:
        return False
    return abs(Fraction(k, n) - value.low) <= 2 * value.half  # 7/8 (0.875)


def _mean_fits(average: Printed, values: list[Printed]) -> bool:
    """Return True if numbers printed as `values` can have a mean printed as `average`."""
    low = sum((v.low - v.known_half for v in values), Fraction(0)) / len(values)
    high = sum((v.high + v.known_half for v in values), Fraction(0)) / len(values)
    # Digits may have been cut off, in the average and in its parts; that is not an error.
    slack = 2 * average.known_half + max(v.half for v in values)
    return low - slack - _FLOAT <= average.low <= high + slack + _FLOAT


def averages(claims: list[Claim]) -> Iterator[Finding]:
    """Find averages in tables that are not the mean of the scores next to them."""
    tables: dict[tuple[int, str], list[Claim]] = defaultdict(list)
    for claim in claims:
        if claim.place and claim.axis in ("columns", "rows"):
            tables[claim.place[0], claim.axis].append(claim)
    hit: list[tuple[Claim, list[Claim], int]] = []
    alone: list[tuple[Claim, list[Claim]]] = []
    for (_, axis), group in tables.items():
        fitting, apart = _averages_of(group, 1 if axis == "columns" else 2)
        for claim, parts in apart:
            values = [_value(part) for part in parts]
            is_outside = not (
                min(v.low - v.half for v in values) - _value(claim).half
                <= _value(claim).low
                <= max(v.high + v.half for v in values) + _value(claim).half
            )
            if fitting >= 2 and 2 * len(apart) <= fitting:
                hit.append((claim, parts, fitting))
            elif fitting or is_outside:  # The average may be over more scores than are shown.
                alone.append((claim, parts))
    yield from _average_finding([(c, p) for c, p, _ in hit], "contradiction")
    yield from _average_finding(alone, "question")


def _averages_of(group: list[Claim], line: int) -> tuple[int, list[tuple[Claim, list[Claim]]]]:
    """Return how many averages are plain means, and the others with their scores."""
    by_line: dict[int, list[Claim]] = defaultdict(list)
    for claim in group:
        assert claim.place
        by_line[claim.place[line]].append(claim)
    lengths = [len([c for c in each if not c.is_average]) for each in by_line.values()]
    full = max(lengths, default=0)
    fitting, apart = 0, []
    for each in by_line.values():
        parts = [claim for claim in each if not claim.is_average]
        if len(parts) != full or len(parts) < 2 or not all(_exact(part) for part in parts):
            continue
        if len({part.place for part in parts}) != len(parts):
            continue  # One cell holds two scores.
        for average in (claim for claim in each if claim.is_average and _exact(claim)):
            bare = METRIC.sub(" ", average.label)
            stated = re.search(r"(?<![\d.])\d{1,3}(?![\d.])", bare)
            if stated and int(stated[0]) != len(parts):
                continue  # The label states another number of scores.
            assert average.place
            other = 3 - line
            before = [
                part for part in parts if part.place and part.place[other] < average.place[other]
            ]
            own = [p for p in parts if _is_same_group(p, average)]
            one_each = {part.benchmark or part.label: part for part in parts}
            first = {part.benchmark or part.label: part for part in reversed(parts)}
            choices = (parts, before, own, [*one_each.values()], [*first.values()])
            if any(
                _mean_fits(_value(average), [_value(p) for p in some]) for some in choices if some
            ):
                fitting += 1
            elif sum(claim.is_average for claim in each) == 1:
                apart.append((average, parts))
    return fitting, apart


def _is_same_group(part: Claim, average: Claim) -> bool:
    return bool(part.conditions & average.conditions)


def _average_finding(found: list[tuple[Claim, list[Claim]]], strength: str) -> Iterator[Finding]:
    if not found:
        return
    hit = [claim for claim, _ in found]
    own = [claim for claim in hit if claim.whose == "this"]
    points = []
    for claim, parts in found:
        mean = sum((_value(part).low for part in parts), Fraction(0)) / len(parts)
        how = "" if strength == "contradiction" else "If it is the plain mean of these scores: "
        points.append(
            f"{how}{said(claim)}; the {len(parts)} scores next to it "
            f"({', '.join(part.text for part in parts[:12])}{', ...' if len(parts) > 12 else ''}) "
            f"average {percent(mean)}."
        )
    title = "An average that is not the mean of its scores"
    yield Finding(
        "average" if strength == "contradiction" else "average_if",
        "contradiction" if strength == "contradiction" else "question",
        f"{title}: {', '.join(claim.text for claim in own[:4])}" if own else title,
        lines_of(hit),
        points,
        "which scores are averaged, and with which weights.",
        num=len(hit),
    )


_HEADLINE = re.compile(
    r"(?i)\baverag\w*\b(?P<a>[^.;\n]{0,60}?)(?<![\d.@])(?P<value>\d{1,3}\.\d{1,3})\s?%?(?P<b>[^;\n]{0,80}?)"
    r"\b(?:across|over|on)\b[^.;\n]{0,30}?\b(?P<n>\d{1,2}|two|three|four|five|six|seven|eight|nine|ten)\b"
    r"[^.;\n]{0,30}?\b(?:benchmarks|tasks|datasets|tests)"
)
_NUMBERS = {
    w: n
    for n, w in enumerate(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 2
    )
}


def headline(body: Body, claims: list[Claim]) -> Iterator[Finding]:
    """Find averages over n benchmarks in the text that no table of n benchmarks gives."""
    rows: dict[tuple[int, int], list[Claim]] = defaultdict(list)
    for claim in claims:
        if claim.place and claim.whose == "this" and not claim.is_average and _exact(claim):
            at = claim.place[1] if claim.axis == "columns" else claim.place[2]
            rows[claim.place[0], at].append(claim)
    num_own = len({claim.benchmark or claim.label for row in rows.values() for claim in row})
    for block in body.blocks:
        if not isinstance(block, Text):
            continue
        for at, line in enumerate(block.plain):
            match = _HEADLINE.search(line[:2000])
            if not match:
                continue
            number = _NUMBERS.get(match["n"].lower()) or int(match["n"])
            fitting = [row for row in rows.values() if len(row) == number == num_own > 1]
            value = printed(match["value"])
            if len(fitting) != 1 or _mean_fits(value, [_value(claim) for claim in fitting[0]]):
                continue
            row = fitting[0]
            mean = sum((_value(claim).low for claim in row), Fraction(0)) / number
            yield Finding(
                "headline",
                "contradiction",
                f"A stated average that is not the mean of the card's scores: {match['value']}",
                sorted({block.line + at, *lines_of(row)}),
                [
                    f"Line {block.line + at} gives an average of {match['value']} over {number} "
                    f"benchmarks; the {number} scores of line {row[0].line} "
                    f"({', '.join(claim.text for claim in row)}) average {percent(mean)}."
                ],
                "which scores are averaged, and with which weights.",
            )


def inconsistent(claims: list[Claim], body: Body) -> Iterator[Finding]:
    """Find one model with several values on one benchmark and no stated difference."""
    groups: dict[tuple[object, ...], list[Claim]] = defaultdict(list)
    for claim in claims:
        if not claim.benchmark or not claim.value or claim.subset or claim.whose == "unclear":
            continue
        name = _model_key(claim)
        if name is None:
            continue
        groups[claim.benchmark, claim.whose, name].append(claim)
    comparable = (_comparable(group) for group in groups.values() if not _in_stages(group, body))
    found = [group for group in comparable if group and not _agree(group)]
    found.sort(key=lambda group: group[0].line)
    if not found:
        return
    own = [group for group in found if group[0].whose == "this"]
    names = ", ".join(dict.fromkeys(benchmark_of(group[0]) for group in own))
    yield Finding(
        "inconsistent",
        "question",
        f"More than one value for one benchmark: {names}"
        if own
        else "More than one value for one model and benchmark",
        lines_of([claim for group in found for claim in group]),
        [
            f"{benchmark_of(group[0])} ({whose(group[0])}): "
            + ", ".join(f"{claim.text} (line {claim.line})" for claim in group)
            + ". Nothing in the card says how they differ."
            for group in found
        ],
        "how each of them was measured.",
        num=len(found),
    )


def _model_key(claim: Claim) -> object:
    if claim.whose == "this":
        return name_of(claim.model).sizes if claim.model and claim.is_member else ()
    if not claim.model:
        return None
    return known.words(claim.model)


_SETS_APART = re.compile(
    r"(?i)@|shot|cot|tir|tool|think|greedy|sampl|avg|average|vote|majority|strict|flexible|norm|budget"
    r"|tokens|\b\d+k\b|temperature|prompt|fp8|int[48]|bf16|quant|seed|run|harness|leaderboard|epoch|step"
    r"|language|english|chinese|\bood\b|ablation|sft|\brl\b|hard|easy|subset|level|version|official|report"
)


_STAGE = re.compile(
    r"(?i)\b(?:before|after|prior to|initial\w*|final\w*|original\w*|first|second|stage|baseline)\b"
)


def _in_stages(group: list[Claim], body: Body) -> bool:
    """Return True if the text above the tables sets them apart: "Before training:"."""
    tables = [body.blocks[at] for at in {claim.place[0] for claim in group if claim.place}]
    before = {table.before[-100:] for table in tables if isinstance(table, Table)}
    return len(before) > 1 and any(
        _STAGE.search(text) or _SETS_APART.search(text) for text in before
    )


def _comparable(group: list[Claim]) -> list[Claim] | None:
    """Return the claims that the card gives no reason to tell apart; None if it gives one."""
    if len(group) < 2:
        return None
    plain = [claim for claim in group if not _is_set_apart(claim)]
    if len({claim.line for claim in plain if not claim.place}) < len(
        [claim for claim in plain if not claim.place]
    ):
        return None  # A sentence that gives two values says why.
    if len(plain) < 2 or len({claim.axis for claim in plain if claim.place}) > 2:
        return None
    metrics = {(claim.metric or "").lower() for claim in plain}
    passes = {(claim.passes, claim.is_repeated) for claim in plain}
    shots = {claim.stated.get("prompt") for claim in plain}
    graders = {claim.stated.get("grader") for claim in plain}
    words = {claim.conditions - {"in a sentence"} for claim in plain if claim.place}
    same_table = len({claim.place[0] for claim in plain if claim.place}) == 1
    if any(len(kinds) > 1 for kinds in (metrics, passes, shots, graders)):
        return None
    if len(words) > 1 and (same_table or _differ(words)):
        return None
    return plain


def _differ(words: set[frozenset[str]]) -> bool:
    """Return True if some rows or columns carry words that others lack."""
    rest = frozenset.union(*words) - frozenset.intersection(*words)
    return any(not re.fullmatch(r"\d+", word) and _SETS_APART.search(word) for word in rest)


def _is_set_apart(claim: Claim) -> bool:
    titles = " ".join(claim.section.titles[1:])
    return bool(
        claim.is_normalised
        or _SETS_APART.search(" ".join(claim.conditions - {"in a sentence"}))
        or _SETS_APART.search(titles)
    )


def _agree(claims: list[Claim]) -> bool:
    """Return True if a single number can be printed as each of the claims."""
    values = [_value(claim) for claim in claims]
    if len({(value.low, value.high) for value in values}) == 1:
        return True
    if any(value.is_range for value in values):
        return False
    apart = max(value.low for value in values) - min(value.low for value in values)
    about = [claim for claim in claims if claim.is_about]
    return bool(about) or apart <= 2 * max(max(v.half, v.known_half) for v in values)
