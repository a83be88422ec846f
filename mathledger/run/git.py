"""Run git, with the same settings, environment and errors everywhere; nothing else runs it.

A user's git may hide files (`status.showUntrackedFiles=no`, ignore files, `assume-unchanged`),
answer for another repository (`GIT_DIR` in a hook) or refuse to answer at all (a folder that
belongs to another user). So we compare bytes with the commit instead of asking for a status, clear
the environment, and report every failure with git's own text.
"""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from mathledger.core.errors import InputError

SETTINGS = ("core.fsmonitor=false", "core.untrackedCache=false", "core.quotePath=false")
# These say where the repository is, or change how paths are matched and objects are read.
CLEARED = {
    f"GIT_{name}"
    for name in (
        "ALTERNATE_OBJECT_DIRECTORIES", "COMMON_DIR", "DIR", "GLOB_PATHSPECS", "GRAFT_FILE",
        "ICASE_PATHSPECS", "IMPLICIT_WORK_TREE", "INDEX_FILE", "INTERNAL_SUPER_PREFIX",
        "LITERAL_PATHSPECS", "NAMESPACE", "NOGLOB_PATHSPECS", "NO_REPLACE_OBJECTS",
        "OBJECT_DIRECTORY", "PREFIX", "REPLACE_REF_BASE", "SHALLOW_FILE", "WORK_TREE",
    )
}  # fmt: skip
# Files in the folders of code that are not code: DVC leaves them out of its digests as well.
NO_CODE = Path(".dvcignore")


class NoRepositoryError(InputError):
    """The folder is in no git repository."""


class Difference(NamedTuple):
    path: str  # relative to the folder that was compared
    kind: Literal["missing", "changed", "added"]


def run_git(*arguments: str, at: Path = Path(), given: bytes = b"") -> bytes:
    """Return what a git command prints.

    Args:
        at: the folder to run in; git's relative paths count from it.
        given: what the command reads from stdin.

    Raises:
        NoRepositoryError: the folder is in no git repository.
        InputError: the command fails; the message is git's, on one line.
    """
    command = ["git", "--no-pager", "--no-optional-locks", "--no-replace-objects"]
    command += [word for setting in SETTINGS for word in ("-c", setting)]
    try:
        done = subprocess.run(
            [*command, *arguments], cwd=at, input=given, capture_output=True, env=_environment()
        )
    except FileNotFoundError:
        what = "there is no program git: install it" if at.is_dir() else f"{at} does not exist"
        raise InputError(what) from None
    # Some commands report a broken object on stderr and still succeed.
    if not done.returncode and b"error: " not in done.stderr:
        return done.stdout
    here = at.resolve()
    if not any(os.path.lexists(each / ".git") for each in (here, *here.parents)):
        raise NoRepositoryError(f"{here} is not in a git repository")
    said = " ".join(os.fsdecode(done.stderr).split()).removeprefix("fatal: ")
    raise InputError(f"git {arguments[0]}: {said[:600] or f'exit status {done.returncode}'}")


def _environment() -> dict[str, str]:
    own = {
        key: value
        for key, value in os.environ.items()
        if key not in CLEARED and not key.startswith("GIT_TRACE")
    }
    return own | {"LC_ALL": "C", "LANGUAGE": ""}


def git(*arguments: str, at: Path = Path()) -> str:
    """Return what a git command prints as text; bytes that are not UTF-8 become surrogates.

    Raises:
        InputError: the command fails; the message is git's, on one line.
    """
    return os.fsdecode(run_git(*arguments, at=at)).rstrip("\n")


def git_paths(*arguments: str, at: Path = Path()) -> list[str]:
    """Return the NUL-separated records of a git command that was given -z."""
    return os.fsdecode(run_git(*arguments, at=at)).split("\0")[:-1]


def find_object(name: str, at: Path = Path()) -> tuple[str, str] | None:
    """Return the type and the hash of an object by its name; None if the repository lacks it.

    Args:
        name: for example "HEAD^{commit}", or "v1.0:./dvc.lock" for a path relative to `at`.

    Raises:
        InputError: git cannot tell.
    """
    if "\n" in name:
        return None
    answer = os.fsdecode(run_git("cat-file", "--batch-check", at=at, given=os.fsencode(name)))
    head = answer.rstrip("\n").removeprefix(f"{name} ").split(" ")
    if head[-1] == "missing":
        return None
    return head[1], head[0]


def read_object(name: str, at: Path = Path()) -> bytes | None:
    """Return the bytes of a file at a commit, such as "HEAD:./dvc.lock"; None if it has none.

    Raises:
        InputError: git cannot read it.
    """
    if "\n" in name:
        return None
    answer = run_git("cat-file", "--batch", at=at, given=os.fsencode(name))
    head, _, content = answer.partition(b"\n")
    words = head.split(b" ")
    return content[: int(words[2])] if len(words) == 3 and words[1] == b"blob" else None


def head(at: Path = Path()) -> str:
    """Return the commit that is checked out.

    Raises:
        InputError: there is none yet, or git cannot tell.
    """
    found = find_object("HEAD^{commit}", at)
    if found is None:
        raise InputError(
            f"{at.resolve()}: HEAD names no commit; results are recorded with theirs, so commit "
            "the project first: `git add --all && git commit`"
        )
    return found[1]


def differences(commit: str, *paths: str, at: Path = Path()) -> Iterator[Difference]:
    """Yield the files under some paths that are not, byte for byte, those of a commit.

    Files that `.dvcignore` leaves out of DVC's digests, such as __pycache__, make no difference.
    Other ignored files do, because Python imports a module that git ignores.

    Args:
        paths: files and folders relative to `at`; all files of the commit if there are none, but
            then no added ones.
    """
    entries = _entries(commit, *paths, at=at)
    for path, (mode, kind, blob) in entries.items():
        file = at / path
        if kind == "commit":
            yield from _of_submodule(path, blob, at)
        elif not os.path.lexists(file):
            yield Difference(path, "missing")
        elif _blob(file, mode, len(blob)) != blob:
            yield Difference(path, "changed")
    if paths:
        no_code = (at / NO_CODE).resolve()
        leave_out = ["--exclude-from", str(no_code)] if no_code.is_file() else []
        listed = ("ls-files", "-z", "--cached", "--others", *leave_out, "--", *paths)
        for path in sorted({*git_paths(*listed, at=at)} - entries.keys()):
            if os.path.lexists(at / path):
                yield Difference(path, "added")


def num_files(commit: str, at: Path = Path()) -> int:
    """Return the number of files and links that a commit has in a folder."""
    return sum(kind == "blob" for _, kind, _ in _entries(commit, at=at).values())


def _entries(commit: str, *paths: str, at: Path) -> dict[str, tuple[str, str, str]]:
    """Return mode, type and hash of everything that a commit has under some paths."""
    entries = {}
    for entry in git_paths("ls-tree", "-r", "-z", commit, "--", *paths, at=at):
        meta, _, path = entry.partition("\t")
        mode, kind, blob = meta.split(" ")
        entries[path] = mode, kind, blob
    return entries


def _of_submodule(path: str, commit: str, at: Path) -> Iterator[Difference]:
    folder = at / path
    is_checked_out = os.path.lexists(folder / ".git")
    if not is_checked_out or find_object("HEAD^{commit}", folder) != ("commit", commit):
        yield Difference(path, "changed" if is_checked_out else "missing")
        return
    for name, kind in differences(commit, ".", at=folder):
        yield Difference(f"{path}/{name}", kind)


def _blob(file: Path, mode: str, length: int) -> str | None:
    """Return git's hash of a file's bytes, or of a link's target; None if it is neither."""
    try:
        # pathlib would leave out a ./ in the target.
        is_link = mode == "120000"
        data = os.fsencode(os.readlink(file)) if is_link else file.read_bytes()  # noqa: PTH115
    except OSError:
        return None
    digest = hashlib.new("sha256" if length == 64 else "sha1", usedforsecurity=False)
    digest.update(b"blob %d\0" % len(data))
    digest.update(data)
    return digest.hexdigest()
