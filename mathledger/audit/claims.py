"""The numeric claims of a card: which benchmark, which value, whose model, on which line.

Numbers come from the model-index, from tables and from text. A number is taken only where it is
clear what it is a score of: a benchmark that is not known by name stays unknown, and a number that
cannot be told apart from its neighbours is left unread and counted.
"""

import re

from mathledger.audit import evidence, known
from mathledger.audit.blocks import Section
from mathledger.audit.card import Card
from mathledger.audit.scores import Score, are_shares
from mathledger.audit.types import Claim, Names, Owner, Unscaled, Where

# A score of one run over k answers an item (maj@64), or a mean over k runs (avg@64).
METRIC = re.compile(
    r"(?i)\b(pass|avg|mean|maj|cons|majority|best[- ]of|bo|rm|prm)\s?[@-]\s?(\d{1,4})\b"
)
_SHARES = re.compile(r"(?i)acc|exact.?match|\bem\b|(?:pass|maj|avg).?@|correct|solve|mc[12]|strict")


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


def in_percent(claims: list[Unscaled]) -> list[Claim]:
    """The claims of one table or index, whose scores are all percentages or all shares of 1."""
    if are_shares([each.score for each in claims]):
        for each in claims:
            each.claim.value = each.score.value(share=True)
    return [each.claim for each in claims]


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
    """Return True if a metric of this name is a share of the items."""
    return any(_SHARES.search(name) for name in names)
