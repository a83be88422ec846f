"""Read the records of the stages behind a number."""

from dataclasses import dataclass
from typing import Any

from mathledger.chain.chain import Chain
from mathledger.chain.git import has_commit
from mathledger.chain.lock import Out, Stage
from mathledger.core.errors import InputError
from mathledger.core.keys import flatten
from mathledger.core.parsing import parse_json
from mathledger.core.paths import is_data, is_metric
from mathledger.run.lineage import Lineage
from mathledger.trace.store import Store


@dataclass(frozen=True)
class Digest:
    """The digest of a file or folder that a stage read or wrote."""

    md5: str
    bytes: int
    files: dict[str, str] | None = None  # path -> md5 for the files of an output folder


@dataclass(frozen=True)
class Step:
    """One stage of the chain with its metrics, inputs, outputs and run."""

    stage: str
    reads: list[str]  # stages whose outputs it read
    reported: dict[str, Any]  # its metrics, or the receipt of its download
    params: dict[str, Any]  # dotted key -> value
    deps: dict[str, Digest]
    outs: dict[str, Digest]
    command: str
    lineage: Lineage
    link: str | None  # address of its run in MLflow
    has_commit: bool  # True if this clone has the commit that it ran at

    @property
    def kind(self) -> str:
        return self.stage.partition("@")[0]


def step(chain: Chain, stage: Stage, store: Store) -> Step:
    """Gather the records of one stage of the chain.

    Raises:
        InputError: the stage has no lineage, so the run that made its outputs is unknown.
    """
    if chain.out(stage.lineage) is None:
        raise InputError(
            f"{stage.name} of {chain.label} has no lineage: dvc.lock does not list "
            f"{stage.lineage}, so the run that made its results is unknown; run `dvc repro`"
        )
    lineage = chain.lineage(stage)
    return Step(
        stage.name,
        [each.name for each in chain.parents(stage)],
        reported(chain, stage),
        flatten(stage.params),
        {path: Digest(dep.md5, dep.size) for path, dep in stage.deps.items()},
        {path: written(chain, out) for path, out in stage.outs.items()},
        stage.cmd,
        lineage,
        store.link(lineage.mlflow_run_id),
        has_commit(lineage.git_revision, chain.at),
    )


def written(chain: Chain, out: Out) -> Digest:
    """Return the digest of an output, and those of its files if it is a folder."""
    return Digest(out.md5, out.size, None if out.num_files is None else chain.files(out))


def reported(chain: Chain, stage: Stage) -> dict[str, Any]:
    """Return a stage's metrics, and the receipt of its download."""
    content: dict[str, Any] = {}
    for path in stage.outs:
        if is_metric(path):
            content |= parse_json(chain.read(path), f"{path} of {chain.label}")
        elif stage.kind.startswith("download_") and is_data(path):
            content |= chain.json(f"{path}/receipt.json")
    return content
