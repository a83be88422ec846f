"""What is compared: a state of the project, or a card that has a ledger beside it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mathledger.card.statement import predicate
from mathledger.chain.chain import CARD, LEDGER, WORKSPACE, Chain
from mathledger.chain.parsing import parse_json
from mathledger.core.code import code_of
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.paths import is_data

# Of a lineage file, beside its `hardware`: how the run used the machine.
USE = ("device", "precision", "dtype", "num_processes", "num_threads", "resumed_from")
SCORE = ("num_items", "num_samples", "num_correct", "accuracy", "low", "high", "samples_sha256")

Number = tuple[str, str]  # benchmark, model


@dataclass(frozen=True)
class Run:
    """What is recorded of a stage's run. Null is not recorded: a ledger alone says less."""

    inputs: dict[str, str]  # path -> md5
    code: dict[str, str] | None  # path -> md5
    outputs: dict[str, str] | None  # path -> md5
    params: dict[str, Any] | None  # by dotted key
    packages: dict[str, str] | None
    hardware: dict[str, Any] | None
    git_revision: str | None  # null, too, where the code was not the commit's


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    label: str
    ledger: dict[str, Any]
    chain: Chain | None  # null: of a card only the ledger is there

    def __post_init__(self) -> None:
        """
        Raises:
            InputError: the ledger lacks what `model_card` writes.
        """
        try:
            for entry in self.ledger["benchmarks"]:
                _ = entry["benchmark"], entry["source"]["items_digest"]
                _ = [[score[key] for key in SCORE] for score in entry["models"].values()]
            for key in ("params", "code", "corpora", "base_model", "funnel", "training"):
                self.ledger[key].items()
            _ = [inputs.items() for inputs in self.ledger["stages"].values()]
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"the ledger of {self.label} is not as `model_card` writes it ({error!r})"
            ) from None

    @cached_property
    def benchmarks(self) -> dict[str, dict[str, Any]]:
        """What the ledger says of each benchmark."""
        return {entry["benchmark"]: entry for entry in self.ledger["benchmarks"]}

    @cached_property
    def numbers(self) -> dict[Number, dict[str, Any]]:
        """What the ledger says of each model on each benchmark."""
        return {
            (benchmark, model): score
            for benchmark, entry in self.benchmarks.items()
            for model, score in entry["models"].items()
        }

    @cached_property
    def runs(self) -> dict[str, Run]:
        """What is recorded of each stage, those that others rest on first.

        Raises:
            InputError: a lineage file is not in the cache, or is of another run than the ledger.
        """
        stages, code = self.ledger["stages"], self.ledger["code"]
        if self.chain is None:
            return {
                name: Run(own, None, None, None, None, None, None) for name, own in stages.items()
            }
        found = {name: _run(self.chain, name) for name in stages}
        for name, run in found.items():
            if run.inputs != stages[name] or not (run.code or {}).items() <= code.items():
                raise InputError(
                    f"{LEDGER} of {self.label} speaks of another run of {name} than dvc.lock: "
                    "run `dvc repro model_card`"
                )
        if "model_card" in self.chain.stages:
            found["model_card"] = _run(self.chain, "model_card")
        return found


def _run(chain: Chain, name: str) -> Run:
    stage = chain.stage(name)
    lineage = chain.lineage(stage)
    try:
        deps = lineage["deps"]
        return Run(
            {path: md5 for path, md5 in deps.items() if is_data(path)},
            code_of(lineage),
            {out.path: out.md5 for out in stage.outs.values() if is_data(out.path)},
            lineage["params"],
            lineage["packages"],
            lineage["hardware"] | {key: lineage[key] for key in USE if key in lineage},
            None if lineage["code_is_dirty"] else lineage["git_revision"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{stage.lineage} of {chain.label} is not as stages write it ({error!r}): "
            "run `dvc repro`"
        ) from None


def open_side(text: str) -> Side:
    """The state or card that an argument names.

    Raises:
        InputError: it names nothing, a revision and a path alike, or a card without a ledger.
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
    """Raise InputError where a path has the name of a revision."""
    try:
        commit = Chain.open(text).commit
    except InputError:
        return
    raise InputError(
        f"{text} is a path and names a revision, too: write ./{text} for the path, "
        f"{str(commit)[:10]} for the revision"
    )


def _card(path: Path) -> Side:
    folder = path if path.is_dir() else path.parent
    file = path if path.suffix == ".json" else folder / Path(LEDGER).name
    try:
        content = parse_json(file.read_bytes(), str(file))
    except FileNotFoundError:
        raise InputError(
            f"{path} has no {file.name} beside it: there is nothing that its numbers could be "
            "traced by; `mathledger audit` reads such a card"
        ) from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    ledger = predicate(content, str(file))
    if path not in (folder, file):
        _check_is_card(path, content)
    return Side(str(path), ledger, None)


def _check_is_card(path: Path, statement: dict[str, Any]) -> None:
    """Raise InputError where a file is not the card that the statement beside it is about."""
    try:
        digests = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    except (KeyError, TypeError) as error:
        raise InputError(f"the ledger beside {path} names no files ({error!r})") from None
    if digests.get(CARD) != sha256(path):
        raise InputError(
            f"{path} is not the card that the ledger beside it was written with (its sha256 is "
            "another): restore it, or name ledger.json to compare what that says"
        )
