"""Read one state of the project without DVC: a commit, an experiment, or the working tree.

A result is proved by git, dvc.lock and the cache objects that dvc.lock names. `Chain` reads only
these, because importing DVC takes longer than these commands should.
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
from mathledger.core.errors import InputError
from mathledger.core.parsing import parse_json, parse_yaml
from mathledger.core.paths import is_data, is_lineage, is_within
from mathledger.core.typed import Record
from mathledger.run.lineage import Lineage

LEDGER = "model_card/ledger.json"
CARD = "model_card/README.md"
WORKSPACE = "workspace"  # also DVC's name for the working tree


class _NamesOfStages(Record):
    """The parts of params.yaml that `stage_names` reads, in this commit or an older one."""

    model_config = ConfigDict(extra="ignore")

    corpus: dict[str, Any]
    benchmark: dict[str, Any]
    reinforce: dict[str, Any]
    evaluated_models: list[str] = Field(validation_alias=AliasChoices("evaluated_models", "models"))


@dataclass(frozen=True)
class Chain:
    """The records of one state of the project about its results.

    Paths are relative to the project, such as "data/mix/train.parquet"; digests are DVC's md5.
    """

    name: str  # as the user gave it
    commit: str | None  # None for the working tree
    at: Path  # folder of the project

    @classmethod
    def open(cls, revision: str | None = None) -> "Chain":
        """Open the chain of a revision or an experiment; by default of the working tree."""
        at = git.root()
        if revision in (None, WORKSPACE):
            return cls(WORKSPACE, None, at)
        return cls(str(revision), git.resolve(str(revision), at), at)

    @property
    def label(self) -> str:
        """Return the name for messages, with the commit if the name does not show it."""
        if self.commit is None or self.commit.startswith(self.name):
            return self.name
        return f"{self.name} ({self.commit[:10]})"

    def read(self, path: str) -> bytes:
        """Read a file that git tracks, such as dvc.lock, a metric or the card."""
        if self.commit is None:
            try:
                return (self.at / path).read_bytes()
            except FileNotFoundError:
                command = "`python -m stages.params`" if path == "params.yaml" else "`dvc repro`"
                raise InputError(f"{path} is missing: run {command}, or check it out") from None
            except IsADirectoryError:
                raise InputError(f"{path} is a folder: remove it, and check the file out") from None
        data = git.read_file(self.commit, path, self.at)
        if data is None:
            raise InputError(f"{self.label} has no file {path}")
        return data

    def has(self, path: str) -> bool:
        """Return True if the commit, or the working tree, has the file."""
        if self.commit is None:
            return (self.at / path).is_file()
        return git.has_file(self.commit, path, self.at)

    def text(self, path: str) -> str:
        """Read a file that git tracks as UTF-8 text."""
        try:
            return self.read(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path} of {self.label} is not UTF-8: {error}") from None

    def json(self, path: str) -> Any:
        """Parse a JSON file, which is an output in the cache or a file that git tracks."""
        data = self.cached(path).read_bytes() if self.is_cached(path) else self.read(path)
        return parse_json(data, f"{path} of {self.label}")

    @cached_property
    def params(self) -> dict[str, Any]:
        """Return the content of params.yaml."""
        content = parse_yaml(self.text("params.yaml"), f"params.yaml of {self.label}")
        if not isinstance(content, dict):
            raise InputError(
                f"params.yaml of {self.label} has no sections: run `python -m stages.params`"
            )
        return content

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """Return the entries of dvc.lock for the stages of params.yaml, by name.

        DVC also keeps older entries for other corpora, benchmarks and models in dvc.lock.

        Raises:
            InputError: a file is missing, or has missing keys or wrong types.
        """
        label = f"{LOCK} of {self.label}"
        content = parse_yaml(self.text(LOCK), label)
        _NamesOfStages.read_yaml(self.params, f"params.yaml of {self.label}")
        return parse_lock(content, {*stage_names(self.params), "model_card"}, label)

    def stage(self, name: str) -> Stage:
        """Return a stage of dvc.lock.

        Raises:
            InputError: dvc.lock has no stage of this name.
        """
        if name not in self.stages:
            raise InputError(
                f"{LOCK} of {self.label} has no stage {name}, so it has not run in this state: run "
                "`dvc repro` and commit dvc.lock"
            )
        return self.stages[name]

    @cached_property
    def _by_out(self) -> dict[str, Stage]:
        return {path: stage for stage in self.stages.values() for path in stage.outs}

    def makers(self, path: str) -> list[Stage]:
        """Return the stages with an output that equals, contains or is inside a path."""
        return [
            stage
            for out, stage in self._by_out.items()
            if is_within(path, out) or is_within(out, path)
        ]

    def parents(self, stage: Stage) -> list[Stage]:
        """Return the stages whose outputs a stage reads, in the order of dvc.lock."""
        makers = {each.name: each for path in stage.deps for each in self.makers(path)}
        return [each for each in makers.values() if each.name != stage.name]

    def walk(self, stage: Stage) -> Iterator[Stage]:
        """Yield the stage and everything upstream of it, nearest first and each once."""
        queue, seen = [stage], {stage.name}
        while queue:
            here = queue.pop(0)
            yield here
            for each in self.parents(here):
                if each.name not in seen:
                    seen.add(each.name)
                    queue.append(each)

    def out(self, path: str) -> Out | None:
        """Return the output in dvc.lock that is or contains a path; None if no stage makes it."""
        for out, stage in self._by_out.items():
            if is_within(path, out):
                return stage.outs[out]
        return None

    def is_cached(self, path: str) -> bool:
        """Return True if DVC's cache holds the file; git tracks all others.

        Git also tracks the lineage file of the stage model_card, and the speeds of training.
        """
        return (is_data(path) or is_lineage(path)) and self.out(path) is not None

    @cached_property
    def cache(self) -> Path:
        """Return the folder of DVC's cache that holds files by md5."""
        return cache_folder(self.at) / "files" / "md5"

    def object(self, md5: str, path: str) -> Path:
        """Return the cached file with a digest.

        Args:
            path: the file's path in the project, for the error message.

        Raises:
            InputError: the cache has no such file.
        """
        file = self.cache / md5[:2] / md5[2:]
        if not file.is_file():
            how = "`dvc pull`" + ("" if self.commit is None else f" in a checkout of {self.name}")
            raise InputError(f"{path} of {self.label} is not in the cache ({md5}): run {how}")
        return file

    def files(self, out: Out) -> dict[str, str]:
        """Return the md5 digests of a cached file, or of the files in a cached folder, by path."""
        if not out.md5.endswith(".dir"):
            return {out.path: out.md5}
        label = f"the cache's {out.md5}"
        listed = parse_json(self.object(out.md5, out.path).read_bytes(), label)
        return {f"{out.path}/{path}": md5 for path, md5 in parse_folder(listed, label).items()}

    def md5(self, path: str) -> str:
        """Return the digest of an output or of a file inside one."""
        out = self.out(path)
        if out is None:
            raise InputError(
                f"{LOCK} of {self.label} lists no output with {path}: run `dvc repro` there"
            )
        if out.path == path:
            return out.md5
        files = self.files(out)
        if path not in files:
            inside = ", ".join(str(PurePosixPath(each).name) for each in list(files)[:8])
            raise InputError(f"{out.path} of {self.label} does not contain {path}; it has {inside}")
        return files[path]

    def cached(self, path: str) -> Path:
        """Return the cached file of an output, or of a file inside one."""
        return self.object(self.md5(path), path)

    def lineage(self, stage: Stage) -> Lineage:
        """Return the lineage that a stage recorded of its run.

        Raises:
            InputError: the file is missing, or has wrong keys or values.
        """
        name = f"{stage.lineage} of {self.label}"
        return Lineage.read(self.json(stage.lineage), name)

    @cached_property
    def statement(self) -> Statement:
        """Return model_card/ledger.json: the ledger with the digests of its subjects."""
        return parse(self.json(LEDGER), f"{LEDGER} of {self.label}")

    @property
    def ledger(self) -> Ledger:
        """Return the ledger, which holds every number of the card."""
        return self.statement.predicate

    @property
    def ledger_sha256(self) -> str:
        """Return the digest of the ledger, which the card shows."""
        return digest(predicate(self.json(LEDGER), f"{LEDGER} of {self.label}"))

    def benchmark(self, name: str) -> Benchmark:
        """Return the ledger's entry for a benchmark.

        Raises:
            InputError: the ledger has no entry for it.
        """
        benchmarks = {each.benchmark: each for each in self.ledger.benchmarks}
        if name not in benchmarks:
            raise InputError(
                f"{LEDGER} of {self.label} has no number for {name}; it has "
                + ", ".join(sorted(benchmarks))
            )
        return benchmarks[name]

    def score(self, model: str, benchmark: str) -> ModelScore:
        """Return the ledger's score of a model on a benchmark.

        Raises:
            InputError: the ledger has no such score.
        """
        models = self.benchmark(benchmark).models
        if model not in models:
            raise InputError(
                f"{LEDGER} of {self.label} has no number for {model} on {benchmark}; choose one of "
                f"the models {', '.join(models)}"
            )
        return models[model]
