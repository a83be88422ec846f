"""Report the gaps and breaks in the chain of a number, one line each."""

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
    """Report stages whose run, inputs or metrics differ from those in dvc.lock."""
    for step in steps:
        stage = chain.stage(step.stage)
        if changed := changed_deps(stage, step.lineage):
            yield (
                f"{step.stage}: its run read other versions of {', '.join(changed)} than dvc.lock "
                "records; run `dvc repro`"
            )
        yield from _outdated_inputs(chain, stage)
        yield from _changed_metrics(chain, stage)


def _outdated_inputs(chain: Chain, stage: Stage) -> Iterator[str]:
    """Report inputs that have changed since the stage read them, according to dvc.lock.

    A folder with the outputs of several stages is not checked here but by `mathledger verify`,
    because it may hold files of a corpus that is no longer in params.yaml.
    """
    for path, dep in stage.deps.items():
        if chain.out(path) is not None and (made := chain.md5(path)) != dep.md5:
            yield (
                f"{stage.name} read {path} with md5 {dep.md5[:12]}, but "
                f"{chain.makers(path)[0].name} has since written {made[:12]}, so the details "
                "shown of that stage do not belong to the number; run `dvc repro`"
            )


def _changed_metrics(chain: Chain, stage: Stage) -> Iterator[str]:
    for path, out in stage.outs.items():
        if is_metric(path):
            md5 = hashlib.md5(chain.read(path), usedforsecurity=False).hexdigest()
            if md5 != out.md5:
                yield (
                    f"{path} is not the file that dvc.lock records: `mathledger verify` shows "
                    "details, and `dvc repro` regenerates it"
                )


def of_history(chain: Chain, steps: Sequence[Step]) -> Iterator[str]:
    """Report runs whose code cannot be found in the history of this clone."""
    missing: dict[str, list[str]] = {}
    for step in steps:
        if not step.has_commit:
            missing.setdefault(step.lineage.git_revision, []).append(step.stage)
    for commit, stages in missing.items():
        remedy = (
            "the clone is shallow, so run `git fetch --unshallow`"
            if is_shallow(chain.at)
            else "history was rewritten, or the commit was never pushed; the digests of the code "
            "are recorded here, and the code itself must be fetched from a clone that has it"
        )
        yield f"this clone lacks commit {commit[:10]} of {_named(stages)}: {remedy}"
    dirty = [step.stage for step in steps if step.lineage.code_is_dirty]
    if dirty:
        yield (
            f"{_named(dirty)} ran with uncommitted changes: the digests of the code, not the "
            "commit, identify the code that ran"
        )


def of_store(store: Store, steps: Sequence[Step]) -> Iterator[str]:
    """Report runs that the MLflow store cannot show."""
    if store.is_missing:
        yield (
            f"there is no MLflow store ({store.name}), so runs have no links; lineage/ holds "
            "their records"
        )
        return
    lost = [step.stage for step in steps if step.link is None]
    if store.runs is not None and lost:
        yield (
            f"{store.name} has no run of {_named(lost)}, because it was logged to another store "
            "or deleted; `mathledger sync-mlflow` restores runs from lineage/"
        )


def of_predictions(chain: Chain, score: ModelScore, predictions: Predictions) -> Iterator[str]:
    """Report a number that belongs to other responses, or does not follow from its counts."""
    if predictions.sha256 != score.samples_sha256:
        yield (
            f"the number was computed from other responses than {predictions.path} of "
            f"{chain.label}: the ledger has sha256 {score.samples_sha256[:12]}, but the file has "
            f"{predictions.sha256[:12]}; run `dvc repro model_card`"
        )
    stated = (score.num_correct, score.num_samples)
    num_correct = predictions.by_verdict["correct"]
    if stated != (num_correct, predictions.num_samples) or not _is_mean(score):
        yield (
            f"the ledger says {stated[0]} of {stated[1]} and {score.accuracy}, but in the "
            f"responses {num_correct} of {predictions.num_samples} are correct: run "
            "`mathledger verify`"
        )


def _is_mean(score: ModelScore) -> bool:
    """Return True if an accuracy follows from its counts, to the four digits of older ledgers."""
    mean = score.num_correct / score.num_samples
    return abs(score.accuracy - mean) < 1e-4


def _named(stages: Sequence[str]) -> str:
    if len(stages) <= 3:
        return ", ".join(stages)
    return f"{stages[0]} and {len(stages) - 1} other stages"
