"""Read a card's inputs: base model, training sets with sizes, licence, batch size and steps."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from mathledger.audit import known
from mathledger.audit.blocks import Code, Section, Table, Text
from mathledger.audit.card import Card
from mathledger.audit.markup import plain
from mathledger.card.licences import Licence

MAX_LINE = 2000  # Characters read per line.
MAX_ROWS = 1000  # Rows read per table.

_COUNT = re.compile(
    r"(?<![\w.])(\d{1,3}(?:,\d{3})+|\d{1,9}(?:\.\d{1,6})?)\s?([KMB]|thousand|million)?\b", re.I
)
_FACTOR = {"": 1, "k": 10**3, "thousand": 10**3, "m": 10**6, "million": 10**6, "b": 10**9}
_SIZE_HEAD = re.compile(
    r"(?i)^\W*(?:size|rows|examples|samples|instances|problems|count|num.*)\W*(?:\(.*\))?$"
)
_DATA_HEAD = re.compile(r"(?i)\b(?:data|datasets?|corpus|corpora|sources?)\b")
_BENCHMARKS = re.compile(r"(?i)benchmark|\beval|\btest\b|accuracy|score")
_TOTAL = re.compile(
    r"(?i)\W*(?:total|sum|all|overall|combined)(?: (?:rows|examples|samples|size|problems))?\W*$"
)
_TOTALISH = re.compile(r"(?i)\W*(?:total|sum|all|overall|combined)\b")
_ABOUT_DATA = re.compile(r"(?i)\btrain|\bdata|\bcorp(?:us|ora)|\bfine-?tun")
_TRAINS = re.compile(r"(?i)\b(?:train(?:ed|ing)?|fine-?tun(?:ed|ing|e)|sft|distill(?:ed|ation))\b")
_TRAINED_ON = re.compile(
    r"(?i)\b(?:trained|fine-?tuned|sft(?:ed)?|tuned|train)\b[^.;]{0,40}?\b(?:on|with|using)\b"
    r"(?![^.;]*\b(?:lifts?|improv|boost|achiev|reach|scor|accura|result|splits?|training "
    r"sets?))[^.;]{0,60}$"
)
_BASE = re.compile(
    r"(?i)^\W{0,6}base[ _-]?model\W{0,6}(?=\S)|fine-?tun\w{1,5} (?:from|version of|on top of|of"
    r"|using)"
    r"(?: model)?\W{0,6}|(?:derived|trained|initiali[sz]ed) from\W{0,3}"
    r"|(?:is|was|and) (?:based|built) (?:up)?on(?: top of)?(?: the| a)?(?: "
    r"\w+)??\W{1,3}(?=[A-Z\[`*])"
)
_HUB_ID = re.compile(
    r"(?:huggingface\.co/|(?<![\w/.-]))([A-Za-z][\w-]{1,40}/[A-Za-z][\w.-]{1,80})(?![\w/])"
)
_LICENCE_LINE = re.compile(
    r"(?i)^\W*(?:model )?licen[cs]e(?:\(s\))?\s?\W{1,6}(?![a-z]+ (?:and|of)\b)(.{2,200})$"
)
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
    "accumulation": [
        "gradient_accumulation_steps",
        "gradient_accumulation",
        "gradient_accumulations",
        "accumulation_steps",
    ],
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
    """A printed count; 4.37M is 4,370,000 with a unit of 10,000."""

    value: Fraction
    unit: Fraction  # Place value of the last printed digit.
    text: str
    line: int

    def holds(self, exact: int) -> bool:
        """Return True if an exact count can be printed like this, rounded or cut off."""
        return self.value - self.unit / 2 <= exact < self.value + self.unit


@dataclass(frozen=True)
class TrainingSet:
    """A dataset that the card says the model was trained on."""

    name: str
    line: int
    corpus: known.Corpus | None
    size: Number | None


@dataclass(frozen=True)
class StatedLicence:
    """A licence as the card states it."""

    text: str
    line: int
    licence: Licence | None
    same_as_base: bool
    is_of_model: bool  # True if it is the model's own licence.


@dataclass(frozen=True)
class Inputs:
    """Everything that a card says about its inputs."""

    base: list[tuple[str, int]]  # Id or name, and line.
    sets: list[TrainingSet]
    total: Number | None  # Training rows in total, as stated.
    parts: list[Number]  # Rows of the table that ends in the total.
    licences: list[StatedLicence]
    settings: dict[str, Number]  # Keyed like _SETTINGS.
    mentioned: frozenset[str] = frozenset()  # Licences named anywhere.


def read(card: Card) -> Inputs:
    """Read what the card says about its inputs."""
    sets, total, parts = _training_sets(card)
    licences = [*_licences(card)]
    return Inputs(_bases(card), sets, total, parts, licences, _settings(card), _mentioned(card))


def _mentioned(card: Card) -> frozenset[str]:
    """Return the keys of all licences that the text names, in whatever role."""
    found = set()
    for _, raw, text, _ in _texts(card):
        if re.search(r"(?i)licen[cs]e|terms", raw):
            for start in re.finditer(r"\b[A-Z]", text[:400]):
                if licence := known.licence(text[start.start() : start.start() + 60]):
                    found.add(licence.key)
    return frozenset(found)


def number(text: str, line: int) -> Number | None:
    """Parse the first count in a text; None if there is none.

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
    """Yield each line of text as (number, source, text without markup, section)."""
    for block in card.body.blocks:
        if isinstance(block, Text):
            for at, (raw, text) in enumerate(zip(block.lines, block.plain, strict=True)):
                yield block.line + at, raw[:MAX_LINE], text[:MAX_LINE], block.section


def _names(card: Card, key: str) -> list[str]:
    """Return a front matter value, or list of values, as a list."""
    stated = card.metadata.get(key)
    return [str(name) for name in (stated if isinstance(stated, list) else [stated]) if name]


def _bases(card: Card) -> list[tuple[str, int]]:
    """Return the base models that the front matter, or a sentence about this model, gives."""
    names = _names(card, "base_model")
    if names:
        return [(name, card.line_of("base_model")) for name in names]
    for line, raw, text, _ in _texts(card):
        match = _BASE.search(raw)
        if not match or not _is_about_this(card, text):
            continue
        after = raw[match.end() : match.end() + 120]
        hub = _HUB_ID.match(after.lstrip(" [(*_`:"))
        words = [word.strip(".,-)]*`") for word in re.findall(r"[A-Za-z][\w./-]{3,60}", after)[:5]]
        named = (
            hub[1].rstrip(".,")
            if hub
            else next((word for word in words if known.model(word)), None)
        )
        if named:
            return [(named, line)]
    return []


_SUBJECT = re.compile(
    r"(?i)\b(?:this|our|the) (?:model|checkpoint|version|release|repo\w*)\b|^\W{0,4}(?:a |it is "
    r"|it's )?"
    r"(?:fully |lora |qlora )?(?:a )?(?:fine-?tun|derived|trained|based|built)|\bwe (?:fine-?tun"
    r"|train)"
    r"|^\W{0,4}(?:base[ _-]?model|finetuned from)"
)


def _is_about_this(card: Card, text: str) -> bool:
    """Return True if this model is the subject of a sentence."""
    match = _BASE.search(text)
    before = text[: match.start()] if match else text
    named = card.own.in_text(before)
    if named:
        return any(each[2] == "this" for each in named)
    return bool(_SUBJECT.search(text[:200]))


def _training_sets(card: Card) -> tuple[list[TrainingSet], Number | None, list[Number]]:
    """Return the stated training sets, their stated total, and the rows that it adds up."""
    named = [
        TrainingSet(name, card.line_of("datasets"), _corpus(name), None)
        for name in _names(card, "datasets")
    ]
    total: Number | None = None
    parts: list[Number] = []
    for block in card.body.blocks:
        if isinstance(block, Table):
            sets, sum_of_sets = _listed(block)
            named += sets
            if total is None and sum_of_sets:
                total, parts = sum_of_sets, [one.size for one in sets if one.size]
        elif isinstance(block, Text):
            named += _told(block)
    by_name: dict[str, TrainingSet] = {}
    for one in named:
        key = one.corpus.id if one.corpus else one.name.lower()
        if key not in by_name or (one.size and not by_name[key].size):
            by_name[key] = one
    return [*by_name.values()], total, parts


def _corpus(name: str) -> known.Corpus | None:
    corpora = known.corpora_in(name[:MAX_LINE])
    return corpora[0][0] if corpora else None


def _listed(table: Table) -> tuple[list[TrainingSet], Number | None]:
    """Return the sets and the total in a table of datasets and sizes."""
    header = [cell.text[:80] for cell in table.rows[0].cells]
    size_at = next((at for at, head in enumerate(header) if _SIZE_HEAD.match(head)), None)
    if size_at is not None and re.search(r"(?i)token", header[size_at]):
        return [], None
    if size_at is None or not _DATA_HEAD.search(header[0]) or _BENCHMARKS.search(" ".join(header)):
        return [], None
    sets, total, is_whole = [], None, True
    for row in table.rows[1:MAX_ROWS]:
        label = row.cells[0].text
        size = number(row.cells[size_at].text, row.line)
        if _TOTAL.match(label):
            total = size
        elif _TOTALISH.match(label):  # Rows kept, for example: not a sum of the rows above.
            is_whole = False
        elif size and label:
            sets.append(TrainingSet(label, row.line, _corpus(label), size))
        elif label:
            is_whole = False
            sets.append(TrainingSet(label, row.line, _corpus(label), None))
    return sets, total if is_whole else None


def _told(block: Text) -> Iterator[TrainingSet]:
    """Yield the known corpora that a text about training names."""
    about_data = bool(_ABOUT_DATA.search(" ".join(block.section.titles)[:MAX_LINE]))
    for at, text in enumerate(block.plain):
        line, text = block.line + at, text[:MAX_LINE]
        if not (about_data or _TRAINS.search(text)):
            continue
        for corpus, place in known.corpora_in(text):
            is_benchmark = any(mention.key for mention in known.mentions(corpus.name))
            if is_benchmark and not _TRAINED_ON.search(text[:place]):
                continue
            end = place + len(corpus.name)
            size = re.match(r"[\s(:,|]{1,4}(\d[\d,.]*\s?[KM]?)\b(?!\s?%)", text[end : end + 30])
            yield TrainingSet(corpus.name, line, corpus, number(size[1], line) if size else None)


def _licences(card: Card) -> Iterator[StatedLicence]:
    """Yield the licence in the front matter and those stated elsewhere."""
    for text in _names(card, "license")[:1]:
        name = _names(card, "license_name")
        text = name[0] if text == "other" and name else text
        yield StatedLicence(text, card.line_of("license"), known.licence(text), False, True)
    for line, _, text, section in _texts(card):
        if line == section.line:
            continue
        title = section.title[:80]
        if _OTHERS.search(title):
            continue
        field = _LICENCE_LINE.match(text)
        said = _LICENSED.search(text)
        if field:
            yield _licence(field[1], line, True)
        elif said and _is_licence(said):
            subject = text[: said.start()][-60:]
            is_model = bool(re.search(r"(?i)\b(?:model|weights|checkpoint)s?\b", subject))
            is_other = bool(re.search(r"(?i)\b(?:code|dataset|data|base|original\w*)\b", subject))
            if not is_other or is_model:
                yield _licence(said[1], line, is_model and not is_other)
        elif re.search(r"(?i)licen[cs]e", title) and known.licence(_LICENCE_LEAD.sub("", text)):
            yield _licence(text, line, True)
    for block in card.body.blocks:
        if isinstance(block, Table):
            yield from _licences_in(block, card)


_OTHERS = re.compile(r"(?i)licen[cs]es? of|third|used|we use|depend|\bdata")
_LICENSED = re.compile(
    r"(?i)\b(?:licen[cs]ed|released|available|distributed|follows?|subject to|governed|provided)\b"
    r"[^.;\n]{0,60}?\b(?:under|by|to|licen[cs]e)\s(?:the )?(?:terms of (?:the "
    r")?)?(?:open[- ]source licen[cs]e )?"
    r"([A-Z][^;\n]{1,60}?)(?=\.\s|\.?$|;|,\s)"
)


def _is_licence(said: re.Match[str]) -> bool:
    """Return False for matches that give no licence, such as "provided by calling `make`"."""
    is_bound = re.search(r"(?i)licen[cs]|\b(?:under|governed by|subject to|follows?)\b", said[0])
    return bool(is_bound or known.licence(said[1]))


def _licence(said: str, line: int, is_field: bool) -> StatedLicence:
    licence = known.licence(_LICENCE_LEAD.sub("", said))
    return StatedLicence(said.strip(" *|."), line, licence, bool(_SAME.search(said)), is_field)


def _licences_in(table: Table, card: Card) -> Iterator[StatedLicence]:
    """Yield licences from an attribute row (License | MIT) or this model's row of a column."""
    header = [cell.text for cell in table.rows[0].cells]
    column = next(
        (at for at, t in enumerate(header) if re.fullmatch(r"(?i)\W*licen[cs]e\W*", t)), None
    )
    for row in table.rows[:MAX_ROWS]:
        texts = [cell.text for cell in row.cells]
        if len(texts) == 2 and re.fullmatch(r"(?i)\W*licen[cs]es?\W*", texts[0]) and texts[1]:
            yield _licence(texts[1], row.line, True)
        elif column and row is not table.rows[0] and texts[column]:
            is_this = card.own.of_label(texts[0], raw=row.cells[0].raw)[0] == "this"
            yield from [_licence(texts[column], row.line, False)] if is_this else []


def _settings(card: Card) -> dict[str, Number]:
    """Return the training settings (batch size, steps and so on) of the one described training.

    A section that gives two values for one setting may describe several trainings, so nothing is
    taken from it.
    """
    by_section: dict[Section, dict[str, list[Number]]] = {}
    for line, text, section in _setting_lines(card):
        pairs = [(match[1], match[2]) for match in _SETTING.finditer(text)]
        pairs += [("steps", match[1]) for match in _STEPS.finditer(text)]
        for name, digits in pairs:
            key = _SETTING_OF.get(re.sub(r"[ -]+", "_", name.strip().lower()))
            amount = number(digits, line)
            if key and amount:
                by_section.setdefault(section, {}).setdefault(key, []).append(amount)
    best: dict[str, Number] = {}
    for found in by_section.values():
        if any(len({amount.value for amount in amounts}) > 1 for amounts in found.values()):
            continue
        if len(found) > len(best):
            best = {key: amounts[0] for key, amounts in found.items()}
    return best


def _setting_lines(card: Card) -> Iterator[tuple[int, str, Section]]:
    """Yield the lines and two-cell rows that state training settings."""
    for block in card.body.blocks:
        if isinstance(block, Table):
            rows = [
                (row.line, " | ".join(cell.text for cell in row.cells))
                for row in block.rows[:MAX_ROWS]
                if len(row.cells) == 2
            ]
        elif isinstance(block, Code):
            rows = [(block.line + at, plain(raw[:MAX_LINE])) for at, raw in enumerate(block.lines)]
        else:
            rows = [(block.line + at, text) for at, text in enumerate(block.plain)]
        yield from (
            (line, text[:MAX_LINE], block.section)
            for line, text in rows
            if _ABOUT_SETTINGS.search(text[:MAX_LINE])
        )
