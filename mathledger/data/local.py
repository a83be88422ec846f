"""Copy the user's own files."""

import shutil
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.core.paths import given_path
from mathledger.data.receipts import expect_digest
from mathledger.data.sources import Local


def fetch_local(source: Local, into: Path) -> list[Path]:
    """Copy the user's files into the folder and check each copy."""
    names = [Path(path).name for path in source.files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(
            f"source.files in conf/ has several files named {', '.join(twice)}; rename them"
        )
    paths = []
    for given, digest in source.files.items():
        path = given_path(given)
        if not path.is_file():
            raise InputError(
                f"there is no file {path}; put it there, or correct source.files in conf/ "
                "(the comment there describes the file)"
            )
        into.mkdir(parents=True, exist_ok=True)
        try:
            copy = Path(shutil.copyfile(path, into / path.name))
        except PermissionError:
            raise InputError(f"{path} may not be read: change its permissions") from None
        expect_digest(copy, digest, str(path))
        paths.append(copy)
    return paths
