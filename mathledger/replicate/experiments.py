"""Choose the seeds of replicates, and give them to DVC."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mathledger.card.replicates import FILE, read, seeds
from mathledger.chain import git
from mathledger.core.errors import InputError
from mathledger.core.parsing import parse_yaml
from mathledger.run import environment
from mathledger.run.compose import compose


@dataclass(frozen=True)
class Planned:
    """An experiment to run."""

    name: str
    overrides: list[str]

    @property
    def description(self) -> str:
        return f"{self.name}: {' '.join(self.overrides)}"


def plan(at: Path, name: str, number: int, overrides: list[str]) -> list[Planned]:
    """Return `number` experiments, which differ from the given overrides by their seeds.

    Names and seeds count on from the experiments that exist or are recorded, so a second call adds
    trainings.

    Raises:
        InputError: the name or an override is wrong, or an override sets a seed.
    """
    if not re.fullmatch(r"[A-Za-z][\w-]*", name):
        raise InputError(f"--name {name}: use letters, digits, - and _, as in DVC's experiments")
    params = parse_yaml(compose(overrides), "the composed params")
    own = seeds(params)
    for override in overrides:
        if override.partition("=")[0].lstrip("+") in own:
            raise InputError(f"-S {override}: replicate chooses this seed; leave it out")
    first = 1 + max(numbers(at, name), default=0)
    return [
        Planned(
            f"{name}-{number}",
            [*overrides, *(f"{key}={seed + number}" for key, seed in own.items())],
        )
        for number in range(first, first + number)
    ]


def numbers(at: Path, name: str) -> list[int]:
    """Return the numbers of the experiments NAME-1, NAME-2, ... that exist, are queued or recorded.

    A clone holds no experiments, but the file records those whose results were collected.
    """
    recorded = (each.experiment for each in read(at / FILE))
    names = [*(each.name for each in git.experiments(at)), *git.queued(at), *recorded]
    found = (re.fullmatch(rf"{re.escape(name)}-(\d+)", each) for each in names)
    return [int(match[1]) for match in found if match]


def start(planned: Planned, is_queued: bool) -> None:
    """Queue an experiment, or run it in a temporary copy of the project.

    Raises:
        InputError: DVC ended with an error, which it has printed.
    """
    options = ["--queue" if is_queued else "--temp"]
    for override in planned.overrides:
        options += ["-S", override]
    if dvc("exp", "run", "--name", planned.name, *options):
        raise InputError(
            f"`dvc exp run` of {planned.name} failed (see above): fix it, and call replicate "
            "again; finished experiments stay"
        )


def dvc(*arguments: str) -> int:
    """Run DVC and return its exit status."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, env=environment.of_stages()).returncode
