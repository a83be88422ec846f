"""Find the lines of a card that its ledger does not give, in whatever form they state a number."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


@dataclass(frozen=True)
class Foreign:
    """A line of a card that differs from what its ledger renders to."""

    line: int
    text: str
    numbers: tuple[str, ...] = ()  # its numbers that the rendered card does not have
    is_missing: bool = False  # the line is one that the card lacks


def foreign_lines(wanted: str, current: str) -> Iterator[Foreign]:
    """Yield the lines in which a card differs from the text that its ledger gives.

    Args:
        wanted: the card, rendered from the ledger.
        current: the card as it is.
    """
    known = set(NUMBER.findall(wanted))
    old, new = wanted.splitlines(), current.splitlines()
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, old_from, _old_to, new_from, new_to in matcher.get_opcodes():
        if tag == "equal":
            continue
        for at in range(new_from, new_to):
            numbers = tuple(each for each in NUMBER.findall(new[at]) if each not in known)
            yield Foreign(at + 1, new[at], numbers)
        if tag == "delete":
            yield Foreign(new_from + 1, old[old_from], is_missing=True)
