"""Check the link `digests`: every file that a stage read or wrote is the one in dvc.lock."""

import contextlib
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

from mathledger.chain.git import md5_at
from mathledger.chain.lock import LOCK, Out, Stage
from mathledger.core.errors import InputError
from mathledger.core.parsing import parse_yaml
from mathledger.core.paths import is_code, is_data, is_lineage, is_within
from mathledger.run.git import git_paths, head
from mathledger.run.lineage import Lineage, lineage_file
from mathledger.verify.comparing import files_below
from mathledger.verify.project import Check, Project
from mathledger.verify.records import recorded_md5


def digests(project: Project) -> Check:
    """Check that every file that a stage read or wrote has the digest and size in dvc.lock."""
    entries: dict[Out, Stage] = {}  # each file once, though several stages record it
    for stage in project.chain.stages.values():
        for out in [*stage.outs.values(), *stage.deps.values()]:
            entries.setdefault(out, stage)
    paths = sorted({out.path for out in entries if Path(out.path).exists()})
    files = [file for path in paths for file in project.files_in(path)]
    started = time.perf_counter()
    project.hash(files)
    seconds = time.perf_counter() - started
    size = sum(project.digests(file).size for file in set(files))
    missing = {out.path: how for out in entries if (how := how_to_restore(out.path))}
    for how in sorted(set(missing.values())):
        lost = [path for path, command in missing.items() if command == how]
        some = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        yield f"{some} {'is' if len(lost) == 1 else 'are'} missing: run `{how}`"
    for out, stage in entries.items():
        if out.path not in missing:
            yield from compare(project, out, stage)
    yield from unrecorded(project)
    return f"{len(set(files))} files, {size / 1e6:,.0f} MB at {size / 1e6 / seconds:,.0f} MB/s"


# The folders whose files no other link makes again, with these.
KNOWN = {"data/train": {"samples.csv"}, "data/reinforce": {"samples.csv"}}
# In these folders a reader takes every file for a result or for the record of a run.
RECORDED = ("data", "lineage", "metrics")
CARD_RUN = lineage_file("model_card")  # in git, and in no entry of the lock


def unrecorded(project: Project) -> Iterator[str]:
    """Name files that a reader takes for results, though no stage makes them.

    Earlier runs with other params may have left files behind, and their entries in dvc.lock.
    """
    entries = parse_yaml(project.chain.text(LOCK), LOCK)["stages"].values()
    outs = {out["path"] for entry in entries for out in entry.get("outs", [])}
    for folder in RECORDED:
        for path in files_below(folder):
            name = path.as_posix()
            parents = {parent.as_posix() for parent in path.parents}
            is_known = name in outs or parents & outs or path == CARD_RUN
            if not is_known and not _is_left_behind(path):
                yield f"{path} is recorded by no stage in {LOCK}: remove it"
    for folder, names in KNOWN.items():
        for path in files_below(folder):
            if path.relative_to(folder).as_posix() not in names:
                yield f"{path} is not made by its stage: remove it"


def _is_left_behind(path: Path) -> bool:
    """Return True for git's own files, and for what a killed run or a file manager leaves.

    Nothing may be left in metrics/, whose files a reader compares.
    """
    if path.name == ".gitignore":
        return True
    names = [name for name in path.parts if name.endswith(".partial") or name == ".DS_Store"]
    return bool(names) and path.parts[0] != "metrics"


def how_to_restore(path: str) -> str | None:
    """Return the command that restores a missing file, or None if the file exists."""
    if Path(path).exists():
        return None
    return "dvc pull" if is_data(path) or is_lineage(path) else f"git checkout {shlex.quote(path)}"


def compare(project: Project, out: Out, stage: Stage) -> Iterator[str]:
    """Compare one entry of dvc.lock with the file or folder on disk."""
    path = Path(out.path)
    if path.is_dir() != out.md5.endswith(".dir"):
        kinds = ("a folder", "a file") if path.is_dir() else ("a file", "a folder")
        yield f"{out.path} is {kinds[0]}, but {LOCK} records {kinds[1]}"
    elif path.is_dir():
        md5, size, num_files = project.folder(out.path)
        if md5 != out.md5:
            yield from differing_files(project, out, stage, md5)
        elif (size, num_files) != (out.size, out.num_files):
            yield (
                f"{LOCK}, {stage.name}: {out.path} has {num_files} files and {size} bytes, "
                f"not {out.num_files} and {out.size}"
            )
    else:
        present = project.digests(out.path)
        if present.md5 != out.md5:
            yield f"{out.path}: md5 is {present.md5}, but {LOCK} ({stage.name}) has {out.md5}"
        elif present.size != out.size:
            yield f"{LOCK}, {stage.name}: {out.path} has {present.size} bytes, not {out.size}"


def differing_files(project: Project, out: Out, stage: Stage, md5: str) -> Iterator[str]:
    """Report the files of a folder that differ, or the folder if its files are not recorded."""
    wanted = recorded_files(project, out, stage)
    present = {file: project.digests(file).md5 for file in project.files_in(out.path)}
    command = "git checkout {}" if is_code(out.path) else "dvc pull"
    reasons = [
        f"{path} is not what {stage.name} recorded"
        if path in present
        else f"{path} is missing: run `{command.format(shlex.quote(path))}`"
        for path, recorded in wanted.items()
        if present.get(path) != recorded
    ]
    reasons += [
        f"{path} was not made by any stage: remove it"
        for path in present
        if wanted and path not in wanted and ".git" not in path
    ]
    yield from reasons or [f"{out.path}: digest is {md5}, but {LOCK} ({stage.name}) has {out.md5}"]


def recorded_files(project: Project, out: Out, stage: Stage) -> dict[str, str]:
    """Return the recorded files of a folder, path -> md5, or nothing if they are not recorded.

    Lineage or the commit lists code files, and the cache lists the files of a stage's outputs.
    """
    chain = project.chain
    if is_code(out.path):
        listings = (_code_of_run(stage), _code_of_head(out.path, chain.at))
        whole = (each for each in listings if recorded_md5(each, out.path) == out.md5)
        code = next(whole, {})
        return {path: md5 for path, md5 in code.items() if is_within(path, out.path)}
    with contextlib.suppress(InputError):
        return chain.files(out)
    # A folder with the outputs of several stages has no listing itself.
    files: dict[str, str] = {}
    for maker in chain.makers(out.path):
        for own in maker.outs.values():
            if is_within(own.path, out.path):
                with contextlib.suppress(InputError):
                    files |= chain.files(own)
    return files


def _code_of_run(stage: Stage) -> dict[str, str]:
    """Return the code files in a stage's lineage, or nothing if the lineage is damaged."""
    try:
        return Lineage.load(stage.name).code_files
    except InputError:
        return {}


def _code_of_head(room: str, at: Path) -> dict[str, str]:
    """Return the files of a room in the current commit, path -> md5."""
    revision = head(at)
    paths = git_paths("ls-tree", "-r", "-z", "--name-only", revision, "--", room, at=at)
    return {path: md5 for path in paths if (md5 := md5_at(revision, path, at))}
