"""Record each executed stage as one MLflow run and one lineage file.

MLflow shows results; git, dvc.lock and lineage/ prove them. The lineage file is an output of its
stage, so DVC's run cache restores it together with the data, and a skipped stage still names the
run that made its outputs. A run that repeats a committed result leaves its lineage file unchanged
(repeats.py).
"""

import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError, machine_fault
from mathledger.core.escaping import printable
from mathledger.core.extras import what_is_missing
from mathledger.core.files import write_json
from mathledger.core.hashing import content_id
from mathledger.core.paths import is_lineage
from mathledger.core.secrets import without_secrets
from mathledger.run import turns
from mathledger.run.checkout import checkout_in_use
from mathledger.run.declared import declared, digests
from mathledger.run.environment import hardware, packages
from mathledger.run.git import differences, head
from mathledger.run.gpus import assign_gpus
from mathledger.run.lineage import Lineage, Origin, lineage_file
from mathledger.run.messages import numbers_of, outs_message, stages_message, start_message
from mathledger.run.parent import end_with_dvc
from mathledger.run.repeats import first_record, restore_records, result_id
from mathledger.run.writer import Writer

# These paths determine a result, so they must not change during a run. Data, metrics and dvc.lock
# do change.
CODE = [
    "mathledger",
    "stages",
    "conf",
    "dvc.yaml",
    "params.yaml",
    "pyproject.toml",
    "locks",
    ".dvcignore",
]


def is_main_process() -> bool:
    """Return True on rank 0, which reports and writes; a single process is rank 0."""
    return os.environ.get("RANK", "0") == "0"


# A function of a stage's deps and params that returns, as JSON, what determines its scratch folder.
Decides = Callable[[dict[str, str], dict[str, Any]], Any]


class Run:
    """The handle through which a stage's body reads its inputs and reports results."""

    def __init__(
        self,
        deps: dict[str, str],
        params: dict[str, Any],
        fingerprint: str,
        writer: Writer | None,
    ) -> None:
        self.deps = deps  # path -> DVC's md5
        self.params = params  # the stage's sections of params.yaml, flattened
        self.fingerprint = fingerprint  # names the scratch folder; set on rank 0 only
        self.facts: dict[str, Any] = {}  # facts for the lineage, such as times and device
        self._writer = writer

    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        """Log the numbers in a tree under dotted keys; skip other values."""
        numbers = numbers_of(metrics)
        if self._writer:
            self._writer.send({"do": "metrics", "rows": [[step or 0, numbers]]})

    def log_text(self, text: str, file: str) -> None:
        """Log a text as an artifact of the run."""
        if self._writer:
            self._writer.send({"do": "text", "text": text, "file": file})


@contextlib.contextmanager
def stage_run(stage: str, item: str | None = None, decides: Decides | None = None) -> Iterator[Run]:
    """Run a stage's body as one MLflow run, and write lineage/<stage>[/<item>].json at its end.

    A user error is printed as one line without a traceback, and the process exits with status 1.
    The run gets the status FINISHED only if the body succeeds.

    Args:
        decides: returns the part of the stage's deps and params that determines whether a later
            run can resume unfinished work; by default all deps and params.
    """
    end_with_dvc()
    name = f"{stage}@{item}" if item else stage
    with errors_in_one_line(name):
        assign_gpus()
        if is_main_process():
            with checkout_in_use(name), _recorded(stage, item, name, decides) as run:
                yield run
        else:
            if turns.rank_0_skips():
                sys.exit(0)
            yield Run({}, {}, "", None)


@contextlib.contextmanager
def errors_in_one_line(name: str) -> Iterator[None]:
    """Exit with one line for what the user or the machine did wrong; a bug keeps its traceback.

    Args:
        name: the stage's name, with its item.
    """
    # On some CPUs bitsandbytes warns about a package for 4-bit models, even if none is trained.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        yield
    except InputError as error:
        sys.exit(printable(without_secrets(f"error: {name}: {error}")))
    except ModuleNotFoundError as error:
        if not (missing := what_is_missing(error)):
            raise
        sys.exit(f"error: {name}: {missing}")
    except KeyboardInterrupt:
        sys.exit(f"error: {name}: interrupted; run again to continue")
    except Exception as error:
        if not (fault := machine_fault(error)):
            raise
        sys.exit(printable(without_secrets(f"error: {name}: {fault}")))


@contextlib.contextmanager
def _recorded(stage: str, item: str | None, name: str, decides: Decides | None) -> Iterator[Run]:
    """Record the body of `stage_run` in MLflow and in the lineage file."""
    started, clock = time.time(), time.monotonic()
    root = Path(os.environ.get("DVC_ROOT", "."))
    revision = head()
    writer = Writer(root.resolve())
    deps, code, params, outs = declared(name)
    key = fingerprint(decides(deps, params) if decides else [deps, params])
    turn = turns.Turn(name, key, [deps, params])
    if turn.wait():
        sys.exit(0)  # nothing was sent to the writer, so MLflow has no run
    try:
        origin = Origin(
            stage=stage,
            item=item,
            experiment=os.environ.get("DVC_EXP_NAME"),
            git_revision=revision,
            code_is_dirty=any(differences(revision, *CODE)),
            visible_gpus=os.environ.get("CUDA_VISIBLE_DEVICES", "all"),
            deps=deps,
            code=code,
            params=params,
        )
        writer.send(start_message(origin, [out.def_path for out in outs], int(started * 1000)))
        if not writer.uri.startswith("sqlite:"):
            # Fail before the work if the server refuses the run. SQLite is not asked, because
            # importing MLflow takes 4 s.
            writer.ask({"do": "run_id"})
        run = Run(deps, params, key, writer)
        yield run
        made = digests(outs)
        writer.send(outs_message(made))
        if runs := run.facts.get("runs"):
            writer.send(stages_message(runs))
        content = {
            **origin.content(),
            "result": result_id(deps, code, params, made),
            "mlflow_run_id": writer.ask({"do": "run_id"}),
            "packages": packages(),
            "hardware": hardware(),
            "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - clock, 1),  # the clock may be set back
            **run.facts,
        }
        file = lineage_file(name)
        lineage = Lineage.read(content, file.as_posix())
        if first := first_record(lineage):
            writer.send({"do": "repeats", "run_id": first.mlflow_run_id})
            text = json.dumps(lineage.content(), indent=2)
            writer.send({"do": "text", "text": text, "file": "lineage.json"})
            restore_records([path for path in made if is_lineage(path)])
            lineage = first
        write_json(file, lineage.content())
        writer.ask({"do": "end", "status": "FINISHED"})
        turn.done(made | digests(out for out in outs if is_lineage(out.def_path)))
    except (KeyboardInterrupt, SystemExit):
        raise  # when the pipe closes, the writer ends the run as KILLED
    except BaseException as error:
        with contextlib.suppress(InputError):
            text = without_secrets(f"{error}\n")
            writer.send({"do": "text", "text": text, "file": "error.txt"})
            writer.ask({"do": "end", "status": "FAILED"})
        raise
    finally:
        turn.end()


def fingerprint(decides: Any) -> str:
    """Return a digest of what determines a stage's unfinished work, and of package versions."""
    return content_id(json.dumps([decides, packages()], sort_keys=True))
