"""Which files of the project are code, and which of them a stage ran with."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# `ledger` and `stages/common` held code until the rooms of mathledger/; old results name them.
CODE_FOLDERS = ("mathledger", "stages", "ledger")


def is_code(path: str) -> bool:
    """Return True if a path of the project, as DVC names it, is a room or a module.

    >>> is_code("mathledger/text"), is_code("stages/common/text.py"), is_code("data/mix")
    (True, True, False)
    """
    return path.partition("/")[0] in CODE_FOLDERS


def code_of(lineage: Mapping[str, Any]) -> dict[str, str]:
    """The md5 of every module that a stage ran with, by path.

    Stages of old commits depended on single modules, so their lineage has these among `deps`.
    """
    if "code" in lineage:
        return dict(lineage["code"])
    return {path: md5 for path, md5 in lineage["deps"].items() if is_code(path)}


def folder_md5(files: Mapping[str, str]) -> str:
    """DVC's digest of a folder.

    Args:
        files: path relative to the folder -> md5, of every file that DVC counts to it.
    """
    entries = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    listed = json.dumps(entries, sort_keys=True).encode()
    return hashlib.md5(listed, usedforsecurity=False).hexdigest() + ".dir"
