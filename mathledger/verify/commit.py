"""Check the link `commit`: the tracked files are those of the commit.

A file that a stage wrote or read here, and that other links compare with dvc.lock, is new until it
is committed. Any other difference breaks the link.
"""

import shlex

from mathledger.chain.chain import Chain
from mathledger.chain.lock import LOCK
from mathledger.core.paths import CODE_FOLDERS, is_code, is_within
from mathledger.run.git import differences, find_object, head, num_files
from mathledger.run.lineage import lineage_file
from mathledger.verify.project import Check, New, Project

# `history` and `lock` compare these with the records of the runs, and `params` compiles conf/.
BOUND = (LOCK, "dvc.yaml", "params.yaml", lineage_file("model_card").as_posix())


def commit(project: Project) -> Check:
    """Check that every tracked file has the commit's bytes, and that no code was added.

    This reads the bytes, because git itself relies on times and sizes, which can be forged.
    """
    at = project.chain.at
    revision = head(at)
    for path, kind in differences(revision, at=at):
        if kind == "missing":
            yield f"{path} is missing: run `git checkout {shlex.quote(path)}`"
        elif _is_bound(project.chain, path):
            yield New(f"{path} differs from the commit")
        else:
            yield f"{path} differs from the commit: see `git diff {shlex.quote(path)}`"
    for path, kind in differences(revision, *CODE_FOLDERS, "conf", at=at):
        if kind == "added" and _is_bound(project.chain, path):
            yield New(f"{path} is not in the commit")
        elif kind == "added":
            yield f"{path} is not in the commit: commit it, or remove it"
    for path in sorted(_results(project.chain)):
        if find_object(f"{revision}:./{path}", at) is None:
            yield New(f"{path} is not in the commit")
    return f"{num_files(revision, at)} tracked files equal those of commit {revision[:10]}"


def _is_bound(chain: Chain, path: str) -> bool:
    """Return True if other links compare the file with what the stages recorded."""
    if path in BOUND or is_within(path, "conf"):
        return True
    deps = (dep for stage in chain.stages.values() for dep in stage.deps if is_code(dep))
    return chain.out(path) is not None or any(is_within(path, dep) for dep in deps)


def _results(chain: Chain) -> set[str]:
    """Return the existing files that stages wrote and git holds: metrics, plots and the card."""
    outs = {out for stage in chain.stages.values() for out in stage.outs}
    paths = [chain.at / out for out in outs if not chain.is_cached(out)]
    files = [file for path in paths for file in (path, *path.rglob("*")) if file.is_file()]
    return {file.relative_to(chain.at).as_posix() for file in files}
