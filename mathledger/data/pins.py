"""Print the lines that pin a source in conf/, for a hub repository or for local files and folders.

python -m mathledger.data.pins dataset openai/gsm8k main 'main/test-*'
python -m mathledger.data.pins model HuggingFaceTB/SmolLM2-135M-Instruct main '*.safetensors'
python -m mathledger.data.pins local ~/my_corpus
"""

import sys
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.data.hub import reason
from mathledger.data.sources import RepoType


def local_pins(given: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (path, sha256) of the given files and of all files in the given folders."""
    for root in map(Path, given):
        if not root.exists():
            raise InputError(f"there is no file or folder {root}")
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file():
                yield str(path.resolve()), sha256(path)


def hub_pins(
    repo: str, commit: str, repo_type: RepoType, patterns: list[str]
) -> Iterator[tuple[str, str]]:
    """Yield (path, sha256) of a repository's files.

    The hub keeps no sha256 of small files, so these are downloaded and hashed.
    """
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
    from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

    try:
        commit = str(HfApi().repo_info(repo, revision=revision, repo_type=repo_type).sha)
        print(f"repo: {repo}\nrevision: {commit}")
        _print_files(hub_pins(repo, commit, repo_type, patterns))
    except OfflineModeIsEnabled:
        raise InputError(f"cannot ask for {repo}: HF_HUB_OFFLINE is set; unset it") from None
    except HFValidationError as error:
        raise InputError(str(error).splitlines()[0]) from None
    except HTTPError as error:
        raise InputError(reason(error, repo_type, repo, revision, "the listing")) from None


def _print_files(pins: Iterator[tuple[str, str]]) -> None:
    print("files:")
    for path, digest in pins:
        print(f"  {path}: {digest}")


if __name__ == "__main__":
    main()
