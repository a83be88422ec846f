"""Read claims from the model-index in the front matter, which the hub shows next to a card."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from mathledger.audit import evidence, known
from mathledger.audit.blocks import Section
from mathledger.audit.card import Card
from mathledger.audit.claims import NORMALISED, claim_of, in_percent, is_accuracy, unnamed
from mathledger.audit.scores import Score, scores
from mathledger.audit.types import Claim, Unscaled


def model_index(card: Card, most: int) -> Iterator[Claim]:
    """Yield the results of the model-index, with their lines and digits as written."""
    results = (
        (result, metric)
        for model in _items(_child(card.node, "model-index"))
        for result in _items(_child(model, "results"))
        for metric in _items(_child(result, "metrics"))
    )
    claims = []
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
        claim.conditions = frozenset(f"{metric_name} {label}".lower().split())
        source = _scalar(_child(_child(result, "source"), "url"))
        where = _scalar(_child(_child(result, "source"), "name"))
        claim.is_normalised = bool(NORMALISED.search(f"{source} {where} {metric_name}"))
        claim.stated = evidence.in_words(context) | _stated(result, dataset, metric)
        claims.append(Unscaled(claim, score))
    yield from in_percent(claims)


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
    """Return a scalar as written, trailing zeros included; empty for null or a non-scalar."""
    if node is None or node.id != "scalar" or node.tag.endswith(":null"):
        return ""
    return str(node.value)
