"""Print the lines that pin a source in conf/, for a hub repository or for local files and folders.

python -m mathledger.data.pins dataset openai/gsm8k main 'main/test-*'
python -m mathledger.data.pins model HuggingFaceTB/SmolLM2-135M-Instruct main '*.safetensors'
python -m mathledger.data.pins local ~/my_corpus
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.data.formats import is_table_name
from mathledger.data.hub import reason
from mathledger.data.sources import RepoType, expect_inside


def local_pins(given: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (path, sha256) of the given files and of all files in the given folders.

    A link is listed under its own name: in the hub's cache that is the file's name, and the
    target's name is a digest. Hidden files in a folder are left out.
    """
    for text in given:
        root = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100  resolves no link
        if not root.exists():
            raise InputError(f"there is no file or folder {root}")
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            is_hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if path.is_file() and not is_hidden:
                yield str(path), sha256(path)


def names(repo: str, commit: str) -> list[str]:
    """Return the names of a data set's files that can be read."""
    from huggingface_hub import HfApi, RepoFile

    with _answers(repo, commit, "dataset"):
        tree = HfApi().list_repo_tree(repo, recursive=True, revision=commit, repo_type="dataset")
        found = [file.path for file in tree if isinstance(file, RepoFile)]
    return sorted(name for name in found if is_table_name(name))


def hub_pins(
    repo: str, commit: str, repo_type: RepoType, patterns: list[str]
) -> Iterator[tuple[str, str]]:
    """Yield (path, sha256) of a repository's files.

    The hub keeps no sha256 of small files, so these are downloaded and hashed.
    """
    from huggingface_hub import HfApi, RepoFile, hf_hub_download

    with _answers(repo, commit, repo_type):
        tree = HfApi().list_repo_tree(repo, recursive=True, revision=commit, repo_type=repo_type)
        for file in tree:
            if not isinstance(file, RepoFile) or not any(fnmatch(file.path, p) for p in patterns):
                continue
            try:
                expect_inside(file.path)
            except ValueError as error:
                raise InputError(f"{repo} has a file named {file.path!a}: {error}") from None
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
    commit = resolve(repo, revision, repo_type)
    print(f"repo: {yaml_text(repo)}\nrevision: {yaml_text(commit)}")
    _print_files(hub_pins(repo, commit, repo_type, patterns))


def resolve(repo: str, revision: str, repo_type: RepoType) -> str:
    """Return the commit that a branch, tag or commit of a repository names today."""
    from huggingface_hub import HfApi

    with _answers(repo, revision, repo_type):
        return str(HfApi().repo_info(repo, revision=revision, repo_type=repo_type).sha)


@contextmanager
def _answers(repo: str, revision: str, repo_type: RepoType) -> Iterator[None]:
    """Raise InputError if the hub does not answer or refuses."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled:
        raise InputError(f"cannot ask for {repo}: HF_HUB_OFFLINE is set; unset it") from None
    except HFValidationError as error:
        raise InputError(str(error).splitlines()[0]) from None
    except HTTPError as error:
        raise InputError(reason(error, repo_type, repo, revision, "the listing")) from None


def _print_files(pins: Iterable[tuple[str, str]]) -> None:
    print("files:")
    for line in file_lines(pins):
        print(f"  {line}")


def file_lines(pins: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of YAML that give each file its sha256."""
    for path, digest in pins:
        key, value = yaml_text(path), yaml_text(digest)
        # YAML takes keys of up to 1024 characters on one line with their values.
        yield from [f"{key}: {value}"] if len(key) < 1000 else [f"? {key}", f": {value}"]


def yaml_text(text: str) -> str:
    r"""Return a string as YAML that reads back as the same string, quoted only if it must be.

    >>> print(yaml_text("data/a.jsonl"), yaml_text("train (1).jsonl"), yaml_text("a: b # c"))
    data/a.jsonl "train (1).jsonl" "a: b # c"
    >>> print(yaml_text("1e5"), yaml_text("null"), yaml_text("line\nfeed"))
    "1e5" "null" "line\nfeed"

    Raises:
        InputError: YAML has no spelling for it, as for a name that is not UTF-8.
    """
    import yaml

    if re.fullmatch("[A-Za-z0-9_/.+-]+", text) and _reads_back(text):
        return text
    try:
        text.encode()
        quoted = str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=1 << 20))
    except (yaml.YAMLError, UnicodeError):
        quoted = ""
    if quoted and yaml.safe_load(quoted) == text:
        return quoted.rstrip("\n")
    raise InputError(f"YAML has no spelling for the name {text!a}: rename the file")


def _reads_back(text: str) -> bool:
    """Return True if YAML, and Hydra's dialect of it, read an unquoted text as the same string."""
    import yaml
    from omegaconf._utils import get_yaml_loader

    try:
        return bool(yaml.load(text, get_yaml_loader()) == yaml.safe_load(text) == text)
    except yaml.YAMLError:
        return False  # "..." ends a document.


if __name__ == "__main__":
    main()
