"""Query git for the project's folder, commits, experiments, and files at a commit.

The project may be a folder of a larger repository: paths are relative to the project.
"""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.run.git import NoRepositoryError, find_object, git, read_object

NOT_EXPERIMENTS = ("stash", "exec", "celery", "apply", "push")  # other names under refs/exps/


def root() -> Path:
    """Return the folder with dvc.yaml: the current one or the nearest above.

    Raises:
        InputError: there is no such folder, or git cannot read its repository.
    """
    here = Path.cwd()
    top = next((each for each in (here, *here.parents) if (each / "dvc.yaml").is_file()), None)
    if top is None:
        raise InputError(
            f"{here} is not in a project (no dvc.yaml here or above): change into a clone"
        )
    try:
        git("rev-parse", "--git-dir", at=top)
    except NoRepositoryError:
        raise InputError(
            f"{top} is not in a git repository: use a clone, whose commits are traced"
        ) from None
    return top


def is_shallow(at: Path) -> bool:
    """Return True if the clone is shallow, as `git clone --depth` makes it."""
    return git("rev-parse", "--is-shallow-repository", at=at) == "true"


def has_commit(commit: str, at: Path) -> bool:
    """Return True if the repository has a commit with this hash."""
    return find_object(f"{commit}^{{commit}}", at) is not None


def has_file(commit: str, path: str, at: Path) -> bool:
    """Return True if a commit has a file."""
    return (find_object(_at(commit, path), at) or ("", ""))[0] == "blob"


def read_file(commit: str, path: str, at: Path) -> bytes | None:
    """Read a file at a commit; return None if the commit has no such file."""
    return read_object(_at(commit, path), at)


def _at(commit: str, path: str) -> str:
    return f"{commit}:./{path}"  # without ./, the path would count from the repository's top


@functools.cache
def md5_at(commit: str, path: str, at: Path) -> str | None:
    """Return the md5 of a file at a commit, or None if the commit has no such file.

    Results are cached, because many stages ran at one commit with the same code.
    """
    data = read_file(commit, path, at)
    return None if data is None else hashlib.md5(data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Experiment:
    """A commit of `dvc exp run`, with the commit that it started from."""

    name: str
    commit: str
    baseline: str


def experiments(at: Path) -> list[Experiment]:
    """Return DVC's experiments, oldest first; several may share a name."""
    form = "--format=%(refname) %(objectname)"
    listed = git("for-each-ref", "--sort=committerdate", form, "refs/exps/", at=at)
    known = []
    for line in listed.splitlines():
        reference, commit = line.rsplit(" ", 1)
        parts = reference.removeprefix("refs/exps/").split("/")
        if parts[0] not in NOT_EXPERIMENTS and len(parts) == 3:
            known.append(Experiment(parts[2], commit, "".join(parts[:2])))
    return known


def queued(at: Path) -> list[str]:
    """Return the names of the experiments that wait in DVC's queue."""
    stash = "refs/exps/celery/stash"
    if not git("for-each-ref", stash, at=at):
        return []
    messages = git("reflog", "show", "--format=%gs", stash, at=at).splitlines()
    return [message.rpartition(":")[2] for message in messages]


def resolve(revision: str, at: Path) -> str:
    """Return the commit of a revision or of an experiment's name.

    Raises:
        InputError: the name matches no commit, or more than one.
    """
    of_git = (find_object(f"{revision}^{{commit}}", at) or ("", ""))[1]
    of_name = [each.commit for each in experiments(at) if each.name == revision]
    commits = sorted({*of_name, *([of_git] if of_git else [])})
    if len(commits) > 1:
        kinds = "revision and experiment" if of_git else "experiments"
        raise InputError(
            f"{revision} names {len(commits)} {kinds}: "
            + ", ".join(commit[:10] for commit in commits)
            + "; give the commit instead"
        )
    if not commits:
        remedy = (
            "this clone is shallow: `git fetch --unshallow` first"
            if is_shallow(at)
            else "`git log` and `dvc exp list` list them; `git fetch` and `dvc exp pull` bring "
            "those of another clone"
        )
        raise InputError(f"{revision} names no revision and no experiment here; {remedy}")
    return commits[0]
