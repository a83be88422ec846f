"""Read a policy: which scores must not fall, or must rise, by how much and how surely."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mathledger import given
from mathledger.core.errors import InputError
from mathledger.core.parsing import parse_yaml
from mathledger.core.typed import Record


class Rule(Record):
    """A condition on one score, against the base revision or a fixed value."""

    metric: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")] = Field(
        description="BENCHMARK@MODEL: its accuracy, or avg@k with k responses to each item."
    )
    direction: Literal["not_lower", "higher"]
    margin: Annotated[float, Field(ge=0, lt=100)] = Field(
        description="Points that the score may fall, or by which it must rise."
    )
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        description="Confidence with which a fall or a rise must be shown."
    )
    value: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, description="Percent to compare with instead of the base revision."
    )
    when_unsure: Literal["pass", "fail"] | None = Field(
        default=None,
        description="Verdict if the items can show neither; default: pass for not_lower, else fail",
    )

    @property
    def benchmark(self) -> str:
        return self.metric.partition("@")[0]

    @property
    def model(self) -> str:
        return self.metric.partition("@")[2]

    @property
    def passes_unsure(self) -> bool:
        return (self.when_unsure or ("pass" if self.direction == "not_lower" else "fail")) == "pass"


class Policy(Record):
    """The rules of a policy file."""

    base: str | None = Field(default=None, description="Revision to compare with; --base wins.")
    rules: Annotated[list[Rule], Field(min_length=1)]


def read(path: Path) -> Policy:
    """Read a policy.

    Raises:
        InputError: the file is missing or is not YAML, or has unknown, missing or wrong keys.
    """
    text = given.read_text(path, "name a policy, as docs/gate.md shows it")
    content = parse_yaml(text, str(path))
    if not isinstance(content, dict):
        raise InputError(f"{path} has no `rules`: docs/gate.md shows a policy")
    return Policy.read_yaml(content, str(path))
