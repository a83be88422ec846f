"""Write receipts of downloads: the requested source, and the size and sha256 of every file."""

from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.files import write_json
from mathledger.core.hashing import content_id, sha256
from mathledger.data.practice import PracticeBenchmark, PracticeCorpus
from mathledger.data.sources import (
    HarnessTask,
    Hub,
    HubDataset,
    Local,
    RandomModel,
    Served,
    Source,
    Wheel,
)


def expect_digest(path: Path, expected: str, what: str) -> None:
    """Raise InputError unless the file has this sha256."""
    expect_same(sha256(path), expected, what)


def expect_same(actual: str, expected: str, what: str) -> None:
    if actual != expected:
        raise InputError(
            f"{what} has sha256 {actual}, expected {expected}: these are not the bytes that were "
            "pinned. If the change is intended, put the new digest into conf/"
        )


def describe(paths: list[Path], folder: Path) -> dict[str, Any]:
    """Return the size and sha256 of each file by its path in the folder."""
    return {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(paths)
    }


def write_receipt(folder: Path, identity: dict[str, Any], rows: int | None) -> dict[str, Any]:
    """Write receipt.json with the source's identity and the size and sha256 of every file.

    Raises:
        InputError: The source itself has a file of that name.
    """
    if (folder / "receipt.json").exists():
        raise InputError("the source has a receipt.json of its own; leave it out of source.files")
    receipt = content(folder, identity, rows)
    write_json(folder / "receipt.json", receipt)
    return receipt


def content(folder: Path, identity: dict[str, Any], rows: int | None) -> dict[str, Any]:
    """Return the content of a folder's receipt, from the source's identity and the files."""
    own = folder / "receipt.json"
    files = [path for path in folder.rglob("*") if path.is_file() and path != own]
    return {**identity, "num_rows": rows, "files": describe(files, folder)}


def identity(source: Source) -> dict[str, Any]:
    """Return a receipt's head: the source's name, pinned revision, licence and split, if any."""
    from importlib.metadata import version

    match source:
        case Wheel():
            name, revision = source.package, source.version
        case Hub() | HarnessTask():
            name, revision = source.repo, source.revision
        case Local():
            name = ", ".join(Path(path).name for path in source.files)
            digests = list(source.files.values())
            revision = digests[0] if len(digests) == 1 else content_id(*digests)
        case Served():
            name, revision = source.model, "as served"
        case RandomModel():
            name, revision = "random weights", f"seed {source.seed}"
        case PracticeBenchmark(task="word_problems"):
            name = "mathledger-templates"
            revision = f"seed {source.seed}" + (", twins" if source.twins_of else "")
        case PracticeCorpus() | PracticeBenchmark():
            name = "reasoning-gym"
            revision = f"{version('reasoning-gym')}, seed {source.seed}"
            if isinstance(source, PracticeBenchmark) and source.twins_of:
                revision += ", twins"
    head = {"kind": source.kind, "name": name, "revision": revision, "licence": source.licence}
    return head | {"split": source.split} if isinstance(source, HubDataset | HarnessTask) else head
