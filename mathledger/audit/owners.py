"""Decide whose a number is: this model's, a sibling's, another model's, or unclear.

A model goes by its repository's name if that is known, else by the names in the card's front matter
and title. Labels are compared word by word, sizes separately: on the card of Kestrel-7B, "Kestrel
(7B, ours)" is this model and "Kestrel-13B" its family; on the card of Kestrel, both are members.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from mathledger.audit import known
from mathledger.audit.blocks import Text
from mathledger.audit.markup import links

Whose = Literal["this", "family", "other", "unclear"]

_TOKEN = re.compile(r"\d+(?:\.\d+)?[bm](?![a-z])|[^\W\d_]+|\d+(?:\.\d+)?")
_SIZE = re.compile(r"\d+(?:\.\d+)?[bm]$")
_OURS = re.compile(
    r"(?i)\bours?\b|\bthis[ -](?:model|work|repo(?:sitory)?|release|checkpoint)\b|^this$"
)
_WITHOUT = re.compile(r"(?i)\bw/o\b|\bwithout\b|\bbaseline\b|\bablation\b|\bbefore\b")
_NEUTRAL_WORDS = """
ours our best new latest this model the with w cot tir pot pal greedy maj majority pass avg cons k
shot shots fp bf int bit bits tool tools thinking think mode nothinking sota hf nemo link
self genselect selected single run runs en mean of at using decoding results score scores accuracy
acc em checkpoint release sampling params parameters param size budget tokens variant released
"""
_NEUTRAL = frozenset(_NEUTRAL_WORDS.split())
_MODES = frozenset(["cot", "tir", "pot", "pal", "thinking", "nothinking", "think"])
_BASE_WORDS = """
base baseline original vanilla pretrained before untuned baselines starting reference
"""
_BASE = frozenset(_BASE_WORDS.split())
_TUNED = frozenset(["tuned", "finetuned", "fine", "after", "trained", "ft"])
_GENERIC_WORDS = """
model card models introduction overview details description summary about readme evaluation
results news usage highlights abstract table of contents content quickstart license benchmarks
performance how to use info information getting started for the template id note notes experiments
experiment citation acknowledgements warning disclaimer features requirements installation
updates update benchmark key main math experimental
"""
_GENERIC = frozenset(_GENERIC_WORDS.split())
_ANNOTATION = re.compile(r"\(([^()]{0,80})\)|\[([^\[\]]{0,80})\]")
# A model's name is recognised by a size, or by a version after a hyphen.
_NAME = r"[A-Z][\w.+]{0,30}(?:[-_/][\w.+]{1,24}){0,8}"
MODEL_LIKE = re.compile(
    rf"(?<![\w/-])(?=[\w./+-]{{0,60}}\d)(?:{_NAME}[- ]?\d{{1,3}}(?:\.\d)?[BM]\b[\w.-]{{0,40}}"
    rf"|[A-Za-z][\w.+]{{0,30}}-\d{{1,3}}(?:\.\d{{1,2}})?[bBmM]\b[\w.-]{{0,40}}"
    rf"|[A-Z][A-Za-z]{{1,30}}(?:-[A-Z][A-Za-z0-9]{{0,20}}){{1,5}}-[vV]?\d[\w.]{{0,10}})"
)
_ON_HUB = re.compile(
    r"(?<![\w/.:-])[\w-]{2,40}/([A-Za-z][\w.-]{0,60}-\d+(?:\.\d+)?[bB]\b[\w.-]{0,60})"
)
_QUANT = re.compile(
    r"(?i)(?<![a-z])(?:fp8(?:[-_]dynamic)?|int[48]|awq|gptq|gguf|w\d{1,2}a\d{1,2}|nf4"
    r"|[48][- ]?bit|quantized|q[2-8]_[k0]\w*)(?![a-z])"
)
_SHOTS = re.compile(r"(?i)(?<![a-z])(?:zero|few|\d{1,2})[- ]?shots?\b")
_VERSION = re.compile(r"v|\d+(?:\.\d+)?$")


@dataclass(frozen=True)
class Name:
    """A model's name, split into identifying words, sizes and modes."""

    stem: tuple[str, ...]
    sizes: tuple[str, ...]
    modes: tuple[str, ...] = ()  # cot, tir: how the model is asked, or part of its name.


@lru_cache(maxsize=20_000)
def name_of(label: str, size: str = "") -> Name:
    """Split a label into the words that identify a model, its sizes and its modes.

    >>> name_of("**Kestrel-7B** (ours, best)")
    Name(stem=('kestrel',), sizes=('7b',), modes=())
    """
    kinds = sorted({kind.lower().replace("-", "") for kind in _QUANT.findall(label)})
    label = _QUANT.sub(" ", label) if kinds else label
    inside = " ".join(part for pair in _ANNOTATION.findall(label) for part in pair)
    outside, _, rest = _ANNOTATION.sub(" ", label).strip(" ,").partition(", ")
    inside = f"{inside} {rest}"
    outside = _SHOTS.sub(" ", outside)
    words = _TOKEN.findall(re.sub(r"@\s?\d+", " ", outside.lower()))
    sizes = [word for word in words if _SIZE.match(word)]
    for more in (inside, size):
        sizes += [word for word in _TOKEN.findall(more.lower()) if _SIZE.match(word)]
    stem = tuple(word for word in words if word not in _NEUTRAL and not _SIZE.match(word))
    is_joined = re.match(r"\W*[a-z]+-\d+(?:\.\d+)?[bm]\b", outside.lower())
    if not stem and (is_joined or (len(words) == 1 and len(words[0]) < 4 and not sizes)):
        # For models called K or Model-7B.
        stem = tuple(word for word in words if not _SIZE.match(word))
    modes = tuple(word for word in words if word in _MODES)
    return Name((*stem, *kinds), tuple(sorted(set(sizes))), modes)


@dataclass
class Identity:
    """The names that a card's model goes by."""

    id: str | None = None  # Id of its repository.
    names: list[Name] = field(default_factory=list)
    bases: list[Name] = field(default_factory=list)  # Names of its base models.

    def of_label(self, label: str, size: str = "", raw: str = "") -> tuple[Whose, str | None]:
        """Return whose model a table label names, and the name."""
        shown = re.sub(r"[^\w\s.,+/()@:%'&|-]", "", label).strip(" |,-+:")
        if self.id and raw and any(link.lower() == self.id.lower() for link in links(raw)):
            return "this", shown or None
        if not shown:
            return "unclear", None
        own = name_of(shown, size)
        whose = self._by_name(own)
        if _OURS.search(label) and not _WITHOUT.search(label) and whose is None:
            whose = "this" if self._fits_size(own) else "family"
        if whose in ("this", "family"):
            return whose, shown
        if whose == "base":
            return "other", shown
        if own.stem and not own.sizes and set(own.stem) <= _BASE | {"model"}:
            return "other", shown
        if own.stem and set(own.stem) <= _TUNED:
            return "this", shown
        return ("other" if is_model_name(shown) else "unclear"), shown

    def _fits_size(self, own: Name) -> bool:
        sizes = {size for name in self.names for size in name.sizes}
        return not own.sizes or not sizes or bool(sizes & set(own.sizes))

    def _by_name(self, own: Name) -> Literal["this", "family", "base"] | None:
        """Return this, family or base; None if the name is none of this card's."""
        if not own.stem:
            if own.sizes and self.names:
                return "this" if self._fits_size(own) else "family"
            return None
        for base in self.bases:
            if "".join(own.stem) == "".join(base.stem) and own.sizes == base.sizes:
                return "base"
        found: set[str] = set()
        for at, name in enumerate(self.names):
            if not name.stem:
                continue
            is_kin_only = at > 0 and self.id is not None  # The repository's own name decides.
            rest = _rest(own.stem, name.stem)
            longer = own if rest is not None else name
            rest = _rest(name.stem, own.stem) if rest is None else rest
            if rest is None:
                continue
            is_sized = not own.sizes or not name.sizes or set(own.sizes) <= set(name.sizes)
            is_sized = is_sized and not is_kin_only
            is_sized = is_sized and (not name.modes or own.modes == name.modes)
            if not rest or (
                rest[0] == "v" and all(_VERSION.match(word) for word in rest) and longer is own
            ):
                found.add("this" if is_sized else "family")
            else:
                found.add("family")
        if "this" in found:
            return "this"
        if found:
            return "family"
        heads = {name.stem[0] for name in self.names if name.stem}
        bases = {name.stem[0] for name in self.bases if name.stem}
        is_kin = own.stem[0] in heads - bases and len(own.stem[0]) > 3
        return "family" if is_kin else None

    def in_text(self, text: str) -> list[tuple[int, int, Whose, str]]:
        """Return the models that a text names as (start, end, whose, name)."""
        spots: list[tuple[int, int]] = []
        for pattern in (MODEL_LIKE, known.model_names()):
            for match in pattern.finditer(text):
                end = match.start() + len(match[0].rstrip(" .,-"))
                if not any(start < end and match.start() < stop for start, stop in spots):
                    spots.append((match.start(), end))
        for match in _ON_HUB.finditer(text):
            spots += [match.span(1)] if not _overlaps(match.span(1), spots) else []
        for name in self.names:
            spots += [spot for spot in _spelled(text, name) if not _overlaps(spot, spots)]
        named: list[tuple[int, int, Whose, str]] = []
        for start, end in sorted(spots):
            whose, label = self.of_label(text[start:end])
            named.append((start, end, "other" if whose == "unclear" else whose, str(label)))
        return named


def _rest(longer: tuple[str, ...], shorter: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return what the longer name adds to the shorter one, or None if it does not start with it.

    >>> _rest(("deepseek", "math", "rl"), ("deepseekmath",)), _rest(("qwen", "2.5"), ("qwen2",))
    (('rl',), None)
    """
    wanted, read = "".join(shorter), ""
    for at, word in enumerate(longer, 1):
        read += word
        if read == wanted:
            return longer[at:]
        if not wanted.startswith(read):
            return None
    return None


def _overlaps(spot: tuple[int, int], spots: list[tuple[int, int]]) -> bool:
    return any(start < spot[1] and spot[0] < end for start, end in spots)


def _spelled(text: str, name: Name) -> list[tuple[int, int]]:
    """Return the bounds of each place where a text spells a name."""
    if not name.stem or sum(map(len, name.stem)) < 4:
        return []
    pattern = r"[\s_.-]?".join(re.escape(word) for word in name.stem)
    found = re.finditer(rf"(?i)(?<![\w-]){pattern}(?:[-_ ]\d{{1,3}}(?:\.\d)?[bm]\b)?(?!\w)", text)
    return [match.span() for match in found if not match[0].islower() or len(name.stem) > 1]


def is_model_name(label: str) -> bool:
    """Return True if a label looks like the name of a model."""
    if known.model_names().match(label) or MODEL_LIKE.search(label):
        return True
    bare = _ANNOTATION.sub("", label).strip()
    is_word = bool(re.fullmatch(r"[A-Z]?[a-z]{2,}(?: [a-z]{2,})*", bare))
    return not is_word and bool(
        re.search(r"[A-Za-z]", bare) and re.search(r"\d|[a-z][A-Z]|-", bare)
    )


def identity(
    texts: list[Text], metadata: dict[str, object], repo: str | None, file_name: str
) -> Identity:
    """Collect the names of a card's model, from the strongest evidence to the weakest."""
    names: list[str] = []
    if repo:
        names.append(repo.rpartition("/")[2])
    index = metadata.get("model-index")
    entries = index if isinstance(index, list) else []
    names += [str(entry.get("name") or "") for entry in entries if isinstance(entry, dict)]
    names.append(str(metadata.get("model_name") or ""))
    stem = re.sub(r"(?i)\.(?:md|markdown|txt)$", "", file_name).rpartition("__")[2]
    titles = _titles(texts)
    heads = {name_of(title).stem[:1] for title in titles}
    titles += [one for one in _introduced(texts) if not titles or name_of(one).stem[:1] in heads]
    first = {name_of(title).stem[:1] for title in titles if name_of(title).stem}
    is_name = "__" in file_name or bool(re.search(r"[a-zA-Z].*[\d-]", stem))
    if is_name and name_of(stem).stem[:1] in first:
        names.append(stem)
    names += titles
    bases = metadata.get("base_model")
    listed = bases if isinstance(bases, list) else [bases]
    known_names: list[Name] = []
    for text in names:
        name = name_of(text.rpartition("/")[2])
        is_generic = not name.sizes and set(name.stem) <= _GENERIC
        if name.stem and name not in known_names and not is_generic:
            known_names.append(name)
    found = [name_of(str(base).rpartition("/")[2]) for base in listed if base]
    return Identity(repo, known_names, [name for name in found if name not in known_names])


_LEAD = re.compile(
    r"(?i)^\W*(?:(?:official )?(?:model|hf)\s?card\s?(?:for|of)?\s*:?|welcome to|introducing"
    r"|introduction (?:to|of)|about)?\s*\W*"
)


def _titles(texts: list[Text]) -> list[str]:
    """Return the title, whole and up to a colon, dash or bracket; empty if it is generic."""
    headings = [text for text in texts if text.is_heading]
    for at, text in enumerate(headings[:6]):
        if at and len(text.section.titles) > 1:
            continue
        title = _LEAD.sub("", " ".join(text.plain)).strip()
        words = _TOKEN.findall(title.lower())
        if not words or {word for word in words if not word.isdigit()} <= _GENERIC:
            continue
        short = re.split(r"\s?[:|(\[,]|\s[-–—]\s", title)[0].strip()
        found = [short.split()[-1]] if "/" in short and " " not in short else [short]
        if len(words) <= 7:
            found.append(title)
        return [one for one in found if len(_TOKEN.findall(one.lower())) <= 7]
    return []


_IS = re.compile(
    r"^\W{0,4}(?:The |Our )?(?P<name>[A-Z][\w.+-]*(?: [A-Z0-9][\w.+-]*){0,4}?),? is "
    r"(?:an?|the|our|fully|based|fine-?tuned|obtained|trained|built|developed)\b"
)
_PRESENT = re.compile(
    r"(?i:\b(?:introduc\w+|present\w*|releas\w+|propos\w+))\s(?:our\s|the\s)?(?P<name>[A-Z][\w.+-]*\d[\w.+-]*)"
)


def _introduced(texts: list[Text]) -> list[str]:
    """Return the models that the first sentences introduce ("X is a ...")."""
    for text in [text for text in texts if not text.is_heading][:10]:
        said = " ".join(text.plain)[:400]
        match = _IS.match(said) or _PRESENT.search(said)
        if match and (re.search(r"\d|[a-z][A-Z]|-", match["name"])):
            return [match["name"].rstrip(".,")]
    return []
