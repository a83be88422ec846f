"""Write the file of a benchmark that asks a task of lm-evaluation-harness, by the task's name."""

import functools
import re
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from mathledger.core import harness_tasks
from mathledger.core.configuration import CONF
from mathledger.core.errors import InputError
from mathledger.core.files import write_text
from mathledger.core.tables import Row
from mathledger.data import benchmarks, harness_items, sources
from mathledger.data.pins import file_lines, hub_pins, names, resolve, yaml_text

DEFAULT_TOKENS = 256  # The harness's limit for a task that states none.
SHOWN = 20  # Names in a message.
_LETTER = re.compile(r"\(?[A-J]\)?")
FILE = """\
# @package benchmark.{name}
# The task {task} of lm-evaluation-harness {version}: its prompts, examples and answers, and its
# verdict next to ours. Written by `mathledger pin lm-eval {task}`.
defaults:
  - task: default
  - _self_

source:
  kind: lm_eval
  licence: {licence}
  file: {file}
  repo: {repo}
  revision: {revision}
  split: {split}
  num_rows: {num_rows}
  files:{files}
  examples:{examples}
mapping:
  answer_type: {answer_type}   # for our verdict
  max_items: null
task:
  version: 1   # 1: first version
  max_gen_toks: {max_gen_toks}
  until: {until}
  harness: {{file: {file}, filter: {filter}, metric: {metric}, doc: null}}
about: >-
  The task {task} of lm-evaluation-harness.
"""


def pin_task(task: str, revision: str | None, patterns: list[str]) -> tuple[Path, int]:
    """Write conf/benchmark/ for a task; return the file and the number of items.

    Args:
        patterns: Names of the files that are asked; none finds them by the repository's own list.

    Raises:
        InputError: There is no such task, it is not generative, or its files are not found.
    """
    from importlib.metadata import version

    file = file_of(task)
    config = harness_tasks.config_of(file)
    harness_items.expect_generative(file, config)
    repo = config.get("dataset_path")
    if not isinstance(repo, str) or not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise InputError(
            f"{task} reads {repo!r}, which is not a data set on the hub: not supported"
        )
    split = config.get("test_split") or config.get("validation_split")
    fewshot = config.get("fewshot_config") or {}
    shown = fewshot.get("split") or config.get("fewshot_split") or config.get("training_split")
    commit = resolve(repo, revision or "main", "dataset")
    data = _Data(repo, config.get("dataset_name"), names(repo, commit), front_matter(repo, commit))
    files = dict(hub_pins(repo, commit, "dataset", data.files(str(split), patterns)))
    examples: dict[str, str] = {}
    if (config.get("num_fewshot") or 0) > 0 and not fewshot.get("samples"):
        examples = dict(hub_pins(repo, commit, "dataset", data.files(str(shown), [])))
    licence = data.card.get("license")
    source = sources.HarnessTask(
        "lm_eval", licence if isinstance(licence, str) else "not stated", file, repo, commit,
        str(split), _count(repo, commit, files), {**files}, {**examples},
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        rows = harness_items.items(source, benchmarks.fetch(source, Path(scratch)))
    limits = config.get("generation_kwargs") or {}
    filters = [each["name"] for each in config.get("filter_list") or []]
    metrics = [each["metric"] for each in config.get("metric_list") or []] or ["exact_match"]
    name = re.sub("[^A-Za-z0-9_-]", "_", task)
    text = FILE.format(
        name=name,
        task=task,
        version=version("lm_eval"),
        licence=yaml_text(source.licence),
        file=yaml_text(file),
        repo=yaml_text(repo),
        revision=yaml_text(commit),
        split=yaml_text(source.split),
        num_rows=source.num_rows,
        files=_block(files),
        examples=_block(examples),
        answer_type=answer_type(rows),
        max_gen_toks=limits.get("max_gen_toks", DEFAULT_TOKENS),
        until=_inline(limits.get("until", [])),
        filter=yaml_text(_chosen(filters, "flexible-extract") if filters else "none"),
        metric=yaml_text(_chosen(metrics, "exact_match")),
    )
    path = CONF / "benchmark" / f"{name}.yaml"
    if path.exists():
        raise InputError(f"{path} exists: remove it first")
    write_text(path, text)
    return path, len(rows)


def file_of(task: str) -> str:
    """Return the path of a task's file in lm_eval/tasks/.

    Raises:
        InputError: There is no task of this name, or it is a group of tasks.
    """
    import lm_eval.tasks

    index = _index()
    entry = index.get(task)
    if entry is None or entry.yaml_path is None or entry.kind.name != "TASK":
        near = [name for name in sorted(index) if name.startswith(task.split("_")[0])][:SHOWN]
        what = "is a group of tasks" if entry else "is not a task of lm-evaluation-harness"
        raise InputError(
            f"{task} {what}; choose a task" + (f" such as {', '.join(near)}" if near else "")
        )
    root = Path(lm_eval.tasks.__file__).parent
    return str(Path(entry.yaml_path).relative_to(root).as_posix())


@functools.cache
def _index() -> dict[str, Any]:
    """Return every task of the harness by its name; reading its 14,000 files takes seconds."""
    import logging

    import lm_eval.tasks

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    return dict(lm_eval.tasks.TaskManager().task_index)


def front_matter(repo: str, commit: str) -> dict[str, Any]:
    """Return the YAML at the head of a data set's README.md; empty if there is none."""
    import yaml
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    with tempfile.TemporaryDirectory() as into:
        try:
            path = hf_hub_download(
                repo, "README.md", repo_type="dataset", revision=commit, local_dir=into
            )
        except EntryNotFoundError:
            return {}
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    head = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    try:
        found = yaml.safe_load(head[1]) if head else {}
    except yaml.YAMLError:
        found = {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class _Data:
    """What a data set on the hub has: its files, and what its README says of them."""

    repo: str
    subset: str | None  # The configuration of the data set that a task reads.
    names: list[str]
    card: dict[str, Any]

    def files(self, split: str, patterns: list[str]) -> list[str]:
        """Return the files of a split, as the README lists them or as the hub names them."""
        wanted = patterns or self._listed(split)
        own = [f"{self.subset}/", f"data/{self.subset}/", f"{self.subset}_"] if self.subset else []
        usual = [[f"{folder}{split}[-.]*"] for folder in [*own, "data/", ""]]
        for each in [wanted] if wanted else usual:
            found = [name for name in self.names if any(fnmatch(name, one) for one in each)]
            if found:
                return sorted(found)
        shown = ", ".join(self.names[:SHOWN]) or "none that can be read"
        raise InputError(
            f"which files of {self.repo} are split {split} of {self.subset or 'the data set'}? "
            f"Name them with --files; it has {shown}"
        )

    def _listed(self, split: str) -> list[str]:
        """Return the patterns that the README's `configs` gives for a split."""
        configs = self.card.get("configs") or []
        own = [each for each in configs if each.get("config_name") == (self.subset or "default")]
        for config in own or (configs[:1] if self.subset is None else []):
            data = config.get("data_files")
            for each in data if isinstance(data, list) else []:
                if isinstance(each, dict) and each.get("split") == split:
                    paths = each.get("path", [])
                    return [paths] if isinstance(paths, str) else list(paths)
        return []


def _count(repo: str, commit: str, files: dict[str, str]) -> int:
    """Return the number of rows in the files."""
    from mathledger.data import formats, hub

    source = sources.Hub("hub", "not stated", repo, commit, dict(files))
    with tempfile.TemporaryDirectory() as scratch:
        return sum(map(formats.count_rows, hub.fetch_hub(source, "dataset", Path(scratch))))


def answer_type(rows: list[Row]) -> str:
    """Return the answer type for our verdict that fits every answer."""
    answers = [row["answer"] for row in rows]
    if all(benchmarks.WHOLE.fullmatch(each.replace(",", "")) for each in answers):
        return "integer"
    return "choice" if all(map(_LETTER.fullmatch, answers)) else "expression"


def _chosen(names: list[str], first: str) -> str:
    return first if first in names else names[0]


def _block(files: dict[str, str]) -> str:
    return "".join(f"\n    {line}" for line in file_lines(files.items())) or " {}"


def _inline(texts: list[str] | str) -> str:
    import json

    return json.dumps([texts] if isinstance(texts, str) else texts, ensure_ascii=False)
