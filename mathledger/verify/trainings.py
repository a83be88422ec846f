"""Check the committed results of other runs, from which the card states the noise beyond items.

These are trainings with other seeds, and responses that were generated again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from mathledger.card import replicates
from mathledger.card.ledger_replicates import Replicate
from mathledger.card.replicates import Training, inputs_digest, params_digest, seeds
from mathledger.chain.chain import Chain
from mathledger.chain.git import has_commit
from mathledger.core.hashing import sha256
from mathledger.core.tables import read_rows
from mathledger.evaluation import reruns
from mathledger.evaluation.apart import whole
from mathledger.evaluation.reruns import Rerun
from mathledger.verify.project import Check, Project


def trainings(project: Project) -> Check:
    """Check the lines whose experiment is here, and count the others, which are taken as stored.

    A clone has no experiments until `dvc exp pull` brings them.
    """
    lines = replicates.read(replicates.FILE)
    own = project.ledger_again
    at = project.chain.at
    here = [each for each in lines if has_commit(each.commit, at)]
    for each in here:
        chain = Chain(each.experiment, each.commit, at)
        for what in disagreements(each, chain):
            yield f"{replicates.FILE}: {what} of {each.experiment} differs from its commit's ledger"
    counted = own.replicates.trainings if own.replicates else []
    known = {each.commit for each in here}
    absent = [each for each in counted if each.commit not in known]
    yield from (f"{replicates.FILE}: {what}" for what in repeated(counted, seeds(own.params)))
    for conditions, num in Counter(each.conditions for each in own.reruns).items():
        if num > 1:
            yield (
                f"{reruns.FILE}: {conditions[0]} on {conditions[1]} has {num} lines of the same "
                "conditions, but a newer line replaces an older one"
            )
    for rerun in own.reruns:
        where = f"{reruns.FILE}: {rerun.model} on {rerun.benchmark}"
        yield from (f"{where}: {what}" for what in impossible(project, rerun))
    seen = f"{len(here)} of {len(lines)} trainings with other seeds are in this clone, and agree"
    seen += f"; the card counts {len(absent)} others, taken as stored" if absent else ""
    return seen + (f"; reruns of responses: {len(own.reruns)}, which fit" if own.reruns else "")


def repeated(counted: Sequence[Replicate], own: Mapping[str, int]) -> Iterator[str]:
    """Yield why trainings on the card cannot all be different ones.

    Args:
        own: The seeds of this training, which no other may have.
    """
    for each in counted:
        if each.seeds.keys() != own.keys():
            yield (
                f"{each.experiment} has the seeds {', '.join(sorted(each.seeds))}, but the params "
                f"have {', '.join(sorted(own))}"
            )
    same = {
        "the same seeds": [str(sorted(each.seeds.items())) for each in counted],
        "the same ledger": [each.ledger_sha256 for each in counted],
        "the same commit": [each.commit for each in counted],
    }
    for what, values in same.items():
        for num in Counter(values).values():
            if num > 1:
                yield f"the card counts {num} trainings with {what}"


def impossible(project: Project, rerun: Rerun) -> Iterator[str]:
    """Yield what a count of responses that were generated again cannot be, given the responses."""
    path = project.outputs.samples(rerun.model, rerun.benchmark)
    if sha256(path) != rerun.samples_sha256:
        yield f"samples_sha256 is not that of {path}"
        return
    rows = read_rows(path)
    lengths = sorted(len(whole(row.get("thinking"), row["response"])) for row in rows)
    num, different = rerun.num_responses, rerun.num_responses - rerun.num_same
    if num > len(rows):
        yield f"num_responses is {num}, but there are {len(rows)} responses"
        return
    shortest, longest = sum(lengths[:num]), sum(lengths[len(lengths) - num :])
    if not shortest <= rerun.num_characters <= longest:
        yield (
            f"num_characters is {rerun.num_characters}, but {num} responses have between "
            f"{shortest} and {longest}"
        )
    if not 0 <= rerun.num_flipped <= different:
        yield f"num_flipped is {rerun.num_flipped}, but {different} responses differ"
    if rerun.num_same_characters > rerun.num_characters:
        yield "num_same_characters is more than num_characters"
    if not different and rerun.num_same_characters < rerun.num_characters:
        yield "no response differs, but num_same_characters is less than num_characters"


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
