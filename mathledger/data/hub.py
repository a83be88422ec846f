"""Download files of a Hugging Face repository at a commit; an interrupted download resumes.

We use plain HTTP through the client's own functions because its hf_hub_download discards partial
files and needs a second transport (Xet) for speed.
"""

import os
import shutil
import time
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock

from mathledger.core.errors import InputError
from mathledger.core.hashing import content_id, sha256
from mathledger.data.formats import count_rows
from mathledger.data.receipts import expect_digest, expect_same
from mathledger.data.sources import PRINT, SHA256, Hub, HubDataset, RepoType

WAIT_SECONDS = (1, 2, 4)  # Pauses before the second, third and last attempt at a file.


def fetch_hub(source: Hub, repo_type: RepoType, into: Path) -> list[Path]:
    """Download files of a hub repository at a commit into the folder and check each one.

    Partial downloads are kept in .scratch/download/, because DVC deletes a stage's outputs before
    it runs. An interrupted or killed download therefore resumes.
    """
    root = Path(os.environ.get("DVC_ROOT", "."))
    name = content_id(repo_type, source.repo, source.revision, *source.files)
    scratch = root / ".scratch/download" / name
    scratch.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(scratch.with_suffix(".lock")):  # Two experiments may download the same files.
        for name in source.files:
            _download(source, repo_type, name, scratch / name)
        if isinstance(source, HubDataset):
            num_rows = sum(count_rows(scratch / name) for name in source.files)
            if num_rows != source.num_rows:
                raise InputError(
                    f"{source.repo} at {source.revision} has {num_rows} rows, expected "
                    f"{source.num_rows}; list all files of the split in source.files, or correct "
                    "source.num_rows in conf/"
                )
        paths = []
        for name in source.files:
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            paths.append(Path(shutil.move(scratch / name, into / name)))
        shutil.rmtree(scratch)
    return paths


def _download(source: Hub, repo_type: RepoType, name: str, target: Path) -> None:
    """Download one file as TARGET.partial, resuming if that exists, check it and rename it.

    A file that is already there is used only if it has the digest of this pin.
    """
    from httpx2 import HTTPError, InvalidURL
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import OfflineModeIsEnabled
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils._headers import build_hf_headers

    what = f"{name} of {source.repo} at {source.revision}"
    if (pinned := source.files[name]) and _is_there(target, pinned):
        return
    url = hf_hub_url(source.repo, name, repo_type=repo_type, revision=source.revision)
    # Without compression, the size of the partial file is the offset at which to resume.
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    partial = target.with_name(f"{target.name}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    # The client resumes a dropped connection up to five times but gives up on a server's 5xx.
    for wait in (*WAIT_SECONDS, None):
        try:
            offered = get_hf_file_metadata(url)
            if offered.commit_hash != source.revision:
                raise InputError(
                    f"{what}: the server answers for commit {offered.commit_hash}; "
                    "if HF_ENDPOINT is set, check that it names a hub"
                )
            expected = _expected_digest(pinned, offered.etag, repo_type, what)
            if _is_there(target, expected):
                return
            if offered.size is None:
                raise InputError(f"{what}: the server does not announce the file's size")
            with partial.open("ab") as file:
                if (start := file.tell()) < offered.size:
                    bounded: Any = _Bounded(file, offered.size, what)
                    http_get(
                        url, bounded, resume_size=start, headers=headers, displayed_filename=name
                    )
                    file.flush()
                    os.fsync(file.fileno())
            break
        except OfflineModeIsEnabled:
            raise InputError(
                f"could not download {what}: HF_HUB_OFFLINE is set; unset it, then run again"
            ) from None
        except (HTTPError, InvalidURL) as error:
            if wait is None or not _may_pass(error):
                raise InputError(
                    reason(error, repo_type, source.repo, source.revision, name)
                ) from None
            time.sleep(wait)
        except OSError as error:
            if "Consistency check failed" not in str(error):
                raise
            raise InputError(reason(error, repo_type, source.repo, source.revision, name)) from None
    try:
        expect_digest(partial, expected, what)
    except InputError:
        partial.unlink()  # Later runs must not resume from the wrong bytes.
        raise
    partial.replace(target)


def _is_there(target: Path, expected: str) -> bool:
    """Return True if a regular file has this sha256."""
    return target.is_file() and not target.is_symlink() and sha256(target) == expected


class _Bounded:
    """A file that takes no more bytes than the server announced."""

    def __init__(self, file: BinaryIO, size: int, what: str) -> None:
        self._file, self._size, self._what = file, size, what
        self.tell, self.seek, self.truncate = file.tell, file.seek, file.truncate

    def write(self, chunk: bytes) -> int:
        if self._file.tell() + len(chunk) > self._size:
            self._file.truncate(0)  # Later runs must not resume from the wrong bytes.
            raise InputError(
                f"{self._what}: the server sends more than the {self._size} bytes that it "
                "announced; if HF_ENDPOINT is set, check that it names a hub"
            )
        return self._file.write(chunk)


def _expected_digest(pinned: str | None, etag: str | None, repo_type: RepoType, what: str) -> str:
    """Return the pinned digest, or the hub's if none is pinned.

    For a large file the hub's ETag is the sha256, so a file that does not match its pin is refused
    before it is downloaded.
    """
    known = etag if etag and SHA256.fullmatch(etag) else None
    if pinned and known:
        expect_same(known, pinned, what)
    if not (expected := pinned or known):
        raise InputError(
            f"{what} has no sha256 in conf/, and the hub keeps none for it: "
            f"`mathledger pin benchmark NAME` writes a benchmark's, and `{PRINT} {repo_type} REPO "
            "COMMIT PATH` prints any file's"
        )
    return expected


def _may_pass(error: Exception) -> bool:
    """Return True if a retry may help: the connection broke or the server had an error."""
    from httpx2 import TransportError
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code == 429
    return isinstance(error, TransportError)


def reason(error: Exception, repo_type: str, repo: str, revision: str, name: str) -> str:
    """Return why a file could not be downloaded, and how to fix it."""
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
        "check the network, then run again: the download resumes"
    )
