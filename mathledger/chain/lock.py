"""Read the stages in dvc.lock, with their inputs and outputs."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from mathledger.core.paths import is_data
from mathledger.core.typed import Record
from mathledger.run.lineage import lineage_file

LOCK = "dvc.lock"


def _expect_inside(path: str) -> str:
    """Return the path of a file in a folder if it cannot lead out of it."""
    if path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise ValueError("leads out of its folder")
    return path


# A digest names a file of the cache, so that a hostile one could name any file of the machine.
Md5 = Annotated[str, Field(pattern=r"^[0-9A-Za-z]+(?:\.dir)?$")]
InnerPath = Annotated[str, AfterValidator(_expect_inside)]


@dataclass(frozen=True)
class Out:
    """A dependency or an output in dvc.lock."""

    path: str
    md5: str  # ends in .dir for a folder
    size: int  # bytes
    num_files: int | None  # null for a file


@dataclass(frozen=True)
class Stage:
    """The last run of a stage, as recorded in dvc.lock."""

    name: str  # for example evaluate@tuned-champ
    cmd: str
    deps: dict[str, Out]
    outs: dict[str, Out]
    params: dict[str, Any]  # sections of params.yaml, by dotted key

    @property
    def kind(self) -> str:
        """Return the part of the name before the @, such as evaluate."""
        return self.name.partition("@")[0]

    @property
    def item(self) -> str | None:
        """Return the part of the name after the @, such as tuned-champ."""
        return self.name.partition("@")[2] or None

    @property
    def data_read(self) -> dict[str, str]:
        """Return the digests of the data that the stage read, by path."""
        return {path: dep.md5 for path, dep in self.deps.items() if is_data(path)}

    @property
    def lineage(self) -> str:
        """Return the path of the stage's lineage file."""
        return lineage_file(self.name).as_posix()


class _OutEntry(Record):
    """An entry for a dependency or an output in dvc.lock."""

    model_config = ConfigDict(extra="ignore")

    path: str
    md5: Md5 | None = None  # None if DVC uses another digest, such as an ETag
    size: int = 0
    nfiles: int | None = None


class _StageEntry(Record):
    """An entry for a stage in dvc.lock."""

    model_config = ConfigDict(extra="ignore")

    cmd: str
    deps: list[_OutEntry] = Field(default_factory=list)
    outs: list[_OutEntry] = Field(default_factory=list)
    params: dict[str, dict[str, Any]] = Field(default_factory=dict)  # file -> dotted key -> value

    def stage(self, name: str) -> Stage:
        params = self.params.get("params.yaml", {})
        return Stage(name, self.cmd, _outs(self.deps), _outs(self.outs), params)


class _LockFile(Record):
    """The content of dvc.lock; stages are parsed on request, as some belong to other params."""

    model_config = ConfigDict(extra="ignore")

    stages: dict[str, Any]


def _outs(entries: list[_OutEntry]) -> dict[str, Out]:
    return {
        each.path: Out(each.path, each.md5, each.size, each.nfiles)
        for each in entries
        if each.md5 is not None
    }


def parse_lock(content: Any, names: Collection[str], label: str) -> dict[str, Stage]:
    """Parse some stages of dvc.lock, and return them by name.

    Args:
        content: the YAML of dvc.lock.
        names: the stages to parse; stages that are not in dvc.lock are skipped.
        label: the file's name in errors.

    Raises:
        InputError: a key is missing or has a wrong type.
    """
    stages = _LockFile.read_yaml(content, label).stages
    return {
        name: _StageEntry.read_yaml(entry, f"{label}: stages.{name}").stage(name)
        for name, entry in stages.items()
        if name in names
    }


class _FileOfFolder(Record):
    """A file in DVC's listing of a folder."""

    md5: Md5
    relpath: InnerPath


class _Folder(Record):
    """DVC's listing of a folder."""

    files: list[_FileOfFolder]


def parse_folder(content: Any, label: str) -> dict[str, str]:
    """Parse DVC's listing of a folder, and return md5 digests by relative path.

    Args:
        content: the JSON of the listing in DVC's cache.
        label: the file's name in errors.

    Raises:
        InputError: a key is unknown or missing, or has a wrong type.
    """
    folder = _Folder.read({"files": content}, label)
    return {each.relpath: each.md5 for each in folder.files}


def folder_md5(files: Mapping[str, str]) -> str:
    """Return DVC's digest of a folder.

    Args:
        files: the md5 digests of the folder's files, by relative path.
    """
    entries = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    listed = json.dumps(entries, sort_keys=True).encode()
    return hashlib.md5(listed, usedforsecurity=False).hexdigest() + ".dir"
