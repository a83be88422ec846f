"""One state of the project, read without DVC: a commit, an experiment, or the files as they stand.

What proves a result is git, dvc.lock and the objects of DVC's cache that the lock names. `Chain`
reads just these; importing DVC would take longer than any command here may.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import AliasChoices, ConfigDict, Field

from mathledger.card.ledger import Benchmark, Ledger, ModelScore
from mathledger.card.statement import Statement, digest, parse, predicate, stage_names
from mathledger.chain import git
from mathledger.chain.cache import cache_folder
from mathledger.chain.lock import LOCK, Out, Stage, parse_folder, parse_lock
from mathledger.chain.parsing import parse_json, parse_yaml
from mathledger.core.errors import InputError
from mathledger.core.paths import is_data, is_lineage, is_within
from mathledger.core.typed import Record
from mathledger.run.lineage import Lineage

LEDGER = "model_card/ledger.json"
CARD = "model_card/README.md"
WORKSPACE = "workspace"  # DVC's name, too, for the files as they stand


class _NamesOfStages(Record):
    """What `stage_names` reads of params.yaml, of this commit or an older one."""

    model_config = ConfigDict(extra="ignore")

    corpus: dict[str, Any]
    benchmark: dict[str, Any]
    reinforce: dict[str, Any]
    evaluated_models: list[str] = Field(validation_alias=AliasChoices("evaluated_models", "models"))


@dataclass(frozen=True)
class Chain:
    """All that one state of the project records of its results.

    Paths are those of the project, "data/mix/train.parquet"; digests are DVC's md5.
    """

    name: str  # as the user gave it
    commit: str | None  # None: the files as they stand
    at: Path  # the project's folder

    @classmethod
    def open(cls, revision: str | None = None) -> "Chain":
        """The chain of a revision or an experiment; by default of the files as they stand."""
        at = git.root()
        if revision in (None, WORKSPACE):
            return cls(WORKSPACE, None, at)
        return cls(str(revision), git.resolve(str(revision), at), at)

    @property
    def label(self) -> str:
        """The name, and the commit if the name does not show it; for messages and heads."""
        if self.commit is None or self.commit.startswith(self.name):
            return self.name
        return f"{self.name} ({self.commit[:10]})"

    def read(self, path: str) -> bytes:
        """A file that git holds, such as dvc.lock, a metric or the card."""
        if self.commit is None:
            try:
                return (self.at / path).read_bytes()
            except FileNotFoundError:
                mend = "`python -m stages.params`" if path == "params.yaml" else "`dvc repro`"
                raise InputError(f"{path} is missing: run {mend}, or check it out") from None
        data = git.read_file(self.commit, path, self.at)
        if data is None:
            raise InputError(f"{self.label} holds no {path}")
        return data

    def has(self, path: str) -> bool:
        """Return True if git holds the file; of the workspace, if it is there."""
        if self.commit is None:
            return (self.at / path).is_file()
        return git.has_file(self.commit, path, self.at)

    def text(self, path: str) -> str:
        """A file that git holds, as UTF-8."""
        try:
            return self.read(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path} of {self.label} is not UTF-8: {error}") from None

    def json(self, path: str) -> Any:
        """A JSON file: an output that the cache holds, or a file that git holds."""
        data = self.cached(path).read_bytes() if self.is_cached(path) else self.read(path)
        return parse_json(data, f"{path} of {self.label}")

    @cached_property
    def params(self) -> dict[str, Any]:
        """The content of params.yaml."""
        content = parse_yaml(self.text("params.yaml"), f"params.yaml of {self.label}")
        if not isinstance(content, dict):
            raise InputError(f"params.yaml of {self.label} holds no sections")
        return content

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """What dvc.lock records of the stages that params.yaml asks for, by name.

        DVC also leaves in it what it recorded of other corpora, benchmarks and models.

        Raises:
            InputError: a file is missing, or names each key that is missing or of a wrong type.
        """
        label = f"{LOCK} of {self.label}"
        content = parse_yaml(self.text(LOCK), label)
        _NamesOfStages.read_yaml(self.params, f"params.yaml of {self.label}")
        return parse_lock(content, {*stage_names(self.params), "model_card"}, label)

    def stage(self, name: str) -> Stage:
        """Return a stage of the lock.

        Raises:
            InputError: the lock has no stage of this name, so nothing says how its outs were made.
        """
        if name not in self.stages:
            raise InputError(
                f"{LOCK} of {self.label} has no stage {name}: nothing there has been run for it; "
                "run `dvc repro` and commit dvc.lock"
            )
        return self.stages[name]

    @cached_property
    def _by_out(self) -> dict[str, Stage]:
        return {path: stage for stage in self.stages.values() for path in stage.outs}

    def makers(self, path: str) -> list[Stage]:
        """The stages whose outs are this path, hold it, or lie in it."""
        return [
            stage
            for out, stage in self._by_out.items()
            if is_within(path, out) or is_within(out, path)
        ]

    def parents(self, stage: Stage) -> list[Stage]:
        """The stages that made what this one read, in the lock's order."""
        makers = {each.name: each for path in stage.deps for each in self.makers(path)}
        return [each for each in makers.values() if each.name != stage.name]

    def walk(self, stage: Stage) -> Iterator[Stage]:
        """Yield the stage and all that it rests on, each once, the nearest first."""
        queue, seen = [stage], {stage.name}
        while queue:
            here = queue.pop(0)
            yield here
            for each in self.parents(here):
                if each.name not in seen:
                    seen.add(each.name)
                    queue.append(each)

    def out(self, path: str) -> Out | None:
        """The output of the lock that is this path or holds it; None if no stage makes it."""
        for out, stage in self._by_out.items():
            if is_within(path, out):
                return stage.outs[out]
        return None

    def is_cached(self, path: str) -> bool:
        """Return True if DVC's cache holds the file; git holds all others.

        Git, too, holds one lineage file: that of the stage model_card.
        """
        return (is_data(path) or is_lineage(path)) and self.out(path) is not None

    @cached_property
    def cache(self) -> Path:
        """The folder of DVC's cache that holds files by their md5."""
        return cache_folder(self.at) / "files" / "md5"

    def object(self, md5: str, path: str) -> Path:
        """The cache's file of this digest.

        Args:
            path: what it is, for the message.

        Raises:
            InputError: it is not in the cache.
        """
        file = self.cache / md5[:2] / md5[2:]
        if not file.is_file():
            how = "`dvc pull`" + ("" if self.commit is None else f" in a checkout of {self.name}")
            raise InputError(f"{path} of {self.label} is not in the cache ({md5}): run {how}")
        return file

    def files(self, out: Out) -> dict[str, str]:
        """The files of an output in the cache, path -> md5: itself, or all that lie in a folder."""
        if not out.md5.endswith(".dir"):
            return {out.path: out.md5}
        label = f"the cache's {out.md5}"
        listed = parse_json(self.object(out.md5, out.path).read_bytes(), label)
        return {f"{out.path}/{path}": md5 for path, md5 in parse_folder(listed, label).items()}

    def md5(self, path: str) -> str:
        """The digest that the lock, or the folder that it names, has for a file or an output."""
        out = self.out(path)
        if out is None:
            raise InputError(f"{LOCK} of {self.label} names no output that holds {path}")
        if out.path == path:
            return out.md5
        files = self.files(out)
        if path not in files:
            inside = ", ".join(str(PurePosixPath(each).name) for each in list(files)[:8])
            raise InputError(f"{out.path} of {self.label} holds no {path}; it has {inside}")
        return files[path]

    def cached(self, path: str) -> Path:
        """The cache's file of an output or of a file in one, for reading."""
        return self.object(self.md5(path), path)

    def lineage(self, stage: Stage) -> Lineage:
        """What a stage recorded of its own run.

        Raises:
            InputError: the file is missing, or names each key that is wrong.
        """
        name = f"{stage.lineage} of {self.label}"
        return Lineage.read(self.json(stage.lineage), name)

    @cached_property
    def statement(self) -> Statement:
        """model_card/ledger.json: the ledger, and the digests of the files that it is about."""
        return parse(self.json(LEDGER), f"{LEDGER} of {self.label}")

    @property
    def ledger(self) -> Ledger:
        """Every number of the card."""
        return self.statement.predicate

    @property
    def ledger_sha256(self) -> str:
        """The digest of the ledger as it is written, which the card shows."""
        return digest(predicate(self.json(LEDGER), f"{LEDGER} of {self.label}"))

    def benchmark(self, name: str) -> Benchmark:
        """What the ledger says of a benchmark.

        Raises:
            InputError: no model has answered it.
        """
        benchmarks = {each.benchmark: each for each in self.ledger.benchmarks}
        if name not in benchmarks:
            raise InputError(
                f"{LEDGER} of {self.label} has no number for {name}; it has "
                + ", ".join(sorted(benchmarks))
            )
        return benchmarks[name]

    def score(self, model: str, benchmark: str) -> ModelScore:
        """What the ledger says of a model on a benchmark.

        Raises:
            InputError: the model has not answered it.
        """
        models = self.benchmark(benchmark).models
        if model not in models:
            raise InputError(
                f"{LEDGER} of {self.label} has no number of {model} on {benchmark}; it has those "
                f"of {', '.join(models)}"
            )
        return models[model]
