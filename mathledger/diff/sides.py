"""Open the two sides of a comparison: states of the project, or cards with a ledger."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from mathledger import given
from mathledger.card.ledger import Benchmark, Ledger, ModelScore
from mathledger.card.statement import Statement, parse
from mathledger.chain.chain import CARD, LEDGER, WORKSPACE, Chain
from mathledger.chain.facts import expect_ledger_of_run
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.parsing import parse_json
from mathledger.core.paths import is_data

# These fields of a lineage file say how the run used the hardware.
USE = ("device", "precision", "dtype", "num_processes", "num_threads", "resumed_from")


class Number(NamedTuple):
    """A number of the card."""

    benchmark: str
    model: str

    @property
    def name(self) -> str:
        return f"{self.benchmark}@{self.model}"

    @property
    def stage(self) -> str:
        """Return the stage that evaluated the model."""
        return f"evaluate@{self.model}-{self.benchmark}"


@dataclass(frozen=True)
class Run:
    """The record of a stage's run; a field is null if a ledger alone does not record it."""

    inputs: dict[str, str]  # path -> md5
    code: dict[str, str] | None  # path -> md5
    outputs: dict[str, str] | None  # path -> md5
    params: dict[str, Any] | None  # by dotted key
    packages: dict[str, str] | None
    hardware: dict[str, Any] | None
    git_revision: str | None  # also null if the code was uncommitted


@dataclass(frozen=True)
class Side:
    """One side of the comparison."""

    label: str
    ledger: Ledger
    chain: Chain | None  # null for a card, which has only a ledger

    @cached_property
    def benchmarks(self) -> dict[str, Benchmark]:
        """Return the ledger's entries by benchmark."""
        return {entry.benchmark: entry for entry in self.ledger.benchmarks}

    @cached_property
    def numbers(self) -> dict[Number, ModelScore]:
        """Return the score of each model on each benchmark."""
        return {
            Number(benchmark, model): score
            for benchmark, entry in self.benchmarks.items()
            for model, score in entry.models.items()
        }

    @cached_property
    def runs(self) -> dict[str, Run]:
        """Return the record of each stage's run, upstream stages first.

        Raises:
            InputError: a lineage file is not in the cache, or belongs to another run than the
                ledger.
        """
        stages = self.ledger.stages
        if self.chain is None:
            return {
                name: Run(own, None, None, None, None, None, None) for name, own in stages.items()
            }
        runs = {name: _run(self.chain, name) for name in stages}
        for name in stages:
            expect_ledger_of_run(self.chain, name)
        if "model_card" in self.chain.stages:
            runs["model_card"] = _run(self.chain, "model_card")
        return runs


def _run(chain: Chain, name: str) -> Run:
    stage = chain.stage(name)
    lineage = chain.lineage(stage)
    use = {key: value for key, value in lineage.content().items() if key in USE}
    return Run(
        {path: md5 for path, md5 in lineage.deps.items() if is_data(path)},
        lineage.code_files,
        {out.path: out.md5 for out in stage.outs.values() if is_data(out.path)},
        lineage.params,
        lineage.packages,
        lineage.hardware.content() | {key: use[key] for key in USE if key in use},
        None if lineage.code_is_dirty else lineage.git_revision,
    )


def open_side(text: str) -> Side:
    """Open the state or card that an argument names.

    Raises:
        InputError: it names nothing, both a revision and a path, or a card without a ledger.
    """
    path = Path(text)
    is_path = text != WORKSPACE and path.exists()
    if is_path or path.suffix in (".json", ".md") or text.startswith((".", "/")):
        if not is_path:
            raise InputError(f"{text} does not exist: name a card, its folder or its ledger.json")
        if not text.startswith((".", "/")):
            _refuse_revision(text)
        return _card(path)
    chain = Chain.open(text)
    return Side(chain.label, chain.ledger, chain)


def _refuse_revision(text: str) -> None:
    """Raise InputError if a path has the name of a revision."""
    try:
        commit = Chain.open(text).commit
    except InputError:
        return
    raise InputError(
        f"{text} is both a path and a revision: write ./{text} for the path, or "
        f"{str(commit)[:10]} for the revision"
    )


def _card(path: Path) -> Side:
    folder = path if path.is_dir() else path.parent
    file = path if path.suffix == ".json" else folder / Path(LEDGER).name
    if not file.exists():
        raise InputError(
            f"{path} has no {file.name} next to it, so its numbers cannot be compared; "
            "`mathledger audit` can read this card"
        )
    content = parse_json(given.read_bytes(file, "name a card, or its ledger.json"), str(file))
    statement = parse(content, str(file))
    if path not in (folder, file):
        _check_is_card(path, statement)
    return Side(str(path), statement.predicate, None)


def _check_is_card(path: Path, statement: Statement) -> None:
    """Raise InputError if a file is not the card that the statement covers."""
    digests = {each.name: each.digest.sha256 for each in statement.subject}
    if digests.get(CARD) != sha256(path):
        raise InputError(
            f"{path} is not the card that the ledger next to it covers (the sha256 differs): "
            "restore the card, or name ledger.json to compare the ledger alone"
        )
