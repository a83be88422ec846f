"""Build a project with made-up results (tests/evaluated.py), a lock, a cache and lineages.

Its stages have the deps, params and outs of dvc.yaml. Writing a state is fast, so a test can
compare any two: `write` creates all files, lets the test change some of them, and commits.
"""

import contextlib
import copy
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from mathledger.card import card, collect, statement
from mathledger.card.outputs import Outputs
from mathledger.core.files import write_json, write_text
from mathledger.core.keys import flatten
from mathledger.core.tables import EXAMPLE, Row, read_rows, removed_schema, write_rows
from mathledger.filters import mix
from mathledger.filters.decision import OVERLAP
from mathledger.filters.deduplicate import EVIDENCE
from mathledger.filters.defects import REMOVED
from mathledger.run import params
from mathledger.run.lineage import lineage_file
from tests import evaluated
from tests.card.test_report import CORPORA, example
from tests.conftest import ROOT, clean_environment

SETTINGS = params.read(ROOT / "params.yaml")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
NUM_ROWS = 20
Change = Callable[["State"], None]


@dataclass
class State:
    """The parts of a state that a test may change; it edits the files of data/ directly."""

    settings: dict[str, Any]
    code: dict[str, str]  # Other versions of code, by path.
    packages: dict[str, dict[str, str]]  # Extra packages by stage.
    hardware: dict[str, dict[str, Any]]
    revision: str = "0" * 40  # Commit at which the stages ran.
    is_old: bool = False  # Use the old layout with stages/common.


@cache
def unchanged() -> tuple[tempfile.TemporaryDirectory[str], dict[str, Any]]:
    """Return a folder with the files that all states begin with, and the content of params.yaml."""
    folder = tempfile.TemporaryDirectory()
    with contextlib.chdir(folder.name):
        settings = evaluated.write_project(json.loads(json.dumps(SETTINGS)), 1)
        write_data()
    return folder, settings


@dataclass(frozen=True)
class Project:
    path: Path

    def write(self, change: Change | None = None) -> str:
        """Write a state, commit it and return the commit."""
        with contextlib.chdir(self.path):
            for folder in ("data", "lineage", "metrics", "model_card", "plots"):
                shutil.rmtree(folder, ignore_errors=True)
            files, settings = unchanged()
            shutil.copytree(files.name, self.path, dirs_exist_ok=True)
            state = State(copy.deepcopy(settings), {}, {}, {})
            if change:
                change(state)
            self._record(state)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "results")
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def _record(self, state: State) -> None:
        """Write the lineages, the lock, the cache and the ledger for the current files."""
        settings = state.settings
        held_out = read_rows(Path("data/mix/train.parquet"))[0]["id"]
        write_text(Path("data/train/samples.csv"), f"id,step,response\n{held_out},0,It is 4.\n")
        write_text(Path("params.yaml"), dumped(settings))
        md5 = cache(lambda path: self._md5(Path(path), state))  # A path is a dep of many stages.
        lock = {}
        for name in [*statement.stage_names(settings), "model_card"]:
            kind, _, item = name.partition("@")
            items = dict(zip(("model", "benchmark"), item.split("-"), strict=False))
            items |= {"corpus": item, **({} if "-" in item else {"benchmark": item})}
            own = _filled(STAGES[kind], items)
            found = {section: _section(settings, section) for section in own["params"]}
            named = map(_before_rooms, own["deps"]) if state.is_old else own["deps"]
            deps = {path: md5(path) for path in named}
            lineage = evaluated.lineage(name, deps)
            lineage |= {"params": flatten(found), "git_revision": state.revision}
            lineage["packages"] |= state.packages.get(name, {})
            lineage["hardware"] |= state.hardware.get(name, {})
            write_json(lineage_file(name), lineage)
            outs = [path for path in own["outs"] if Path(path).exists() and path != "model_card"]
            lock[name] = {
                "cmd": f"python -m stages.{kind}",
                "deps": [{"path": path, "hash": "md5", "md5": own} for path, own in deps.items()],
                "params": {"params.yaml": found},
                "outs": [{"path": path, "md5": md5(path)} for path in outs],
            }
        write_text(Path("dvc.lock"), dumped({"schema": "2.0", "stages": lock}))
        outputs = Outputs(Path())
        ledger = collect.ledger(outputs, settings, [])
        write_text(Path("model_card/README.md"), card.text(ledger))
        subject = collect.subject(outputs, settings)
        content = statement.statement(ledger, subject, outputs.root).content()
        if state.is_old:
            new = ("evaluated_models", "models")
            old = {key: settings[key] for key in settings if key not in new}
            old["models"] = settings["evaluated_models"]
            write_text(Path("params.yaml"), dumped(old))
            content["predicate"] = {**content["predicate"], "params": old}
        write_text(Path("model_card/ledger.json"), statement.text(content))

    def _md5(self, path: Path, state: State) -> str:
        """Put a file or folder into the cache as DVC does and return its digest."""
        if path.parts[0] == "stages":
            text = f"{path} {state.code.get(str(path), 'as it was')}"
            return hashlib.md5(text.encode()).hexdigest()
        if not path.is_dir():
            return self._store(path.read_bytes() if path.exists() else b"")
        files = sorted(each for each in path.rglob("*") if each.is_file())
        listed = [
            {"md5": self._store(each.read_bytes()), "relpath": each.relative_to(path).as_posix()}
            for each in files
        ]
        return self._store(json.dumps(listed).encode(), ".dir")

    def _store(self, data: bytes, suffix: str = "") -> str:
        md5 = hashlib.md5(data).hexdigest() + suffix
        path = self.path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        if not path.exists():
            write_bytes(path, data)
        return md5


def dumped(content: Any) -> str:
    """Return YAML, which libyaml writes in a tenth of the time."""
    return str(yaml.dump(content, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)))


@cache
def committed() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of a project whose only commit is the state that nothing changed."""
    folder = tempfile.TemporaryDirectory()
    made = Project(Path(folder.name))
    made.git("init", "--quiet")
    shutil.copy(ROOT / "dvc.yaml", made.path)
    ignored = "data/\nlineage/*\n!lineage/model_card.json\n.dvc/cache/\n"
    (made.path / ".gitignore").write_text(ignored)
    made.write()
    return folder


def new_project(path: Path) -> Project:
    """Copy the project with one commit to a folder."""
    shutil.copytree(committed().name, path, dirs_exist_ok=True)
    return Project(path)


def _before_rooms(path: str) -> str:
    """Return the module that once held a room's code; other paths are unchanged."""
    top, _, room = path.partition("/")
    return f"stages/common/{room}.py" if top == "mathledger" else path


def write_bytes(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _filled(stage: Any, items: dict[str, str]) -> dict[str, list[str]]:
    """Return a stage's deps, params and outs with the names of its item filled in."""

    def filled(text: str) -> str:
        for key, value in items.items():
            text = text.replace(f"${{item.{key}}}", value)
        return text

    return {
        key: [
            filled(text if isinstance(text, str) else next(iter(text)))
            for text in stage.get(key, [])
        ]
        for key in ("deps", "params", "outs")
    }


def _section(settings: dict[str, Any], dotted: str) -> Any:
    found: Any = settings
    for key in dotted.split("."):
        found = found.get(key, {})
    return found


def rows_of(corpus: str) -> list[Row]:
    """Return the rows of a corpus in the order of their ids."""
    return [
        example(f"{corpus}-{number:03}", f"What is {number} + {number}?", corpus=corpus)
        for number in range(NUM_ROWS)
    ]


def write_data(lost: dict[str, tuple[str, dict[str, Any]]] | None = None) -> None:
    """Write the files of the data stages and of the models.

    Args:
        lost: The rows that the filter removes, by id, with the class and the evidence.
    """
    lost = lost or {}
    every = [row for corpus in sorted(CORPORA) for row in rows_of(corpus)]
    for corpus in CORPORA:
        write_rows(Path(f"data/prepare/{corpus}/kept.parquet"), rows_of(corpus), EXAMPLE)
        write_rows(Path(f"data/prepare/{corpus}/removed.parquet"), [], REMOVED)
    write_rows(Path("data/deduplicate/kept.parquet"), every, EXAMPLE)
    write_rows(Path("data/deduplicate/removed.parquet"), [], removed_schema(EVIDENCE))
    kept = [row for row in every if row["id"] not in lost]
    removed = [
        {**row, "reason": lost[row["id"]][0], "evidence": lost[row["id"]][1]}
        for row in every
        if row["id"] in lost
    ]
    write_rows(Path("data/decontaminate/kept.parquet"), kept, EXAMPLE)
    hits = removed_schema(pa.struct(OVERLAP))
    write_rows(Path("data/decontaminate/removed.parquet"), removed, hits)
    parts = {"train": kept[2:], "validation": kept[:2]}
    for part, own in parts.items():
        write_rows(Path(f"data/mix/{part}.parquet"), list(map(_training, own)), mix.TRAINING_ROW)
    for model in ("base", "tuned"):
        write_bytes(Path(f"data/model/{model}/model.safetensors"), model.encode())
    write_bytes(Path("data/model/base/tokenizer.json"), b"{}")


def _training(row: Row) -> Row:
    turns = {"prompt": ("user", "problem"), "completion": ("assistant", "solution")}
    own = {key: row[key] for key in ("id", "corpus", "source", "answer")}
    said = {key: [{"role": role, "content": row[text]}] for key, (role, text) in turns.items()}
    return {**own, "repeat": 0, **said}
