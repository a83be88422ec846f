"""`mathledger compare`: compare experiments in a table, as a paper prints it.

Each row is a commit or an experiment. The ledger gives the final model's score on each benchmark
with its interval, and the lineage gives the cost of training. The stored responses give the
difference from the baseline by paired tests (docs/statistics.md), with Holm's adjustment for all
tests. They also give the split by overlap: the gain from a leak shows on the items that are in the
corpora, and not on the others.

The module load reads the states, compute runs the tests, and render formats the result.
"""

import argparse

from mathledger import terminal
from mathledger.compare import compute, load, render


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison in the requested format."""
    baseline, others = load.chosen(arguments.revisions, arguments.baseline)
    experiments = [load.experiment(chain, baseline) for chain in (baseline, *others)]
    comparison = compute.compare(experiments, load.overlapping_items(baseline))
    if arguments.json:
        print(terminal.json_text(render.content(comparison), 1))
        return 0
    if arguments.csv:
        terminal.show(render.csv_text(comparison))
    elif arguments.markdown:
        terminal.show(render.markdown(comparison))
    elif terminal.is_terminal():
        for sheet in render.sheets(comparison):
            terminal.show_table(sheet.title, sheet.head, sheet.lines)
        terminal.show(render.wrapped_notes(comparison))
    else:
        terminal.show(render.text(comparison))
    return 0
