"""Find the recorded changes that can have changed a number, by walking up the data that differs.

A change at a stage (code, params, packages, hardware, or its download) is a cause if differing data
leads from that stage to the number's responses. A stage that ran differently but wrote the same
bytes is not a cause. If several changes meet, all are causes, because two states cannot separate
their effects.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from mathledger.card.ledger import BaseModelInput, BenchmarkSource, Corpus, OtherModel
from mathledger.core.keys import differences, flatten, param_differences
from mathledger.core.paths import is_code
from mathledger.diff.sides import Number, Run, Side

MODELS = {"base": "download_model", "tuned": "train", "reinforced": "reinforce"}
IDLE = ("model_card", "probe")  # stages and sections that do not affect numbers


@dataclass(frozen=True)
class Change:
    """A recorded value that differs between the two sides."""

    kind: str  # data, code, params, packages or hardware
    key: str  # for example corpora.web.revision, stages/train.py, train.seed, torch, cpu
    a: Any
    b: Any

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return self.kind, self.key, repr(self.a), repr(self.b)


@dataclass(frozen=True)
class Route:
    """The stages with differing output that lead to a number's responses, upstream first."""

    stages: list[str]
    unexplained: list[str]  # stages with the same inputs and no recorded change


def makers(path: str, stages: Collection[str]) -> list[str]:
    """Return the stages that made a path data/KIND[/ITEM] or data/model/NAME.

    >>> makers("data/prepare", ["prepare@web", "prepare@books", "mix"])
    ['prepare@web', 'prepare@books']
    >>> makers("data/model/base/tokenizer.json", ["download_model", "train"])
    ['download_model']
    """
    _, kind, item, *_ = [*path.split("/"), ""]
    if kind == "model" and item in MODELS:
        return [stage for stage in stages if stage.partition("@")[0] == MODELS[item]]
    if kind == "model":
        return [stage for stage in stages if stage == f"download_models@{item}"]
    exact = f"{kind}@{item}"
    return [stage for stage in stages if stage == exact] or [
        stage for stage in stages if stage.partition("@")[0] == kind
    ]


# Maps each part of a run's record to the function that compares it.
RECORDED = {
    "code": differences,
    "params": param_differences,
    "packages": differences,
    "hardware": differences,
}


def own_changes(a: Side, b: Side, stage: str) -> list[Change]:
    """Return the recorded changes at a stage itself, except those of its inputs."""
    downloads = differences(_source(a, stage), _source(b, stage))
    changes = [Change("data", key, *values) for key, *values in downloads]
    old, new = a.runs.get(stage), b.runs.get(stage)
    if old is None or new is None:
        return changes
    for kind, compare in RECORDED.items():
        before, after = getattr(old, kind), getattr(new, kind)
        if before is not None and after is not None:
            changes += [Change(kind, key, *values) for key, *values in compare(before, after)]
    return changes


def _source(side: Side, stage: str) -> dict[str, Any]:
    """Return the ledger's record of a stage's download, by dotted key."""
    kind, _, item = stage.partition("@")
    if kind == "download_corpus":
        if corpus := side.ledger.corpora.get(item):
            name = f"corpora.{item}"
            files = {f"{name}.files.{file}": own.sha256 for file, own in corpus.files.items()}
            return _named(name, corpus) | files
    elif kind == "download_benchmark":
        if benchmark := side.benchmarks.get(item):
            name, source = f"benchmarks.{item}", benchmark.source
            return _named(name, source) | {f"{name}.items_digest": source.items_digest}
    elif kind == "download_model":
        return _named("base_model", side.ledger.base_model)
    elif kind == "download_models" and (other := side.ledger.others.get(item)):
        return _named(f"models.{item}", other)
    return {}


def _named(
    name: str, source: Corpus | BaseModelInput | OtherModel | BenchmarkSource
) -> dict[str, str]:
    return {
        f"{name}.name": source.name,
        f"{name}.revision": source.revision,
        f"{name}.licence": source.licence,
    }


def unattributed(a: Side, b: Side) -> list[Change]:
    """Return changes of code and params in ledgers, which do not name the stages that read them.

    Two chains have no such changes, because their lineage names the stages.
    """
    if a.chain and b.chain:
        return []
    code = differences(a.ledger.code, b.ledger.code)
    params = param_differences(*(flatten(side.ledger.params) for side in (a, b)))
    return [
        *(Change("code", key, *values) for key, *values in code),
        *(Change("params", key, *values) for key, *values in params),
    ]


def can_lead_to_numbers(change: Change) -> bool:
    """Return True if a change without known stages may affect a number."""
    if not is_code(change.key):
        return change.key.partition(".")[0] not in IDLE
    path = PurePosixPath(change.key)
    return path.stem not in IDLE and path.parts[:2] != ("mathledger", "card")


def is_same_run(a: Side, b: Side, stage: str) -> bool:
    """Return True if a stage read the same data, and none of its records changed."""
    old, new = a.runs.get(stage), b.runs.get(stage)
    same = old is not None and new is not None and old.inputs == new.inputs
    return same and not own_changes(a, b, stage)


def trace(a: Side, b: Side, number: Number) -> Route:
    """Trace responses that differ back to the stages with differing output."""
    stages = list(dict.fromkeys([*a.runs, *b.runs]))
    route = Route([], [])
    is_loose = bool(unattributed(a, b))

    def visit(stage: str, is_changed: bool) -> None:
        """Visit upstream stages first; `is_changed` says that the output is known to differ."""
        if stage in route.stages:
            return
        old, new = a.runs.get(stage), b.runs.get(stage)
        inputs = list(differences(old.inputs, new.inputs)) if old and new else []
        for path, *_ in inputs:
            known = makers(path, stages)
            for maker in known:
                is_known, is_other = _output(a.runs.get(maker), b.runs.get(maker))
                if is_other or not is_known:
                    visit(maker, is_known or len(known) == 1)
        route.stages.append(stage)
        has_cause = is_loose or inputs or own_changes(a, b, stage)
        if is_changed and old and new and not has_cause:
            route.unexplained.append(stage)

    visit(number.stage, True)
    return route


def _output(old: Run | None, new: Run | None) -> tuple[bool, bool]:
    """Return whether both outputs of a stage are known, and whether they differ."""
    if old is None or new is None:
        return True, True
    if old.outputs is None or new.outputs is None:
        return False, False
    return True, old.outputs != new.outputs


def upstream(side: Side, numbers: Iterable[Number]) -> set[str]:
    """Return the stages upstream of some numbers."""
    waiting = [number.stage for number in numbers]
    seen = set[str]()
    while waiting:
        stage = waiting.pop()
        if stage not in seen and stage in side.runs:
            seen.add(stage)
            waiting += [m for path in side.runs[stage].inputs for m in makers(path, side.runs)]
    return seen
