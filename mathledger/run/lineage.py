"""What a stage records of its own run, in lineage/<stage>[/<item>].json: ids, digests, machine.

The stage writes the file as it ends (tracking.py). It holds clocks and MLflow's run id, so that no
result may rest on it; the digests in it say what the stage ran with.
"""

from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, Field

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.paths import is_code
from mathledger.core.typed import Record

LINEAGE = Path("lineage")


def lineage_file(name: str) -> Path:
    """Return the lineage file of a stage by DVC's name for it; `reinforce` leaves its method out.

    >>> lineage_file("evaluate@tuned-champ").as_posix(), lineage_file("reinforce@grpo").as_posix()
    ('lineage/evaluate/tuned-champ.json', 'lineage/reinforce.json')
    """
    stage, _, item = name.partition("@")
    if item and stage != "reinforce":
        return LINEAGE / stage / f"{item}.json"
    return LINEAGE / f"{stage}.json"


class Hardware(Record):
    """The machine, as far as it can explain a different number; no host name."""

    model_config = ConfigDict(extra="allow")  # another version may record more

    platform: str | None = None
    python: str | None = None
    cpu: str
    num_cpus: int | None = None
    num_threads: int | None = None
    gpus: list[str] = Field(default_factory=list)


class Origin(Record):
    """What is known of a run as it starts.

    A field with a default is missing from older files, or from those of stages that have no use
    for it.
    """

    model_config = ConfigDict(extra="allow")  # what a stage adds of its own: times, memory

    stage: str
    item: str | None
    experiment: str | None  # DVC's name of the experiment that ran it; null for `dvc repro`
    git_revision: str
    code_is_dirty: bool  # code or configuration differed from git_revision
    visible_gpus: str | None = None  # CUDA_VISIBLE_DEVICES, or "all"
    deps: dict[str, str]  # path -> DVC's md5, as dvc.lock has it
    code: dict[str, str] | None = None  # path -> md5 of every file in the deps that are code
    params: dict[str, Any]  # by dotted key

    @property
    def code_files(self) -> dict[str, str]:
        """The md5 of every file of code that the run read, by path.

        Stages of old commits depended on single modules, which stand among `deps` alone.
        """
        if self.code is not None:
            return self.code
        return {path: md5 for path, md5 in self.deps.items() if is_code(path)}

    @property
    def name(self) -> str:
        """The stage as DVC names it: evaluate@tuned-champ."""
        return f"{self.stage}@{self.item}" if self.item else self.stage


class Lineage(Origin):
    """A run that has ended: the content of a lineage file."""

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
    resumed_from: str | None = None  # the checkpoint that training went on from
    train_seconds: float | None = None
    energy_kwh: float | None = None

    @classmethod
    def load(cls, name: str, root: Path = Path()) -> Self:
        """The lineage of a stage, as it stands in the project.

        Args:
            name: the stage as DVC names it.
            root: the project's folder.

        Raises:
            InputError: the file is missing, or names each key that is wrong.
        """
        file = lineage_file(name)
        content = read_json(root / file)
        try:
            return cls.read(content, file.as_posix())
        except InputError as error:
            raise InputError(f"{error}; run `dvc repro {name}`") from None
