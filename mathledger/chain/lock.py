"""The stages that dvc.lock records, with what each read and wrote."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.paths import is_data
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


def parse_lock(content: Any, names: Collection[str], label: str) -> dict[str, Stage]:
    """Some stages of a lock, by name.

    Args:
        content: the YAML of dvc.lock.
        names: the stages to read; one that the lock lacks is left out.
        label: how the file is called in errors.

    Raises:
        InputError: the lock is not of the form that DVC writes.
    """
    try:
        return {
            name: Stage(
                name,
                entry["cmd"],
                _outs(entry.get("deps", [])),
                _outs(entry.get("outs", [])),
                entry.get("params", {}).get("params.yaml", {}),
            )
            for name, entry in content["stages"].items()
            if name in names
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{label} is not as DVC writes it ({error!r}): run `dvc repro`") from None


def _outs(entries: list[dict[str, Any]]) -> dict[str, Out]:
    return {
        each["path"]: Out(each["path"], each["md5"], each.get("size", 0), each.get("nfiles"))
        for each in entries
        if "md5" in each
    }


def folder_md5(files: Mapping[str, str]) -> str:
    """DVC's digest of a folder.

    Args:
        files: path relative to the folder -> md5, of every file that DVC counts to it.
    """
    entries = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    listed = json.dumps(entries, sort_keys=True).encode()
    return hashlib.md5(listed, usedforsecurity=False).hexdigest() + ".dir"
