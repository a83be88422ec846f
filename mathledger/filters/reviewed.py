"""Read the verdicts of people about pairs of a training text and an item, and apply them.

conf/decontaminate/reviewed.jsonl holds one verdict per line. A pair is named by the canonical keys
of its two texts, so a verdict survives new ids and new formatting, and holds for every row with
that text. `mathledger review` writes the lines.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import Field, StringConstraints

from mathledger.core.errors import InputError
from mathledger.core.typed import Record
from mathledger.filters.decision import DIFFERENT, Match, Ruling
from mathledger.filters.items import Item
from mathledger.filters.overlap import NO_CLASS, SAME
from mathledger.text import canonical

REVIEWED = Path("conf/decontaminate/reviewed.jsonl")
KEY = "[0-9a-f]{32}"  # The canonical key of a text.

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Verdict(Record):
    """One line of the file."""

    pair: str = Field(pattern=f"^{KEY}:{KEY}$")  # The keys of the row's text and of the item.
    place: Literal["problem", "solution"]  # Which text of the row was judged.
    verdict: Literal["same", "different"]
    reason: str
    by: Text
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    row: str  # The row's id when it was judged; only for people.
    item: str  # BENCHMARK/ID when it was judged; only for people.

    @property
    def keys(self) -> tuple[str, str]:
        """Return the keys of the row's text and of the item."""
        text, _, item = self.pair.partition(":")
        return text, item


def keys(texts: pa.Array) -> list[str]:
    """Return the canonical key of each text as 32 hex digits."""
    return [f"{high:016x}{low:016x}" for high, low in canonical.keys(texts).tolist()]


def pair(text: str, item: str) -> str:
    """Return the name of a pair of texts.

    >>> pair("Find $x$.", "What is 2?") == pair("Find  x", "What is two?")
    True
    """
    return ":".join(keys(pa.array([text, item])))


def read(path: Path) -> list[Verdict]:
    """Return the verdicts of a file.

    Raises:
        InputError: The file is missing, a line is malformed, or two lines contradict each other.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path} is missing: `touch {path}` creates it without verdicts") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error}") from None
    verdicts: list[Verdict] = []
    first: dict[tuple[str, str], tuple[int, Verdict]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{number} is not JSON: {error}") from None
        if not isinstance(content, dict):
            raise InputError(f"{path}:{number} is not a JSON object, got {line[:60]!r}")
        own = Verdict.read(content, f"{path}:{number}")
        line_before, before = first.setdefault((own.place, own.pair), (number, own))
        if before.verdict != own.verdict:
            raise InputError(
                f"{path}: lines {line_before} and {number} contradict each other: {before.by} says "
                f"{before.verdict}, {own.by} says {own.verdict}; keep one of them"
            )
        verdicts.append(own)
    return verdicts


class Overlay:
    """The verdicts about the pairs of the present items; `apply` puts them in place of the rule."""

    def __init__(self, verdicts: Iterable[Verdict], items: list[Item]) -> None:
        self.verdicts = [*verdicts]
        self._items: dict[str, list[int]] = defaultdict(list)
        self._by_text: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
        self._seen: set[tuple[str, str]] = set()  # Places and keys of the texts that occur.
        self._overruled: set[tuple[str, str]] = set()  # Places and pairs.
        if self.verdicts:
            for number, key in enumerate(keys(pa.array([item.problem for item in items]))):
                self._items[key].append(number)
        for verdict in self.verdicts:
            self._by_text[verdict.place, verdict.keys[0]].append(verdict)

    def texts(self, place: str) -> npt.NDArray[np.uint64]:
        """Return the first half of the keys of the judged texts of a place."""
        own = [int(key[:16], 16) for where, key in self._by_text if where == place]
        return np.array(own, np.uint64)

    def apply(self, place: str, key: str, matches: list[Match]) -> list[Match]:
        """Return a text's matches with the class that a person gave them, if one did.

        Args:
            key: The canonical key of the text.
        """
        if (place, key) not in self._by_text:
            return matches
        self._seen.add((place, key))
        by_item = {match.item: match for match in matches}
        for verdict in self._by_text[place, key]:
            for item in self._items.get(verdict.keys[1], ()):
                before = by_item.get(item, Match(item, NO_CLASS, place, 0.0, 0.0, 0.0))
                if before.holds_item != (verdict.verdict == "same"):
                    self._overruled.add((place, verdict.pair))
                rule = before.ruling.rule_kind if before.ruling else before.kind
                note = f"{verdict.by}, {verdict.date}: {verdict.reason}"
                kind = SAME if verdict.verdict == "same" else DIFFERENT
                by_item[item] = before._replace(kind=kind, ruling=Ruling("person", rule, note))
        return sorted(by_item.values(), key=lambda match: match.item)

    def metrics(self) -> dict[str, Any]:
        """Return how many verdicts hold, and the lines that name no pair of the present data."""
        held: dict[str, set[tuple[str, str]]] = {"same": set(), "different": set()}
        stale = []
        for verdict in self.verdicts:
            text, item = verdict.keys
            missing = [] if (verdict.place, text) in self._seen else [f"row {verdict.row}"]
            missing += [] if item in self._items else [f"item {verdict.item}"]
            if missing:
                stale.append(f"{verdict.pair}: no text of {' and '.join(missing)}")
            else:
                held[verdict.verdict].add((verdict.place, verdict.pair))
        return {
            "num_same": len(held["same"]),
            "num_different": len(held["different"]),
            "num_overruled": len(self._overruled),
            "num_stale": len(stale),
            "stale": stale,
        }
