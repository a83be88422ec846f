"""What a card says of its inputs: base model, training sets with sizes, licence, batch, steps."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from mathledger.audit import known
from mathledger.audit.blocks import Code, Section, Table, Text
from mathledger.audit.card import Card
from mathledger.audit.markup import plain
from mathledger.card.licences import Licence

MAX_LINE = 2000  # characters of a line that are read
MAX_ROWS = 1000  # of a table

_COUNT = re.compile(
    r"(?<![\w.])(\d{1,3}(?:,\d{3})+|\d{1,9}(?:\.\d{1,6})?)\s?([KMB]|thousand|million)?\b", re.I
)
_FACTOR = {"": 1, "k": 10**3, "thousand": 10**3, "m": 10**6, "million": 10**6, "b": 10**9}
_SIZE_HEAD = re.compile(
    r"(?i)^\W*(?:size|rows|examples|samples|instances|problems|count|num.*)\W*(?:\(.*\))?$"
)
_DATA_HEAD = re.compile(r"(?i)\b(?:data|datasets?|corpus|corpora|sources?)\b")
_TOTAL = re.compile(r"(?i)^\W*(?:total|sum|all|overall|combined)\b")
_ABOUT_DATA = re.compile(r"(?i)\btrain|\bdata|\bcorp(?:us|ora)|\bfine-?tun")
_TRAINS = re.compile(r"(?i)\b(?:train(?:ed|ing)?|fine-?tun(?:ed|ing|e)|sft|distill(?:ed|ation))\b")
_BASE = re.compile(
    r"(?i)base[ _-]?model|fine-?tun\w{1,5} (?:version )?(?:of|from)|(?:derived|trained) from"
)
_HUB_ID = re.compile(
    r"(?:huggingface\.co/|(?<![\w/.-]))([A-Za-z][\w-]{1,40}/[A-Za-z][\w.-]{1,80})(?![\w/])"
)
_LICENCE_LINE = re.compile(r"(?i)^\W*licen[cs]e\b\W{1,6}(.{2,200})$")
_LICENCE_LEAD = re.compile(
    r"(?i)^\W*(?:(?:this model is )?(?:released |licensed )?under )?(?:the )?"
)
_SAME = re.compile(r"(?i)\bsame (?:licen[cs]e )?as (?:the |its )?(?:base|original|parent)")

_SETTINGS = {
    "batch": [
        "batch_size",
        "per_device_train_batch_size",
        "train_batch_size",
        "per_device_batch_size",
        "micro_batch_size",
    ],
    "accumulation": ["gradient_accumulation_steps", "gradient_accumulation", "accumulation_steps"],
    "effective": [
        "effective_batch_size",
        "total_train_batch_size",
        "global_batch_size",
        "total_batch_size",
        "effective_batch",
    ],
    "steps": ["max_steps", "training_steps", "num_training_steps", "total_steps", "steps"],
    "epochs": ["num_epochs", "num_train_epochs", "epochs"],
    "devices": ["num_devices", "num_gpus", "gpus", "world_size"],
}
_SETTING_OF = {name: key for key, names in _SETTINGS.items() for name in names}
_ABOUT_SETTINGS = re.compile(r"(?i)batch|step|epoch|accum|device|gpu|world")
_SETTING = re.compile(
    r"(?<![\w-])[\"']?([A-Za-z][A-Za-z _-]{3,40}?)[\"']?\s?[:=|]\s?[\"']?"
    r"(\d[\d,]{0,12}(?:\.\d{1,6})?)(?![\w.]\d)"
)
_STEPS = re.compile(r"(?i)\b(\d{1,3}(?:,\d{3})+|\d{2,8})[ -](?:training |optimi[sz]er )?steps\b")


@dataclass(frozen=True)
class Number:
    """A count as printed: 4.37M is 4,370,000, known to 10,000."""

    value: Fraction
    unit: Fraction  # the place of the last printed digit
    text: str
    line: int

    def holds(self, exact: int) -> bool:
        """Return True if an exact count can be printed so, rounded or cut off."""
        return self.value - self.unit / 2 <= exact < self.value + self.unit


@dataclass(frozen=True)
class TrainingSet:
    name: str
    line: int
    corpus: known.Corpus | None
    size: Number | None


@dataclass(frozen=True)
class StatedLicence:
    text: str
    line: int
    licence: Licence | None
    same_as_base: bool


@dataclass(frozen=True)
class Inputs:
    base: list[tuple[str, int]]  # id or name, line
    sets: list[TrainingSet]
    total: Number | None  # of training rows, as the card adds them up
    licences: list[StatedLicence]
    settings: dict[str, Number]  # by the keys of _SETTINGS


def read(card: Card) -> Inputs:
    """What the card says of its inputs."""
    sets, total = _training_sets(card)
    return Inputs(_bases(card), sets, total, [*_licences(card)], _settings(card))


def number(text: str, line: int) -> Number | None:
    """The first count in a text.

    >>> count = number("4.37M pairs", 1)
    >>> count.value == 4_370_000, count.unit == 10_000, count.holds(4_374_999)
    (True, True, True)
    """
    match = _COUNT.search(text[:MAX_LINE])
    if not match:
        return None
    digits, factor = match[1].replace(",", ""), _FACTOR[(match[2] or "").lower()]
    unit = Fraction(factor, 10 ** len(digits.partition(".")[2])) if factor > 1 else Fraction(1)
    return Number(Fraction(digits) * factor, unit, match[0].strip(), line)


def _texts(card: Card) -> Iterator[tuple[int, str, str, Section]]:
    """Each line of text: its number, as it stands, without markup, its section."""
    for block in card.blocks:
        if isinstance(block, Text):
            for at, (raw, text) in enumerate(zip(block.lines, block.plain, strict=True)):
                yield block.line + at, raw[:MAX_LINE], text[:MAX_LINE], block.section


def _names(card: Card, key: str) -> list[str]:
    """A front matter's value, one or a list of them."""
    stated = card.metadata.get(key)
    return [str(name) for name in (stated if isinstance(stated, list) else [stated]) if name]


def _bases(card: Card) -> list[tuple[str, int]]:
    names = _names(card, "base_model")
    if names:
        return [(name, card.line_of("base_model")) for name in names]
    for line, raw, _, _ in _texts(card):
        match = _BASE.search(raw)
        if not match:
            continue
        after = raw[match.end() : match.end() + 300]
        hub = _HUB_ID.search(after)
        if hub:
            return [(hub[1], line)]
        words = [word.strip(".-") for word in re.findall(r"[A-Za-z][\w.-]{3,60}", after)[:8]]
        named = next((word for word in words if known.model(word)), None)
        if named:
            return [(named, line)]
    return []


def _training_sets(card: Card) -> tuple[list[TrainingSet], Number | None]:
    """The sets that the card says it was trained on, and the total that it gives."""
    named = [
        TrainingSet(name, card.line_of("datasets"), _corpus(name), None)
        for name in _names(card, "datasets")
    ]
    total = None
    for block in card.blocks:
        if isinstance(block, Table):
            sets, sum_of_sets = _listed(block)
            named += sets
            total = total or sum_of_sets
        elif isinstance(block, Text):
            named += _told(block)
    by_name: dict[str, TrainingSet] = {}
    for one in named:
        key = one.corpus.id if one.corpus else one.name.lower()
        if key not in by_name or (one.size and not by_name[key].size):
            by_name[key] = one
    return [*by_name.values()], total


def _corpus(name: str) -> known.Corpus | None:
    corpora = known.corpora_in(name[:MAX_LINE])
    return corpora[0][0] if corpora else None


def _listed(table: Table) -> tuple[list[TrainingSet], Number | None]:
    """The sets in a table of datasets and sizes."""
    size_at = next(
        (at for at, head in enumerate(table.header) if _SIZE_HEAD.match(head[:80])), None
    )
    if size_at is None or not _DATA_HEAD.search(table.header[0][:80]):
        return [], None
    sets, total = [], None
    for line, cells in table.rows[:MAX_ROWS]:
        size = number(cells[size_at], line) if size_at < len(cells) else None
        if _TOTAL.match(cells[0]):
            total = size
        elif size and cells[0].strip():
            sets.append(TrainingSet(cells[0].strip(), line, _corpus(cells[0]), size))
    return sets, total


def _told(block: Text) -> Iterator[TrainingSet]:
    """The known corpora that a text on training names."""
    about_data = bool(_ABOUT_DATA.search(" ".join(block.section.titles)[:MAX_LINE]))
    for at, text in enumerate(block.plain):
        line, text = block.line + at, text[:MAX_LINE]
        if not (about_data or _TRAINS.search(text)):
            continue
        for corpus, place in known.corpora_in(text):
            is_benchmark = any(mention.key for mention in known.mentions(corpus.name))
            if is_benchmark and not _TRAINS.search(text[:place]):
                continue
            end = place + len(corpus.name)
            size = re.match(r"\W{1,4}(\d[\d,.]*\s?[KM]?)\b", text[end : end + 30])
            yield TrainingSet(corpus.name, line, corpus, number(size[1], line) if size else None)


def _licences(card: Card) -> Iterator[StatedLicence]:
    """The licence in the front matter, and what the text says of it."""
    for text in _names(card, "license")[:1]:
        name = _names(card, "license_name")
        text = name[0] if text == "other" and name else text
        yield StatedLicence(text, card.line_of("license"), known.licence(text), False)
    for line, _, text, section in _texts(card):
        match = _LICENCE_LINE.match(text)
        title = section.titles[-1][:80] if section.titles else ""
        if line == section.line or not (match or re.search(r"(?i)licen[cs]e", title)):
            continue
        said = match[1] if match else text
        licence, is_same = known.licence(_LICENCE_LEAD.sub("", said)), bool(_SAME.search(said))
        if licence or is_same:
            yield StatedLicence(said.strip(), line, licence, is_same)


def _settings(card: Card) -> dict[str, Number]:
    """Batch size, accumulation, steps and the like: the first that the card gives of each."""
    settings: dict[str, Number] = {}
    for line, text in _setting_lines(card):
        pairs = [(match[1], match[2]) for match in _SETTING.finditer(text)]
        pairs += [("steps", match[1]) for match in _STEPS.finditer(text)]
        for name, digits in pairs:
            key = _SETTING_OF.get(re.sub(r"[ -]+", "_", name.strip().lower()))
            amount = number(digits, line)
            if key and amount:
                settings.setdefault(key, amount)
    return settings


def _setting_lines(card: Card) -> Iterator[tuple[int, str]]:
    """Yield lines and two-cell rows that state training settings."""
    for block in card.blocks:
        if isinstance(block, Table):
            rows = [
                (line, " | ".join(cells))
                for line, cells in block.rows[:MAX_ROWS]
                if len(cells) == 2
            ]
        elif isinstance(block, Code):
            rows = [(block.line + at, plain(raw[:MAX_LINE])) for at, raw in enumerate(block.lines)]
        else:
            rows = [(block.line + at, text) for at, text in enumerate(block.plain)]
        yield from (
            (line, text[:MAX_LINE])
            for line, text in rows
            if _ABOUT_SETTINGS.search(text[:MAX_LINE])
        )
