"""Experiments side by side: the table that a paper prints.

Each row is a commit or an experiment: the final model's score on each benchmark with its interval,
as its ledger has them; the difference from the baseline, paired by item (docs/statistics.md), its p
adjusted by Holm for all that were tested; the rows it was trained on, and what training cost, from
the lineage. From the stored responses come the tests, and the split by overlap: what a leak buys
shows on the items that stand in the corpora, and not on the others.

load (what each state records) -> compute (tests, the split) -> render (four forms).
"""

import argparse
import sys

from mathledger import terminal
from mathledger.compare import compute, load, render


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison in the form that is asked for."""
    baseline, others = load.chosen(arguments.revisions, arguments.baseline)
    experiments = [load.experiment(chain, baseline) for chain in (baseline, *others)]
    comparison = compute.compare(experiments, load.overlapping_items(baseline))
    if arguments.json:
        print(terminal.json_text(render.content(comparison), 1))
        return 0
    if arguments.csv:
        text = render.csv_text(comparison)
    elif arguments.markdown:
        text = render.markdown(comparison)
    else:
        text = render.text(comparison)
    sys.stdout.write(terminal.printable(text))
    return 0
