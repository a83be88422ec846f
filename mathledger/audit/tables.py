"""Claims in tables: benchmarks in the header, in the rows, or one that the heading names."""

import re
from collections import Counter
from dataclasses import replace

from mathledger.audit import evidence, known
from mathledger.audit.blocks import Table
from mathledger.audit.claims import claim_of, in_percent, is_accuracy, owner_of, unnamed
from mathledger.audit.prose import SCORE_WORDS, subject
from mathledger.audit.scores import is_numeric, score_of, scores
from mathledger.audit.types import Claim, Names, Owner, Unscaled

MAX_ROWS = 1000
MAX_COLUMNS = 100
MAX_CELL = 200  # characters of a cell that are read


def _whole(*patterns: str) -> re.Pattern[str]:
    """A cell that is one of these, but for signs around it."""
    return re.compile(rf"(?i)\W*(?:{'|'.join(patterns)})\W*$")


_MODEL_HEAD = re.compile(
    r"(?i)\b(?:models?|methods?|systems?|names?|checkpoints?|llms?|variants?)\b"
)
_VALUE_HEAD = re.compile(
    r"(?i)(?:.{0,40}\b)?(?:accuracy|acc\.?|scores?|values?|results?|performance|correct"
    r"|(?:pass|maj|avg|cons)@\d+|exact[ _]match|em|solve rate|percent(?:age)?|%)"
    r"\W{0,3}(?:\(.{0,20}\))?$"
)
_SPREAD_HEAD = _whole("std.*", ".*stderr.*", "standard error", "±.*", ".*interval.*", "ci")
_TOTAL_HEAD = _whole("n", "total.*", "questions|items|problems|samples")
_SOLVED_HEAD = _whole("k", ".*solved", "correct")
_SHOTS_HEAD = _whole("(?:n-?)?shots?")
_RUN_HEAD = _whole("(?:run|seed|trial)s?")
# Numbers that stand in tables of scores and are none.
_OTHER = _whole(
    "[nk]|#.*|num.*|no\\.?|total.*|questions.*|.*solved",
    ".*shots?|prompt.*|version|filter|metric|split|task type|temperature|run|seed.*",
    "params?|.*parameters?|.*size.*|.*tokens.*|.*length.*|context.*|architecture|bits?",
    "year|date|rank.*|epoch.*|steps?|.*loss.*|.*perplexity.*|ppl|.*rating.*|elo",
    "latency.*|time.*|speed.*|memory.*|vram.*|cost.*|price.*",
    "licen[cs]e|link.*|download.*|description",
    "Δ.*|delta.*|.*(?:change|gain|improvement|difference|recovery).*",
    "std.*|.*stderr.*|.*error.*|±|ci|.*interval.*",
)
_OWN_ROW = _whole("accuracy|score|result|average|mean|overall|total|all|value|.*@\\d+")


def table_claims(table: Table, own: Names, unread: list[int]) -> list[Claim]:
    """The claims of a table, of whichever shape; unread gets the lines of numbers left out."""
    header = _cut(table.header)
    filled = [""] * len(header)  # a row's missing cells are empty, those beyond the header are none
    rows = [(line, [*_cut(row), *filled][: len(header)]) for line, row in table.rows[:MAX_ROWS]]
    table = replace(table, header=header, rows=rows)
    heads = [_sole(head) for head in header]
    num_columns = sum(head is not None for head in heads[1:])
    num_rows = sum(_named_in(cells) is not None for _, cells in table.rows)
    if num_columns and num_columns >= num_rows:
        return in_percent(_by_column(table, heads, own, unread))
    if num_rows:
        return in_percent(_by_row(table, own, unread))
    return in_percent(_of_one(table, own, unread))


def _cut(cells: list[str]) -> list[str]:
    return [cell[:MAX_CELL] for cell in cells[:MAX_COLUMNS]]


def _sole(cell: str) -> known.Mention | None:
    """The benchmark that a cell names, if it is one alone."""
    named = known.mentions(cell)
    return named[0] if len(named) == 1 and named[0].key else None


def _named_in(cells: list[str]) -> tuple[int, known.Mention] | None:
    """The benchmark in the first cells of a row, and in which."""
    for at, cell in enumerate(cells[:3]):
        mention = _sole(cell)
        if mention and score_of(cell) is None:
            return at, mention
    return None


def _by_column(
    table: Table, heads: list[known.Mention | None], own: Names, unread: list[int]
) -> list[Unscaled]:
    """Benchmarks in the header; a row is a model, a metric, or a part of the benchmark."""
    claims = []
    label_at = next((at for at, head in enumerate(table.header) if _MODEL_HEAD.search(head)), 0)
    for line, cells in table.rows:
        label = cells[label_at]
        is_own = bool(_OWN_ROW.match(label))
        for at, cell in enumerate(cells):
            head, title = heads[at], table.header[at]
            if at == label_at or (head is None and _OTHER.match(title or "n")):
                continue
            score = score_of(cell)
            if score is None or (head is None and score.is_plain):
                if head and is_numeric(cell):
                    unread.append(line)
                continue
            part = part_of(head, label)
            owner: Owner = ("this", None) if is_own or part else owner_of(label, own)
            context = f"{title} {label}" if is_own else title
            mention = head or unnamed(title)
            claim = claim_of(line, "table", mention, owner, score, table.section, context)
            claim.subset = part
            claim.stated = evidence.in_words(f"{title} {label}")
            claims.append(Unscaled(claim, score))
    return claims


def _by_row(table: Table, own: Names, unread: list[int]) -> list[Unscaled]:
    """Benchmarks in the rows; a column is a model, or a value with what belongs to it.

    A row without a name goes on with the benchmark above it.
    """
    claims: list[Unscaled] = []
    header = table.header
    places = Counter(named[0] for _, cells in table.rows if (named := _named_in(cells)))
    label_at = places.most_common(1)[0][0]
    has_value = any(_VALUE_HEAD.match(head) for head in header)
    mention: known.Mention | None = None
    for line, cells in table.rows:
        named, label = _named_in(cells), cells[label_at].strip()
        if named:
            mention = named[1]
        elif label:
            mention = unnamed(label)
        if mention is None or (not named and _OTHER.match(label or "a row")):
            continue
        first = len(claims)
        rest = " ".join(cell for cell in cells if not is_numeric(cell))
        for at, head in enumerate(header):
            if at <= label_at or (named and at == named[0]):
                continue
            if _SPREAD_HEAD.match(head) and len(claims) > first:
                claims[-1].claim.spread = cells[at].lstrip("±+/- ") or None
            if _OTHER.match(head) or (not head and has_value):
                continue
            score = score_of(cells[at])
            owner: Owner = ("this", None) if _VALUE_HEAD.match(head) else owner_of(head, own)
            is_known = mention.key and owner[0] != "unclear"
            if score is None or (score.is_plain and not is_known):  # 32 may be a count of layers
                claims += _remark(table, line, cells[at], mention, own)
                if mention.key and is_numeric(cells[at]):
                    unread.append(line)
                continue
            claim = claim_of(line, "table", mention, owner, score, table.section, f"{head} {rest}")
            claim.stated = evidence.in_words(f"{rest} {head}")
            shots = [cells[n].strip() for n, title in enumerate(header) if _SHOTS_HEAD.match(title)]
            if shots and shots[0].isdigit():
                claim.stated["prompt"] = f"{shots[0]}-shot"
            claims.append(Unscaled(claim, score))
    return claims


def _remark(
    table: Table, line: int, cell: str, mention: known.Mention, own: Names
) -> list[Unscaled]:
    """Scores in a remark, each of a model that it names: Exceeds GPT-4 (~25-30%)."""
    claims = []
    for score in scores(cell):
        owner = subject(cell, score, own)
        if score.is_percent and owner[0] == "other":
            claim = claim_of(line, "table", mention, owner, score, table.section)
            claims.append(Unscaled(claim, score))
    return claims


def _of_one(table: Table, own: Names, unread: list[int]) -> list[Unscaled]:
    """A table of one benchmark, which the heading or the text before it names; or of none known."""
    header = table.header
    titles = [_sole(title) for title in reversed(table.section.topics)]
    mention = next((title for title in titles if title), None) or _sole(table.caption[-120:])
    solved = next((at for at, head in enumerate(header) if _SOLVED_HEAD.match(head)), None)
    total = next((at for at, head in enumerate(header) if _TOTAL_HEAD.match(head)), None)
    values = [
        at
        for at, head in enumerate(header)
        if at and at not in (solved, total) and _VALUE_HEAD.match(head)
    ]
    is_model = bool(header and _MODEL_HEAD.search(header[0]))
    claims = []
    for line, cells in table.rows:
        label = cells[0].strip()
        for at in values:
            if not (mention or SCORE_WORDS.search(header[at]) or is_accuracy(label)):
                continue
            score = score_of(cells[at])
            if score is None:
                if is_numeric(cells[at]):
                    unread.append(line)
                continue
            owner: Owner = owner_of(label, own) if is_model else ("this", None)
            name = mention or unnamed(header[at] if is_model else label or header[at])
            claim = claim_of(line, "table", name, owner, score, table.section, header[at])
            claim.subset = part_of(mention, label)
            if _RUN_HEAD.match(header[0]):
                claim.metric = f"run {label}"
            if solved is not None and total is not None:
                claim.count = _count(cells[solved], cells[total])
            claim.stated = evidence.in_words(f"{header[at]} {label}")
            claims.append(Unscaled(claim, score))
    return claims


def _count(k: str, n: str) -> tuple[int, int] | None:
    if k.isdecimal() and n.isdecimal() and int(k) <= int(n) and int(n):
        return int(k), int(n)
    return None


def part_of(mention: known.Mention | None, label: str) -> str | None:
    """The part of a benchmark that a label names; a bare 5 is level 5."""
    if mention is None or mention.key is None:
        return None
    named = known.words(label.replace("&", "and"))
    parts = {known.words(name): name for name in known.benchmarks()[mention.key].subsets}
    return parts.get(named) or parts.get(("level", *named))
