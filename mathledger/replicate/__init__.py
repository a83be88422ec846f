"""`mathledger replicate`: train the same experiment under other seeds, and collect the results.

The seeds decide the order of the training rows, the split and the sampling of responses. Each
training is a DVC experiment named NAME-1, NAME-2, ..., so stages that no seed changes run once.
The results go to conf/model_card/replicates.jsonl, from which the card states the spread.

The module experiments runs DVC, and collect reads finished experiments.
"""

import argparse
import contextlib
import shlex
from pathlib import Path

from mathledger import terminal
from mathledger.card.replicates import FILE
from mathledger.chain import git
from mathledger.replicate import collect, experiments


def run(arguments: argparse.Namespace) -> int:
    """Queue or run the trainings, or collect their results."""
    at = git.root()
    with contextlib.chdir(at):
        if not arguments.collect:
            planned = experiments.plan(at, arguments.name, arguments.n, arguments.set_param)
            for number, each in enumerate(planned, 1):
                terminal.show(f"{number} of {len(planned)}: {each.description}\n")
                experiments.start(each, is_queued=not arguments.run)
            if not arguments.run:
                terminal.show(
                    "Queued. `dvc queue start -j 1` runs them, and `dvc queue status` lists them. "
                    "Then `mathledger replicate --collect "
                    f"--name {shlex.quote(arguments.name)}` writes their results to {FILE}.\n"
                )
                return 0
        terminal.show(collect.collect(at, arguments.name, Path(FILE)))
    return 0
