"""Plant modified copies of benchmark items (canaries) to measure the filter's recall.

Every form except the controls keeps the problem the same and must be found. The controls are
different problems and must not be called contamination. The canaries depend only on the items'
texts and the seed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mathledger.core.errors import InputError
from mathledger.core.hashing import content_id, uniform
from mathledger.core.tables import Row
from mathledger.data.canary_forms import CONTROLS, COPIES
from mathledger.filters import canary_controls, canary_copies
from mathledger.filters.decision import Match
from mathledger.filters.items import Item

MAX_TRIED = 1000  # For each form, at most this many items of a benchmark are tried.
# The filter must find these forms whatever the items are, so a run fails if it does not.
REQUIRED = ("verbatim", "reformatted", "rewrapped", "embedded")


@dataclass(frozen=True)
class Canary:
    benchmark: str
    item: int  # The item's number in the index.
    form: str
    problem: str

    @property
    def id(self) -> str:
        """Return the id of the canary's row in the search."""
        return content_id("canary", self.benchmark, self.form, str(self.item), self.problem)


def changed(problem: str, form: str, seed: int) -> str | None:
    """Return a copy of a problem in a form, or None if the form does not apply."""
    if form == "verbatim":
        return problem
    module = canary_controls if form in CONTROLS else canary_copies
    change: Callable[[str, int], str] = getattr(module, form)
    copy = change(problem, seed)
    return copy if copy != problem else None


def choose(items: list[Item], per_benchmark: int, seed: int) -> list[Canary]:
    """Return up to per_benchmark canaries of each form and benchmark, chosen by stable hash."""
    by_benchmark: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        by_benchmark.setdefault(item.benchmark, []).append(number)
    return [
        canary
        for benchmark, numbers in by_benchmark.items()
        for form in (*COPIES, *CONTROLS)
        for canary in _of_form(benchmark, numbers, form, items, per_benchmark, seed)
    ]


def _of_form(
    benchmark: str, numbers: list[int], form: str, items: list[Item], size: int, seed: int
) -> list[Canary]:
    found: list[Canary] = []

    def order(number: int) -> float:
        return uniform(seed, f"canary:{form}:{items[number].problem}")

    for number in sorted(numbers, key=order)[:MAX_TRIED]:
        copy = changed(items[number].problem, form, seed)
        if copy is not None:
            found.append(Canary(benchmark, number, form, copy))
        if len(found) == size:
            break
    return found


def measure(
    canaries: list[Canary], matches: dict[str, list[Match]], items: list[Item]
) -> tuple[dict[str, dict[str, int]], list[Row]]:
    """Count the canaries and those called contamination by form, and list the wrong decisions.

    Args:
        matches: The matches of each row that has any, by the row's id.
    """
    counts: dict[str, dict[str, int]] = {}
    wrong = []
    for canary in canaries:
        own = [match for match in matches.get(canary.id, []) if match.item == canary.item]
        is_found = any(match.by_rule.holds_item for match in own)  # A person may judge its text.
        count = counts.setdefault(canary.form, {"num": 0, "num_found": 0})
        count["num"] += 1
        count["num_found"] += is_found
        if is_found == (canary.form in CONTROLS):
            item = items[canary.item]
            shown = None if item.private else canary.problem
            head = {"benchmark": item.benchmark, "item_id": item.id, "form": canary.form}
            wrong.append({**head, "problem": shown})
    return counts, wrong


def stop_at_low_recall(counts: dict[str, dict[str, int]], least: float) -> None:
    """Raise InputError if the filter misses too many canaries that it must find."""
    for form in REQUIRED:
        count = counts.get(form, {"num": 0, "num_found": 0})
        if count["num_found"] < least * count["num"]:
            raise InputError(
                f"the filter found {count['num_found']} of {count['num']} canaries ({form}), less "
                f"than decontaminate.min_canary_recall={least}; see conf/decontaminate/"
            )
