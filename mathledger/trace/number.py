"""The chain of a number on the card, as one JSON object: the number, and each stage it rests on."""

import hashlib
import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pyarrow.parquet as pq

from mathledger.card import statement
from mathledger.chain.chain import LEDGER, Chain
from mathledger.chain.git import has_commit, is_shallow
from mathledger.chain.lock import Out, Stage
from mathledger.chain.parsing import parse_json
from mathledger.core.code import code_of
from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.core.keys import flatten
from mathledger.core.paths import is_data, is_metric

Found = dict[str, Any]

UI = "http://127.0.0.1:5000"  # where `make ui` serves mlflow.db
NOT_OF_THE_RUN = ("stage", "item", "deps", "params", "packages", "hardware")  # of a lineage
# The modules that graded before there was a room for them.
GRADING_BEFORE = {
    f"stages/common/{name}.py"
    for name in ("grading", "extraction", "answers", "equality", "algebra", "notation", "spelling")
} | {"stages/common/verdicts.py"}


def is_grading(path: str) -> bool:
    """Return True if a module of code decides grades."""
    return path.startswith("mathledger/grading/") or path in GRADING_BEFORE


def trace(chain: Chain, target: str) -> Found:
    """All that a number rests on.

    Args:
        target: BENCHMARK or BENCHMARK@MODEL; the last of the card's models unless given.

    Raises:
        InputError: the card has no such number, or a link of its chain is missing.
    """
    benchmark, _, model = target.partition("@")
    models = chain.models_of(benchmark)
    model = model or models[-1]
    if model not in models:
        raise InputError(
            f"{LEDGER} of {chain.label} has no number of {model} on {benchmark}; it has those of "
            + ", ".join(models)
        )
    entry = next(each for each in chain.ledger["benchmarks"] if each["benchmark"] == benchmark)
    score = entry["models"][model]
    evaluate = chain.stage(f"evaluate@{model}-{benchmark}")
    remarks: list[str] = []
    store = Store(chain.at)
    steps = [step(chain, stage, store, remarks) for stage in chain.walk(evaluate)]
    remarks += history(chain, steps) + store.remarks(steps)
    return {
        "revision": chain.name,
        "commit": chain.commit,
        "number": {
            "benchmark": benchmark,
            "model": model,
            **{key: score[key] for key in ("accuracy", "low", "high", "num_correct")},
            **{key: score[key] for key in ("num_samples", "num_items")},
            "num_items_overlapping": entry["num_items_overlapping_training_candidates"],
            "without_overlap": score["items_without_overlap"],
            "about": entry["about"],
            "ledger": {"path": LEDGER, "sha256": statement.digest(chain.ledger)},
        },
        "predictions": predictions(chain, evaluate, score, remarks),
        "grader": {
            "versions": score["graders"],
            "code": {
                path: md5
                for path, md5 in code_of(chain.lineage(evaluate)).items()
                if is_grading(path)
            },
        },
        "items_digest": entry["source"]["items_digest"],
        "mlflow": {"store": store.name, "how": store.how},
        "steps": steps,
        "remarks": remarks,
    }


def predictions(chain: Chain, stage: Stage, score: Found, remarks: list[str]) -> Found:
    """The responses behind a number, by verdict; a remark where the number is of others."""
    folder = next(path for path in stage.outs if is_data(path))
    path = f"{folder}/samples.parquet"
    file = chain.cached(path)
    digest = sha256(file)
    if digest != score["samples_sha256"]:
        remarks.append(
            f"the number was computed from other responses than {path} of {chain.label}: the "
            f"ledger has sha256 {score['samples_sha256'][:12]}, the file has {digest[:12]}; run "
            "`dvc repro model_card`"
        )
    table = pq.read_table(file, columns=["verdict", "finish_reason"])
    verdicts = Counter(table.column("verdict").to_pylist())
    ends = Counter(table.column("finish_reason").to_pylist())
    stated = (score["num_correct"], score["num_samples"])
    if stated != (verdicts["correct"], len(table)) or not is_mean(score):
        remarks.append(
            f"the ledger says {stated[0]} of {stated[1]} and {score['accuracy']}; the responses "
            f"themselves hold {verdicts['correct']} of {len(table)}: run `mathledger verify`"
        )
    return {
        "path": path,
        "sha256": digest,
        "md5": chain.md5(path),
        "bytes": file.stat().st_size,
        "num_samples": len(table),
        "by_verdict": {name: verdicts[name] for name in ("correct", "wrong", "no_answer")},
        "num_truncated": ends["length"],
        "num_too_long": ends["too_long"],
    }


def is_mean(score: Found) -> bool:
    """Whether an accuracy is what its counts give, to the four digits of the ledger."""
    found = score["num_correct"] / score["num_samples"]
    return bool(abs(score["accuracy"] - found) < 1e-4)


def step(chain: Chain, stage: Stage, store: "Store", remarks: list[str]) -> Found:
    """One stage of the chain: what it found, read and wrote, and the run that did.

    Raises:
        InputError: it has no lineage, so that nothing says which run made its outs.
    """
    if chain.out(stage.lineage) is None:
        raise InputError(
            f"{stage.name} of {chain.label} has no lineage: dvc.lock names no {stage.lineage}, so "
            "nothing says which run made its results; run `dvc repro`"
        )
    lineage = chain.lineage(stage)
    try:
        run = {key: value for key, value in lineage.items() if key not in NOT_OF_THE_RUN}
        run["link"] = store.link(run["mlflow_run_id"])
        run["has_commit"] = has_commit(run["git_revision"], chain.at)
        packages, hardware = lineage["packages"], lineage["hardware"]
        run["code_is_dirty"], run["started"], run["seconds"]
        ran_with, recorded = lineage["deps"], {path: dep.md5 for path, dep in stage.deps.items()}
    except KeyError as error:
        raise InputError(
            f"{stage.lineage} of {chain.label} has no {error}: run `dvc repro`"
        ) from None
    if ran_with != recorded:
        changed = sorted(
            path for path in {*ran_with, *recorded} if ran_with.get(path) != recorded.get(path)
        )
        remarks.append(
            f"{stage.name}: its run read another {', '.join(changed)} than dvc.lock records"
        )
    remarks += unfitting(chain, stage)
    return {
        "stage": stage.name,
        "reads": [each.name for each in chain.parents(stage)],
        "found": findings(chain, stage, remarks),
        "params": flatten(stage.params),
        "deps": {path: {"md5": dep.md5, "bytes": dep.size} for path, dep in stage.deps.items()},
        "outs": {path: output(chain, out) for path, out in stage.outs.items()},
        "command": stage.cmd,
        "run": run,
        "packages": packages,
        "hardware": hardware,
    }


def unfitting(chain: Chain, stage: Stage) -> list[str]:
    """Inputs that are no longer what the stage has read, by the lock alone.

    A folder of several stages' outs is left to `mathledger verify`: files of a corpus that is gone
    from params.yaml may lie in it.
    """
    return [
        f"{stage.name} has read {path} with md5 {dep.md5[:12]}, and "
        f"{chain.makers(path)[0].name} has since written {made[:12]}: what is shown of that stage "
        "is not what the number rests on; run `dvc repro`"
        for path, dep in stage.deps.items()
        if chain.out(path) is not None and (made := chain.md5(path)) != dep.md5
    ]


def output(chain: Chain, out: Out) -> Found:
    """The digests of an output; of a folder those of its files, too."""
    found: Found = {"md5": out.md5, "bytes": out.size}
    if out.num_files is not None:
        found["files"] = chain.files(out)
    return found


def findings(chain: Chain, stage: Stage, remarks: list[str]) -> Found:
    """What a stage reports: its metrics, and the receipt of what it downloaded."""
    found: Found = {}
    for path, out in stage.outs.items():
        if is_metric(path):
            data = chain.read(path)
            if hashlib.md5(data, usedforsecurity=False).hexdigest() != out.md5:
                remarks.append(
                    f"{path} is not the file that dvc.lock records: `mathledger verify` says more, "
                    "`dvc repro` makes it anew"
                )
            found |= parse_json(data, f"{path} of {chain.label}")
        elif stage.kind.startswith("download_") and is_data(path):
            found |= chain.json(f"{path}/receipt.json")
    return found


def history(chain: Chain, steps: list[Found]) -> list[str]:
    """What makes the code of a run hard to find again."""
    remarks = []
    missing: dict[str, list[str]] = {}
    for each in steps:
        if not each["run"]["has_commit"]:
            missing.setdefault(each["run"]["git_revision"], []).append(each["stage"])
    for commit, names in missing.items():
        mend = (
            "it is shallow: `git fetch --unshallow`"
            if is_shallow(chain.at)
            else "its history was rewritten, or the commit never pushed; the digests of the code "
            "that ran are here, the code is where that commit is: fetch it from there"
        )
        remarks.append(f"this clone lacks commit {commit[:10]}, of {_names(names)}: {mend}")
    dirty = [each["stage"] for each in steps if each["run"]["code_is_dirty"]]
    if dirty:
        remarks.append(
            f"{_names(dirty)} ran with changes that were not committed: the digests of the code, "
            "not the commit, say what ran"
        )
    return remarks


def _names(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more stages"


class Store:
    """Where MLflow keeps the runs, for links to them. Only a SQLite file is looked into."""

    def __init__(self, at: Path) -> None:
        set_uri = os.environ.get("MLFLOW_TRACKING_URI")
        uri = set_uri or f"sqlite:///{at}/mlflow.db"
        parts = urlsplit(uri)
        self.base: str | None = None
        # The id in the store of each run by the id that lineage/ names; None: not looked into.
        self.runs: dict[str, str] | None = None
        self.is_missing = False
        if parts.scheme in ("http", "https"):
            # Without user and password, which such an address may hold.
            host = parts.netloc.rpartition("@")[2]
            self.base = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
            self.name, self.how = self.base, f"at {self.base}"
        elif parts.scheme == "sqlite":
            file = Path(uri.removeprefix("sqlite:///"))
            self.name = str(file) if set_uri else file.name
            self.base, self.how = UI, "with `make ui`"
            if set_uri:
                self.how = f"with `mlflow server --backend-store-uri {uri}`"
            self.is_missing = not file.is_file()
            if self.is_missing:
                self.how = f"no store ({self.name})"
            self.runs = {} if self.is_missing else self._read(file)
        else:
            self.name = parts.scheme or "a folder"
            self.how = f"in the MLflow store that MLFLOW_TRACKING_URI names ({self.name})"

    def _read(self, file: Path) -> dict[str, str]:
        """A run that `sync-mlflow` wrote has an id of its own, and the first one as a tag."""
        try:
            with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as store:
                query = (
                    "select coalesce(tags.value, runs.run_uuid), runs.run_uuid from runs "
                    "left join tags on tags.run_uuid = runs.run_uuid "
                    "and tags.key = 'mathledger.run_id' where lifecycle_stage = 'active'"
                )
                return dict(store.execute(query))
        except sqlite3.Error as error:
            raise InputError(
                f"{self.name} is no MLflow store that can be read ({error}): move it away"
            ) from None

    def link(self, run: str) -> str | None:
        """The page of a run; None where no page is known."""
        if self.base is None or (self.runs is not None and run not in self.runs):
            return None
        return f"{self.base}/#/runs/{self.runs[run] if self.runs else run}"

    def remarks(self, steps: list[Found]) -> list[str]:
        """Which runs it cannot show."""
        if self.is_missing:
            return [
                f"there is no MLflow store ({self.name}): runs have no links; what they recorded "
                "is in lineage/"
            ]
        if self.runs is None:
            return []
        lost = [each["stage"] for each in steps if each["run"]["link"] is None]
        if not lost:
            return []
        return [
            f"{self.name} has no run of {_names(lost)}: they were logged to another store, or "
            "deleted; `mathledger sync-mlflow` brings them from lineage/"
        ]
