"""Check the links of the records: history, params.yaml, dvc.lock and lineage."""

import difflib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mathledger.chain.facts import changed_deps, changed_params
from mathledger.chain.git import has_commit, is_shallow, md5_at
from mathledger.chain.lock import LOCK, folder_md5
from mathledger.core.keys import value_at
from mathledger.core.parsing import parse_yaml
from mathledger.core.paths import is_code, is_within
from mathledger.run.lineage import Lineage
from mathledger.verify.project import Check, Project


def history(project: Project) -> Check:
    """Check that this clone has the commits that the stages ran at, and that they hold the code."""
    chain = project.chain
    is_clone_shallow = is_shallow(chain.at)
    commits = set()
    num_dirty = 0
    for stage in chain.stages.values():
        if stage.name == "model_card" and not Path(stage.lineage).exists():
            yield f"{stage.lineage} is missing: run `git checkout {shlex.quote(stage.lineage)}`"
            continue
        lineage = Lineage.load(stage.name)
        commit = lineage.git_revision
        if not has_commit(commit, chain.at):
            remedy = (
                "it is shallow, so run `git fetch --unshallow`"
                if is_clone_shallow
                else "history was rewritten, or the commit was never pushed; `git fetch` its "
                "branch, or run the stage again"
            )
            yield f"{stage.lineage}: this clone lacks commit {commit[:10]}: {remedy}"
            continue
        commits.add(commit)
        code = lineage.code_files
        for path, dep in stage.deps.items():
            if is_code(path) and recorded_md5(code, path) != dep.md5:
                yield f"{stage.lineage}: the digest of {path} in `code` differs from {LOCK}"
        others = [path for path, md5 in code.items() if md5_at(commit, path, chain.at) != md5]
        num_dirty += bool(others)
        if others and not lineage.code_is_dirty:
            yield f"{stage.lineage}: the code that ran differs from {commit[:10]} in {others[0]}"
    text = f"{len(chain.stages)} stages ran at {len(commits)} commit{'s' * (len(commits) != 1)}"
    if num_dirty:
        text += f"; {num_dirty} ran with uncommitted code, which its digests identify"
    return text


def recorded_md5(code: Mapping[str, str], path: str) -> str | None:
    """Return DVC's digest of a module or a room, computed from the code files of a run.

    Args:
        code: the md5 of every code file that the run read, by path.
    """
    if path in code:
        return code[path]
    room = {
        file.removeprefix(f"{path}/"): md5 for file, md5 in code.items() if is_within(file, path)
    }
    return folder_md5(room) if room else None


def params(project: Project) -> Check:
    """Check that params.yaml is what conf/ compiles to with the given overrides."""
    from mathledger.run.compose import compose

    overrides = project.options.overrides
    compiled = compose(list(overrides))
    current = project.chain.text("params.yaml")
    if current != compiled:
        lines = list(
            difflib.unified_diff(compiled.splitlines(), current.splitlines(), lineterm="", n=0)
        )
        changed = [line for line in lines[2:] if not line.startswith("@@")]
        yield (
            f"params.yaml is not what conf/ compiles to ({len(changed)} lines): "
            + "; ".join(changed[:4])
            + ("" if overrides else "; if you changed params, pass `--overrides KEY=VALUE ...`")
        )
    return f"params.yaml is what conf/ compiles to ({len(current.splitlines())} lines)"


def lock(project: Project) -> Check:
    """Check that dvc.lock has the stages of dvc.yaml, with the same commands, deps and params."""
    from dvc.dependency import ParamsDependency
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.utils.serialize import dumps_yaml

    text = project.chain.text(LOCK)
    content = parse_yaml(text, LOCK)
    locked = project.chain.stages
    if dumps_yaml(content) != text:
        yield f"{LOCK} is not formatted as DVC writes it: `git log -p {LOCK}` shows who changed it"
    if content.get("schema") != "2.0" or set(content) != {"schema", "stages"}:
        yield f"{LOCK} does not have schema 2.0"
    try:
        with Repo(".") as repo:
            stages = [each for each in repo.index.stages if hasattr(each, "name")]
    except DvcException as error:
        yield f"dvc.yaml: {error}"
        return ""
    for name in sorted(set(locked) - {stage.name for stage in stages}):
        yield f"{LOCK}: dvc.yaml has no stage {name}"
    for stage in stages:
        if stage.name not in locked:
            yield f"{LOCK} has no stage {stage.name}: it was never run; run `dvc repro`"
            continue
        recorded, entry = locked[stage.name], content["stages"][stage.name]
        if recorded.cmd != stage.cmd:
            yield f"{LOCK}, {stage.name}: cmd is {recorded.cmd!r}, but dvc.yaml has {stage.cmd!r}"
        deps = {dep.def_path for dep in stage.deps if not isinstance(dep, ParamsDependency)}
        outs = {out.def_path for out in stage.outs}
        yield from same_names(f"{LOCK}, {stage.name}: deps", set(recorded.deps), deps)
        yield from same_names(f"{LOCK}, {stage.name}: outs", set(recorded.outs), outs)
        yield from well_formed(f"{LOCK}, {stage.name}", entry)
        keys = {
            key for dep in stage.deps if isinstance(dep, ParamsDependency) for key in dep.params
        }
        yield from same_names(f"{LOCK}, {stage.name}: params", set(recorded.params), keys)
        for key in sorted(keys & set(recorded.params)):
            if recorded.params[key] != value_at(project.chain.params, key):
                yield f"{LOCK}, {stage.name}: params {key} differ from params.yaml"
    seen = f"{len(stages)} stages are as dvc.yaml and params.yaml say"
    if old := len(content["stages"]) - len(locked):
        seen += f"; entries of other params are left from earlier runs: {old}"
    return seen


def same_names(where: str, locked: set[str], wanted: set[str]) -> Iterator[str]:
    for name in sorted(locked - wanted):
        yield f"{where}: dvc.yaml does not have {name}"
    for name in sorted(wanted - locked):
        yield f"{where}: {name} is missing; run `dvc repro`"


def well_formed(where: str, entry: dict[str, Any]) -> Iterator[str]:
    """Check that an entry of dvc.lock has exactly the keys that DVC writes."""
    for key in set(entry) - {"cmd", "deps", "params", "outs"}:
        yield f"{where}: unknown key {key}"
    for each in [*entry.get("deps", []), *entry.get("outs", [])]:
        if set(each) - {"nfiles"} != {"path", "hash", "md5", "size"} or each["hash"] != "md5":
            yield f"{where}: {each.get('path')} lacks a key, or has an unknown one"
    for file in set(entry.get("params", {})) - {"params.yaml"}:
        yield f"{where}: params of {file}, which dvc.yaml does not list"


def lineage(project: Project) -> Check:
    """Check that each stage's lineage file agrees with dvc.lock."""
    for stage in project.chain.stages.values():
        lineage = Lineage.load(stage.name)
        # The lineage file of `reinforce` omits the method in its name and sometimes in its content.
        is_named_by_kind = stage.kind == "reinforce"
        name = lineage.stage if is_named_by_kind else lineage.name
        if name != (stage.kind if is_named_by_kind else stage.name):
            yield f"{stage.lineage} belongs to {name}, not to {stage.name}"
        for path in changed_deps(stage, lineage):
            locked = stage.deps[path].md5 if path in stage.deps else None
            read = lineage.deps.get(path)
            yield f"{stage.lineage}: the run read {path} as {read}, but {LOCK} has {locked}"
        for key in changed_params(stage, lineage):
            yield f"{stage.lineage}: params {key} differ from {LOCK}"
    return f"{len(project.chain.stages)} stages ran with the inputs and params in {LOCK}"
