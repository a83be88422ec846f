"""Find a table's layout: its header rows, its columns and the axis that holds the benchmarks."""

import re
from collections import Counter
from dataclasses import dataclass, field

from mathledger.audit import known
from mathledger.audit.blocks import Cell, Row, Table
from mathledger.audit.methods import METRIC
from mathledger.audit.scores import is_numeric, score_of


def _whole(*patterns: str) -> re.Pattern[str]:
    """Compile a pattern for cells that are one of these, apart from surrounding signs."""
    return re.compile(rf"(?i)\W*(?:{'|'.join(patterns)})\W*$")


MODEL_HEAD = re.compile(
    r"(?i)^\W*(?:(?:base |our )?models?(?: name| size)?|methods?|systems?|name|checkpoints?|llms?"
    r"|variants?"
    r"|approach(?:es)?|baselines?|model ?/.*|.*\bmodels?)\W*(?:\([^()]{0,30}\)\W*)?$"
)
BENCH_HEAD = re.compile(
    r"(?i)^\W*(?:benchmarks?|tasks?|datasets?|metrics?|evaluations?|tests?|test sets?|evals?|domain"
    r"|groups?|benchmark.*|task.*|.*benchmarks?)\W*$"
)
VALUE_HEAD = re.compile(
    r"(?i)(?:.{0,40}\b)?(?:accuracy|acc\.?|f1|scores?|values?|results?|performance|correct"
    r"|(?:pass|maj|avg|cons|majority)\s?@\s?\d+|exact[ _]match|em|solve rate|percent(?:age)?|%"
    r"|success rate)"
    r"\W{0,3}(?:\(.{0,20}\))?$"
)
_PART_HEAD = _whole("(?:sub-?)?(?:levels?|subjects?|topics?)", "difficult(?:y|ies)(?: levels?)?")
SPREAD_HEAD = _whole(
    "std.*|sd|s\\.d\\.|.*stderr.*|standard (?:error|deviation)",
    "±.*|.*interval.*|ci|.*95 ?% ci",
)
TOTAL_HEAD = _whole("n", "total.*", "(?:# ?)?(?:questions|items|problems|samples)")
SOLVED_HEAD = _whole("k", ".*solved", "(?:# ?)?correct")
SHOTS_HEAD = _whole("(?:n-?|# ?)?shots?", "few-?shot")
RUN_HEAD = _whole("(?:run|seed|trial)s?(?: ?#)?")
_PASSES = "runs|trials|trainings|repeats|repetitions|passes"
PASSES_HEAD = _whole(f"(?:# ?|(?:num(?:ber)?|no\\.) (?:of )?)?(?:{_PASSES}|seeds)(?: ?#)?")
MEAN_HEAD = re.compile(r"(?i)\W*(?:means?|averages?|avg\.?)\b(?!\s?@)")
SIZE_HEAD = _whole(
    "(?:model )?size", "#? ?params?(?:eters)?.*", "parameters?.*", "(?:base )?model size"
)
# These headers name numbers in score tables that are not scores.
OTHER = _whole(
    "[nk]|#.*|num(?:ber)? of .*|num_\\w+|no\\.?|total.*|questions.*|.*solved|items|samples",
    _PASSES,
    "(?:n-?)?shots?|few-?shot|prompt.*|version|filter|split|task type|temperature|run|seed.*",
    "params?|.*parameters?|.*\\bparams?\\b.*|.*\\bsize\\b.*|.*tokens.*|.*length.*|context.*|architecture|bits?",
    "year|.*\\bdate\\b.*|rank.*|epoch.*|.*\\bsteps?|.*loss.*|.*perplexity.*|ppl|.*rating.*|elo",
    "latency.*|time.*|.*speed.*|memory.*|vram.*|cost.*|price.*|.*\\bgpus?\\b.*|.*hours.*",
    "licen[cs]e|.*link.*|download.*|description|.*trained from.*|notes?|comments?|comparison"
    "|remarks?",
    "Δ.*|delta.*|.*(?:change|gain|improvement|difference|recovery).*|vs\\.? .*|points?",
    "p|p-value.*|p \\(.*",
    "std.*|sd|s\\.d\\.|standard deviation|.*stderr.*|.*\\berror.*|±|ci|.*interval.*|detectable"
    "|ledger",
    "batch.*|.*learning rate.*|lr|optimi[sz]er|warmup.*|layers?|heads?|hidden.*|vocab.*"
    "|seq(?:uence)?[ _]len.*|dropout",
    "rows?|examples?|downloaded|prepared|deduplicated|.*train(?:ing)? (?:data|set|rows).*"
    "|.*weight decay.*",
)
SETTING_WORDS = re.compile(
    r"(?i)^\W*(?:greedy|cot|tir|pot|sft|rl|dpo|grpo|ppo|rft|self-consistency|default|zero-?shot|\d+-?shot"
    r"|with tools?|no tools?|tool use|thinking|non-?thinking|budget.*|temperature.*|.*@\s?k?\d*"
    r"|genselect"
    r"|[+-].*|\d+ ?[kK] ?(?:tokens|budget)?|w/.*|with .*|strict.*|flexible.*|average|mean|overall"
    r"|all"
    r"|accuracy|score|result|total|value|pass rate|majority.*|none)\W*$"
)
OWN_ROW = re.compile(
    r"(?i)\W*(?:accuracy|acc|score|result|average|mean|overall|total|all|value|ours?|performance|.*@\s?\d+)\W*$"
)
_NO_DATA = re.compile(
    r"(?i)\b(?:tokens?|dataset size|samples|examples|instances|hyper|param|rows)\b"
)


@dataclass
class Column:
    """One column of a table, with what its header names."""

    at: int
    parts: list[str]  # The cells of its header, outermost first.
    raw: str
    is_value: bool = False
    mention: known.Mention | None = None

    @property
    def text(self) -> str:
        return " ".join(dict.fromkeys(part for part in self.parts if part))


@dataclass
class Grid:
    """A table whose layout is known."""

    table: Table
    columns: list[Column]
    rows: list[Row]
    labels: list[int]  # Columns that hold labels.
    label: int  # Column that names a row's model or benchmark.
    size: int | None  # Column that gives a model's size.
    groups: dict[int, str] = field(default_factory=dict)  # Row -> the heading row above it.
    axis: str = "none"  # Axis of the benchmarks: columns, rows or none.
    has_parts: bool = False  # True if its rows are parts of one benchmark, such as levels.
    is_log: bool = False  # True for a training log by step or epoch.


_SIZED = re.compile(r"(?i)\W*\d+(?:\.\d+)?[bm]\b")


def is_other(head: str) -> bool:
    """Return True if a header names something other than a score; 7B Params is a model."""
    return bool(OTHER.match(head)) and not _SIZED.match(head)


def sole(cell: str) -> known.Mention | None:
    """Return the benchmark that a cell names; None unless it names exactly one."""
    named = list(known.mentions(cell))
    keys = {each.key for each in named}
    return named[0] if len(keys) == 1 and named[0].key else None


def is_number(cell: Cell) -> bool:
    return bool(cell.text) and (is_numeric(cell.text) or score_of(cell.text) is not None)


def grids(table: Table) -> list[Grid]:
    """Split a table wherever a row names the columns again, and lay out each part."""
    count = _num_headers(table.rows)
    found = []
    head, body = table.rows[:count], table.rows[count:]
    start = 0
    for at, row in enumerate(body):
        if at > start and _is_header_again(row, head):
            found.append(_grid(table, head, body[start:at]))
            head, start = [row], at + 1
    found.append(_grid(table, head, body[start:]))
    return [grid for grid in found if grid.rows]


def _num_headers(rows: list[Row]) -> int:
    """Return the number of header rows at the top."""
    count = 1
    while count < min(4, len(rows) - 1) and (rows[count].is_head or _goes_on(rows, count)):
        if any(is_number(cell) for cell in rows[count].cells[1:]) and not rows[count].is_head:
            break
        count += 1
    return count


def _goes_on(rows: list[Row], at: int) -> bool:
    """Return True if a row below a header also names columns."""
    above, row = rows[at - 1].cells, rows[at].cells
    filled = [cell.text for cell in row if cell.text]
    if any(is_number(cell) for cell in row) or len(set(filled)) < 2:
        return False
    if not any(cell.text for cell in above):
        return True
    is_grouped = any(not cell.text for cell in above[1:]) or len({c.text for c in above}) < len(
        above
    )
    names = sum(bool(sole(cell.text) or METRIC.search(cell.text)) for cell in row[1:])
    is_named = names >= 1 or (not row[0].text or row[0].text == above[0].text)
    return is_grouped and is_named and len(filled) >= len(row) / 2


def _is_header_again(row: Row, head: list[Row]) -> bool:
    filled = [cell.text for cell in row.cells if cell.text]
    if len(set(filled)) < 2 or any(is_number(cell) for cell in row.cells):
        return False
    named = sum(sole(cell.text) is not None for cell in row.cells[1:])
    before = sum(sole(cell.text) is not None for cell in head[-1].cells[1:])
    return named >= 2 or (named == 1 and before == 1 and bool(MODEL_HEAD.match(row.cells[0].text)))


def _grid(table: Table, head: list[Row], body: list[Row]) -> Grid:
    columns = [_column(head, at) for at in range(len(head[0].cells))]
    rows: list[Row] = []
    groups: dict[int, str] = {}
    group = ""
    for row in body:
        filled = {cell.text for cell in row.cells if cell.text}
        if len(filled) == 1 and not is_number(next(c for c in row.cells if c.text)):
            group = filled.pop()
            continue
        if group:
            groups[len(rows)] = group
        rows.append(row)
    grid = Grid(table, columns, rows, [], 0, None, groups)
    for column in columns:
        cells = [row.cells[column.at] for row in rows]
        numbers = sum(is_number(cell) for cell in cells)
        texts = sum(bool(re.search(r"\w", cell.text)) for cell in cells) - numbers
        column.mention = next((m for p in reversed(column.parts) if (m := sole(p))), None)
        is_label = column.at == 0 and not (VALUE_HEAD.match(column.text) and numbers > texts)
        is_label = is_label or (texts >= numbers and not (column.mention and numbers))
        if SIZE_HEAD.match(column.text) and grid.size is None and not _SIZED.match(column.text):
            grid.size = column.at
        if is_label:
            grid.labels.append(column.at)
        elif not is_other(column.text or "n") or column.mention:
            column.is_value = numbers > 0
    heads = " | ".join(column.text for column in columns)
    grid.is_log = bool(_LOG.search(heads))
    _orient(grid)
    return grid


_LOG = re.compile(r"(?i)(?:\bsteps?|\bepochs?)\b.*\bloss\b|\bloss\b.*(?:\bsteps?|\bepochs?)\b")


def _column(head: list[Row], at: int) -> Column:
    parts = []
    for number, row in enumerate(head):
        cell = row.cells[at]
        left = at
        if len(head) > 1 and number < len(head) - 1:
            while not cell.text and left > 1:  # A group's name stands over its first column.
                left -= 1
                cell = row.cells[left]
        parts.append(cell.text)
    return Column(at, parts, " ".join(row.cells[at].raw for row in head))


_DATE_HEAD = _whole("(?:release )?date", "rank(?:ing)?", "released")


def _orient(grid: Grid) -> None:
    """Set the axis of the benchmarks and the column of labels."""
    in_columns = sum(bool(column.mention and column.is_value) for column in grid.columns)
    labels = [at for at in grid.labels if at != grid.size] or [0]
    labels = [at for at in labels if not _DATE_HEAD.match(grid.columns[at].text)] or labels
    named: Counter[int] = Counter()
    in_rows = 0
    for row in grid.rows:
        at = next((at for at in labels[:4] if sole(row.cells[at].text)), None)
        if at is not None and any(is_number(c) for c in row.cells):
            in_rows += 1
            named[at] += 1
    naming = named.most_common(1)[0][0] if named else labels[0]
    has_parts = _has_parts(grid, naming)
    in_rows = 0 if has_parts else in_rows
    heads = [grid.columns[at].text for at in labels]
    model_at = next((at for at in labels if MODEL_HEAD.match(grid.columns[at].text)), None)
    has_models = model_at is not None
    has_benchmarks = any(BENCH_HEAD.match(head) for head in heads)
    if in_columns and (has_models or not has_benchmarks) and (has_models or in_columns >= in_rows):
        grid.axis = "columns"
    elif in_rows and not (has_models and not has_benchmarks and in_rows < len(grid.rows)):
        grid.axis = "rows"
    elif in_columns:
        grid.axis = "columns"
    if grid.axis == "rows":
        grid.label = naming
    elif has_models and model_at is not None:
        grid.label = model_at
    else:
        grid.label = labels[0]
    grid.has_parts = has_parts and grid.label == naming


def _has_parts(grid: Grid, at: int) -> bool:
    """Return True if a column names parts of one benchmark, even parts called like another one.

    The text above says so (`MATH-500 by kind`, or `mine, by kind`, over a column `kind`), or the
    header is a word such as level or subject, and not all its cells name benchmarks.
    """
    head = grid.columns[at].text
    if not head or BENCH_HEAD.match(head) or MODEL_HEAD.match(head):
        return False
    by = re.compile(rf"(?i)(\S.*?)(,?) (?:by|per) {re.escape(head)}\W*$")
    for text in (grid.table.before[-160:], grid.table.section.title):
        said = by.search(text)
        if said and (said[2] or sole(said[1])):
            return True
    cells = [row.cells[at].text for row in grid.rows if any(is_number(c) for c in row.cells)]
    return bool(_PART_HEAD.match(head)) and not all(sole(cell) for cell in cells)


_ERRORS = re.compile(r"(?i)\b(?:estimation|prediction|absolute|relative) errors?\b")


def is_about_data(table: Table) -> bool:
    """Return True if header or heading say that a table lists data, tokens or settings."""
    head = " ".join(cell.text for cell in table.rows[0].cells)
    title = table.section.title
    if _ERRORS.search(table.before[-200:]):
        return True
    if sum(sole(cell.text) is not None for cell in table.rows[0].cells) > 1:
        return False
    is_results = re.search(r"(?i)eval|benchmark|result|performance|score|accura", f"{head} {title}")
    if re.search(
        r"(?i)\b(?:hyper-?param|training (?:data|settings|details|config)|data (?:mix|sources?))",
        title,
    ):
        return not is_results
    return (
        bool(_NO_DATA.search(head))
        and not is_results
        and not any(METRIC.search(cell.text) for cell in table.rows[0].cells)
    )
