"""The lineage file of a stage's run, lineage/<stage>[/<item>].json: ids, digests, machine.

The stage writes the file when it ends (tracking.py). Results must not depend on it, because it
holds time stamps and MLflow's run id. Its digests identify the stage's inputs. A run that repeats a
committed result leaves the file as it was (repeats.py).
"""

import shlex
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, Field

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.paths import is_code
from mathledger.core.typed import Record

LINEAGE = Path("lineage")


def lineage_file(name: str) -> Path:
    """Return the lineage file of a stage by its DVC name; that of `reinforce` omits the method.

    >>> lineage_file("evaluate@tuned-champ").as_posix(), lineage_file("reinforce@grpo").as_posix()
    ('lineage/evaluate/tuned-champ.json', 'lineage/reinforce.json')
    """
    stage, _, item = name.partition("@")
    if item and stage != "reinforce":
        return LINEAGE / stage / f"{item}.json"
    return LINEAGE / f"{stage}.json"


class Hardware(Record):
    """The machine's properties that can explain a different number, without a host name."""

    model_config = ConfigDict(extra="allow")  # other versions may record more

    platform: str | None = None
    python: str | None = None
    cpu: str
    num_cpus: int | None = None
    num_threads: int | None = None
    gpus: list[str] = Field(default_factory=list)


class Origin(Record):
    """The facts about a run that are known when it starts.

    A field with a default may be missing: from older files, or because it does not apply to the
    stage.
    """

    model_config = ConfigDict(extra="allow")  # stages add facts such as times and memory

    stage: str
    item: str | None
    experiment: str | None  # name of the DVC experiment; null for `dvc repro`
    git_revision: str
    code_is_dirty: bool  # code or configuration differed from git_revision
    visible_gpus: str | None = None  # CUDA_VISIBLE_DEVICES, or "all"
    deps: dict[str, str]  # path -> DVC's md5, as in dvc.lock
    code: dict[str, str] | None = None  # path -> md5 of every file in the code dependencies
    params: dict[str, Any]  # dotted key -> value

    @property
    def code_files(self) -> dict[str, str]:
        """Return the md5 of every code file that the run read, by path.

        Stages of old commits depended on single modules, which are listed in `deps` only.
        """
        if self.code is not None:
            return self.code
        return {path: md5 for path, md5 in self.deps.items() if is_code(path)}

    @property
    def name(self) -> str:
        """Return the stage's DVC name, such as evaluate@tuned-champ."""
        return f"{self.stage}@{self.item}" if self.item else self.stage


# The keys of a lineage file that the stage's name and inputs determine.
FROM_INPUTS = {"stage", "item", "deps", "code", "params"}


class Lineage(Origin):
    """The facts about a run that has ended, as a lineage file holds them."""

    result: str | None = None  # digest of everything read and written; older files lack it
    mlflow_run_id: str
    packages: dict[str, str]  # installed versions
    hardware: Hardware
    started: str  # ISO 8601, UTC
    seconds: float
    device: str | None = None
    dtype: str | None = None
    precision: str | None = None
    num_processes: int | None = None
    num_threads: int | None = None
    resumed_from: str | None = None  # checkpoint from which training resumed
    train_seconds: float | None = None
    energy_kwh: float | None = None
    # Only in the file of `model_card`: of every other stage, what its inputs do not determine.
    runs: dict[str, dict[str, Any]] | None = None

    def own_facts(self) -> dict[str, Any]:
        """Return the facts about the run that its inputs do not determine, as JSON."""
        return {key: value for key, value in self.content().items() if key not in FROM_INPUTS}

    @classmethod
    def load(cls, name: str, root: Path = Path()) -> Self:
        """Read the lineage file of a stage from the working tree.

        Args:
            name: the stage's DVC name.
            root: the project's folder.

        Raises:
            InputError: the file is missing, or has wrong keys or values.
        """
        file = lineage_file(name)
        content = read_json(root / file)
        try:
            return cls.read(content, file.as_posix())
        except InputError as error:
            raise InputError(f"{error}; run `dvc repro {shlex.quote(name)}`") from None
