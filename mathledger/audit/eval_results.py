"""Read claims from `.eval_results/*.yaml`, which the hub shows on a benchmark's leaderboard.

The format is the hub client's `EvalResultEntry`: a list of {dataset: {id, task_id, revision},
value, date, source: {url, name}, notes}. The files are read next to the card.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mathledger import given
from mathledger.audit import evidence, known
from mathledger.audit.arithmetic import Printed
from mathledger.audit.blocks import Section
from mathledger.audit.claims import claim_of, unnamed
from mathledger.audit.methods import is_vote
from mathledger.audit.model_index import _child, _items, _scalar
from mathledger.audit.scores import scores
from mathledger.audit.types import Claim, Finding
from mathledger.audit.words import benchmark_of, lines_of, said
from mathledger.core.errors import InputError
from mathledger.core.parsing import expect_small

FOLDER = ".eval_results"
MAX_BYTES = 16 << 20  # Of one of its files.


def eval_results(card: Path) -> Iterator[Claim]:
    """Yield the claims of the entries next to a card.

    Raises:
        InputError: If a file is not a YAML list of entries.
    """
    folder = card.parent / FOLDER
    if not folder.is_dir():
        return
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        for entry in _items(_read(path)):
            claim = _claim(entry, f"{FOLDER}/{path.name}")
            if claim:
                yield claim


def _read(path: Path) -> Any:
    import yaml

    text = given.read_text(path, "write it again, or remove it", MAX_BYTES)
    try:
        expect_small(yaml.parse(text, Loader=yaml.SafeLoader))
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{FOLDER}/{path.name} is not valid YAML: {reason}") from None
    if node is not None and node.id != "sequence":
        raise InputError(f"{FOLDER}/{path.name} is not a list of entries with dataset and value")
    return node


def _claim(entry: Any, file: str) -> Claim | None:
    dataset, value = _child(entry, "dataset"), _child(entry, "value")
    text = _scalar(value)
    read = scores(text)
    if len(read) != 1 or read[0].start:
        return None
    names = [_scalar(_child(dataset, key)) for key in ("task_id", "id")]
    mentions = [m for name in names for m in known.mentions(name.replace("/", " / ")) if m.key]
    notes = _scalar(_child(entry, "notes"))
    mention = mentions[0] if mentions else unnamed(" ".join(names[::-1]).strip() or "not named")
    line = value.start_mark.line + 1
    claim = claim_of(line, "eval-results", mention, ("this", None), read[0], Section((), 1), notes)
    if claim.value and claim.value.high <= 1 and "." in text:
        claim.value = read[0].value(share=True)
    claim.file = file
    claim.conditions = frozenset(notes.lower().split())
    claim.stated = evidence.in_words(notes)
    if revision := _scalar(_child(dataset, "revision")):
        claim.stated["revision"] = f"revision {revision[:12]}"
    if url := _scalar(_child(_child(entry, "source"), "url")):
        claim.stated["predictions"] = url
    return claim


def leaderboard(claims: list[Claim]) -> Iterator[Finding]:
    """Compare the values on the hub's leaderboards with their own notes and with the card."""
    shown = [claim for claim in claims if claim.where == "eval-results"]
    by_benchmark: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        is_own = claim.where != "eval-results" and claim.whose == "this"
        if is_own and claim.benchmark and not claim.subset:
            by_benchmark[claim.benchmark].append(claim)
    points, hit = [], []
    for claim in shown:
        if is_vote(claim.metric):
            points.append(
                f"{said(claim)}: its own note calls it {claim.metric}, one answer chosen from "
                "several samples; that is not comparable with scores of single answers."
            )
            hit.append(claim)
        own = [each for each in by_benchmark.get(claim.benchmark or "", []) if each.value]
        if claim.value and own and not any(_agree(claim.value, each.value) for each in own):
            told = ", ".join(f"{each.text} (line {each.line})" for each in own[:4])
            points.append(f"{said(claim)}; the card gives {benchmark_of(claim)} {told}.")
            hit.append(claim)
    if points:
        yield Finding(
            "leaderboard",
            "question",
            "Leaderboard values to compare with their notes and the card: "
            + ", ".join(dict.fromkeys(f"{benchmark_of(claim)} {claim.text}" for claim in hit)),
            lines_of(
                [each for claim in hit for each in by_benchmark.get(claim.benchmark or "", [])]
            ),
            points,
            "the metric that the leaderboard compares, and the run that gave it.",
            num=len(points),
        )


def _agree(one: Printed, other: Printed | None) -> bool:
    if other is None or other.is_range:
        return False
    return abs(one.low - other.low) <= 2 * max(one.half, other.half)
