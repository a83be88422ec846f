"""Load the states to compare, from ledger, dvc.lock, lineage and stored responses."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathledger.card.ledger import Benchmark, Score
from mathledger.card.outputs import EVIDENCE
from mathledger.card.overlap import overlapping_rows
from mathledger.card.replicates import inputs_digest, params_digest, seeds
from mathledger.chain import facts
from mathledger.chain.chain import LEDGER, Chain
from mathledger.chain.git import experiments
from mathledger.core.errors import InputError
from mathledger.core.keys import ABSENT, differences, flatten, param_differences
from mathledger.core.tables import read_batches
from mathledger.run.git import head
from mathledger.run.params import final_model

TRAINING = ("train", "reinforce")

Outcomes = dict[str, list[bool]]  # for each item, whether each response to it is correct


@dataclass(frozen=True)
class Responses:
    """A model's responses to a benchmark, with their score in the ledger."""

    score: Score
    items_digest: str
    outcomes: Outcomes


@dataclass(frozen=True)
class Cost:
    """The cost of training the final model."""

    train_seconds: float
    energy_kwh: float | None  # null if it could not be estimated
    is_resumed: bool  # True if the two exclude work before the checkpoint of a killed run
    device: str


@dataclass(frozen=True)
class Experiment:
    """A state that is compared."""

    name: str
    commit: str | None
    changed: list[str]  # differences of params and code from the baseline
    num_rows_trained_on: int
    cost: Cost
    model: str
    responses: dict[str, Responses]  # by benchmark
    setting: str = ""  # digest of params and code without seeds; equal in trainings of one setting
    seeds: tuple[int, ...] = ()


def chosen(revisions: list[str], baseline: str | None) -> tuple[Chain, list[Chain]]:
    """Open the baseline and the states to compare with it; by default HEAD and its experiments.

    Raises:
        InputError: a revision does not exist, or HEAD has no experiments.
    """
    if revisions:
        first = Chain.open(baseline or revisions[0])
        others = [Chain.open(each) for each in revisions]
    else:
        first = Chain.open(baseline or "HEAD")
        others = experiments_of_head(first.at)
        if baseline:
            others.insert(0, Chain.open("HEAD"))
    return first, [each for each in others if each.commit != first.commit]


def experiments_of_head(at: Path) -> list[Chain]:
    """Return the experiments that started from HEAD, the oldest first.

    Raises:
        InputError: there are none.
    """
    baseline = head(at)
    own = [each for each in experiments(at) if each.baseline == baseline]
    if not own:
        raise InputError(
            "HEAD has no experiments: `dvc exp run --name NAME -S ...` makes one; to compare "
            "branches, tags, or experiments of other commits (`dvc exp list --all-commits`), name "
            "them"
        )
    return [Chain(each.name, each.commit, at) for each in own]


def experiment(chain: Chain, baseline: Chain) -> Experiment:
    """Read an experiment from its ledger, dvc.lock and lineage.

    Raises:
        InputError: the experiment has no ledger, or one that does not belong to its dvc.lock.
    """
    expect_whole(chain)
    ledger, before = chain.ledger, baseline.ledger
    final = final_model(ledger.params)
    responses = {each.benchmark: _responses(chain, final, each) for each in ledger.benchmarks}
    changed = list(changes(before.params, ledger.params))
    if num_code := len(list(differences(before.code, ledger.code))):
        changed.append(f"code ({num_code} file{'s' * (num_code > 1)})")
    num_rows = ledger.training.num_examples
    setting = f"{params_digest(ledger.params)} {inputs_digest(ledger.code, ledger.stages)}"
    return Experiment(
        chain.name,
        chain.commit,
        changed,
        num_rows,
        cost(chain),
        final,
        responses,
        setting,
        tuple(seeds(ledger.params).values()),
    )


def _responses(chain: Chain, model: str, benchmark: Benchmark) -> Responses:
    """Return a score of the ledger with the responses behind it."""
    own = outcomes(facts.responses(chain, model, benchmark.benchmark))
    return Responses(benchmark.models[model], benchmark.source.items_digest, own)


def outcomes(path: Path) -> Outcomes:
    """Read for each item of a samples.parquet whether each response is correct."""
    found: Outcomes = {}
    for batch in read_batches(path, ["item_id", "correct"]):
        columns = batch.to_pydict()
        for item, is_right in zip(columns["item_id"], columns["correct"], strict=True):
            found.setdefault(item, []).append(is_right)
    return found


def expect_whole(chain: Chain) -> None:
    """Raise InputError if only a part of the pipeline has run, so that numbers mix two states."""
    advice = "run the whole pipeline (`dvc repro`, or the experiment without a target), or omit it"
    if chain.ledger.params != chain.params:
        raise InputError(
            f"{LEDGER} of {chain.label} has other params than its params.yaml: {advice}"
        )
    facts.expect_ledger_of_lock(chain, advice)
    for name in chain.ledger.stages:
        for path, md5 in chain.stage(name).data_read.items():
            made = [
                out.md5 for each in chain.stages.values() for out in [each.outs.get(path)] if out
            ]
            if made and made != [md5]:
                raise InputError(
                    f"in {chain.label}, {path} has changed since {name} read it: {advice}"
                )


def changes(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Yield a description of each difference between two trees of params.

    >>> list(changes({"a": {"c": 2}, "d": {"e": 5}}, {"a": {"c": 3}, "f": {"g": 4}}))
    ['a.c=3', 'no d', 'with f']
    """
    pairs = param_differences(flatten(before), flatten(after))
    for key, old, new in sorted(pairs, key=lambda pair: pair[0]):
        # Null in place of a section means no section, as in `lora: null`.
        if new is ABSENT or (new is None and isinstance(old, dict)):
            yield f"no {key}"
        elif old is ABSENT or (old is None and isinstance(new, dict)):
            yield f"with {key}"
        else:
            yield f"{key}={new if isinstance(new, str) else json.dumps(new)}"


def cost(chain: Chain) -> Cost:
    """Return the total seconds and kWh of the training runs behind the final model."""
    runs = [chain.lineage(stage) for stage in chain.stages.values() if stage.kind in TRAINING]
    if not runs:
        raise InputError(f"dvc.lock of {chain.label} has no stage train: run `dvc repro` there")
    energy = [each.energy_kwh for each in runs]
    measured = [each for each in energy if each is not None]
    hardware = runs[-1].hardware
    return Cost(
        round(sum(each.train_seconds or 0.0 for each in runs), 1),
        round(sum(measured), 6) if len(measured) == len(runs) else None,
        any(each.resumed_from for each in runs),
        ", ".join(hardware.gpus or [hardware.cpu]),
    )


def overlapping_items(chain: Chain) -> dict[str, set[str]]:
    """Return for each benchmark the items that the corpora hold, in removed or kept rows."""
    hits = overlapping_rows(chain.cached(EVIDENCE))
    return {benchmark: set(items) for benchmark, items in hits.items()}
