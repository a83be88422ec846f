"""The section `model_card` of params.yaml."""

from collections.abc import Collection, Sequence
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import CONF, STRICT
from mathledger.core.errors import InputError

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=STRICT)
class Claim:
    """A score that another card states. It is shown as a claim, apart from what was measured."""

    model: str = Field(description="Name of the model on the hub.")
    benchmark: str = Field(description="Name of a benchmark in conf/benchmark/.")
    low: Share = Field(description='Lower end of the claimed score: 0.95 for "95-99%".')
    high: Share = Field(
        description="Upper end of the claimed score; equal to low for a single number."
    )
    source: str = Field(description="Where the score is stated, and in which words.")


@dataclass(frozen=True, config=STRICT)
class Params:
    name: str = Field(description="Name of the model on its card.")
    language: str = Field(description="Language of the model, as an ISO 639-1 code.")
    url: str | None = Field(
        description=(
            "Public address of this repository, which the card links to; null if it has none."
        ),
    )
    claims: list[Claim] = Field(
        description="Scores that other cards state, shown beside the measured ones."
    )


def check_claims(claims: Sequence[Claim], benchmarks: Collection[str]) -> None:
    """Raise InputError if a claim names an unknown benchmark, or its range is upside down.

    Args:
        benchmarks: the names that conf/benchmark/ has.
    """
    for number, claim in enumerate(claims):
        where = f"model_card.claims[{number}]"
        if claim.benchmark not in benchmarks:
            raise InputError(
                f"{where}.benchmark: there is no {CONF}/benchmark/{claim.benchmark}.yaml; "
                f"there are {', '.join(sorted(benchmarks))}"
            )
        if claim.low > claim.high:
            raise InputError(f"{where}: low {claim.low:g} is above high {claim.high:g}")
