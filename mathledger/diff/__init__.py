"""`mathledger diff A B [BENCHMARK[@MODEL]]`: show why the numbers of two states differ.

The module sides reads both states; numbers, causes, attribution, rows and responses compare them;
report formats the result. It separates what a person changed from the consequences, and says so if
nothing recorded explains a difference.
"""

import argparse

from mathledger import terminal
from mathledger.diff import difference, report
from mathledger.diff.sides import open_side

STYLES = {r"^[A-Z][A-Z ]{3,}\b": "bold", r"\bbeyond noise\b": "bold", r"\bwithin noise\b": "dim"}


def run(arguments: argparse.Namespace) -> int:
    """Print the differences; return 0 even if there are some."""
    a, b = open_side(arguments.a), open_side(arguments.b)
    compared = difference.compare(a, b, arguments.benchmark)
    if arguments.json:
        print(terminal.json_text(report.content(compared), 2))
    else:
        terminal.show(report.text(compared), STYLES)
    return 0
