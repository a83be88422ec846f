"""Read the results of other trainings that differ from this one only in their seeds.

`mathledger replicate --collect` writes conf/model_card/replicates.jsonl from finished experiments,
one training a line: the digest of its params without seeds, the digest of the rows, weights and
code that decide its responses, its seeds, and how many responses to each item are correct. Git
holds the file, so the card can state the spread over trainings in any clone. A line counts only for
a card with the same digests. The file does not depend on the card, and no stage before the card
reads it.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from mathledger.card.ledger import Benchmark
from mathledger.card.ledger_replicates import Replicate, Replicates, TrainingSpread
from mathledger.card.outputs import Outputs
from mathledger.card.quantities import Count, Sha256
from mathledger.core.hashing import sha256
from mathledger.core.keys import flatten
from mathledger.core.tables import read_batches
from mathledger.core.typed import Record
from mathledger.evaluation import spread
from mathledger.evaluation.statistics import stored
from mathledger.run.params import final_model

FILE = Path("conf/model_card/replicates.jsonl")
SEEDED = ("mix", "train", "reinforce", "evaluate")  # sections whose seeds vary order and sampling
# These sections change no response of the final model.
NO_RESULT = ("model_card", "engine", "models", "evaluated_models")
# This code decides only which rows the mix reads, and these rows are compared instead of it.
BEFORE_MIX = re.compile(
    r"conf/|stages/(download_\w+|prepare|deduplicate|decontaminate)\.py$"
    r"|mathledger/(filters/(?!mix\.py$)|text/)"
)


class Counts(Record):
    """The outcomes of one training on a benchmark."""

    items_digest: str
    num_repeats: Annotated[int, Field(ge=1)]
    num_correct: list[Count] = Field(description="Correct responses by item, sorted by item id.")

    @model_validator(mode="after")
    def _no_more_than_the_responses(self) -> Self:
        if (most := max(self.num_correct, default=0)) > self.num_repeats:
            raise ValueError(
                f"an item has {most} correct responses, but num_repeats is {self.num_repeats}"
            )
        return self


class Training(Record):
    """One line of the file."""

    experiment: str
    commit: str
    params_sha256: Sha256
    inputs_sha256: Sha256
    seeds: dict[str, int]
    ledger_sha256: Sha256
    model: str
    scores: dict[str, Counts]


def is_seed(key: str) -> bool:
    """Return True if a dotted key of params.yaml is a seed that replicates vary.

    >>> is_seed("train.seed"), is_seed("reinforce.grpo.seed"), is_seed("deduplicate.seed")
    (True, True, False)
    """
    section, _, rest = key.partition(".")
    return section in SEEDED and rest.split(".")[-1] == "seed"


def seeds(params: Mapping[str, Any]) -> dict[str, int]:
    """Return the seeds that decide the training and the responses, by dotted key.

    Greedy responses do not depend on a seed.
    """
    flat = flatten(params)
    is_greedy = flat.get("evaluate.temperature") == 0
    return {
        key: value
        for key, value in sorted(flat.items())
        if is_seed(key) and not (is_greedy and key == "evaluate.seed")
    }


def params_digest(params: Mapping[str, Any]) -> str:
    """Return the digest of the params without the seeds, and without what changes no response."""
    return _digest(
        {
            key: value
            for key, value in flatten(params).items()
            if not is_seed(key) and key.partition(".")[0] not in NO_RESULT
        }
    )


def inputs_digest(code: Mapping[str, str], stages: Mapping[str, Mapping[str, str]]) -> str:
    """Return the digest of the rows, weights and code that decide a training and its responses.

    Args:
        code: A ledger's digests of the code that ran, by path.
        stages: A ledger's digests of the data that each stage read, by path.
    """
    after = {path: digest for path, digest in code.items() if not BEFORE_MIX.match(path)}
    weights = {
        path: digest for path, digest in stages["train"].items() if path.startswith("data/model/")
    }
    return _digest({**after, **weights, **stages["mix"]})


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: Path) -> list[Training]:
    """Read the file; a project without it has no replicates."""
    return Training.read_lines(path, written_by="mathledger replicate --collect")


def text(trainings: Sequence[Training]) -> str:
    """Return the content of the file."""
    lines = (json.dumps(each.content(), sort_keys=True, ensure_ascii=False) for each in trainings)
    return "".join(f"{line}\n" for line in lines)


def counts(path: Path, items_digest: str) -> Counts:
    """Count the correct responses to each item of a samples.parquet."""
    right: dict[str, list[bool]] = {}
    for batch in read_batches(path, ["item_id", "correct"]):
        columns = batch.to_pydict()
        for item, is_right in zip(columns["item_id"], columns["correct"], strict=True):
            right.setdefault(item, []).append(is_right)
    return Counts(
        items_digest=items_digest,
        num_repeats=len(next(iter(right.values()))),
        num_correct=[sum(right[item]) for item in sorted(right)],
    )


def summary(
    outputs: Outputs,
    params: Mapping[str, Any],
    code: Mapping[str, str],
    stages: Mapping[str, Mapping[str, str]],
    benchmarks: Sequence[Benchmark],
) -> Replicates | None:
    """Return the spread of the final model's scores over this training and its replicates.

    Returns:
        The spread, or None if the file has no training with these params.
    """
    path, model = outputs.root / FILE, final_model(params)
    same = [each for each in read(path) if each.params_sha256 == params_digest(params)]
    own = seeds(params)
    other_seeds = [each for each in same if each.seeds != own and each.model == model]
    inputs = inputs_digest(code, stages)
    used = [each for each in other_seeds if each.inputs_sha256 == inputs]
    if not other_seeds:
        return None
    return Replicates(
        file_sha256=sha256(path),
        trainings=[
            Replicate(
                experiment=each.experiment,
                commit=each.commit,
                seeds=each.seeds,
                ledger_sha256=each.ledger_sha256,
            )
            for each in used
        ],
        num_with_other_inputs=len(other_seeds) - len(used),
        spreads=[
            found
            for entry in benchmarks
            if (found := _spread(outputs, entry, model, used)) is not None
        ],
    )


def _spread(
    outputs: Outputs, entry: Benchmark, model: str, trainings: Sequence[Training]
) -> TrainingSpread | None:
    """Return the spread on a benchmark; None if no other training answered the same items."""
    own = counts(outputs.samples(model, entry.benchmark), entry.source.items_digest)
    others = [each.scores.get(entry.benchmark) for each in trainings]
    alike = [each for each in others if each and is_comparable(own, each)]
    if not alike:
        return None
    found = spread.over_trainings([shares(each) for each in (own, *alike)])
    ends = found.interval
    return TrainingSpread(
        benchmark=entry.benchmark,
        scores=[stored(score) for score in found.scores],
        mean=stored(found.mean),
        sd=None if found.sd is None else stored(found.sd),
        low=stored(ends.low) if ends else None,
        high=stored(ends.high) if ends else None,
    )


def is_comparable(one: Counts, other: Counts) -> bool:
    """Return True if two trainings answered the same items."""
    return one.items_digest == other.items_digest and len(one.num_correct) == len(other.num_correct)


def shares(counts: Counts) -> list[float]:
    """Return each item's share of correct responses."""
    return [number / counts.num_repeats for number in counts.num_correct]
