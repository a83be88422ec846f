"""Write the results of finished experiments to the file from which the card states the spread."""

import re
from pathlib import Path

from mathledger.card.replicates import (
    Training,
    counts,
    inputs_digest,
    params_digest,
    read,
    seeds,
    text,
)
from mathledger.chain import facts, git
from mathledger.chain.chain import Chain
from mathledger.compare.load import expect_whole
from mathledger.core.errors import InputError
from mathledger.core.files import write_text
from mathledger.run.params import final_model


def collect(at: Path, name: str, file: Path) -> str:
    """Add the finished experiments NAME-1, NAME-2, ... to the file, and say what to do next.

    A line with the same params and seeds is replaced, and so are lines of the same params that ran
    with other rows or code.

    Raises:
        InputError: there are no such experiments, or one is not whole.
    """
    pattern = re.compile(rf"{re.escape(name)}-\d+")
    found = [
        training(Chain(each.name, each.commit, at))
        for each in git.experiments(at)
        if pattern.fullmatch(each.name)
    ]
    if not found:
        raise InputError(
            f"there are no finished experiments {name}-1, {name}-2, ...: `dvc queue status` shows "
            "those that wait or failed"
        )
    inputs = {each.params_sha256: each.inputs_sha256 for each in found}
    new = {(each.params_sha256, tuple(each.seeds.items())): each for each in found}
    kept = [
        each
        for each in read(file)
        if inputs.get(each.params_sha256, each.inputs_sha256) == each.inputs_sha256
        and (each.params_sha256, tuple(each.seeds.items())) not in new
    ]
    latest = [each for each in new.values() if inputs[each.params_sha256] == each.inputs_sha256]
    every = sorted([*kept, *latest], key=lambda each: (each.params_sha256, *each.seeds.values()))
    write_text(file, text(every))
    return f"{file}: {described(every)}. Commit it, and run `dvc repro model_card`.\n"


def training(chain: Chain) -> Training:
    """Return the results of an experiment.

    Raises:
        InputError: it mixes two states, or its responses are not in the cache.
    """
    expect_whole(chain)
    ledger = chain.ledger
    final = final_model(ledger.params)
    return Training(
        experiment=chain.name,
        commit=str(chain.commit),
        params_sha256=params_digest(ledger.params),
        inputs_sha256=inputs_digest(ledger.code, ledger.stages),
        seeds=seeds(ledger.params),
        ledger_sha256=chain.ledger_sha256,
        model=final,
        scores={
            each.benchmark: counts(
                facts.responses(chain, final, each.benchmark), each.source.items_digest
            )
            for each in ledger.benchmarks
        },
    )


def described(trainings: list[Training]) -> str:
    """Count the trainings by their params.

    >>> described([])
    'no trainings'
    """
    of_params = [each.params_sha256 for each in trainings]
    counted = [of_params.count(digest) for digest in dict.fromkeys(of_params)]
    shown = [f"{number} training{'s' * (number > 1)}" for number in counted]
    return " and ".join(shown) + " of one setting each" * (len(shown) > 1) or "no trainings"
