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
    """A score that another card states; the card shows it as a claim, not as a measurement."""

    model: str = Field(description="Name of the model on the hub.")
    benchmark: str = Field(description="Name of a benchmark in conf/benchmark/.")
    low: Share = Field(description='Lower end of the claimed score, such as 0.95 for "95-99%".')
    high: Share = Field(
        description="Upper end of the claimed score; equal to low for a single number."
    )
    source: str = Field(description="Place and wording of the claim.")


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
        description="Scores that other cards state, shown next to the measured ones."
    )


def check_claims(claims: Sequence[Claim], benchmarks: Collection[str]) -> None:
    """Raise InputError if a claim names an unknown benchmark, or its low exceeds its high.

    Args:
        benchmarks: the names of the benchmarks in conf/benchmark/.
    """
    for number, claim in enumerate(claims):
        where = f"model_card.claims[{number}]"
        if claim.benchmark not in benchmarks:
            raise InputError(
                f"{where}.benchmark: {CONF}/benchmark/{claim.benchmark}.yaml does not exist; "
                f"choose one of {', '.join(sorted(benchmarks))}"
            )
        if claim.low > claim.high:
            raise InputError(
                f"{where}: low={claim.low:g} exceeds high={claim.high:g}: swap or correct them"
            )
