"""What a card says of its inputs: base model, training sets with their sizes, licence, batch, steps."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from ledger.audit import known
from ledger.audit.card import Card, Code, Table, Text, plain

COUNT = re.compile(
    r"(?<![\w.])(\d{1,3}(?:,\d{3})+|\d{1,9}(?:\.\d{1,6})?)\s?([KMB]|thousand|million)?\b", re.I
)
_FACTOR = {"": 1, "k": 10**3, "thousand": 10**3, "m": 10**6, "million": 10**6, "b": 10**9}
_SIZE_HEAD = re.compile(
    r"(?i)^\W*(?:size|rows|examples|samples|instances|problems|count|#.*|num.*)\W*(?:\(.*\))?$"
)
_DATA_HEAD = re.compile(r"(?i)\b(?:data|datasets?|corpus|corpora|sources?)\b")
_TRAINS = re.compile(r"(?i)\b(?:train(?:ed|ing)?|fine-?tun(?:ed|ing|e)|sft|distill(?:ed|ation))\b")
_ABOUT_DATA = re.compile(r"(?i)\btrain|\bdata|\bcorp(?:us|ora)|\bfine-?tun")
_TOTAL = re.compile(r"(?i)^\W*(?:total|sum|all|overall|combined)\b")
_BASE = re.compile(
    r"(?i)base[ _-]?model|fine-?tun\w+ (?:version )?(?:of|from)|finetuned from|derived from|trained from"
)
_HUB_ID = re.compile(
    r"(?:huggingface\.co/|(?<![\w/.-]))([A-Za-z][\w-]{1,40}/[A-Za-z][\w.-]{1,80})(?![\w/])"
)
_LICENCE_LINE = re.compile(r"(?i)^\W*licen[cs]e\b\W{1,6}(?:is\s+|under\s+)?(.{2,200})$")
_SAME = re.compile(r"(?i)\bsame (?:licen[cs]e )?as (?:the |its )?(?:base|original|parent)")

_SETTINGS = {
    "batch": "batch_size per_device_train_batch_size train_batch_size per_device_batch_size micro_batch_size",
    "accumulation": "gradient_accumulation_steps gradient_accumulation grad_accumulation_steps accumulation_steps",
    "effective": "effective_batch_size total_train_batch_size global_batch_size total_batch_size effective_batch",
    "steps": "max_steps training_steps num_steps total_steps train_steps steps num_training_steps",
    "epochs": "num_epochs num_train_epochs epochs training_epochs",
    "devices": "num_devices num_gpus gpus world_size number_of_gpus",
}
_SETTING_OF = {name: key for key, names in _SETTINGS.items() for name in names.split()}
_SETTING = re.compile(
    r"(?<![\w-])[\"'*`]*([A-Za-z][A-Za-z _-]{3,40}?)[\"'*`]*\s?[:=|]\s?[\"'*`]*(\d[\d,]{0,12}(?:\.\d{1,6})?)(?![\w.]\d)"
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
        """Whether an exact count can be printed so, rounded or cut off."""
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
    licence: known.Licence | None
    same_as_base: bool


@dataclass
class Inputs:
    base: list[tuple[str, int]] = field(default_factory=list)  # id or name, line
    sets: list[TrainingSet] = field(default_factory=list)
    total: Number | None = None
    licences: list[StatedLicence] = field(default_factory=list)
    settings: dict[str, Number] = field(default_factory=dict)


def number(text: str, line: int) -> Number | None:
    """The first count in a text.

    >>> found = number("4.37M pairs", 1)
    >>> found.value == 4_370_000 and found.unit == 10_000
    True
    """
    match = COUNT.search(text)
    if not match:
        return None
    digits, factor = match[1].replace(",", ""), _FACTOR[(match[2] or "").lower()]
    decimals = len(digits.partition(".")[2])
    unit = Fraction(factor, 10**decimals) if factor > 1 else Fraction(1)
    return Number(Fraction(digits) * factor, unit, match[0].strip(), line)


def read(card: Card) -> Inputs:
    """What the card says of its inputs."""
    found = Inputs()
    found.base = list(_bases(card))
    found.sets, found.total = _training_sets(card)
    found.licences = list(_licences(card))
    found.settings = _settings(card)
    return found


def _texts(card: Card) -> Iterator[tuple[int, str, Text]]:
    for block in card.blocks:
        if isinstance(block, Text):
            for at, line in enumerate(block.lines):
                yield block.line + at, line, block


def _bases(card: Card) -> Iterator[tuple[str, int]]:
    stated = card.metadata.get("base_model")
    names = stated if isinstance(stated, list) else [stated] if stated else []
    if names:
        line = card.line_of("base_model") or 1
        yield from ((str(name), line) for name in names)
        return
    for line, raw, _ in _texts(card):
        match = _BASE.search(raw[:2000])
        if not match:
            continue
        after = raw[match.end() : match.end() + 300]
        hub = _HUB_ID.search(after)
        if hub:
            yield hub[1], line
            return
        for word in re.findall(r"[A-Za-z][\w.-]{3,60}", after)[:8]:
            if known.model(word.strip(".-")):
                yield word.strip(".-"), line
                return


def _training_sets(card: Card) -> tuple[list[TrainingSet], Number | None]:
    """The sets that the card says it was trained on, and the total that it gives."""
    found: dict[str, TrainingSet] = {}
    total = None

    def add(name: str, line: int, size: Number | None) -> None:
        known_here = known.corpora_in(name)
        corpus = known_here[0][0] if known_here else None
        key = corpus.id if corpus else name.lower()
        if key not in found or (size and not found[key].size):
            first = found[key].line if key in found else line
            found[key] = TrainingSet(name, line if size else first, corpus, size)

    stated = card.metadata.get("datasets")
    for name in stated if isinstance(stated, list) else [stated] if stated else []:
        add(str(name), card.line_of("datasets") or 1, None)
    for block in card.blocks:
        about = " ".join(block.section.titles)
        if isinstance(block, Table) and block.header and _DATA_HEAD.search(block.header[0]):
            size_at = next((at for at, h in enumerate(block.header) if _SIZE_HEAD.match(h)), None)
            if size_at is None:
                continue
            for line, cells in block.rows[:1000]:
                size = number(cells[size_at], line) if size_at < len(cells) else None
                if _TOTAL.match(cells[0]):
                    total = size or total
                elif cells[0].strip() and size:
                    add(cells[0].strip(), line, size)
        elif isinstance(block, Text):
            trains = bool(_ABOUT_DATA.search(about))
            for at, raw in enumerate(block.lines):
                line = plain(raw)
                if not (trains or _TRAINS.search(line)):
                    continue
                for corpus, place in known.corpora_in(line):
                    is_benchmark = any(m.key for m in known.mentions(corpus.name))
                    if is_benchmark and not _TRAINS.search(line[:place]):
                        continue
                    after = line[place + len(corpus.name) : place + len(corpus.name) + 30]
                    size = re.match(r"\W{1,4}(\d[\d,.]*\s?[KM]?)\b", after)
                    add(
                        corpus.name,
                        block.line + at,
                        number(size[1], block.line + at) if size else None,
                    )
    return list(found.values()), total


def _licences(card: Card) -> Iterator[StatedLicence]:
    stated = card.metadata.get("license")
    if stated:
        text = str(stated[0] if isinstance(stated, list) else stated)
        name = str(card.metadata.get("license_name") or "")
        if text == "other" and name:
            text = name
        line = card.line_of("license") or 1
        yield StatedLicence(text, line, known.licence(text), False)
    for line, raw, block in _texts(card):
        text = plain(raw)[:300]
        match = _LICENCE_LINE.match(text)
        in_section = bool(
            block.section.titles and re.search(r"(?i)licen[cs]e", block.section.titles[-1])
        )
        if line == block.section.line:
            continue
        said = match[1] if match else text if in_section else ""
        licence = known.licence(
            re.sub(r"(?i)^\W*(?:the|this model is (?:released )?under(?: the)?)?\s*", "", said)
        )
        if licence or _SAME.search(said):
            yield StatedLicence(said.strip(), line, licence, bool(_SAME.search(said)))


def _settings(card: Card) -> dict[str, Number]:
    """Batch size, accumulation, steps and the like: the first that the card gives of each."""
    found: dict[str, Number] = {}
    for line, text in _setting_lines(card):
        for match in _SETTING.finditer(text[:2000]):
            key = _SETTING_OF.get(re.sub(r"[ -]+", "_", match[1].strip().lower()))
            amount = number(match[2], line)
            if key and amount and key not in found:
                found[key] = amount
        match_steps = _STEPS.search(text[:2000])
        if match_steps and "steps" not in found:
            amount = number(match_steps[1], line)
            if amount:
                found["steps"] = amount
    return found


def _setting_lines(card: Card) -> Iterator[tuple[int, str]]:
    wanted = re.compile(r"(?i)batch|step|epoch|accum|device|gpu|world")
    for block in card.blocks:
        if isinstance(block, Table):
            for line, cells in block.rows[:1000]:
                if len(cells) == 2 and wanted.search(cells[0]):
                    yield line, f"{cells[0]} | {cells[1]}"
        elif isinstance(block, Text | Code):
            for at, raw in enumerate(block.lines):
                if wanted.search(raw):
                    yield block.line + at, plain(raw)
