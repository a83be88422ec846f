"""Name the parts of a problem that the probe shows to a model, and count right answers."""

from dataclasses import dataclass
from typing import Literal, get_args

from mathledger.evaluation import statistics

Part = Literal["first_half", "first_30", "last_half"]
PARTS: tuple[Part, ...] = get_args(Part)
LABELS: dict[Part, str] = {
    "first_half": "first half",
    "first_30": "first 30%",
    "last_half": "last half",
}
CUTS: dict[Part, int] = {"first_half": 50, "first_30": 30, "last_half": 50}  # percent of the words


@dataclass(frozen=True)
class Right:
    """The share of right answers in a group, with its 95% interval."""

    num: int
    num_correct: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float


def right(outcomes: list[bool]) -> Right | None:
    """Summarise the outcomes of a group; None if it is empty."""
    if not outcomes:
        return None
    score = statistics.accuracy([[each] for each in outcomes])
    return Right(
        num=len(outcomes),
        num_correct=sum(outcomes),
        accuracy=statistics.stored(score.value),
        accuracy_low=statistics.stored(score.low),
        accuracy_high=statistics.stored(score.high),
    )
