"""The links from the commit to the files: git, params, lock, digests, lineage."""

import difflib
import functools
import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mathledger.chain.git import git, has_commit, is_shallow
from mathledger.chain.lock import LOCK, Out, Stage, folder_md5
from mathledger.chain.parsing import parse_yaml
from mathledger.core.code import code_of
from mathledger.core.errors import InputError
from mathledger.core.paths import CODE_FOLDERS, is_code
from mathledger.verify.project import Project

MISSING = object()


def commit(project: Project) -> Iterator[str]:
    """Every file that git holds is byte for byte the commit's; nothing was added to the code.

    The bytes are read: git itself goes by times and sizes, which can be set.
    """
    at = project.chain.at
    head = git("rev-parse", "HEAD", at=at)
    listed = git("ls-tree", "-r", "-z", "--full-tree", "HEAD", at=at)
    entries = [entry.split("\t", 1) for entry in listed.split("\0") if entry]
    for meta, path in entries:
        mode, kind, blob = meta.split()
        if kind != "blob" or mode == "120000":
            continue
        try:
            data = Path(path).read_bytes()
        except FileNotFoundError:
            yield f"{path} is missing: `git checkout {path}`"
            continue
        digest = hashlib.new("sha256" if len(blob) == 64 else "sha1", usedforsecurity=False)
        digest.update(b"blob %d\0" % len(data))
        digest.update(data)
        if digest.hexdigest() != blob:
            yield f"{path} is not the commit's: `git diff {path}`"
    others = git("ls-files", "--others", "--exclude-standard", "--", *CODE_FOLDERS, "conf", at=at)
    for path in others.splitlines():
        yield f"{path} is in no commit: add it, or remove it"
    project.looked_at = f"{len(entries)} tracked files are those of {head[:10]}"


def history(project: Project) -> Iterator[str]:
    """The commits that the stages say they ran at are here, and hold the code that ran."""
    chain = project.chain
    shallow = is_shallow(chain.at)
    commits = set()
    num_dirty = 0
    for stage in chain.stages.values():
        if stage.name == "model_card" and not Path(stage.lineage).exists():
            yield f"{stage.lineage} is missing: `git checkout {stage.lineage}`"
            continue
        found = read_lineage(project, stage)
        revision, is_dirty = found["git_revision"], found["code_is_dirty"]
        if not has_commit(revision, chain.at):
            mend = (
                "this clone is shallow: `git fetch --unshallow`"
                if shallow
                else "history was rewritten, or the commit never pushed; `git fetch` its branch, "
                "or run the stage anew"
            )
            yield f"{stage.lineage}: commit {revision[:10]} is not here: {mend}"
            continue
        commits.add(revision)
        code = code_of(found)
        for room, out in stage.deps.items():
            if is_code(room) and md5_of(code, room) != out.md5:
                yield f"{stage.lineage}: `code` does not list {room} as {LOCK} has it"
        other = [path for path, md5 in code.items() if md5_at(chain.at, revision, path) != md5]
        num_dirty += bool(other)
        if other and not is_dirty:
            yield f"{stage.lineage}: it ran other code than commit {revision[:10]}'s {other[0]}"
    project.looked_at = f"{len(chain.stages)} stages ran at {len(commits)} commits"
    if num_dirty:
        project.looked_at += (
            f"; {num_dirty} with code that was not yet committed, now proved by its digests"
        )


def md5_of(code: dict[str, str], room: str) -> str | None:
    """DVC's digest of a module, or of a room as the modules that are listed make it."""
    if room in code:
        return code[room]
    inside = {path.removeprefix(f"{room}/"): md5 for path, md5 in code.items()}
    return folder_md5({path: md5 for path, md5 in inside.items() if f"{room}/{path}" in code})


@functools.cache
def md5_at(at: Path, revision: str, path: str) -> str | None:
    """The md5 of a file at a commit; None where it has none. Many stages share code and commit."""
    command = ["git", "cat-file", "blob", f"{revision}:{path}"]
    done = subprocess.run(command, cwd=at, capture_output=True)
    if done.returncode:
        return None
    return hashlib.md5(done.stdout, usedforsecurity=False).hexdigest()


def params(project: Project) -> Iterator[str]:
    """params.yaml is what conf/ compiles to, with the overrides that are given."""
    from mathledger.run.compose import compose

    overrides = project.arguments.overrides or []
    compiled = compose(overrides)
    current = project.chain.text("params.yaml")
    if current != compiled:
        lines = list(
            difflib.unified_diff(compiled.splitlines(), current.splitlines(), lineterm="", n=0)
        )
        changed = [line for line in lines[2:] if not line.startswith("@@")]
        yield (
            f"params.yaml is not what conf/ compiles to ({len(changed)} lines): "
            + "; ".join(changed[:4])
            + ("" if overrides else "; results of other params want `--overrides KEY=VALUE ...`")
        )
    project.looked_at = f"params.yaml is what conf/ compiles to ({len(current.splitlines())} lines)"


def lock(project: Project) -> Iterator[str]:
    """dvc.lock records just the stages of dvc.yaml, with their commands, deps, outs and params."""
    from dvc.dependency import ParamsDependency
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.utils.serialize import dumps_yaml

    text = project.chain.text(LOCK)
    content = parse_yaml(text, LOCK)
    locked = project.chain.stages
    if dumps_yaml(content) != text:
        yield f"{LOCK} is not written as DVC writes it: `git log -p {LOCK}` shows who changed it"
    if content.get("schema") != "2.0" or set(content) != {"schema", "stages"}:
        yield f"{LOCK} is not of schema 2.0"
    try:
        with Repo(".") as repo:
            stages = [each for each in repo.index.stages if hasattr(each, "name")]
    except DvcException as error:
        yield f"dvc.yaml: {error}"
        return
    for name in sorted(set(locked) - {stage.name for stage in stages}):
        yield f"{LOCK}: dvc.yaml has no stage {name}"
    for stage in stages:
        if stage.name not in locked:
            yield f"{LOCK} has no stage {stage.name}: it was never run; run `dvc repro`"
            continue
        found, entry = locked[stage.name], content["stages"][stage.name]
        if found.cmd != stage.cmd:
            yield f"{LOCK}, {stage.name}: cmd is {found.cmd!r}, dvc.yaml has {stage.cmd!r}"
        deps = {dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)}
        outs = {out.def_path for out in stage.outs}
        yield from same_names(f"{LOCK}, {stage.name}: deps", set(found.deps), deps)
        yield from same_names(f"{LOCK}, {stage.name}: outs", set(found.outs), outs)
        yield from well_formed(f"{LOCK}, {stage.name}", entry)
        keys = {
            key for dep in stage.deps if isinstance(dep, ParamsDependency) for key in dep.params
        }
        yield from same_names(f"{LOCK}, {stage.name}: params", set(found.params), keys)
        for key in sorted(keys & set(found.params)):
            if found.params[key] != value_at(project.chain.params, key):
                yield f"{LOCK}, {stage.name}: params {key} are not those of params.yaml"
    project.looked_at = f"{len(stages)} stages as dvc.yaml and params.yaml have them"
    if old := len(content["stages"]) - len(locked):
        project.looked_at += f"; {old} of other params are left from before"


def same_names(where: str, locked: set[str], wanted: set[str]) -> Iterator[str]:
    for name in sorted(locked - wanted):
        yield f"{where}: dvc.yaml does not have {name}"
    for name in sorted(wanted - locked):
        yield f"{where}: {name} is missing; run `dvc repro`"


def well_formed(where: str, entry: dict[str, Any]) -> Iterator[str]:
    """An entry of the lock has the keys that DVC writes, and no other."""
    for key in set(entry) - {"cmd", "deps", "params", "outs"}:
        yield f"{where}: unknown key {key}"
    for each in [*entry.get("deps", []), *entry.get("outs", [])]:
        if set(each) - {"nfiles"} != {"path", "hash", "md5", "size"} or each["hash"] != "md5":
            yield f"{where}: {each.get('path')} lacks a key, or has one too many"
    for file in set(entry.get("params", {})) - {"params.yaml"}:
        yield f"{where}: params of {file}, which dvc.yaml does not name"


def value_at(tree: Any, key: str) -> Any:
    """value_at({"a": {"b": 1}}, "a.b") -> 1; MISSING where there is none."""
    for part in key.split("."):
        if not isinstance(tree, dict) or part not in tree:
            return MISSING
        tree = tree[part]
    return tree


def digests(project: Project) -> Iterator[str]:
    """Every file that a stage read or wrote has the digest and the size that the lock records."""
    import time

    entries: dict[Out, Stage] = {}  # the same file is recorded by all stages that read it
    for stage in project.chain.stages.values():
        for out in [*stage.outs.values(), *stage.deps.values()]:
            entries.setdefault(out, stage)
    paths = sorted({out.path for out in entries if Path(out.path).exists()})
    files = [file for path in paths for file in project.files_in(path)]
    started = time.perf_counter()
    project.hash(files)
    seconds = time.perf_counter() - started
    size = sum(project.digests(file).size for file in set(files))
    missing = {out.path: how for out in entries if (how := mend_of_missing(project, out.path))}
    for how in sorted(set(missing.values())):
        lost = [path for path, mend in missing.items() if mend == how]
        some = ", ".join(lost[:3]) + (f" and {len(lost) - 3} more" if len(lost) > 3 else "")
        yield f"{some} {'is' if len(lost) == 1 else 'are'} missing: run `{how}`"
    for out, stage in entries.items():
        if out.path not in missing:
            yield from compare(project, out, stage)
    project.looked_at = (
        f"{len(set(files))} files, {size / 1e6:,.0f} MB at {size / 1e6 / seconds:,.0f} MB/s"
    )


def mend_of_missing(project: Project, path: str) -> str | None:
    """The command that brings a file which is missing; None where it is there."""
    if Path(path).exists():
        return None
    is_data = path.startswith(("data/", "lineage/"))
    return "dvc pull" if is_data else f"git checkout {path}"


def compare(project: Project, out: Out, stage: Stage) -> Iterator[str]:
    """One entry of the lock against what stands there."""
    path = Path(out.path)
    if path.is_dir() != out.md5.endswith(".dir"):
        yield f"{out.path} is {'a folder' if path.is_dir() else 'a file'}; {LOCK} has the other"
    elif path.is_dir():
        md5, size, num_files = project.folder(out.path)
        if md5 != out.md5:
            yield from name_the_file(project, out, stage, md5)
        elif (size, num_files) != (out.size, out.num_files):
            yield (
                f"{LOCK}, {stage.name}: {out.path} has {num_files} files and {size} bytes, "
                f"not {out.num_files} and {out.size}"
            )
    else:
        found = project.digests(out.path)
        if found.md5 != out.md5:
            yield f"{out.path}: md5 is {found.md5}, {LOCK} ({stage.name}) has {out.md5}"
        elif found.size != out.size:
            yield f"{LOCK}, {stage.name}: {out.path} has {found.size} bytes, not {out.size}"


def name_the_file(project: Project, out: Out, stage: Stage, md5: str) -> Iterator[str]:
    """Which file of a folder differs, where the cache or another entry of the lock tells."""
    chain = project.chain
    try:
        wanted = chain.files(out)
    except InputError:  # a folder of several stages' outs has no listing of its own
        wanted = {}
        for each in chain.makers(out.path):
            for own in each.outs.values():
                if own.path.startswith(f"{out.path}/"):
                    wanted |= listing(project, own)
    present = {file: project.digests(file).md5 for file in project.files_in(out.path)}
    others = [path for path in wanted if path in present and present[path] != wanted[path]]
    lost = [path for path in wanted if path not in present]
    added = [path for path in present if wanted and path not in wanted and ".git" not in path]
    named = [
        *(f"{path} is not what {stage.name} recorded" for path in others),
        *(f"{path} is missing: run `dvc pull`" for path in lost),
        *(f"{path} was made by no stage: remove it" for path in added),
    ]
    yield from named or [f"{out.path}: digest is {md5}, {LOCK} ({stage.name}) has {out.md5}"]


def listing(project: Project, out: Out) -> dict[str, str]:
    """The files of an output as the cache lists them; of a folder it lacks, none."""
    try:
        return project.chain.files(out)
    except InputError:
        return {}


def lineage(project: Project) -> Iterator[str]:
    """What each stage wrote of its own run is what the lock records of it."""
    from mathledger.core.keys import flatten

    for stage in project.chain.stages.values():
        found = read_lineage(project, stage)
        name = found["stage"] if stage.kind == "reinforce" or not found["item"] else (
            f"{found['stage']}@{found['item']}"
        )  # fmt: skip
        if name != (stage.kind if stage.kind == "reinforce" else stage.name):
            yield f"{stage.lineage} is of {name}, not of {stage.name}"
        for path, out in stage.deps.items():
            if (digest := found["deps"].get(path)) != out.md5:
                yield f"{stage.lineage}: read {path} as {digest}, {LOCK} has {out.md5}"
        wanted = flatten(stage.params)
        for key in sorted(wanted.keys() | found["params"].keys()):
            if wanted.get(key, MISSING) != found["params"].get(key, MISSING):
                yield f"{stage.lineage}: params {key} are not those of {LOCK}"
    project.looked_at = f"{len(project.chain.stages)} stages ran with what {LOCK} records"


def read_lineage(project: Project, stage: Stage) -> dict[str, Any]:
    """The lineage file as it stands in the checkout."""
    from mathledger.core.files import read_json

    found = read_json(Path(stage.lineage))
    keys = ("stage", "item", "git_revision", "code_is_dirty", "deps", "params")
    if not isinstance(found, dict) or any(key not in found for key in keys):
        raise InputError(f"{stage.lineage} is no lineage of a stage: run `dvc pull`")
    return found
