"""Check the committed results of trainings with other seeds against their experiments."""

from collections.abc import Iterator

from mathledger.card import replicates
from mathledger.card.replicates import Training, inputs_digest, params_digest, seeds
from mathledger.chain.chain import Chain
from mathledger.chain.git import has_commit
from mathledger.verify.project import Check, Project


def trainings(project: Project) -> Check:
    """Check each line whose experiment is in this clone; `dvc exp pull` brings experiments."""
    lines = replicates.read(replicates.FILE)
    at = project.chain.at
    here = [each for each in lines if has_commit(each.commit, at)]
    for each in here:
        chain = Chain(each.experiment, each.commit, at)
        for what in disagreements(each, chain):
            yield f"{replicates.FILE}: {what} of {each.experiment} differs from its commit's ledger"
    return f"{len(here)} of {len(lines)} trainings with other seeds are in this clone, and agree"


def disagreements(training: Training, chain: Chain) -> Iterator[str]:
    """Yield where a line differs from the ledger of its experiment."""
    ledger = chain.ledger
    same = {
        "ledger_sha256": (training.ledger_sha256, chain.ledger_sha256),
        "params_sha256": (training.params_sha256, params_digest(ledger.params)),
        "inputs_sha256": (training.inputs_sha256, inputs_digest(ledger.code, ledger.stages)),
        "seeds": (training.seeds, seeds(ledger.params)),
        "scores": (
            {name: sum(own.num_correct) for name, own in training.scores.items()},
            {
                entry.benchmark: entry.models[training.model].num_correct
                for entry in ledger.benchmarks
                if training.model in entry.models
            },
        ),
    }
    yield from (what for what, (stated, found) in same.items() if stated != found)
