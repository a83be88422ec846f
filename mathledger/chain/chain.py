"""One state of the project, read without DVC: a commit, an experiment, or the files as they stand.

What proves a result is git, dvc.lock and the objects of DVC's cache that the lock names. `Chain`
reads just these; importing DVC would take longer than any command here may.
"""

import functools
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from mathledger.card.statement import predicate, stage_names
from mathledger.core.errors import InputError
from mathledger.run import tracking

LOCK = "dvc.lock"
LEDGER = "model_card/ledger.json"
CARD = "model_card/README.md"
WORKSPACE = "workspace"  # DVC's name, too, for the files as they stand
NOT_EXPERIMENTS = ("stash", "exec", "celery", "apply", "push")  # of refs/exps/
# What DVC and OmegaConf read as a number: YAML 1.2 has 1e-05, for which PyYAML wants 1.0e-05.
FLOAT = re.compile(
    r"""[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+
    |\.[0-9_]+(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$""",
    re.X,
)


def root() -> Path:
    """The folder of dvc.yaml: this one or the nearest above.

    Raises:
        InputError: there is none, or it is not the top of a git repository.
    """
    here = Path.cwd()
    found = next((each for each in (here, *here.parents) if (each / "dvc.yaml").is_file()), None)
    if found is None:
        raise InputError(f"{here} is in no project (no dvc.yaml here or above): cd into a clone")
    if not (found / ".git").exists():
        raise InputError(f"{found} is no git repository: results are traced through its commits")
    return found


def git(*arguments: str, at: Path) -> str:
    """The output of a git command.

    Raises:
        InputError: it fails; the text is git's own.
    """
    done = subprocess.run(["git", *arguments], cwd=at, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"git {arguments[0]}: {done.stderr.strip() or 'no answer'}")
    return done.stdout.rstrip("\n")


def is_shallow(at: Path) -> bool:
    """Whether the clone lacks history, made with `git clone --depth`."""
    return git("rev-parse", "--is-shallow-repository", at=at) == "true"


def has_commit(commit: str, at: Path) -> bool:
    """Whether the repository holds a commit of this hash."""
    command = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(command, cwd=at, capture_output=True).returncode == 0


@functools.cache
def _loader() -> Any:
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = type("Loader", (base,), {})
    # Floats first: of the resolvers of one first character the earliest that matches wins.
    loader.yaml_implicit_resolvers = {  # type: ignore[attr-defined]
        key: [each for each in resolvers if each[0] != "tag:yaml.org,2002:float"]
        for key, resolvers in base.yaml_implicit_resolvers.items()
    }
    loader.add_implicit_resolver("tag:yaml.org,2002:float", FLOAT, list("-+0123456789."))  # type: ignore[attr-defined]
    return loader


def parse_yaml(text: str, name: str) -> Any:
    """The content of a YAML file, numbers read as DVC reads them.

    Args:
        name: how the file is called where it is not YAML.
    """
    import yaml

    try:
        return yaml.load(text, _loader())
    except yaml.YAMLError as error:
        raise InputError(f"{name} is not valid YAML: {error}") from None


def parse_json(text: str | bytes, name: str) -> Any:
    """The content of a JSON file."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no number of JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not valid JSON: {error}") from None


def experiments(at: Path) -> dict[str, list[str]]:
    """The commits of DVC's experiments by name. A name may stand for several."""
    listed = git("for-each-ref", "--format=%(refname) %(objectname)", "refs/exps/", at=at)
    found: dict[str, list[str]] = {}
    for line in listed.splitlines():
        reference, commit = line.rsplit(" ", 1)
        parts = reference.removeprefix("refs/exps/").split("/")
        if parts[0] not in NOT_EXPERIMENTS and len(parts) == 3:
            found.setdefault(parts[2], []).append(commit)
    return found


def resolve(revision: str, at: Path) -> str:
    """The commit that a revision or the name of an experiment stands for.

    Raises:
        InputError: it stands for nothing, or for more than one commit.
    """
    command = ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"]
    of_git = subprocess.run(command, cwd=at, capture_output=True, text=True).stdout.strip()
    found = experiments(at).get(revision, [])
    commits = sorted({*found, *([of_git] if of_git else [])})
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


@dataclass(frozen=True)
class Out:
    """A dependency or an output as the lock has it."""

    path: str
    md5: str  # ends in .dir for a folder
    size: int  # bytes
    num_files: int | None  # of a folder


@dataclass(frozen=True)
class Stage:
    """A stage as dvc.lock records its last run."""

    name: str  # evaluate@tuned-champ
    cmd: str
    deps: dict[str, Out]
    outs: dict[str, Out]
    params: dict[str, Any]  # params.yaml's sections, by dotted key

    @property
    def kind(self) -> str:
        """The module and group of the name: evaluate."""
        return self.name.partition("@")[0]

    @property
    def item(self) -> str | None:
        return self.name.partition("@")[2] or None

    @property
    def lineage(self) -> str:
        """Where its lineage file is."""
        return tracking.lineage_file(self.name).as_posix()


def _outs(entries: list[dict[str, Any]]) -> dict[str, Out]:
    return {
        each["path"]: Out(each["path"], each["md5"], each.get("size", 0), each.get("nfiles"))
        for each in entries
        if "md5" in each
    }


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


@dataclass(frozen=True)
class Chain:
    """All that one state of the project records of its results.

    Paths are those of the project, "data/mix/train.parquet"; digests are DVC's md5.
    """

    name: str  # as the user gave it
    commit: str | None  # None: the files as they stand
    at: Path  # the project's folder

    @classmethod
    def open(cls, revision: str | None = None) -> "Chain":
        """Of a revision or an experiment; of the files as they stand where none is given."""
        at = root()
        if revision in (None, WORKSPACE):
            return cls(WORKSPACE, None, at)
        return cls(str(revision), resolve(str(revision), at), at)

    @property
    def label(self) -> str:
        """For messages and heads: the name, and the commit where that is another text."""
        if self.commit is None or self.commit.startswith(self.name):
            return self.name
        return f"{self.name} ({self.commit[:10]})"

    def read(self, path: str) -> bytes:
        """A file that git holds, such as dvc.lock, a metric or the card."""
        if self.commit is None:
            try:
                return (self.at / path).read_bytes()
            except FileNotFoundError:
                raise InputError(f"{path} is missing: run `dvc repro`, or check it out") from None
        command = ["git", "cat-file", "blob", f"{self.commit}:{path}"]
        done = subprocess.run(command, cwd=self.at, capture_output=True)
        if done.returncode:
            raise InputError(f"{self.label} holds no {path}")
        return done.stdout

    def has(self, path: str) -> bool:
        """Whether git holds the file there; of the workspace, whether it is there."""
        if self.commit is None:
            return (self.at / path).is_file()
        command = ["git", "cat-file", "-e", f"{self.commit}:{path}"]
        return subprocess.run(command, cwd=self.at, capture_output=True).returncode == 0

    def text(self, path: str) -> str:
        """A file that git holds, as UTF-8."""
        try:
            return self.read(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path} of {self.label} is not UTF-8: {error}") from None

    def json(self, path: str) -> Any:
        """A JSON file: an output that the cache holds, or a file that git holds."""
        data = self.cached(path).read_bytes() if self.is_cached(path) else self.read(path)
        return parse_json(data, f"{path} of {self.label}")

    @cached_property
    def params(self) -> dict[str, Any]:
        """The content of params.yaml."""
        content = parse_yaml(self.text("params.yaml"), f"params.yaml of {self.label}")
        if not isinstance(content, dict):
            raise InputError(f"params.yaml of {self.label} holds no sections")
        return content

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """What dvc.lock records of the stages that params.yaml asks for, by name.

        DVC also leaves in it what it recorded of other corpora, benchmarks and models.

        Raises:
            InputError: it is missing, or not of the form that DVC writes.
        """
        name = f"{LOCK} of {self.label}"
        content = parse_yaml(self.text(LOCK), name)
        try:
            current = {*stage_names(self.params), "model_card"}
        except (KeyError, TypeError) as error:
            raise InputError(
                f"params.yaml of {self.label} is not of this version ({error!r})"
            ) from None
        try:
            return {
                stage: Stage(
                    stage,
                    entry["cmd"],
                    _outs(entry.get("deps", [])),
                    _outs(entry.get("outs", [])),
                    entry.get("params", {}).get("params.yaml", {}),
                )
                for stage, entry in content["stages"].items()
                if stage in current
            }
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{name} is not as DVC writes it ({error!r}): run `dvc repro`"
            ) from None

    def stage(self, name: str) -> Stage:
        """
        Raises:
            InputError: the lock has no stage of this name, so nothing says how its outs were made.
        """
        if name not in self.stages:
            raise InputError(
                f"{LOCK} of {self.label} has no stage {name}: nothing there has been run for it; "
                "run `dvc repro` and commit dvc.lock"
            )
        return self.stages[name]

    @cached_property
    def _by_out(self) -> dict[str, Stage]:
        return {path: stage for stage in self.stages.values() for path in stage.outs}

    def makers(self, path: str) -> list[Stage]:
        """The stages whose outs are this path, hold it, or lie in it."""
        return [
            stage for out, stage in self._by_out.items() if _within(path, out) or _within(out, path)
        ]

    def parents(self, stage: Stage) -> list[Stage]:
        """The stages that made what this one read, in the lock's order."""
        found = {each.name: each for path in stage.deps for each in self.makers(path)}
        return [each for each in found.values() if each.name != stage.name]

    def walk(self, stage: Stage) -> Iterator[Stage]:
        """The stage and all that it rests on, each once, the nearest first."""
        queue, seen = [stage], {stage.name}
        while queue:
            here = queue.pop(0)
            yield here
            for each in self.parents(here):
                if each.name not in seen:
                    seen.add(each.name)
                    queue.append(each)

    def out(self, path: str) -> Out | None:
        """The output of the lock that is this path or holds it; None where no stage makes it."""
        for out, stage in self._by_out.items():
            if _within(path, out):
                return stage.outs[out]
        return None

    def is_cached(self, path: str) -> bool:
        """Whether the file is data that DVC's cache holds; git holds all others."""
        return path.startswith(("data/", "lineage/")) and self.out(path) is not None

    @cached_property
    def cache(self) -> Path:
        """The folder of DVC's cache, as .dvc/config and .dvc/config.local have it."""
        import configparser

        folder = self.at / ".dvc" / "cache"
        for file in (self.at / ".dvc" / "config", self.at / ".dvc" / "config.local"):
            parser = configparser.ConfigParser()
            parser.read(file, encoding="utf-8")
            if parser.has_option("cache", "dir"):
                folder = file.parent / parser.get("cache", "dir")
        return folder / "files" / "md5"

    def object(self, md5: str, path: str) -> Path:
        """The cache's file of this digest.

        Args:
            path: what it is, for the message.

        Raises:
            InputError: it is not in the cache.
        """
        file = self.cache / md5[:2] / md5[2:]
        if not file.is_file():
            how = "`dvc pull`" + ("" if self.commit is None else f" in a checkout of {self.name}")
            raise InputError(f"{path} of {self.label} is not in the cache ({md5}): run {how}")
        return file

    def files(self, out: Out) -> dict[str, str]:
        """The files of an output of the cache, path -> md5; of a folder all that lie in it."""
        if not out.md5.endswith(".dir"):
            return {out.path: out.md5}
        listed = parse_json(self.object(out.md5, out.path).read_bytes(), f"the cache's {out.md5}")
        return {f"{out.path}/{each['relpath']}": each["md5"] for each in listed}

    def md5(self, path: str) -> str:
        """The digest that the lock, or the folder that it names, has for a file or an output."""
        out = self.out(path)
        if out is None:
            raise InputError(f"{LOCK} of {self.label} names no output that holds {path}")
        if out.path == path:
            return out.md5
        found = self.files(out)
        if path not in found:
            inside = ", ".join(str(PurePosixPath(each).name) for each in list(found)[:8])
            raise InputError(f"{out.path} of {self.label} holds no {path}; it has {inside}")
        return found[path]

    def cached(self, path: str) -> Path:
        """The cache's file of an output or of a file in one, for reading."""
        return self.object(self.md5(path), path)

    def lineage(self, stage: Stage) -> dict[str, Any]:
        """What a stage wrote of its own run: ids, packages, machine, times."""
        found = self.json(stage.lineage)
        if not isinstance(found, dict):
            raise InputError(f"{stage.lineage} of {self.label} is no lineage: run `dvc repro`")
        return found

    @cached_property
    def ledger(self) -> dict[str, Any]:
        """The ledger: the predicate of the statement in model_card/ledger.json."""
        return predicate(self.json(LEDGER), f"{LEDGER} of {self.label}")

    def models_of(self, benchmark: str) -> list[str]:
        """The models that have answered a benchmark.

        Raises:
            InputError: none has.
        """
        entries = {each["benchmark"]: list(each["models"]) for each in self.ledger["benchmarks"]}
        if benchmark not in entries:
            raise InputError(
                f"{LEDGER} of {self.label} has no number for {benchmark}; it has "
                + (", ".join(sorted(entries)) or "none")
            )
        return entries[benchmark]
