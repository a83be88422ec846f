"""Group experiments that differ only in their seeds, and compute the spread of their scores."""

from collections.abc import Sequence
from dataclasses import dataclass

from mathledger.compare.load import Experiment, Responses
from mathledger.evaluation import spread
from mathledger.evaluation.spread import Spread
from mathledger.evaluation.statistics import Interval


@dataclass(frozen=True)
class Group:
    """Trainings of one setting, with the spread of their scores by benchmark."""

    trainings: tuple[Experiment, ...]
    spreads: dict[str, Spread]
    differences: dict[str, Interval | None]  # from the baseline's group; None if it is unknown

    @property
    def names(self) -> str:
        """Name the first training, and the number of others."""
        more = len(self.trainings) - 1
        return f"{self.trainings[0].name} and {more} more" if more else self.trainings[0].name


def groups(experiments: Sequence[Experiment]) -> list[Group]:
    """Group the experiments by everything but their seeds; the baseline's group is the first.

    Two experiments with equal seeds are one training, and the first one counts.
    """
    of_setting: dict[str, dict[tuple[int, ...], Experiment]] = {}
    for each in experiments:
        of_setting.setdefault(each.setting, {}).setdefault(each.seeds, each)
    settings = [tuple(each.values()) for each in of_setting.values()]
    return [_group(own, settings[0]) for own in settings]


def _group(own: tuple[Experiment, ...], baseline: tuple[Experiment, ...]) -> Group:
    spreads, differences = {}, {}
    for benchmark in own[0].responses:
        mine = _values(own, benchmark)
        spreads[benchmark] = spread.over_trainings(mine)
        if own is not baseline:
            theirs = _values(baseline, benchmark, own[0].responses[benchmark])
            differences[benchmark] = spread.difference(theirs, mine)
    return Group(own, spreads, differences)


def _values(
    trainings: Sequence[Experiment], benchmark: str, like: Responses | None = None
) -> list[list[float]]:
    """Return each training's item means, of those that answered the same items."""
    like = like or trainings[0].responses[benchmark]
    own = [each.responses[benchmark] for each in trainings if benchmark in each.responses]
    items = sorted(like.outcomes)
    return [
        [sum(each.outcomes[item]) / len(each.outcomes[item]) for item in items]
        for each in own
        if each.items_digest == like.items_digest and each.outcomes.keys() == like.outcomes.keys()
    ]
