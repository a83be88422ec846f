"""Find the number of passes that a card says its scores are means over, and for which scores.

A sentence applies to the benchmarks and metrics that it names. One that says "all", or that is in
another section than the scores, may apply to the whole card. If two statements could apply to a
score and differ, nothing is concluded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mathledger.audit import known
from mathledger.audit.blocks import Block, Section, Table, Text
from mathledger.audit.owners import Identity

MAX_CHARACTERS = 4000  # Characters read per paragraph.
_WORDS = {
    word: number
    for number, word in enumerate(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 2
    )
} | {"sixteen": 16, "twenty": 20, "thirty-two": 32, "sixty-four": 64}
_N = rf"(?<![\w.@-])(?P<n>\d{{1,4}}|{'|'.join(_WORDS)})"
_THING = (
    r"(?:runs?|times|samples|seeds?|trials|repetitions|repeats|generations|responses|solutions"
    r"|passes|rollouts|attempts|completions|outputs|evaluations|rounds|samplings|inferences|answers"
    r"|generated \w+|sampled \w+)"
)
_BETWEEN = r"(?:[\w-]{1,20}\s){0,3}?"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.I)


_REPEATED = [
    re.compile(pattern, re.I)
    for pattern in (
        rf"\b(?:averag\w*|avg\.?|means?)\b[^.;\n]{{0,60}}?\b{_N}[\s-]{_BETWEEN}{_THING}\b",
        rf"\b{_N}\s{_BETWEEN}{_THING}\s(?:per|for each|for every|of each|on each|each)\b",
        rf"\b{_N}\s{_BETWEEN}{_THING}\b[^.;\n]{{0,60}}?\b(?:averag\w*|mean|estimate\w*)\b",
        rf"\b(?:estimat|comput|calculat|measur)\w*\s{_BETWEEN}(?:from|with|using|over|by|on)\s"
        rf"{_BETWEEN}{_N}\s{_BETWEEN}{_THING}\b",
        rf"\b(?:sampl|generat|draw|produc)\w*\s{_BETWEEN}{_N}\s{_BETWEEN}{_THING}\b",
        rf"\b(?:repeat|evaluat|test|sampl|run)\w*\b[^.;,\n]{{0,40}}?\b{_N}\stimes\b(?!\s(?:out|more|less|better|faster|larger|smaller|as|the)\b)",
        rf"\b{_N}[- ](?:(?:sample|run)[- ])?averag",
        rf"\bpass@1\b[^.;\n)]{{0,25}}?{_N}\s{_THING}\b",
        r"\b(?:avg|mean|average)\s?@\s?(?P<n>\d{1,4})\b",
        rf"\bnumber of (?:runs|samples|repeats|seeds)\W{{1,6}}{_N}\b",
        rf"\baveraged (?:over|across) {_N}\b(?! (?:benchmark|task|dataset|categor"
        rf"|subject))",
    )
]
_MANY = _any(
    r"\b(?:multiple|several|many|various) (?:[\w-]{1,20} ){0,2}(?:times|runs|samples|seeds"
    r"|sampling|generations)\b",
    r"\baveraged? (?:over|across) (?:multiple|several|many|all|different) ",
    r"\b(?:are|were|is) averaged\b",
    r"\baverage (?:pass@1|accuracy|score|performance) (?:over|across|of|from)\b",
    r"\b(?:average|mean) (?:pass@1|accuracy)\b",
    r"\bavg\s?@\s?(?:k|n)\b",
    r"\brepeated(?:ly)?\b.{0,30}\b(?:sampl|evaluat|run)",
)
_ONCE = _any(
    r"\b(?:a )?single (?:run|pass|sample|attempt|generation|response)\b",
    r"\bone (?:run|pass|sample|attempt|generation|response) (?:per|an?|for each|each)\b",
    r"\b(?:run|evaluated|sampled|asked) (?:only )?once\b",
    r"\bgreed(?:y|ily)(?: (?:decoding|search|sampling))?\b",
    r"\btemperature\s?(?:of|=|:|is)?\s?`?0(?:\.0+)?\b(?!\.\d)",
)
_TRAINS = re.compile(
    r"(?i)\b(?:train\w*|rollouts?|grpo|ppo|reward|policy|rl step|batch|dataset|corpus|distill\w*"
    r"|synthetic|filter\w*|kept|curat\w*|annotat\w*)\b"
)
_SCORES = re.compile(
    r"(?i)\b(?:evaluat\w*|scores?|accurac\w*|pass@|avg@|maj@|benchmarks?|reported?|results?|metrics?"
    r"|performance)"
)
_USAGE = re.compile(
    r"(?i)usage|\buse\b|quick ?start|how to|getting started|inference|deploy|training|recommend"
    r"|demo"
)
_RESULTS = re.compile(r"(?i)eval|benchmark|result|performance|accuracy|score|metric|release|method")
_WHOLE = re.compile(
    r"(?i)\b(?:all|every|our|we|reported|results|scores|throughout|evaluat\w*|unless|metrics?|pass@)\b"
)
_SMALL = re.compile(r"(?i)\b(?:fewer|less) than (?P<n>\d[\d,]{1,6}) ")
METRIC = re.compile(
    r"(?i)(?<![\w@])(?P<name>pass|avg|mean|maj1|maj|majority|cons|best[- ]of|bo|rm|prm|average"
    r"|genselect|consensus|vote|tool)\s?[@-]\s?(?P<k>\d{1,4})\b"
    r"(?!\s(?:\w+\s){0,2}(?:tasks|benchmarks|datasets|tests)\b)|\b(?P<select>genselect)\b"
)
_REFLECTS = re.compile(r"(?i)\b(?:we (?:found|observed?|noticed?) that|sometimes|would have)\b")
_OF_OTHERS = re.compile(r"(?i)\b(?:baselines?|(?:public|other|previous|open) models?['’s]*)\b")
_HINT = re.compile(  # Every statement contains one of these; most sentences do not.
    r"(?i)averag|\bavg|\bmean|\btimes\b|run|seed|sampl|repe|generation|response|single|once|greed"
    r"|temperature|\bone \w+ (?:per|an?|for|each)|pass|rollout|attempt|trial|answers|evaluations"
)
_ALL = re.compile(r"(?i)\b(?:all|every|each|both|we|our)\b")
# These mark advice to users and accounts of how the data were made.
_ADVICE = re.compile(
    r"(?i)(?:^|[,;:]\s)\W{0,4}use\b|\bbest results\b|\brecommend|\bsuggest|\bshould\b|\bplease\b"
    r"|\byou\b|\btry\b"
)
_DATA = re.compile(r"(?i)\bdata|\btrain|\breward|\bpipeline|\bsft\b|\brl\b|\bcurat|\bdistill")
_SEPARATOR = re.compile(r"[,;:]\s|\sand\s|\swhile\s|\sbut\s")
_AVERAGES = re.compile(r"(?i)\baverag|\bavg\b|\bmeans?\b|\btimes\b")
_COUNTED = re.compile(rf"(?i)\b{_N}\s{_BETWEEN}{_THING}\b(?!\s(?:out|more|less|better|faster)\b)")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=[A-Z(\"'*>-])|\n(?=\s*[-*+>|])")


@dataclass(frozen=True)
class Statement:
    """A statement on the number of passes behind scores; None passes are an unstated number."""

    passes: int | None
    line: int
    section: Section
    benchmarks: frozenset[str]  # Benchmarks it is limited to; empty for no limit.
    metrics: frozenset[str]
    below: int | None  # It applies to benchmarks with fewer items.
    is_whole: bool

    def is_of(self, benchmark: str | None, metric: str | None) -> bool:
        """Return True if the statement may apply to a score on a benchmark by a metric."""
        if self.metrics and (metric or "pass@1").lower().replace(" ", "") not in self.metrics:
            return False
        if self.below and benchmark:
            sizes = known.benchmarks()[benchmark].sizes
            return not sizes or sizes[0].n < self.below
        if not self.benchmarks or benchmark is None:
            return True
        return any(known.related(benchmark, one) for one in self.benchmarks)


def metrics_in(text: str) -> list[str]:
    """Return the metrics that a text names, as spelled there."""
    return [match[0].strip() for match in METRIC.finditer(text)]


def is_vote(metric: str | None) -> bool:
    """Return True if a metric makes one answer out of several: maj@64, best-of-8, GenSelect."""
    return bool(metric and re.match(r"(?i)maj|cons|best|bo|rm|prm|gensel|vote", metric))


def says_once(text: str) -> bool:
    """Return True if a text says that every item was asked once."""
    return bool(_ONCE.search(text))


def mean_over(metric: str | None) -> int | None:
    """Return the number of passes in a metric's name, such as avg@64; None if there is none."""
    match = re.match(r"(?i)(?:avg|mean|average)\s?@\s?(\d+)", metric or "")
    return int(match[1]) if match else None


def repeats_in(text: str) -> int | None:
    """Return the number of passes that a text says scores are means over; None if it says none.

    >>> repeats_in("AIME is 97.3 on avg of five evaluation runs"), repeats_in("64 generations each")
    (5, 64)
    """
    for pattern in _REPEATED:
        match = pattern.search(text[:MAX_CHARACTERS])
        if match:
            word = match["n"].lower()
            number = _WORDS.get(word) or int(word)
            if number > 1:
                return number
    return None


def _passes_in(part: str, is_mean: bool) -> int | None:
    """Return the passes that a part of a sentence states; "4 seeds" counts only if `is_mean`."""
    bare = _COUNTED.search(part) if is_mean else None
    number = repeats_in(part)
    if number is None and bare:
        number = _WORDS.get(bare["n"].lower()) or int(bare["n"])
    return number if number and number > 1 else None


def statements(blocks: list[Block], own: Identity) -> list[Statement]:
    """Return every statement on passes in a card's text and in full-width table rows."""
    found: list[Statement] = []
    for block in blocks:
        if isinstance(block, Text):
            for line, sentence in _sentences(block):
                for clause in sentence.split("; ") if _HINT.search(sentence) else ():
                    named = {whose for _, _, whose, _ in own.in_text(clause)}
                    # Otherwise it is about another model.
                    if named != {"other"} or _ALL.search(clause):
                        found += _stated(clause, line, block.section, block.is_heading)
        elif isinstance(block, Table):
            for row in block.rows:
                filled = [cell.text for cell in row.cells if cell.text]
                if len(set(filled)) == 1 and len(filled[0]) > 30:
                    found += _stated(filled[0], row.line, block.section)
    return found


def _sentences(block: Text) -> Iterator[tuple[int, str]]:
    text = "\n".join(block.plain)[:MAX_CHARACTERS]
    at = 0
    for part in _SENTENCE.split(text):
        place = text.find(part, at)
        at = max(at, place) + len(part)
        yield block.line + text.count("\n", 0, max(place, 0)), part


def _stated(
    sentence: str, line: int, section: Section, is_heading: bool = False
) -> Iterator[Statement]:
    is_of_training = _TRAINS.search(sentence) or _DATA.search(section.title)
    if not _HINT.search(sentence) or (is_of_training and not _SCORES.search(sentence)):
        return
    parts = _SEPARATOR.split(sentence)
    is_mean = bool(_AVERAGES.search(sentence))
    counted = [part for part in parts if _passes_in(part, is_mean) or _ONCE.search(part)]
    is_split = len(counted) > 1
    num_metrics = sum(bool(METRIC.search(part)) for part in parts)
    if not is_split and (num_metrics < 2 or (not counted and repeats_in(sentence))):
        parts = [sentence]
    is_whole = bool(_WHOLE.search(sentence))
    below = _SMALL.search(sentence)
    carried: frozenset[str] = frozenset()  # Benchmarks named before their statement.
    for part in parts:
        passes, is_many, is_once = (
            _passes_in(part, is_mean and is_split),
            _MANY.search(part),
            _ONCE.search(part),
        )
        if _REFLECTS.search(part) or _OF_OTHERS.search(part):
            continue
        named = part if is_split else sentence
        whole = carried | {m.key for m in known.mentions(named) if m.key}
        if not (passes or is_many or is_once):
            carried = whole
            continue
        carried = frozenset()
        of = (
            frozenset()
            if re.search(r"(?i)\ball (?:our |the |reported )*(?:results|scores|bench)", part)
            else whole
        )
        metrics = frozenset(
            m.lower().replace(" ", "").replace("majority", "maj") for m in metrics_in(part)
        )
        if passes is None and not is_many:
            passes = 1
            if (
                _USAGE.search(section.title)
                or _ADVICE.search(sentence)
                or not (_SCORES.search(sentence) or any(_RESULTS.search(t) for t in section.topics))
            ):
                continue  # This is advice to users, not a report.
        votes = {m for m in metrics if is_vote(m)}
        if metrics and metrics == votes:
            continue  # 64 generations for a vote give one verdict per item.
        is_of_all = is_heading or len(metrics) > 1  # A heading's avg@8 covers its section.
        names = frozenset() if is_of_all else metrics - votes
        yield Statement(
            passes,
            line,
            section,
            of,
            names,
            int(below["n"].replace(",", "")) if below else None,
            is_whole,
        )


def passes_of(
    all_statements: list[Statement], section: Section, benchmark: str | None, metric: str | None
) -> tuple[int | None, bool, int | None]:
    """Return the stated passes behind a score, True if there may be several, and the line.

    Return (None, False, None) if no statement of the card could apply to the score.
    """
    fitting = [one for one in all_statements if one.is_of(benchmark, metric)]
    if not fitting:  # A statement about other scores may have been meant for this one.
        return None, any(one.passes != 1 for one in all_statements), None
    near = [one for one in fitting if one.section == section]
    named = [one for one in fitting if one.benchmarks]
    for group in (named, near, [one for one in fitting if one.is_whole], fitting):
        numbers = {one.passes for one in group}
        if len(numbers) == 2 and None in numbers and group is not fitting:
            numbers -= {None}  # "Averaged" next to a number.
        if len(numbers) == 1 and group is not fitting:
            passes = numbers.pop()
            other = {one.passes for one in fitting} - {passes, 1}
            if passes == 1 and other:
                return None, True, None
            line = next(one.line for one in group if one.passes == passes)
            return passes, passes is None, line
        if numbers:
            return None, bool(numbers - {1}), None
    return None, False, None
