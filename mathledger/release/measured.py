"""The numbers of the ledger that every export states: one model's score on one benchmark."""

import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mathledger.card.ledger import Benchmark, ModelScore
from mathledger.card.outputs import Outputs
from mathledger.chain.chain import Chain
from mathledger.core.errors import InputError
from mathledger.run.lineage import Lineage, lineage_file
from mathledger.run.params import final_model


@dataclass(frozen=True)
class Measured:
    """One model's score on one benchmark, with the run that measured it."""

    model: str
    entry: Benchmark
    score: ModelScore
    run: Lineage
    params: dict[str, Any]  # the content of params.yaml

    @property
    def benchmark(self) -> str:
        return self.entry.benchmark

    @property
    def source(self) -> dict[str, Any]:
        """Return the benchmark's source as params.yaml names it."""
        return dict(self.params["benchmark"][self.benchmark]["source"])

    @property
    def hub_dataset(self) -> str | None:
        """Return the benchmark's repository on the hub, or None if it is from elsewhere."""
        source = self.source
        return str(source["repo"]) if source["kind"] in ("hub", "lm_eval") else None

    @property
    def is_final(self) -> bool:
        """Return True for the model that is published."""
        return self.model == final_model(self.params)

    @property
    def metric(self) -> str:
        """Return the name of the score as the card's model-index gives it."""
        return f"avg@{self.entry.num_repeats}" if self.entry.num_repeats > 1 else "accuracy"

    @property
    def responses(self) -> str:
        """Return the path of the responses in the published folder of results."""
        return f"{self.benchmark}/{self.model}.parquet"


def measured(chain: Chain, private: set[str]) -> list[Measured]:
    """Return every score on a public benchmark.

    Raises:
        InputError: the lineage of an evaluation is missing, or has no valid date.
    """
    outputs = Outputs(chain.at)
    found = []
    for entry in chain.ledger.benchmarks:
        if entry.benchmark in private:
            continue
        for model, score in entry.models.items():
            run = outputs.lineage(f"evaluate@{model}-{entry.benchmark}")
            _expect_date(run)
            found.append(Measured(model, entry, score, run, chain.params))
    return found


def _expect_date(run: Lineage) -> None:
    try:
        has_zone = datetime.fromisoformat(run.started).tzinfo is not None
    except ValueError:
        has_zone = False
    if not has_zone:
        raise InputError(
            f"{lineage_file(run.name)}: started is {run.started!r}, which is not a date with a "
            f"time zone: run `dvc repro {shlex.quote(run.name)}`"
        )
