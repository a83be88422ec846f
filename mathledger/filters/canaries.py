"""Plant modified copies of benchmark items (canaries) to measure the filter's recall.

Every form except the controls keeps the problem the same and must be found. The controls are
different problems and must not be called contamination. The canaries depend only on the items'
texts and the seed.
"""

import re
from dataclasses import dataclass

from mathledger.core.errors import InputError
from mathledger.core.hashing import content_id, uniform
from mathledger.core.tables import Row
from mathledger.data.canary_forms import CONTROLS
from mathledger.filters import spelling
from mathledger.filters.decision import Match
from mathledger.filters.items import Item
from mathledger.filters.overlap import VARIANT
from mathledger.text.tokens import NUMBER

_PHRASES = (
    ("How many", "What is the number of"),
    ("how many", "what number of"),
    ("What is", "Find"),
    ("what is", "find"),
    ("Find", "Determine"),
    ("Compute", "Calculate"),
    ("Evaluate", "Compute"),
    ("How much", "What amount"),
    ("each", "every"),
    ("total", "overall"),
    ("buys", "purchases"),
    ("if", "supposing"),
)


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


def forms(problem: str, seed: int) -> dict[str, str]:
    """Return the modified copies of a problem by form, without the forms that do not apply."""
    copies = {
        "verbatim": problem,
        "reformatted": _reformatted(problem),
        "rewrapped": _rewrapped(problem),
        "embedded": f"A student wrote to us about an exercise. {problem} She would like to see it.",
        "rephrased": _rephrased(problem),
    }
    tokens = spelling.spelled(problem)
    numbers = [token for token in tokens if token.kind == NUMBER and token.spelling.isdigit()]
    if numbers:
        place = numbers[int(uniform(seed, "number:" + problem) * len(numbers))]
        other = str(int(place.spelling) + 1 + int(uniform(seed, "by:" + problem) * 7))
        copies["number_changed"] = problem[: place.start] + other + problem[place.end :]
    signs = [token for token in tokens if token.spelling in ("+", "-")]
    signs = [token for token in signs if problem[token.start : token.end] in ("+", "-")]
    if signs:
        place = signs[int(uniform(seed, "sign:" + problem) * len(signs))]
        other = "-" if place.spelling == "+" else "+"
        copies["sign_changed"] = problem[: place.start] + other + problem[place.end :]
    return {
        form: changed
        for form, changed in copies.items()
        if form in ("verbatim", "embedded") or changed != problem
    }


def _reformatted(problem: str) -> str:
    """Return the same LaTeX in another notation."""
    changed = problem
    for macro, other in ((r"\\frac", r"\\dfrac"), (r"\\leq", r"\\le"), (r"\\cdot", "·")):
        changed = re.sub(rf"{macro}(?![a-zA-Z])", other, changed)
    changed = re.sub(r"(?<![\\$])\$([^$]+)(?<!\\)\$(?!\$)", r"\\( \1 \\)", changed)
    return re.sub(r"(?<=[a-z,]) (?=[a-z])", "  ", changed)


def _rewrapped(problem: str) -> str:
    """Return the problem in lines of eight words."""
    words = problem.split()
    return "\n".join(" ".join(words[at : at + 8]) for at in range(0, len(words), 8))


def _rephrased(problem: str) -> str:
    """Replace some phrases by synonyms and, given three or more sentences, swap the first two."""
    changed = problem
    for old, new in _PHRASES:
        changed = re.sub(rf"\b{old}\b", new, changed)
    sentences = re.split(r"(?<=[.?]) +(?=[A-Z])", changed)
    if len(sentences) > 2:
        sentences[:2] = sentences[1::-1]
    return " ".join(sentences)


def choose(items: list[Item], per_benchmark: int, seed: int) -> list[Canary]:
    """Return canaries of up to per_benchmark items of each benchmark, chosen by stable hash."""
    by_benchmark: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        by_benchmark.setdefault(item.benchmark, []).append(number)
    chosen = []
    for benchmark, numbers in by_benchmark.items():
        numbers.sort(key=lambda number: uniform(seed, f"canary:{items[number].problem}"))
        for number in numbers[:per_benchmark]:
            for form, changed in forms(items[number].problem, seed).items():
                chosen.append(Canary(benchmark, number, form, changed))
    return chosen


def measure(
    canaries: list[Canary], matches: dict[str, list[Match]]
) -> tuple[dict[str, dict[str, int]], list[Row]]:
    """Count the canaries and those called contamination by form, and list the wrong decisions.

    Args:
        matches: The matches of each row that has any, by the row's id.
    """
    counts: dict[str, dict[str, int]] = {}
    wrong = []
    for canary in canaries:
        own = [match for match in matches.get(canary.id, []) if match.item == canary.item]
        is_found = any(match.kind != VARIANT for match in own)
        count = counts.setdefault(canary.form, {"num": 0, "num_found": 0})
        count["num"] += 1
        count["num_found"] += is_found
        if is_found == (canary.form in CONTROLS):
            wrong.append({"benchmark": canary.benchmark, "item": canary.item, "form": canary.form})
    return counts, wrong


def stop_at_low_recall(counts: dict[str, dict[str, int]], least: float) -> None:
    """Raise InputError if the filter misses too many canaries that it must find."""
    forms = [
        form for form in ("verbatim", "reformatted", "rewrapped", "embedded") if form in counts
    ]
    for form in forms:
        count = counts[form]
        if count["num_found"] < least * count["num"]:
            raise InputError(
                f"the filter found {count['num_found']} of {count['num']} canaries ({form}), less "
                f"than decontaminate.min_canary_recall={least}; see conf/decontaminate/"
            )
