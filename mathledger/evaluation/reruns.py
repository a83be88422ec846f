"""Record how many responses differ if they are generated again, for the card to state.

`python -m stages.evaluate MODEL BENCHMARK --spot-check N --record` adds a line to
conf/model_card/reruns.jsonl. A line counts only for the responses that it names by their sha256.
"""

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mathledger.core.files import write_text
from mathledger.core.typed import Record

FILE = Path("conf/model_card/reruns.jsonl")
Number = Annotated[int, Field(ge=0)]


class Rerun(Record):
    """Responses that were generated again, compared with the stored ones."""

    model: str
    benchmark: str
    samples_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    backend: str
    dtype: str | None
    batch_size: Number = Field(description="Batch size of this run, in a new process.")
    cpu: str
    gpus: list[str]
    num_responses: Number
    num_same: Number
    num_characters: Number = Field(description="Characters of the stored responses.")
    num_same_characters: Number = Field(description="Characters before the first difference.")
    num_flipped: Number = Field(description="Responses with another verdict.")

    @property
    def conditions(self) -> tuple[object, ...]:
        """Return what a newer line must share with an older one to replace it."""
        where = self.backend, self.dtype, self.batch_size, self.cpu, *self.gpus
        return self.model, self.benchmark, self.samples_sha256, *where


def read(path: Path) -> list[Rerun]:
    """Read the file; a project without it has no reruns."""
    return Rerun.read_lines(path, written_by="--spot-check N --record")


def record(path: Path, rerun: Rerun) -> None:
    """Add a line; it replaces those of older responses, and one of the same conditions."""
    cell = rerun.model, rerun.benchmark
    kept = [
        each
        for each in read(path)
        if (each.model, each.benchmark) != cell
        or (each.samples_sha256 == rerun.samples_sha256 and each.conditions != rerun.conditions)
    ]
    lines = [json.dumps(each.content(), sort_keys=True) for each in [*kept, rerun]]
    write_text(path, "".join(f"{line}\n" for line in sorted(lines)))
