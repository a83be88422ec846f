"""Compare a card with the ledger next to it, line by line, if this project wrote that ledger.

The ledger renders to the whole card: front matter, tables, sentences, HTML and captions. So a line
that it does not give was added or changed, whatever form its claim has.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from mathledger import given
from mathledger.audit.arithmetic import Printed
from mathledger.audit.card import decoded
from mathledger.audit.types import Claim, Finding
from mathledger.audit.words import said
from mathledger.card import statement
from mathledger.card.card import text
from mathledger.card.foreign import NUMBER, Foreign, foreign_lines
from mathledger.card.ledger import Ledger
from mathledger.core.errors import InputError
from mathledger.core.escaping import one_line

MAX_SHARE = 0.3  # of the card's lines that may differ before it counts as another version's
SETTLES = "the responses behind these numbers, and `mathledger verify` in the model's repository."


def compare(path: Path, card: Path, claims: list[Claim]) -> Iterator[Finding]:
    """Yield what the card and `.eval_results/` say that the ledger next to them does not give.

    Raises:
        InputError: the ledger cannot be read.
    """
    ledger = _ledger(path)
    if ledger is None:
        return
    current = decoded(card, given.read_bytes(card, "name the card's README.md"))
    foreign = [each for each in foreign_lines(text(ledger), current) if _may_claim(each)]
    scores = [claim for claim in claims if claim.where == "eval-results"]
    others = [claim for claim in scores if claim.value and not _is_score(claim.value, ledger)]
    is_of_other_version = len(foreign) > MAX_SHARE * len(current.splitlines())
    if is_of_other_version:
        foreign = []
        yield Finding(
            "other_version",
            "question",
            "The card is not what this version writes from the ledger next to it",
            [],
            ["Most of its lines differ, so it was written by another version, or edited widely."],
            "`mathledger verify` in the model's repository.",
        )
    if foreign or others:
        points = [f"Line {each.line}: {_shown(each)}" for each in foreign]
        points += [f"{said(claim)} is not a score in the ledger." for claim in others]
        yield Finding(
            "not_in_ledger",
            "contradiction",
            "Lines that the ledger next to the card does not give",
            [each.line for each in foreign],
            points,
            SETTLES,
            num=len(points),
        )


def _ledger(path: Path) -> Ledger | None:
    """Read the ledger next to a card; None if another program wrote the file."""
    data = given.read_bytes(path, "restore it, or remove it")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {one_line(str(error))}") from None
    kind = content.get("predicateType") if isinstance(content, dict) else None
    if kind != statement.PREDICATE_TYPE:
        return None
    ledger = statement.parse(content, str(path)).predicate
    return ledger if ledger.licence else None  # the first ledgers cannot be rendered


def _may_claim(line: Foreign) -> bool:
    return not line.is_missing and bool(NUMBER.search(line.text))


def _shown(line: Foreign) -> str:
    what = f" ({', '.join(line.numbers[:5])} is not in the ledger)" if line.numbers else ""
    return f"{one_line(line.text, 100)!r}{what}"


def _is_score(value: Printed, ledger: Ledger) -> bool:
    """Return True if a printed value is the accuracy of a model on a benchmark of the ledger."""
    accuracies = [
        100 * score.accuracy
        for entry in ledger.benchmarks
        for score in entry.models.values()
        if score.accuracy is not None
    ]
    slack = float(value.half) + 0.005
    return any(float(value.low) - slack <= each <= float(value.high) + slack for each in accuracies)
