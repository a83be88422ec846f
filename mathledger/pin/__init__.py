"""`mathledger pin`: write the pins of a benchmark on the hub into its file in conf/benchmark/.

The command resolves the revision to a commit, downloads the files, checks the number of rows that
the file asserts, reads the items as `download_benchmark` does, and writes commit and sha256 into
the file. Comments and all other lines stay as they are. For a task of lm-evaluation-harness it
writes the whole file.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from mathledger.core.configuration import CONF, check, check_name
from mathledger.core.errors import InputError
from mathledger.core.files import write_text
from mathledger.data import benchmarks, sources
from mathledger.data.pins import hub_pins, resolve
from mathledger.pin import lm_eval
from mathledger.pin.edit import with_pins


def run(arguments: argparse.Namespace) -> int:
    if arguments.group == "lm-eval":
        written, number = lm_eval.pin_task(arguments.name, arguments.revision, arguments.files)
        print(f"{written}: pinned, {number} items; `git add` it, then benchmark=[{written.stem}]")
        return 0
    check_name("benchmark", arguments.name)
    path = CONF / "benchmark" / f"{arguments.name}.yaml"
    node = read(path)
    if node["source"].get("kind") != "hub":
        raise InputError(f"{path} has no source on the hub, so there is nothing to pin")
    kept, total = pin(path, arguments.name, node, arguments.revision)
    print(f"{path}: pinned, {kept} items of {total}")
    return 0


def read(path: Path) -> dict[str, Any]:
    """Return the content of a benchmark's file.

    Raises:
        InputError: There is no such file, or it has no source.
    """
    import yaml

    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in path.parent.glob("*.yaml")))
        raise InputError(f"there is no {path}: choose one of {known}, or write the file first")
    try:
        node = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(node, dict) or not isinstance(node.get("source"), dict):
        raise InputError(f"{path} has no section `source`")
    return node


def pin(path: Path, name: str, node: dict[str, Any], revision: str | None) -> tuple[int, int]:
    """Pin a benchmark's file; return how many of its items are evaluated, and of how many."""
    source, wanted = node["source"], node["source"].get("files")
    for key in ("repo", "files"):
        if not source.get(key):
            raise InputError(f"{path}: source.{key}: name it, then pin again")
    if "revision" not in source:
        raise InputError(f"{path}: source.revision: missing; write null, then pin again")
    repo = check(f"benchmark.{name}.source.repo", source["repo"], sources.Repo)
    commit = resolve(repo, revision or source.get("revision") or "main", "dataset")
    files = dict(hub_pins(repo, commit, "dataset", [*wanted]))
    if missing := [each for each in wanted if each not in files and "*" not in each]:
        raise InputError(f"{repo} has no file {', '.join(missing)} at {commit}: correct {path}")
    if not files:
        raise InputError(f"{repo} has no file {', '.join(wanted)} at {commit}: correct {path}")
    pinned = check(
        f"benchmark.{name}.source",
        source | {"revision": commit, "files": files},
        sources.BenchmarkSource,
    )
    mapping = check(f"benchmark.{name}.mapping", node.get("mapping"), benchmarks.Mapping)
    with tempfile.TemporaryDirectory() as scratch:
        rows = benchmarks.read(pinned, mapping, benchmarks.fetch(pinned, Path(scratch)))
    kept, _ = benchmarks.select(rows, mapping)
    write_text(path, with_pins(path.read_text(encoding="utf-8"), commit, files))
    return len(kept), len(rows)
