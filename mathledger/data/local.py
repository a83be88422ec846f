"""Copy the user's own files."""

import shutil
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.data.receipts import expect_digest
from mathledger.data.sources import Local


def fetch_local(source: Local, into: Path) -> list[Path]:
    """Copy the user's files into the folder and check each one."""
    names = [Path(path).name for path in source.files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(
            f"source.files in conf/ has several files named {', '.join(twice)}; rename them"
        )
    paths = []
    for given, digest in source.files.items():
        path = Path(given).expanduser()
        if not path.is_file():
            raise InputError(
                f"there is no file {path}; put it there, or correct source.files in conf/ "
                "(the comment there describes the file)"
            )
        expect_digest(path, digest, str(path))
        into.mkdir(parents=True, exist_ok=True)
        paths.append(Path(shutil.copyfile(path, into / path.name)))
    return paths
