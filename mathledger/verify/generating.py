"""Check the link `generation`: some stored responses come out the same if generated again."""

import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.core.files import read_json
from mathledger.evaluation.spot_check import SpotCheck
from mathledger.run.environment import hardware
from mathledger.run.lineage import lineage_file
from mathledger.verify.project import Check, Project


def generation(project: Project) -> Check:
    """Check that responses drawn at random are the same if they are generated again."""
    chosen = Counter(random.choices(project.evaluations, k=project.options.num_regenerated))
    same = num_again = flipped = 0
    for (model, benchmark), number in sorted(chosen.items()):
        try:
            again = check_again(model, benchmark, number)
        except InputError as error:
            yield str(error)
            continue
        num_again += len(again.responses)
        same += len(again.responses) - again.num_different
        flipped += sum(each.is_flipped for each in again.responses)
        then, now = machines(project, model, benchmark)
        lineage = project.chain.lineage(project.chain.stage(f"evaluate@{model}-{benchmark}"))
        if then == now and again.dtype != lineage.dtype:
            yield (
                f"{model} on {benchmark}: {lineage_file(lineage.name)} says that it ran in "
                f"{lineage.dtype}, but here it runs in {again.dtype}"
            )
        if again.num_different:
            other = f" (generated on {then}; this machine is {now})" if then != now else ""
            for each in again.responses:
                if each.difference:
                    yield f"{model} on {benchmark}: {each.text}{other}"
    if same < num_again:
        yield f"{same} of {num_again} responses are the same; verdicts flipped: {flipped}"
    return f"{same} of {num_again} responses, drawn at random, were regenerated identically"


def check_again(model: str, benchmark: str, number: int, seed: str | None = None) -> SpotCheck:
    """Regenerate some responses of a pair, drawn at random or by a seed, and compare them.

    Each pair of model and benchmark runs in its own process of the stage that generated it, because
    an engine holds memory, including the GPU's, until its process ends.

    Raises:
        InputError: the stage gives no answer.
    """
    with tempfile.TemporaryDirectory(prefix="mathledger-") as scratch:
        file = Path(scratch) / "spot_check.json"
        command = [sys.executable, "-m", "stages.evaluate", model, benchmark]
        command += ["--spot-check", str(number), "--json", str(file)]
        command += ["--seed", seed] if seed else []
        done = subprocess.run(command, capture_output=True, text=True)
        if not file.is_file():
            said = done.stderr.strip().splitlines()
            raise InputError(f"{model} on {benchmark}: {said[-1] if said else 'no answer'}")
        return SpotCheck.read(read_json(file), f"the spot check of {model} on {benchmark}")


def machines(project: Project, model: str, benchmark: str) -> tuple[str, str]:
    """Return the processors on which the responses were generated, and on which we are."""
    then = project.chain.lineage(project.chain.stage(f"evaluate@{model}-{benchmark}")).hardware
    now = hardware()
    return shown(then.cpu, then.gpus), shown(now["cpu"], now.get("gpus", []))


def shown(cpu: str, gpus: list[str]) -> str:
    """Return the processors that compute a response.

    >>> shown("Xeon", []), shown("Xeon", ["H100", "H100"])
    ('Xeon', '2 x H100')
    """
    return f"{len(gpus)} x {gpus[0]}" if gpus else cpu
