"""One MLflow run and one lineage file for each executed stage.

MLflow shows; git, dvc.lock and lineage/ prove. The lineage file is an out of its stage, so that
DVC's run cache restores it with the data: a skipped stage still names the run that made its outs.
"""

import contextlib
import errno
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.files import write_json
from mathledger.core.hashing import content_id
from mathledger.core.paths import is_lineage
from mathledger.run import turns
from mathledger.run.checkout import checkout_in_use
from mathledger.run.declared import declared, digests
from mathledger.run.environment import hardware, packages
from mathledger.run.gpus import assign_gpus
from mathledger.run.lineage import Lineage, Origin, lineage_file
from mathledger.run.messages import numbers_of, outs_message, start_message
from mathledger.run.mlflow_writer import REFUSED
from mathledger.run.parent import end_with_dvc

# What decides a result. Data, metrics and dvc.lock change while the pipeline runs; these must not.
CODE = [
    "mathledger",
    "stages",
    "conf",
    "dvc.yaml",
    "params.yaml",
    "pyproject.toml",
    "constraints.txt",
]


def is_main_process() -> bool:
    """Whether this process reports and writes: the first that a launcher started, or the only."""
    return os.environ.get("RANK", "0") == "0"


def store_uri(root: Path) -> str:
    """Where MLflow's runs of the project in this folder are."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root}/mlflow.db"


# What decides a stage's unfinished work (JSON), from its deps and its params.
Decides = Callable[[dict[str, str], dict[str, Any]], Any]


class Run:
    """What a stage reports to while it works."""

    def __init__(
        self,
        deps: dict[str, str],
        params: dict[str, Any],
        fingerprint: str,
        writer: "Writer | None",
    ) -> None:
        self.deps = deps  # path -> DVC md5
        self.params = params  # the declared sections of params.yaml, flat
        self.fingerprint = fingerprint  # names the scratch folder; "" but on rank 0
        self.facts: dict[str, Any] = {}  # what the stage adds to its lineage: times, device
        self._writer = writer

    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        """Log the numbers of a tree under dotted keys; other values are skipped."""
        numbers = numbers_of(metrics)
        if self._writer:
            self._writer.send({"do": "metrics", "rows": [[step or 0, numbers]]})

    def log_text(self, text: str, file: str) -> None:
        """A text artifact of the run."""
        if self._writer:
            self._writer.send({"do": "text", "text": text, "file": file})


class Writer:
    """The pipe to the process that writes the MLflow run; see mlflow_writer.py."""

    def __init__(self, root: Path) -> None:
        self.uri = uri = store_uri(root)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mathledger.run.mlflow_writer", uri, str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the stage; the writer ends with its pipe
        )

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise self._failed(self._heard()) from None

    def ask(self, message: dict[str, Any]) -> str:
        """Send, and wait for the answer: a line."""
        self.send(message)
        answer = self._heard()
        if not answer or answer.startswith(REFUSED):
            raise self._failed(answer)
        return answer

    def _heard(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def _failed(self, answer: str) -> InputError:
        return InputError(
            answer.removeprefix(REFUSED)
            or f"MLflow at {self.uri} could not be written: its message stands above"
        )


@contextlib.contextmanager
def stage_run(stage: str, item: str | None = None, decides: Decides | None = None) -> Iterator[Run]:
    """Run a stage's body as one MLflow run and write lineage/<stage>[/<item>].json at its end.

    Args:
        decides: of the stage's deps and params, what decides the unfinished work that a later run
            may go on with; all of them unless given.

    A mistake of the user's is printed as one line without a traceback; the process then ends with
    status 1. Whatever ends the body, the run is not FINISHED unless the body was.
    """
    end_with_dvc()
    # On some CPUs it warns of a package that would speed up 4-bit models, whatever is trained.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    name = f"{stage}@{item}" if item else stage
    try:
        assign_gpus()
        if is_main_process():
            with checkout_in_use(name), _recorded(stage, item, name, decides) as run:
                yield run
        else:
            if turns.rank_0_skips():
                sys.exit(0)
            yield Run({}, {}, "", None)
    except InputError as error:
        sys.exit(f"error: {name}: {error}")
    except KeyboardInterrupt:
        sys.exit(f"error: {name}: interrupted; run again to go on")
    except Exception as error:
        # By its text: pyarrow and safetensors give errors of their own, without an errno.
        if os.strerror(errno.ENOSPC) not in str(error):
            raise
        sys.exit(f"error: {name}: the disk is full ({error}): free some space and run again")


@contextlib.contextmanager
def _recorded(stage: str, item: str | None, name: str, decides: Decides | None) -> Iterator[Run]:
    """The MLflow run and the lineage file of stage_run."""
    started = time.time()
    root = Path(os.environ.get("DVC_ROOT", "."))
    writer = Writer(root.resolve())
    deps, code, params, outs = declared(name)
    key = fingerprint(decides(deps, params) if decides else [deps, params])
    turn = turns.Turn(name, key, [deps, params])
    if turn.wait():
        sys.exit(0)  # the writer was told nothing, so that there is no run
    try:
        origin = Origin(
            stage=stage,
            item=item,
            experiment=os.environ.get("DVC_EXP_NAME"),
            git_revision=_git("rev-parse", "HEAD"),
            code_is_dirty=code_is_dirty(),
            visible_gpus=os.environ.get("CUDA_VISIBLE_DEVICES", "all"),
            deps=deps,
            code=code,
            params=params,
        )
        writer.send(start_message(origin, [out.def_path for out in outs], int(started * 1000)))
        if not writer.uri.startswith("sqlite:"):
            # What a server refuses ends the stage before its work; it costs MLflow's import, 4 s.
            writer.ask({"do": "run_id"})
        run = Run(deps, params, key, writer)
        yield run
        made = digests(outs)
        writer.send(outs_message(made))
        content = {
            **origin.content(),
            "mlflow_run_id": writer.ask({"do": "run_id"}),
            "packages": packages(),
            "hardware": hardware(),
            "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
            "seconds": round(time.time() - started, 1),
            **run.facts,
        }
        file = lineage_file(name)
        write_json(file, Lineage.read(content, file.as_posix()).content())
        writer.ask({"do": "end", "status": "FINISHED"})
        turn.done(made | digests(out for out in outs if is_lineage(out.def_path)))
    except (KeyboardInterrupt, SystemExit):
        raise  # the closing pipe ends the run as KILLED
    except BaseException as error:
        with contextlib.suppress(InputError):
            writer.send({"do": "text", "text": f"{error}\n", "file": "error.txt"})
            writer.ask({"do": "end", "status": "FAILED"})
        raise
    finally:
        turn.end()


def fingerprint(decides: Any) -> str:
    """A digest of what decides a stage's unfinished work, and of the versions of the packages."""
    return content_id(json.dumps([decides, packages()], sort_keys=True))


def code_is_dirty() -> bool:
    """Whether code or configuration differs from the commit, new files included."""
    return bool(_git("status", "--porcelain", "--", *CODE))


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
