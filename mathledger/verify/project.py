"""What the links of a verification share: the chain, and the digests of the files as they stand."""

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

# A check yields each reason why its link does not hold, and returns what it looked at.
Check = Generator[str, None, str]


@dataclass(frozen=True)
class Digests:
    """The digests and the size of one file as it stands."""

    md5: str  # DVC's
    sha256: str | None  # the ledger's, of its subject
    size: int  # bytes


def digests_of(path: str, with_sha256: bool) -> Digests:
    """Hash a file, reading it once for both digests."""
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
    """The checkout that is verified. Its top is the current folder, which `links.check` sets."""

    chain: Chain
    options: VerifyOptions
    _digests: dict[str, Digests] = field(default_factory=dict)

    @cached_property
    def statement(self) -> Any:
        """model_card/ledger.json."""
        return self.chain.json(LEDGER)

    @cached_property
    def subject(self) -> dict[str, str]:
        """The files that the ledger is about: path -> sha256; none where it is unreadable."""
        try:
            return {each.name: each.digest.sha256 for each in self.chain.statement.subject}
        except InputError:
            return {}  # the link `ledger` says so

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The content of params.yaml, as the stages read it."""
        from mathledger.run import params

        return params.read()

    @cached_property
    def evaluations(self) -> list[tuple[str, str]]:
        """Each model with each benchmark that it answered."""
        models, benchmarks = self.settings["evaluated_models"], self.settings["benchmark"]
        return [(model, benchmark) for model in models for benchmark in benchmarks]

    @cached_property
    def outputs(self) -> Outputs:
        """What the stages wrote, as it stands."""
        return Outputs(Path())

    @cached_property
    def ledger_again(self) -> Ledger:
        """The ledger, computed anew from the files as they stand."""
        from mathledger.card import collect, settings
        from mathledger.run import params

        claims = params.load("model_card", settings.Params).claims
        return collect.ledger(self.outputs, self.settings, claims)

    @cached_property
    def _list_folder(self) -> Callable[[str], list[str]]:
        """List a folder's files as DVC does: without those that .dvcignore names."""
        from dvc.repo import Repo

        repo = Repo(".")

        def files(folder: str) -> list[str]:
            paths = repo.dvcignore.find(repo.fs, os.path.abspath(folder))  # noqa: PTH100
            return sorted(os.path.relpath(each) for each in paths)

        return files

    def files_in(self, path: str) -> list[str]:
        """The files of a path that DVC counts, sorted: the path itself, or those in the folder."""
        return self._list_folder(path) if Path(path).is_dir() else [path]

    def hash(self, paths: Iterable[str]) -> None:
        """Hash existing files on all cores, each once."""
        from tqdm import tqdm  # type: ignore[import-untyped]

        todo = [path for path in dict.fromkeys(paths) if path not in self._digests]
        # The largest first, so that no core is left with it at the end.
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
        """The digests of one file."""
        self.hash([path])
        return self._digests[path]

    def folder(self, path: str) -> tuple[str, int, int]:
        """A folder's DVC digest, its bytes and its number of files."""
        files = self.files_in(path)
        md5s = {Path(file).relative_to(path).as_posix(): self.digests(file).md5 for file in files}
        return folder_md5(md5s), sum(self.digests(file).size for file in files), len(files)
