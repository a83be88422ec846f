"""Read the verdicts of people about pairs of a training text and an item, and apply them.

conf/decontaminate/reviewed.jsonl holds one verdict per line; lines with # are comments. A pair is
named by the canonical keys of its two texts, so a verdict survives new ids and new formatting, and
holds for every row with that text. `mathledger review` writes the lines.
"""

import json
import shlex
from collections import defaultdict
from collections.abc import Container, Iterable
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

FILES = {name: Path(f"conf/{name}/reviewed.jsonl") for name in ("decontaminate", "deduplicate")}
KEY = "[0-9a-f]{32}"  # The canonical key of a text.

U64 = npt.NDArray[np.uint64]

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
    against: str  # BENCHMARK/ID, or the kept row's id, when it was judged; only for people.

    @property
    def keys(self) -> tuple[str, str]:
        """Return the keys of the row's text and of the item."""
        text, _, item = self.pair.partition(":")
        return text, item


def keys(texts: pa.Array) -> list[str]:
    """Return the canonical key of each text as 32 hex digits."""
    return [spelled(key) for key in canonical.keys(texts)]


def spelled(key: U64) -> str:
    """Return the two halves of a canonical key as 32 hex digits."""
    return f"{int(key[0]):016x}{int(key[1]):016x}"


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
        # str.splitlines also splits at characters that a JSON string may hold.
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise InputError(
            f"{path} is missing: `touch {shlex.quote(str(path))}` creates it without verdicts"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: {error}") from None
    verdicts: list[Verdict] = []
    first: dict[tuple[str, str], tuple[int, Verdict]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
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


def count(
    verdicts: list[Verdict], texts: Container[tuple[str, str]], others: Container[str]
) -> dict[str, Any]:
    """Return how many verdicts hold, and those that name no pair of the present data.

    Args:
        texts: Places and keys of the rows' texts that occur.
        others: Keys of the items, or of the kept rows' texts, that occur.
    """
    held: dict[str, set[tuple[str, str]]] = {"same": set(), "different": set()}
    stale = []
    for verdict in verdicts:
        text, other = verdict.keys
        missing = [] if (verdict.place, text) in texts else [f"row {verdict.row}"]
        missing += [] if other in others else [verdict.against]
        if missing:
            stale.append(f"{verdict.pair}: no text of {' and '.join(missing)}")
        else:
            held[verdict.verdict].add((verdict.place, verdict.pair))
    counts = {f"num_{verdict}": len(pairs) for verdict, pairs in held.items()}
    return {**counts, "num_stale": len(stale), "stale": stale}


def lines(counts: dict[str, Any], path: Path) -> list[str]:
    """Return what a stage prints about the verdicts of a file, if there are any."""
    numbers = {key.removeprefix("num_"): counts[key] for key in counts if key != "stale"}
    if not any(numbers.values()):
        return []
    text = ", ".join(f"{number} {what}" for what, number in numbers.items())
    return [f"verdicts of {path}: {text}", *(f"{path}: stale: {each}" for each in counts["stale"])]


def copies(verdicts: list[Verdict], problems: U64) -> dict[tuple[int, int], bool]:
    """Return whether the judged pairs of unique problems are copies, by (later, earlier).

    Args:
        problems: Canonical keys of the problems, shape (problems, 2).
    """
    numbers = _numbers(verdicts, problems)
    ruled = {}
    for verdict in verdicts:
        both = [numbers[key] for key in verdict.keys if key in numbers]
        if len(set(both)) == 2:
            ruled[max(both), min(both)] = verdict.verdict == "same"
    return ruled


def count_copies(verdicts: list[Verdict], problems: U64) -> dict[str, Any]:
    """Count the verdicts about pairs of unique problems."""
    numbers = _numbers(verdicts, problems)
    return count(verdicts, {("problem", key) for key in numbers}, numbers)


def _numbers(verdicts: list[Verdict], problems: U64) -> dict[str, int]:
    """Return the numbers of the judged problems by key."""
    judged = {key for verdict in verdicts for key in verdict.keys}
    halves = np.array(sorted({int(key[:16], 16) for key in judged}), np.uint64)
    near = np.flatnonzero(np.isin(problems[:, 0], halves))
    own = {spelled(problems[number]): int(number) for number in near}
    return {key: own[key] for key in sorted(judged & own.keys())}


class Overlay:
    """The verdicts about the pairs of the present items; `apply` lets them override the rule."""

    def __init__(self, verdicts: Iterable[Verdict], items: list[Item]) -> None:
        self.verdicts = [*verdicts]
        self._items: dict[str, list[int]] = defaultdict(list)
        self._by_text: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
        self._seen: set[tuple[str, str]] = set()  # Places and keys of the texts that occur.
        self._overruled: set[tuple[str, str]] = set()  # Places and pairs.
        if self.verdicts:  # A copied solution is judged next to the item's solution.
            texts = [(number, item.problem) for number, item in enumerate(items)]
            texts += [(number, item.solution) for number, item in enumerate(items) if item.solution]
            numbers, columns = zip(*texts, strict=True)
            for number, key in zip(numbers, keys(pa.array(columns)), strict=True):
                self._items[key].append(number)
        for verdict in self.verdicts:
            self._by_text[verdict.place, verdict.keys[0]].append(verdict)

    def texts(self, place: str) -> U64:
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
                kind = DIFFERENT
                if verdict.verdict == "same":
                    kind = before.kind if before.holds_item else SAME
                by_item[item] = before._replace(kind=kind, ruling=Ruling("person", rule, note))
        return sorted(by_item.values(), key=lambda match: match.item)

    def counts(self) -> dict[str, Any]:
        """Count the verdicts; call this after the last text."""
        counts = count(self.verdicts, self._seen, self._items)
        return {"num_overruled": len(self._overruled), **counts}
