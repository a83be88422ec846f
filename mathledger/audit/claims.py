"""The numeric claims of a card: which benchmark, which value, whose model, on which line.

Numbers come from the model-index, from tables and from text. A number is taken only where it is
clear what it is a score of: a benchmark that is not known by name stays unknown, and a number that
cannot be told apart from its neighbours is left unread and counted.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from mathledger.audit import evidence, known
from mathledger.audit.arithmetic import Printed
from mathledger.audit.card import Card, Section
from mathledger.audit.scores import Score, are_shares, scores

Where = Literal["model-index", "table", "text"]
Whose = Literal["this", "other", "unclear"]
Owner = tuple[Whose, str | None]  # whose model, and its name where it is not this one
Names = set[tuple[str, ...]]  # that this model goes by, in words

# A score of one run over k answers an item (maj@64), or a mean over k runs (avg@64).
METRIC = re.compile(
    r"(?i)\b(pass|avg|mean|maj|cons|majority|best[- ]of|bo|rm|prm)\s?[@-]\s?(\d{1,4})\b"
)
_SHARES = re.compile(r"(?i)acc|exact.?match|\bem\b|(?:pass|maj|avg).?@|correct|solve|mc[12]|strict")


@dataclass
class Claim:
    line: int
    where: Where
    label: str  # the benchmark as the card names it
    benchmark: str | None  # its key; null where it is not known
    whose: Whose
    model: str | None
    text: str  # the value as printed
    value: Printed | None  # null where it is no percentage
    is_about: bool  # ~80%
    count: tuple[int, int] | None  # k of n, where the card says so
    spread: str | None
    section: Section
    subset: str | None = None  # a part of the benchmark
    metric: str | None = None
    passes: int | None = None  # that the value is a mean over
    stated: dict[str, str] = field(default_factory=dict)  # what can be checked: the card's words


@dataclass(frozen=True)
class Found:
    """A claim before its score is known to be in percent or a share of 1."""

    claim: Claim
    score: Score


def claim_of(
    line: int,
    where: Where,
    mention: known.Mention,
    owner: Owner,
    score: Score,
    section: Section,
    context: str = "",
) -> Claim:
    """A claim; context is what may say how the score was measured."""
    metric, passes = METRIC.search(context), evidence.repeats_in(context)
    if metric and metric[1].lower() in ("avg", "mean"):
        passes = int(metric[2])
    return Claim(
        line,
        where,
        mention.label,
        mention.key,
        *owner,
        score.text,
        score.value(),
        score.is_about,
        score.count,
        score.spread,
        section,
        metric=metric[0] if metric else None,
        passes=passes,
    )


def in_percent(found: list[Found]) -> list[Claim]:
    """The claims of one table or index, whose scores are all percentages or all shares of 1."""
    if are_shares([one.score for one in found]):
        for one in found:
            one.claim.value = one.score.value(share=True)
    return [one.claim for one in found]


def unnamed(label: str) -> known.Mention:
    """A benchmark that is not known, by the card's words."""
    return known.Mention(None, label, 0, 0)


def owner_of(label: str, own: Names) -> Owner:
    """Whose model a row or column is, by its label; unclear where that may be no model at all."""
    label = label.strip()
    is_this = re.search(r"(?i)^(?:this|our|ours|my)\b|\b(?:ours?|this (?:model|work))\W*$", label)
    if not label or is_this or {known.words(label), known.words(label.rpartition("/")[2])} & own:
        return "this", None
    is_model = re.search(r"\d|.[A-Z]", label) or known.model_names().match(label)
    return "other" if is_model else "unclear", label


def own_names(card: Card) -> Names:
    """The names that this model goes by: its title's and the front matter's."""
    titles = [block.section.titles[0] for block in card.blocks if block.section.titles][:1]
    names = [re.sub(r"(?i)^\W*(?:model card (?:for|of)\s*:?)?\W*", "", title) for title in titles]
    index = card.metadata.get("model-index")
    entries = index if isinstance(index, list) else []
    names += [str(entry.get("name", "")) for entry in entries if isinstance(entry, dict)]
    names.append(str(card.metadata.get("model_name", "")))
    names += [name.rpartition("/")[2] for name in names]
    return {known.words(name) for name in names} - {()}


def is_accuracy(*names: str) -> bool:
    """Whether a metric of this name is a share of the items."""
    return any(_SHARES.search(name) for name in names)


def model_index(card: Card, most: int) -> Iterator[Claim]:
    """The results in the front matter, with their lines and the digits as they are written."""
    results = (
        (result, metric)
        for model in _items(_child(card.node, "model-index"))
        for result in _items(_child(model, "results"))
        for metric in _items(_child(result, "metrics"))
    )
    found = []
    for result, metric in islice(results, most):
        value, dataset = _child(metric, "value"), _child(result, "dataset")
        text, kind = _scalar(value), _scalar(_child(metric, "type"))
        metric_name = _scalar(_child(metric, "name")) or kind
        if not re.match(r"[~-]?\d", text):
            continue
        names = [_scalar(_child(dataset, key)) for key in ("name", "type")]
        mentions = [mention for name in names for mention in known.mentions(name) if mention.key]
        label = next((name for name in names if name), "not named")
        read = scores(text)
        score = Score(text, None, None, False, False, None, None, 0, 0)
        if is_accuracy(kind, metric_name) and len(read) == 1 and read[0].start == 0:
            score = read[0]
        mention = mentions[0] if mentions else unnamed(label)
        context = f"{metric_name} {label}"
        claim = claim_of(
            value.start_mark.line + 2,
            "model-index",
            mention,
            ("this", None),
            score,
            Section((), 1),
            context,
        )
        claim.metric = metric_name
        claim.stated = evidence.in_words(context) | _stated(result, dataset, metric)
        found.append(Found(claim, score))
    yield from in_percent(found)


def _stated(result: Any, dataset: Any, metric: Any) -> dict[str, str]:
    stated = {}
    if revision := _scalar(_child(dataset, "revision")):
        stated["revision"] = f"revision {revision[:12]}"
    if shots := _scalar(_child(_child(dataset, "args"), "num_few_shot")):
        stated["prompt"] = f"{shots}-shot"
    url = _scalar(_child(_child(result, "source"), "url"))
    if re.search(r"detail|output|prediction|sample|datasets/", url):
        stated["predictions"] = url
    if _scalar(_child(metric, "verified")) == "true":
        stated["predictions"] = "verified by the hub"
    return stated


def _child(node: Any, key: str) -> Any:
    pairs = node.value if node is not None and node.id == "mapping" else []
    return next((value for name, value in pairs if name.value == key), None)


def _items(node: Any) -> list[Any]:
    return list(node.value) if node is not None and node.id == "sequence" else []


def _scalar(node: Any) -> str:
    """A value as it is written, with its trailing zeros; nothing where it is null or no scalar."""
    if node is None or node.id != "scalar" or node.tag.endswith(":null"):
        return ""
    return str(node.value)
