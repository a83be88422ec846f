"""What the chain asks of git: the project's folder, commits, experiments, and files at a commit."""

import functools
import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mathledger.core.errors import InputError

NOT_EXPERIMENTS = ("stash", "exec", "celery", "apply", "push")  # of refs/exps/


def root() -> Path:
    """Find the folder of dvc.yaml: the current one or the nearest above.

    Raises:
        InputError: there is none, or it is not the top of a git repository.
    """
    here = Path.cwd()
    top = next((each for each in (here, *here.parents) if (each / "dvc.yaml").is_file()), None)
    if top is None:
        raise InputError(f"{here} is in no project (no dvc.yaml here or above): cd into a clone")
    if not (top / ".git").exists():
        raise InputError(f"{top} is no git repository: results are traced through its commits")
    return top


def git(*arguments: str, at: Path) -> str:
    """Return the output of a git command.

    Raises:
        InputError: it fails; the text is git's own.
    """
    done = subprocess.run(["git", *arguments], cwd=at, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"git {arguments[0]}: {done.stderr.strip() or 'no answer'}")
    return done.stdout.rstrip("\n")


def is_shallow(at: Path) -> bool:
    """Return True if the clone lacks history, as one made with `git clone --depth` does."""
    return git("rev-parse", "--is-shallow-repository", at=at) == "true"


def has_commit(commit: str, at: Path) -> bool:
    """Return True if the repository holds a commit of this hash."""
    return _succeeds("cat-file", "-e", f"{commit}^{{commit}}", at=at)


def has_file(commit: str, path: str, at: Path) -> bool:
    """Return True if a commit holds a file."""
    return _succeeds("cat-file", "-e", f"{commit}:{path}", at=at)


def _succeeds(*arguments: str, at: Path) -> bool:
    return subprocess.run(["git", *arguments], cwd=at, capture_output=True).returncode == 0


def read_file(commit: str, path: str, at: Path) -> bytes | None:
    """Read a file at a commit; None if the commit holds no such file."""
    command = ["git", "cat-file", "blob", f"{commit}:{path}"]
    done = subprocess.run(command, cwd=at, capture_output=True)
    return None if done.returncode else done.stdout


@functools.cache
def md5_at(commit: str, path: str, at: Path) -> str | None:
    """Return the md5 of a file at a commit; None if the commit holds no such file.

    Many stages ran at one commit with the same code, so that answers are kept.
    """
    data = read_file(commit, path, at)
    return None if data is None else hashlib.md5(data, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Experiment:
    """A commit of `dvc exp run`, and the commit that it started from."""

    name: str
    commit: str
    baseline: str


def experiments(at: Path) -> list[Experiment]:
    """Return DVC's experiments, the oldest first. A name may stand for several."""
    form = "--format=%(refname) %(objectname)"
    listed = git("for-each-ref", "--sort=committerdate", form, "refs/exps/", at=at)
    known = []
    for line in listed.splitlines():
        reference, commit = line.rsplit(" ", 1)
        parts = reference.removeprefix("refs/exps/").split("/")
        if parts[0] not in NOT_EXPERIMENTS and len(parts) == 3:
            known.append(Experiment(parts[2], commit, "".join(parts[:2])))
    return known


def resolve(revision: str, at: Path) -> str:
    """Return the commit that a revision or the name of an experiment names.

    Raises:
        InputError: it names nothing, or more than one commit.
    """
    command = ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"]
    of_git = subprocess.run(command, cwd=at, capture_output=True, text=True).stdout.strip()
    of_name = [each.commit for each in experiments(at) if each.name == revision]
    commits = sorted({*of_name, *([of_git] if of_git else [])})
    if len(commits) > 1:
        kinds = "revision and experiment" if of_git else "experiments"
        raise InputError(
            f"{revision} names {len(commits)} {kinds}: "
            + ", ".join(commit[:10] for commit in commits)
            + "; give the commit"
        )
    if not commits:
        mend = (
            "this clone is shallow: `git fetch --unshallow` first"
            if is_shallow(at)
            else "`git log` and `dvc exp list` show those there are; another clone's come with "
            "`git fetch` and `dvc exp pull`"
        )
        raise InputError(f"{revision} names no revision and no experiment here; {mend}")
    return commits[0]
