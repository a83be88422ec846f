"""Where the chain of a number does not hold, or cannot be followed: a line each."""

import hashlib
from collections.abc import Iterator, Sequence

from mathledger.card.ledger import ModelScore
from mathledger.chain.chain import Chain
from mathledger.chain.facts import changed_deps
from mathledger.chain.git import is_shallow
from mathledger.chain.lock import Stage
from mathledger.core.paths import is_metric
from mathledger.trace.predictions import Predictions
from mathledger.trace.steps import Step
from mathledger.trace.store import Store


def of_steps(chain: Chain, steps: Sequence[Step]) -> Iterator[str]:
    """Name stages whose run, inputs or metrics are not those that the lock records."""
    for step in steps:
        stage = chain.stage(step.stage)
        if changed := changed_deps(stage, step.lineage):
            yield f"{step.stage}: its run read another {', '.join(changed)} than dvc.lock records"
        yield from _outdated_inputs(chain, stage)
        yield from _changed_metrics(chain, stage)


def _outdated_inputs(chain: Chain, stage: Stage) -> Iterator[str]:
    """Name inputs that have changed since the stage read them, by the lock alone.

    A folder of several stages' outs is left to `mathledger verify`: files of a corpus that is gone
    from params.yaml may lie in it.
    """
    for path, dep in stage.deps.items():
        if chain.out(path) is not None and (made := chain.md5(path)) != dep.md5:
            yield (
                f"{stage.name} has read {path} with md5 {dep.md5[:12]}, and "
                f"{chain.makers(path)[0].name} has since written {made[:12]}: what is shown of "
                "that stage is not what the number rests on; run `dvc repro`"
            )


def _changed_metrics(chain: Chain, stage: Stage) -> Iterator[str]:
    for path, out in stage.outs.items():
        if is_metric(path):
            md5 = hashlib.md5(chain.read(path), usedforsecurity=False).hexdigest()
            if md5 != out.md5:
                yield (
                    f"{path} is not the file that dvc.lock records: `mathledger verify` says more, "
                    "`dvc repro` makes it anew"
                )


def of_history(chain: Chain, steps: Sequence[Step]) -> Iterator[str]:
    """Say what makes the code of a run hard to find again."""
    missing: dict[str, list[str]] = {}
    for step in steps:
        if not step.has_commit:
            missing.setdefault(step.lineage.git_revision, []).append(step.stage)
    for commit, stages in missing.items():
        mend = (
            "it is shallow: `git fetch --unshallow`"
            if is_shallow(chain.at)
            else "its history was rewritten, or the commit never pushed; the digests of the code "
            "that ran are here, the code is where that commit is: fetch it from there"
        )
        yield f"this clone lacks commit {commit[:10]}, of {_named(stages)}: {mend}"
    dirty = [step.stage for step in steps if step.lineage.code_is_dirty]
    if dirty:
        yield (
            f"{_named(dirty)} ran with changes that were not committed: the digests of the code, "
            "not the commit, say what ran"
        )


def of_store(store: Store, steps: Sequence[Step]) -> Iterator[str]:
    """Name runs that the MLflow store cannot show."""
    if store.is_missing:
        yield (
            f"there is no MLflow store ({store.name}): runs have no links; what they recorded "
            "is in lineage/"
        )
        return
    lost = [step.stage for step in steps if step.link is None]
    if store.runs is not None and lost:
        yield (
            f"{store.name} has no run of {_named(lost)}: they were logged to another store, or "
            "deleted; `mathledger sync-mlflow` brings them from lineage/"
        )


def of_predictions(chain: Chain, score: ModelScore, predictions: Predictions) -> Iterator[str]:
    """Say if a number was computed from other responses, or does not follow from its counts."""
    if predictions.sha256 != score.samples_sha256:
        yield (
            f"the number was computed from other responses than {predictions.path} of "
            f"{chain.label}: the ledger has sha256 {score.samples_sha256[:12]}, the file has "
            f"{predictions.sha256[:12]}; run `dvc repro model_card`"
        )
    stated = (score.num_correct, score.num_samples)
    num_correct = predictions.by_verdict["correct"]
    if stated != (num_correct, predictions.num_samples) or not _is_mean(score):
        yield (
            f"the ledger says {stated[0]} of {stated[1]} and {score.accuracy}; the responses "
            f"themselves hold {num_correct} of {predictions.num_samples}: run `mathledger verify`"
        )


def _is_mean(score: ModelScore) -> bool:
    """Return True if an accuracy is what its counts give, to the four digits of the ledger."""
    mean = score.num_correct / score.num_samples
    return abs(score.accuracy - mean) < 1e-4


def _named(stages: Sequence[str]) -> str:
    if len(stages) <= 3:
        return ", ".join(stages)
    return f"{stages[0]} and {len(stages) - 1} more stages"
