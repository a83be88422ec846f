"""The stages that a number rests on."""

from dataclasses import dataclass
from typing import Any

from mathledger.chain.chain import Chain
from mathledger.chain.git import has_commit
from mathledger.chain.lock import Out, Stage
from mathledger.chain.parsing import parse_json
from mathledger.core.errors import InputError
from mathledger.core.keys import flatten
from mathledger.core.paths import is_data, is_metric
from mathledger.run.lineage import Lineage
from mathledger.trace.store import Store


@dataclass(frozen=True)
class Digest:
    """A file or folder that a stage read or wrote."""

    md5: str
    bytes: int
    files: dict[str, str] | None = None  # of a folder that it wrote: path -> md5


@dataclass(frozen=True)
class Step:
    """One stage of the chain: what it reports, read and wrote, and the run that did."""

    stage: str
    reads: list[str]  # the stages whose outputs it read
    reported: dict[str, Any]  # its metrics, or the receipt of its download
    params: dict[str, Any]  # by dotted key
    deps: dict[str, Digest]
    outs: dict[str, Digest]
    command: str
    lineage: Lineage
    link: str | None  # to its run in MLflow
    has_commit: bool  # whether this clone has the commit that it ran at

    @property
    def kind(self) -> str:
        return self.stage.partition("@")[0]


def step(chain: Chain, stage: Stage, store: Store) -> Step:
    """Gather what is recorded of one stage of the chain.

    Raises:
        InputError: it has no lineage, so that nothing says which run made its outs.
    """
    if chain.out(stage.lineage) is None:
        raise InputError(
            f"{stage.name} of {chain.label} has no lineage: dvc.lock names no {stage.lineage}, so "
            "nothing says which run made its results; run `dvc repro`"
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
    """Return the digest of an output; of a folder those of its files, too."""
    return Digest(out.md5, out.size, None if out.num_files is None else chain.files(out))


def reported(chain: Chain, stage: Stage) -> dict[str, Any]:
    """Return what a stage reports: its metrics, and the receipt of what it downloaded."""
    content: dict[str, Any] = {}
    for path in stage.outs:
        if is_metric(path):
            content |= parse_json(chain.read(path), f"{path} of {chain.label}")
        elif stage.kind.startswith("download_") and is_data(path):
            content |= chain.json(f"{path}/receipt.json")
    return content
