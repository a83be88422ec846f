"""Train again in a clone, next to the results, and compare weights, losses and answers."""

import shlex
import subprocess
import tempfile
from pathlib import Path

from mathledger.chain.lock import Stage
from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.core.hashing import sha256
from mathledger.core.paths import is_data
from mathledger.run.environment import hardware, of_stages
from mathledger.run.git import git
from mathledger.verify import comparing, generating
from mathledger.verify.project import Project

TOLERANCE = 0.02  # share of a loss by which another processor may differ
LOSSES = ("first_loss", "last_loss", "first_validation_loss", "last_validation_loss")
KINDS = ("train", "reinforce")


def again(project: Project) -> tuple[list[str], list[str], bool]:
    """Train every trained model again.

    Returns:
        What was equal, what moved, and whether that is within the tolerance.
    """
    equal: list[str] = []
    moved: list[str] = []
    holds = True
    for stage in project.chain.stages.values():
        if stage.kind not in KINDS:
            continue
        with tempfile.TemporaryDirectory(prefix="mathledger-") as scratch:
            clone = Path(scratch) / "project"
            try:
                train(project, stage, clone)
            except InputError as error:
                moved.append(str(error))
                return equal, moved, False
            own_equal, own_moved, is_tolerable = compare(project, stage, clone)
        equal += own_equal
        moved += own_moved
        holds &= is_tolerable
    return equal, moved, holds


def train(project: Project, stage: Stage, clone: Path) -> None:
    """Run a stage on the stored inputs in a clone of the commit.

    Raises:
        InputError: the stage does not run to its end.
    """
    git("clone", "--quiet", "--no-hardlinks", str(project.chain.at.resolve()), str(clone))
    # Not from the commit, because the stored results may have been made with other overrides.
    (clone / "params.yaml").write_bytes(project.chain.read("params.yaml"))
    for path in stage.deps:
        if is_data(path):
            (clone / path).parent.mkdir(parents=True, exist_ok=True)
            (clone / path).symlink_to((project.chain.at / path).resolve())
    command = shlex.split(stage.cmd)
    try:
        done = subprocess.run(command, cwd=clone, env=environment(), capture_output=True, text=True)
    except OSError as error:
        raise InputError(f"{stage.name} did not start: {command[0]}: {error.strerror}") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise InputError(f"{stage.name} did not train again: {said[-1] if said else done.stdout}")


def environment() -> dict[str, str]:
    """Return the environment of a training that writes to no store of the caller's.

    A caller who has switched off MLflow's telemetry does not want it here either.
    """
    foreign = ("MLFLOW_", "_MLFLOW_", "DVC_ROOT", "DVC_STAGE", "DVC_EXP")
    return {
        key: value
        for key, value in of_stages().items()
        if key == "MLFLOW_DISABLE_TELEMETRY" or not key.startswith(foreign)
    }


def compare(project: Project, stage: Stage, clone: Path) -> tuple[list[str], list[str], bool]:
    """Compare a stage's outputs with the stored ones."""
    top = project.chain.at
    same: list[str] = []
    moved: list[str] = []
    files = [
        file
        for path in stage.outs
        if not path.startswith("lineage/")
        for file in project.files_in(path)
    ]
    for name in files:
        made = clone / name
        if made.is_file() and sha256(made) == sha256(top / name):
            same.append(name)
        elif name.endswith(".json") and made.is_file():
            moved += comparing.values(Path(name), read_json(top / name), read_json(made))
        else:
            moved.append(f"{name} differs" if made.is_file() else f"{name} was not made")
    metrics = f"metrics/{stage.kind}.json"
    stated, found = read_json(top / metrics), read_json(clone / metrics)
    worst = max(
        (abs(found[key] - stated[key]) / abs(stated[key]) for key in LOSSES if stated.get(key)),
        default=0.0,
    )
    equal = [f"{stage.name}: {len(same)} of {len(files)} files have the same bytes"]
    equal.append(f"{stage.name}: losses within {worst:.2%}")
    then, now = project.chain.lineage(stage).hardware, hardware()
    is_same_machine = generating.shown(then.cpu, then.gpus) == generating.shown(
        now["cpu"], now.get("gpus", [])
    )
    return equal, moved, not moved or (not is_same_machine and worst <= TOLERANCE)
