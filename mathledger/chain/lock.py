"""The stages that dvc.lock records, with what each read and wrote."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, Field

from mathledger.core.paths import is_data
from mathledger.core.typed import Record
from mathledger.run.lineage import lineage_file

LOCK = "dvc.lock"


@dataclass(frozen=True)
class Out:
    """A dependency or an output as the lock has it."""

    path: str
    md5: str  # ends in .dir for a folder
    size: int  # bytes
    num_files: int | None  # of a folder


@dataclass(frozen=True)
class Stage:
    """A stage as dvc.lock records its last run."""

    name: str  # evaluate@tuned-champ
    cmd: str
    deps: dict[str, Out]
    outs: dict[str, Out]
    params: dict[str, Any]  # sections of params.yaml, by dotted key

    @property
    def kind(self) -> str:
        """The module and group of the name: evaluate."""
        return self.name.partition("@")[0]

    @property
    def item(self) -> str | None:
        """What follows the kind: tuned-champ."""
        return self.name.partition("@")[2] or None

    @property
    def data_read(self) -> dict[str, str]:
        """The digests of the data that it read, by path."""
        return {path: dep.md5 for path, dep in self.deps.items() if is_data(path)}

    @property
    def lineage(self) -> str:
        """The path of its lineage file."""
        return lineage_file(self.name).as_posix()


class _OutEntry(Record):
    """A dependency or an output in the lock."""

    model_config = ConfigDict(extra="ignore")

    path: str
    md5: str | None = None  # None: DVC knows it by another digest, such as an ETag
    size: int = 0
    nfiles: int | None = None


class _StageEntry(Record):
    """A stage in the lock."""

    model_config = ConfigDict(extra="ignore")

    cmd: str
    deps: list[_OutEntry] = Field(default_factory=list)
    outs: list[_OutEntry] = Field(default_factory=list)
    params: dict[str, dict[str, Any]] = Field(default_factory=dict)  # by file, then dotted key

    def stage(self, name: str) -> Stage:
        params = self.params.get("params.yaml", {})
        return Stage(name, self.cmd, _outs(self.deps), _outs(self.outs), params)


class _LockFile(Record):
    """dvc.lock, whose stages are read one by one: it keeps those of other params, too."""

    model_config = ConfigDict(extra="ignore")

    stages: dict[str, Any]


def _outs(entries: list[_OutEntry]) -> dict[str, Out]:
    return {
        each.path: Out(each.path, each.md5, each.size, each.nfiles)
        for each in entries
        if each.md5 is not None
    }


def parse_lock(content: Any, names: Collection[str], label: str) -> dict[str, Stage]:
    """Some stages of a lock, by name.

    Args:
        content: the YAML of dvc.lock.
        names: the stages to read; one that the lock lacks is left out.
        label: how the file is called in errors.

    Raises:
        InputError: names each key that is missing or of a wrong type.
    """
    stages = _LockFile.read_yaml(content, label).stages
    return {
        name: _StageEntry.read_yaml(entry, f"{label}: stages.{name}").stage(name)
        for name, entry in stages.items()
        if name in names
    }


class _FileOfFolder(Record):
    md5: str
    relpath: str


class _Folder(Record):
    files: list[_FileOfFolder]


def parse_folder(content: Any, label: str) -> dict[str, str]:
    """The files of a folder, path relative to it -> md5.

    Args:
        content: the JSON that DVC's cache holds of the folder.
        label: how the file is called in errors.

    Raises:
        InputError: names each key that is unknown, missing or of a wrong type.
    """
    folder = _Folder.read({"files": content}, label)
    return {each.relpath: each.md5 for each in folder.files}


def folder_md5(files: Mapping[str, str]) -> str:
    """DVC's digest of a folder.

    Args:
        files: path relative to the folder -> md5, of every file that DVC counts to it.
    """
    entries = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    listed = json.dumps(entries, sort_keys=True).encode()
    return hashlib.md5(listed, usedforsecurity=False).hexdigest() + ".dir"
