"""The ledger's records of other trainings that differ from this one only in their seeds."""

from pydantic import Field

from mathledger.card.quantities import Count, Sha256, Share
from mathledger.core.typed import Record


class Replicate(Record):
    """Another training, which differs from this one only in its seeds."""

    experiment: str
    commit: str
    seeds: dict[str, int]
    ledger_sha256: Sha256


class TrainingSpread(Record):
    """The final model's score on a benchmark over trainings; this one is the first."""

    benchmark: str
    scores: list[Share]
    mean: Share
    sd: Share | None = Field(description="Standard deviation over trainings.")
    low: Share | None = Field(
        description="End of the 95% interval over items and trainings; null below 3 trainings."
    )
    high: Share | None


class Replicates(Record):
    """The final model's scores over trainings with other seeds."""

    file_sha256: Sha256
    trainings: list[Replicate]
    num_with_other_inputs: Count = Field(
        description="Trainings left out, which had other rows, weights or code."
    )
    spreads: list[TrainingSpread]
