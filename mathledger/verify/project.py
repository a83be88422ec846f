"""Share the chain and the digests of the files on disk among the links of a verification."""

import hashlib
import os
import sys
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mathledger.card.ledger import Ledger
from mathledger.card.outputs import Outputs
from mathledger.chain.chain import LEDGER, Chain
from mathledger.chain.lock import folder_md5
from mathledger.core.errors import InputError
from mathledger.core.machine import num_cores
from mathledger.verify.options import VerifyOptions

CHUNK = 1024 * 1024  # bytes read at once


class New(str):
    """A reason that is not a fault: a result was made here and is not committed."""


# A check yields each reason why its link does not hold, and returns a summary of what it checked.
Check = Generator[str, None, str]


@dataclass(frozen=True)
class Digests:
    """The digests and the size of a file on disk."""

    md5: str  # as in dvc.lock
    sha256: str | None  # computed for the subjects of the ledger only
    size: int  # bytes


def digests_of(path: str, with_sha256: bool) -> Digests:
    """Return both digests of a file, which is read once."""
    md5, sha, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    buffer = memoryview(bytearray(CHUNK))
    with Path(path).open("rb", buffering=0) as file:
        while num := file.readinto(buffer):
            md5.update(buffer[:num])
            if with_sha256:
                sha.update(buffer[:num])
            size += num
    return Digests(md5.hexdigest(), sha.hexdigest() if with_sha256 else None, size)


@dataclass
class Project:
    """The checkout under verification; `links.check` makes its top the current folder."""

    chain: Chain
    options: VerifyOptions
    _digests: dict[str, Digests] = field(default_factory=dict)

    @cached_property
    def statement(self) -> Any:
        """Return the JSON of model_card/ledger.json."""
        return self.chain.json(LEDGER)

    @cached_property
    def subject(self) -> dict[str, str]:
        """Return the subjects of the ledger, path -> sha256, or nothing if it is unreadable."""
        try:
            return {each.name: each.digest.sha256 for each in self.chain.statement.subject}
        except InputError:
            return {}  # the link `ledger` reports this

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Return the content of params.yaml as the stages read it."""
        from mathledger.run import params

        return params.read()

    @cached_property
    def evaluations(self) -> list[tuple[str, str]]:
        """Return every pair of evaluated model and benchmark."""
        models, benchmarks = self.settings["evaluated_models"], self.settings["benchmark"]
        return [(model, benchmark) for model in models for benchmark in benchmarks]

    @cached_property
    def outputs(self) -> Outputs:
        """Return the stages' outputs on disk."""
        return Outputs(Path())

    @cached_property
    def ledger_again(self) -> Ledger:
        """Return the ledger, recomputed from the files on disk."""
        from mathledger.card import collect, settings
        from mathledger.run import params

        claims = params.load("model_card", settings.Params).claims
        return collect.ledger(self.outputs, self.settings, claims)

    @cached_property
    def _list_folder(self) -> Callable[[str], list[str]]:
        """Return a function that lists a folder's files as DVC does, honouring .dvcignore."""
        from dvc.repo import Repo

        repo = Repo(".")

        def files(folder: str) -> list[str]:
            paths = repo.dvcignore.find(repo.fs, os.path.abspath(folder))  # noqa: PTH100
            return sorted(os.path.relpath(each) for each in paths)

        return files

    def files_in(self, path: str) -> list[str]:
        """Return the path itself, or the sorted files that DVC counts in a folder."""
        return self._list_folder(path) if Path(path).is_dir() else [path]

    def hash(self, paths: Iterable[str]) -> None:
        """Hash existing files on all cores, each once."""
        from tqdm import tqdm  # type: ignore[import-untyped]

        todo = [path for path in dict.fromkeys(paths) if path not in self._digests]
        # Hash the largest files first, so that all cores finish at about the same time.
        todo.sort(key=lambda path: -Path(path).stat().st_size)
        total = sum(Path(path).stat().st_size for path in todo)
        bar = tqdm(
            total=total, unit="B", unit_scale=True, desc="digests", leave=False,
            disable=not sys.stderr.isatty(),
        )  # fmt: skip
        with bar, ThreadPoolExecutor(num_cores()) as threads:
            taken = threads.map(lambda path: digests_of(path, path in self.subject), todo)
            for path, digests in zip(todo, taken, strict=True):
                self._digests[path] = digests
                bar.update(digests.size)

    def digests(self, path: str) -> Digests:
        """Return the digests of one file."""
        self.hash([path])
        return self._digests[path]

    def folder(self, path: str) -> tuple[str, int, int]:
        """Return a folder's DVC digest, its size in bytes and its number of files."""
        files = self.files_in(path)
        md5s = {Path(file).relative_to(path).as_posix(): self.digests(file).md5 for file in files}
        return folder_md5(md5s), sum(self.digests(file).size for file in files), len(files)
