"""Look up benchmarks, licences, models and corpora by name.

A name is known or it is not; nothing is guessed from a similar name. benchmarks.yaml and
inputs.yaml next to this file hold the facts, each with its source.
"""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from mathledger.card.licences import Licence, licences

WORD = re.compile(r"[a-z]+|\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Size:
    """A number of items that copies of a benchmark have, with its source."""

    n: int
    of: str
    source: str
    seen: str  # Day on which the source was read.


@dataclass(frozen=True)
class Benchmark:
    """An entry of benchmarks.yaml."""

    key: str
    name: str
    family: str | None
    year: int | None  # Year of its items.
    sizes: tuple[Size, ...]
    subsets: dict[str, int]
    is_mean: bool
    is_fixed: bool  # Every copy in use has one of these sizes.
    private: str | None
    files: tuple[str, ...]
    folders: tuple[str, ...]


@dataclass(frozen=True)
class Mention:
    """A benchmark's name in a text; key is None if the whole name is not a known one."""

    key: str | None
    label: str
    start: int
    end: int


@dataclass(frozen=True)
class Overlap:
    """Benchmarks whose problems a corpus holds, with the source."""

    benchmarks: tuple[str, ...]
    until: int | None  # Last year whose items it can hold.
    how: str
    source: str
    is_training_half: bool  # Made of training halves only; no test items.

    def bears_on(self, key: str) -> bool:
        year = benchmarks()[key].year
        is_later = self.until is not None and year is not None and year > self.until
        return not is_later and any(related(key, other) for other in self.benchmarks)


@dataclass(frozen=True)
class Corpus:
    id: str
    licence: str
    licence_source: str
    seen: str  # Day on which its sources were read.
    rows: tuple[int, ...]
    overlaps: tuple[Overlap, ...]

    @property
    def name(self) -> str:
        return self.id.partition("/")[2]


@dataclass(frozen=True)
class Model:
    pattern: str
    licence: str
    source: str
    seen: str


def words(text: str) -> tuple[str, ...]:
    """Split a name into lower-case words and numbers: GSM-8K, gsm8k -> (gsm, 8, k)."""
    return tuple(word.lower() for word in WORD.findall(text))


@cache
def _yaml(name: str) -> Any:
    import yaml

    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def benchmarks() -> dict[str, Benchmark]:
    return {
        key: Benchmark(
            key,
            entry["name"],
            entry.get("family"),
            entry.get("year"),
            tuple(Size(**size) for size in entry.get("sizes", [])),
            entry.get("subsets", {}),
            entry.get("mean", False),
            entry.get("fixed", False),
            entry.get("private"),
            tuple(entry.get("files", [])),
            tuple(entry.get("folders", [])),
        )
        for key, entry in _yaml("benchmarks.yaml").items()
    }


@cache
def _spellings() -> dict[tuple[str, ...], tuple[str, str, bool]]:
    """Map the words of each name to its key, its spelling, and True if only that one counts."""
    spellings = {}
    for key, entry in _yaml("benchmarks.yaml").items():
        spellings[words(entry["name"])] = (key, entry["name"], entry.get("exact", False))
        for alias in entry.get("aliases", []):
            spellings[words(alias)] = (key, alias, False)
        for word in entry.get("words", []):
            spellings.setdefault(words(word), (key, word, True))
    return spellings


def mentions(text: str) -> list[Mention]:
    """Return the benchmarks that a text names, the longest name at each place.

    An unknown longer name (MMLU-Redux-2, TR-MMLU) is not guessed: its key is None.

    >>> [(each.key, each.label) for each in mentions("97% on AIME24, 92 on MATH, good at math")]
    [('aime24', 'AIME24'), ('math', 'MATH')]
    >>> [(each.key, each.label) for each in mentions("80% on MATH-Odyssey")]
    [(None, 'MATH-Odyssey')]
    """
    spellings, lengths = _spellings(), _lengths()
    places = [*WORD.finditer(text)]
    lowered = [place[0].lower() for place in places]
    mentioned: list[Mention] = []
    free = 0  # Position after the last name found.
    for at, word in enumerate(lowered):
        for size in lengths.get(word, ()) if places[at].start() >= free else ():
            named = spellings.get(tuple(lowered[at : at + size]))
            start, end = places[at].start(), places[min(at + size, len(places)) - 1].end()
            if named is None or not _is_name(text, start, end, *named[1:]):
                continue
            whole = _whole(text, start, end)
            key = named[0] if whole == (start, end) else None
            if text[end : whole[1]] == "+" and start == whole[0]:  # MBPP+ is MBPP Plus.
                key = spellings.get((*tuple(lowered[at : at + size]), "plus"), (None,))[0]
            mentioned.append(Mention(key, text[slice(*whole)], *whole))
            free = whole[1]
            break
    return mentioned


@cache
def _lengths() -> dict[str, list[int]]:
    """Map the first word of each name to the lengths of such names in words, longest first."""
    lengths: dict[str, set[int]] = {}
    for name in _spellings():
        lengths.setdefault(name[0], set()).add(len(name))
    return {word: sorted(sizes, reverse=True) for word, sizes in lengths.items()}


def _is_name(text: str, start: int, end: int, name: str, is_exact: bool) -> bool:
    """Return True if the words here spell the name and are not part of a longer word or number."""
    spelled = text[start:end]
    if (
        (is_exact and spelled != name and spelled != name.upper())
        or "\n" in spelled
        or ("(" in spelled and "(" not in name)
    ):
        return False
    if text[start - 1 : start].isalnum() or text[end : end + 1].isalnum():
        return False
    if _IS_MODEL.match(text, end):
        return False
    # "AIME 24%" is AIME and a score.
    return not (spelled[-1].isdigit() and _IS_SCORE.match(text, end))


_IS_MODEL = re.compile(r"[- ]\d{1,3}(?:\.\d)?[BM]\b")  # Such as Minerva 540B.
_IS_SCORE = re.compile(r"\.\d|\s?%|\s?[-–]\s?\d+\s?%")
# A name continues across a hyphen or a plus: MMLU-Redux-2, TR-MMLU, HumanEval+.
_GOES_ON = re.compile(r"(?:[-_][A-Za-z]\w{0,40}|[-_]\d\w{0,40}(?![\w.%])|\+(?!\s?\d))+")
_CAME_FROM = re.compile(r"(?:[A-Za-z]\w{0,30}[-_])+$")
_SAYS_LITTLE = re.compile(r"(?i)[-_](?:benchmark|bench|test|eval|score|accuracy)s?")


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the bounds of the whole name around a known one."""
    head = _CAME_FROM.search(text[max(0, start - 40) : start])
    tail = _GOES_ON.match(text, end)
    if tail and _SAYS_LITTLE.fullmatch(tail[0]):
        tail = None
    return start - len(head[0]) if head else start, tail.end() if tail else end


def is_part_of(key: str, other: str) -> bool:
    """Return True if a benchmark is the other, or a year or part of the other."""
    return key == other or benchmarks()[key].family == other


def related(key: str, other: str) -> bool:
    """Return True if two benchmarks are the same or one is part of the other."""
    return is_part_of(key, other) or is_part_of(other, key)


@cache
def _licence_names() -> dict[tuple[str, ...], str]:
    keys = {}
    for licence in licences().values():
        for name in (licence.key, licence.name, *licence.aliases):
            keys[words(name)] = licence.key
    return keys


def licence(text: str) -> Licence | None:
    """Return the licence whose name starts a text."""
    own = words(text[:80])
    for size in range(min(8, len(own)), 0, -1):
        key = _licence_names().get(own[:size])
        if key:
            return licences()[key]
    return None


@cache
def model_names() -> re.Pattern[str]:
    """Compile the pattern of a model's name in prose: a family with versions and sizes."""
    families = "|".join(name for line in _yaml("inputs.yaml")["families"] for name in line)
    more = r"(?: (?:[A-Z][\w.+-]{0,30}|\d[\w.]{0,10}|mini|pro)){0,3}"
    return re.compile(rf"\b(?:{families})(?![a-z])[\w.+-]{{0,40}}{more}")


@cache
def models() -> tuple[Model, ...]:
    return tuple(
        Model(entry["id"], entry["licence"], entry["source"], entry["seen"])
        for entry in _yaml("inputs.yaml")["models"]
    )


def model(name: str) -> Model | None:
    """Look up a model by its id, or by its name alone if no owner is given."""
    for known in models():
        pattern = known.pattern.lower()
        if "/" not in name:
            pattern = pattern.partition("/")[2]
        if fnmatchcase(name.lower(), pattern):
            return known
    return None


@cache
def corpora() -> dict[tuple[str, ...], Corpus]:
    """Map the words of an id or alias, with or without its owner, to the corpus."""
    by_words = {}
    for entry in _yaml("inputs.yaml")["corpora"]:
        overlaps = tuple(
            Overlap(
                tuple(one["benchmarks"]),
                one.get("until"),
                one["how"],
                one["source"],
                one.get("half", "") == "train",
            )
            for one in entry["overlaps"]
        )
        corpus = Corpus(
            entry["id"],
            entry["licence"],
            entry["licence_source"],
            entry["seen"],
            tuple(entry.get("rows", [])),
            overlaps,
        )
        for name in (entry["id"], *entry.get("aliases", [])):
            by_words[words(name)] = corpus
            alone = words(name.partition("/")[2])
            if len(alone) > 1:  # For lighteval/MATH, MATH alone would be ambiguous.
                by_words[alone] = corpus
    return by_words


def corpora_in(text: str) -> list[tuple[Corpus, int]]:
    """Return the corpora that a text names, each with its position."""
    places = [*WORD.finditer(text)]
    lowered = [place[0].lower() for place in places]
    known, named, at = corpora(), [], 0
    longest = max(len(name) for name in known)
    while at < len(places):
        for size in range(min(longest, len(places) - at), 0, -1):
            corpus = known.get(tuple(lowered[at : at + size]))
            spelled = text[places[at].start() : places[at + size - 1].end()]
            if corpus and (corpus.name != corpus.name.lower() or not re.search(r"\s", spelled)):
                named.append((corpus, places[at].start()))
                at += size
                break
        else:
            at += 1
    return named
