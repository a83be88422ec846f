"""What changed between the numbers of two states: `mathledger diff A B [BENCHMARK[@MODEL]]`.

sides (what both record) -> numbers, causes and attribution, rows and responses (what changed, and
what that did) -> report. What a person changed is told apart from what followed; where nothing
recorded explains a difference, that is said.
"""

import argparse
import sys

from mathledger import terminal
from mathledger.diff import difference, report
from mathledger.diff.sides import open_side


def run(arguments: argparse.Namespace) -> int:
    """Print the differences. The exit status is 0 whatever they are."""
    a, b = open_side(arguments.a), open_side(arguments.b)
    compared = difference.compare(a, b, arguments.benchmark)
    if arguments.json:
        print(terminal.json_text(report.content(compared), 2))
    else:
        sys.stdout.write(terminal.printable(report.text(compared)))
    return 0
